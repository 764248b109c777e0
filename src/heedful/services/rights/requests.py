"""The requests that people make of their rights: kept with every step, clocked, and carried out.

Whether somebody is known is never looked up when a request is taken: an unknown person, a known one and a
wrong proof get the same answer from the same work. What is kept names pseudonyms only. A request is a
definition in the records, so every step is a version of it that stays, with who did it and when.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from uuid import uuid4

import msgspec

from heedful.privacy.deadlines import KEPT_MONTHS, NO_ASKING, day_of, deadlines, end_of, months_after
from heedful.records.records import Definition, Draft, Records
from heedful.services.rights.acts import Acts
from heedful.vocabulary.errors import HeedfulError, Invalid, NotFound
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.outcome import Done
from heedful.vocabulary.rights import (
    DENIALS,
    MOVES,
    Proof,
    Regulation,
    RightsRequest,
    Selection,
    Status,
    Verb,
)
from heedful.vocabulary.time import Clock, Instant, instant, iso

KIND = "rights_request"
MOST_EVIDENCE = 50


class Step(msgspec.Struct, frozen=True, rename="camel"):
    """One version of a request: who wrote it, when, and what it said."""

    author: str
    at: str
    note: str
    request: RightsRequest


class Alarms(msgspec.Struct, frozen=True):
    """How many requests are open, past their day, and not confirmed in time."""

    open: int = 0
    overdue: int = 0
    unconfirmed: int = 0


class Requests:
    """The service. changed: told of every request that came to another status; set by whoever wants to know."""

    def __init__(self, records: Records, acts: Acts, clock: Clock) -> None:
        self._records = records
        self._acts = acts
        self._clock = clock
        self.changed: Callable[[RightsRequest], None] = lambda _: None
        self._expired: date | None = None
        self._alarms: tuple[int, int, Alarms] | None = None

    def create(
        self,
        verb: Verb,
        subjects: Sequence[SubjectId],
        *,
        regulation: Regulation = "gdpr",
        proof: Proof = "pending",
        author: str,
        reference: str = "",
        identity: str = "",
        callbacks: Sequence[str] = (),
    ) -> RightsRequest:
        """Take a request. identity: its id, made when left out. Raises Conflict for an id that is taken,
        Invalid."""
        if not subjects:
            raise Invalid(
                "subject_missing", "say whose data it is about: userId or anonymousIds", path="subject"
            )
        now = self._clock.now()
        last = deadlines(regulation, verb, day_of(now))
        made = RightsRequest(
            id=identity or str(uuid4()), regulation=regulation, verb=verb,
            subjects=tuple(subject.hex() for subject in subjects),
            status="received" if proof == "verified" else "identity_pending", proof=proof, received=iso(now),
            due=last.due.isoformat(), confirm_by="" if last.confirm is None else last.confirm.isoformat(),
            reference=reference, callbacks=tuple(callbacks),
        )  # fmt: skip
        return self._put(made, author, "received", expected=0)

    def get(self, identity: str) -> RightsRequest:
        """One request. Raises NotFound."""
        found = self._records.current(KIND, identity)
        if found is None:
            raise NotFound("there is no such request")
        return _request(found)

    def every(self, *, open_only: bool = False) -> list[RightsRequest]:
        """Every request, the one that is due first first."""
        found = [_request(one) for one in self._records.list(KIND)]
        return sorted((one for one in found if one.open or not open_only), key=lambda one: (one.due, one.id))

    def steps(self, identity: str) -> list[Step]:
        """Everything that was done about a request, oldest first. Raises NotFound."""
        versions = self._records.versions(KIND, identity, limit=1_000)
        if not versions:
            raise NotFound("there is no such request")
        return [
            Step(one.author, iso(one.created), one.note, _request(one))
            for one in reversed(versions)
            if one.body
        ]

    def prove(self, identity: str, *, proven: bool, author: str, evidence: str = "") -> RightsRequest:
        """Say whether they are who they say. Only what is open can be proven. Raises NotFound, Invalid."""
        kept = self._open(identity)
        status: Status = kept.status if kept.status != "identity_pending" or not proven else "approved"
        changed = msgspec.structs.replace(kept, proof="verified" if proven else "failed", status=status)
        return self._put(_noted(changed, evidence), author, "proof", expected=kept.version)

    def confirm(self, identity: str, *, author: str) -> RightsRequest:
        """Their receipt of the request was confirmed to them."""
        kept = self._open(identity)
        changed = msgspec.structs.replace(kept, confirmed=kept.confirmed or iso(self._clock.now()))
        return self._put(changed, author, "confirmed", expected=kept.version)

    def extend(self, identity: str, *, reason: str, author: str) -> RightsRequest:
        """Put the day off as far as the law lets, once, told to the person with the reason before the first day is
        over. Raises Invalid, NotFound."""
        kept = self._open(identity)
        last = deadlines(kept.regulation, kept.verb, day_of(_instant(kept.received)))
        if not reason.strip():
            raise Invalid(
                "reason_missing", "an extension needs the reason that the person was told", path="reason"
            )
        if last.extended is None or kept.extended:
            raise Invalid("not_extensible", "this request cannot be put off (again)", path="extend")
        if self._clock.now() >= end_of(last.due):
            raise Invalid("not_extensible", "the day is over; it had to be put off before", path="extend")
        changed = msgspec.structs.replace(
            kept, due=last.extended.isoformat(), extended=iso(self._clock.now()), reason=reason[:500]
        )
        return self._put(changed, author, "extended", expected=kept.version)

    def move(
        self,
        identity: str,
        to: Status,
        *,
        author: str,
        reason: str = "",
        evidence: str = "",
        outcome: str = "",
    ) -> RightsRequest:
        """Bring a request to another status. Raises NotFound, Invalid (`move_invalid`, `not_proven`,
        `reason_missing`), Conflict."""
        kept = self.get(identity)
        if to not in MOVES[kept.status]:
            there = ", ".join(sorted(MOVES[kept.status])) or "nowhere: it is final"
            raise Invalid("move_invalid", f"a request that is {kept.status} goes {there}", path="status")
        if to in ("approved", "running") and kept.proof != "verified":
            raise Invalid("not_proven", "nothing is done before the identity is verified", path="status")
        if to == "denied" and reason not in DENIALS:
            raise Invalid("reason_missing", f"a denial is one of {', '.join(DENIALS)}", path="reason")
        now = iso(self._clock.now())
        changed = msgspec.structs.replace(
            kept, status=to, moved=now, reason=reason if to == "denied" else kept.reason,
            outcome=outcome or kept.outcome, closed=now if not MOVES[to] else "",
        )  # fmt: skip
        moved = self._put(_noted(changed, evidence), author, to, expected=kept.version)
        self.changed(moved)
        return moved

    def carry_out(self, identity: str, *, author: str, done: Done[RightsRequest]) -> None:
        """Do what a request asks that a program can do: choices and forgetting. Access is fetched as a file and
        rectification is done where the data comes from; both only begin here.

        Safe to repeat after a crash. Raises as `move` does.
        """
        kept = self.get(identity)
        if kept.status != "running":
            if kept.status in ("received", "identity_pending") and kept.proof == "verified":
                self.move(identity, "approved", author=author)
            kept = self.move(identity, "running", author=author)
        subjects = tuple(SubjectId(bytes.fromhex(one)) for one in kept.subjects)

        def finished(outcome: str | HeedfulError) -> None:
            try:
                if isinstance(outcome, HeedfulError):
                    self.move(identity, "failed", author=author, evidence=outcome.code)
                    done(outcome)
                else:
                    done(self.move(identity, "done", author=author, outcome=outcome))
            except HeedfulError as error:
                done(error)

        if kept.verb == "erasure":
            self._acts.forgets.forget(Selection(subjects, request=identity), finished)
        elif choices := self._acts.choices_of(kept.verb):
            self._acts.choose(subjects, choices, f"rights-{identity}", finished)
        else:
            done(kept)

    def may_ask(self, subject: SubjectId) -> bool:
        """Whether somebody may be asked to take an opt-out back: not within twelve months after one."""
        today, name = day_of(self._clock.now()), subject.hex()
        return not any(
            one.verb in ("opt_out", "limit")
            and one.status == "done"
            and name in one.subjects
            and today < months_after(day_of(_instant(one.closed)), NO_ASKING)
            for one in self.every()
        )

    def alarms(self) -> Alarms:
        """What is open and late. Cheap: read again when something changed or the day turned."""
        now = self._clock.now()
        today, revision = day_of(now).toordinal(), self._records.revision()
        if self._alarms is None or self._alarms[:2] != (today, revision):
            waiting = self.every(open_only=True)
            day = day_of(now).isoformat()
            late = sum(one.due < day for one in waiting)
            silent = sum(
                bool(one.confirm_by) and not one.confirmed and one.confirm_by < day for one in waiting
            )
            self._alarms = today, revision, Alarms(len(waiting), late, silent)
        return self._alarms[2]

    def expire(self) -> int:
        """Take requests off the list that were closed 24 months ago; returns how many. Looks once a day."""
        today, gone = day_of(self._clock.now()), 0
        if self._expired == today:
            return 0
        self._expired = today
        for one in self.every():
            if one.closed and months_after(day_of(_instant(one.closed)), KEPT_MONTHS) < today:
                self._records.put(
                    Draft(KIND, one.id, b"", "heedful", self._clock.now(), "kept 24 months", "delete"),
                    expected=one.version,
                )
                gone += 1
        return gone

    def _open(self, identity: str) -> RightsRequest:
        kept = self.get(identity)
        if not kept.open:
            raise Invalid("move_invalid", f"the request is {kept.status}, which is final", path="status")
        return kept

    def _put(self, request: RightsRequest, author: str, note: str, *, expected: int) -> RightsRequest:
        body = msgspec.json.encode(msgspec.structs.replace(request, version=0))
        draft = Draft(KIND, request.id, body, author, self._clock.now(), note)
        return _request(self._records.put(draft, expected=expected))


def _request(kept: Definition) -> RightsRequest:
    return msgspec.structs.replace(msgspec.json.decode(kept.body, type=RightsRequest), version=kept.version)


def _noted(request: RightsRequest, evidence: str) -> RightsRequest:
    if not evidence:
        return request
    return msgspec.structs.replace(request, evidence=(*request.evidence, evidence[:500])[-MOST_EVIDENCE:])


def _instant(said: str) -> Instant:
    return instant(datetime.fromisoformat(said))
