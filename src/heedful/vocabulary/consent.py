"""Consent in words: purposes, what people choose, what their browsers signal, and the record that proves it.

States, and the shape of the record, are those of ISO/IEC TS 27560:2023 (consent record information structure).
`standing_of` says what a set of choices comes to. It is here because two floors answer it: the view, from its own
columns, and the pure decision in `privacy.lawfulness`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from heedful.vocabulary.time import DAY, Instant

ALL = "*"
"""As a purpose in a choice: every purpose there is."""

BUILT_IN: tuple[str, ...] = (
    "personalization", "learning", "analytics", "experiments", "surveys", "social", "sharing",
)  # fmt: skip
"""The purposes that Heedful itself serves. A row of somebody's history says in a bit each, by the place here,
whether it may be used for it. Only ever append; there is room for seven."""

PERSONALIZATION, LEARNING, ANALYTICS, EXPERIMENTS, SURVEYS, SOCIAL, SHARING = (
    1 << place for place in range(7)
)
EVERY = 0x7F
"""All of their bits."""
CARRIES = 0x80
"""The bit of a row whose event brought consent or signals of its own: judging it anew takes its body."""
BITS = {name: 1 << place for place, name in enumerate(BUILT_IN)}

CONSENT = "consent"
"""The kind of event that our own SDK and preference centre send, and its name on the wire."""

NEVER = Instant(-(1 << 62))
"""Earlier than everything: no floor."""

FOREVER = Instant(1 << 62)
"""Later than everything."""

State = Literal[
    "requested", "given", "reconfirmed", "expired", "refused", "terminated", "invalidated", "withdrawn"
]
STATES: tuple[State, ...] = (
    "requested", "given", "reconfirmed", "expired", "refused", "terminated", "invalidated", "withdrawn",
)  # fmt: skip
"""By code. From `expired` on, a state denies, the higher the stricter. `requested` decides nothing."""

REQUESTED, GIVEN, RECONFIRMED, EXPIRED = range(4)

Mechanism = Literal["opt_in", "opt_out", "notice_only"]
Basis = Literal[
    "consent",
    "contract",
    "legal_obligation",
    "vital_interests",
    "public_task",
    "legitimate_interests",
    "notice",
]
"""Article 6(1) GDPR, and `notice` where a law asks for a notice and a way out only."""

Age = Literal["unknown", "child", "teen", "adult"]
"""child: below the age of consent to data processing where they are (13 in the US and the UK, 13 to 16 in the
EEA). teen: from there to 17. Kept as a bracket, so that no birth date is needed."""

Method = Literal[
    "accept", "reject", "save", "dismiss", "gpc", "individual_notice", "acknowledge", "script",
    "external_provider",
]  # fmt: skip
Origin = Literal["banner", "modal", "privacy_center", "api", "tcf", "headless"]
Speaker = Literal["self", "guardian", "agent"]

_WORD = re.compile(r"[a-z][a-z0-9_]{0,59}")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a purpose is allowed somewhere. basis: on which ground of law."""

    mechanism: Mechanism
    basis: Basis = "consent"


class Notice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The text people are shown. version: the current one. valid_from: choices made for an older one do not count.

    hash: SHA-256 of the text, hexadecimal, so that a record proves which words were read.
    """

    id: str = ""
    version: Annotated[int, Meta(ge=1, le=60_000)] = 1
    valid_from: Annotated[int, Meta(ge=1, le=60_000)] = 1
    hash: str = ""
    language: str = ""

    def __post_init__(self) -> None:
        if self.valid_from > self.version:
            raise ValueError("a notice's valid_from cannot be later than its version")


class Purpose(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why data is used, and under which rules.

    rules: by jurisdiction (`us-ca`, `us`, `eea`, `uk`, …) to rule; `*` for everywhere else, and must be there.
    dpv: the purpose in the W3C Data Privacy Vocabulary.
    profiling: it judges a person by their behaviour, so it is off for minors and for who objects.
    discloses: it sells, shares or serves cross-context advertising: what GPC and GPP opt out of.
    tcf: purposes of IAB TCF that all must be allowed.
    categories: names that consent platforms have for it; its own id always is one.
    special_category: Article 9 GDPR: explicit consent everywhere.
    retention_days: how long data is kept for it; 0 for as long as the log keeps it.
    """

    rules: dict[str, Rule]
    dpv: str = ""
    description: str = ""
    profiling: bool = False
    discloses: bool = False
    tcf: tuple[Annotated[int, Meta(ge=1, le=24)], ...] = ()
    categories: tuple[str, ...] = ()
    data_categories: tuple[str, ...] = ()
    special_category: bool = False
    recipients: tuple[str, ...] = ()
    retention_days: Annotated[int, Meta(ge=0)] = 0
    notice: Notice = Notice()

    def __post_init__(self) -> None:
        if "*" not in self.rules:
            raise ValueError("a purpose needs a rule for `*`, which holds wherever no other does")


class PrivacySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """jurisdiction: where people are when nothing says it; "" for unknown, which is the strictest of all rules.
    consent: `here`: what is recorded here decides, and unknown is no where the rule is opt-in. `elsewhere`: what
        reaches us was consented to under the operator's own tool, so that unknown is yes, while every refusal,
        withdrawal, signal, minor and carried no still holds. "" for `here` where a jurisdiction is set.
    strict_gpc: Global Privacy Control also stops first-party personalization.
    directed_to_children: an unknown age counts as a child's.
    purposes: your own, and replacements of ours, by id.
    """

    jurisdiction: str = ""
    consent: Literal["", "here", "elsewhere"] = ""
    strict_gpc: bool = False
    directed_to_children: bool = False
    purposes: dict[str, Purpose] = {}

    @property
    def declared(self) -> bool:
        """Whether the operator said where consent is kept: without it nothing is served to other machines."""
        return bool(self.consent or self.jurisdiction)

    @property
    def elsewhere(self) -> bool:
        """Whether an unknown choice counts as given; so also where nothing was declared, on this machine alone."""
        return self.consent == "elsewhere" or not self.declared

    def __post_init__(self) -> None:
        for name in self.purposes:
            if not _WORD.fullmatch(name):
                raise ValueError(
                    f"the purpose {name[:60]!r} must be 1 to 60 small letters, digits and _, a letter first"
                )


class ConsentChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One choice about one purpose (or ALL), or a lapse of one.

    received: our clock when it arrived: the order of choices. at: when it was made, from when a grant counts.
    expires: from then on it counts no more; 0 for never. notice: the version they read; 0 when not said.
    explicit: an express statement, as Article 9 asks for. guardian: spoken by who holds parental responsibility.
    """

    purpose: str
    state: State
    received: Instant
    at: Instant
    expires: Instant = Instant(0)
    notice: int = 0
    explicit: bool = False
    guardian: bool = False

    @property
    def denies(self) -> bool:
        return STATES.index(self.state) >= EXPIRED


class Standing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What somebody's choices about one purpose come to at a moment.

    state: of the choice in force, or "" where there is none.
    floor: nothing that happened before it counts, whatever is granted later; NEVER for no floor.
    since: a grant in force covers what happened at or after it; the floor where none is.
    expires, notice, explicit, guardian: of the grant in force; the strictest of those that arrived together.
    """

    state: State | Literal[""] = ""
    floor: Instant = NEVER
    since: Instant = NEVER
    expires: Instant = Instant(0)
    notice: int = 0
    explicit: bool = False
    guardian: bool = False

    @property
    def granted(self) -> bool:
        return self.state in ("given", "reconfirmed")

    @property
    def denied(self) -> bool:
        return bool(self.state) and not self.granted


def standing_of(changes: Iterable[ConsentChange], purpose: str, at: Instant) -> Standing:
    """What `changes`, all of one person, in any order, say about `purpose` at `at`.

    Choices order by when they arrived; where several arrived together the stricter wins. Whatever denies is a
    floor at its arrival, and so is the end of a grant that ran out while it was in force. A grant covers what
    happened since it was made, but nothing before the floor. DESIGN: "Consent orders by server receive time".
    """
    known = [
        (change.received, STATES.index(change.state), change)
        for change in changes
        if change.purpose in (purpose, ALL) and change.received <= at and change.state != "requested"
    ]
    state, floor, since, last = REQUESTED, NEVER, NEVER, NEVER
    expires, notice, explicit, guardian = Instant(0), 0, False, False
    for received, code, change in sorted(known, key=lambda one: one[:2]):
        if state in (GIVEN, RECONFIRMED) and 0 != expires <= received and received > last:
            floor, state = max(floor, expires), EXPIRED
        if code >= EXPIRED:
            floor = max(floor, received)
        elif state in (GIVEN, RECONFIRMED):
            since = max(floor, min(since, change.at))
        else:
            since = max(floor, change.at)
        if code < EXPIRED:
            together = received == last
            expires = _sooner(expires, change.expires) if together else change.expires
            notice = min(notice, change.notice) if together else change.notice
            explicit = change.explicit and (explicit or not together)
            guardian = change.guardian and (guardian or not together)
        state, last = code, received
    if state in (GIVEN, RECONFIRMED) and 0 != expires <= at:
        floor, state = max(floor, expires), EXPIRED
    if state == REQUESTED:
        return Standing()
    if state >= EXPIRED:
        return Standing(STATES[state], floor, floor)
    return Standing(STATES[state], floor, since, expires, notice, explicit, guardian)


def _sooner(one: Instant, other: Instant) -> Instant:
    return min(one, other) if one and other else Instant(one or other)


class Tcf(msgspec.Struct, frozen=True, gc=False):
    """What a TC string says for the site's own purposes. consents, interests: TCF purposes, 1 to 24.

    created, updated: the browser's clock, in tenths of a second.
    """

    created: Instant
    updated: Instant
    policy: int
    consents: frozenset[int]
    interests: frozenset[int]


class Gpp(msgspec.Struct, frozen=True, gc=False):
    """What a GPP string says. opted_out: of sale, sharing or targeted advertising anywhere, or of what we cannot
    read. gpc: its own word that Global Privacy Control was on. sections: ids, in order.
    """

    opted_out: bool = False
    gpc: bool = False
    sections: tuple[int, ...] = ()


class Unreadable(msgspec.Struct, frozen=True, gc=False):
    """A signal was there and we could not read it. why: for people."""

    why: str = ""


class Signals(msgspec.Struct, frozen=True, gc=False):
    """What came with one request or event; None where nothing did.

    carried: purposes to yes or no, from the event's own consent object.
    """

    gpc: bool = False
    tcf: Tcf | Unreadable | None = None
    gpp: Gpp | Unreadable | None = None
    carried: Mapping[str, bool] | Unreadable | None = None


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """Whether it is allowed, and why in one stable word. since: what happened before it does not count."""

    allowed: bool
    why: str
    since: Instant = NEVER


class Controller(msgspec.Struct, frozen=True, kw_only=True):
    """Who is responsible, and how to reach them."""

    name: str = ""
    contact: str = ""


class RecordedPurpose(msgspec.Struct, frozen=True, kw_only=True):
    """A purpose as it was when somebody chose."""

    purpose_id: str
    dpv: str = ""
    data_categories: tuple[str, ...] = ()
    special_category: bool = False
    necessity: str = "optional"
    legal_basis: str = ""
    recipients: tuple[str, ...] = ()
    storage: str = ""
    processing_locations: tuple[str, ...] = ()
    jurisdiction: str = ""
    withdrawal_method: str = ""


class RecordedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody did. time: RFC 3339. duration: until when, RFC 3339, or "" for no end."""

    purpose_id: str
    state: State
    type: Literal["explicit", "expressed"] = "expressed"
    time: str
    duration: str = ""
    expressed_by: Speaker = "self"
    method: Method = "save"


class ConsentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The proof of a choice, in the shape of ISO/IEC TS 27560. The ledger keeps it.

    subject: the pseudonym, hexadecimal; no raw id. signals: as sent. ua: encrypted by the caller, or "".
    prev_record_hash: the entry before it in the ledger, hexadecimal, which the ledger's chain vouches for.
    """

    schema_version: str = "heedful-consent-1"
    record_id: str
    subject: str
    tenant: str = ""
    notice: Notice = Notice()
    purposes: tuple[RecordedPurpose, ...]
    controller: Controller = Controller()
    events: tuple[RecordedEvent, ...]
    origin: Origin = "api"
    served_notice_id: str = ""
    user_geography: str = ""
    signals: dict[str, Any] = {}
    conflicts_with_gpc: bool = False
    anonymized_ip: str = ""
    ua: str = ""
    prev_record_hash: str = ""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a person takes home: a header, a copy of their record, and our signature over both."""

    schema_version: str = "heedful-receipt-1"
    receipt_id: str
    record_id: str
    created: str
    record: ConsentRecord
    algorithm: str = ""
    key_id: str = ""
    signature: str = ""


TCF_LIFE = 13 * 30 * DAY
"""A TC string counts for thirteen months of thirty days after it was updated (IAB TCF, cookie max-age)."""
