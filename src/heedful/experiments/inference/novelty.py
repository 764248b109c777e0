"""Does the effect fade, or grow, with the time since a unit first saw it?

From the effects by age (days since a unit's first exposure, so that old and new units are not mixed): the
weighted least-squares line through them, and its slope with an interval. One unit may count at several ages;
what units have in common between ages makes the true error of a slope smaller than taken here, so the check
errs towards silence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from heedful.experiments.inference.answers import Answer, Code, Estimate, Method, Refusal, checked
from heedful.experiments.inference.contrasts import Contrast
from heedful.experiments.inference.special import normal_quantile, normal_tail

FEWEST_AGES = 4


def novelty(by_age: Mapping[int, Contrast | Refusal], *, alpha: float = 0.05, fewest: int = 30) -> Answer:
    """The slope of the effect per day of age. Below 0 with a small p: the effect wears off; above: it is
    learned.

    Ages whose arms have fewer than `fewest` units are left out; fewer than four others are refused.
    """
    usable = {
        age: effect
        for age, effect in by_age.items()
        if isinstance(effect, Contrast) and min(effect.units) >= fewest
    }
    if len(usable) < FEWEST_AGES:
        why = f"{len(usable)} ages have enough units; a trend needs {FEWEST_AGES}."
        return Refusal(Code.TOO_FEW_GROUPS, why)
    weights = {age: 1 / effect.variance for age, effect in usable.items()}
    total = math.fsum(weights.values())
    centre = math.fsum(age * weight for age, weight in weights.items()) / total
    mass = math.fsum(weight * (age - centre) ** 2 for age, weight in weights.items())
    slope = math.fsum(weights[age] * (age - centre) * effect.value for age, effect in usable.items()) / mass
    error = 1 / math.sqrt(mass)
    half = -normal_quantile(alpha / 2) * error
    first = usable[min(usable)]
    return checked(
        Estimate(
            value=slope, low=slope - half, high=slope + half, p=2 * normal_tail(abs(slope) / error), error=error,
            level=1 - alpha, scale=first.scale, method=Method.FIXED, units=first.units, notes=("per_day_of_age",),
        )
    )  # fmt: skip
