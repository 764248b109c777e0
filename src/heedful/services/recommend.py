"""Answer a question for items, and write down what was answered."""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np

from heedful.log.codec import encode
from heedful.log.commit import GroupCommit
from heedful.pipeline.candidates import KEPT
from heedful.pipeline.conditions import compiled_condition, parse
from heedful.pipeline.context import Context
from heedful.pipeline.filters import Filter, Holds
from heedful.pipeline.pipeline import Pipeline, Slate
from heedful.pipeline.placing import Spot
from heedful.pipeline.reasons import Reasons
from heedful.pipeline.sources import SessionNeighbours
from heedful.pipeline.surroundings import Surroundings
from heedful.services.holdout import Holdout
from heedful.services.placements import Placements, Preview
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.dictionary import MISSING
from heedful.views.fold import Fold
from heedful.views.person import STRANGER, Person
from heedful.views.shown import Shown
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.event import Event, Record
from heedful.vocabulary.ids import NOBODY, DecisionId, EventId, ItemId, SubjectId
from heedful.vocabulary.kinds import DECISION
from heedful.vocabulary.placement import Placement
from heedful.vocabulary.recommendation import RecommendAnswer, RecommendedItem, RecommendRequest
from heedful.vocabulary.time import Clock, Instant, instant

MAX_LIMIT = 100
MAX_EXCLUDED = 1_000
MAX_NAME = 200
"""Characters of a person's id and of a placement's name, as of an event's: the decision keeps them."""
_TRAIL = 6
_OF_THE_TRAIL = SessionNeighbours.name
"""The source that reads more of the trail than its newest item."""
_NONE = np.empty(0, dtype=np.int32)
_UNSAID = Instant(0)
_PREVIEWED = DecisionId("preview")

PipelineFactory: TypeAlias = Callable[[Placement], Pipeline]
"""The pipeline for a placement; the same one for placements that ask for the same sources."""


class Course(NamedTuple):
    """A way to an answer. degraded: whether it stands in for one that cannot be read."""

    spot: Spot
    pipeline: Pipeline
    reasons: Reasons
    degraded: bool = False


class Asker(NamedTuple):
    """Whom the answer is for. subject is NOBODY when the question names no person."""

    subject: SubjectId
    user: str
    anonymous: str


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What the log keeps of an answer: columns over the items shown, best first.

    version: of the placement, 0 for what is built in. holdout: whether the person was held out.
    """

    placement: str
    items: list[ItemId]
    seed: int
    scores: list[float]
    propensities: list[float]
    reasons: list[str]
    position: str
    personalized: bool
    version: int = 0
    holdout: bool = False


class Recommend:
    """The service. One thread owns it, the fold and the pipelines."""

    def __init__(
        self,
        *,
        fold: Fold,
        pipelines: PipelineFactory,
        popular: Pipeline,
        placements: Placements,
        holdout: Holdout,
        commits: GroupCommit,
        pseudonyms: Pseudonyms,
        clock: Clock,
    ) -> None:
        """pipelines: for everybody else; popular: for who is held out."""
        self._fold = fold
        self._pipelines = pipelines
        self._popular = popular
        self._popular_reasons = Reasons(popular.names, fold.catalogue, fold.items)
        self._placements = placements
        self._holdout = holdout
        self._commits = commits
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._person = Person(fold.history, fold.meanings)
        self._shown = Shown(fold.history)
        self._courses: dict[str, Course] = {}
        self._built_in = self._ready(Placement(name="default"), 0)
        self._stand_in = self._built_in._replace(degraded=True)
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
        course = self._course(request.placement)
        seed = self._dice.getrandbits(64)
        held = self._holdout.holds(asker.subject, course.spot.placement.holdout)
        decision = DecisionId(f"{now:x}{seed:016x}")
        answer = self._answer(request, asker, course, decision, seed, now, held=held, behind=behind)
        self._write_down(answer, asker, request.placement, course.spot.version, seed, now, held=held)
        self.decisions += 1
        return answer

    def preview(self, request: RecommendRequest, draft: Placement) -> Preview:
        """What `draft` would answer, with the trace, beside what is in force. Nothing is written; nobody is held
        out, and both answers draw from the same seed.

        Raises Invalid when a field is out of range, or the draft is not for items.
        """
        request = msgspec.structs.replace(request, explain=True)
        _check(request)
        now, seed, asker = self._clock.now(), self._dice.getrandbits(64), self._asker(request)
        courses = self._ready(_of_items(draft), 0), self._course(request.placement)
        drafted, in_force = (
            self._answer(request, asker, course, _PREVIEWED, seed, now, held=False) for course in courses
        )
        return Preview(drafted, in_force, courses[1].spot.version)

    def _answer(
        self,
        request: RecommendRequest,
        asker: Asker,
        course: Course,
        decision: DecisionId,
        seed: int,
        now: Instant,
        *,
        held: bool,
        behind: bool = False,
    ) -> RecommendAnswer:
        context = self._context(request, asker.subject, now)
        plan = course.spot.plan(self._around(request, context))
        if plan.pins:
            context = context._replace(pins=np.array([pin.item for pin in plan.pins], dtype=np.int32))
        if held:
            plan = plan._replace(calibration=0.0, slots=0)
            course = course._replace(pipeline=self._popular, reasons=self._popular_reasons)
        pipeline = course.pipeline
        slate = pipeline.run(context, seed=seed, more=self._own_filters(request), plan=plan)
        return RecommendAnswer(
            decision_id=decision,
            items=self._items(slate, course.reasons),
            personalized=_personalized(pipeline, slate, context),
            position=self._fold.cursor.encode(),
            degraded=course.degraded,
            behind=behind,
            trace=self._trace(pipeline, slate, context, course.spot, held=held) if request.explain else None,
        )

    def _course(self, placement: str) -> Course:
        """How `placement` is answered. Raises Invalid if it is not one of items."""
        standing = self._placements.standing(placement)
        if standing is None:
            return self._built_in
        if standing.placement is None:
            return self._stand_in
        course = self._courses.get(placement)
        if course is None or course.spot.version != standing.version:
            course = self._ready(_of_items(standing.placement), standing.version)
            self._courses[placement] = course
        return course

    def _ready(self, placement: Placement, version: int) -> Course:
        catalogue, items = self._fold.catalogue, self._fold.items
        spot = Spot(placement, version, catalogue=catalogue, items=items, shown=self._shown)
        pipeline = self._pipelines(placement)
        return Course(spot, pipeline, Reasons(pipeline.names, catalogue, items))

    def _around(self, request: RecommendRequest, context: Context) -> Surroundings:
        return Surroundings(
            placement=request.placement,
            now=context.moment,
            page=request.context.item_id or "",
            item=self._fold.catalogue.get(context.page),
            known=context.subject != MISSING,
            said=request.context.properties,
        )

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

    def _own_filters(self, request: RecommendRequest) -> tuple[Filter, ...]:
        if request.filter is None:
            return ()
        condition = compiled_condition(parse(request.filter))
        return (Holds(condition, self._fold.catalogue, self._fold.items),)

    def _items(self, slate: Slate, reasons: Reasons) -> list[RecommendedItem]:
        ids, reason = self._fold.items.ids, reasons.reason
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
        self,
        answer: RecommendAnswer,
        asker: Asker,
        placement: str,
        version: int,
        seed: int,
        now: Instant,
        *,
        held: bool,
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
            version,
            held,
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

    def _trace(
        self, pipeline: Pipeline, slate: Slate, context: Context, spot: Spot, *, held: bool
    ) -> dict[str, Any]:
        """Everything that happened on the way, in external ids, for people who may see it."""
        ids, candidates, names = self._fold.items.ids, pipeline.candidates, pipeline.names
        items, reasons = candidates.items, candidates.reasons
        kept = reasons == KEPT
        return {
            "subjectKnown": context.subject != MISSING,
            "placementVersion": spot.version,
            "holdout": held,
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


def _personalized(pipeline: Pipeline, slate: Slate, context: Context) -> bool:
    """Whether anything the person did went into the score of an item that is shown."""
    if not context.personal:
        return False
    mine = context.trail[len(context.trail) - context.personal :].tolist()
    if not set(mine).isdisjoint(slate.because.tolist()):
        return True
    if _OF_THE_TRAIL not in pipeline.names:
        return False
    # The item on the page may speak loudest for each and still not have spoken alone.
    candidates = pipeline.candidates
    rows = candidates.columns.row[slate.items]
    return bool((candidates.scores[rows, pipeline.names.index(_OF_THE_TRAIL)] > 0).any())


def _of_items(placement: Placement) -> Placement:
    if placement.kind != "items":
        raise Invalid(
            "placement_kind", f"{placement.name!r} shows variants; ask /v1/decide for it", path="placement"
        )
    return placement


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
