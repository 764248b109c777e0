"""What people looked at next: sequential rules, computed from sessions on reading.

After the SR method of Ludewig and Jannach, "Evaluation of session-based recommendation algorithms", 2018,
section 3.1: an item that comes d places after another in a session counts 1/d, d at most 10. In units of
1/2520, the least common multiple of 1 to 10, every share is a whole number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heedful.views.arena import Column
from heedful.views.compiled import compiled
from heedful.views.handles import Handle
from heedful.views.postings import COUNT_MASK, ITEM_MASK, Index, index_of
from heedful.views.reading import MOST, Desk, Ranked, Sheet, arrange, offer, sheet_of

UNIT = 2_520
FARTHEST = 10


class Rules:
    """Reads sequential rules. Not for two threads at once."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def read(self, current: NDArray[np.int32], how_many: int, *, m: int = 500, excluded: int = 1) -> Ranked:
        """The `how_many` (1 to MOST) items that most often came soon after the distinct items `current`.

        current: newest first; the first counts len(current) times, the last once. m: how many of the newest
        sessions of each are read. excluded: how many of the newest current items are not answered. Sums
        beyond 2^31 would overflow: m times sum of weights must stay below 850,000.
        """
        return self.peek(current, how_many, m=m, excluded=excluded).copied()

    def peek(self, current: NDArray[np.int32], how_many: int, *, m: int = 500, excluded: int = 1) -> Ranked:
        """What `read` answers, as views that the next reading of any reader overwrites."""
        index, sheet = self._desk.open()
        return self._desk.glance(_read(index, sheet, current, min(how_many, MOST), m, excluded))


@compiled
def _read(past: Handle, table: Handle, current: Column, how_many: int, m: int, excluded: int) -> int:
    index, sheet = index_of(past), sheet_of(table)
    seen = 0
    for position in range(len(current)):
        if 0 <= current[position] < len(index.held):
            weight = len(current) - position
            seen = _follow(index, sheet, current[position], weight, m, seen)
    return best_of(sheet, current, excluded, seen, how_many)


@compiled
def _follow(index: Index, sheet: Sheet, item: int, weight: int, m: int, seen: int) -> int:
    """Add what came after `item` in its newest m sessions; returns how many items have a score now."""
    score, entries = sheet.score, index.entries
    held = int(index.held[item])
    stop = int(index.offset[item]) + held
    for place in range(stop - 1, stop - min(m, held) - 1, -1):
        packed = index.block[index.postings[place]]
        end = (packed >> 8) + (packed & COUNT_MASK)
        at = end - 1
        while int(entries[at]) & ITEM_MASK != item:
            at -= 1
        for distance in range(1, min(FARTHEST, end - 1 - at) + 1):
            after = int(entries[at + distance]) & ITEM_MASK
            if score[after] == 0:
                sheet.seen[seen] = after
                seen += 1
            score[after] += weight * (UNIT // distance)
    return seen


@compiled
def best_of(sheet: Sheet, current: Column, excluded: int, seen: int, how_many: int) -> int:
    """The best of the `seen` items, without the newest `excluded` current ones. Clears the scores."""
    score = sheet.score
    for i in range(min(excluded, len(current))):
        if 0 <= current[i] < len(score):
            score[current[i]] = 0
    size = 0
    for i in range(seen):
        item = sheet.seen[i]
        total = score[item]
        score[item] = 0
        if total > 0:
            size = offer(sheet, size, how_many, item, total)
    arrange(sheet, size)
    return size
