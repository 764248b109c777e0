"""Consent at the door: our own call read as events, and Global Privacy Control kept as what it says.

`POST /v1/consent` becomes the event `consent` (or Unomi's `modifyConsent`) of the person, and one more of the
device where the call names both, so that a choice made before logging in still holds for the device.
`Sec-GPC: 1` is a refusal of whatever discloses. It comes with every request, so it is written down only for whom
it is not known yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import uuid4

import msgspec

from heedful.log.codec import decode, encode
from heedful.privacy.changes import UNOMI, Choice, changes_of, check
from heedful.privacy.purposes import Purposes
from heedful.services.collect.calls import MAX_MESSAGE_ID, read_call
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.collection import EventFate
from heedful.vocabulary.consent import CONSENT
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.event import Event, Record
from heedful.vocabulary.ids import EventId, SubjectId
from heedful.vocabulary.time import Instant

_FIELDS = (
    "choices", "expiresInDays", "noticeVersion", "explicit", "by", "method", "origin", "servedNoticeId",
)  # fmt: skip
_ENVELOPE = ("timestamp", "originalTimestamp", "sentAt", "context")
_DEVICE = "~device"
_UNSAID = Instant(0)


def as_batch(body: bytes, purposes: Purposes) -> bytes:
    """The call `POST /v1/consent` as a batch of the events that it makes, one or two.

    Raises TooLarge, and Invalid where it cannot be kept as it was meant: whoever chose must hear of it.
    """
    message = read_call("track", body).messages[0]
    if isinstance(message, EventFate):
        raise Invalid(message.code, message.message, path=message.path)
    said = msgspec.json.decode(body)
    name, properties = _choice(said, purposes)
    about = {"type": "track", "event": name, "properties": properties}
    about.update({word: said[word] for word in _ENVELOPE if word in said})
    known = said.get("messageId")
    message_id = known if isinstance(known, str) and known else str(uuid4())
    user, anonymous = said.get("userId"), said.get("anonymousId")
    calls: list[dict[str, Any]] = [
        {**about, "userId": user, "anonymousId": anonymous, "messageId": message_id}
    ]
    if user and anonymous:
        device = message_id[: MAX_MESSAGE_ID - len(_DEVICE)] + _DEVICE
        calls.append({**about, "anonymousId": anonymous, "messageId": device})
    return msgspec.json.encode({"batch": calls})


def _choice(said: dict[str, Any], purposes: Purposes) -> tuple[str, dict[str, Any]]:
    """The event's name and properties. Raises Invalid."""
    if "choices" in said:
        properties = {word: said[word] for word in _FIELDS if word in said}
        check(msgspec.json.encode(properties), purposes)
        return CONSENT, properties
    if "consent" not in said:
        raise Invalid(
            "consent_invalid", "say what was chosen: `choices`, or Unomi's `consent`", path="choices"
        )
    properties = {"consent": said["consent"]}
    event = Event(kind="", name=UNOMI, properties=msgspec.json.encode(properties))
    made = changes_of(event, _UNSAID, _UNSAID, purposes)
    if not made:
        raise Invalid(
            "purpose_unknown", "the consent's typeIdentifier is no purpose", path="consent.typeIdentifier"
        )
    return UNOMI, properties


class Signalled:
    """Writes down Global Privacy Control once per person.

    known: whether everything that it opts out of is refused already for somebody.
    """

    def __init__(
        self,
        purposes: Purposes,
        pseudonyms: Pseudonyms,
        known: Callable[[SubjectId], bool],
        *,
        strict: bool,
    ) -> None:
        """strict: it stops first-party personalization too."""
        self.purposes = purposes
        refused = {
            name: False for name, one in purposes.items() if one.discloses or (strict and one.profiling)
        }
        self._properties = (
            msgspec.json.encode(Choice(choices=dict(refused), method="gpc", origin="headless"))
            if refused
            else b""
        )
        self._pseudonyms = pseudonyms
        self._known = known

    def refusals(self, records: Sequence[Record], received: Instant, *, header: bool) -> list[Record]:
        """What to store beside `records`, which arrived at `received`. header: whether the signal came in a header
        of the request; `context.consent.gpc` of an event is the same."""
        if not self._properties or not (header or any(b"gpc" in record.body for record in records)):
            return []
        made: dict[SubjectId, Record] = {}
        asked: set[SubjectId] = set()
        for record in records:
            if header and record.subject in asked:
                continue
            asked.add(record.subject)
            event = decode(record.body)
            if header or _says(event.context):
                for one in self._ids(event):
                    if one[0] not in made and not self._known(one[0]):
                        made[one[0]] = self._record(*one, received)
        return list(made.values())

    def _ids(self, event: Event) -> Iterable[tuple[SubjectId, str, str]]:
        """The person and the device of an event: the signal holds for both (11 CCR 7025(c)(1))."""
        if event.user:
            yield self._pseudonyms.user(event.user), event.user, ""
        if event.anonymous:
            yield self._pseudonyms.anonymous(event.anonymous), "", event.anonymous

    def _record(self, subject: SubjectId, user: str, anonymous: str, received: Instant) -> Record:
        event = Event(
            kind=CONSENT, user=user, anonymous=anonymous, name="Sec-GPC", properties=self._properties
        )
        identity = EventId(f"heedful:gpc:{subject.hex()}:{received}")
        return Record(identity, subject, received, _UNSAID, _UNSAID, received, encode(event))


def _says(context: bytes) -> bool:
    try:
        said = msgspec.json.decode(context) if context else {}
    except (msgspec.DecodeError, RecursionError):
        return False
    consent = said.get("consent") if isinstance(said, dict) else None
    return isinstance(consent, dict) and consent.get("gpc") is True
