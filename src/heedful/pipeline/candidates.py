"""Candidates as columns: one row an item, one column a source, no object per candidate.

The columns are written once and used again for every question, so that answering allocates next to nothing.
One thread owns them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.arena import Column
from heedful.views.compiled import compiled
from heedful.views.handles import (
    Handle,
    float64_at,
    handle,
    int16_at,
    int32_at,
    int64_at,
    uint8_at,
)

MOST = 4_096
"""Rows there is room for; what sources propose beyond is left out."""

KEPT = 0
"""The removal reason of a row that stays."""

Scores = NDArray[np.float64] | NDArray[np.int64]


class Columns(NamedTuple):
    """The arrays, as kernels take them.

    item: int32 (MOST,). reason: uint8 (MOST,), KEPT or the number of the filter that removed the row.
    total: float64 (MOST,), the ranker's score. carrier: int32 (MOST,), the column that gave most to it.
    score: float64 (MOST * columns,), by row: each source's score divided by its best one, in [0, 1].
    because: int32 (MOST * columns,), by row: the item that speaks for the row in that source, or -1.
    rank: int16 (MOST * columns,), by row: its place in that source's proposal, from 1; 0 when not proposed.
    row: int32 by dense item, the item's row or -1. order: int64 (MOST,), the rows that `sort` found, best first.
    meta: int64 (3,), how many rows, how many columns, how many rows of `order`, or -1 where nothing was sorted.
    """

    item: NDArray[np.int32]
    reason: NDArray[np.uint8]
    total: NDArray[np.float64]
    carrier: NDArray[np.int32]
    score: NDArray[np.float64]
    because: NDArray[np.int32]
    rank: NDArray[np.int16]
    row: NDArray[np.int32]
    order: NDArray[np.int64]
    meta: NDArray[np.int64]


class Chosen(NamedTuple):
    """What the columns say of some rows: item int32, total float64, carrier int32, because int32, (s,) each."""

    item: NDArray[np.int32]
    total: NDArray[np.float64]
    carrier: NDArray[np.int32]
    because: NDArray[np.int32]


class Candidates:
    """The candidates of one question at a time.

    kept: rows added and not removed, as far as whoever removes keeps it up (`Pipeline` does).
    sources: how many columns. known: how many dense items there are now.
    """

    def __init__(self, sources: int, known: Callable[[], int]) -> None:
        self.sources = sources
        self._known = known
        self.columns = Columns(
            item=np.zeros(MOST, dtype=np.int32),
            reason=np.zeros(MOST, dtype=np.uint8),
            total=np.zeros(MOST),
            carrier=np.zeros(MOST, dtype=np.int32),
            score=np.zeros(MOST * sources),
            because=np.zeros(MOST * sources, dtype=np.int32),
            rank=np.zeros(MOST * sources, dtype=np.int16),
            row=np.full(1_024, -1, dtype=np.int32),
            order=np.zeros(MOST, dtype=np.int64),
            meta=np.array([0, sources, -1], dtype=np.int64),
        )
        self.handle: Handle = handle(self.columns)
        self._chosen = Chosen(
            np.zeros(MOST, dtype=np.int32), np.zeros(MOST), np.zeros(MOST, dtype=np.int32),
            np.zeros(MOST, dtype=np.int32),
        )  # fmt: skip
        self.kept = 0

    def clear(self) -> None:
        """Forget the last question."""
        self.kept = 0
        if self._known() > len(self.columns.row):
            self.columns = self.columns._replace(row=np.full(self._known() * 2, -1, dtype=np.int32))
            self.columns.meta[0], self.columns.meta[2] = 0, -1
            self.handle = handle(self.columns)
        else:
            _clear(self.handle)

    def add(self, source: int, items: NDArray[np.int32], scores: Scores, because: NDArray[np.int32]) -> None:
        """Write one source's proposal, best first: items (n,), scores (n,) from 0, because (n,) or (1,)."""
        if len(items):
            self.kept += int(_add(self.handle, source, items, scores, because))

    def remove_items(self, items: NDArray[np.int32], reason: int) -> int:
        """Remove every row whose item is among `items`; returns how many rows went."""
        return int(_remove_items(self.handle, items, reason))

    def remove_unless(self, allowed: NDArray[np.bool_], reason: int) -> int:
        """Remove every row whose item is not `allowed`, bool by dense item; returns how many went."""
        return int(_remove_unless(self.handle, allowed, reason))

    def remove_rows(self, rows: NDArray[np.bool_], reason: int) -> int:
        """Remove the rows where `rows`, bool (len(self),), is True and that were there; returns how many."""
        reasons = self.reasons
        going = rows & (reasons == KEPT)
        reasons[going] = reason
        return int(np.count_nonzero(going))

    def sort(self, keys: NDArray[np.uint64]) -> None:
        """Put the rows that are kept in order by total, ties by the lower of `keys`, once for all who ask from now
        on. Totals must not change after it; rows may be removed."""
        _sort(self.handle, keys)

    def describe(self, rows: NDArray[np.int64]) -> Chosen:
        """What is known of `rows`, as views that the next call overwrites."""
        count = len(rows)
        _describe(self.handle, rows, *self._chosen)
        item, total, carrier, because = self._chosen
        return Chosen(item[:count], total[:count], carrier[:count], because[:count])

    def __len__(self) -> int:
        """How many rows there are, removed ones too."""
        return int(self.columns.meta[0])

    @property
    def items(self) -> NDArray[np.int32]:
        """The items, shape (n,), removed ones too. A view that the next question overwrites."""
        return self.columns.item[: len(self)]

    @property
    def reasons(self) -> NDArray[np.uint8]:
        """Why each row was removed, or KEPT, shape (n,). A view that the next question overwrites."""
        return self.columns.reason[: len(self)]

    @property
    def scores(self) -> NDArray[np.float64]:
        """The sources' scores, shape (n, sources). A view that the next question overwrites."""
        return self.columns.score[: len(self) * self.sources].reshape(-1, self.sources)

    @property
    def because(self) -> NDArray[np.int32]:
        """The items that speak for each row, shape (n, sources). A view that the next question overwrites."""
        return self.columns.because[: len(self) * self.sources].reshape(-1, self.sources)

    @property
    def totals(self) -> NDArray[np.float64]:
        """The ranker's scores, shape (n,). A view that the next question overwrites."""
        return self.columns.total[: len(self)]


@compiled
def columns_of(table: Handle) -> Columns:
    """The arrays behind a handle."""
    return Columns(
        int32_at(table, 0), uint8_at(table, 1), float64_at(table, 2), int32_at(table, 3), float64_at(table, 4),
        int32_at(table, 5), int16_at(table, 6), int32_at(table, 7), int64_at(table, 8), int64_at(table, 9),
    )  # fmt: skip


@compiled
def _clear(table: Handle) -> None:
    columns = columns_of(table)
    for row in range(columns.meta[0]):
        columns.row[columns.item[row]] = -1
    columns.meta[0], columns.meta[2] = 0, -1


@compiled
def _add(
    table: Handle, source: int, items: NDArray[np.int32], scores: Scores, because: NDArray[np.int32]
) -> int:
    """Write a proposal; returns how many rows are new."""
    columns = columns_of(table)
    count, width = columns.meta[0], columns.meta[1]
    best = float(scores[0])
    for i in range(len(items)):
        item = items[i]
        if item >= len(columns.row):
            continue  # no item that `known` knew of when the question began
        row = columns.row[item]
        if row < 0:
            if count == MOST:
                continue
            row = np.int32(count)
            count += 1
            columns.row[item] = row
            columns.item[row] = item
            columns.reason[row] = KEPT
            for column in range(width):
                columns.score[row * width + column] = 0.0
                columns.because[row * width + column] = -1
                columns.rank[row * width + column] = 0
        place = row * width + source
        columns.score[place] = scores[i] / best if best > 0.0 else 0.0
        columns.because[place] = because[i if len(because) > 1 else 0]
        columns.rank[place] = i + 1
    new = count - columns.meta[0]
    columns.meta[0], columns.meta[2] = count, -1
    return int(new)


@compiled
def _remove_items(table: Handle, items: NDArray[np.int32], reason: int) -> int:
    columns = columns_of(table)
    removed = 0
    for i in range(len(items)):
        row = columns.row[items[i]] if items[i] < len(columns.row) else -1
        if row >= 0 and columns.reason[row] == KEPT:
            columns.reason[row] = reason
            removed += 1
    return removed


@compiled
def _remove_unless(table: Handle, allowed: NDArray[np.bool_], reason: int) -> int:
    columns = columns_of(table)
    removed = 0
    for row in range(columns.meta[0]):
        item = columns.item[row]
        if columns.reason[row] == KEPT and (item >= len(allowed) or not allowed[item]):
            columns.reason[row] = reason
            removed += 1
    return removed


@compiled
def _in_order(columns: Columns, keys: Column) -> Column:
    """The rows that are kept, best first, ties by key. A merge sort from the bottom up."""
    total, reason, item = columns.total, columns.reason, columns.item
    rows = np.empty(columns.meta[0], dtype=np.int64)
    count = 0
    for row in range(columns.meta[0]):
        if reason[row] == KEPT:
            place = count  # runs of eight by insertion
            while place & 7:
                other = rows[place - 1]
                if total[other] > total[row] or (
                    total[other] == total[row] and keys[item[other]] <= keys[item[row]]
                ):
                    break
                rows[place] = other
                place -= 1
            rows[place] = row
            count += 1
    merged, run = np.empty(count, dtype=np.int64), 8
    while run < count:
        for start in range(0, count, 2 * run):
            left, middle = start, min(start + run, count)
            right, stop = middle, min(start + 2 * run, count)
            for place in range(start, stop):
                if right >= stop:
                    first = True
                elif left >= middle:
                    first = False
                else:
                    one, other = rows[left], rows[right]
                    first = total[one] > total[other] or (
                        total[one] == total[other] and keys[item[one]] <= keys[item[other]]
                    )
                if first:
                    merged[place] = rows[left]
                    left += 1
                else:
                    merged[place] = rows[right]
                    right += 1
        rows, merged = merged, rows
        run *= 2
    return rows[:count]


@compiled
def _sort(table: Handle, keys: Column) -> None:
    columns = columns_of(table)
    rows = _in_order(columns, keys)
    columns.order[: len(rows)] = rows
    columns.meta[2] = len(rows)


@compiled
def best_rows(columns: Columns, keys: Column, most: int) -> Column:
    """The rows that are kept, best first, ties by key; at most `most`."""
    if columns.meta[2] < 0:
        return _in_order(columns, keys)[:most]
    rows, count = np.empty(min(most, columns.meta[2]), dtype=np.int64), 0
    for place in range(columns.meta[2]):
        if count == len(rows):
            break
        row = columns.order[place]
        if columns.reason[row] == KEPT:
            rows[count] = row
            count += 1
    return rows[:count]


@compiled
def _describe(
    table: Handle,
    rows: NDArray[np.int64],
    item: NDArray[np.int32],
    total: NDArray[np.float64],
    carrier: NDArray[np.int32],
    because: NDArray[np.int32],
) -> None:
    columns = columns_of(table)
    for i in range(len(rows)):
        row = rows[i]
        item[i], total[i], carrier[i] = columns.item[row], columns.total[row], columns.carrier[row]
        because[i] = columns.because[row * columns.meta[1] + columns.carrier[row]]
