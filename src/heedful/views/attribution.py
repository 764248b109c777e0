"""Which reaction is credited to which answer: the kernel that joins one person's rows to their decisions.

It is a pure function of a person's decisions, their rows and the events that name a decision, so that joining
anew after every change is order-free and taking back leaves no trace. The rules:

1. An event that names a decision (`context.decisionId`) is credited to that one and to no other, whoever sent
   it, within the decision's window; its clock may be up to five minutes early. Of its items those count that
   were shown; one without items concerns the whole answer.
2. An item counts as seen where `Recommendation Viewed` reports it; where nothing is reported for a decision and
   the placement says that an answer counts as shown, every item does. A reaction that names the decision proves
   that its item was seen.
3. An event that names none is credited by its item: to the person's last decision not after it in which the item
   was seen, within that decision's window (last touch), among their last `LOOK_BACK` decisions.
4. Besides, every purchase is credited, whatever the item, to the last decision of each placement within its
   purchase window: what a visitor is worth, for comparing groups of people.

`pairs` of one decision and one item are sets of kinds: a second click on the same item in the same answer adds
nothing. Sales are lines of orders and add up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.views.compiled import compiled
from heedful.views.lookup import NONE, seek
from heedful.views.timeline import Timeline
from heedful.vocabulary.consent import ANALYTICS
from heedful.vocabulary.kinds import (
    BUILT_IN,
    CART,
    CLICK,
    DISLIKE,
    HIDE,
    IMPRESSION,
    LIKE,
    PURCHASE,
    RATE,
    SHARE,
    VIEW,
    WISHLIST,
)
from heedful.vocabulary.time import MINUTE

TRACKED: tuple[str, ...] = (
    VIEW, CLICK, CART, WISHLIST, PURCHASE, RATE, SHARE, LIKE, DISLIKE, HIDE, IMPRESSION,
)  # fmt: skip
"""The kinds that are joined."""

SKEW = 5 * MINUTE
LOOK_BACK = 200
PLACEMENTS = 16
"""In how many placements at most one purchase is credited."""

KINDS = len(BUILT_IN)
CLICKED = 0
"""In `counts`: items with a click or a view. No kind has the code 0."""

VISITOR = -2
"""The place of a sale that is credited to a person and no item."""

_KIND_BITS = np.int64(sum(1 << BUILT_IN.index(kind) for kind in TRACKED))
_SEEN = np.int64(1 << BUILT_IN.index(IMPRESSION))
_CLICKS = np.int64(1 << BUILT_IN.index(CLICK) | 1 << BUILT_IN.index(VIEW))
_PURCHASE = BUILT_IN.index(PURCHASE)


@compiled
def _ordered(
    entries: NDArray[Any], heads: NDArray[np.int32], subject: int, mine: NDArray[np.int32]
) -> tuple[NDArray[np.int32], int]:
    """A person's decisions by (time, fingerprint) in `mine`, which may be replaced, and how many."""
    count = 0
    slot = heads[subject]
    while slot != NONE:
        count += 1
        slot = entries[slot].next
    if count > len(mine):
        mine = np.empty(2 * count, dtype=np.int32)
    place, slot = count, heads[subject]
    while slot != NONE:  # newest first as they came: nearly sorted already when filled from the end
        place -= 1
        mine[place] = slot
        slot = entries[slot].next
    for i in range(1, count):
        slot = mine[i]
        at, key = entries[slot].at, entries[slot].print
        j = i
        while j > 0:
            other = entries[mine[j - 1]]
            if other.at < at or (other.at == at and other.print < key):
                break
            mine[j] = mine[j - 1]
            j -= 1
        mine[j] = slot
    return mine, count


@compiled
def _place(entry: Any, pool: NDArray[np.int32], item: int) -> int:
    """Where in the pool the decision shows `item`, or NONE."""
    for place in range(entry.start, entry.start + entry.count):
        if pool[place] == item:
            return int(place)
    return NONE


@compiled
def _sold(
    sales: NDArray[np.int64], count: int, slot: int, place: int, row: int
) -> tuple[NDArray[np.int64], int]:
    if count == len(sales):
        wider = np.empty((2 * count, 3), dtype=np.int64)
        wider[:count] = sales
        sales = wider
    sales[count, 0], sales[count, 1], sales[count, 2] = slot, place, row
    return sales, count + 1


@compiled
def _named(
    rows: Timeline, row: int, entries: NDArray[Any], slot: int, pool: NDArray[np.int32],
    marks: NDArray[np.int64], whole: NDArray[np.int64], sales: NDArray[np.int64], count: int,
) -> tuple[NDArray[np.int64], int]:  # fmt: skip
    """Credit a row to the decision that its event names."""
    e = entries[slot]
    kind, item = int(rows.kind[row]), int(rows.item[row])
    after = rows.at[row] - e.at
    if after < -SKEW or after > (e.buying if kind == _PURCHASE else e.window):
        return sales, count
    bit = np.int64(1) << np.int64(kind)
    if item < 0:
        if kind != _PURCHASE:  # an order's own row: its lines are rows of their own
            whole[slot] |= bit
        return sales, count
    place = _place(e, pool, item)
    if place == NONE:
        return sales, count
    marks[place] |= bit
    if kind == _PURCHASE:
        return _sold(sales, count, slot, place - e.start, row)
    return sales, count


@compiled
def _see(entry: Any, slot: int, marks: NDArray[np.int64], whole: NDArray[np.int64]) -> None:
    """Settle which items of a decision count as seen."""
    start, stop = entry.start, entry.start + entry.count
    reported = whole[slot] & _SEEN
    for place in range(start, stop):
        reported |= marks[place] & _SEEN
    every = whole[slot] & _SEEN != 0 or (reported == 0 and entry.shown != 0)
    for place in range(start, stop):
        if every or marks[place] != 0:
            marks[place] |= _SEEN
    if start == stop and (entry.shown != 0 or whole[slot] != 0):
        whole[slot] |= _SEEN


@compiled
def _tracked(kind: int) -> bool:
    return bool(kind < 63 and (_KIND_BITS >> np.int64(kind)) & 1)


@compiled
def _counted(rows: Timeline, row: int) -> bool:
    """Whether a row is of a kind that is joined, and its person lets it be counted."""
    return _tracked(int(rows.kind[row])) and rows.purposes[row] & ANALYTICS != 0


@compiled
def _by_item(
    rows: Timeline, row: int, entries: NDArray[Any], pool: NDArray[np.int32], marks: NDArray[np.int64],
    mine: NDArray[np.int32], last: int, longest: int, sales: NDArray[np.int64], count: int,
) -> tuple[NDArray[np.int64], int]:  # fmt: skip
    """Credit a row that names no decision to the last one in which its item was seen."""
    kind, item = int(rows.kind[row]), int(rows.item[row])
    for k in range(last, max(-1, last - LOOK_BACK), -1):
        e = entries[mine[k]]
        after = rows.at[row] - e.at
        if after > longest:
            break
        if after > (e.buying if kind == _PURCHASE else e.window):
            continue
        place = _place(e, pool, item)
        if place != NONE and marks[place] & _SEEN != 0:
            marks[place] |= np.int64(1) << np.int64(kind)
            if kind == _PURCHASE:
                return _sold(sales, count, int(mine[k]), place - e.start, row)
            break
    return sales, count


@compiled
def _visitor(
    rows: Timeline, row: int, entries: NDArray[Any], placements: NDArray[np.int32], mine: NDArray[np.int32],
    last: int, longest: int, sales: NDArray[np.int64], count: int,
) -> tuple[NDArray[np.int64], int]:  # fmt: skip
    """Credit a purchase to the last decision of each placement."""
    done = np.empty(PLACEMENTS, dtype=np.int32)
    known = 0
    for k in range(last, max(-1, last - LOOK_BACK), -1):
        e = entries[mine[k]]
        after = rows.at[row] - e.at
        if after > longest or known == PLACEMENTS:
            break
        placement = placements[e.group]
        fresh = after <= e.buying
        for i in range(known):
            fresh = fresh and done[i] != placement
        if fresh:
            done[known] = placement
            known += 1
            sales, count = _sold(sales, count, int(mine[k]), VISITOR, row)
    return sales, count


@compiled
def join(
    who: NDArray[np.int64], rows: Timeline, entries: NDArray[Any], references: NDArray[Any],
    heads: NDArray[np.int32], pool: NDArray[np.int32], event_keys: NDArray[np.uint64],
    event_values: NDArray[np.int32], placements: NDArray[np.int32], marks: NDArray[np.int64],
    whole: NDArray[np.int64],
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:  # fmt: skip
    """Join the people `who` (dense subjects), each once.

    placements: int32, by group. marks: int64 by place in the pool and whole: int64 by decision, zero before;
    after, the kinds of each pair as bits, for whoever reads exposures.
    Returns the decisions (d,), per decision how many of its items have each kind, int32 (d, KINDS), and sales
    (s, 3): the decision, the place of its item (or VISITOR), and the row of the timeline.
    """
    slots = np.empty(1_024, dtype=np.int32)
    counts = np.zeros((1_024, KINDS), dtype=np.int32)
    sales = np.empty((256, 3), dtype=np.int64)
    mine = np.empty(256, dtype=np.int32)
    done, sold = 0, 0
    for subject in who:
        mine, held = _ordered(entries, heads, subject, mine)
        start, stop, longest = 0, 0, 0
        if subject < len(rows.held):
            start = int(rows.offset[subject])
            stop = start + int(rows.held[subject])
        for row in range(start, stop):
            if not _counted(rows, row):
                continue
            reference = seek(event_keys, event_values, rows.fingerprint[row])
            if reference != NONE:
                slot = references[reference].decision
                if entries[slot].subject == subject:
                    sales, sold = _named(rows, row, entries, slot, pool, marks, whole, sales, sold)
        for k in range(held):
            slot = mine[k]
            e = entries[slot]
            longest = max(longest, int(e.window), int(e.buying))
            reference = e.refs
            while reference != NONE:
                r = references[reference]
                if r.subject != subject and r.subject < len(rows.held):
                    begin = int(rows.offset[r.subject])
                    for row in range(begin, begin + int(rows.held[r.subject])):
                        if rows.fingerprint[row] == r.event and _counted(rows, row):
                            sales, sold = _named(rows, row, entries, slot, pool, marks, whole, sales, sold)
                reference = r.next
        for k in range(held):
            _see(entries[mine[k]], int(mine[k]), marks, whole)
        last = -1
        for row in range(start, stop):
            while last + 1 < held and entries[mine[last + 1]].at <= rows.at[row]:
                last += 1
            kind = int(rows.kind[row])
            if last < 0 or rows.item[row] < 0 or not _counted(rows, row):
                continue
            if kind == _PURCHASE:
                sales, sold = _visitor(rows, row, entries, placements, mine, last, longest, sales, sold)
            if _SEEN >> np.int64(kind) != 1 and seek(event_keys, event_values, rows.fingerprint[row]) == NONE:
                sales, sold = _by_item(
                    rows, row, entries, pool, marks, mine, last, longest, sales, sold
                )  # fmt: skip
        if done + held > len(slots):
            room = 2 * (done + held)
            wider, taller = np.empty(room, dtype=np.int32), np.zeros((room, KINDS), dtype=np.int32)
            wider[:done], taller[:done] = slots[:done], counts[:done]
            slots, counts = wider, taller
        for k in range(held):
            slot = mine[k]
            slots[done] = slot
            _count(entries[slot], slot, marks, whole, counts[done])
            done += 1
    return slots[:done], counts[:done], sales[:sold]


@compiled
def _count(
    entry: Any, slot: int, marks: NDArray[np.int64], whole: NDArray[np.int64], counts: NDArray[np.int32]
) -> None:
    """How many items of a decision have each kind; of one without items, the answer itself counts."""
    for place in range(entry.start, entry.start + entry.count):
        _add(counts, marks[place])
    if entry.count == 0:
        _add(counts, whole[slot])


@compiled
def _add(counts: NDArray[np.int32], bits: int) -> None:
    if bits & _CLICKS:
        counts[CLICKED] += 1
    kind = 0
    while bits:
        counts[kind] += bits & 1
        bits >>= 1
        kind += 1
