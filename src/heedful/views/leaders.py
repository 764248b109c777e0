"""The best few of many scores, kept exact while single scores move.

A list holds exactly the best of all items, at most `LISTED`. A score that rises or enters is put in its
place; one that falls below the last of the list leaves it, because some item outside may now be better. The
list is then shorter but still exact, and only when too few are left is it chosen anew from all scores.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heedful.views.compiled import compiled

LISTED = 256
ENOUGH = 200
"""Up to this many are read from the list; the rest of it may fall away before it must be chosen anew."""

NOTHING = -np.inf
"""The score of an item without any."""


class Leaders:
    """The lists of several kinds of score. Scores are float64 and never NaN; ties go to the lower key.

    codes: int32 (kinds, LISTED), dense items, best first; of list k only the first `meta[k, 0]` count.
    scores: float64 (kinds, LISTED), their scores.
    meta: int64 (kinds, 2): how many, and whether the list holds every item that has a score.
    """

    def __init__(self, kinds: int) -> None:
        self.codes = np.zeros((kinds, LISTED), dtype=np.int32)
        self.scores = np.zeros((kinds, LISTED), dtype=np.float64)
        self.meta = np.zeros((kinds, 2), dtype=np.int64)
        self.meta[:, 1] = 1

    def answers(self, kind: int, limit: int) -> bool:
        """Whether the list holds the best `limit`."""
        return bool(self.meta[kind, 1]) or int(self.meta[kind, 0]) >= limit

    def forget(self) -> None:
        """Know nothing any more, until `choose`."""
        self.meta[:] = 0

    def choose(self, kind: int, scores: NDArray[np.float64], keys: NDArray[np.uint64]) -> None:
        """Make the list anew from the scores of all items, shape (items,)."""
        chosen = best(scores, keys, LISTED)
        held = len(chosen)
        self.codes[kind, :held], self.scores[kind, :held] = chosen, scores[chosen]
        self.meta[kind] = held, int((scores > NOTHING).sum()) == held


def best(scores: NDArray[np.float64], keys: NDArray[np.uint64], limit: int) -> NDArray[np.int32]:
    """Places of the `limit` best of `scores`, best first, ties by ascending key; NOTHING is left out.

    scores: float64 (n,); keys: uint64 (at least n,). Costs O(n + limit log limit) unless very many tie.
    """
    chosen = np.flatnonzero(scores > NOTHING)
    if limit < len(chosen):
        least = np.partition(scores, len(scores) - limit)[len(scores) - limit] if limit > 0 else np.inf
        above, ties = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
        wanted = limit - len(above)
        if 0 < wanted < len(ties):
            ties = ties[np.argpartition(keys[ties], wanted - 1)[:wanted]]
        chosen = np.concatenate((above, ties[:wanted]))
    order = np.lexsort((keys[chosen], -scores[chosen]))
    return chosen[order].astype(np.int32)


@compiled
def ahead(score: float, key: np.uint64, other: float, other_key: np.uint64) -> bool:
    """Whether the first comes before the second, or is the same."""
    return bool(score > other or (score == other and key <= other_key))


@compiled
def move(
    item: int,
    old: float,
    new: float,
    keys: NDArray[np.uint64],
    codes: NDArray[np.int32],
    scores: NDArray[np.float64],
    meta: NDArray[np.int64],
) -> None:
    """Take note that the score of `item` went from `old` to `new`; either may be NOTHING."""
    held, complete = meta[0], meta[1] != 0
    if held == 0 and not complete:
        return
    key = keys[item]
    bound, bound_key = NOTHING, key
    if not complete:
        bound, bound_key = scores[held - 1], keys[codes[held - 1]]
    if old > NOTHING and ahead(old, key, bound, bound_key):
        place = 0
        while place < held - 1 and codes[place] != item:
            place += 1
        held -= 1
        for j in range(place, held):
            codes[j], scores[j] = codes[j + 1], scores[j + 1]
    if new > NOTHING and ahead(new, key, bound, bound_key):
        if held == LISTED:
            meta[1] = 0
            if not ahead(new, key, scores[held - 1], keys[codes[held - 1]]):
                return
            held -= 1
        place = held
        while place > 0 and ahead(new, key, scores[place - 1], keys[codes[place - 1]]):
            codes[place], scores[place] = codes[place - 1], scores[place - 1]
            place -= 1
        codes[place], scores[place] = item, new
        held += 1
    meta[0] = held
