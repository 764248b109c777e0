"""What happened as columns in event time: the one shape in which a replay takes its events.

A stream names its people, items and kinds by codes of its own, so that it belongs to no fold; `recording` makes
records of it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from heedful.log.codec import decode
from heedful.log.commit import Done
from heedful.log.cursor import Cursor
from heedful.log.log import LogReader
from heedful.services.bring_in import BringIn, Counts, Refusal, json_lines
from heedful.services.collect import Collect
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.errors import Corrupt, Invalid
from heedful.vocabulary.event import Line, Position, Record
from heedful.vocabulary.ids import NOBODY
from heedful.vocabulary.item import Item
from heedful.vocabulary.kinds import CANCEL, ITEM, ITEM_DELETED
from heedful.vocabulary.receipt import Receipt, Status
from heedful.vocabulary.time import FixedClock, Instant

NO_VALUE = -(2**63)
"""In the value column: not said."""

NO_ORDER = -1
_BATCH = 5_000


class Names(NamedTuple):
    """What the codes of a stream stand for."""

    subjects: tuple[str, ...]
    items: tuple[str, ...]
    kinds: tuple[str, ...]
    orders: tuple[str, ...]
    keys: tuple[str, ...]
    currencies: tuple[str, ...]


class Described(NamedTuple):
    """How an item was described from `at` on; `item` is None where it was deleted. `name` is its id."""

    at: int
    name: str
    item: Item | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Events in order of time, ties in the order of their source; an event has one line an item.

    source: where it comes from, for people.
    subject int32, kind int32, at int64 (microseconds), order int32 (or NO_ORDER), value int64 (or NO_VALUE),
        currency int32: one an event, shape (e,).
    start: int64 (e + 1,): the lines of event n are start[n] to start[n + 1]; none for a cancelled order.
    item int32, quantity int32, amount int64 (minor units), key int32: one a line.
    described: the catalogue in order of time.
    idle: a session ends after so many microseconds; None where the source says nothing of it.
    tested: bool (e,), where the source says itself which events are for testing.
    left_out: events of the source that are not in the stream, by reason.
    """

    source: str
    names: Names
    subject: NDArray[np.int32]
    kind: NDArray[np.int32]
    at: NDArray[np.int64]
    order: NDArray[np.int32]
    value: NDArray[np.int64]
    currency: NDArray[np.int32]
    start: NDArray[np.int64]
    item: NDArray[np.int32]
    quantity: NDArray[np.int32]
    amount: NDArray[np.int64]
    key: NDArray[np.int32]
    described: tuple[Described, ...] = ()
    idle: int | None = None
    tested: NDArray[np.bool_] | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many events there are."""
        return len(self.at)

    def items_of(self, event: int) -> NDArray[np.int32]:
        """The items of an event, in its own order; they may repeat."""
        return self.item[self.start[event] : self.start[event + 1]]

    def only(self, chosen: NDArray[np.bool_]) -> Stream:
        """The events that are `chosen`, bool (e,). Codes and the catalogue stay; nothing of it is for testing."""
        lengths = np.diff(self.start)
        lines = np.repeat(chosen, lengths)
        return replace(
            self,
            subject=self.subject[chosen], kind=self.kind[chosen], at=self.at[chosen], order=self.order[chosen],
            value=self.value[chosen], currency=self.currency[chosen],
            start=np.concatenate(([0], np.cumsum(lengths[chosen]))),
            item=self.item[lines], quantity=self.quantity[lines], amount=self.amount[lines], key=self.key[lines],
            tested=None,
        )  # fmt: skip

    def newest(self, limit: int) -> Stream:
        """The newest `limit` events. Codes and the catalogue stay."""
        first = len(self) - limit
        if limit <= 0 or first <= 0:
            return self
        line = int(self.start[first])
        return replace(
            self,
            subject=self.subject[first:], kind=self.kind[first:], at=self.at[first:], order=self.order[first:],
            value=self.value[first:], currency=self.currency[first:], start=self.start[first:] - line,
            item=self.item[line:], quantity=self.quantity[line:], amount=self.amount[line:], key=self.key[line:],
            tested=None if self.tested is None else self.tested[first:],
        )  # fmt: skip


class Codes:
    """Texts to codes, in the order in which they were first met."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def code(self, text: str) -> int:
        return self._codes.setdefault(text, len(self._codes))

    def names(self) -> tuple[str, ...]:
        return tuple(self._codes)


class Builder:
    """Collects events in any order and makes a stream of them."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.left_out: dict[str, int] = {}
        self.described: list[Described] = []
        self._subjects, self._items, self._kinds = Codes(), Codes(), Codes()
        self._orders, self._keys, self._currencies = Codes(), Codes(), Codes()
        self._events: list[tuple[int, int, int, int, int, int, int]] = []
        self._lines: list[tuple[int, int, int, int]] = []
        self._tested: list[bool] = []

    def add(
        self,
        subject: str,
        kind: str,
        at: int,
        lines: Iterable[Line],
        *,
        order: str = "",
        value: int | None = None,
        currency: str = "",
        tested: bool = False,
    ) -> None:
        """One event. at: microseconds. amount of a line and value: as in `vocabulary.event.Event`."""
        first = len(self._lines)
        code, key = self._items.code, self._keys.code
        self._lines += [(code(line.item), line.quantity, line.amount, key(line.key)) for line in lines]
        self._events.append((
            self._subjects.code(subject),
            self._kinds.code(kind),
            at,
            self._orders.code(order) if order else NO_ORDER,
            NO_VALUE if value is None else value,
            self._currencies.code(currency),
            len(self._lines) - first,
        ))  # fmt: skip
        self._tested.append(tested)

    def leave_out(self, reason: str, count: int = 1) -> None:
        """Account for events that do not enter the stream."""
        if count:
            self.left_out[reason] = self.left_out.get(reason, 0) + count

    def stream(self, *, idle: int | None = None, split: bool = False) -> Stream:
        """The stream. split: whether what was said by `tested` counts."""
        events = np.array(self._events, dtype=np.int64).reshape(-1, 7)
        lines = np.array(self._lines, dtype=np.int64).reshape(-1, 4)
        turn = np.argsort(events[:, 2], kind="stable")
        first = np.cumsum(events[:, 6]) - events[:, 6]
        held = events[turn, 6]
        start = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(held)))
        place = np.repeat(first[turn] - start[:-1], held) + np.arange(len(lines))
        events, lines = events[turn], lines[place]
        return Stream(
            source=self.source,
            names=Names(
                *(codes.names() for codes in (
                    self._subjects, self._items, self._kinds, self._orders, self._keys, self._currencies,
                ))
            ),
            subject=events[:, 0].astype(np.int32), kind=events[:, 1].astype(np.int32), at=events[:, 2].copy(),
            order=events[:, 3].astype(np.int32), value=events[:, 4].copy(),
            currency=events[:, 5].astype(np.int32), start=start,
            item=lines[:, 0].astype(np.int32), quantity=lines[:, 1].astype(np.int32),
            amount=lines[:, 2].copy(), key=lines[:, 3].astype(np.int32),
            described=tuple(sorted(self.described, key=lambda one: (one.at, one.name))),
            idle=idle,
            tested=np.array(self._tested, dtype=np.bool_)[turn] if split else None,
            left_out=self.left_out,
        )  # fmt: skip


def from_log(log: LogReader, source: str, *, progress: Callable[[int, int], None] | None = None) -> Stream:
    """Every event of a log that concerns an item, under the pseudonyms of their people.

    progress: told how many records were read, of how many. Raises Corrupt if a record does not read.
    """
    records: list[Record] = []
    cursor, total, seen = Cursor(), sum(log.end().offsets), 0
    while batch := log.read(cursor, limit=_BATCH):
        for stored in batch:
            cursor = cursor.advanced(stored.position)
            records.append(stored.record)
        seen += len(batch)
        if progress is not None:
            progress(seen, total)
    return from_records(records, source, {})


def from_json_lines(
    files: Iterable[tuple[str, Iterable[bytes]]],
    source: str,
    *,
    names: Mapping[str, str],
    progress: Callable[[int], None] | None = None,
) -> Stream:
    """Lines of Segment-shaped objects, read as `heedful import` reads them: a line that it refuses is left out.

    files: (name, lines). names: event names that the operator gives a kind (`Settings.names`).
    """
    taken = _Taken()
    pseudonyms = Pseudonyms(bytes(32))
    service = BringIn(Collect(taken, pseudonyms, FixedClock(Instant(0)), str, meanings_of_names=names))
    left_out: dict[str, int] = {}

    def told(counts: Counts) -> None:
        if progress is not None:
            progress(counts.lines)

    for name, lines in files:
        counts = service.lines(name, json_lines(lines), _unheard, told)
        for reason, count in counts.reasons.items():
            left_out[reason] = left_out.get(reason, 0) + count
    return from_records(taken.records, source, left_out)


def from_records(records: Sequence[Record], source: str, left_out: Mapping[str, int]) -> Stream:
    """The records that concern items, in order of time, ties by event id. An id counts once."""
    builder = Builder(source)
    for reason, count in left_out.items():
        builder.leave_out(reason, count)
    before = ""
    for record in sorted(records, key=lambda record: (record.at, record.id, record.rank())):
        if record.id == before:
            builder.leave_out("repeated")
            continue
        before = record.id
        event = decode(record.body)
        if record.subject == NOBODY:
            _describe(builder, record, event.kind, event.name, event.properties)
        elif event.lines or event.kind == CANCEL:
            builder.add(
                record.subject.hex(), event.kind, record.at, event.lines,
                order=event.order, value=event.value, currency=event.currency,
            )  # fmt: skip
        else:
            builder.leave_out("no_item")
    return builder.stream()


def _describe(builder: Builder, record: Record, kind: str, name: str, properties: bytes) -> None:
    if kind == ITEM_DELETED:
        builder.described.append(Described(record.at, name, None))
    elif kind == ITEM:
        try:
            item = msgspec.json.decode(properties, type=Item)
        except msgspec.DecodeError as error:
            raise Corrupt(f"the item event {record.id} does not read: {error}") from error
        builder.described.append(Described(record.at, item.id, item))
    else:
        builder.leave_out("of_nobody")


def _unheard(refusal: Refusal) -> None:
    """The counts say enough."""
    del refusal


class _Taken:
    """In place of the log: keeps what the door let in."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def submit(self, records: Sequence[Record], done: Done) -> None:
        self.records += records
        done([Receipt(Status.ACCEPTED, Position(1))] * len(records))


def not_empty(stream: Stream) -> Stream:
    """`stream`, if there is anything in it. Raises Invalid (`nothing_to_replay`) otherwise."""
    if not len(stream):
        raise Invalid("nothing_to_replay", f"{stream.source} holds no event that concerns an item")
    return stream
