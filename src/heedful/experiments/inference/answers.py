"""What a statistic answers: an `Estimate`, or a `Refusal` with its reason. There is no third thing.

No field of an Estimate is ever NaN or infinite: a bound that does not exist is None, and arithmetic that left
the range of a float64 is a Refusal. The codes are stable; the sentences may be reworded.
"""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec


class Scale(StrEnum):
    """How an effect is written: B - A; (B - A) / |A|; or the same by the logarithm of B / A."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"
    LOG_RATIO = "log_ratio"


class Method(StrEnum):
    """How an interval comes about, and when one may look at it."""

    FIXED = "fixed"
    SEQUENTIAL = "sequential"
    HYBRID = "hybrid"
    GROUP_SEQUENTIAL = "group_sequential"
    BAYESIAN = "bayesian"


class Code(StrEnum):
    """Why there is no figure."""

    TOO_FEW_UNITS = "too_few_units"
    TOO_FEW_CONVERSIONS = "too_few_conversions"
    ZERO_VARIANCE = "zero_variance"
    ZERO_DENOMINATOR = "zero_denominator"
    UNSTABLE_DENOMINATOR = "unstable_denominator"
    NOT_POSITIVE = "not_positive"
    INCONSISTENT_SUMS = "inconsistent_sums"
    OVERFLOW = "overflow"
    SAMPLE_RATIO_MISMATCH = "sample_ratio_mismatch"
    NO_ARMS_IN_COMMON = "no_arms_in_common"
    NOT_A_PLANNED_LOOK = "not_a_planned_look"
    LITTLE_SUPPORT = "little_support"
    NOT_REACHABLE = "not_reachable"
    TOO_FEW_GROUPS = "too_few_groups"


class Estimate(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="result", tag="estimate"):
    """A figure with its interval.

    value: the estimate (Bayesian: the posterior mean). low, high: the interval at `level`; None where a
    one-sided one is open. p: of "the effect is the null", on the scale of the interval, None where the method
    has none. error: standard error, on the scale the interval was computed on (the logarithm for
    `log_ratio`). units: of the control, of the treatment; one number where there is one arm. reduction: share
    of variance that CUPED took away. notes: stable words on how it was computed. chance_to_win, risk_control,
    risk_treatment: Bayesian: the probability that the effect is positive, and what one expects to lose by
    choosing that arm.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    error: float
    level: float
    scale: Scale
    method: Method
    units: tuple[int, ...]
    reduction: float | None = None
    notes: tuple[str, ...] = ()
    chance_to_win: float | None = None
    risk_control: float | None = None
    risk_treatment: float | None = None


class Refusal(msgspec.Struct, frozen=True, rename="camel", tag_field="result", tag="refusal"):
    """Why there is no figure: a stable code and a sentence for people. units: as in `Estimate`."""

    code: Code
    why: str
    units: tuple[int, ...] = ()


Answer = Estimate | Refusal


def checked(estimate: Estimate) -> Answer:
    """The estimate, or a refusal if any of its figures left the range of a float."""
    always = (estimate.value, estimate.error, estimate.low, estimate.high, estimate.p, estimate.reduction)
    figures = (*always, estimate.chance_to_win, estimate.risk_control, estimate.risk_treatment)
    if all(figure is None or math.isfinite(figure) for figure in figures):
        return estimate
    return overflow(estimate.units)


def overflow(units: tuple[int, ...] = ()) -> Refusal:
    """The refusal for arithmetic that left the range of a float64."""
    return Refusal(
        Code.OVERFLOW, "The figures are too large to compute with; check the metric's values.", units
    )
