"""Bayesian readings of an effect: a normal posterior, the chance to win, and what a wrong choice would cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.experiments.inference.special import normal_cdf, normal_excess

Real = NDArray[np.float64]

_REACH = 9
_NODES = 24


class Posterior(NamedTuple):
    """A normal belief about an effect."""

    mean: float
    sd: float

    @property
    def chance_to_win(self) -> float:
        """P(effect > 0)."""
        return normal_cdf(self.mean / self.sd)

    @property
    def risk_control(self) -> float:
        """E[max(effect, 0)]: what one expects to lose by keeping the control."""
        return self.sd * normal_excess(-self.mean / self.sd)

    @property
    def risk_treatment(self) -> float:
        """E[max(-effect, 0)]: what one expects to lose by choosing the treatment."""
        return self.sd * normal_excess(self.mean / self.sd)


def posterior(value: float, variance: float, prior_mean: float, prior_sd: float | None) -> Posterior:
    """The belief after an estimate with that squared error. prior_sd: None for a flat prior."""
    if prior_sd is None:
        return Posterior(value, math.sqrt(variance))
    precision = 1 / variance + 1 / prior_sd**2
    return Posterior((value / variance + prior_mean / prior_sd**2) / precision, math.sqrt(1 / precision))


def chances_of_best(means: Sequence[float], sds: Sequence[float]) -> tuple[float, ...]:
    """The probability of each arm that its mean is the greatest, for independent normal beliefs.

    ∫ pdf_i Π cdf_j over panels between all arms' means and multiples of their spreads, each with Gauss and
    Legendre's nodes: deterministic, and right also where spreads differ by orders of magnitude (a Gauss and
    Hermite rule on one arm's scale is not). Raises ValueError unless all spreads are positive.
    """
    if len(means) != len(sds) or not means or not min(sds) > 0:
        raise ValueError("every arm has a mean and a positive spread")
    if len(means) == 1:
        return (1.0,)
    steps = np.arange(-_REACH, _REACH + 1)
    edges = np.unique(np.concatenate([mean + sd * steps for mean, sd in zip(means, sds, strict=True)]))
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    half = 0.5 * np.diff(edges)
    at = (edges[:-1, None] + half[:, None] * (nodes + 1)).reshape(-1)
    weight = (half[:, None] * weights).reshape(-1)
    below: list[Real] = []
    density: list[Real] = []
    for mean, sd in zip(means, sds, strict=True):
        z = (at - mean) / sd
        below.append(np.array([normal_cdf(each) for each in z.tolist()]))
        density.append(np.exp(-0.5 * z * z) / (sd * math.sqrt(2 * math.pi)))
    won = [
        float((weight * density[i] * np.prod([below[j] for j in range(len(means)) if j != i], axis=0)).sum())
        for i in range(len(means))
    ]
    total = math.fsum(won)
    return tuple(chance / total for chance in won)


def floored(chances: Sequence[float], floor: float = 0.01) -> tuple[float, ...]:
    """Shares of traffic that follow the chances and leave every arm `floor`: f + (1 - K f) p."""
    if not 0 <= floor * len(chances) <= 1:
        raise ValueError("the floors add up to more than 1")
    return tuple(floor + (1 - len(chances) * floor) * chance for chance in chances)
