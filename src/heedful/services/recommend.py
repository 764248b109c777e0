"""Answer a question for items, and write down what was answered."""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np

from heedful.pipeline.again_source import BuyAgain
from heedful.pipeline.conditions import compiled_condition, parse
from heedful.pipeline.content_source import Fresh, SimilarContent
from heedful.pipeline.context import Context
from heedful.pipeline.filters import Filter, Holds
from heedful.pipeline.pipeline import Pipeline, Slate
from heedful.pipeline.placing import Spot
from heedful.pipeline.reasons import Reasons
from heedful.pipeline.sources import SessionNeighbours
from heedful.pipeline.surroundings import Surroundings
from heedful.pipeline.taste_source import Taste
from heedful.pipeline.visit_sources import BoughtWith, TimedNeighbours
from heedful.services.asking import Asking
from heedful.services.experiments.arms import POPULAR, patched, policy_of
from heedful.services.experiments.assign import NOTHING, Assign, Assigned
from heedful.services.explain import trace
from heedful.services.gates import Gate, Gates
from heedful.services.holdout import Holdout
from heedful.services.keep import Answered, Asker, KeepDecisions
from heedful.services.placements import Placements, Preview
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.dictionary import MISSING
from heedful.views.fold import Fold
from heedful.views.shown import Shown
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.ids import NOBODY, DecisionId
from heedful.vocabulary.placement import Placement
from heedful.vocabulary.recommendation import RecommendAnswer, RecommendedItem, RecommendRequest
from heedful.vocabulary.time import Clock, Instant, instant

MAX_LIMIT = 100
MOST_ARMED = 256
"""Placements as arms change them that are kept ready."""
MAX_EXCLUDED = 1_000
MAX_NAME = 200
"""Characters of a person's id and of a placement's name, as of an event's: the decision keeps them."""
_PERSONAL = frozenset(
    source.name
    for source in (SessionNeighbours, TimedNeighbours, BoughtWith, Taste, BuyAgain, SimilarContent, Fresh)
)
"""The sources that read more of the person than the newest item of the trail."""
_PREVIEWED = DecisionId("preview")

PipelineFactory: TypeAlias = Callable[[Placement], Pipeline]
"""The pipeline for a placement; the same one for placements that ask for the same sources."""


class Course(NamedTuple):
    """A way to an answer. degraded: whether it stands in for one that cannot be read."""

    spot: Spot
    pipeline: Pipeline
    reasons: Reasons
    degraded: bool = False


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
        keep: KeepDecisions,
        gates: Gates,
        assign: Assign,
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
        self._keep = keep
        self._gates = gates
        self._assign = assign
        self._arms: dict[tuple[object, ...], Course] = {}
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._asking = Asking(fold)
        self._shown = Shown(fold.history)
        self._courses: dict[str, Course] = {}
        self._built_in = self._ready(Placement(name="default"), 0)
        self._stand_in = self._built_in._replace(degraded=True)
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
        gate = self._gates.question(asker.user, asker.anonymous, request.context.consent)
        held = gate.experiments.allowed and self._holdout.holds(asker.subject, course.spot.placement.holdout)
        decision = DecisionId(f"{now:x}{seed:016x}")
        assigned = self._assigned(request, asker, now, gate, held=held)
        course = self._with_arms(course, assigned)
        answer, slate, pipeline = self._answer(
            request,
            asker,
            course,
            decision,
            seed,
            now,
            gate=gate,
            held=held,
            behind=behind,
            assigned=assigned,
        )
        name, spot = request.placement, course.spot
        self._keep.keep(
            Answered(answer, slate, asker, name, spot, seed, now, request.limit, held, gate, assigned.arms),
            pipeline,
        )
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
        gate = self._gates.question(asker.user, asker.anonymous, request.context.consent)
        courses = self._ready(_of_items(draft), 0), self._course(request.placement)
        drafted, in_force = (
            self._answer(request, asker, course, _PREVIEWED, seed, now, gate=gate, held=False)[0]
            for course in courses
        )
        return Preview(drafted, in_force, courses[1].spot.version)

    def pipeline(self, placement: str) -> Pipeline:
        """What answers for `placement` those who are not held out. Raises Invalid if it is not one of items."""
        return self._course(placement).pipeline

    def _answer(
        self,
        request: RecommendRequest,
        asker: Asker,
        course: Course,
        decision: DecisionId,
        seed: int,
        now: Instant,
        *,
        gate: Gate,
        held: bool,
        behind: bool = False,
        assigned: Assigned = NOTHING,
    ) -> tuple[RecommendAnswer, Slate, Pipeline]:
        # Where they do not allow it the question is nobody's, and nothing of them is read anywhere.
        context = self._asking.context(
            asker.subject if gate.personalization.allowed else NOBODY,
            limit=request.limit,
            now=now,
            page=request.context.item_id or "",
            exclude=request.exclude,
            as_of=instant(request.as_of) if request.as_of else None,
            placement=request.placement,
        )
        plan = course.spot.plan(self._around(request, context))
        if plan.pins:
            context = context._replace(pins=np.array([pin.item for pin in plan.pins], dtype=np.int32))
        if not gate.experiments.allowed:
            plan = plan._replace(slots=0, swaps=0.0)
        if held:
            plan = plan._replace(calibration=0.0, slots=0, swaps=0.0)
            course = course._replace(pipeline=self._popular, reasons=self._popular_reasons)
        pipeline = course.pipeline
        slate = pipeline.run(context, seed=seed, more=self._own_filters(request), plan=plan)
        answer = RecommendAnswer(
            decision_id=decision,
            items=self._items(slate, course.reasons),
            personalized=_personalized(pipeline, slate, context),
            position=self._fold.cursor.encode(),
            degraded=course.degraded,
            behind=behind,
            withheld=gate.withheld,
            arms=dict(assigned.arms),
        )
        if request.explain:
            told = trace(pipeline, slate, context, course.spot, held=held)
            more = {"consent": gate.told(), "experiments": assigned.told()}
            answer = msgspec.structs.replace(answer, trace={**told, **more})
        return answer, slate, pipeline

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

    def _assigned(
        self, request: RecommendRequest, asker: Asker, now: Instant, gate: Gate, *, held: bool
    ) -> Assigned:
        """The arms of who asks. Who is held out, or in no experiment, gets none: what is in force is for them."""
        if held or not gate.experiments.allowed:
            return NOTHING
        said = request.context.properties
        return self._assign.on(
            "placement", request.placement, user=asker.user, anonymous=asker.anonymous, said=said, now=now
        )

    def _with_arms(self, course: Course, assigned: Assigned) -> Course:
        """`course` as the arms change it; degraded where an arm no longer fits the placement."""
        changes = [part for part in assigned.parts if part.value]
        if not changes:
            return course
        spot = course.spot
        key = (spot.placement.name, spot.version, *((part.experiment, part.arm) for part in changes))
        made = self._arms.get(key)
        if made is None:
            made = course
            for part in changes:
                made = self._armed(made, part.value)
            if len(self._arms) >= MOST_ARMED:
                self._arms.clear()
            self._arms[key] = made
        return made

    def _armed(self, course: Course, value: Any) -> Course:
        try:
            placement = patched(course.spot.placement, value, self._placements.checked)
            changed = self._ready(_of_items(placement), course.spot.version)
        except Invalid:
            return course._replace(degraded=True)
        if policy_of(value) == POPULAR:
            return changed._replace(pipeline=self._popular, reasons=self._popular_reasons)
        return changed._replace(degraded=course.degraded)

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

    def _own_filters(self, request: RecommendRequest) -> tuple[Filter, ...]:
        if request.filter is None:
            return ()
        condition = compiled_condition(parse(request.filter))
        return (Holds(condition, self._fold.catalogue, self._fold.items),)

    def _items(self, slate: Slate, reasons: Reasons) -> list[RecommendedItem]:
        ids, reason = self._fold.items.ids, reasons.reason
        return [
            RecommendedItem(ids[item], score, reason(source, because, item), propensity)
            for item, score, source, because, propensity in zip(
                slate.items.tolist(),
                slate.scores.round(6).tolist(),
                slate.source.tolist(),
                slate.because.tolist(),
                slate.propensities.tolist(),
                strict=True,
            )
        ]


def _personalized(pipeline: Pipeline, slate: Slate, context: Context) -> bool:
    """Whether anything the person did went into the score of an item that is shown."""
    if not context.personal:
        return False
    mine = context.trail[len(context.trail) - context.personal :].tolist()
    if not set(mine).isdisjoint(slate.because.tolist()):
        return True
    # The item on the page may speak loudest for each and still not have spoken alone.
    columns = [place for place, name in enumerate(pipeline.names) if name in _PERSONAL]
    return bool((pipeline.candidates.scores[slate.rows][:, columns] > 0).any())


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
