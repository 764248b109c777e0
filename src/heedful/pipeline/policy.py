"""Which of the scored candidates are shown, in which place, and with what probability."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from heedful.views.compiled import compiled


class Choice(NamedTuple):
    """rows: int64 (s,), chosen rows, best place first. propensities: float64 (s,), each in (0, 1]."""

    rows: NDArray[np.int64]
    propensities: NDArray[np.float64]


class Policy(Protocol):
    """Chooses what is shown, and says with what probability."""

    def choose(
        self, scores: NDArray[np.float64], keys: NDArray[np.uint64], *, size: int, seed: int
    ) -> Choice:
        """Choose min(size, n) rows of `scores`, shape (n,). Ties go to the lower of `keys`, shape (n,).

        All chance comes from `seed`, which the decision keeps, so that a slate can be replayed.
        """


class Greedy:
    """The best first, nothing left to chance: every propensity is 1."""

    def choose(
        self, scores: NDArray[np.float64], keys: NDArray[np.uint64], *, size: int, seed: int
    ) -> Choice:
        del seed
        rows = _best(scores, keys, min(size, len(scores)))
        return Choice(rows, np.ones(len(rows), dtype=np.float64))


@compiled
def _best(scores: NDArray[np.float64], keys: NDArray[np.uint64], size: int) -> NDArray[np.int64]:
    best = np.empty(size, dtype=np.int64)
    count = 0
    for row in range(len(scores)):
        place = count
        while place > 0:
            other = best[place - 1]
            if scores[other] > scores[row] or (scores[other] == scores[row] and keys[other] <= keys[row]):
                break
            place -= 1
        if place >= size:
            continue
        if count < size:
            count += 1
        for shifted in range(count - 1, place, -1):
            best[shifted] = best[shifted - 1]
        best[place] = row
    return best
