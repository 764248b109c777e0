"""A person's rights in words: who is meant, what they may ask, and where a request stands."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import msgspec

from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import Instant


class Someone(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One person by the ids that events carry: a user id, anonymous ids, or both."""

    user_id: str = ""
    anonymous_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        ids = [*([self.user_id] if self.user_id else []), *self.anonymous_ids]
        if not ids or len(ids) > 100 or not all(1 <= len(one) <= 200 for one in ids):
            raise ValueError("name a userId or up to 100 anonymousIds, each of 1 to 200 characters")


class Selection(msgspec.Struct, frozen=True):
    """What is to be forgotten: everything of these subjects, or only some events of theirs.

    since, before: event times, None for no bound. events: ids of events; () for all. request: why, an id of a
    request.
    """

    subjects: tuple[SubjectId, ...]
    since: Instant | None = None
    before: Instant | None = None
    events: tuple[str, ...] = ()
    request: str = ""


Regulation: TypeAlias = Literal["gdpr", "ccpa"]
Verb: TypeAlias = Literal[
    "access", "portability", "rectify", "restrict", "object", "erasure", "opt_out", "limit"
]
VERBS: tuple[Verb, ...] = get_args(Verb)
Status: TypeAlias = Literal[
    "received", "identity_pending", "approved", "denied", "running", "partial", "done", "failed", "cancelled"
]
Proof: TypeAlias = Literal["pending", "verified", "failed"]

FINAL: frozenset[Status] = frozenset({"denied", "done", "cancelled"})
MOVES: dict[Status, frozenset[Status]] = {
    "received": frozenset({"identity_pending", "approved", "denied", "cancelled"}),
    "identity_pending": frozenset({"approved", "denied", "cancelled"}),
    "approved": frozenset({"running", "denied", "cancelled"}),
    "running": frozenset({"partial", "done", "failed"}),
    "partial": frozenset({"running", "done", "failed"}),
    "failed": frozenset({"running", "denied"}),
    "denied": frozenset(),
    "done": frozenset(),
    "cancelled": frozenset(),
}
"""Where a request may go from where it stands. What is final stays."""

DENIALS = ("identity", "no_match", "excessive", "unfounded", "exempt", "outside_jurisdiction")
"""Why a request may be denied: a closed list, so that nothing of a person gets into the request log that way."""


class RightsRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One request as it stands. It holds pseudonyms and no raw id, so that the log of requests may outlive an
    erasure.

    subjects: pseudonyms in hexadecimal digits. reference: whoever sent it may name it, as OpenDSR does; ""
    for none.
    proof: whether they are who they say. Nothing personal leaves and nothing is changed before it is `verified`.
    received, confirmed, extended, closed, moved: RFC 3339 in UTC, "" for not yet. due: when it must be
    answered by.
    confirm_by: when its receipt must be confirmed by, "" where the law does not ask.
    reason: of a denial, one of `DENIALS`; of an extension, in words. evidence: what each step came to.
    outcome: the id of a receipt of a forgetting, or what was done, in a word.
    callbacks: addresses that are told of changes.
    """

    id: str
    regulation: Regulation
    verb: Verb
    subjects: tuple[str, ...]
    status: Status
    proof: Proof
    received: str
    due: str
    confirm_by: str = ""
    confirmed: str = ""
    extended: str = ""
    moved: str = ""
    closed: str = ""
    reason: str = ""
    reference: str = ""
    outcome: str = ""
    evidence: tuple[str, ...] = ()
    callbacks: tuple[str, ...] = ()
    version: int = 0

    @property
    def open(self) -> bool:
        return self.status not in FINAL
