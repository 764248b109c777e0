"""Recall an answer that was given: read its decision in the log and say it in words."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from heedful.log.codec import decode
from heedful.models.variants.draw import UNITS
from heedful.pipeline.pipeline import WITH_TASTE
from heedful.pipeline.reasons import Reasons
from heedful.views.fold import Fold
from heedful.views.variant_facts import is_about_variants
from heedful.vocabulary.decision import PURCHASE_WINDOW, REASONS, WINDOW, Decision, decode_decision
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.event import Event, Record
from heedful.vocabulary.ids import DecisionId, EventId, ItemId
from heedful.vocabulary.kinds import DECISION
from heedful.vocabulary.recall import ConsideredItem, RecalledDecision, RecalledItem
from heedful.vocabulary.recommendation import Reason
from heedful.vocabulary.time import iso
from heedful.vocabulary.variants import VariantDecision


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
        if event.kind != DECISION:
            return None
        return self.told(stored.record, event)

    def told(self, record: Record, event: Event) -> RecalledDecision:
        """The decision that `event`, of kind `decision`, is. Raises Corrupt."""
        if is_about_variants(event):
            return _chosen(record, event)
        return _said(record, event, self._reasons.again)


def _chosen(record: Record, event: Event) -> RecalledDecision:
    """A choice among variants. Raises Corrupt where it does not read."""
    try:
        kept = msgspec.json.decode(event.properties, type=VariantDecision)
    except msgspec.DecodeError as error:
        raise Corrupt(f"the decision {event.decision} does not read: {error}") from error
    return RecalledDecision(
        decision_id=DecisionId(event.decision), at=iso(record.at), placement=kept.placement, placement_version=0,
        policy=kept.algorithm, model="", user_id=event.user or None, anonymous_id=event.anonymous or None,
        subject=record.subject.hex(), items=[], considered=[], limit=1, seed=f"{kept.seed:016x}",
        position=kept.position, personalized=kept.personalized, holdout=False, behind=False,
        degraded=kept.degraded, counts_as_shown=True, window_minutes=WINDOW,
        purchase_window_minutes=PURCHASE_WINDOW, consent="", arms={}, full=False, variant=kept.variant,
        variants={name: part / UNITS for name, part in zip(kept.variants, kept.parts, strict=True)},
    )  # fmt: skip


def _said(record: Record, event: Event, reason: Callable[[str, ItemId | None], Reason]) -> RecalledDecision:
    kept = decode_decision(event.properties)
    model, _, taste = kept.model.partition(WITH_TASTE)
    return RecalledDecision(
        decision_id=DecisionId(event.decision),
        at=iso(record.at),
        placement=kept.placement,
        placement_version=kept.placement_version,
        policy=kept.policy,
        model=model,
        taste=taste,
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
