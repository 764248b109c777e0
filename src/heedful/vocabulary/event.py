"""What happened: the frozen value that the log keeps, and the envelope it is kept in."""

from __future__ import annotations

from typing import NewType

import msgspec

from heedful.vocabulary.ids import EventId, SubjectId
from heedful.vocabulary.time import Instant


class Line(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One item of an event: what was viewed, or one line of an order.

    item: the item's id.
    quantity: how many, at least 1.
    amount: what the whole line cost, in minor units of the event's currency; 0 when not said.
    key: tells lines of one order apart: `item`, and `item#n` for its n-th repeat in the same order.
    """

    item: str
    quantity: int = 1
    amount: int = 0
    key: str = ""


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One thing that happened, in our own words, with the sender's words beside it.

    kind: a word of `vocabulary.kinds`, or the sender's own in snake case.
    lines: the items concerned, in the sender's order; empty when the event concerns none.
    order: the order's id, for purchases, refunds and cancellations.
    currency: ISO 4217; the currency of every amount in `lines` and of `value`.
    value: a rating in hundredths for `rate`, minor units of revenue otherwise; None when not said.
    user, anonymous: the raw ids as sent. They stand only in the body, which part 3 encrypts.
    name: the sender's event name, page name or group id, or the id that an alias replaces.
    decision: the answer this event is a reaction to, when the sender said so.
    properties, traits, context: JSON objects exactly as sent; b"" when absent.
    """

    kind: str
    lines: tuple[Line, ...] = ()
    order: str = ""
    currency: str = ""
    value: int | None = None
    user: str = ""
    anonymous: str = ""
    name: str = ""
    decision: str = ""
    properties: bytes = b""
    traits: bytes = b""
    context: bytes = b""


Position = NewType("Position", int)
"""Where the log keeps a record: partition in the high bits, offset in the low 48. Offsets start at 1."""

OFFSET_BITS = 48
MAX_OFFSET = (1 << OFFSET_BITS) - 1


def position(partition: int, offset: int) -> Position:
    """The place `offset` of `partition`."""
    return Position((partition << OFFSET_BITS) | offset)


def partition_of(place: Position) -> int:
    return place >> OFFSET_BITS


def offset_of(place: Position) -> int:
    return place & MAX_OFFSET


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An event in its envelope. The log reads the envelope and never the body.

    at: event time, the one time that every view uses.
    client, sent: what the sender's clock said when it happened and when it was sent; 0 when not said.
    received: our clock when it arrived.
    body: opaque bytes.
    """

    id: EventId
    subject: SubjectId
    at: Instant
    client: Instant
    sent: Instant
    received: Instant
    body: bytes

    def content(self) -> tuple[EventId, SubjectId, Instant, bytes]:
        """What two copies of one event share. A repeat may differ in when it was sent and arrived."""
        return self.id, self.subject, self.client, self.body

    def rank(self) -> tuple[bytes, bytes, int, int, int]:
        """Among records under one id the lowest rank counts: an order by content, not by arrival."""
        return self.body, self.subject, self.client, self.received, self.sent


class Stored(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A record and the place the log gave it."""

    position: Position
    record: Record
