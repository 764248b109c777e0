"""From an effect and its variance to an interval and a p-value, by the method the plan names.

The p-value and the interval always agree: the p is at most alpha just where the interval leaves the null out,
on the same scale. A relative p-value therefore differs from the absolute one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from heedful.experiments.inference.answers import (
    Answer,
    Code,
    Estimate,
    Method,
    Refusal,
    Scale,
    checked,
    overflow,
)
from heedful.experiments.inference.arms import Measure
from heedful.experiments.inference.bayes import posterior
from heedful.experiments.inference.contrasts import Contrast, contrast
from heedful.experiments.inference.groups import bounds, p_repeated
from heedful.experiments.inference.plans import RUNNING, Plan, Side, Stage
from heedful.experiments.inference.sequential import (
    half_width,
    half_width_one_sided,
    p_anytime,
    p_anytime_one_sided,
    rho_squared,
)
from heedful.experiments.inference.special import normal_quantile, t_quantile, t_tail
from heedful.experiments.inference.sums import Sums


class _Test(NamedTuple):
    reach: float
    p: float


def compare(control: Sums, treatment: Sums, measure: Measure, plan: Plan, stage: Stage = RUNNING) -> Answer:
    """The effect of the treatment, or why there is none."""
    units = (control.n, treatment.n)
    if refusal := too_few(units, plan.fewest):
        return refusal
    found = contrast(control, treatment, measure, plan.scale)
    return found if isinstance(found, Refusal) else judged(found, plan, stage)


def judged(
    effect: Contrast | Refusal, plan: Plan, stage: Stage = RUNNING, *, alpha: float | None = None
) -> Answer:
    """An effect with its interval. alpha: instead of the plan's, after a correction; what was tuned stays."""
    if isinstance(effect, Refusal):
        return effect
    if refusal := too_few(effect.units, plan.fewest):
        return refusal
    alpha = plan.alpha if alpha is None else alpha
    try:
        if plan.method is Method.BAYESIAN:
            return _believed(effect, plan, alpha)
        found = _tested(effect, plan, stage, alpha)
    except (OverflowError, ZeroDivisionError):
        return overflow(effect.units)
    if isinstance(found, Refusal):
        return found
    low = None if plan.side is Side.LESS else effect.value - found.reach
    high = None if plan.side is Side.GREATER else effect.value + found.reach
    return _written(effect, plan, alpha, effect.value, low, high, p=found.p)


def too_few(units: tuple[int, ...], fewest: int) -> Refusal | None:
    """The refusal for arms that are too small for a normal approximation."""
    if min(units) >= fewest:
        return None
    why = f"The smallest arm has {min(units)} units; at least {fewest} are needed."
    return Refusal(Code.TOO_FEW_UNITS, why, units)


def null_of(plan: Plan, scale: Scale) -> float:
    """The null on the scale an effect is computed on."""
    return math.log1p(plan.null) if scale is Scale.LOG_RATIO else plan.null


def _tested(effect: Contrast, plan: Plan, stage: Stage, alpha: float) -> _Test | Refusal:
    if plan.method is Method.FIXED:
        return _fixed(effect, plan, alpha)
    if plan.method is Method.SEQUENTIAL:
        return _sequential(effect, plan, alpha, plan.alpha)
    if plan.method is Method.HYBRID:
        share = 1 - plan.hybrid_share if stage.finished else plan.hybrid_share
        found = (
            _fixed(effect, plan, alpha * share)
            if stage.finished
            else _sequential(effect, plan, alpha * share, plan.alpha * share)
        )
        return _Test(found.reach, min(1.0, found.p / share))
    return _at_a_look(effect, plan, stage, alpha)


def _signed(effect: Contrast, plan: Plan) -> float:
    """Estimate less null, in the direction that counts."""
    difference = effect.value - null_of(plan, effect.scale)
    return -difference if plan.side is Side.LESS else difference


def _fixed(effect: Contrast, plan: Plan, alpha: float) -> _Test:
    """Welch's t: valid for one look at a moment that was fixed beforehand."""
    error = math.sqrt(effect.variance)
    t = _signed(effect, plan) / error
    if plan.side is Side.BOTH:
        return _Test(t_quantile(alpha / 2, effect.df) * error, min(1.0, 2 * t_tail(abs(t), effect.df)))
    return _Test(t_quantile(alpha, effect.df) * error, t_tail(t, effect.df))


def _sequential(effect: Contrast, plan: Plan, alpha: float, tuned: float) -> _Test:
    difference, variance, n = _signed(effect, plan), effect.variance, effect.n
    if plan.side is Side.BOTH:
        rho2 = rho_squared(tuned, plan.tuned_for)
        return _Test(half_width(variance, n, alpha, rho2), p_anytime(difference, variance, n, rho2))
    rho2 = rho_squared(2 * tuned, plan.tuned_for)
    reach = half_width_one_sided(variance, n, alpha, rho2)
    return _Test(reach, p_anytime_one_sided(difference, variance, n, rho2))


def _at_a_look(effect: Contrast, plan: Plan, stage: Stage, alpha: float) -> _Test | Refusal:
    """The repeated interval of Jennison and Turnbull at a planned look."""
    if stage.look is None or not 0 <= stage.look < len(plan.looks):
        why = "A group-sequential experiment has figures only at its planned looks."
        return Refusal(Code.NOT_A_PLANNED_LOOK, why, effect.units)
    looks, sides = plan.looks[: stage.look + 1], 2 if plan.side is Side.BOTH else 1
    error = math.sqrt(effect.variance)
    bound = bounds(looks, alpha, plan.spending, sides)[-1]
    return _Test(bound * error, p_repeated(_signed(effect, plan) / error, looks, plan.spending, sides))


def _believed(effect: Contrast, plan: Plan, alpha: float) -> Answer:
    """A normal posterior. The prior is relative; of an absolute effect it is multiplied by the control's
    mean.
    """
    unit = effect.reference if effect.scale is Scale.ABSOLUTE else 1.0
    if plan.prior_sd is not None and not unit > 0:
        return Refusal(
            Code.ZERO_DENOMINATOR, "A relative prior says nothing of a control of 0.", effect.units
        )
    spread = None if plan.prior_sd is None else plan.prior_sd * unit
    belief = posterior(effect.value, effect.variance, plan.prior_mean * unit, spread)
    reach = -normal_quantile(alpha / 2) * belief.sd
    return _written(
        effect, plan, alpha, belief.mean, belief.mean - reach, belief.mean + reach, error=belief.sd,
        chance_to_win=belief.chance_to_win, risk_control=belief.risk_control, risk_treatment=belief.risk_treatment,
    )  # fmt: skip


def _written(
    effect: Contrast,
    plan: Plan,
    alpha: float,
    value: float,
    low: float | None,
    high: float | None,
    *,
    p: float | None = None,
    error: float | None = None,
    chance_to_win: float | None = None,
    risk_control: float | None = None,
    risk_treatment: float | None = None,
) -> Answer:
    if effect.scale is Scale.LOG_RATIO:
        value = math.expm1(value)
        low, high = None if low is None else math.expm1(low), None if high is None else math.expm1(high)
    return checked(
        Estimate(
            value=value, low=low, high=high, p=p, level=1 - alpha, scale=effect.scale, method=plan.method,
            error=math.sqrt(effect.variance) if error is None else error, units=effect.units,
            reduction=effect.reduction, notes=effect.notes,
            chance_to_win=chance_to_win, risk_control=risk_control, risk_treatment=risk_treatment,
        )
    )  # fmt: skip
