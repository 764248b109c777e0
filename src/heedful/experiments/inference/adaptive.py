"""Effects where a bandit moved the traffic while it learned: never from plain means, which such data bias.

The augmented inverse-propensity estimate: for a unit in batch t, ψ_a = m_a + 1{got a} (Y - m_a) / π_a, with
π_a its logged probability and m_a the mean of a as of the batches before; so every ψ is unbiased given the
past, the sum is a martingale, and its normal interval is honest. Weights by batch have to be known before it
(√ of the least probability an arm could get stabilises the variance). Sources: Hadad, Hirshberg, Zhan, Wager,
Athey (PNAS 2021); Zhan, Hadad, Hirshberg, Athey (KDD 2021); for the sequential interval Waudby-Smith and
others (arXiv 2103.06476).

All it needs of a batch are five integer sums per arm, with 1 / π in fixed point, so it can be taken back too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from heedful.experiments.inference.answers import Code, Refusal, Scale
from heedful.experiments.inference.contrasts import STEADY, Contrast

WEIGHT = 1 << 16
"""Steps of fixed point of 1 / propensity."""

PROPENSITY = 1 << 32
"""Steps of fixed point of a logged propensity."""

LEAST_EFFECTIVE = 100.0
_MISMATCH = 4.0


class Weighted(NamedTuple):
    """Over the units of one arm: how many; Σ of w, w², w Y, w² Y, w² Y², with w = 1 / propensity."""

    n: int = 0
    w: int = 0
    ww: int = 0
    wy: int = 0
    wwy: int = 0
    wwyy: int = 0

    def plus(self, other: Weighted) -> Weighted:
        """The sums of both."""
        return Weighted(*map(int.__add__, self, other))

    def minus(self, other: Weighted) -> Weighted:
        """What is left when `other` is taken back."""
        return Weighted(*map(int.__sub__, self, other))


def of_unit(y: int, part: int) -> Weighted:
    """One unit's share. y: its outcome in fixed point. part: its logged propensity in parts of 2^32.

    Raises ValueError for a propensity that is not in (0, 1].
    """
    if not 0 < part <= PROPENSITY:
        raise ValueError(f"a propensity of {part} / 2^32 cannot have been logged")
    w = (WEIGHT * PROPENSITY + part // 2) // part
    return Weighted(1, w, w * w, w * y, w * w * y, w * w * y * y)


class Batch(NamedTuple):
    """One epoch or day: the sums of each arm, control first. weight: of the batch, known before it began."""

    arms: tuple[Weighted, ...]
    weight: float = 1.0

    @property
    def n(self) -> int:
        """Units in all arms."""
        return sum(arm.n for arm in self.arms)


def adaptive_contrast(
    batches: Sequence[Batch],
    arm: int,
    *,
    value_scale: int = 1,
    scale: Scale = Scale.ABSOLUTE,
    before: float = 0.0,
) -> Contrast | Refusal:
    """The effect of `arm` over arm 0. before: what the mean was before the experiment, for the first batch.

    Absolute or relative; raises ValueError for another scale, or an arm that is not there.
    """
    if scale is Scale.LOG_RATIO or not batches or not 0 < arm < len(batches[0].arms):
        raise ValueError("effects are absolute or relative, of an arm that every batch has")
    units = tuple(sum(batch.arms[place].n for batch in batches) for place in (0, arm))
    if refusal := _supported(batches, (0, arm), units):
        return refusal
    means = _means_before(batches, value_scale, before)
    control, _ = _estimate(batches, means, {0: 1.0}, value_scale)
    treated, _ = _estimate(batches, means, {arm: 1.0}, value_scale)
    combination = {0: -1.0, arm: 1.0}
    value = treated - control
    if scale is Scale.RELATIVE:
        _, own = _estimate(batches, means, {0: 1.0}, value_scale)
        if control == 0 or abs(control) < STEADY * math.sqrt(own):
            why = "A relative effect would divide by a mean that cannot be told from 0."
            return Refusal(Code.UNSTABLE_DENOMINATOR, why, units)
        size, drift = abs(control), value / control
        combination = {0: (-1.0 - drift) / size, arm: 1 / size}
        value /= size
    _, variance = _estimate(batches, means, combination, value_scale)
    if not variance > 0:
        return Refusal(Code.ZERO_VARIANCE, "All units of both arms have the same value.", units)
    notes = ("adaptive",)
    return Contrast(value, variance, math.inf, units, scale, abs(control), (control, treated), None, notes)


def _supported(batches: Sequence[Batch], arms: tuple[int, int], units: tuple[int, ...]) -> Refusal | None:
    """Gates: every unit has a propensity, weights add up as they must, and enough of them carry the
    estimate.
    """
    total = sum(batch.n for batch in batches)
    for place in arms:
        sums = Weighted()
        for batch in batches:
            sums = sums.plus(batch.arms[place])
        if not sums.n:
            return Refusal(Code.LITTLE_SUPPORT, "An arm got no unit.", units)
        if sums.w < sums.n * WEIGHT:
            return Refusal(Code.LITTLE_SUPPORT, "Propensities are missing, or above 1.", units)
        effective = sums.w * sums.w / sums.ww
        if effective < max(LEAST_EFFECTIVE, 0.01 * sums.n):
            why = (
                f"Units with very small propensities decide: they weigh as much as {effective:.0f} even ones."
            )
            return Refusal(Code.LITTLE_SUPPORT, why, units)
        share, square = sums.w / (WEIGHT * total), sums.ww / (WEIGHT * WEIGHT * total)
        allowed = _MISMATCH * math.sqrt(max(square - share * share, 0.0) / total)
        if abs(share - 1) > max(allowed, 1e-3):  # rounding of weights may leave so much
            why = f"Weights should average 1 over all units, and average {share:.3f}: propensities are wrong."
            return Refusal(Code.LITTLE_SUPPORT, why, units)
    return None


def _means_before(batches: Sequence[Batch], value_scale: int, before: float) -> list[list[float]]:
    """Of every batch, each arm's self-normalised mean over the batches before it."""
    sums = [Weighted()] * len(batches[0].arms)
    found = []
    for batch in batches:
        found.append([each.wy / (each.w * value_scale) if each.w else before for each in sums])
        sums = [one.plus(other) for one, other in zip(sums, batch.arms, strict=True)]
    return found


def _estimate(
    batches: Sequence[Batch], means: list[list[float]], combination: dict[int, float], value_scale: int
) -> tuple[float, float]:
    """Mean of Σ_a c_a ψ_a over units, weighted by batch, and its squared standard error."""
    rows = []
    for batch, mean in zip(batches, means, strict=True):
        base = sum(c * mean[a] for a, c in combination.items())
        first, second = batch.n * base, batch.n * base * base
        for a, c in combination.items():
            sums, m = batch.arms[a], mean[a]
            ww, wwy = sums.ww / WEIGHT**2, sums.wwy / (WEIGHT**2 * value_scale)
            moved = sums.wy / (WEIGHT * value_scale) - m * sums.w / WEIGHT
            square = sums.wwyy / (WEIGHT * value_scale) ** 2 - 2 * m * wwy + m * m * ww
            first += c * moved
            second += 2 * base * c * moved + c * c * square
        rows.append((batch.weight, batch.n, first, second))
    mass = math.fsum(h * n for h, n, _, _ in rows)
    value = math.fsum(h * first for h, _, first, _ in rows) / mass
    error = math.fsum(
        h * h * (second - 2 * value * first + n * value * value) for h, n, first, second in rows
    )
    return value, max(error, 0.0) / mass**2
