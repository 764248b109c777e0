"""A decision as it is told again, as it stands on the wire (camel case, JSON)."""

from __future__ import annotations

import msgspec

from heedful.vocabulary.ids import DecisionId, ItemId
from heedful.vocabulary.recommendation import Reason


class RecalledItem(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """One item that was shown. place: from 1. score: to a 131,070th of the answer's range.

    reason: the code as kept, the sentence in today's words, "" where there is none for the code any more.
    """

    place: int
    item_id: ItemId
    score: float
    propensity: float
    reason: Reason


class ConsideredItem(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """A candidate that was not shown."""

    item_id: ItemId
    score: float


class RecalledDecision(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One answer, as the log keeps it.

    at: when it was given. user_id, anonymous_id: as the question named them. subject: the person's pseudonym
    in hexadecimal digits, "" for nobody in particular.
    considered: the best candidates that were not shown, best first, as many as were kept.
    seed: 16 hexadecimal digits, because 64 bits are more than a JSON number holds everywhere.
    position: what the answer had seen. holdout: whether the person gets no personal answers, to compare with.
    counts_as_shown, window_minutes, purchase_window_minutes: how reactions are credited to it.
    variant, variants: for a choice among variants, which one it was and how likely each had been.
    taste: the id of the model of long-term taste that a source answered from, where there was one.
    arms: the experiments in force and the arm of each. full: whether all candidates were kept with features.
    """

    decision_id: DecisionId
    at: str
    placement: str
    placement_version: int
    policy: str
    model: str
    user_id: str | None
    anonymous_id: str | None
    subject: str
    items: list[RecalledItem]
    considered: list[ConsideredItem]
    limit: int
    seed: str
    position: str
    personalized: bool
    holdout: bool
    behind: bool
    degraded: bool
    counts_as_shown: bool
    window_minutes: int
    purchase_window_minutes: int
    consent: str
    arms: dict[str, str]
    full: bool
    variant: str = ""
    variants: dict[str, float] = {}
    taste: str = ""
