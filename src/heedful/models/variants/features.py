"""What is known of a moment, as a few whole numbers of fixed size, so that sums over moments are exact.

Each named value goes to three of the places with signs, all from a hash of its name (feature hashing: Weinberger,
Dasgupta, Langford, Smola, Attenberg: ICML 2009; several places as in the count sketch of Charikar, Chen,
Farach-Colton 2002). A linear model over the places can tell about a dozen values apart; two that share one
place still differ in the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple

from heedful.views.variant_facts import CELLS, FEATURES, HIGHEST, ONE

SEGMENT, HOUR = "segment", "hour"
_SPREAD = 3
_UNIT = 9
"""ONE / sqrt(3), rounded: a value of 1 has length 1 over its three places."""

_FARTHEST = 4.0
_PARTS_OF_THE_DAY = ("night", "morning", "afternoon", "evening")


class Moment(NamedTuple):
    """cell: 0 to CELLS, of the segment. features: FEATURES whole numbers, the first `ONE`.

    told: whether the context says more than the segment.
    """

    cell: int
    features: tuple[int, ...]
    told: bool


def moment_of(context: Mapping[str, str | float | bool]) -> Moment:
    """The numbers for a context. Texts and truths count by their value, numbers by their size, cut to -4 to 4.

    `hour`, a number from 0 to 23, counts as one of four parts of the day.
    """
    places = [0] * FEATURES
    places[0] = ONE
    for name, value in sorted(context.items()):
        if name == HOUR and not isinstance(value, str | bool):
            word, size = f"{name}={_PARTS_OF_THE_DAY[int(value) % 24 // 6]}", 1.0
        elif isinstance(value, str | bool):
            word, size = f"{name}={value}", 1.0
        else:
            word, size = name, max(-_FARTHEST, min(_FARTHEST, value))
        for place, sign in _places(word):
            places[place] = max(-HIGHEST, min(HIGHEST, places[place] + sign * round(size * _UNIT)))
    segment = context.get(SEGMENT)
    cell = 1 + _hash(f"cell:{segment}") % CELLS if isinstance(segment, str) and segment else 0
    return Moment(cell, tuple(places), any(name != SEGMENT for name in context))


def _places(word: str) -> list[tuple[int, int]]:
    """Three different places from 1 on, each with a sign."""
    bits = _hash(word)
    free = list(range(1, FEATURES))
    found = []
    for _ in range(_SPREAD):
        bits, place = divmod(bits, len(free))
        bits, sign = divmod(bits, 2)
        found.append((free.pop(place), 1 if sign else -1))
    return found


def _hash(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=8, person=b"features").digest(), "little")
