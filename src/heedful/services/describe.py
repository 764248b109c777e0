"""Describe items of the catalogue and delete them. A description is an event, like everything else."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from uuid import uuid4

import msgspec

from heedful.log.codec import encode
from heedful.log.commit import GroupCommit
from heedful.pipeline.sensitive_items import FLAG
from heedful.privacy.sensitive import flags
from heedful.services.collect.json_scan import Look, looks
from heedful.views.fold import Fold
from heedful.vocabulary.collection import CollectAnswer, EventFate
from heedful.vocabulary.errors import HeedfulError, Invalid, NotFound
from heedful.vocabulary.event import Event, Record
from heedful.vocabulary.ids import NOBODY, EventId, ItemId
from heedful.vocabulary.item import MOST_NUMBERS, Item
from heedful.vocabulary.kinds import ITEM, ITEM_DELETED
from heedful.vocabulary.receipt import Receipt, Status
from heedful.vocabulary.time import Clock, Instant

MAX_ITEMS = 10_000
MAX_BYTES = 32 * 1024

Done = Callable[[CollectAnswer | HeedfulError], None]


class Describe:
    """The service. The latest description of an item counts; a deleted item stays deleted until written again."""

    def __init__(self, *, fold: Fold, commits: GroupCommit, clock: Clock) -> None:
        self._fold = fold
        self._commits = commits
        self._clock = clock
        self._last = Instant(0)

    def put(self, items: Sequence[Item], done: Done) -> None:
        """Describe `items`, at most 10,000; one that is not valid refuses only itself.

        `done` gets one fate per item, in order, when they are durable and every answer reflects them.
        Raises Invalid (`too_many_items`) for more.
        """
        if len(items) > MAX_ITEMS:
            raise Invalid("too_many_items", f"at most {MAX_ITEMS:,} items in one call, not {len(items):,}")
        fates: list[EventFate] = []
        records = []
        judge = self._judge()
        for item in items:
            event = judge(item)
            if isinstance(event, Event):
                records.append(_record(event, f"catalogue:{uuid4().hex}", self._next_instant(item.id)))
                fates.append(_accepted(item))
            else:
                fates.append(event)
        self._submit(records, fates, done)

    def delete(self, item: ItemId, done: Done) -> None:
        """Delete `item`: it appears in no answer from the moment `done` is called. Raises NotFound if unknown."""
        code = self._fold.items.find(item)
        if code < 0 or self._fold.catalogue.deleted(code):
            raise NotFound(f"there is no item {item!r}")
        event = Event(kind=ITEM_DELETED, name=item)
        record = _record(event, f"catalogue:{uuid4().hex}", self._next_instant(item))
        self._submit([record], [EventFate(item, Status.ACCEPTED)], done)

    def put_as_of(self, described: Sequence[tuple[Item, Instant, str]], done: Done) -> None:
        """Describe items as they were at other times: (item, when, event id). A known event id adds nothing."""
        fates: list[EventFate] = []
        records = []
        judge = self._judge()
        for item, at, event_id in described:
            event = judge(item)
            if isinstance(event, Event):
                records.append(_record(event, event_id, at))
                fates.append(EventFate(item.id, Status.ACCEPTED))
            else:
                fates.append(event)
        self._submit(records, fates, done)

    def _judge(self) -> Callable[[Item], Event | EventFate]:
        """Judges the items of one call: whoever has the first vector says how long vectors are."""
        length = self._fold.catalogue.vector_length()

        def judge(item: Item) -> Event | EventFate:
            nonlocal length
            event = _event(item, length)
            if isinstance(event, Event):
                length = length or len(item.vector)
            return event

        return judge

    def _submit(self, records: Sequence[Record], fates: Sequence[EventFate], done: Done) -> None:
        def finished(outcome: Sequence[Receipt] | HeedfulError) -> None:
            if isinstance(outcome, HeedfulError):
                done(outcome)
            else:
                done(CollectAnswer(True, self._fold.cursor.encode(), tuple(fates)))

        if records:
            self._commits.submit(records, finished)
        else:
            finished(())

    def _next_instant(self, item: ItemId) -> Instant:
        """Now, and later than any before, so that of two descriptions the one called later wins: also over one
        that was imported from the future or written before the clock was set back."""
        said = self._fold.catalogue.said_at(self._fold.items.find(item))
        self._last = Instant(max(self._clock.now(), self._last + 1, 0 if said is None else said + 1))
        return self._last


def _record(event: Event, event_id: str, at: Instant) -> Record:
    return Record(
        id=EventId(event_id),
        subject=NOBODY,
        at=at,
        client=at,
        sent=Instant(0),
        received=at,
        body=encode(event),
    )


def _accepted(item: Item) -> EventFate:
    """That `item` is taken; with a word to its owner where a category sounds like a special one and the item
    is not flagged, because what people do with it then says more of them than it should."""
    if FLAG not in item.properties:
        for place, category in enumerate(item.categories):
            if found := flags(category):
                told = f"{category[:60]!r} may stand for {found[0]}; set properties.{FLAG} to true or false"
                return EventFate(item.id, Status.ACCEPTED, "sensitive_name", f"$.categories[{place}]", told)
    return EventFate(item.id, Status.ACCEPTED)


def _event(item: Item, length: int) -> Event | EventFate:
    """The event that describes `item`, or why it cannot be kept: what is stored must always read again.

    length: numbers that a vector must have, 0 when it may have any.
    """
    problem = _vector_problem(item, length)
    if problem:
        return _refused(item, "vector_invalid", "$.vector", problem)
    if not 1 <= len(item.id) <= 200:
        return _refused(item, "item_id_invalid", "$.id", "an id has 1 to 200 characters")
    try:
        encoded = msgspec.json.encode(item)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return _refused(item, "item_invalid", "$", f"the item cannot be written as JSON: {error}")
    if len(encoded) > MAX_BYTES:
        return _refused(item, "item_too_large", "$", f"an item has at most {MAX_BYTES} bytes")
    if looks(encoded, long=MAX_BYTES) is Look.TOO_DEEP:
        return _refused(item, "json_too_deep", "$.properties", "the properties are nested too deep")
    return Event(kind=ITEM, name=item.id, properties=encoded)


def _vector_problem(item: Item, length: int) -> str:
    """What is wrong with the vector of `item`, or nothing. An item from our own process was not typed by JSON."""
    if not item.vector:
        return ""
    if len(item.vector) > MOST_NUMBERS:
        return f"a vector has at most {MOST_NUMBERS:,} numbers"
    try:
        if not all(map(math.isfinite, item.vector)):
            return "a vector's numbers are finite"
    except (TypeError, OverflowError):
        return "a vector is a list of numbers"
    if not any(item.vector):
        return "a vector that is all zero points nowhere; leave it out"
    if length and len(item.vector) != length:
        return (
            f"the catalogue's vectors have {length} numbers and this has {len(item.vector)}; to change to another "
            f"length, write the items without vectors first"
        )
    return ""


def _refused(item: Item, code: str, path: str, message: str) -> EventFate:
    return EventFate(item.id[:200], Status.REFUSED, code, path, message)
