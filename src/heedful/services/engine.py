"""Everything one process does, behind one door: what the faces call.

One thread owns the engine. With `post` the log's commits run beside it and finish through `post`; without it
every call returns when its work is durable and folded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from heedful.log.commit import GroupCommit
from heedful.log.cursor import Cursor, decode_cursor
from heedful.log.log import BodyStore, Finder, Log, Notebook
from heedful.records.audit import TERMINAL, Audit
from heedful.records.keys import Keys
from heedful.services import remember
from heedful.services.collect import Collect
from heedful.services.decide import Decide
from heedful.services.describe import Describe
from heedful.services.experiments import Experiments, Guard, Results
from heedful.services.fit.models import Models
from heedful.services.flags import EvaluateFlags, Flags
from heedful.services.forget.forget import Forget
from heedful.services.gates import Gates
from heedful.services.measure import Measure
from heedful.services.placements import Placements, Preview
from heedful.services.proof import Proof
from heedful.services.recall import Recall
from heedful.services.recommend import MAX_NAME, Recommend
from heedful.services.remember import Snapshots
from heedful.services.retain import Retain
from heedful.services.rights.rights import Rights
from heedful.services.verify import Verification, verify
from heedful.vault.vault import Vault
from heedful.views.fold import Fold
from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.consent_answer import ConsentAnswer
from heedful.vocabulary.erasure import Check, ErasureReceipt, ErasureStatus, ForgetRequest
from heedful.vocabulary.errors import Conflict, HeedfulError, KeyUnavailable, NotFound, RecordsUnavailable
from heedful.vocabulary.event import Stored
from heedful.vocabulary.ids import DecisionId, ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.metric import MetricAnswer, MetricDefinition, MetricQuestion, Waits
from heedful.vocabulary.outcome import Done, EngineStatus
from heedful.vocabulary.recall import RecalledDecision
from heedful.vocabulary.recommendation import RecommendAnswer, RecommendRequest
from heedful.vocabulary.time import DAY, Clock, Instant
from heedful.vocabulary.variants import DecideAnswer, DecideRequest


class EngineLog(Log, BodyStore, Finder, Notebook, Protocol):
    """The log of an engine: read in the clear, stored sealed (`log.sealed.SealedLog`)."""


Later = Callable[[float, Callable[[], None]], object]

WORTH_A_SNAPSHOT = 1_000
"""Records after which a snapshot is written at the end; fewer are folded again in no time."""

PATIENCE = 0.2
"""Seconds that a question waits for its `after` before it is answered with `behind`."""


@dataclass(slots=True)
class Waiting:
    """A question whose `after` has not been folded yet."""

    after: Cursor
    request: RecommendRequest
    done: Done[RecommendAnswer]
    answered: bool = field(default=False)


class Engine:
    """The services of one process, wired (`compose`)."""

    keys: Keys
    audit: Audit | None = None
    """What changes of definitions are told to; None where nothing is kept."""
    rights: Rights
    flags: Flags
    evaluating: EvaluateFlags
    retaining: Retain | None = None
    forgetting: Forget
    guarding: Guard

    def __init__(
        self,
        *,
        log: EngineLog,
        fold: Fold,
        gates: Gates,
        proof: Proof,
        commits: GroupCommit,
        collect: Collect,
        describe: Describe,
        recommend: Recommend,
        recall: Recall,
        measure: Measure,
        placements: Placements,
        decide: Decide,
        experiments: Experiments,
        results: Results,
        stopped: Callable[[], str | None],
        vault: Vault,
        snapshots: Snapshots | None,
        models: Models | None,
        refresh: Callable[[], None],
        snapshot_every: int,
        retention_days: int,
        clock: Clock,
        empty_fold: Callable[[], Fold],
    ) -> None:
        self._log_stopped = stopped
        self._broken: str | None = None
        self.fold = fold
        self.gates = gates
        self.proof = proof
        self.collecting = collect
        self.describing = describe
        self.recommending = recommend
        self.recalling = recall
        self.measuring = measure
        self.placements = placements
        self.deciding = decide
        self.experiments = experiments
        self.results = results
        self.log = log
        self.vault = vault
        self._commits = commits
        self.snapshots = snapshots
        self.models = models
        self.refresh = refresh
        self.empty_fold = empty_fold
        self._waiting: list[Waiting] = []
        self.snapshot_at = 0
        self._snapshot_every = snapshot_every
        self._retention_days = retention_days
        self._clock = clock

    @property
    def later(self) -> Later | None:
        """Calls a function after so many seconds in the owner's thread; set by an owner that has a loop."""
        return self._commits.later

    @later.setter
    def later(self, later: Later) -> None:
        self._commits.later = later
        self.proof.later = later
        self.forgetting.telling.all()

    def stopped(self) -> str | None:
        """Why this engine must not go on, or None: its log stopped, or its state can no longer be trusted."""
        return self._log_stopped() or self._broken

    def stored(self) -> Sequence[Stored]:
        """The first records of the log, at most 10,000."""
        return self.log.read(Cursor(), limit=10_000)

    def folded(self, stored: Sequence[Stored]) -> None:
        """Count what became durable in, then answer whoever waited for it."""
        try:
            self.fold.apply(stored)
        except Exception as error:
            # Durable and not counted: only a fold from the log brings the state back. A restart does that.
            self._broken = f"the views could not take what the log holds: {error!r}"
            raise
        self.proof.settle()
        if self._waiting:
            still = []
            for waiting in self._waiting:
                if waiting.answered:
                    continue
                if self.fold.cursor.covers(waiting.after):
                    self._answer(waiting, behind=False)
                else:
                    still.append(waiting)
            self._waiting = still

    def collect(
        self, method: str, body: bytes, source: str, done: Done[CollectAnswer], *, gpc: bool = False
    ) -> None:
        """Take a Segment call, or one of consent. Raises Invalid or TooLarge at once; otherwise `done` is called
        once. gpc: whether the request had `Sec-GPC: 1`."""
        self.collecting.call(method, body, source, done, imported=method == "import", gpc=gpc)

    def recommend(self, request: RecommendRequest, done: Done[RecommendAnswer]) -> None:
        """Answer a question; one with an `after` beyond the fold waits a little. Raises Invalid at once."""
        self.fold.lapse(self._clock.now())
        request = self.forgetting.asked(request)
        after = decode_cursor(request.after) if request.after else None
        if after is None or self.fold.cursor.covers(after):
            done(self.recommending.recommend(request))
            return
        waiting = Waiting(after, request, done)
        if self.later is None:
            self._answer(waiting, behind=True)
            return
        self._waiting.append(waiting)
        self.later(PATIENCE, lambda: self._answer(waiting, behind=True))

    def preview(self, request: RecommendRequest, draft: object) -> Preview:
        """What a draft of a placement (plain JSON values) would answer. Raises Invalid. Writes nothing."""
        return self.recommending.preview(request, self.placements.checked(request.placement, draft))

    def decide(self, request: DecideRequest, done: Done[DecideAnswer]) -> None:
        """Choose a variant. Raises Invalid at once."""
        self.fold.lapse(self._clock.now())
        done(self.deciding.decide(self.forgetting.asked(request)))

    def forget(self, request: ForgetRequest, done: Done[ErasureStatus], *, actor: str = TERMINAL) -> None:
        """Forget somebody. actor: who asks for it, for the audit. Raises Invalid, RecordsUnavailable at once."""
        self.forgetting.forget(request, done, actor=actor)

    def erasure(self, erasure: str) -> ErasureStatus:
        """How far a forgetting has come. Raises NotFound."""
        return self.forgetting.find(erasure)

    def erasures(self) -> list[ErasureStatus]:
        """The newest forgettings, without receipts."""
        return self.forgetting.newest()

    def consent(self, user: str, anonymous: str) -> ConsentAnswer:
        """What somebody chose, what it comes to, and receipts. Raises RecordsUnavailable."""
        self.fold.lapse(self._clock.now())
        return self.proof.tell(user, anonymous)

    def put_items(self, items: Sequence[Item], done: Done[CollectAnswer]) -> None:
        """Describe items. Raises Invalid at once."""
        self.describing.put(items, done)

    def delete_item(self, item: ItemId, done: Done[CollectAnswer]) -> None:
        """Delete an item. Raises NotFound at once."""
        self.describing.delete(item, done)

    def item(self, item: ItemId) -> Item | None:
        """The item as it stands now, or None when it was never described or is deleted."""
        code = self.fold.items.find(item)
        return None if code < 0 else self.fold.catalogue.get(code)

    def decision(self, decision: DecisionId, done: Done[RecalledDecision]) -> None:
        """Tell an answer again. One given a moment ago may still be on its way into the log: it is waited for."""
        recalled = self._recalled(decision)
        if isinstance(recalled, NotFound) and not self._commits.idle:
            if self.later is not None:
                self.later(PATIENCE, lambda: done(self._recalled(decision)))
                return
            self._commits.flush(PATIENCE)
            recalled = self._recalled(decision)
        done(recalled)

    def _recalled(self, decision: DecisionId) -> RecalledDecision | HeedfulError:
        try:
            found = self.recalling.recall(decision)
        except HeedfulError as error:
            return error
        return found or NotFound(f"there is no decision {decision[:MAX_NAME]!r}")

    def metrics(self) -> list[MetricDefinition]:
        """Every success metric."""
        return self.measuring.definitions()

    def metric(self, name: str, asked: MetricQuestion, waits: Waits | None = None) -> MetricAnswer:
        """One figure. Raises NotFound, Invalid."""
        if self.later is None:
            self._commits.flush(PATIENCE)  # answers given a moment ago are still on their way into the log
        return self.measuring.measure(name, asked, waits)

    def status(self) -> EngineStatus:
        """Whether the engine can serve, and its counters."""
        stopped = self.stopped()
        fold = self.fold
        held, named = fold.outcomes.held()
        return EngineStatus(
            ready=stopped is None,
            reason=stopped or "",
            position=fold.cursor.encode(),
            log_stopped=stopped,
            counters={
                "log_commits_total": float(self._commits.commits),
                "log_records_total": float(self._commits.records),
                "log_commit_seconds_total": self._commits.seconds,
                "decisions_total": float(self.recommending.decisions + self.deciding.decisions),
                "decisions_dropped_total": float(self._commits.dropped),
                "degraded_total": float(self.deciding.degraded),
                "fold_position": float(self.place()),
                "subjects": float(len(fold.subjects)),
                "items": float(len(fold.items)),
                "decisions_held": float(held),
                "decision_references_held": float(named),
                "experiments_harmed": float(len(self.guarding.harmed)),
                "experiments_mismatched": float(len(self.guarding.mismatched)),
                "experiments_rolled_back_total": float(self.guarding.rolled_back),
                **{f"rights_requests_{name}": float(n) for name, n in self._alarms().items()},
                "kept_out_total": float(self.forgetting.kept_out),
            },
        )

    def _alarms(self) -> dict[str, int]:
        """How many requests of people are open and late; nothing while the records cannot be read."""
        try:
            alarms = self.rights.requests.alarms()
        except RecordsUnavailable:
            return {}
        return {"open": alarms.open, "overdue": alarms.overdue, "unconfirmed": alarms.unconfirmed}

    def retire(self) -> None:
        """Let the views forget what the retention no longer covers, and what grants allowed that ran out; once a
        minute look after the experiments that run. Costs nothing until the day turns or a grant ends."""
        self.fold.lapse(self._clock.now())
        self.fold.trials.refresh()
        self.guarding.step()
        with suppress(RecordsUnavailable, Conflict):
            self.rights.requests.expire()
        if self.retaining is not None and self.retaining.step():
            return  # what a kind's retention takes out must still be found in the history
        if self._retention_days:
            today = self._clock.now() // DAY * DAY
            self.fold.advance(Instant(today - self._retention_days * DAY))

    def verify(self, progress: Callable[[int], None] | None = None) -> Verification:
        """Fold the log from zero beside the live state and compare the digests."""
        return verify(self.fold, self.empty_fold(), self.log, progress=progress)

    def doubt(self, receipt: ErasureReceipt, progress: Callable[[int], None] | None = None) -> list[Check]:
        """Whether a receipt of a forgetting is true, the law included: this folds the log from zero."""
        return [*self.forgetting.doubt(receipt, self.empty_fold, progress)]

    def place(self) -> int:
        """How many records the fold has passed."""
        return sum(self.fold.cursor.offsets)

    def wants_snapshot(self) -> bool:
        """Whether enough came since the last snapshot for another."""
        every = self._snapshot_every
        due = 0 < every <= self.place() - self.snapshot_at
        return self.snapshots is not None and (due or self.forgetting.wants_snapshot())

    def snapshot(self) -> str | None:
        """Write a snapshot now if anything came since the last; returns its name. Raises OSError,
        KeyUnavailable."""
        place = self.place()
        if self.snapshots is None or place == self.snapshot_at or self.forgetting.retracting:
            return None
        self.snapshot_at = place
        return remember.take(self.fold, self.snapshots)

    def close(self) -> None:
        """Let what is under way finish, keep a snapshot, and let go of the files."""
        self._commits.close()
        self.proof.close()
        self.forgetting.close()
        if self.stopped() is None and self.place() - self.snapshot_at >= WORTH_A_SNAPSHOT:
            with suppress(KeyUnavailable):  # then the next start folds a little more
                self.snapshot()
        self.log.close()
        self.placements.close()
        if self.audit is not None:
            self.audit.close()
        self.vault.close()

    def _answer(self, waiting: Waiting, *, behind: bool) -> None:
        if waiting.answered:
            return
        waiting.answered = True
        try:
            waiting.done(self.recommending.recommend(waiting.request, behind=behind))
        except HeedfulError as error:
            waiting.done(error)
