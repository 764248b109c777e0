"""Variants of a piece of content: how a placement chooses among them, the question, the answer, the record."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from heedful.vocabulary.ids import DecisionId
from heedful.vocabulary.kinds import CLICK

MARK = "v"
"""How the id of a decision about variants begins; those about items are hexadecimal and never do."""

SOURCE = "heedful"
"""The source of the events that we write ourselves: `heedful:<decision id>` is a decision's event id."""

REVENUE = "revenue"
"""The outcome that is an amount: what the purchases that name the decision came to, in minor units."""

MOST_VARIANTS = 50


class Algorithm(StrEnum):
    """How a variant is chosen.

    thompson: in proportion to the chance that it is the best (Thompson 1933).
    squarecb: inversely to how far its estimate lies behind the best (Foster and Rakhlin 2020).
    fixed: by the shares that the variants name.
    """

    THOMPSON = "thompson"
    SQUARECB = "squarecb"
    FIXED = "fixed"


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that may be shown. payload: handed out with it, not looked at. share: for `fixed`, at least 0."""

    id: str
    payload: Any = None
    share: float = 1.0


class VariantPlacement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A spot that shows one of several variants.

    minimum_propensity: each variant is shown at least this often, 0 to 1 divided by their number.
    reward: what an outcome within its window is worth, by kind of event; `revenue` is worth its weight per
        minor unit. Each kind counts once a decision.
    half_life_days: what happened this long ago counts half; 0 never fades.
    """

    variants: tuple[Variant, ...]
    algorithm: Algorithm = Algorithm.THOMPSON
    minimum_propensity: float = 0.002
    reward: dict[str, float] = msgspec.field(default_factory=lambda: {CLICK: 1.0})
    half_life_days: float = 30.0


class DecideRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Which variant to show.

    user_id or anonymous_id: who it is for; neither is fine, then only outcomes that name the decision count.
    placement: the named spot; `default` when left out.
    variants: the ids to choose among, at most 50; all of the placement's when left out.
    algorithm: instead of the placement's own.
    context: what is known of the moment: text, numbers from -4 to 4, true or false, by name, at most 32. `segment`
        has statistics of its own where it is given alone; `hour` (0 to 23) is cut into four parts of the day.
        `consent`, as in an event's context, speaks for this question alone.
    explain: whether to add what each variant's probability came from.
    """

    user_id: str | None = None
    anonymous_id: str | None = None
    placement: str = "default"
    variants: tuple[str, ...] | None = None
    algorithm: Algorithm | None = None
    context: dict[str, str | float | bool | dict[str, Any]] = {}
    explain: bool = False


class DecideAnswer(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The variant to show.

    propensity: the probability with which it was chosen, in (0, 1]. propensities: that of every variant.
    personalized: whether something known of the person or the moment could move the choice.
    position: everything up to here is reflected. degraded: whether choosing failed, and the first one is shown.
    payload: the variant's own, where it has one.
    withheld: as in `RecommendAnswer`: then the context was not looked at. arms: as there.
    """

    decision_id: DecisionId
    variant: str
    propensity: float
    propensities: dict[str, float]
    personalized: bool
    position: str
    degraded: bool
    payload: Any = None
    withheld: str = ""
    arms: dict[str, str] = {}
    trace: dict[str, Any] | None = None


class VariantDecision(msgspec.Struct, frozen=True, gc=False):
    """What the log keeps of a choice.

    parts: the probabilities in units of 2^-32, in the order of `variants`; they add up to 2^32 and are what
        `models.variants.draw` chose from with `seed`.
    cell, features: what the statistics are kept under (`models.variants.features`).
    arms: (experiment, arm) in force.
    """

    placement: str
    variant: str
    variants: list[str]
    parts: list[int]
    seed: int
    cell: int
    features: list[int]
    algorithm: str
    position: str
    personalized: bool
    degraded: bool
    arms: list[tuple[str, str]] = []
