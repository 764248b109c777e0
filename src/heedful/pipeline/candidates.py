"""Candidates as columns: one row an item, one column a source, no object per candidate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.compiled import compiled


class Proposal(NamedTuple):
    """What one source proposes, best first.

    items: int32 (n,), dense and distinct. scores: float64 (n,), positive, descending.
    because: int32 (n,), the item that speaks for each, or -1.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.float64]
    because: NDArray[np.int32]


class Candidates(NamedTuple):
    """The union of all proposals.

    items: int32 (n,), dense and distinct.
    scores: float64 (n, s), each source's score divided by its best one, in [0, 1]; 0 where it was silent.
    because: int32 (n, s), the item that speaks for it in each source, or -1.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.float64]
    because: NDArray[np.int32]

    def only(self, kept: NDArray[np.bool_]) -> Candidates:
        """The rows where `kept`, bool (n,), is True."""
        return Candidates(self.items[kept], self.scores[kept], self.because[kept])


_NO_ITEMS = np.empty(0, dtype=np.int32)


class Gatherer:
    """Joins proposals. Holds one scratch column as long as the catalogue, so joining allocates little.

    known: how many dense items there are now.
    """

    def __init__(self, known: Callable[[], int]) -> None:
        self._known = known
        self._row = np.full(1_024, -1, dtype=np.int32)

    def gather(self, proposals: Sequence[Proposal]) -> Candidates:
        """The union, rows in order of first mention, columns in the order of `proposals`."""
        parts = [proposal for proposal in proposals if len(proposal.items)]
        if not parts:
            return Candidates(
                _NO_ITEMS, np.empty((0, len(proposals))), np.empty((0, len(proposals)), np.int32)
            )
        items, scores, because = (np.concatenate(column) for column in zip(*parts, strict=True))
        ends = np.array(list(accumulate(len(proposal.items) for proposal in proposals)), dtype=np.int64)
        if self._known() > len(self._row):
            self._row = np.full(self._known() * 2, -1, dtype=np.int32)
        return Candidates(*_gather(items, scores, because, ends, self._row))


@compiled
def _gather(
    items: NDArray[np.int32],
    scores: NDArray[np.float64],
    because: NDArray[np.int32],
    ends: NDArray[np.int64],
    row_of: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int32]]:
    unique = np.empty(len(items), dtype=np.int32)
    columns = np.zeros((len(items), len(ends)), dtype=np.float64)
    reasons = np.full((len(items), len(ends)), -1, dtype=np.int32)
    count = 0
    start = 0
    for source in range(len(ends)):
        best = 0.0
        for i in range(start, ends[source]):
            best = max(best, scores[i])
        for i in range(start, ends[source]):
            item = items[i]
            row = row_of[item]
            if row < 0:
                row = np.int32(count)
                row_of[item] = row
                unique[count] = item
                count += 1
            if best > 0.0:
                columns[row, source] = scores[i] / best
            reasons[row, source] = because[i]
        start = ends[source]
    for i in range(count):
        row_of[unique[i]] = -1
    return unique[:count], columns[:count], reasons[:count]
