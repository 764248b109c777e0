"""A request to forget, checked, in terms of pseudonyms."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from heedful.log.selection import BEGINNING, END
from heedful.services.forget.erasures import NEVER_AGAIN, Accepted, Named
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.erasure import FOREVER, OFF, ForgetRequest
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import Instant, instant

MAX_NAME = 200
MAX_ALIASES = 1_000


def accepted(request: ForgetRequest, erasure: str, number: int, pseudonyms: Pseudonyms) -> Accepted:
    """What the ledger keeps of `request`. Raises Invalid, naming the field."""
    pairs = _ids(request)
    since, until = _time(request.since, "since", BEGINNING), _time(request.until, "until", END)
    if not pairs and not request.source:
        raise Invalid(
            "subject_missing", "say whom to forget: userId or anonymousId, or a source", path="userId"
        )
    if request.source and pairs:
        raise Invalid("request_invalid", "a source is forgotten of everybody: name no person", path="source")
    if len(request.source) > MAX_NAME or ":" in request.source:
        raise Invalid("request_invalid", "a source is a name without a colon", path="source")
    if since >= until:
        raise Invalid("request_invalid", "since must be before until", path="since")
    whole = not request.source and (since, until) == (BEGINNING, END)
    people, subjects = [], []
    for user, anonymous in pairs:
        first = pseudonyms.first(user=user, anonymous=anonymous)
        generation = pseudonyms.generation(first)
        people.append(Named(first.hex(), generation))
        subjects.append(pseudonyms.later(first, generation).hex())
    return Accepted(
        erasure, number, tuple(people), tuple(subjects), request.source, int(since), int(until),
        _suppressed(request.suppress) if whole else 0,
    )  # fmt: skip


def of_subjects(
    subjects: Sequence[SubjectId], since: Instant, until: Instant, erasure: str, number: int,
    pseudonyms: Pseudonyms,
) -> Accepted:  # fmt: skip
    """What the ledger keeps where the pseudonyms of today are known, and not the ids."""
    people = []
    for subject in subjects:
        first = pseudonyms.origin(subject)
        people.append(Named(first.hex(), pseudonyms.generation(first)))
    whole = (since, until) == (BEGINNING, END)
    return Accepted(
        erasure, number, tuple(people), tuple(subject.hex() for subject in subjects), "", int(since), int(until),
        NEVER_AGAIN if whole else 0,
    )  # fmt: skip


def returned(person: Named, pseudonyms: Pseudonyms) -> SubjectId:
    """Whom somebody is who comes back after this forgetting."""
    return pseudonyms.later(SubjectId(bytes.fromhex(person.first)), person.generation + 1)


def _ids(request: ForgetRequest) -> list[tuple[str, str]]:
    if len(request.aliases) > MAX_ALIASES:
        raise Invalid("request_invalid", f"at most {MAX_ALIASES} aliases at a time", path="aliases")
    named = [("userId", request.user_id, ""), ("anonymousId", "", request.anonymous_id)]
    for place, alias in enumerate(request.aliases):
        if (alias.user_id is None) == (alias.anonymous_id is None):
            raise Invalid(
                "request_invalid", "an alias is a userId or an anonymousId", path=f"aliases[{place}]"
            )
        named.append((f"aliases[{place}]", alias.user_id or "", alias.anonymous_id or ""))
    found: dict[tuple[str, str], None] = {}
    for path, user, anonymous in named:
        name = user or anonymous or ""
        if len(name) > MAX_NAME:
            raise Invalid("id_too_long", f"an id has at most {MAX_NAME} characters", path=path)
        if name:
            found[user or "", anonymous or ""] = None
    return [*found]


def _time(said: str, path: str, otherwise: Instant) -> Instant:
    if not said:
        return otherwise
    try:
        return instant(msgspec.convert(said, datetime))
    except msgspec.ValidationError as error:
        raise Invalid("request_invalid", f"{path} is an RFC 3339 time: {error}", path=path) from error


def _suppressed(said: str) -> int:
    if said == FOREVER:
        return NEVER_AGAIN
    return 0 if said == OFF else int(_time(said, "suppress", Instant(0)))
