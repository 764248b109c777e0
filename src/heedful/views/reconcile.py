"""Cutting a stretch of one subject's history into sessions again, and applying the difference to the index.

Whatever changed there (a late row, a join, a split, a row taken back, the floor), the outcome is what the
rows of the stretch say. Cutting again what has not changed changes nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from heedful.views.arena import TOP, Column, give, size_for, take
from heedful.views.compiled import compiled
from heedful.views.handles import Handle, int32_at, int64_at, uint32_at
from heedful.views.postings import (
    ALIVE,
    COUNT_MASK,
    FREE_SLOT,
    ITEM_BITS,
    ITEM_MASK,
    NEED_ENTRIES,
    NEED_POSTINGS,
    NEED_SCRATCH,
    NEED_SLOTS,
    NEXT_SLOT,
    Index,
    post,
    repost,
    unpost,
)
from heedful.views.timeline import Timeline
from heedful.vocabulary.consent import LEARNING

UNKNOWN = np.uint64(2**64 - 1)
UNKNOWN_LINE = np.uint16(2**16 - 1)


class Cut(NamedTuple):
    """How sessions are cut.

    deeds: uint8 per kind, what a row does with its item (1 bought, 2 carted, 4 other); 0: joins none.
    idle: the longest gap inside a session, in microseconds.
    cap: how many distinct items a session contains at most, the newest; at most 255.
    floor: rows before it do not count.
    """

    deeds: Column
    idle: int
    cap: int
    floor: int


class Bench(NamedTuple):
    """Room to work in. All zero at `mark` between calls.

    old: int32, the sessions that are cut again, newest first.
    first, last, start, size: int64, the new sessions, oldest first, with items at items[start:start+size].
    items: uint32, entries of the new sessions.
    mark: int32 per item.
    """

    old: Column
    first: Column
    last: Column
    start: Column
    size: Column
    items: Column
    mark: Column


@compiled
def bench_of(table: Handle) -> Bench:
    """The arrays behind a bench's handle."""
    return Bench(
        int32_at(table, 0), int64_at(table, 1), int64_at(table, 2), int64_at(table, 3), int64_at(table, 4),
        uint32_at(table, 5), int32_at(table, 6),
    )  # fmt: skip


@compiled
def open_slot(index: Index, subject: int) -> int:
    """A slot for a session of `subject`. The caller has seen to the room."""
    slot = int(index.meta[FREE_SLOT])
    if slot != 0:
        index.meta[FREE_SLOT] = index.before[slot]
    else:
        slot = int(index.meta[NEXT_SLOT])
        index.meta[NEXT_SLOT] += 1
    index.subject[slot] = subject
    index.meta[ALIVE] += 1
    return slot


@compiled
def _close(index: Index, slot: int) -> None:
    """Give a slot back that has neither postings nor a block any more."""
    index.subject[slot] = 0
    index.first[slot] = 0
    index.last[slot] = 0
    index.block[slot] = 0
    index.before[slot] = index.meta[FREE_SLOT]
    index.meta[FREE_SLOT] = slot
    index.meta[ALIVE] -= 1


@compiled
def reconcile(
    timeline: Timeline, index: Index, bench: Bench, cut: Cut, subject: int, low: int, high: int
) -> tuple[bool, int, int]:
    """Cut `subject`'s sessions around the times [low, high] again from its history, and apply the difference.

    Returns whether it was done, and from when to when; not done, having changed nothing, if there is no room: then
    `meta` says what is needed. Until the history changes, nothing in that stretch needs to be cut again.
    """
    start = int(timeline.offset[subject])
    stop = start + int(timeline.held[subject])
    begin, end, low, high = _stretch(timeline, index, cut, subject, start, stop, low, high)
    newer, olds, rest = _touched(index, bench, subject, low, high)
    if olds > len(bench.old) or end - begin + 2 > min(len(bench.items), len(bench.first)):
        index.meta[NEED_SLOTS], index.meta[NEED_ENTRIES], index.meta[NEED_POSTINGS] = 0, 0, 0
        index.meta[NEED_SCRATCH] = max(olds, end - begin + 2)
        return False, low, high
    news = _runs(timeline, bench, cut, begin, end)
    if not _room(index, bench, news, olds):
        return False, low, high
    # Pair each new session with an old one that overlaps it, from the newest on, so that slots stay.
    # Unpaired old ones go first: then no two sessions of the subject ever stand at one time.
    new = news - 1
    for place in range(olds):
        slot = bench.old[place]
        while new >= 0 and bench.first[new] > index.last[slot]:
            new -= 1
        if new >= 0 and bench.last[new] >= index.first[slot]:
            new -= 1
        else:
            _rewrite(index, bench, slot, 0, 0, 0, 0)
            _close(index, slot)
            bench.old[place] = 0
    above, place = newer, 0
    for new in range(news - 1, -1, -1):
        while place < olds and (bench.old[place] == 0 or index.first[bench.old[place]] > bench.last[new]):
            place += 1
        if place < olds and index.last[bench.old[place]] >= bench.first[new]:
            slot = int(bench.old[place])
            place += 1
        else:
            slot = open_slot(index, subject)
        _rewrite(index, bench, slot, bench.start[new], bench.size[new], bench.first[new], bench.last[new])
        if above == 0:
            index.head[subject] = slot
        else:
            index.before[above] = slot
        above = slot
    if above == 0:
        index.head[subject] = rest
    else:
        index.before[above] = rest
    index.tie_fingerprint[subject] = UNKNOWN
    index.tie_line[subject] = UNKNOWN_LINE
    return True, low, high


@compiled
def _stretch(
    timeline: Timeline, index: Index, cut: Cut, subject: int, start: int, stop: int, low: int, high: int
) -> tuple[int, int, int, int]:
    """Widen [low, high] until no session and no row outside is within `idle`; its rows are [begin, end)."""
    begin = end = start
    settled = False
    while not settled:
        settled = True
        slot = index.head[subject]
        while slot != 0 and not (index.last[slot] < low and low - index.last[slot] > cut.idle):
            if index.first[slot] <= high or index.first[slot] - high <= cut.idle:
                if index.first[slot] < low:
                    low, settled = index.first[slot], False
                if index.last[slot] > high:
                    high, settled = index.last[slot], False
            slot = index.before[slot]
        begin = _first_from(timeline, start, stop, low)
        place = begin - 1
        while place >= start and low - timeline.at[place] <= cut.idle and timeline.at[place] >= cut.floor:
            if _joins(timeline, cut, place):
                low, begin, settled = timeline.at[place], place, False
            place -= 1
        end = begin
        while end < stop and timeline.at[end] <= high:
            end += 1
        place = end
        while place < stop and timeline.at[place] - high <= cut.idle:
            if _joins(timeline, cut, place):
                high, end, settled = timeline.at[place], place + 1, False
            place += 1
    return begin, end, low, high


@compiled
def _first_from(timeline: Timeline, start: int, stop: int, at: int) -> int:
    while start < stop:
        middle = (start + stop) >> 1
        if timeline.at[middle] < at:
            start = middle + 1
        else:
            stop = middle
    return start


@compiled
def _joins(timeline: Timeline, cut: Cut, place: int) -> bool:
    return bool(
        timeline.item[place] >= 0
        and timeline.at[place] >= cut.floor
        and cut.deeds[timeline.kind[place]] != 0
        and timeline.purposes[place] & LEARNING != 0
    )


@compiled
def _touched(index: Index, bench: Bench, subject: int, low: int, high: int) -> tuple[int, int, int]:
    """The sessions inside [low, high]: the one just newer (0: none), how many, and the one just older."""
    newer, olds = 0, 0
    slot = int(index.head[subject])
    while slot != 0 and index.first[slot] > high:
        newer, slot = slot, int(index.before[slot])
    while slot != 0 and index.last[slot] >= low:
        if olds < len(bench.old):
            bench.old[olds] = slot
        olds += 1
        slot = int(index.before[slot])
    return newer, olds, slot


@compiled
def _runs(timeline: Timeline, bench: Bench, cut: Cut, begin: int, end: int) -> int:
    """Cut the rows [begin, end) into sessions at the bench, oldest first; returns how many."""
    news, used = 0, 0
    place = begin
    while place < end:
        if not _joins(timeline, cut, place):
            place += 1
            continue
        first = last = timeline.at[place]
        run, stop = place, place + 1
        place += 1
        while place < end:
            if _joins(timeline, cut, place):
                if timeline.at[place] - last > cut.idle:
                    break
                last, stop = timeline.at[place], place + 1
            place += 1
        count = _contents(timeline, bench, cut, run, stop, used)
        bench.first[news], bench.last[news] = first, last
        bench.start[news], bench.size[news] = used, count
        used += count
        news += 1
    return news


@compiled
def _contents(timeline: Timeline, bench: Bench, cut: Cut, run: int, stop: int, used: int) -> int:
    """Write the newest `cap` items of the rows [run, stop) to the bench from `used`, oldest first."""
    count = 0
    for place in range(stop - 1, run - 1, -1):
        if not _joins(timeline, cut, place):
            continue
        item = timeline.item[place]
        deed = np.uint32(cut.deeds[timeline.kind[place]]) << np.uint32(ITEM_BITS)
        seen = bench.mark[item]
        if seen > 0:
            bench.items[used + seen - 1] |= deed
        elif count < cut.cap:
            bench.items[used + count] = np.uint32(item) | deed
            count += 1
            bench.mark[item] = count
    for i in range(count):
        bench.mark[int(bench.items[used + i]) & ITEM_MASK] = 0
    for i in range(count // 2):
        other = used + count - 1 - i
        bench.items[used + i], bench.items[other] = bench.items[other], bench.items[used + i]
    return count


@compiled
def _room(index: Index, bench: Bench, news: int, olds: int) -> bool:
    """Whether all that the new sessions could take fits; writes the need to `meta`, rather too much of it."""
    entries, postings = 0, 0
    for new in range(news):
        count = int(bench.size[new])
        entries += size_for(count)
        for i in range(bench.start[new], bench.start[new] + count):
            held = int(index.held[int(bench.items[i]) & ITEM_MASK])
            if size_for(held + news) > held:
                postings += size_for(held + news)
    for old in range(olds):
        packed = index.block[bench.old[old]]
        for i in range(packed >> 8, (packed >> 8) + (packed & COUNT_MASK)):
            held = int(index.held[int(index.entries[i]) & ITEM_MASK])
            if size_for(max(0, held - olds)) < size_for(held):
                postings += size_for(held)
    meta = index.meta
    meta[NEED_SLOTS], meta[NEED_ENTRIES], meta[NEED_POSTINGS], meta[NEED_SCRATCH] = news, entries, postings, 0
    return bool(
        len(index.last) - meta[NEXT_SLOT] >= news
        and len(index.entries) - index.entry_book[TOP] >= entries
        and len(index.postings) - index.posting_book[TOP] >= postings
    )


@compiled
def _rewrite(index: Index, bench: Bench, slot: int, start: int, count: int, first: int, last: int) -> None:
    """Make session `slot` contain exactly the bench's items[start:][:count], with only the changes needed."""
    entries = index.entries
    key = index.keys[index.subject[slot]]
    packed = index.block[slot]
    block, before, was = int(packed >> 8), int(packed & COUNT_MASK), int(index.last[slot])
    for i in range(start, start + count):
        bench.mark[int(bench.items[i]) & ITEM_MASK] = 1
    for i in range(block, block + before):
        item = int(entries[i]) & ITEM_MASK
        if bench.mark[item] == 1:
            bench.mark[item] = 2
            if last != was:
                repost(index, item, slot, was, last, key)
        else:
            unpost(index, item, slot, was, key)
    index.first[slot], index.last[slot] = first, last
    for i in range(start, start + count):
        item = int(bench.items[i]) & ITEM_MASK
        if bench.mark[item] == 1:
            post(index, item, slot, last, key)
        bench.mark[item] = 0
    for i in range(block, block + before):
        entries[i] = 0
    if size_for(count) != size_for(before):
        if before > 0:
            give(index.entry_book, entries, block, before)
        block = take(index.entry_book, entries, count) if count > 0 else 0
    for i in range(count):
        entries[block + i] = bench.items[start + i]
    index.block[slot] = (block << 8) | count if count > 0 else 0
