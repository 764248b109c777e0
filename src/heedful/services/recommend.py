"""Answer a question for items, and write down what was answered."""

from __future__ import annotations

import os
from random import Random
from typing import Any, NamedTuple

import msgspec
import numpy as np

from heedful.log.codec import encode
from heedful.log.commit import GroupCommit
from heedful.pipeline.again_source import BuyAgain
from heedful.pipeline.candidates import KEPT
from heedful.pipeline.conditions import compiled_condition, parse
from heedful.pipeline.context import Context
from heedful.pipeline.filters import Filter, Holds
from heedful.pipeline.pipeline import Pipeline, Slate
from heedful.pipeline.reasons import Reasons
from heedful.pipeline.sources import SessionNeighbours
from heedful.pipeline.taste_source import Taste
from heedful.pipeline.visit_sources import BoughtWith, TimedNeighbours
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.dictionary import MISSING
from heedful.views.fold import Fold
from heedful.views.person import STRANGER, Person
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.event import Event, Record
from heedful.vocabulary.ids import NOBODY, DecisionId, EventId, ItemId, SubjectId
from heedful.vocabulary.kinds import DECISION
from heedful.vocabulary.recommendation import RecommendAnswer, RecommendedItem, RecommendRequest
from heedful.vocabulary.time import Clock, Instant, instant

MAX_LIMIT = 100
MAX_EXCLUDED = 1_000
MAX_NAME = 200
"""Characters of a person's id and of a placement's name, as of an event's: the decision keeps them."""
_TRAIL = 6
_PERSONAL = frozenset(
    source.name for source in (SessionNeighbours, TimedNeighbours, BoughtWith, Taste, BuyAgain)
)
"""The sources that read more of the person than the newest item of the trail."""
_NONE = np.empty(0, dtype=np.int32)
_UNSAID = Instant(0)


class Asker(NamedTuple):
    """Whom the answer is for. subject is NOBODY when the question names no person."""

    subject: SubjectId
    user: str
    anonymous: str


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What the log keeps of an answer: columns over the items shown, best first."""

    placement: str
    items: list[ItemId]
    seed: int
    scores: list[float]
    propensities: list[float]
    reasons: list[str]
    position: str
    personalized: bool


class Recommend:
    """The service. One thread owns it, the fold and the pipeline."""

    def __init__(
        self, *, fold: Fold, pipeline: Pipeline, commits: GroupCommit, pseudonyms: Pseudonyms, clock: Clock
    ) -> None:
        self._fold = fold
        self._pipeline = pipeline
        self._commits = commits
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._person = Person(fold.history, fold.meanings)
        self._reasons = Reasons(pipeline.names, fold.catalogue, fold.items)
        self._encoder = msgspec.json.Encoder()
        self._dice = Random(os.urandom(32))  # noqa: S311 - chance to be replayed, no secret
        self.decisions = 0

    def recommend(self, request: RecommendRequest, *, behind: bool = False) -> RecommendAnswer:
        """Answer `request` from the state of this moment. The decision goes to the log without being waited for.

        behind: the caller could not bring the fold as far as the request asked.
        Raises Invalid when a field is out of range.
        """
        _check(request)
        now = self._clock.now()
        asker = self._asker(request)
        context = self._context(request, asker.subject, now)
        more = self._own_filters(request)
        seed = self._dice.getrandbits(64)
        slate = self._pipeline.run(context, seed=seed, more=more)
        decision = DecisionId(f"{now:x}{seed:016x}")
        answer = RecommendAnswer(
            decision_id=decision,
            items=self._items(slate),
            personalized=self._personalized(slate, context),
            position=self._fold.cursor.encode(),
            degraded=False,
            behind=behind,
            trace=self._trace(slate, context) if request.explain else None,
        )
        self._write_down(answer, asker, request.placement, seed, now)
        self.decisions += 1
        return answer

    def _asker(self, request: RecommendRequest) -> Asker:
        user, anonymous = request.user_id or "", request.anonymous_id or ""
        if user:
            return Asker(self._pseudonyms.user(user), user, anonymous)
        if anonymous:
            return Asker(self._pseudonyms.anonymous(anonymous), "", anonymous)
        return Asker(NOBODY, "", "")

    def _context(self, request: RecommendRequest, subject: SubjectId, now: Instant) -> Context:
        fold = self._fold
        code = fold.subjects.find(subject) if subject else MISSING
        page = fold.items.find(request.context.item_id) if request.context.item_id else MISSING
        bearing = STRANGER if code == MISSING else self._person.read(code, _TRAIL)
        trail = bearing.touched
        if page != MISSING:
            trail = np.append(np.int32(page), trail[trail != page])[:_TRAIL]
        excluded = [code for code in map(fold.items.find, request.exclude) if code != MISSING]
        return Context(
            subject=code,
            trail=trail,
            personal=len(trail) - (page != MISSING),
            owned=bearing.owned,
            hidden=bearing.hidden,
            excluded=np.array(excluded, dtype=np.int32) if excluded else _NONE,
            as_of=instant(request.as_of) if request.as_of else None,
            limit=request.limit,
            now=now,
            placement=request.placement,
            page=page,
        )

    def _personalized(self, slate: Slate, context: Context) -> bool:
        """Whether anything the person did went into the score of an item that is shown."""
        if not context.personal:
            return False
        mine = context.trail[len(context.trail) - context.personal :].tolist()
        if not set(mine).isdisjoint(slate.because.tolist()):
            return True
        # The item on the page may speak loudest for each and still not have spoken alone.
        candidates = self._pipeline.candidates
        rows = candidates.columns.row[slate.items]
        columns = [place for place, name in enumerate(self._pipeline.names) if name in _PERSONAL]
        return bool((candidates.scores[rows][:, columns] > 0).any())

    def _own_filters(self, request: RecommendRequest) -> tuple[Filter, ...]:
        if request.filter is None:
            return ()
        condition = compiled_condition(parse(request.filter))
        return (Holds(condition, self._fold.catalogue, self._fold.items),)

    def _items(self, slate: Slate) -> list[RecommendedItem]:
        ids, reason = self._fold.items.ids, self._reasons.reason
        return [
            RecommendedItem(ids[item], score, reason(source, because), propensity)
            for item, score, source, because, propensity in zip(
                slate.items.tolist(),
                slate.scores.round(6).tolist(),
                slate.source.tolist(),
                slate.because.tolist(),
                slate.propensities.tolist(),
                strict=True,
            )
        ]

    def _write_down(
        self, answer: RecommendAnswer, asker: Asker, placement: str, seed: int, now: Instant
    ) -> None:
        shown = answer.items
        kept = Decision(
            placement,
            [item.item_id for item in shown],
            seed,
            [item.score for item in shown],
            [item.propensity for item in shown],
            [item.reason.code for item in shown],
            answer.position,
            answer.personalized,
        )
        event = Event(
            kind=DECISION,
            user=asker.user,
            anonymous=asker.anonymous,
            name=placement,
            decision=answer.decision_id,
            properties=self._encoder.encode(kept),
        )
        record = Record(
            EventId(f"heedful:{answer.decision_id}"), asker.subject, now, _UNSAID, _UNSAID, now, encode(event)
        )
        self._commits.defer((record,), _unwatched)

    def _trace(self, slate: Slate, context: Context) -> dict[str, Any]:
        """Everything that happened on the way, in external ids, for people who may see it."""
        ids, candidates, names = self._fold.items.ids, self._pipeline.candidates, self._pipeline.names
        items, reasons = candidates.items, candidates.reasons
        kept = reasons == KEPT
        return {
            "subjectKnown": context.subject != MISSING,
            "trail": [ids[item] for item in context.trail.tolist()],
            "stages": [
                {
                    "stage": stage.stage,
                    "name": stage.name,
                    "microseconds": stage.nanoseconds / 1_000,
                    "considered": stage.considered,
                    "kept": stage.kept,
                    "removed": stage.removed,
                }
                for stage in slate.stages
            ],
            "removed": {
                stage.name: [ids[item] for item in items[reasons == stage.reason].tolist()]
                for stage in slate.stages
                if stage.stage == "filter" and stage.removed
            },
            "candidates": [
                {
                    "itemId": ids[item],
                    "score": score,
                    "sources": {name: value for name, value in zip(names, row, strict=True) if value > 0},
                }
                for item, score, row in zip(
                    items[kept].tolist(),
                    candidates.totals[kept].tolist(),
                    candidates.scores[kept].tolist(),
                    strict=True,
                )
            ],
        }


def _check(request: RecommendRequest) -> None:
    if not 1 <= request.limit <= MAX_LIMIT:
        raise Invalid("limit_invalid", f"limit must be 1 to {MAX_LIMIT}, not {request.limit}", path="limit")
    if len(request.exclude) > MAX_EXCLUDED:
        raise Invalid("exclude_too_long", f"exclude takes at most {MAX_EXCLUDED} items", path="exclude")
    names = (
        ("userId", request.user_id),
        ("anonymousId", request.anonymous_id),
        ("placement", request.placement),
    )
    for path, name in names:
        if name is not None and len(name) > MAX_NAME:
            raise Invalid("id_too_long", f"{path} has at most {MAX_NAME} characters", path=f"$.{path}")


def _unwatched(outcome: object) -> None:
    """A decision's sync is not waited for: a crash may lose the last milliseconds of decisions."""
    del outcome
