"""Which of the scored candidates are shown, in which place, and with what probability."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from heedful.pipeline.candidates import KEPT, MOST, Candidates, columns_of
from heedful.views.compiled import compiled
from heedful.views.handles import Handle


class Choice(NamedTuple):
    """rows: int64 (s,), chosen rows, best place first. propensities: float64 (s,), each in (0, 1]."""

    rows: NDArray[np.int64]
    propensities: NDArray[np.float64]


class Policy(Protocol):
    """Chooses what is shown, and says with what probability."""

    def choose(self, candidates: Candidates, keys: NDArray[np.uint64], *, size: int, seed: int) -> Choice:
        """Choose at most `size` of the rows that were kept. Ties go to the lower of `keys`, by dense item.

        All chance comes from `seed`, which the decision keeps, so that a slate can be replayed.
        """


CERTAIN = np.ones(MOST)
CERTAIN.flags.writeable = False
"""Propensities of 1."""


class Greedy:
    """The best first, nothing left to chance: every propensity is 1."""

    def choose(self, candidates: Candidates, keys: NDArray[np.uint64], *, size: int, seed: int) -> Choice:
        del seed
        rows = _best(candidates.handle, keys, size)
        return Choice(rows, CERTAIN[: len(rows)])


@compiled
def _best(table: Handle, keys: NDArray[np.uint64], size: int) -> NDArray[np.int64]:
    columns = columns_of(table)
    total = columns.total
    best = np.empty(size, dtype=np.int64)
    count = 0
    for row in range(columns.meta[0]):
        if columns.reason[row] != KEPT:
            continue
        key = keys[columns.item[row]]
        place = count
        while place > 0:
            other = best[place - 1]
            if total[other] > total[row] or (total[other] == total[row] and keys[columns.item[other]] <= key):
                break
            place -= 1
        if place >= size:
            continue
        if count < size:
            count += 1
        for shifted in range(count - 1, place, -1):
            best[shifted] = best[shifted - 1]
        best[place] = row
    return best[:count]
