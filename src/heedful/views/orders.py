"""Which purchases and refunds are live: claims on the lines of orders, and what takes orders back.

A function of the set of events about orders:

1. A purchase line claims (order, line key). Of all claims on one key the lowest (at, fingerprint, line) wins
   and is a live row; when it is taken back, the next one is. So an order sent twice counts once.
2. A cancellation, or a refund without lines, takes the whole order back: while the set holds one, none of the
   order's purchase lines and none of its refund rows is live.
3. Each line of a refund is a live row of its own. Refunds add up; a reader nets the quantities per subject
   and item, never below zero.

An order is known by the keyed hash of its id as sent, whoever sent it. A purchase without an order id is its
own order: give it its fingerprint.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from heedful.views import order_claims as claims
from heedful.views.dictionary import Items, Subjects
from heedful.views.mixing import digest_of
from heedful.views.order_claims import ENTRY, PURCHASED, REFUNDED, WHOLE
from heedful.views.rows import Rows
from heedful.views.view import Arrays
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.kinds import BUILT_IN, CANCEL, PURCHASE, REFUND
from heedful.vocabulary.time import DAY, Instant

_KINDS = {PURCHASED: BUILT_IN.index(PURCHASE), REFUNDED: BUILT_IN.index(REFUND)}
_NO_FLOOR = int(np.iinfo(np.int64).min)
_COLUMNS = ("order", "key", "at", "fingerprint", "subject", "item", "quantity", "line", "slot")


class OrderLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One line. item: dense. quantity: at least 1.

    key: 64 bits of the line's key within its order: the item's key for the item's own id as key, the keyed
    hash of `item#n` for its repeats. Only purchases need it.
    """

    item: int
    quantity: int
    key: int = 0


class OrderEvent(msgspec.Struct, frozen=True, gc=False):
    """One event about an order. order, fingerprint: keyed hashes, 64 bits. kind: purchase, refund or cancel.

    lines: in the order of the event's own lines: their places are the line numbers of the rows.
    """

    order: int
    kind: str
    subject: int
    at: Instant
    fingerprint: int
    lines: tuple[OrderLine, ...] = ()


class OrderRow(NamedTuple):
    """One live interaction, as in `views.rows.Rows`. kind: the dense code of purchase or refund."""

    subject: int
    item: int
    kind: int
    at: int
    fingerprint: int
    line: int
    quantity: int


class Delta(NamedTuple):
    """What one event changed. Rows in `remove` were live before, those in `add` are now; none is in both."""

    add: list[OrderRow]
    remove: list[OrderRow]


class Orders:
    """The view's state. Dense numbers are those of `items` and `subjects`."""

    name = "orders"
    version = 1
    purpose = "legal"

    def __init__(self, items: Items, subjects: Subjects) -> None:
        self._items = items
        self._subjects = subjects
        self._clear()

    def _clear(self) -> None:
        self._entries: NDArray[Any] = np.zeros(64, dtype=ENTRY)
        self._table = np.full(256, claims.EMPTY, dtype=np.int32)
        self._meta = np.array([0, claims.NONE, 0, 0], dtype=np.int64)
        self._floor = _NO_FLOOR

    def __len__(self) -> int:
        """How many lines and whole-order events are held, live or not."""
        return int(self._meta[claims.HELD])

    def apply(self, event: OrderEvent) -> Delta:
        """Count `event` in; it was not applied before, or was retracted since."""
        if event.at < self._floor:
            return Delta([], [])
        parts = _parts(event)
        self._reserve(len(parts))
        moved, marks = Delta([], []), self._room(event)
        for slot, key, line, item, quantity in parts:
            count = claims.put(
                self._entries, self._table, self._meta, marks, np.uint64(event.order), np.uint64(key), slot,
                event.at, np.uint64(event.fingerprint), line, event.subject, item, quantity,
            )  # fmt: skip
            self._read(marks[:count], moved)
        return moved

    def retract(self, event: OrderEvent) -> Delta:
        """Take `event` out. One that was never applied, or is below the floor, changes nothing."""
        moved, marks = Delta([], []), self._room(event)
        for slot, key, line, _, _ in reversed(_parts(event)):
            count = claims.take(
                self._entries, self._table, self._meta, marks, np.uint64(event.order), np.uint64(key), slot,
                event.at, np.uint64(event.fingerprint), line,
            )  # fmt: skip
            self._read(marks[:count], moved)
        return moved

    def advance(self, floor: Instant) -> Delta:
        """Drop every event before the UTC day of `floor`, and ignore such events from now on.

        What such an event kept from being live (a repeat of its order, an order it took back) is live then.
        `remove` names the dropped rows too, though views with the same floor drop them by themselves.
        """
        moved = Delta([], [])
        day = floor // DAY * DAY
        if day <= self._floor:
            return moved
        self._floor = day
        used = self._entries[: int(self._meta[claims.USED])]
        places = np.flatnonzero((used["slot"] < claims.FREED) & (used["at"] < day))
        old = used[places]
        # losers before winners, and cancellations last: so no row is live in between only
        order = np.lexsort((old["line"], old["fingerprint"], old["at"], old["slot"] != WHOLE))[::-1]
        marks = np.empty(2 * len(used), dtype=np.int32)
        count = claims.take_places(self._entries, self._table, self._meta, marks, places[order])
        self._read(marks[:count], moved)
        return moved

    def rows(self) -> list[OrderRow]:
        """Every live row, in no particular order."""
        live = np.empty(int(self._meta[claims.USED]), dtype=np.int32)
        count = claims.live(self._entries, self._table, self._meta, live)
        return [self._row(entry) for entry in live[:count].tolist()]

    def items(self) -> NDArray[np.int32]:
        """The dense items of all lines that are held, -1 where there is none."""
        used = self._entries[: int(self._meta[claims.USED])]
        held: NDArray[np.int32] = used["item"][used["slot"] < claims.FREED]
        return held

    def digest(self) -> bytes:
        """16 bytes over everything held, by the keys of orders, lines, items and subjects."""
        sums = claims.sums(self._entries, self._meta, self._items.keys, self._subjects.keys)
        return digest_of(np.array(sums, dtype=np.uint64))

    def state(self) -> Arrays:
        """One array per column, shape (n,), in no particular order; floor: int64 (1,), an Instant."""
        used = self._entries[: int(self._meta[claims.USED])]
        held = used[used["slot"] < claims.FREED]
        columns = {name: held[name].copy() for name in _COLUMNS}
        return {**columns, "floor": np.array([self._floor], dtype=np.int64)}

    def restore(self, state: Arrays) -> None:
        """Take over a state. The dictionaries must hold the names of that moment already."""
        for name in (*_COLUMNS, "floor"):
            dtype = np.int64 if name == "floor" else ENTRY[name]
            if name not in state or state[name].ndim != 1 or state[name].dtype != dtype:
                raise Corrupt(f"orders: the array {name} is missing or misshapen")
        columns = [state[name] for name in _COLUMNS]
        if len({len(column) for column in columns}) != 1 or len(state["floor"]) != 1:
            raise Corrupt("orders: the columns differ in length")
        if not (
            _within(state["item"], -1, len(self._items))
            and _within(state["subject"], -1, len(self._subjects))
            and _within(state["slot"], PURCHASED, claims.FREED)
        ):
            raise Corrupt("orders: a column holds a number that means nothing")
        self._clear()
        self._reserve(len(columns[0]))
        marks = np.empty(len(columns[0]) + 2, dtype=np.int32)
        claims.put_all(self._entries, self._table, self._meta, marks, *columns)
        self._floor = int(state["floor"][0])

    def _room(self, event: OrderEvent) -> NDArray[np.int32]:
        """Where a kernel writes which rows moved: many for an event that takes an order back."""
        whole = event.kind == CANCEL or not event.lines
        return np.empty(int(self._meta[claims.USED]) + 2 if whole else 2, dtype=np.int32)

    def _reserve(self, more: int) -> None:
        """Make room for `more` entries, and for twice as many table slots."""
        need = int(self._meta[claims.USED]) + more
        if need > len(self._entries):
            wider = np.zeros(max(need, len(self._entries) * 9 // 8 + 64), dtype=ENTRY)
            wider[: len(self._entries)] = self._entries
            self._entries = wider
        if (int(self._meta[claims.TAKEN]) + 2 * more) * 10 > len(self._table) * 7:
            kept = int((self._table >= 0).sum()) + 2 * more
            table = np.full(1 << (kept * 3 // 2 + 128).bit_length(), claims.EMPTY, dtype=np.int32)
            claims.rebuild(self._entries, self._table, table, self._meta)
            self._table = table

    def _read(self, marks: NDArray[np.int32], moved: Delta) -> None:
        """Rows that a kernel marked: by its place when it is live now, by ~place when it was."""
        for mark in marks.tolist():
            if mark >= 0:
                moved.add.append(self._row(mark))
            else:
                moved.remove.append(self._row(~mark))

    def _row(self, place: int) -> OrderRow:
        _, _, at, fingerprint, subject, item, quantity, _, _, _, line, slot, _ = self._entries[place].item()
        return OrderRow(subject, item, _KINDS[slot % claims.FREED], at, fingerprint, line, quantity)


def _parts(event: OrderEvent) -> list[tuple[int, int, int, int, int]]:
    """What an event puts in: slot, key, line, item and quantity of each entry."""
    if event.kind == PURCHASE:
        return [(PURCHASED, one.key, n, one.item, one.quantity) for n, one in enumerate(event.lines)]
    if event.kind == REFUND and event.lines:  # under a key of its own, because refunds do not compete
        return [(REFUNDED, event.fingerprint, n, one.item, one.quantity) for n, one in enumerate(event.lines)]
    if event.kind in (REFUND, CANCEL):
        return [(WHOLE, 0, 0, -1, 0)]
    raise ValueError(f"not an event about an order: {event.kind!r}")


def _within(column: NDArray[Any], low: int, high: int) -> bool:
    return not len(column) or bool(low <= column.min() and column.max() < high)


def columns(rows: Sequence[OrderRow]) -> Rows:
    """Rows as the other views take them."""
    parts: list[Sequence[int]] = list(zip(*rows, strict=True)) if rows else [()] * 7
    subject, item, kind, at, fingerprint, line, quantity = parts
    return Rows(
        subject=np.array(subject, dtype=np.int32),
        item=np.array(item, dtype=np.int32),
        kind=np.array(kind, dtype=np.uint16),
        at=np.array(at, dtype=np.int64),
        fingerprint=np.array(fingerprint, dtype=np.uint64),
        line=np.array(line, dtype=np.uint16),
        quantity=np.array(quantity, dtype=np.int32),
    )
