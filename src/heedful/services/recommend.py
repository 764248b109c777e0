"""Answer a question for items, and write down what was answered."""

from __future__ import annotations

import os
from random import Random
from typing import Any, NamedTuple

import numpy as np

from heedful.log.codec import encode
from heedful.log.commit import GroupCommit
from heedful.pipeline.candidates import KEPT
from heedful.pipeline.conditions import compiled_condition, parse
from heedful.pipeline.context import Context
from heedful.pipeline.filters import Filter, Holds
from heedful.pipeline.pipeline import Pipeline, Slate
from heedful.pipeline.policy import Greedy
from heedful.pipeline.reasons import Reasons
from heedful.pipeline.sources import SessionNeighbours
from heedful.services.asking import Asking
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.dictionary import MISSING
from heedful.views.fold import Fold
from heedful.vocabulary.decision import (
    REASON_NUMBERS,
    ROOM,
    Decision,
    Everything,
    encode_decision,
    encode_everything,
    keeps_everything,
)
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
_OF_THE_TRAIL = SessionNeighbours.name
"""The source that reads more of the trail than its newest item."""
_UNSAID = Instant(0)
_BYTES_AN_ITEM = 13
"""What a candidate takes in a decision, roughly."""


class Asker(NamedTuple):
    """Whom the answer is for. subject is NOBODY when the question names no person."""

    subject: SubjectId
    user: str
    anonymous: str


class Recommend:
    """The service. One thread owns it, the fold and the pipeline."""

    def __init__(
        self,
        *,
        fold: Fold,
        pipeline: Pipeline,
        commits: GroupCommit,
        pseudonyms: Pseudonyms,
        clock: Clock,
        full_share: float = 0.01,
    ) -> None:
        self._fold = fold
        self._pipeline = pipeline
        self._commits = commits
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._asking = Asking(fold)
        self._reasons = Reasons(pipeline.names, fold.catalogue, fold.items)
        self._full_share = full_share
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
        context = self._asking.context(
            asker.subject,
            limit=request.limit,
            now=now,
            page=request.context.item_id or "",
            exclude=request.exclude,
            as_of=instant(request.as_of) if request.as_of else None,
            placement=request.placement,
        )
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
        self._write_down(answer, slate, asker, request, seed, now)
        self.decisions += 1
        return answer

    def _asker(self, request: RecommendRequest) -> Asker:
        user, anonymous = request.user_id or "", request.anonymous_id or ""
        if user:
            return Asker(self._pseudonyms.user(user), user, anonymous)
        if anonymous:
            return Asker(self._pseudonyms.anonymous(anonymous), "", anonymous)
        return Asker(NOBODY, "", "")

    def _personalized(self, slate: Slate, context: Context) -> bool:
        """Whether anything the person did went into the score of an item that is shown."""
        if not context.personal:
            return False
        mine = context.trail[len(context.trail) - context.personal :].tolist()
        if not set(mine).isdisjoint(slate.because.tolist()):
            return True
        # The item on the page may speak loudest for each and still not have spoken alone.
        candidates = self._pipeline.candidates
        return bool((candidates.scores[slate.rows, self._pipeline.names.index(_OF_THE_TRAIL)] > 0).any())

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
        self,
        answer: RecommendAnswer,
        slate: Slate,
        asker: Asker,
        request: RecommendRequest,
        seed: int,
        now: Instant,
    ) -> None:
        shown = answer.items
        placement = request.placement
        full = self._everything(slate) if keeps_everything(seed, self._full_share) else b""
        others, other_scores = self._runners_up(slate)
        reasons = [item.reason for item in shown]
        kept = Decision(
            placement=placement,
            items=[item.item_id for item in shown],
            seed=seed,
            scores=[item.score for item in shown],
            propensities=[item.propensity for item in shown],
            reasons=bytes([REASON_NUMBERS.get(reason.code, 0) for reason in reasons]),
            because=[reason.because[0] if reason.because else "" for reason in reasons],
            position=answer.position,
            personalized=answer.personalized,
            policy=_named(self._pipeline.policy),
            model=_named(self._pipeline.ranker),
            behind=answer.behind,
            degraded=answer.degraded,
            limit=request.limit,
            others=others,
            other_scores=other_scores,
            full=full,
        )
        event = Event(
            kind=DECISION,
            user=asker.user,
            anonymous=asker.anonymous,
            name=placement,
            decision=answer.decision_id,
            properties=encode_decision(kept),
        )
        record = Record(
            EventId(f"heedful:{answer.decision_id}"), asker.subject, now, _UNSAID, _UNSAID, now, encode(event)
        )
        self._commits.defer((record,), _unwatched)

    def _runners_up(self, slate: Slate) -> tuple[list[ItemId], list[float]]:
        """The best candidates that are not shown, about as many as a decision has room for."""
        spare = ROOM // _BYTES_AN_ITEM - len(slate.items)
        if spare <= 0:
            return [], []
        candidates = self._pipeline.candidates
        size = len(slate.items) + spare
        rows = Greedy().choose(candidates, self._fold.items.keys, size=size, seed=0).rows
        shown = set(slate.items.tolist())
        ids, items, totals = self._fold.items.ids, candidates.items[rows], candidates.totals[rows]
        left = [
            (ids[item], total)
            for item, total in zip(items.tolist(), totals.tolist(), strict=True)
            if item not in shown
        ]
        return [item for item, _ in left], [total for _, total in left]

    def _everything(self, slate: Slate) -> bytes:
        """All candidates with what each source said of them, and how likely each was to be shown at all."""
        candidates = self._pipeline.candidates
        kept = candidates.reasons == KEPT
        items = candidates.items[kept]
        propensities = np.zeros(len(items), dtype="<f4")
        places = {item: place for place, item in enumerate(items.tolist())}
        propensities[[places[item] for item in slate.items.tolist()]] = slate.propensities
        ids = self._fold.items.ids
        everything = Everything(
            [ids[item] for item in items.tolist()],
            list(self._pipeline.names),
            candidates.scores[kept].astype("<f4").tobytes(),
            propensities.tobytes(),
        )
        return encode_everything(everything)

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


def _named(part: object) -> str:
    """What a decision calls a ranker or a policy."""
    return getattr(part, "name", type(part).__name__.lower())


def _unwatched(outcome: object) -> None:
    """A decision's sync is not waited for: a crash may lose the last milliseconds of decisions."""
    del outcome
