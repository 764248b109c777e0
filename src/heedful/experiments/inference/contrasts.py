"""Effects: the difference between two arms and its variance, by the delta method on the means of both.

A metric is a smooth function of an arm's means (the outcome; outcome over denominator; either less θ times
its past: CUPED), an effect is a smooth function of two metrics, and so its variance is g' C g / n per arm
with g the gradient: one formula for means, shares, ratios, adjusted or not, absolute or relative, stratified
or not. Sources: Deng, Knoblich, Lu (KDD 2018) for ratios and relative effects; Deng, Xu, Kohavi, Walker (WSDM
2013) for CUPED.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from heedful.experiments.inference.answers import Code, Refusal, Scale, overflow
from heedful.experiments.inference.arms import Arm, D, E, Kind, Measure, Vector, X, Y, arm_of
from heedful.experiments.inference.sums import Sums

STEADY = 3.0
"""What divides must lie this many of its standard errors from 0; below it the delta method says nothing
true.
"""

_NEGLIGIBLE = 1e-12
_SUSPICIOUS = 0.5


class Contrast(NamedTuple):
    """An effect before it is given an interval.

    value: on the scale; of `log_ratio` the logarithm of the ratio. variance: of the value, the squared
    standard error. df: Welch and Satterthwaite's degrees of freedom. reference: |mean of the control|,
    unadjusted. levels: the metric in control and treatment, adjusted where CUPED was used.
    """

    value: float
    variance: float
    df: float
    units: tuple[int, ...]
    scale: Scale
    reference: float
    levels: tuple[float, ...]
    reduction: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Units in both arms."""
        return sum(self.units)


class Level(NamedTuple):
    """A metric in one arm, adjusted or not. gradient: by (y, d, x, e)."""

    value: float
    gradient: Vector


class Gradients(NamedTuple):
    """An effect's gradients by the means of control and treatment."""

    control: Vector
    treatment: Vector


def contrast(
    control: Sums, treatment: Sums, measure: Measure, scale: Scale = Scale.ABSOLUTE
) -> Contrast | Refusal:
    """The effect of the treatment over the control, from the sums of both arms."""
    one, other = arm_of(control, measure), arm_of(treatment, measure)
    if isinstance(one, Refusal):
        return one
    if isinstance(other, Refusal):
        return other
    if refusal := too_few_conversions(control, treatment, measure):
        return refusal
    pooled = None
    if measure.cuped and measure.kind is not Kind.RATIO and (control.xx or treatment.xx):
        both = arm_of(control.plus(treatment), measure)
        pooled = None if isinstance(both, Refusal) else both
    found = contrast_of_arms(one, other, measure, scale, pooled)
    return found if isinstance(found, Refusal) else found[0]


def level(sums: Sums, measure: Measure) -> Contrast | Refusal:
    """The metric in one arm, unadjusted: a contrast with nothing."""
    arm = arm_of(sums, measure)
    if isinstance(arm, Refusal):
        return arm
    if refusal := too_few_conversions(sums, Sums(), measure):
        return refusal
    found = level_of(arm, measure)
    if isinstance(found, Refusal):
        return found
    variance = arm.along(found.gradient, found.gradient) / arm.n
    if not variance > 0:
        return _zero_variance((arm.n,))
    return Contrast(
        found.value, variance, arm.n - 1.0, (arm.n,), Scale.ABSOLUTE, abs(found.value), (found.value,)
    )


def contrast_of_arms(
    control: Arm, treatment: Arm, measure: Measure, scale: Scale, pooled: Arm | None = None
) -> tuple[Contrast, Gradients] | Refusal:
    """The effect from means and covariances, with its gradients. pooled: both arms as one sample, for θ."""
    try:
        return _measured(control, treatment, measure, scale, pooled)
    except (OverflowError, ZeroDivisionError):  # a square that left the range of a float64, either way
        return overflow((control.n, treatment.n))


def _measured(
    control: Arm, treatment: Arm, measure: Measure, scale: Scale, pooled: Arm | None
) -> tuple[Contrast, Gradients] | Refusal:
    units = (control.n, treatment.n)
    raw = level_of(control, measure), level_of(treatment, measure)
    for side in raw:
        if isinstance(side, Refusal):
            return Refusal(side.code, side.why, units)
    base, other = raw
    assert isinstance(base, Level) and isinstance(other, Level)  # noqa: S101 for the type checker: see above
    plain = [arm.along(side.gradient, side.gradient) for arm, side in ((control, base), (treatment, other))]
    if min(plain) <= 0:
        return _zero_variance(units)
    one, two, notes = _adjusted(control, treatment, base, other, measure, pooled)
    effect = _effect((control, base, one), (treatment, other, two), scale)
    if isinstance(effect, Refusal):
        return Refusal(effect.code, effect.why, units)
    value, gradients = effect
    spread = [control.along(one.gradient, one.gradient), treatment.along(two.gradient, two.gradient)]
    if min(spread[0] - _NEGLIGIBLE * plain[0], spread[1] - _NEGLIGIBLE * plain[1]) <= 0:
        return _zero_variance(units)
    shares = [control.along(gradients.control, gradients.control)]
    shares.append(treatment.along(gradients.treatment, gradients.treatment))
    variance = shares[0] / control.n + shares[1] / treatment.n
    if not (math.isfinite(value) and 0 < variance < math.inf):
        return overflow(units)
    before = plain[0] / control.n + plain[1] / treatment.n
    reduction = 1 - (spread[0] / control.n + spread[1] / treatment.n) / before
    df = _welch(shares if scale is Scale.LOG_RATIO else spread, units)
    if scale is not Scale.ABSOLUTE and abs(value) > _SUSPICIOUS:
        notes += ("larger_than_believable",)
    found = Contrast(
        value, variance, df, units, scale, abs(base.value), (one.value, two.value),
        reduction if "cuped" in notes else None, notes,
    )  # fmt: skip
    return found, gradients


def level_of(arm: Arm, measure: Measure) -> Level | Refusal:
    """The metric in an arm, unadjusted, with its gradient."""
    if measure.kind is not Kind.RATIO:
        return Level(arm.mean[Y], (1.0, 0.0, 0.0, 0.0))
    return _quotient(arm, Y, D)


def too_few_conversions(control: Sums, treatment: Sums, measure: Measure) -> Refusal | None:
    """A share of which too few units have, or have not, what is counted: far from normal."""
    if measure.kind is not Kind.PROPORTION:
        return None
    have = (control.y + treatment.y) // measure.scale
    least = min(have, control.n + treatment.n - have)
    if least >= measure.fewest_conversions:
        return None
    why = f"Only {least} units differ from the others; at least {measure.fewest_conversions} are needed."
    return Refusal(Code.TOO_FEW_CONVERSIONS, why, (control.n, treatment.n))


def _quotient(arm: Arm, top: int, bottom: int) -> Level | Refusal:
    mean, divisor = arm.mean[top], arm.mean[bottom]
    if divisor == 0:
        return Refusal(Code.ZERO_DENOMINATOR, "The denominators of the ratio add up to 0.", (arm.n,))
    if abs(divisor) < STEADY * math.sqrt(arm.between(bottom, bottom) / arm.n):
        return Refusal(
            Code.UNSTABLE_DENOMINATOR,
            "The ratio's denominator cannot be told from 0 with so few units.",
            (arm.n,),
        )
    gradient = [0.0] * 4
    gradient[top], gradient[bottom] = 1 / divisor, -mean / divisor**2
    return Level(mean / divisor, (gradient[0], gradient[1], gradient[2], gradient[3]))


def _adjusted(
    control: Arm, treatment: Arm, base: Level, other: Level, measure: Measure, pooled: Arm | None
) -> tuple[Level, Level, tuple[str, ...]]:
    """Both levels less θ times their past, centred on the mean past of all; or as they were, with the reason.

    θ: cov(Y, X) / var(X) of both arms as one sample; of ratios, of the linearised metrics, summed over the
    arms.
    """
    if not measure.cuped:
        return base, other, ()
    before, after = _past(control, measure), _past(treatment, measure)
    if before is None or after is None:
        return base, other, ("no_past",)
    if pooled is not None:
        top, bottom = pooled.between(Y, X), pooled.between(X, X)
    else:
        top = control.along(base.gradient, before.gradient) + treatment.along(other.gradient, after.gradient)
        bottom = control.along(before.gradient, before.gradient)
        bottom += treatment.along(after.gradient, after.gradient)
    if not bottom > 0:
        return base, other, ("no_past",)
    theta = top / bottom
    n = control.n + treatment.n
    centre = (control.n * before.value + treatment.n * after.value) / n
    return _less(base, before, theta, centre), _less(other, after, theta, centre), ("cuped",)


def _past(arm: Arm, measure: Measure) -> Level | None:
    if measure.kind is not Kind.RATIO:
        return Level(arm.mean[X], (0.0, 0.0, 1.0, 0.0))
    found = _quotient(arm, X, E)
    return None if isinstance(found, Refusal) else found


def _less(side: Level, past: Level, theta: float, centre: float) -> Level:
    g, h = side.gradient, past.gradient
    gradient = (g[0] - theta * h[0], g[1] - theta * h[1], g[2] - theta * h[2], g[3] - theta * h[3])
    return Level(side.value - theta * (past.value - centre), gradient)


_Side = tuple[Arm, Level, Level]
"""An arm with its level as it is and as CUPED adjusted it."""


def _effect(control: _Side, treatment: _Side, scale: Scale) -> tuple[float, Gradients] | Refusal:
    """The value and its gradients.

    A relative effect divides by the unadjusted control. How far that moves it is judged by the unadjusted
    difference: the expected pasts of the arms are equal, so both are estimates of one number.
    """
    (_, base, one), (_, other, two) = control, treatment
    difference = two.value - one.value
    if scale is Scale.ABSOLUTE:
        return difference, Gradients(_times(one.gradient, -1), two.gradient)
    sides = (control[:2],) if scale is Scale.RELATIVE else (control[::2], treatment[::2])
    for arm, side in sides:
        if side.value == 0:
            return Refusal(Code.ZERO_DENOMINATOR, "A relative effect would divide by a mean of 0.")
        if abs(side.value) < STEADY * math.sqrt(max(arm.along(side.gradient, side.gradient), 0) / arm.n):
            return Refusal(
                Code.UNSTABLE_DENOMINATOR,
                "A relative effect would divide by a mean that cannot be told from 0.",
            )
    if scale is Scale.LOG_RATIO:
        if min(one.value, two.value) <= 0:
            return Refusal(Code.NOT_POSITIVE, "The logarithm of a ratio needs two positive means.")
        gradients = Gradients(_times(one.gradient, -1 / one.value), _times(two.gradient, 1 / two.value))
        return math.log(two.value / one.value), gradients
    size, drift = abs(base.value), (other.value - base.value) / base.value
    own, moved = _times(one.gradient, -1 / size), _times(base.gradient, -drift / size)
    return difference / size, Gradients(
        (own[0] + moved[0], own[1] + moved[1], own[2] + moved[2], own[3] + moved[3]),
        _times(two.gradient, 1 / size),
    )


def _welch(spread: list[float], units: tuple[int, int]) -> float:
    """Welch and Satterthwaite's degrees of freedom of the difference."""
    one, two = spread[0] / units[0], spread[1] / units[1]
    return (one + two) ** 2 / (one * one / (units[0] - 1) + two * two / (units[1] - 1))


def _times(vector: Vector, factor: float) -> Vector:
    return vector[0] * factor, vector[1] * factor, vector[2] * factor, vector[3] * factor


def _zero_variance(units: tuple[int, ...]) -> Refusal:
    return Refusal(
        Code.ZERO_VARIANCE, "All units of an arm have the same value, so its error is not known.", units
    )
