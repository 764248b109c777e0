"""What a request does: choices that stand, and forgetting.

Restriction, objection and opting out are choices, so they are kept as every choice is: as events `consent` of the
person, in the log, from which the gates read them. So they hold on every replica, are in the person's own
file, and are gone with the person. Forgetting is another's work (`Forgets`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from heedful.log.codec import encode
from heedful.log.commit import GroupCommit
from heedful.pipeline.less import CATEGORY
from heedful.privacy.purposes import Purposes
from heedful.vocabulary.consent import ALL, CONSENT, State
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.event import Event, Line, Record
from heedful.vocabulary.ids import EventId, SubjectId
from heedful.vocabulary.kinds import HIDE
from heedful.vocabulary.outcome import Done
from heedful.vocabulary.rights import Selection, Verb
from heedful.vocabulary.time import Clock, Instant


class Forgets(Protocol):
    """Forgets a selection and proves it."""

    def forget(self, selection: Selection, done: Done[str]) -> None:
        """Forget it; `done` gets the id of the receipt once nothing of it is served any more. Idempotent."""


class Acts:
    """Writes what a person, or who acts for them, has decided."""

    def __init__(self, commits: GroupCommit, purposes: Purposes, forgets: Forgets, clock: Clock) -> None:
        self._commits = commits
        self._purposes = purposes
        self.forgets = forgets
        self._clock = clock

    def choices_of(self, verb: Verb) -> Mapping[str, State]:
        """The standing choices that a request comes to; none for one that is no choice.

        restrict: everything; data is only stored. object: what profiles. opt_out: what sells, shares or serves
        advertising elsewhere. limit: what uses special categories, and what discloses.
        """
        purposes = self._purposes.items()
        if verb == "restrict":
            return {ALL: "withdrawn"}
        if verb == "object":
            return {name: "withdrawn" for name, purpose in purposes if purpose.profiling}
        if verb == "opt_out":
            return {name: "refused" for name, purpose in purposes if purpose.discloses}
        if verb == "limit":
            return {n: "refused" for n, purpose in purposes if purpose.special_category or purpose.discloses}
        return {}

    def choose(
        self,
        subjects: Sequence[SubjectId],
        choices: Mapping[str, State | bool],
        name: str,
        done: Done[str],
        **more: Any,
    ) -> None:
        """Keep `choices` for each of `subjects`, under event ids that begin with `name`: doing it twice adds
        nothing.

        more: other fields of a choice, in wire form. `done` gets the name once they are durable and in force.
        """
        properties = msgspec.json.encode({"choices": choices, "method": "save", **more})
        event = Event(kind=CONSENT, name=CONSENT, properties=properties)
        self._submit(
            [(subject, event, f"heedful:{name}-{n}") for n, subject in enumerate(subjects)], name, done
        )

    def hide(
        self, subject: SubjectId, item: str, name: str, done: Done[str], *, category: bool = False
    ) -> None:
        """Let `subject` not see `item` (a category's name, where `category`) from their next answer on."""
        line = Line(f"{CATEGORY}{item}" if category else item)
        self._submit(
            [(subject, Event(kind=HIDE, lines=(line,), name="Less like this"), f"heedful:{name}")], name, done
        )

    def _submit(self, facts: Sequence[tuple[SubjectId, Event, str]], name: str, done: Done[str]) -> None:
        now = self._clock.now()
        records = [
            Record(EventId(key), subject, now, now, Instant(0), now, encode(event))
            for subject, event, key in facts
        ]

        def kept(outcome: object) -> None:
            done(outcome if isinstance(outcome, HeedfulError) else name)

        self._commits.submit(records, kept)
