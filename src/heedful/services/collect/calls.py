"""Calls of the Segment tracking protocol, from bytes to messages: limits, JSON, and what each message holds.

https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/ names the fields. What a field
must be is decided later, event by event (`records`); here they are taken as they come.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from heedful.services.collect.clock import read_time
from heedful.services.collect.json_check import (
    elements,
    malformed,
    members,
    message_id_in,
    parsed,
    problem_in,
    too_deep,
)
from heedful.services.collect.json_scan import Look, looks
from heedful.vocabulary.collection import EventFate
from heedful.vocabulary.errors import Invalid, TooLarge
from heedful.vocabulary.receipt import Status
from heedful.vocabulary.time import Instant

MAX_EVENT_BYTES = 32 * 1024
MAX_BATCH_BYTES = 500 * 1024
MAX_BATCH_EVENTS = 2_500
MAX_SHARED_BYTES = 8 * MAX_BATCH_BYTES
"""What a batch's own context may come to when each of its events has it."""

MAX_MESSAGE_ID = 100

SINGLE = frozenset({"identify", "track", "page", "screen", "group", "alias"})
BATCHED = frozenset({"batch", "import"})

_NONE = msgspec.Raw()


class Message(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """One message as sent. Fields that we do not know are left out; objects stay the bytes they were."""

    type: Any = None
    message_id: Any = None
    user_id: Any = None
    anonymous_id: Any = None
    timestamp: Any = None
    original_timestamp: Any = None
    sent_at: Any = None
    event: Any = None
    name: Any = None
    category: Any = None
    group_id: Any = None
    previous_id: Any = None
    properties: msgspec.Raw = _NONE
    traits: msgspec.Raw = _NONE
    context: msgspec.Raw = _NONE


class Call(NamedTuple):
    """One call's messages in the order received; those that are already refused are fates.

    sent, context: what the envelope of a batch says for all of them; None and b"" otherwise.
    """

    messages: list[Message | EventFate]
    sent: Instant | None = None
    context: bytes = b""


class _Batch(msgspec.Struct, frozen=True, rename="camel", gc=False):
    batch: list[Message]
    sent_at: Any = None
    context: msgspec.Raw = _NONE


_read_batch = msgspec.json.Decoder(_Batch)
_read_message = msgspec.json.Decoder(Message)


def read_call(method: str, body: bytes) -> Call:
    """The messages of one call.

    Raises Invalid where the body is not one JSON object of the promised shape, so that nothing of it can be
    used, and TooLarge beyond the limits. What is wrong with one message makes it a refused fate and no more.
    """
    if method not in SINGLE and method not in BATCHED:
        raise Invalid("method_unknown", f"there is no call {method[:40]!r}")
    batched = method in BATCHED
    limit = MAX_BATCH_BYTES if batched else MAX_EVENT_BYTES
    if len(body) > limit:
        raise TooLarge(f"the body has {len(body)} bytes; at most {limit} are taken")
    look = looks(body, long=MAX_EVENT_BYTES)
    if look is Look.TOO_DEEP:
        raise too_deep()
    if look is Look.CLEAN:
        try:
            if not batched:
                return Call([_read_message.decode(body)])
            batch = _read_batch.decode(body)
        except msgspec.DecodeError:
            pass  # some part has another shape than promised: the slow reading says which
        else:
            return _call(list(batch.batch), batch.sent_at, batch.context)
    return read_exactly(body, batched=batched)


def read_exactly(body: bytes, *, batched: bool) -> Call:
    """As `read_call`, slowly, part by part, after the limits of size and depth: its slow twin."""
    text = parsed(body)
    if text.lstrip()[0] != "{":
        raise malformed("the body must be a JSON object")
    if not batched:
        return Call([_read_one(text)])
    envelope = list(members(text))
    parts = {key: value for key, value in envelope if key in ("batch", "sentAt", "context")}
    if not parts.get("batch", "").startswith("["):
        raise Invalid("batch_missing", "a batch needs an array of events", path="batch")
    around = "{" + ",".join(f"{json.dumps(k)}:{'0' if k == 'batch' else v}" for k, v in envelope) + "}"
    if problem := problem_in(around):
        raise Invalid(problem.code, problem.message, path=problem.path)
    items = list(islice(elements(parts["batch"]), MAX_BATCH_EVENTS + 1))
    _check_count(len(items), 0)
    sent = msgspec.json.decode(parts.get("sentAt", "null"))
    return _call([_read_one(item) for item in items], sent, parts.get("context", "").encode())


def _read_one(item: str) -> Message | EventFate:
    """The message in `item`, or why there is none."""
    if problem := problem_in(item):
        return refused(message_id_in(item), Invalid(problem.code, problem.message, path=problem.path))
    raw = item.encode()
    if len(raw) > MAX_EVENT_BYTES:
        error = Invalid(
            "event_too_large", f"an event has {len(raw)} bytes; at most {MAX_EVENT_BYTES} are taken"
        )
        return refused(message_id_in(item), error)
    try:
        return _read_message.decode(raw)
    except msgspec.ValidationError:
        return refused("", Invalid("type_invalid", "an event must be a JSON object"))


def _call(messages: list[Message | EventFate], sent: Any, context: bytes | msgspec.Raw) -> Call:
    _check_count(len(messages), len(bytes(context)))
    return Call(messages, read_time(sent, "sentAt"), json_object(context, "context"))


def _check_count(events: int, shared: int) -> None:
    """`shared`: bytes that each of the events will have from the envelope."""
    if events > MAX_BATCH_EVENTS:
        raise TooLarge(f"a batch has at most {MAX_BATCH_EVENTS} events")
    if shared > MAX_EVENT_BYTES or events * shared > MAX_SHARED_BYTES:
        raise TooLarge(f"the batch's context ({shared} bytes) is too large to be given to {events} events")


def json_object(raw: bytes | msgspec.Raw, path: str) -> bytes:
    """The bytes of a JSON object as sent; b"" when absent or null. Raises Invalid on any other value."""
    sent = bytes(raw)
    if sent[:1] == b"{":
        return sent
    if sent in (b"", b"null"):
        return b""
    raise Invalid("type_invalid", "must be a JSON object", path=path)


def refused(message_id: str, error: Invalid) -> EventFate:
    """The fate of an event that stops at the door."""
    return EventFate(message_id[:MAX_MESSAGE_ID], Status.REFUSED, error.code, error.path, str(error))
