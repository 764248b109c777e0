"""Effects over strata that are judged apart and put together: post-stratification, and epochs of one
experiment.

Post-stratification: strata known before assignment (country, device) get the weight they have among all
units, whatever chance gave each arm. Per arm, the stratified means and their covariance take the place of the
plain ones, so ratios, CUPED and relative effects work as ever; that the weights are themselves a sample adds
the variance of the strata's effects over n. Source: Miratrix, Sekhon, Yu (JRSS B 2013).

Epochs: where traffic weights changed on the way, arms differ in when their units came, so the plain
difference mixes time with treatment (Simpson). Each epoch is compared within itself: Δ = Σ (n_k / n) Δ_k. An
epoch that lacks an arm is left out. Source: Optimizely's Epoch Stats Engine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from heedful.experiments.inference.answers import Code, Refusal, Scale
from heedful.experiments.inference.arms import Arm, Measure, Vector, arm_of
from heedful.experiments.inference.contrasts import (
    Contrast,
    Gradients,
    contrast_of_arms,
    too_few_conversions,
)
from heedful.experiments.inference.sums import Sums, merged

Pair = tuple[Sums, Sums]
"""Control and treatment of one stratum or epoch."""

FEWEST = 10
"""Of units in each arm of a stratum; smaller ones are put together."""

_Cell = tuple[Arm, Arm]


def poststratified(
    strata: Sequence[Pair], measure: Measure, scale: Scale = Scale.ABSOLUTE, *, fewest: int = FEWEST
) -> Contrast | Refusal:
    """The effect over strata. Strata with fewer than `fewest` units in an arm become one, with the next
    smallest if need be: merging keeps the estimate unbiased, leaving out would not.
    """
    large = sorted((pair for pair in strata if _smaller(pair) >= fewest), key=_smaller)
    small = [pair for pair in strata if _smaller(pair) < fewest]
    while small and _smaller(rest := _merged(small)) < max(2, fewest) and large:
        small.append(large.pop(0))
    cells = [*large, rest] if small else large
    return _over(cells, measure, scale, sampled=True, note="poststratified")


def over_epochs(
    epochs: Sequence[Pair], measure: Measure, scale: Scale = Scale.ABSOLUTE
) -> Contrast | Refusal:
    """The effect over epochs; those in which an arm has fewer than two units are left out, and noted."""
    kept = [pair for pair in epochs if _smaller(pair) >= 2]
    found = _over(kept, measure, scale, sampled=False, note="epochs")
    if isinstance(found, Contrast) and len(kept) < len(epochs):
        return found._replace(notes=(*found.notes, "epochs_left_out"))
    return found


def _over(
    pairs: Sequence[Pair], measure: Measure, scale: Scale, *, sampled: bool, note: str
) -> Contrast | Refusal:
    if not pairs:
        return Refusal(Code.NO_ARMS_IN_COMMON, "Nowhere were both arms running at once.")
    everyone = _merged(pairs)
    units = everyone[0].n, everyone[1].n
    if refusal := too_few_conversions(*everyone, measure):
        return refusal
    cells: list[_Cell] = []
    for control, treatment in pairs:
        one, other = arm_of(control, measure), arm_of(treatment, measure)
        if isinstance(one, Refusal):
            return Refusal(one.code, one.why, units)
        if isinstance(other, Refusal):
            return Refusal(other.code, other.why, units)
        cells.append((one, other))
    total = sum(units)
    weights = [(one.n + other.n) / total for one, other in cells]
    control_arm = _stratified([one for one, _ in cells], weights)
    treatment_arm = _stratified([other for _, other in cells], weights)
    found = contrast_of_arms(control_arm, treatment_arm, measure, scale)
    if isinstance(found, Refusal):
        return found
    effect, gradients = found
    variance = effect.variance + (_between(cells, weights, gradients) / total if sampled else 0.0)
    return effect._replace(variance=variance, notes=(*effect.notes, note))


def _stratified(arms: Sequence[Arm], weights: Sequence[float]) -> Arm:
    """An arm whose means are the weighted ones, and whose covariance over n is that of these means."""
    n = sum(arm.n for arm in arms)
    pairs = list(zip(arms, weights, strict=True))
    mean = [math.fsum(weight * arm.mean[i] for arm, weight in pairs) for i in range(4)]
    covariance = tuple(
        math.fsum(weight * weight * arm.covariance[k] / arm.n for arm, weight in pairs) * n for k in range(10)
    )
    return Arm(n, (mean[0], mean[1], mean[2], mean[3]), covariance)


def _between(cells: Sequence[_Cell], weights: Sequence[float], gradients: Gradients) -> float:
    """The variance of the strata's linearised effects, over units."""
    effects = [
        _dot(gradients.control, one.mean) + _dot(gradients.treatment, other.mean) for one, other in cells
    ]
    mean = math.fsum(weight * effect for weight, effect in zip(weights, effects, strict=True))
    return math.fsum(w * (effect - mean) ** 2 for w, effect in zip(weights, effects, strict=True))


def _dot(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _smaller(pair: Pair) -> int:
    return min(pair[0].n, pair[1].n)


def _merged(pairs: Sequence[Pair]) -> Pair:
    return merged(control for control, _ in pairs), merged(treatment for _, treatment in pairs)
