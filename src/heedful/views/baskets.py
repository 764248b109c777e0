"""What people who bought a thing bought with it: in the same basket, or within two weeks before or after.

The session index says in whose visits an item was bought, newest first; that person's own history says what else
they bought around that moment. Pairs of purchases within 14 days are one of the three co-visitation counts of the
winning entries of the OTTO challenge (Kaggle 2022); here they are counted on reading, and nothing is kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heedful.views.arena import Column
from heedful.views.compiled import compiled
from heedful.views.handles import Handle, handle, int32_at, int64_at
from heedful.views.history import History
from heedful.views.neighbours import Neighbourhood
from heedful.views.postings import COUNT_MASK, ITEM_BITS, ITEM_MASK, index_of
from heedful.views.reading import MOST, Desk, sheet_of
from heedful.views.rules import best_of
from heedful.views.sessions import BOUGHT
from heedful.views.timeline import place_of, timeline_of
from heedful.vocabulary.consent import LEARNING
from heedful.vocabulary.kinds import BUILT_IN, PURCHASE
from heedful.vocabulary.time import DAY

WITHIN = 14 * DAY
MOST_ROWS = 128
"""At most so many of a person's rows around one visit are looked at, the newest: some people are robots."""

_PURCHASE = BUILT_IN.index(PURCHASE)


class Baskets:
    """Reads what is bought with what. Not for two threads at once."""

    def __init__(self, desk: Desk, history: History) -> None:
        self._desk, self._history = desk, history
        self._size = 0

    def read(
        self, asked: NDArray[np.int32], how_many: int, *, m: int = 60, within: int = WITHIN, excluded: int = 1
    ) -> Neighbourhood:
        """The `how_many` (1 to MOST) items most often bought by those who bought the distinct items `asked`.

        asked: newest first; the first counts len(asked) times, the last once. m: how many of the newest sessions
        of each are read. within: microseconds before and after a session in which the item was bought. excluded:
        how many of the newest asked items are not answered. A score is a number of sessions, each counted as
        often as its item counts; `because` is the asked item with the largest share of it, ties to the newer.
        """
        found = self.peek(asked, how_many, m=m, within=within, excluded=excluded)
        return Neighbourhood(found.items.copy(), found.scores.copy(), found.because.copy())

    def peek(
        self, asked: NDArray[np.int32], how_many: int, *, m: int = 60, within: int = WITHIN, excluded: int = 1
    ) -> Neighbourhood:
        """What `read` answers, as views that the next reading of any reader overwrites."""
        index, sheet = self._desk.open()
        if len(self._desk.sessions.index.held) != self._size:
            self._size = len(self._desk.sessions.index.held)
            sizes = (self._size, self._size, self._size, self._size + 1, MOST)
            self._room = [np.zeros(size, dtype=np.int32) for size in sizes]
            self._turn = np.zeros(1, dtype=np.int64)
            self._handle = handle([*self._room, self._turn])
        if self._turn[0] > 2**30:
            self._room[0][:], self._turn[0] = 0, 0
        n = _read(
            self._history.handle, index, sheet, self._handle, asked, min(how_many, MOST), m, within, excluded
        )
        return Neighbourhood(*self._desk.glance(n), self._room[4][:n])


@compiled
def _read(
    past: Handle, sessions: Handle, table: Handle, work: Handle, asked: Column, how_many: int, m: int,
    within: int, excluded: int,
) -> int:  # fmt: skip
    rows, index, sheet = timeline_of(past), index_of(sessions), sheet_of(table)
    # By item: the visit it was counted in last, its largest share, and whose that is.
    stamp, most, who = int32_at(work, 0), int32_at(work, 1), int32_at(work, 2)
    own, because, turn = int32_at(work, 3), int32_at(work, 4), int64_at(work, 5)
    score = sheet.score
    seen = 0
    for position in range(len(asked)):
        item, weight = asked[position], len(asked) - position
        if item < 0 or item >= len(index.held):
            continue
        began = seen
        for i in range(began):  # what this item gives is what its score grows by from here
            own[i] = score[sheet.seen[i]]
        held = int(index.held[item])
        stop = int(index.offset[item]) + held
        for place in range(stop - 1, stop - min(m, held) - 1, -1):
            slot = index.postings[place]
            if not _bought(index.entries, index.block[slot], item):
                continue
            turn[0] += 1
            subject = index.subject[slot]
            start = int(rows.offset[subject])
            end = start + int(rows.held[subject])
            since, until = index.first[slot] - within, index.last[slot] + within
            row = place_of(rows, start, end, until + 1, np.uint64(0), 0) - 1
            least = max(start, row + 1 - MOST_ROWS)
            while row >= least and rows.at[row] >= since:
                other = rows.item[row]
                bought = rows.kind[row] == _PURCHASE and rows.purposes[row] & LEARNING != 0
                if bought and other >= 0 and other != item and stamp[other] != turn[0]:
                    stamp[other] = turn[0]
                    sheet.seen[seen] = other
                    own[seen] = 0
                    seen += score[other] == 0
                    score[other] += weight
                row -= 1
        for i in range(seen):
            other = sheet.seen[i]
            gain = score[other] - own[i]
            if gain > most[other]:
                most[other], who[other] = gain, item
    size = best_of(sheet, asked, excluded, seen, how_many)
    for i in range(seen):
        most[sheet.seen[i]] = 0
    for rank in range(size):
        because[rank] = who[sheet.best[rank]]
    return int(size)


@compiled
def _bought(entries: Column, packed: int, item: int) -> bool:
    """Whether `item` was bought in the session of that block."""
    for place in range(packed >> 8, (packed >> 8) + (packed & COUNT_MASK)):
        entry = int(entries[place])
        if entry & ITEM_MASK == item:
            return entry >> ITEM_BITS & BOUGHT != 0
    return False
