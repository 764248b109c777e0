"""What people looked at in sessions like this one: VMIS-kNN over the live index, exactly.

After Kersbergen, Sprangers and Schelter, "Serenade", SIGMOD 2022, in integers. The current items stand
newest first at positions 0 to L - 1, L at most 9:

- every item's list is cut to its newest m sessions; a session matches the items in whose cut lists it is;
- its similarity is the sum of L - position over the items it matches;
- the k most similar are the neighbours, ties to the newer by (last time, subject key);
- every item of a neighbour gets similarity * decay[newest matched position], where decay is 9, 8, … 1
  (published as 1 - 0.1 * position, counted from 1); the sum is multiplied by the item's inverse session
  frequency, a fixed-point log2(sessions / sessions with the item), at least one unit.

Serenade cuts the union of the lists to the newest m instead, and takes frequencies from events. On its
published protocol both cuts answer alike (MRR@20 0.324 on valid, 0.337 on test, by a plain float twin), and
a cut per list reads no key; frequencies from sessions are better on valid (0.324 against 0.320).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.arena import Column
from heedful.views.compiled import compiled
from heedful.views.handles import Handle, handle, int16_at, int32_at, int64_at, prefetch
from heedful.views.postings import ALIVE, COUNT_MASK, ITEM_MASK, Index, index_of
from heedful.views.reading import MOST, Desk, Sheet, arrange, offer, sheet_of

LONGEST = 9
"""How many current items count: at the position after it the decay would be 0."""

SETS = 1 << LONGEST
DECAY = tuple(range(9, 0, -1))
_SIMILARITIES = LONGEST * (LONGEST + 1) // 2 + 1

LOG_BITS = 16
"""Fractional bits of the fixed-point logarithm."""
_EXACT = 2_048
LOGARITHMS = np.array(
    [0] + [round(math.log2(n) * 2**LOG_BITS) for n in range(1, _EXACT)],
    dtype=np.int64,
)


class Neighbourhood(NamedTuple):
    """The best items, best first, ties by the item's key. Copies, shape (n,) each.

    items: int32, dense. scores: int64, only comparable within one answer.
    because: int32, for each the current item that contributed most to it, ties to the newer.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.int64]
    because: NDArray[np.int32]


class _Room(NamedTuple):
    """What one reading works with beside the sheet.

    similarity, value: int32, at L * SETS + the set of matched positions as bits. decay: int32 by set.
    slots, sets: int32 and int16, the touched sessions and then the neighbours with their matches.
    bucket, bucket_sets: those that tie at the boundary; runs: where each position's run of them starts.
    histogram: int32 by similarity. shares: int64, at rank * LONGEST + position. because: int32 (MOST,).
    logarithms: LOGARITHMS. blocks: int64, the neighbours' blocks.
    """

    similarity: Column
    value: Column
    decay: Column
    slots: Column
    sets: Column
    bucket: Column
    bucket_sets: Column
    runs: Column
    histogram: Column
    shares: Column
    because: Column
    logarithms: Column
    blocks: Column


class Neighbours:
    """Reads session neighbours. Not for two threads at once."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._room = _room(LONGEST * 1_000)
        self._handle = handle(self._room)

    def read(
        self, current: NDArray[np.int32], how_many: int, *, m: int = 500, k: int = 100, excluded: int = 1
    ) -> Neighbourhood:
        """The `how_many` (1 to MOST) best items for someone whose distinct items are `current`, newest first.

        m: newest sessions per item. k: neighbours. excluded: how many of the newest current items are not
        answered. Current items beyond LONGEST do not count.
        """
        found = self.peek(current, how_many, m=m, k=k, excluded=excluded)
        return Neighbourhood(found.items.copy(), found.scores.copy(), found.because.copy())

    def peek(
        self, current: NDArray[np.int32], how_many: int, *, m: int = 500, k: int = 100, excluded: int = 1
    ) -> Neighbourhood:
        """What `read` answers, as views that the next reading of any reader overwrites."""
        current = current[:LONGEST]
        if len(current) * m >= len(self._room.slots):
            self._room = _room(LONGEST * m)
            self._handle = handle(self._room)
        index, sheet = self._desk.open()
        n = _read(index, sheet, self._handle, current, min(how_many, MOST), m, k, excluded)
        return Neighbourhood(*self._desk.glance(n), self._room.because[:n])


def _room(sessions: int) -> _Room:
    similarity = np.zeros((LONGEST + 1, SETS), dtype=np.int32)
    value = np.zeros((LONGEST + 1, SETS), dtype=np.int32)
    decay = np.zeros(SETS, dtype=np.int32)
    for length in range(1, LONGEST + 1):
        for matched in range(1, 2**length):
            positions = [p for p in range(length) if matched >> p & 1]
            similarity[length, matched] = sum(length - p for p in positions)
            value[length, matched] = similarity[length, matched] * DECAY[positions[0]]
            decay[matched] = DECAY[positions[0]]
    # One more than can be touched: the kernels write before they know whether an entry is new.
    return _Room(
        similarity.reshape(-1), value.reshape(-1), decay,
        slots=np.zeros(sessions + 1, dtype=np.int32), sets=np.zeros(sessions, dtype=np.int16),
        bucket=np.zeros(sessions, dtype=np.int32), bucket_sets=np.zeros(sessions, dtype=np.int16),
        runs=np.zeros(LONGEST + 1, dtype=np.int64), histogram=np.zeros(_SIMILARITIES, dtype=np.int32),
        shares=np.zeros(MOST * LONGEST, dtype=np.int64), because=np.zeros(MOST, dtype=np.int32),
        logarithms=LOGARITHMS, blocks=np.zeros(sessions + 1, dtype=np.int64),
    )  # fmt: skip


@compiled
def _room_of(table: Handle) -> _Room:
    """The arrays behind a room's handle."""
    return _Room(
        int32_at(table, 0), int32_at(table, 1), int32_at(table, 2), int32_at(table, 3), int16_at(table, 4),
        int32_at(table, 5), int16_at(table, 6), int64_at(table, 7), int32_at(table, 8), int64_at(table, 9),
        int32_at(table, 10), int64_at(table, 11), int64_at(table, 12),
    )  # fmt: skip


@compiled
def logarithm(table: Column, n: int) -> int:
    """log2(n) in units of 2^-16, from integers alone: the 11 highest bits of n, at least 1, count."""
    octaves = 0
    while n >= _EXACT:
        n >>= 1
        octaves += 1
    return (octaves << LOG_BITS) + int(table[n])


@compiled
def _read(
    past: Handle,
    table: Handle,
    work: Handle,
    current: Column,
    how_many: int,
    m: int,
    k: int,
    excluded: int,
) -> int:
    index, sheet, room = index_of(past), sheet_of(table), _room_of(work)
    touched = _match(index, sheet, room, current, m)
    near = _choose(index, sheet, room, len(current), touched, k)
    seen = _score(index, sheet, room, len(current), near)
    size = _best(index, sheet, room, current, seen, how_many, excluded)
    _explain(index, sheet, room, current, near, size)
    return size


@compiled
def _best(
    index: Index, sheet: Sheet, room: _Room, current: Column, seen: int, how_many: int, excluded: int
) -> int:
    """Multiply every score by its item's rarity and keep the best; returns how many. Clears the scores."""
    score, held = sheet.score, index.held
    for i in range(min(excluded, len(current))):
        if current[i] < len(score):
            score[current[i]] = 0
    sessions = logarithm(room.logarithms, max(1, index.meta[ALIVE]))
    most = max(1, sessions)  # no item is rarer than one session
    size = 0
    for i in range(seen):
        item = sheet.seen[i]
        raw = score[item]
        score[item] = 0
        if raw <= 0 or (size == how_many and raw * most < sheet.points[0]):
            continue
        total = raw * max(1, sessions - logarithm(room.logarithms, int(held[item])))
        if size < how_many or total >= sheet.points[0]:
            size = offer(sheet, size, how_many, item, total)
    arrange(sheet, size)
    return size


@compiled
def _match(index: Index, sheet: Sheet, room: _Room, current: Column, m: int) -> int:
    """Mark the newest m sessions of every current item; returns how many there are, at room.slots.

    Position p's new ones stand at room.runs[p], newest first.
    """
    mark, slots, postings = sheet.mark, room.slots, index.postings
    touched = 0
    for position in range(len(current)):
        room.runs[position] = touched
        item = current[position]
        if item < 0 or item >= len(index.held):
            continue
        held = int(index.held[item])
        stop = int(index.offset[item]) + held
        bit = 1 << position
        for place in range(stop - 1, stop - min(m, held) - 1, -1):
            slot = postings[place]
            matched = mark[slot]
            slots[touched] = slot
            touched += matched == 0
            mark[slot] = matched | bit
    room.runs[len(current)] = touched
    return touched


@compiled
def _choose(index: Index, sheet: Sheet, room: _Room, length: int, touched: int, k: int) -> int:
    """Leave the k nearest and their matches at room.slots and room.sets; returns how many. Clears marks."""
    mark, slots, sets, histogram = sheet.mark, room.slots, room.sets, room.histogram
    similarity = room.similarity[length * SETS : (length + 1) * SETS]
    histogram[:] = 0
    for i in range(touched):
        histogram[similarity[mark[slots[i]]]] += 1
    boundary, wanted = len(histogram) - 1, k
    while boundary > 0 and histogram[boundary] < wanted:
        wanted -= histogram[boundary]
        boundary -= 1
    near, ties = 0, 0
    for position in range(length):
        start, stop = room.runs[position], room.runs[position + 1]
        room.runs[position] = ties
        for i in range(start, stop):
            slot = slots[i]
            matched = mark[slot]
            mark[slot] = 0
            how = similarity[matched]
            if how > boundary:
                slots[near] = slot  # never ahead of i
                sets[near] = matched
                near += 1
            elif how == boundary:
                room.bucket[ties] = slot
                room.bucket_sets[ties] = matched
                ties += 1
    room.runs[length] = ties
    if ties > wanted:
        return _newest(index, room, length, near, wanted)
    for i in range(ties):
        slots[near + i], sets[near + i] = room.bucket[i], room.bucket_sets[i]
    return near + ties


@compiled
def _newest(index: Index, room: _Room, length: int, near: int, wanted: int) -> int:
    """Add the `wanted` newest of the bucket to the neighbours by merging its sorted runs."""
    heads, ends = np.empty(LONGEST, dtype=np.int64), np.empty(LONGEST, dtype=np.int64)
    lasts, keys = np.empty(LONGEST, dtype=np.int64), np.empty(LONGEST, dtype=np.uint64)
    runs = 0
    for position in range(length):
        if room.runs[position] < room.runs[position + 1]:
            heads[runs], ends[runs] = room.runs[position], room.runs[position + 1]
            slot = room.bucket[heads[runs]]
            lasts[runs], keys[runs] = index.last[slot], index.keys[index.subject[slot]]
            runs += 1
    while wanted > 0 and runs > 1:
        top = 0
        for run in range(1, runs):
            if lasts[run] > lasts[top] or (lasts[run] == lasts[top] and keys[run] > keys[top]):
                top = run
        place = heads[top]
        room.slots[near], room.sets[near] = room.bucket[place], room.bucket_sets[place]
        near += 1
        wanted -= 1
        heads[top] = place + 1
        if place + 1 < ends[top]:
            slot = room.bucket[place + 1]
            lasts[top], keys[top] = index.last[slot], index.keys[index.subject[slot]]
        else:
            runs -= 1
            heads[top], ends[top] = heads[runs], ends[runs]
            lasts[top], keys[top] = lasts[runs], keys[runs]
    for i in range(wanted):
        room.slots[near], room.sets[near] = room.bucket[heads[0] + i], room.bucket_sets[heads[0] + i]
        near += 1
    return near


@compiled
def _score(index: Index, sheet: Sheet, room: _Room, length: int, near: int) -> int:
    """Add every neighbour's value to its items; returns how many items have a score, at sheet.seen."""
    score, found, entries, block = sheet.score, sheet.seen, index.entries, index.block
    value = room.value[length * SETS : (length + 1) * SETS]
    slots, sets, blocks = room.slots, room.sets, room.blocks
    for i in range(near):
        packed = block[slots[i]]
        blocks[i] = packed
        prefetch(entries, packed >> 8)
    seen = 0
    for i in range(near):
        packed = blocks[i]
        add = value[sets[i]]
        start = packed >> 8
        for place in range(start, start + (packed & COUNT_MASK)):
            item = int(entries[place]) & ITEM_MASK
            before = score[item]
            found[seen] = item
            seen += before == 0
            score[item] = before + add
    return seen


@compiled
def _explain(index: Index, sheet: Sheet, room: _Room, current: Column, near: int, size: int) -> None:
    """For every answered item the current item that contributed most, at room.because."""
    score, entries, shares = sheet.score, index.entries, room.shares
    length = len(current)
    for rank in range(size):
        score[sheet.best[rank]] = rank + 1
        shares[rank * LONGEST : rank * LONGEST + length] = 0
    for i in range(near):
        packed = room.blocks[i]
        matched = int(room.sets[i])
        decay = room.decay[matched]
        start = packed >> 8
        for place in range(start, start + (packed & COUNT_MASK)):
            rank = score[int(entries[place]) & ITEM_MASK]
            if rank > 0:
                base = (rank - 1) * LONGEST
                for position in range(length):
                    if matched >> position & 1:
                        shares[base + position] += (length - position) * decay
    for rank in range(size):
        score[sheet.best[rank]] = 0
        most = 0
        for position in range(1, length):
            if shares[rank * LONGEST + position] > shares[rank * LONGEST + most]:
                most = position
        room.because[rank] = current[most]
