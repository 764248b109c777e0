"""What was bought, carted or looked at together, counted from sessions on reading."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heedful.views.arena import Column
from heedful.views.compiled import compiled
from heedful.views.handles import Handle
from heedful.views.postings import COUNT_MASK, ITEM_BITS, ITEM_MASK, Index, index_of
from heedful.views.reading import MOST, Desk, Ranked, sheet_of
from heedful.views.rules import best_of
from heedful.views.sessions import BOUGHT

ANYTHING = 7
"""All deeds: whatever was done with an item."""


class Cooccurrence:
    """Reads what goes together. Not for two threads at once."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def read(
        self, item: int, how_many: int, *, deed: int = BOUGHT, own: int = ANYTHING, m: int = 500
    ) -> Ranked:
        """The `how_many` (1 to MOST) other items with which `deed` was done in most of `item`'s sessions.

        deed: `sessions.BOUGHT`, `CARTED`, or several as bits. own: what must have been done with `item`
        itself for a session to count; BOUGHT for "bought together". m: how many of the newest sessions of
        `item` are read. A score is the number of sessions.
        """
        asked = np.array([item], dtype=np.int32)
        return self.peek(asked, how_many, deed=deed, own=own, m=m).copied()

    def peek(
        self,
        asked: NDArray[np.int32],
        how_many: int,
        *,
        deed: int = BOUGHT,
        own: int = ANYTHING,
        m: int = 500,
    ) -> Ranked:
        """What `read` answers for `asked`, shape (1,), as views that the next reading of any reader overwrites."""
        index, sheet = self._desk.open()
        return self._desk.glance(_read(index, sheet, asked, min(how_many, MOST), deed, own, m))


@compiled
def _read(past: Handle, table: Handle, asked: Column, how_many: int, deed: int, own: int, m: int) -> int:
    index, sheet = index_of(past), sheet_of(table)
    score, entries, item = sheet.score, index.entries, asked[0]
    seen = 0
    if 0 <= item < len(index.held):
        held = int(index.held[item])
        stop = int(index.offset[item]) + held
        for place in range(stop - 1, stop - min(m, held) - 1, -1):
            packed = index.block[index.postings[place]]
            start, end = packed >> 8, (packed >> 8) + (packed & COUNT_MASK)
            if own != ANYTHING and not _did(index, start, end, item, own):
                continue
            for i in range(start, end):
                entry = int(entries[i])
                if entry >> ITEM_BITS & deed:
                    other = entry & ITEM_MASK
                    sheet.seen[seen] = other
                    seen += score[other] == 0
                    score[other] += 1
    return best_of(sheet, asked, 1, seen, how_many)


@compiled
def _did(index: Index, start: int, end: int, item: int, deed: int) -> bool:
    """Whether `deed` was done with `item` in the session whose block is [start, end)."""
    for i in range(start, end):
        entry = int(index.entries[i])
        if entry & ITEM_MASK == item:
            return entry >> ITEM_BITS & deed != 0
    return False
