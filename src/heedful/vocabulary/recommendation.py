"""A question for items and its answer, as they stand on the wire (camel case, JSON)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from heedful.vocabulary.ids import DecisionId, ItemId


class Situation(msgspec.Struct, frozen=True, rename="camel"):
    """What surrounds the question. Fields that we do not know are kept out without complaint.

    item_id: the item on the page. properties: texts, numbers and flags that rules of the placement may go by.
    consent: as in an event's `context.consent`; it speaks for this question alone.
    """

    item_id: str | None = None
    properties: dict[str, str | int | float | bool] = {}
    consent: Any = None


class RecommendRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Who asks, where it will be shown, and what must not be in it.

    user_id or anonymous_id: who it is for; neither is fine, then nobody in particular.
    placement: the named spot; `default` when left out.
    limit: how many items, 1 to 100.
    exclude: item ids that must not appear, at most 1,000.
    filter: a condition over item fields (`pipeline.conditions`); only items for which it holds appear.
    after: a position an earlier answer gave; the answer reflects everything up to it, or says `behind`.
    explain: whether to add the trace of every stage.
    as_of: answer as if it were then; now when left out.
    """

    user_id: str | None = None
    anonymous_id: str | None = None
    placement: str = "default"
    limit: int = 20
    context: Situation = Situation()
    exclude: tuple[str, ...] = ()
    filter: dict[str, Any] | None = None
    after: str | None = None
    explain: bool = False
    as_of: datetime | None = None


class Reason(msgspec.Struct, frozen=True, gc=False):
    """Why an item is here, safe to show: a stable code, one sentence, and the items it speaks of."""

    code: str
    text: str
    because: tuple[ItemId, ...] = ()


class RecommendedItem(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """One item shown. propensity: the probability, in (0, 1], that this policy shows it in this place."""

    item_id: ItemId
    score: float
    reason: Reason
    propensity: float


class RecommendAnswer(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The slate, best first.

    personalized: whether anything of the person went into it.
    degraded: whether a part that should have helped could not.
    position: everything up to here is reflected.
    behind: whether `after` could not be reached in time.
    withheld: the purpose that the person does not allow, for which nothing of them was read; left out where
        nothing is missing.
    arms: by experiment, the arm that the person is in here; left out where there is none.
    trace: what each stage did, when asked for.
    """

    decision_id: DecisionId
    items: list[RecommendedItem]
    personalized: bool
    position: str
    degraded: bool
    behind: bool = False
    withheld: str = ""
    arms: dict[str, str] = {}
    trace: dict[str, Any] | None = None
