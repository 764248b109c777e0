"""What the readers of the session index share: room to work in, and the choice of the best.

Sums are taken in a dense array over items that is all zero between two readings. The owner reads from one
thread, so one sheet serves all readers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.arena import Column
from heedful.views.compiled import compiled
from heedful.views.dictionary import Items
from heedful.views.handles import Handle, handle, int16_at, int32_at, int64_at, uint64_at
from heedful.views.postings import Index
from heedful.views.sessions import Sessions

MOST = 4_096
"""How many items a reading can answer at most."""


class Ranked(NamedTuple):
    """The best items with their scores, best first, ties by the item's key, shape (n,) each.

    items: int32, dense. scores: int64, only comparable within one answer.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.int64]

    def copied(self) -> Ranked:
        """The same in arrays of its own."""
        return Ranked(self.items.copy(), self.scores.copy())


class Sheet(NamedTuple):
    """Room to work in.

    score: int32 per item, zero between readings. mark: int16 per slot, zero between readings.
    seen: int32, the items that have a score. best, points: int32 and int64 (MOST,), the answer.
    keys: uint64 per item.
    """

    score: Column
    mark: Column
    seen: Column
    best: Column
    points: Column
    keys: Column


class Desk:
    """Keeps a sheet as large as the index. Shared by the readers of one `Sessions`."""

    def __init__(self, sessions: Sessions, items: Items) -> None:
        self.sessions, self._items = sessions, items
        self._index: Index | None = None
        self._sheet: Sheet
        self._handle: Handle

    def open(self) -> tuple[Handle, Handle]:
        """The handles of the index as it is now and of a sheet that fits it."""
        index = self.sessions.index
        if index is not self._index or self._sheet.keys is not self._items.keys:
            self._index = index
            self._sheet = Sheet(
                score=np.zeros(len(index.held), dtype=np.int32),
                mark=np.zeros(len(index.last), dtype=np.int16),
                seen=np.zeros(len(index.held) + 1, dtype=np.int32),  # kernels write before they know
                best=np.zeros(MOST, dtype=np.int32),
                points=np.zeros(MOST, dtype=np.int64),
                keys=self._items.keys,
            )
            self._handle = handle(self._sheet)
        return self.sessions.handle, self._handle

    def glance(self, count: int) -> Ranked:
        """The first `count` of the sheet's answer, as views that the next reading overwrites."""
        return Ranked(self._sheet.best[:count], self._sheet.points[:count])


@compiled
def sheet_of(table: Handle) -> Sheet:
    """The arrays behind a sheet's handle."""
    return Sheet(
        int32_at(table, 0), int16_at(table, 1), int32_at(table, 2), int32_at(table, 3), int64_at(table, 4),
        uint64_at(table, 5),
    )  # fmt: skip


@compiled
def _worse(best: Column, points: Column, keys: Column, item: int, score: int, place: int) -> bool:
    """Whether (item, score) ranks below what stands at `place`."""
    if score != points[place]:
        return bool(score < points[place])
    return bool(keys[item] > keys[best[place]])


@compiled
def offer(sheet: Sheet, size: int, limit: int, item: int, score: int) -> int:
    """Take (item, score) among the `limit` best if it is one of them; returns the new size.

    Until `arrange` the answer is a heap with the worst on top.
    """
    best, points, keys = sheet.best, sheet.points, sheet.keys
    if size == limit:
        if not _worse(best, points, keys, item, score, 0):
            _sink(best, points, keys, size, item, score)
        return size
    place = size
    while place > 0 and _worse(best, points, keys, item, score, (place - 1) >> 1):
        above = (place - 1) >> 1
        best[place], points[place] = best[above], points[above]
        place = above
    best[place], points[place] = item, score
    return size + 1


@compiled
def _sink(best: Column, points: Column, keys: Column, size: int, item: int, score: int) -> None:
    """Replace the worst on top by (item, score)."""
    place, below = 0, 1
    while below < size:
        if below + 1 < size and _worse(best, points, keys, best[below + 1], points[below + 1], below):
            below += 1
        if _worse(best, points, keys, item, score, below):
            break
        best[place], points[place] = best[below], points[below]
        place, below = below, 2 * below + 1
    best[place], points[place] = item, score


@compiled
def arrange(sheet: Sheet, size: int) -> None:
    """Sort the answer, best first."""
    best, points, keys = sheet.best, sheet.points, sheet.keys
    for end in range(size - 1, 0, -1):
        item, score = best[end], points[end]
        best[end], points[end] = best[0], points[0]
        _sink(best, points, keys, end, item, score)
