"""For every item the sessions that contain it, exactly sorted from oldest to newest, and never cut.

A session is a slot: an integer that never means order. A list is sorted by (the session's last time, the
subject's key); the key is looked up through the slot, and only when writing. In live traffic a session moves
up two or three places; readers take the newest end of a list without looking at a key.
"""

from __future__ import annotations

from typing import NamedTuple

from heedful.views.arena import Column, give, shift_down, shift_up, size_for, take
from heedful.views.compiled import compiled
from heedful.views.handles import Handle, int32_at, int64_at, slide, uint16_at, uint32_at, uint64_at

ITEM_BITS = 29
ITEM_MASK = (1 << ITEM_BITS) - 1
"""An entry of a session's block is the item in the low 29 bits and what was done with it (deeds) above."""
COUNT_MASK = 255
"""A slot's block is its offset << 8 | its number of items (at most 200)."""

NEXT_SLOT, FREE_SLOT, ALIVE, NEED_SLOTS, NEED_ENTRIES, NEED_POSTINGS, NEED_SCRATCH = range(7)
"""Places in `Index.meta`. The last four say what a kernel that stopped needs."""


class Index(NamedTuple):
    """The arrays of `Sessions`, as kernels take them. Slot 0 and offset 0 are never used and mean none.

    head: int32 per subject, its newest session.
    tie_fingerprint, tie_line: uint64 and uint16 per subject, the newest row of its newest session among rows
        of the same time; the largest values where that is not known.
    subject, last, first, block, before: int32, int64, int64, int64, int32 per slot: whose session it is, the
        times of its last and first row, its block (COUNT_MASK), and the subject's session before it.
    entries, entry_book: uint32, the blocks' arena: items in order of their last row.
    offset, held: int32 per item, where its list is and how long.
    postings, posting_book: int32, the lists' arena: slots.
    keys: uint64 per subject.
    meta: int64 (7,).
    """

    head: Column
    tie_fingerprint: Column
    tie_line: Column
    subject: Column
    last: Column
    first: Column
    block: Column
    before: Column
    entries: Column
    entry_book: Column
    offset: Column
    held: Column
    postings: Column
    posting_book: Column
    keys: Column
    meta: Column


@compiled
def index_of(table: Handle) -> Index:
    """The arrays behind an index's handle."""
    return Index(
        int32_at(table, 0), uint64_at(table, 1), uint16_at(table, 2), int32_at(table, 3), int64_at(table, 4),
        int64_at(table, 5), int64_at(table, 6), int32_at(table, 7), uint32_at(table, 8), int64_at(table, 9),
        int32_at(table, 10), int32_at(table, 11), int32_at(table, 12), int64_at(table, 13),
        uint64_at(table, 14), int64_at(table, 15),
    )  # fmt: skip


@compiled
def older(index: Index, slot: int, at: int, key: int) -> bool:
    """Whether session `slot` stands before (at, key)."""
    last = index.last[slot]
    if last != at:
        return bool(last < at)
    return bool(index.keys[index.subject[slot]] < key)


@compiled
def _place(index: Index, start: int, stop: int, at: int, key: int) -> int:
    """The first place in [start, stop) that is not older than (at, key), galloping back from the newest."""
    high, low, step = stop, stop - 1, 1
    while low >= start and not older(index, index.postings[low], at, key):
        high = low
        low -= step
        step *= 2
    low = max(low, start - 1)
    while high - low > 1:
        middle = (low + high) >> 1
        if older(index, index.postings[middle], at, key):
            low = middle
        else:
            high = middle
    return high


@compiled
def _find(index: Index, start: int, stop: int, slot: int, at: int, key: int) -> int:
    """Where `slot`, which stands at (at, key), is: near the newest end by sight, else by its key."""
    for place in range(stop - 1, max(start, stop - 16) - 1, -1):
        if index.postings[place] == slot:
            return place
    place = _place(index, start, stop, at, key)
    while index.postings[place] != slot:  # subjects whose keys collide stand side by side
        place += 1
    return place


@compiled
def _move(index: Index, start: int, count: int, room: int) -> int:
    """Move the `count` postings at `start` to a block for `room`, leaving zeros; returns where that is."""
    moved = take(index.posting_book, index.postings, room)
    slide(index.postings, start, count, moved)
    index.postings[start : start + count] = 0
    return moved


@compiled
def post(index: Index, item: int, slot: int, at: int, key: int) -> None:
    """Put `slot`, not there yet, into the list of `item` at (at, key). The caller has seen to the room."""
    start, count = int(index.offset[item]), int(index.held[item])
    postings = index.postings
    if size_for(count) == count:
        moved = _move(index, start, count, count + 1)
        if count > 0:
            give(index.posting_book, postings, start, count)
        index.offset[item] = moved
        start = moved
    stop = start + count
    place = stop
    if count > 0 and not older(index, postings[stop - 1], at, key):
        place = _place(index, start, stop, at, key)
        shift_up(postings, place, stop)
    postings[place] = slot
    index.held[item] = count + 1


@compiled
def unpost(index: Index, item: int, slot: int, at: int, key: int) -> None:
    """Take `slot`, which stands at (at, key), out of the list of `item`. The caller has seen to the room."""
    start, count = int(index.offset[item]), int(index.held[item])
    stop = start + count
    place = _find(index, start, stop, slot, at, key)
    shift_down(index.postings, place + 1, stop, 1)
    left = count - 1
    if size_for(left) != size_for(count):
        index.offset[item] = _move(index, start, left, left) if left > 0 else 0
        give(index.posting_book, index.postings, start, count)
    index.held[item] = left


@compiled
def repost(index: Index, item: int, slot: int, was: int, at: int, key: int) -> None:
    """Move `slot` in the list of `item` from where (was, key) stands to where (at, key) stands."""
    start = int(index.offset[item])
    stop = start + int(index.held[item])
    postings = index.postings
    place = _find(index, start, stop, slot, was, key)
    if at > was:
        to = stop - 1
        if place < to and not older(index, postings[to], at, key):
            to = _place(index, start, stop, at, key) - 1
        slide(postings, place + 1, to - place, place)
        postings[to] = slot
    else:
        to = _place(index, start, stop, at, key)
        shift_up(postings, to, place)
        postings[to] = slot
