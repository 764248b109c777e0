"""Recall an answer that was given: read its decision in the log and say it in words."""

from __future__ import annotations

from collections.abc import Callable

from heedful.log.codec import decode
from heedful.pipeline.reasons import Reasons
from heedful.views.fold import Fold
from heedful.vocabulary.decision import REASONS, Decision, decode_decision
from heedful.vocabulary.event import Event, Record
from heedful.vocabulary.ids import DecisionId, EventId, ItemId
from heedful.vocabulary.kinds import DECISION
from heedful.vocabulary.recall import ConsideredItem, RecalledDecision, RecalledItem
from heedful.vocabulary.recommendation import Reason
from heedful.vocabulary.time import iso


class Recall:
    """The service."""

    def __init__(self, *, fold: Fold, reasons: Reasons) -> None:
        self._fold = fold
        self._reasons = reasons

    def recall(self, decision: DecisionId) -> RecalledDecision | None:
        """The decision under its id, or None when the log holds none, or none any more. Raises Corrupt."""
        stored = self._fold.find(EventId(f"heedful:{decision}"))
        if stored is None:
            return None
        event = decode(stored.record.body)
        return _said(stored.record, event, self._reasons.again) if event.kind == DECISION else None


def _said(record: Record, event: Event, reason: Callable[[str, ItemId | None], Reason]) -> RecalledDecision:
    kept = decode_decision(event.properties)
    return RecalledDecision(
        decision_id=DecisionId(event.decision),
        at=iso(record.at),
        placement=kept.placement,
        placement_version=kept.placement_version,
        policy=kept.policy,
        model=kept.model,
        user_id=event.user or None,
        anonymous_id=event.anonymous or None,
        subject=record.subject.hex(),
        items=_items(kept, reason),
        considered=[
            ConsideredItem(ItemId(item), round(score, 6))
            for item, score in zip(kept.others, kept.other_scores, strict=True)
        ],
        limit=kept.limit,
        seed=f"{kept.seed:016x}",
        position=kept.position,
        personalized=kept.personalized,
        holdout=kept.holdout,
        behind=kept.behind,
        degraded=kept.degraded,
        counts_as_shown=kept.counts_as_shown,
        window_minutes=kept.window,
        purchase_window_minutes=kept.purchase_window,
        consent=kept.consent,
        arms=dict(kept.arms),
        full=bool(kept.full),
    )


def _items(kept: Decision, reason: Callable[[str, ItemId | None], Reason]) -> list[RecalledItem]:
    shown = len(kept.items)
    numbers = kept.reasons or bytes(shown)
    because = kept.because or [""] * shown
    chances = kept.propensities or [1.0] * shown
    return [
        RecalledItem(
            place,
            ItemId(item),
            round(score, 6),
            chance,
            reason(_code(number), ItemId(about) if about else None),
        )
        for place, (item, score, chance, number, about) in enumerate(
            zip(kept.items, kept.scores, chances, numbers, because, strict=True), start=1
        )
    ]


def _code(number: int) -> str:
    return REASONS[number] if number < len(REASONS) else ""
