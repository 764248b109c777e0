"""From a stream back to records, as the door and the catalogue would have written them, for a real fold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from heedful.log.claims import Claims
from heedful.log.codec import decode, encode
from heedful.services.evaluate.streams import NO_ORDER, NO_VALUE, Stream
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.vocabulary.event import Event, Line, Position, Record, Stored
from heedful.vocabulary.ids import NOBODY, EventId, SubjectId
from heedful.vocabulary.kinds import ITEM, ITEM_DELETED
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import MINUTE, Instant

_UNSAID = Instant(0)


class Recorder:
    """Records of the events and descriptions of one stream. The same stream gives the same records."""

    def __init__(self, stream: Stream, pseudonyms: Pseudonyms) -> None:
        self._stream = stream
        self.subjects: list[SubjectId] = [pseudonyms.user(name) for name in stream.names.subjects]
        self._items, self._keys = stream.names.items, stream.names.keys

    def event(self, number: int) -> Record:
        """Event `number` as a record."""
        stream = self._stream
        first, last = int(stream.start[number]), int(stream.start[number + 1])
        lines = tuple(
            Line(self._items[item], quantity, amount, self._keys[key])
            for item, quantity, amount, key in zip(
                stream.item[first:last].tolist(), stream.quantity[first:last].tolist(),
                stream.amount[first:last].tolist(), stream.key[first:last].tolist(), strict=True,
            )
        )  # fmt: skip
        order, value, subject = int(stream.order[number]), int(stream.value[number]), stream.subject[number]
        event = Event(
            kind=stream.names.kinds[stream.kind[number]],
            lines=lines,
            order="" if order == NO_ORDER else stream.names.orders[order],
            currency=stream.names.currencies[stream.currency[number]],
            value=None if value == NO_VALUE else value,
            user=stream.names.subjects[subject],
        )
        return _record(f"replay:{number}", self.subjects[subject], int(stream.at[number]), event)

    def description(self, number: int) -> Record:
        """Description `number` of the stream's catalogue as a record."""
        described = self._stream.described[number]
        if described.item is None:
            event = Event(kind=ITEM_DELETED, name=described.name)
        else:
            event = Event(kind=ITEM, name=described.name, properties=msgspec.json.encode(described.item))
        return _record(f"catalogue:{number}", NOBODY, described.at, event)


class Shelf:
    """In place of a log: gives records their places and finds them again."""

    def __init__(self) -> None:
        self._stored: list[Stored] = []

    def put(self, records: Iterable[Record]) -> list[Stored]:
        """Keep `records`, in order."""
        stored = [
            Stored(Position(place), record)
            for place, record in enumerate(records, start=len(self._stored) + 1)
        ]
        self._stored += stored
        return stored

    def fetch(self, positions: Sequence[Position]) -> Sequence[Stored]:
        """See `log.Bodies.fetch`."""
        return [self._stored[place - 1] for place in positions if 0 < place <= len(self._stored)]


def empty_fold(shelf: Shelf, pseudonyms: Pseudonyms, settings: Settings, idle: int | None) -> Fold:
    """A fold over `shelf` with the operator's settings; `idle` in microseconds, where the source knows better."""
    return Fold(
        pseudonyms=pseudonyms,
        claims=Claims(),
        bodies=shelf,
        decode=decode,
        meanings=settings.kinds,
        idle=int(settings.idle_minutes * MINUTE) if idle is None else idle,
        catalogue_required=settings.catalogue.required,
    )


def _record(name: str, subject: SubjectId, at: int, event: Event) -> Record:
    when = Instant(at)
    return Record(EventId(name), subject, when, when, _UNSAID, when, encode(event))
