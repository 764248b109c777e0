"""Forget somebody: the saga, step by step, each of which may be cut short anywhere and done again.

Accepted is durable before anything else, and from then on the id leads to another pseudonym, so that no answer
knows the person. Then the views give everything back, a part at a time, the dictionaries lose names that nobody
else uses, models are stale, snapshots are made anew, bodies in the log are purged, keys are destroyed, and what is
left is looked at before the receipt is signed. What is done stands in the ledger; whether the log and the
snapshots have gone through it stands in them, so that a restored copy of them is found out.

The views come before the snapshots and those before the purge: without bodies nothing can be taken out of views.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import msgspec
import structlog

from heedful.log.commit import GroupCommit
from heedful.log.selection import BEGINNING, END
from heedful.models.shelf import Shelf, State
from heedful.records.audit import TERMINAL, Audit
from heedful.records.signing import Signer
from heedful.services import remember
from heedful.services.forget import checks, taking
from heedful.services.forget.erasures import (
    ACCEPTED,
    BEGUN,
    RECEIPT,
    Accepted,
    Begun,
    Erasure,
    Erasures,
)
from heedful.services.forget.proof import counts, receipt, signed
from heedful.services.forget.requests import accepted, of_subjects, returned
from heedful.services.forget.seals import Seals
from heedful.services.forget.taking import ERASED, ERASING, Names, Purged, lying, mark, take_out
from heedful.services.forget.telling import Telling
from heedful.services.forget.webhook import Courier
from heedful.services.remember import Snapshots
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.vocabulary.erasure import (
    Check,
    ErasureReceipt,
    ErasureStatus,
    ForgetRequest,
    ModelErasure,
)
from heedful.vocabulary.errors import HeedfulError, Invalid
from heedful.vocabulary.event import Position
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.outcome import Done
from heedful.vocabulary.recommendation import RecommendRequest
from heedful.vocabulary.time import Clock, Instant, iso
from heedful.vocabulary.variants import DecideRequest

PATIENCE = 1.5
"""Seconds that a call waits for the receipt before it is told where to look for it."""

PURGED_AT_ONCE = 500
DIGESTED = 300_000
"""Records up to which a server digests its views while it serves; a larger one says to verify beside it."""

_AGAIN = 5.0
_POLL = 0.25
_log = structlog.get_logger("heedful.forget")

Told = Callable[[str, int, int], None]
Question = TypeVar("Question", RecommendRequest, DecideRequest)


class Kept(NamedTuple):
    """What an engine keeps, as forgetting needs it. None where nothing is kept.

    backups: days that copies of keys may live in backups. able: whether the log can be searched and purged.
    settle: writes down what must be proven of people before they are forgotten.
    """

    fold: Fold
    log: Purged
    commits: GroupCommit
    snapshots: Snapshots | None
    shelf: Shelf | None
    seals: Seals
    backups: int = 7
    able: bool = True
    audit: Audit | None = None
    settle: Callable[[], None] = lambda: None


class Forget:
    """The service. One thread owns it, and everything it works on.

    beside: whether another process makes the snapshots when `wants_snapshot` says so; else they are made here.
    retracting: whether views are between two states, so that no snapshot may be taken.
    """

    def __init__(
        self,
        kept: Kept,
        *,
        erasures: Erasures,
        pseudonyms: Pseudonyms,
        signer: Signer,
        clock: Clock,
        courier: Courier | None = None,
    ) -> None:
        """Brings the pseudonyms to where the ledger is; `begin` does the rest."""
        self._wanting = False
        self.beside = self.retracting = False
        self.told: Told = lambda *_: None
        self._kept, self.erasures, self._pseudonyms = kept, erasures, pseudonyms
        self._signer, self._clock = signer, clock
        self.telling = Telling(courier, erasures, kept.commits, clock)
        self._suppressed: dict[SubjectId, Instant] = {}
        self._queue: deque[Erasure] = deque()
        self._waiting: dict[str, list[Done[ErasureStatus]]] = {}
        self._work: Iterator[float] | None = None
        self.kept_out = 0
        for erasure in erasures.all:
            self._retire(erasure)

    def suppressed(self, subject: SubjectId) -> bool:
        """Whether events of this pseudonym, as it is now, are kept out."""
        until = self._suppressed.get(subject)
        return until is not None and self._clock.now() < until

    def begin(self) -> None:
        """Go on with what is unfinished, or was undone by an older copy of the log. The views are through already
        (`taking.catch_up_with`)."""
        through = mark(self._kept.log, ERASED)
        open_ = [one for one in self.erasures.all if one.number > through or one.receipt is None]
        self._queue.extend(open_)
        if open_:
            self._go()

    def asked(self, request: Question) -> Question:
        """The question as it may be answered: about nobody, where the person is kept out."""
        if not self._suppressed:
            return request
        user, anonymous = request.user_id, request.anonymous_id
        subject = self._pseudonyms.user(user) if user else self._pseudonyms.anonymous(anonymous or "")
        if not self.suppressed(subject):
            return request
        return msgspec.structs.replace(request, user_id=None, anonymous_id=None)

    def keeps_out(self, subject: SubjectId) -> bool:
        """As `suppressed`, for an event at the door; counted."""
        if not self._suppressed or not self.suppressed(subject):
            return False
        self.kept_out += 1
        return True

    def forget(self, request: ForgetRequest, done: Done[ErasureStatus], *, actor: str = TERMINAL) -> None:
        """Forget. `done` is told when the receipt is there, or how far it has come after `PATIENCE` seconds.

        actor: who asks for it, as the audit names them. Raises Invalid at once, RecordsUnavailable where nothing
        was accepted.
        """
        self._take_on(accepted(request, *self._next(), self._pseudonyms), done, actor)

    def forget_subjects(
        self,
        subjects: Sequence[SubjectId],
        done: Done[ErasureStatus],
        *,
        actor: str,
        since: Instant = BEGINNING,
        until: Instant = END,
    ) -> None:
        """As `forget`, for pseudonyms of today: all of theirs, or what happened in [since, until)."""
        wanted = of_subjects(subjects, since, until, *self._next(), self._pseudonyms)
        self._take_on(wanted, done, actor)

    def _next(self) -> tuple[str, int]:
        """The id and the number of the next forgetting. Raises Invalid where there can be none."""
        if not self._kept.able:
            raise Invalid("forgetting_unavailable", "nothing can be purged from a log of this kind yet")
        return f"er_{secrets.token_hex(12)}", len(self.erasures.all) + 1

    def _take_on(self, wanted: Accepted, done: Done[ErasureStatus], actor: str) -> None:
        erasure = self._standing(wanted)
        if erasure is None:
            if self._kept.audit is not None:
                self._kept.audit.tell(actor, "privacy.forget", f"erasure:{wanted.id}")
            erasure = self.erasures.write(wanted.id, ACCEPTED, self._clock.now(), wanted)
            self._retire(erasure)
            self._queue.append(erasure)
        if erasure.receipt is not None:
            done(self.status(erasure))
            return
        waiting = self._waiting.setdefault(erasure.id, [])
        waiting.append(done)
        # What was submitted before the person got another pseudonym is folded first.
        self._kept.commits.submit([], lambda _: self._go())
        if self._kept.commits.later is not None and done in waiting:
            self._kept.commits.later(PATIENCE, lambda: self._answer(erasure, only=done))

    def find(self, erasure: str) -> ErasureStatus:
        """How far a forgetting has come. Raises NotFound."""
        return self.status(self.erasures.find(erasure))

    def newest(self, limit: int = 100) -> list[ErasureStatus]:
        """The newest forgettings, without their receipts."""
        newest = self.erasures.all[::-1][:limit]
        return [msgspec.structs.replace(self.status(one), receipt=None) for one in newest]

    def status(self, erasure: Erasure) -> ErasureStatus:
        """How far `erasure` has come, with the models as they stand now."""
        stale = erasure.steps.get("models", {}).get("stale", ())
        return ErasureStatus(
            erasure.id, erasure.number, "done" if erasure.receipt is not None else "running", erasure.step,
            iso(erasure.at), int(erasure.steps.get("retracted", {}).get("records", 0)),
            self.models(stale), self.telling.state(erasure), erasure.receipt,
        )  # fmt: skip

    def models(self, stale: object) -> tuple[ModelErasure, ...]:
        """What became of the models that were stale at a forgetting, as (id, place, created, stale)."""
        shelf = self._kept.shelf
        made = []
        for model, place, created, since in stale if isinstance(stale, list) else ():
            now = None if shelf is None else shelf.in_force(place)
            if now is not None and now.id != model and not now.stale and now.promoted > since:
                made.append(ModelErasure(model, place, created, "rebuilt", since, now.promoted))
            elif now is not None and now.id == model:
                made.append(ModelErasure(model, place, created, State.STALE, since))
            else:
                made.append(ModelErasure(model, place, created, "deleted", since))
        return tuple(made)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return self._work is None and not self._queue

    def wants_snapshot(self) -> bool:
        """Whether a process beside this one should make a snapshot now."""
        return self._wanting

    def doubt(
        self,
        receipt: ErasureReceipt,
        empty: Callable[[], Fold],
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[Check]:
        """Whether a receipt is true, by everything that can be looked at: see `checks.doubted`."""
        kept = self._kept
        yield from checks.doubted(
            receipt, fold=kept.fold, empty=empty, log=kept.log, erasures=self.erasures, signer=self._signer,
            shelf=kept.shelf, snapshots=kept.snapshots, progress=progress,
        )  # fmt: skip

    def close(self) -> None:
        """Stop; what is unfinished goes on at the next start."""
        self._queue.clear()
        self._work = None
        self.erasures.close()

    # The saga

    def _erase(self, erasure: Erasure) -> Iterator[float]:
        """Every step, pausing so many seconds between parts."""
        kept, fold, names = self._kept, self._kept.fold, Names()
        kept.settle()
        again = mark(kept.log, ERASED) < erasure.number and erasure.receipt is not None
        if erasure.begun is None:
            looked = self._small() and fold.erased < erasure.number
            before = Begun(
                fold.cursor.offsets, fold.digests() if looked else {}, counts(fold) if looked else {}
            )
            self._write(erasure, BEGUN, before)
        end = erasure.begun.end if erasure.begun else fold.cursor
        self.retracting = True
        try:
            for _ in take_out(fold, kept.log, erasure, end, names):
                self.told("taking out of the views", names.records, 0)
                yield 0.0
        finally:
            self.retracting = fold.erased < erasure.number
        stale = self._stale() if names.records else []
        yield 0.0
        places: list[Position] = []
        for looked_at, part in enumerate(lying(kept.log, erasure.accepted.selection, end)):
            places += part
            fold.gone.update(part)
            self.told("looking through the log", looked_at * taking.SPAN, end.offset(0))
            yield 0.0
        stale = stale or (self._stale() if places else [])
        for start in range(0, len(places) if not names.records else 0, taking.AT_ONCE):
            # Cut short before it was written down: the views are through, and the bodies are still there.
            names.take(fold, kept.log.fetch(places[start : start + taking.AT_ONCE]))
            yield 0.0
        figures = counts(fold) if self._small() else {}
        self._write(erasure, "retracted", {
            "records": max(len(places), names.records), "decisions": names.decisions, "traits": names.traits,
            "digests": fold.digests() if self._small() else {}, "counts": figures,
        })  # fmt: skip
        self._write(erasure, "models", {"stale": stale})
        self.telling.tell(erasure)
        yield from self._renew_snapshots(erasure)
        yield from self._purge(erasure, places)
        people = sorted(erasure.accepted.selection.subjects) if erasure.accepted.selection.whole else []
        destroyed = kept.seals.destroy(people) if people else None
        kept.seals.wipe()
        self._write(erasure, "keys", {"destroyed": destroyed or 0})
        yield 0.0
        found = [*checks.left(erasure, kept.fold, kept.log, kept.snapshots)]
        if again:
            _log.info("forgotten_again", erasure=erasure.id, number=erasure.number)
        elif all(one.ok is not False for one in found):
            models = self.models(erasure.steps["models"]["stale"])
            told, entry = self.telling.able, self.erasures.head
            made = receipt(erasure, self._clock.now(), models, found, kept.backups, told=told, entry=entry)
            self._write(erasure, RECEIPT, signed(made, self._signer))
        else:
            wrong = [one.name for one in found if one.ok is False]
            raise Unfinished(f"forgetting {erasure.id} left something in {wrong}")
        self._answer(erasure)

    def _renew_snapshots(self, erasure: Erasure) -> Iterator[float]:
        """A new snapshot without them, and the end of every older one."""
        kept, number = self._kept, erasure.number
        where = kept.snapshots
        if where is None:
            return
        had = bool(remember.held(where))
        epoch = kept.seals.turn()
        if had:
            if self.beside:
                self._wanting = True
                while remember.newest(where, epoch=epoch) < number:
                    yield _POLL
                self._wanting = False
            else:
                remember.take(kept.fold, where)
        # Said before they go, so that one that a process beside us is writing is not believed afterwards.
        kept.log.note(ERASING, str(number))
        destroyed = remember.destroy_before(number, where, epoch=epoch)
        self._write(erasure, "snapshots", {"destroyed": destroyed})
        yield 0.0

    def _purge(self, erasure: Erasure, places: list[Position]) -> Iterator[float]:
        """Destroy the bodies, for good."""
        log, fold = self._kept.log, self._kept.fold
        if mark(log, ERASED) < erasure.number:
            log.note(ERASING, str(erasure.number))
            for start in range(0, len(places), PURGED_AT_ONCE):
                log.purge(places[start : start + PURGED_AT_ONCE])
                self.told("purging the log", start, len(places))
                yield 0.0
            fold.gone.difference_update(places)
            log.note(ERASED, str(erasure.number))
        if places:
            self._stale()  # a fit that began meanwhile may have read what is gone now
        self._write(erasure, "purged", {"records": len(places)})

    # How it is driven

    def _go(self) -> None:
        if self._work is None and self._queue:
            self._work = self._run()
            self._step()

    def _run(self) -> Iterator[float]:
        while self._queue:
            yield from self._erase(self._queue[0])
            self._queue.popleft()

    def _step(self) -> None:
        """Go on until the next pause; without a loop, to the end."""
        later = self._kept.commits.later
        while self._work is not None:
            try:
                wait = next(self._work)
            except StopIteration:
                self._work = None
                return
            except (HeedfulError, OSError) as error:
                self._work = None
                _log.warning("forgetting_waits", why=str(error))
                if later is None:
                    raise
                later(_AGAIN, self._go)
                return
            if later is not None:
                later(wait, self._step)
                return
            time.sleep(wait)

    def _answer(self, erasure: Erasure, *, only: Done[ErasureStatus] | None = None) -> None:
        waiting = self._waiting.get(erasure.id, [])
        for done in [one for one in waiting if only is None or one is only]:
            waiting.remove(done)
            done(self.status(erasure))
        if not waiting:
            self._waiting.pop(erasure.id, None)

    def _write(self, erasure: Erasure, step: str, body: object) -> None:
        self.erasures.write(erasure.id, step, self._clock.now(), body)

    def _small(self) -> bool:
        return self._kept.commits.later is None or sum(self._kept.fold.cursor.offsets) <= DIGESTED

    def _stale(self) -> list[list[str]]:
        """Mark every model stale, and delete those that answer nobody. What was stale before stays so."""
        shelf = self._kept.shelf
        if shelf is None:
            return []
        marked = set(shelf.forget())
        found = [
            [one.id, one.facts.place, one.created, one.stale] for one in shelf.list() if one.id in marked
        ]
        shelf.prune()
        return found

    def _standing(self, wanted: Accepted) -> Erasure | None:
        """The forgetting that says the same already, where nobody can have come back since."""
        people = {one.first for one in wanted.people}
        for erasure in reversed(self.erasures.all):
            said = erasure.accepted
            if said.selection.whole and people & {one.first for one in said.people}:
                same = people == {one.first for one in said.people} and wanted.suppressed == said.suppressed
                kept_out = all(self.suppressed(returned(one, self._pseudonyms)) for one in said.people)
                return erasure if same and kept_out and wanted.selection.whole else None
        return None

    def _retire(self, erasure: Erasure) -> None:
        """From now on the ids lead to other pseudonyms, which may be kept out for a while."""
        said = erasure.accepted
        if said.selection.whole:
            for person in said.people:
                self._pseudonyms.forgotten(SubjectId(bytes.fromhex(person.first)), person.generation + 1)
                self._suppressed[returned(person, self._pseudonyms)] = Instant(said.suppressed)


class Unfinished(HeedfulError):
    """Something is left that should be gone. It is tried again."""

    code = "unfinished"
