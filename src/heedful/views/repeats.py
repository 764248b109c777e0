"""How often people take the same thing home again, and after how long: what makes an item one to buy again.

Per item, over everybody: how many had it, how many had it on at least two days (UTC), and over all gaps between
two days on which the same person had it their number and the sum of their days. Several on one day count once,
so an order of many lines is one. What somebody gave back counts here as had.

A person's share is a function of the set of days on which they had an item: n days, from the first to the last,
are n - 1 gaps that add up to last - first. Rows in and rows out change the set, and the difference of the two
shares is added. The view needs the `History` of the same rows, which must be told first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.arena import Column, grown
from heedful.views.canonical import SEED_A, SEED_B, absorb_a, absorb_b, sealed
from heedful.views.compiled import compiled
from heedful.views.dictionary import Items
from heedful.views.handles import Handle
from heedful.views.history import BEGINNING, History
from heedful.views.rows import Rows
from heedful.views.timeline import timeline_of
from heedful.views.view import Arrays, zeros
from heedful.vocabulary.consent import LEARNING
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.time import DAY, Instant

BUYERS, AGAIN, GAPS, DAYS = range(4)
"""Columns of the table."""


class Known(NamedTuple):
    """What is known of all items together: people who had one, who had it again, gaps, and their days."""

    buyers: int
    again: int
    gaps: int
    days: int


class Repeats:
    """The view. seen: bool by kind code, whether a row of it means that the person has the item.

    table: int64 (items, 4), the columns BUYERS, AGAIN, GAPS and DAYS by dense item; longer than there are items.
    totals: int64 (4,), their sums.
    """

    name = "repeats"
    version = 1
    purpose = "learning"

    def __init__(self, history: History, items: Items, seen: NDArray[np.bool_]) -> None:
        self._history, self._items, self._seen = history, items, seen
        self._floor = BEGINNING
        self.table: NDArray[np.int64] = np.zeros((1_024, 4), dtype=np.int64)
        self.totals: NDArray[np.int64] = np.zeros(4, dtype=np.int64)
        self._mark: NDArray[np.int32] = np.zeros(1_024, dtype=np.int32)

    def known(self) -> Known:
        """The totals over all items."""
        return Known(*(int(total) for total in self.totals))

    def apply(self, rows: Rows) -> None:
        """Count in `rows`, which the history holds already."""
        self._change(rows, 1)

    def retract(self, rows: Rows) -> None:
        """Take out `rows`, which the history no longer holds."""
        self._change(rows, -1)

    def advance(self, floor: Instant) -> None:
        """Leave out everything before `floor`, whether the history has dropped it already or not."""
        if floor > self._floor:
            self._floor = floor
            self._cover()
            self.table[:], self.totals[:] = 0, 0
            _recount(self._history.handle, self._seen, self.table, self.totals, int(floor))

    def _change(self, rows: Rows, sign: int) -> None:
        which = self._seen[rows.kind] & (rows.item >= 0) & (rows.at >= self._floor)
        if not which.any():
            return
        self._cover()
        subject, item, day = rows.subject[which], rows.item[which], rows.at[which] // DAY
        order = np.lexsort((day, item, subject))
        _change(
            self._history.handle, self._seen, self._mark, self.table, self.totals,
            subject[order], item[order], day[order], sign, int(self._floor),
        )  # fmt: skip

    def _cover(self) -> None:
        if len(self._items) > len(self.table):
            size = max(len(self._items), len(self.table) * 3 // 2)
            wider = np.zeros((size, 4), dtype=np.int64)
            wider[: len(self.table)] = self.table
            self.table, self._mark = wider, grown(self._mark, size)

    def digest(self) -> bytes:
        """16 bytes over every item that somebody had."""
        lanes = zeros()
        _digest(self.table, self._items.keys, lanes)
        return sealed(lanes)

    def state(self) -> Arrays:
        """table int64 (items, 4), floor int64 (1,)."""
        return {
            "table": self.table[: len(self._items)],
            "floor": np.array([self._floor], dtype=np.int64),
        }

    def restore(self, state: Arrays) -> None:
        """Take over what `state` gave. Raises Corrupt if an array is missing or misshapen."""
        try:
            table, self._floor = state["table"].astype(np.int64), int(state["floor"][0])
        except (KeyError, IndexError) as error:
            raise Corrupt(f"repeats: {error!r}") from error
        if table.ndim != 2 or table.shape[1] != 4 or (table < 0).any():
            raise Corrupt("repeats: the table is misshapen")
        self.table = np.zeros((max(1_024, len(table) * 3 // 2), 4), dtype=np.int64)
        self.table[: len(table)] = table
        self._mark = np.zeros(len(self.table), dtype=np.int32)
        self.totals = self.table.sum(axis=0)


@compiled
def _settle(table: Column, totals: Column, item: int, n: int, span: int, sign: int) -> None:
    """Count a person's share of `item` in or out: n days that span `span` days."""
    if n == 0:
        return
    table[item, BUYERS] += sign
    totals[BUYERS] += sign
    if n > 1:
        table[item, AGAIN] += sign
        table[item, GAPS] += sign * (n - 1)
        table[item, DAYS] += sign * span
        totals[AGAIN] += sign
        totals[GAPS] += sign * (n - 1)
        totals[DAYS] += sign * span


@compiled
def _change(
    past: Handle, seen: Column, mark: Column, table: Column, totals: Column,
    subject: Column, item: Column, day: Column, sign: int, floor: int,
) -> None:  # fmt: skip
    """Replace the shares that the given rows, sorted by (subject, item, day), have changed.

    The history tells of now; before, each day had the given rows less (sign 1) or more (sign -1).
    """
    rows = timeline_of(past)
    begin = 0
    while begin < len(subject):
        who, end = subject[begin], begin
        while end < len(subject) and subject[end] == who:
            mark[item[end]] = end + 1
            end += 1
        # What the person has now of the marked items, in order of time.
        start, held = int(rows.offset[who]), int(rows.held[who])
        own = 0
        last = np.empty(held, dtype=np.int64)
        items = np.empty(held, dtype=np.int32)
        for place in range(start, start + held):
            if rows.purposes[place] & LEARNING == 0 or rows.at[place] < floor:
                continue
            if seen[rows.kind[place]] and rows.item[place] >= 0 and mark[rows.item[place]] > 0:
                items[own], last[own] = rows.item[place], rows.at[place] // DAY
                own += 1
        order = np.argsort(items[:own], kind="mergesort")  # keeps the order of time
        items, last = items[:own][order], last[:own][order]
        i = begin
        while i < end:
            thing, j = item[i], i
            while j < end and item[j] == thing:
                j += 1
            mark[thing] = 0
            low = np.searchsorted(items, thing)
            high = low
            while high < own and items[high] == thing:
                high += 1
            _exchange(table, totals, thing, last, low, high, day, i, j, sign)
            i = j
        begin = end


@compiled
def _exchange(
    table: Column, totals: Column, thing: int, last: Column, low: int, high: int, day: Column, i: int,
    j: int, sign: int,
) -> None:  # fmt: skip
    """Walk the days of now and those of the given rows side by side; count the share of before out, of now in."""
    now, now_first, now_last = 0, 0, 0
    was, was_first, was_last = 0, 0, 0
    while low < high or i < j:
        when = last[low] if low < high else day[i]
        if i < j and day[i] < when:
            when = day[i]
        here, given = 0, 0
        while low < high and last[low] == when:
            here += 1
            low += 1
        while i < j and day[i] == when:
            given += 1
            i += 1
        if here > 0:
            now_first = when if now == 0 else now_first
            now, now_last = now + 1, when
        if here - sign * given > 0:
            was_first = when if was == 0 else was_first
            was, was_last = was + 1, when
    _settle(table, totals, thing, was, was_last - was_first, -1)
    _settle(table, totals, thing, now, now_last - now_first, 1)


@compiled
def _recount(past: Handle, seen: Column, table: Column, totals: Column, floor: int) -> None:
    """Count the share of everybody in, from nothing."""
    rows = timeline_of(past)
    for who in range(len(rows.held)):
        start, held = int(rows.offset[who]), int(rows.held[who])
        own = 0
        last = np.empty(held, dtype=np.int64)
        items = np.empty(held, dtype=np.int32)
        for place in range(start, start + held):
            if rows.purposes[place] & LEARNING == 0 or rows.at[place] < floor:
                continue
            if seen[rows.kind[place]] and rows.item[place] >= 0:
                items[own], last[own] = rows.item[place], rows.at[place] // DAY
                own += 1
        order = np.argsort(items[:own], kind="mergesort")
        i = 0
        while i < own:
            thing, first, n, when = items[order[i]], last[order[i]], 1, last[order[i]]
            i += 1
            while i < own and items[order[i]] == thing:
                n += last[order[i]] != when
                when = last[order[i]]
                i += 1
            _settle(table, totals, thing, n, when - first, 1)


@compiled
def _digest(table: Column, keys: Column, lanes: Column) -> None:
    for item in range(len(table)):
        if table[item, BUYERS] == 0:
            continue
        a, b = absorb_a(SEED_A, keys[item]), absorb_b(SEED_B, keys[item])
        for column in range(4):
            word = np.uint64(table[item, column])
            a, b = absorb_a(a, word), absorb_b(b, word)
        lanes[0] += a
        lanes[1] += b
