"""How rows become sessions in the index: in order by a short way, and everything else by one reconcile.

The short way takes a row that comes after everything of its subject. All else (late rows, joins, splits,
rows taken back, the floor) cuts the touched stretch of the subject's history again and applies the
difference. Cutting again what has not changed changes nothing, so a row may be seen twice, and the history
may already hold rows that are still to come here.
"""

from __future__ import annotations

import numpy as np

from heedful.views.arena import TOP, give, size_for, take
from heedful.views.compiled import compiled
from heedful.views.handles import Handle
from heedful.views.postings import (
    COUNT_MASK,
    ITEM_BITS,
    ITEM_MASK,
    NEED_ENTRIES,
    NEED_POSTINGS,
    NEED_SCRATCH,
    NEED_SLOTS,
    NEXT_SLOT,
    Index,
    index_of,
    post,
    repost,
)
from heedful.views.reconcile import Cut, bench_of, open_slot, reconcile
from heedful.views.timeline import Batch, timeline_of


@compiled
def absorb(past: Handle, sessions: Handle, work: Handle, cut: Cut, rows: Batch, done: int) -> int:
    """Count rows in from the `done`-th on; returns how far it came. If not to the end, `meta` says why."""
    timeline, index, bench = timeline_of(past), index_of(sessions), bench_of(work)
    # The stretch that was cut again last. The history holds the whole batch, so its rows are all in it: without
    # this, the lines of one large order, all of one moment, would each cut the same session again.
    settled, since, until = -1, 0, 0
    for n in range(done, len(rows.order)):
        i = rows.order[n]
        kind, item, at = rows.kind[i], rows.item[i], rows.at[i]
        if item < 0 or at < cut.floor or cut.deeds[kind] == 0:
            continue
        subject = int(rows.subject[i])
        if subject == settled and since <= at <= until:
            continue
        event, line = rows.fingerprint[i], rows.line[i]
        slot = index.head[subject]
        after = slot == 0 or at > index.last[slot]
        if not after and at == index.last[slot]:
            tie = index.tie_fingerprint[subject]
            after = event > tie or (event == tie and line > index.tie_line[subject])
        if after:
            fate = _append(index, cut, subject, item, cut.deeds[kind], at)
            if fate == 0:
                return n
            if fate == 1:
                index.tie_fingerprint[subject] = event
                index.tie_line[subject] = line
                continue
        enough, since, until = reconcile(timeline, index, bench, cut, subject, at, at)
        if not enough:
            return n
        settled = subject
    return len(rows.order)


@compiled
def dissolve(past: Handle, sessions: Handle, work: Handle, cut: Cut, rows: Batch, done: int) -> int:
    """Cut again around rows that the history no longer holds; returns how far it came."""
    timeline, index, bench = timeline_of(past), index_of(sessions), bench_of(work)
    settled, since, until = -1, 0, 0  # as in `absorb`: all rows of a session go in one cut
    for n in range(done, len(rows.order)):
        i = rows.order[len(rows.order) - 1 - n]  # newest first
        at = rows.at[i]
        if rows.item[i] < 0 or at < cut.floor or cut.deeds[rows.kind[i]] == 0:
            continue
        subject = int(rows.subject[i])
        if subject == settled and since <= at <= until:
            continue
        enough, since, until = reconcile(timeline, index, bench, cut, subject, at, at)
        if not enough:
            return n
        settled = subject
    return len(rows.order)


@compiled
def raise_floor(past: Handle, sessions: Handle, work: Handle, cut: Cut, done: int) -> int:
    """Cut sessions that began before the floor again, from slot `done` on; returns how far it came."""
    timeline, index, bench = timeline_of(past), index_of(sessions), bench_of(work)
    slots = index.meta[NEXT_SLOT]
    for slot in range(done, slots):
        if index.block[slot] != 0 and index.first[slot] < cut.floor:
            subject = int(index.subject[slot])
            first, last = int(index.first[slot]), int(index.last[slot])
            if not reconcile(timeline, index, bench, cut, subject, first, last)[0]:
                return slot
    return int(slots)


@compiled
def _append(index: Index, cut: Cut, subject: int, item: int, deed: int, at: int) -> int:
    """Count a row in that comes after everything of its subject: 1 done, 0 no room, 2 not by this way."""
    meta = index.meta
    held = int(index.held[item])
    meta[NEED_SLOTS], meta[NEED_ENTRIES], meta[NEED_POSTINGS], meta[NEED_SCRATCH] = 1, 512, 2 * held + 16, 0
    if (
        len(index.postings) - index.posting_book[TOP] < 2 * held + 16
        or len(index.entries) - index.entry_book[TOP] < 512
        or meta[NEXT_SLOT] >= len(index.last)
    ):
        return 0
    key = index.keys[subject]
    slot = int(index.head[subject])
    if slot == 0 or at - index.last[slot] > cut.idle:
        opened = open_slot(index, subject)
        index.before[opened] = slot
        index.head[subject] = opened
        block = take(index.entry_book, index.entries, 1)
        index.entries[block] = np.uint32(item | (deed << ITEM_BITS))
        index.block[opened] = (block << 8) | 1
        index.first[opened] = at
        index.last[opened] = at
        post(index, item, opened, at, key)
        return 1
    packed = index.block[slot]
    block, count = int(packed >> 8), int(packed & COUNT_MASK)
    entries = index.entries
    found = count - 1
    while found >= 0 and int(entries[block + found]) & ITEM_MASK != item:
        found -= 1
    if found < 0 and count == cut.cap:
        return 2
    was = int(index.last[slot])
    if at != was:
        for i in range(count):
            repost(index, int(entries[block + i]) & ITEM_MASK, slot, was, at, key)
        index.last[slot] = at
    if found >= 0:
        entry = entries[block + found] | np.uint32(deed << ITEM_BITS)
        for i in range(found, count - 1):
            entries[block + i] = entries[block + i + 1]
        entries[block + count - 1] = entry
        return 1
    if size_for(count) == count:
        moved = take(index.entry_book, entries, count + 1)
        for i in range(count):
            entries[moved + i] = entries[block + i]
            entries[block + i] = 0
        give(index.entry_book, entries, block, count)
        block = moved
    entries[block + count] = np.uint32(item | (deed << ITEM_BITS))
    index.block[slot] = (block << 8) | (count + 1)
    post(index, item, slot, at, key)
    return 1
