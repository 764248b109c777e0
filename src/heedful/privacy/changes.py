"""Consent calls of four kinds, read as changes: ours, Segment's, Unomi's, and Global Privacy Control.

One pure function from a stored event to changes, so that the view folds the same choices from the log at any time.
Nothing here raises on what is stored: where a call is about consent and cannot be read, it is a refusal. The door
asks `check` first, which names what is wrong, so that a sender hears of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from heedful.privacy.purposes import Purposes
from heedful.privacy.signals import preferences_of
from heedful.vocabulary.consent import ALL, CONSENT, ConsentChange, Method, Origin, Speaker, State, Unreadable
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.event import Event
from heedful.vocabulary.time import DAY, MILLISECOND, Instant, instant

SEGMENT = "Segment Consent Preference Updated"
UNOMI = "modifyConsent"

_STATUS: Mapping[str, State] = {"GRANTED": "given", "DENIED": "refused", "REVOKED": "withdrawn"}
_LONGEST_LIFE = 3_650


class Choice(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Our own call, `POST /v1/consent`, and the properties of the event `consent` that keeps it.

    choices: purposes (or `*`) to true, false or a state. expires_in_days: for grants; 0 for no end.
    notice_version: what they read; 0 for not said.
    """

    choices: dict[str, bool | State]
    expires_in_days: Annotated[int, Meta(ge=0, le=_LONGEST_LIFE)] = 0
    notice_version: Annotated[int, Meta(ge=0, le=60_000)] = 0
    explicit: bool = False
    by: Speaker = "self"
    method: Method = "save"
    origin: Origin = "api"
    served_notice_id: Annotated[str, Meta(max_length=200)] = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.choices) <= 64:
            raise ValueError("name 1 to 64 purposes")


_read_choice = msgspec.json.Decoder(Choice).decode

Reader = Callable[[Event, Instant, Instant], tuple[ConsentChange, ...]]
"""`changes_of` with the registry in it: from an event, its time and its arrival, as the fold would call it."""


def check(properties: bytes, purposes: Purposes) -> Choice:
    """Our own call as it must be. Raises Invalid (`consent_invalid`, `purpose_unknown`) with the place."""
    try:
        choice = _read_choice(properties)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid("consent_invalid", f"this is no consent call: {error}", path="properties") from error
    for purpose in choice.choices:
        if purpose != ALL and purpose not in purposes:
            known = ", ".join(purposes)
            raise Invalid(
                "purpose_unknown", f"there is no purpose {purpose[:60]!r}; there are {known}", path="choices"
            )
    return choice


def reader(purposes: Purposes) -> Reader:
    """`changes_of` for one registry."""
    return lambda event, at, received: changes_of(event, at, received, purposes)


def changes_of(event: Event, at: Instant, received: Instant, purposes: Purposes) -> tuple[ConsentChange, ...]:
    """The choices in `event`, which happened at `at` and arrived at `received`; () where it makes none."""
    if event.kind == CONSENT:
        return _own(event.properties, at, received, purposes)
    if event.name == SEGMENT:
        return _segment(event.context, at, received, purposes)
    if event.name == UNOMI:
        return _unomi(event.properties, at, received, purposes)
    return ()


def gpc_changes(at: Instant, received: Instant, purposes: Purposes) -> tuple[ConsentChange, ...]:
    """The choices that `Sec-GPC: 1` makes for whoever sent it: no to every purpose that discloses.

    It holds for the device and the profiles linked to it (11 CCR 7025(c)(1)), so it is kept and not only heeded.
    """
    return tuple(
        ConsentChange(name, "refused", received, at)
        for name, purpose in purposes.items()
        if purpose.discloses
    )


def _refusal(purposes: Iterable[str], at: Instant, received: Instant) -> tuple[ConsentChange, ...]:
    return tuple(ConsentChange(purpose, "refused", received, at) for purpose in purposes)


def _own(properties: bytes, at: Instant, received: Instant, purposes: Purposes) -> tuple[ConsentChange, ...]:
    try:
        choice = _read_choice(properties)
    except (msgspec.DecodeError, RecursionError):
        return _refusal((ALL,), at, received)
    expires = Instant(at + choice.expires_in_days * DAY if choice.expires_in_days else 0)
    return tuple(
        ConsentChange(
            purpose=purpose,
            state=state,
            received=received,
            at=at,
            expires=expires if state in ("given", "reconfirmed") else Instant(0),
            notice=choice.notice_version,
            explicit=choice.explicit,
            guardian=choice.by == "guardian",
        )
        for purpose, said in sorted(choice.choices.items())
        if purpose == ALL or purpose in purposes
        for state in (_state(said),)
    )


def _state(said: bool | State) -> State:
    if isinstance(said, bool):
        return "given" if said else "refused"
    return said


def _segment(context: bytes, at: Instant, received: Instant, purposes: Purposes) -> tuple[ConsentChange, ...]:
    """ "Segment Consent Preference Updated": of all events this one changes what is kept of a person."""
    consent = _object(context).get("consent")
    said = preferences_of(consent.get("categoryPreferences") if isinstance(consent, dict) else "", purposes)
    if said is None or isinstance(said, Unreadable):
        return _refusal((ALL,), at, received)
    return tuple(
        ConsentChange(purpose, "given" if yes else "refused", received, at) for purpose, yes in said.items()
    )


def _unomi(
    properties: bytes, at: Instant, received: Instant, purposes: Purposes
) -> tuple[ConsentChange, ...]:
    """`modifyConsent`: a type that names a purpose of ours, a status, since when, and until when."""
    consent = _object(properties).get("consent")
    if not isinstance(consent, dict):
        return _refusal((ALL,), at, received)
    kind = consent.get("typeIdentifier")
    if not isinstance(kind, str):
        return _refusal((ALL,), at, received)
    names = purposes.called(kind)
    status = consent.get("status")
    state = _STATUS.get(status) if isinstance(status, str) else None
    try:
        since, until = _date(consent.get("statusDate")), _date(consent.get("revokeDate"))
    except ValueError:
        return _refusal(names, at, received)
    if state is None:
        return _refusal(names, at, received)
    if state != "given":
        return tuple(ConsentChange(name, state, received, at) for name in names)
    return tuple(
        ConsentChange(name, state, received, at if since is None else since, Instant(until or 0))
        for name in names
    )


def _date(said: Any) -> Instant | None:
    """A date of Unomi: ISO 8601, or milliseconds since 1970. Raises ValueError."""
    if said is None:
        return None
    if isinstance(said, str):
        return instant(datetime.fromisoformat(said))
    if type(said) is int and abs(said) < 1 << 50:
        return Instant(said * MILLISECOND)
    raise ValueError("no date")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        said = msgspec.json.decode(raw) if raw else {}
    except (msgspec.DecodeError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
