"""The smallest group: no figure about few people leaves, alone or by subtraction.

A cell of fewer people than the floor is not shown (primary suppression). Where just one cell of a total that is
shown is missing, it is the total less the others; so another one, the smallest, is kept back with it, until
what is missing is at least two cells and at least the floor together (complementary suppression: Hundepool et al.,
"Statistical Disclosure Control", 2012, chapter 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Key = TypeVar("Key")

FLOOR = 20


def shown(people: int, floor: int = FLOOR) -> bool:
    """Whether a figure over so many people may leave. Nobody at all is no secret."""
    return people == 0 or people >= floor


def showable(cells: Mapping[Key, int], *, floor: int = FLOOR, total: bool = True) -> set[Key]:
    """Which of `cells`, people by key, all different people, may be shown, where their sum is shown too if
    `total`.

    Ties are broken by the order of the keys as text, so that the same cells always give the same answer.
    """
    hidden = {key for key, people in cells.items() if not shown(people, floor)}
    if hidden and total:
        rest = sorted(
            (key for key in cells if key not in hidden and cells[key]), key=lambda key: (cells[key], str(key))
        )
        while rest and (len(hidden) < 2 or sum(cells[key] for key in hidden) < floor):
            hidden.add(rest.pop(0))
    return set(cells) - hidden


def apart(whole: int, part: int, floor: int = FLOOR) -> bool:
    """Whether a part may be shown beside its whole: what is left between them must not be few people either."""
    return shown(part, floor) and shown(whole - part, floor)
