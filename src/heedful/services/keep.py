"""Write down what was answered: the decision of a slate, as an event in the log."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from heedful.log.codec import encode
from heedful.log.commit import GroupCommit
from heedful.pipeline.arrangement import best_first
from heedful.pipeline.candidates import KEPT
from heedful.pipeline.features import Features
from heedful.pipeline.pipeline import Pipeline, Slate
from heedful.pipeline.placing import Spot
from heedful.pipeline.ranker import Learned
from heedful.services.gates import OPEN, Gate
from heedful.views.dictionary import Items
from heedful.vocabulary.decision import (
    NO_OTHER,
    REASON_NUMBERS,
    ROOM,
    Decision,
    Everything,
    encode_decision,
    encode_everything,
    keeps_everything,
)
from heedful.vocabulary.event import Event, Line, Record
from heedful.vocabulary.ids import EventId, ItemId, SubjectId
from heedful.vocabulary.kinds import DECISION
from heedful.vocabulary.recommendation import RecommendAnswer
from heedful.vocabulary.time import Instant

_UNSAID = Instant(0)
_BYTES_AN_ITEM = 13
"""What a candidate takes in a decision, roughly."""


class Asker(NamedTuple):
    """Whom the answer is for. subject is NOBODY when the question names no person."""

    subject: SubjectId
    user: str
    anonymous: str


class Answered(NamedTuple):
    """An answer and how it came about. name: of the placement, as it was asked for. held: out of everything
    personal, to measure it. gate: what it was allowed to use."""

    answer: RecommendAnswer
    slate: Slate
    asker: Asker
    name: str
    spot: Spot
    seed: int
    now: Instant
    limit: int
    held: bool
    gate: Gate = OPEN
    arms: tuple[tuple[str, str], ...] = ()


class KeepDecisions:
    """The service. full_share: in [0, 1], of decisions that keep all candidates with their features."""

    def __init__(self, commits: GroupCommit, items: Items, *, full_share: float) -> None:
        self._commits = commits
        self._items = items
        self._full_share = full_share

    def keep(self, answered: Answered, pipeline: Pipeline) -> None:
        """Give the decision to the log, without waiting for it. `pipeline` has just made the slate."""
        answer, slate, asker, seed = answered.answer, answered.slate, answered.asker, answered.seed
        full = self._everything(slate, pipeline) if keeps_everything(seed, self._full_share) else b""
        others, other_scores = self._runners_up(slate, pipeline)
        shown, placement = answer.items, answered.spot.placement
        reasons = [item.reason for item in shown]
        kept = Decision(
            placement=answered.name,
            placement_version=answered.spot.version,
            items=[item.item_id for item in shown],
            seed=seed,
            scores=[item.score for item in shown],
            propensities=[item.propensity for item in shown],
            reasons=bytes([REASON_NUMBERS.get(reason.code, 0) for reason in reasons]),
            because=[reason.because[0] if reason.because else "" for reason in reasons],
            position=answer.position,
            personalized=answer.personalized,
            holdout=answered.held,
            policy=slate.policy,
            model=pipeline.model,
            behind=answer.behind,
            degraded=answer.degraded,
            limit=answered.limit,
            counts_as_shown=placement.shown,
            window=60 * placement.attribution.hours,
            purchase_window=60 * placement.attribution.purchase_hours,
            consent=answered.gate.in_force,
            arms=answered.arms,
            others=others,
            other_scores=other_scores,
            full=full,
        )
        event = Event(
            kind=DECISION,
            lines=tuple([Line(item.item_id) for item in shown]) if answered.spot.remembers else (),
            user=asker.user,
            anonymous=asker.anonymous,
            name=answered.name,
            decision=answer.decision_id,
            properties=encode_decision(kept),
            context=answered.gate.carried,
        )
        record = Record(
            EventId(f"heedful:{answer.decision_id}"), asker.subject, answered.now, _UNSAID, _UNSAID,
            answered.now, encode(event),
        )  # fmt: skip
        # A rule that goes by what was shown must see it at the next question, and whoever was shown an arm keeps
        # it, also where no loop comes back for what was put off.
        at_once = (answered.spot.remembers or answered.arms) and self._commits.later is None
        (self._commits.submit if at_once else self._commits.defer)((record,), self._commits.unwatched)

    def _runners_up(self, slate: Slate, pipeline: Pipeline) -> tuple[list[ItemId], list[float]]:
        """The best candidates that are not shown, about as many as a decision has room for."""
        spare = ROOM // _BYTES_AN_ITEM - len(slate.items)
        if spare <= 0:
            return [], []
        candidates = pipeline.candidates
        size = len(slate.items) + spare
        rows = best_first(candidates, self._items.keys, size)
        shown = set(slate.items.tolist())
        ids, items, totals = self._items.ids, candidates.items[rows], candidates.totals[rows]
        left = [
            (ids[item], total)
            for item, total in zip(items.tolist(), totals.tolist(), strict=True)
            if item not in shown
        ]
        return [item for item, _ in left], [total for _, total in left]

    def _everything(self, slate: Slate, pipeline: Pipeline) -> bytes:
        """All candidates with what each source said of them, or every feature where a model looked at them, and
        how likely each was to be shown at all."""
        candidates = pipeline.candidates
        kept = candidates.reasons == KEPT
        items = candidates.items[kept]
        propensities = np.zeros(len(items), dtype="<f4")
        places = {item: place for place, item in enumerate(items.tolist())}
        exchange = slate.exchange
        at_all = slate.propensities if exchange is None else exchange.shown
        propensities[[places[item] for item in slate.items.tolist()]] = at_all
        ids, features = self._items.ids, _features_of(pipeline)
        names = list(pipeline.names) if features is None else list(features.names)
        table = candidates.scores[kept] if features is None else features.table(len(candidates))[kept]
        everything = Everything(
            [ids[item] for item in items.tolist()],
            names,
            table.astype("<f4").tobytes(),
            propensities.tobytes(),
            others=b"" if exchange is None else (exchange.other & NO_OTHER).astype(np.uint8).tobytes(),
            chances=b"" if exchange is None else exchange.chance.astype("<f4").tobytes(),
        )
        return encode_everything(everything)


def _features_of(pipeline: Pipeline) -> Features | None:
    """The features that the ranker has just looked at."""
    ranker = pipeline.ranker
    return ranker.features if isinstance(ranker, Learned) and ranker.model is not None else None
