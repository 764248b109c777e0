"""How many units, how small an effect, how many days more: from the interval's own width.

An effect is found with probability `power` where it is at least the interval's half width plus z(power)
standard errors; for a fixed test this is the textbook formula, for the others it is what their wider interval
costs when read at the planned end. `spread` is the variance of the effect times the units in all arms: it
stays as units come.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from heedful.experiments.inference.answers import Code, Method, Refusal
from heedful.experiments.inference.contrasts import Contrast
from heedful.experiments.inference.groups import bounds
from heedful.experiments.inference.plans import Plan, Side
from heedful.experiments.inference.sequential import half_width, half_width_one_sided, rho_squared
from heedful.experiments.inference.special import normal_cdf, normal_quantile

MOST_UNITS = 10**12
MOST_DAYS = 3_650


def spread_of(contrast: Contrast) -> float:
    """From an effect that is being measured."""
    return contrast.variance * contrast.n


def spread_before(variance: float, shares: Sequence[float] = (0.5, 0.5), mean: float = 1.0) -> float:
    """Before the start: variance of a unit's value, shares of units in control and treatment; of a relative
    effect, also the control's mean (1 for an absolute one). Both arms are taken to vary alike, as under the
    null.
    """
    return variance / mean**2 * (1 / shares[0] + 1 / shares[1])


def reach(plan: Plan, variance: float, n: float) -> float:
    """The half width at the planned end, with n units and that squared error; normal, for planning."""
    sides, error = 2 if plan.side is Side.BOTH else 1, math.sqrt(variance)
    if plan.method is Method.SEQUENTIAL:
        rho2 = rho_squared(plan.alpha * (3 - sides), plan.tuned_for)
        width = half_width if sides == 2 else half_width_one_sided
        return width(variance, n, plan.alpha, rho2)
    if plan.method is Method.GROUP_SEQUENTIAL:
        return bounds(plan.looks, plan.alpha, plan.spending, sides)[-1] * error
    alpha = plan.alpha * (1 - plan.hybrid_share) if plan.method is Method.HYBRID else plan.alpha
    return -normal_quantile(alpha / sides) * error


def detectable(plan: Plan, spread: float, n: float, power: float = 0.8) -> float:
    """The least effect, from the null, that n units would find with that probability: the minimum detectable
    effect.
    """
    variance = spread / n
    return reach(plan, variance, n) + normal_quantile(power) * math.sqrt(variance)


def power_of(plan: Plan, spread: float, n: float, effect: float) -> float:
    """The probability that n units find an effect of that size, in its own direction."""
    variance = spread / n
    return normal_cdf((abs(effect) - reach(plan, variance, n)) / math.sqrt(variance))


def units_needed(plan: Plan, spread: float, effect: float, power: float = 0.8) -> int | Refusal:
    """Units in all arms at which `effect` becomes detectable; refused beyond 10^12."""
    return _least(lambda n: detectable(plan, spread, n, power) <= abs(effect), effect)


def _least(enough: Callable[[int], bool], effect: float) -> int | Refusal:
    if not abs(effect) > 0:
        return Refusal(Code.NOT_REACHABLE, "No number of units tells an effect of 0 from 0.")
    high = 2
    while not enough(high):
        high *= 2
        if high > MOST_UNITS:
            return Refusal(
                Code.NOT_REACHABLE, f"An effect of {effect:g} needs more than {MOST_UNITS:,} units."
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def days_left(
    plan: Plan, spread: float, effect: float, *, units: int, units_per_day: float, power: float = 0.8
) -> float | Refusal:
    """Days until `effect` is detectable, at today's rate of new units; 0 when it is already."""
    needed = units_needed(plan, spread, effect, power)
    if isinstance(needed, Refusal):
        return needed
    if needed <= units:
        return 0.0
    if not units_per_day > 0:
        return Refusal(Code.NOT_REACHABLE, "No new units come.", (units,))
    days = (needed - units) / units_per_day
    if days > MOST_DAYS:
        return Refusal(Code.NOT_REACHABLE, f"At this rate it would take {days / 365:,.0f} years.", (units,))
    return days
