"""What the person themself may see and decide, once a token proved who they are. Nothing here takes anybody else's
id: the caller passes the pseudonyms of the proven ids, and whatever is not under one of them does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import msgspec

from heedful.pipeline.less import CATEGORY
from heedful.privacy.changes import Reader, check
from heedful.privacy.purposes import Purposes
from heedful.services.disclose import Disclose
from heedful.services.rights.acts import Acts
from heedful.services.rights.requests import Requests
from heedful.views.dictionary import MISSING
from heedful.views.fold import Fold
from heedful.views.index import FoldReader
from heedful.vocabulary.consent import ConsentChange, standing_of
from heedful.vocabulary.errors import HeedfulError, Invalid, NotFound
from heedful.vocabulary.event import Event, Position
from heedful.vocabulary.ids import EventId, SubjectId
from heedful.vocabulary.outcome import Done
from heedful.vocabulary.recall import RecalledDecision
from heedful.vocabulary.rights import RightsRequest, Selection
from heedful.vocabulary.time import Clock

RECENT = 50


class Choice(msgspec.Struct, frozen=True, rename="camel"):
    """What holds for one purpose. state: of the choice in force, "" for none. for_what: in plain words."""

    purpose: str
    for_what: str
    state: str
    ask_again: bool


class Known(msgspec.Struct, frozen=True, rename="camel"):
    """What is known of the person who asks, in plain words. events: the newest, as the export has them."""

    summary: str
    profile: dict[str, Any]
    choices: list[Choice]
    hidden_categories: list[str]
    events: list[dict[str, Any]]


class Me:
    """The service."""

    def __init__(
        self,
        *,
        fold: Fold,
        index: FoldReader,
        disclose: Disclose,
        acts: Acts,
        requests: Requests,
        purposes: Purposes,
        changes: Reader,
        decode: Callable[[bytes], Event],
        clock: Clock,
    ) -> None:
        self._fold = fold
        self._index = index
        self._disclose = disclose
        self._acts = acts
        self._requests = requests
        self._purposes = purposes
        self._changes = changes
        self._decode = decode
        self._clock = clock

    def known(self, subjects: Sequence[SubjectId]) -> Known:
        """What we know of them, and what they chose."""
        profile = self._disclose.profile(subjects)
        hidden = [item.removeprefix(CATEGORY) for item in profile["hiddenItems"] if item.startswith(CATEGORY)]
        profile["hiddenItems"] = [item for item in profile["hiddenItems"] if not item.startswith(CATEGORY)]
        places = sorted(place for subject in subjects for place in self._newest(subject))
        events = self._disclose.recent(subjects, places, RECENT)
        return Known(_in_words(profile), profile, self._choices(subjects), sorted(hidden), events)

    def why(self, subjects: Sequence[SubjectId], found: RecalledDecision | HeedfulError) -> RecalledDecision:
        """Why something was shown to them, from a decision that was looked up. Raises NotFound, for anybody else's
        as for one that there is not, and what the looking up came to."""
        if isinstance(found, HeedfulError) and not isinstance(found, NotFound):
            raise found
        if isinstance(found, HeedfulError) or found.subject not in {subject.hex() for subject in subjects}:
            raise NotFound("there is no such decision of yours")
        return msgspec.structs.replace(found, considered=[], seed="", position="")

    def less(
        self, subjects: Sequence[SubjectId], *, item: str = "", category: str = "", done: Done[str]
    ) -> None:
        """Show them an item, or a category, no more. Raises Invalid unless just one is named."""
        named = item or category
        if bool(item) == bool(category) or len(named) > 180 or "\0" in named:
            raise Invalid(
                "less_invalid", "name an itemId or a category, of at most 180 characters", path="itemId"
            )
        self._acts.hide(subjects[0], named, f"less-{uuid4().hex}", done, category=bool(category))

    def choose(self, subjects: Sequence[SubjectId], choice: bytes, done: Done[str]) -> None:
        """Keep their choice, as `POST /v1/consent` takes it. Raises Invalid."""
        checked = check(choice, self._purposes)
        said = {
            "expiresInDays": checked.expires_in_days, "noticeVersion": checked.notice_version,
            "explicit": checked.explicit, "origin": "privacy_center",
        }  # fmt: skip
        self._acts.choose(subjects, checked.choices, f"me-{uuid4().hex}", done, **said)

    def forget_event(self, subjects: Sequence[SubjectId], event: str, done: Done[str]) -> None:
        """Forget one event of theirs, by `source:messageId`. Raises NotFound, for anybody else's too."""
        stored = self._fold.find(EventId(event))
        if stored is None or stored.record.subject not in subjects:
            raise NotFound("there is no such event of yours")
        self._acts.forgets.forget(Selection((stored.record.subject,), events=(event,)), done)

    def forget(self, subjects: Sequence[SubjectId], done: Done[RightsRequest]) -> None:
        """Forget them. The request and its outcome are kept, by pseudonym."""
        made = self._requests.create("erasure", subjects, proof="verified", author="the person")
        self._requests.carry_out(made.id, author="the person", done=done)

    def _choices(self, subjects: Sequence[SubjectId]) -> list[Choice]:
        now = self._clock.now()
        changes = self._all_changes(subjects)
        free = all(self._requests.may_ask(subject) for subject in subjects)
        return [
            Choice(
                name, purpose.description, standing.state, free or standing.granted or not purpose.discloses
            )
            for name, purpose in self._purposes.items()
            for standing in (standing_of(changes, name, now),)
        ]

    def _all_changes(self, subjects: Sequence[SubjectId]) -> list[ConsentChange]:
        fold = self._fold
        found: list[ConsentChange] = []
        kinds = [code for name, code in fold.kinds.codes.items() if "consent" in name]
        for subject in subjects:
            code = fold.subjects.find(subject)
            if code == MISSING:
                continue
            past = fold.history.rows(code)
            spoke = {int(print_) for kind in kinds for print_ in past.fingerprint[past.kind == kind]}
            for stored in self._index.under(spoke):
                if stored.record.subject == subject:
                    event = self._decode(stored.record.body)
                    found += self._changes(event, stored.record.at, stored.record.received)
        return found

    def _newest(self, subject: SubjectId) -> list[Position]:
        code = self._fold.subjects.find(subject)
        if code == MISSING:
            return []
        prints = [int(one) for one in self._fold.history.fingerprints(code)[-RECENT:]]
        return [stored.position for stored in self._index.under(prints)]


def _in_words(profile: Mapping[str, Any]) -> str:
    if profile["firstSeen"] is None:
        return "We know nothing about you."
    kinds = ", ".join(f"{count} of {name}" for name, count in profile["eventsByKind"].items())
    interests = ", ".join(one["category"] for one in profile["interests"][:5])
    likes = f" You looked most at: {interests}." if interests else ""
    return (
        f"We know what you did here from {profile['firstSeen'][:10]} to {profile['lastSeen'][:10]}: {kinds}."
        f"{likes} You have {len(profile['ownedItems'])} items and hid {len(profile['hiddenItems'])}."
    )
