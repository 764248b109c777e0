"""From one message to one record of the log: every check that needs to know what the message says."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import msgspec

from heedful.log import codec
from heedful.services.collect import fields
from heedful.services.collect.calls import MAX_MESSAGE_ID, Call, Message, json_object, refused
from heedful.services.collect.clock import event_time, read_time
from heedful.services.collect.commerce import (
    NO_DEAL,
    NO_PROPERTIES,
    Deal,
    Names,
    Properties,
    read_deal,
    read_properties,
)
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary import kinds
from heedful.vocabulary.collection import EventFate
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.event import Event, Record
from heedful.vocabulary.ids import EventId
from heedful.vocabulary.time import Instant

_TRACK = "track"
_ABOUT_ITEMS = frozenset({_TRACK, kinds.PAGE, kinds.SCREEN})
_TYPES = _ABOUT_ITEMS | {kinds.IDENTIFY, kinds.GROUP, kinds.ALIAS}

_read_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _Context(msgspec.Struct, frozen=True, gc=False):
    decision_id: Any = msgspec.field(name="decisionId", default=None)


_read_context = msgspec.json.Decoder(_Context).decode


class Origin(msgspec.Struct, frozen=True):
    """Where a call came from.

    source: names the sender; message ids are unique within it.
    type: what the messages are; "" where each message says so itself.
    received: when the call arrived.
    imported: whether event times are taken as they are.
    """

    source: str
    type: str
    received: Instant
    imported: bool = False


def to_records(call: Call, origin: Origin, pseudonyms: Pseudonyms, names: Names) -> list[Record | EventFate]:
    """A record for each message of `call`, or why there is none, in the order received."""
    around = _read_members(call.context) if call.context else {}
    return [
        message
        if isinstance(message, EventFate)
        else _record_or_fate(message, call, around, origin, pseudonyms, names)
        for message in call.messages
    ]


def _record_or_fate(
    message: Message,
    call: Call,
    around: dict[str, msgspec.Raw],
    origin: Origin,
    pseudonyms: Pseudonyms,
    names: Names,
) -> Record | EventFate:
    message_id = ""
    try:
        message_id = _message_id(message)
        event = _event(message, message_id, origin, names, _context(message, call, around))
        at, client, sent = _times(message, call, origin)
        return Record(
            EventId(f"{origin.source}:{message_id}"),
            pseudonyms.user(event.user) if event.user else pseudonyms.anonymous(event.anonymous),
            at,
            client,
            sent,
            origin.received,
            codec.encode(event),
        )
    except Invalid as error:
        return refused(message_id or _said_id(message), error)


def _message_id(message: Message) -> str:
    """The message's id, or a new one, so that it has a name of its own; a repeat then counts twice."""
    return fields.text_id(message.message_id, "messageId", MAX_MESSAGE_ID) or str(uuid4())


def _said_id(message: Message) -> str:
    return message.message_id if isinstance(message.message_id, str) else ""


def _times(message: Message, call: Call, origin: Origin) -> tuple[Instant, Instant, Instant]:
    """Event time, and the sender's two readings, 0 where not said.

    Segment renames the sender's own reading to `originalTimestamp` when it passes an event on with a
    corrected `timestamp`; imports want the corrected one.
    """
    corrected = read_time(message.timestamp, "timestamp")
    original = read_time(message.original_timestamp, "originalTimestamp")
    sent = read_time(message.sent_at, "sentAt")
    if sent is None:
        sent = call.sent
    if origin.imported:
        client = original if corrected is None else corrected
        said = sent if client is None else client
        at = origin.received if said is None else said
    else:
        client = corrected if original is None else original
        at = event_time(client, sent, origin.received)
    return at, client or Instant(0), sent or Instant(0)


def _context(message: Message, call: Call, around: dict[str, msgspec.Raw]) -> bytes:
    """The message's context with what the envelope says for all; the message's own keys win."""
    own = json_object(message.context, "context")
    if not around or not own:
        return own or call.context
    return msgspec.json.encode(around | _read_members(own))


def _event(message: Message, message_id: str, origin: Origin, names: Names, context: bytes) -> Event:
    spoken = origin.type or _type(message)
    user = fields.text_id(message.user_id, "userId")
    anonymous = fields.text_id(message.anonymous_id, "anonymousId")
    if not user and (spoken == kinds.ALIAS or not anonymous):
        raise Invalid("subject_missing", "say whose event it is: userId or anonymousId", path="userId")
    properties = json_object(message.properties, "properties")
    name = _name(message, spoken, anonymous)
    kind = names.kind(name) if spoken == _TRACK else spoken
    given, deal = NO_PROPERTIES, NO_DEAL
    if spoken in _ABOUT_ITEMS and properties:
        given = read_properties(properties)
    named = _decision(context, given)
    if spoken in _ABOUT_ITEMS:
        deal = _deal(kind, given, message_id, named)
    return Event(
        kind,
        deal.lines,
        deal.order,
        deal.currency,
        deal.value,
        user,
        anonymous,
        name,
        named,
        properties,
        json_object(message.traits, "traits"),
        context,
    )


def _deal(kind: str, given: Properties, message_id: str, named: str) -> Deal:
    """The items and the money. A click that names a decision may be on content that is no item."""
    try:
        return read_deal(kind, given, message_id)
    except Invalid as error:
        if named and kind == kinds.CLICK and error.path == "properties.product_id":
            return NO_DEAL
        raise


def _type(message: Message) -> str:
    if message.type is None:
        raise Invalid("type_missing", "each event of a batch says its type", path="type")
    if type(message.type) is not str or message.type not in _TYPES:
        raise Invalid("type_unknown", f"a type is one of {', '.join(sorted(_TYPES))}", path="type")
    return message.type


def _name(message: Message, spoken: str, anonymous: str) -> str:
    """The event's name, the page's name, the group's id, or the id that an alias replaces."""
    if spoken == _TRACK:
        if name := fields.text(message.event, "event"):
            return name
        raise Invalid("event_missing", "say what happened", path="event")
    if spoken == kinds.GROUP:
        if name := fields.text_id(message.group_id, "groupId"):
            return name
        raise Invalid("group_missing", "say which group", path="groupId")
    if spoken == kinds.ALIAS:
        if name := fields.text_id(message.previous_id, "previousId") or anonymous:
            return name
        raise Invalid("previous_missing", "say which id the user had before", path="previousId")
    if spoken == kinds.IDENTIFY:
        return ""
    return fields.text(message.name, "name") or fields.text(message.category, "category")


def _decision(context: bytes, given: Properties) -> str:
    """The answer this event is a reaction to. A key may be written with escapes, hence the second look."""
    if b"decisionId" in context or b"\\" in context:
        said = fields.text_id(_read_context(context).decision_id, "context.decisionId")
        if said:
            return said
    return fields.text_id(given.decision_id, "properties.decision_id")
