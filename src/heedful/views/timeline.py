"""The rows of every subject as columns, and the kernels that keep them sorted.

A subject's rows are one block of an arena, ascending by (at, fingerprint, line), in room that follows from
their number (`views.arena.size_for`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from heedful.views.arena import TOP, Column, give, shift_down, shift_up, size_for, take
from heedful.views.canonical import SEED_A, SEED_B, absorb_a, absorb_b
from heedful.views.compiled import compiled
from heedful.views.handles import Handle, int32_at, int64_at, uint8_at, uint16_at, uint64_at
from heedful.views.rows import NO_ITEM


class Timeline(NamedTuple):
    """The arrays of a `History`, as kernels take them.

    offset, held: int32 per subject, where its block starts and how many rows it has.
    item, at, fingerprint, kind, line, quantity, purposes: the arena's columns (quantity uint8, 0 = stands aside;
        purposes uint8, what the row may be used for: whoever reads a row looks at their own bit first).
    book: int64, the arena's book.
    """

    offset: Column
    held: Column
    item: Column
    at: Column
    fingerprint: Column
    kind: Column
    line: Column
    quantity: Column
    purposes: Column
    book: Column


@compiled
def timeline_of(table: Handle) -> Timeline:
    """The arrays behind a history's handle."""
    return Timeline(
        int32_at(table, 0), int32_at(table, 1), int32_at(table, 2), int64_at(table, 3), uint64_at(table, 4),
        uint16_at(table, 5), uint16_at(table, 6), uint8_at(table, 7), uint8_at(table, 8), int64_at(table, 9),
    )  # fmt: skip


class Batch(NamedTuple):
    """A batch of rows as kernels take it, with the order of its rows by time."""

    order: Column
    subject: Column
    item: Column
    kind: Column
    at: Column
    fingerprint: Column
    line: Column
    quantity: Column
    purposes: Column


@compiled
def place_of(timeline: Timeline, start: int, stop: int, at: int, fingerprint: np.uint64, line: int) -> int:
    """The first place in [start, stop) of the columns whose row is not before (at, fingerprint, line)."""
    times, events, lines = timeline.at, timeline.fingerprint, timeline.line
    low, high = start, stop
    while low < high:
        middle = (low + high) >> 1
        before = times[middle] < at
        if times[middle] == at:
            before = events[middle] < fingerprint
            if events[middle] == fingerprint:
                before = lines[middle] < line
        if before:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _is(timeline: Timeline, place: int, at: int, fingerprint: np.uint64, line: int) -> bool:
    return bool(
        timeline.at[place] == at
        and timeline.fingerprint[place] == fingerprint
        and timeline.line[place] == line
    )


@compiled
def apply(table: Handle, floor: int, rows: Batch, done: int) -> int:
    """Insert rows from the `done`-th on; returns how far it came, less than all when the arena is full."""
    timeline = timeline_of(table)
    room = len(timeline.item)
    for n in range(done, len(rows.order)):
        i = rows.order[n]
        at, event, line = rows.at[i], rows.fingerprint[i], rows.line[i]
        if at < floor:
            continue
        subject = rows.subject[i]
        start, count = int(timeline.offset[subject]), int(timeline.held[subject])
        stop = start + count
        place = stop
        if count > 0 and at <= timeline.at[stop - 1]:
            place = place_of(timeline, start, stop, at, event, line)
            if place < stop and _is(timeline, place, at, event, line):
                continue
        if size_for(count) == count:
            if room - timeline.book[TOP] < 2 * count + 16:
                return n
            moved = take(timeline.book, timeline.item, count + 1)
            _copy(timeline, start, count, moved)
            if count > 0:
                give(timeline.book, timeline.item, start, count)
            timeline.offset[subject] = moved
            place += moved - start
            stop += moved - start
        if place < stop:
            shift_up(timeline.item, place, stop)
            shift_up(timeline.at, place, stop)
            shift_up(timeline.fingerprint, place, stop)
            shift_up(timeline.kind, place, stop)
            shift_up(timeline.line, place, stop)
            shift_up(timeline.quantity, place, stop)
            shift_up(timeline.purposes, place, stop)
        timeline.item[place] = rows.item[i]
        timeline.at[place] = at
        timeline.fingerprint[place] = event
        timeline.kind[place] = rows.kind[i]
        timeline.line[place] = line
        timeline.quantity[place] = rows.quantity[i] if rows.quantity[i] <= 255 else 0
        timeline.purposes[place] = rows.purposes[i]
        timeline.held[subject] = count + 1
    return len(rows.order)


@compiled
def _copy(timeline: Timeline, start: int, count: int, to: int) -> None:
    """Move `count` rows from `start` to `to` and leave zeros."""
    for i in range(count):
        timeline.item[to + i] = timeline.item[start + i]
        timeline.at[to + i] = timeline.at[start + i]
        timeline.fingerprint[to + i] = timeline.fingerprint[start + i]
        timeline.kind[to + i] = timeline.kind[start + i]
        timeline.line[to + i] = timeline.line[start + i]
        timeline.quantity[to + i] = timeline.quantity[start + i]
        timeline.purposes[to + i] = timeline.purposes[start + i]
        timeline.item[start + i] = 0
        timeline.at[start + i] = 0
        timeline.fingerprint[start + i] = 0
        timeline.kind[start + i] = 0
        timeline.line[start + i] = 0
        timeline.quantity[start + i] = 0
        timeline.purposes[start + i] = 0


@compiled
def _cut(timeline: Timeline, subject: int, place: int, by: int) -> None:
    """Take the `by` rows that end before `place` out of `subject`'s block. There is room."""
    start, count = int(timeline.offset[subject]), int(timeline.held[subject])
    stop = start + count
    shift_down(timeline.item, place, stop, by)
    shift_down(timeline.at, place, stop, by)
    shift_down(timeline.fingerprint, place, stop, by)
    shift_down(timeline.kind, place, stop, by)
    shift_down(timeline.line, place, stop, by)
    shift_down(timeline.quantity, place, stop, by)
    shift_down(timeline.purposes, place, stop, by)
    left = count - by
    if size_for(left) != size_for(count):
        moved = 0
        if left > 0:
            moved = take(timeline.book, timeline.item, left)
            _copy(timeline, start, left, moved)
        give(timeline.book, timeline.item, start, count)
        timeline.offset[subject] = moved
    timeline.held[subject] = left


@compiled
def retract(table: Handle, rows: Batch, done: int) -> int:
    """Take rows out from the `done`-th on; returns how far it came, less than all when the arena is full."""
    timeline = timeline_of(table)
    room = len(timeline.item)
    for n in range(done, len(rows.order)):
        i = rows.order[len(rows.order) - 1 - n]  # newest first: a whole subject goes without a shift
        subject = rows.subject[i]
        start = int(timeline.offset[subject])
        stop = start + timeline.held[subject]
        place = place_of(timeline, start, stop, rows.at[i], rows.fingerprint[i], rows.line[i])
        if place < stop and _is(timeline, place, rows.at[i], rows.fingerprint[i], rows.line[i]):
            if room - timeline.book[TOP] < size_for(stop - start):
                return n
            _cut(timeline, subject, place + 1, 1)
    return len(rows.order)


@compiled
def purposes_of(table: Handle, rows: Batch, found: Column) -> None:
    """Write the purposes that each row is held with, 0 for a row that is not there."""
    timeline = timeline_of(table)
    for i in range(len(rows.at)):
        subject = rows.subject[i]
        found[i] = 0
        if subject < len(timeline.held):
            start = int(timeline.offset[subject])
            stop = start + int(timeline.held[subject])
            place = place_of(timeline, start, stop, rows.at[i], rows.fingerprint[i], rows.line[i])
            if place < stop and _is(timeline, place, rows.at[i], rows.fingerprint[i], rows.line[i]):
                found[i] = timeline.purposes[place]


@compiled
def advance(table: Handle, floor: int, done: int) -> int:
    """Drop rows before `floor` from subject `done` on; returns how far it came."""
    timeline = timeline_of(table)
    room = len(timeline.item)
    for subject in range(done, len(timeline.held)):
        start, count = int(timeline.offset[subject]), int(timeline.held[subject])
        if count > 0 and timeline.at[start] < floor:
            if room - timeline.book[TOP] < size_for(count):
                return subject
            place = place_of(timeline, start, start + count, floor, np.uint64(0), 0)
            _cut(timeline, subject, place, place - start)
    return len(timeline.held)


@compiled
def digest(
    table: Handle,
    keys: Column,
    rests: Column,
    items: Column,
    kinds: Column,
    aside: Column,
    lanes: Column,
) -> None:
    """Add every row to the two lanes of a digest."""
    timeline = timeline_of(table)
    words = np.zeros(9, dtype=np.uint64)
    for subject in range(len(timeline.held)):
        start = int(timeline.offset[subject])
        for i in range(start, start + timeline.held[subject]):
            quantity = int(timeline.quantity[i])
            if quantity == 0:
                quantity = aside[np.searchsorted(aside[:, 0], i), 1]
            item = timeline.item[i]
            words[0], words[1] = keys[subject], rests[subject]
            words[2], words[3] = np.uint64(timeline.at[i]), timeline.fingerprint[i]
            words[4], words[5] = np.uint64(timeline.line[i]), kinds[timeline.kind[i]]
            words[6] = items[item] if item != NO_ITEM else np.uint64(0)
            words[7], words[8] = np.uint64(quantity), np.uint64(timeline.purposes[i])
            a, b = SEED_A, SEED_B
            for word in words:
                a, b = absorb_a(a, word), absorb_b(b, word)
            lanes[0] += a
            lanes[1] += b
