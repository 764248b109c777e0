"""What is believed of each variant's reward here and now, from the sums of the variants view.

Without more than a segment: Beta-Bernoulli where the reward is one kind of outcome, otherwise a normal mean with
known variance; per cell. With more context: Bayesian linear regression (Agrawal and Goyal: ICML 2013), each
variant's deviation from the regression of all variants together, which it is shrunk to. The prior of every
variant is what is known of all of them, so that a new one starts as an average one and not as a hopeless one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.variant_facts import FEATURES, ONE
from heedful.views.variant_sums import Moments, Regression

Real = NDArray[np.float64]

PRIOR_WEIGHT = 4.0
"""Decisions that the prior of a normal mean is worth."""

RIDGE = 1.0
DEVIATION_RIDGE = 1.0
"""How strongly the common coefficients are held to 0, and a variant's own to the common ones, in decisions."""

SPREAD = 0.5
"""What the posterior deviations of a regression are multiplied by: the free factor v of Agrawal and Goyal. Theirs
explores for the worst case; this was chosen on playground streams with other seeds than those reported."""


class Beliefs(NamedTuple):
    """Per variant, float64 (k,). decisions: faded number in all. noise: standard deviation of one reward.

    beta: the two parameters, float64 (2, k), where the belief is a Beta distribution of a chance worth `worth`.
    """

    means: Real
    deviations: Real
    decisions: float
    noise: float
    beta: Real | None = None
    worth: float = 1.0


def of_chances(moments: Sequence[Moments], worth: float) -> Beliefs:
    """Beta posteriors of rewards that are `worth` (above 0) or nothing.

    The prior has the mean m of all variants and the least weight whose density is bounded: Beta(1, 1/m - 1) for
    m <= 1/2, Beta(m / (1 - m), 1) above.
    """
    n = np.array([each.n for each in moments])
    wins = np.clip(np.array([each.total for each in moments]) / worth, 0.0, n)
    mean = (1.0 + wins.sum()) / (2.0 + n.sum())
    prior = (1.0, 1.0 / mean - 1.0) if mean <= 0.5 else (mean / (1.0 - mean), 1.0)
    beta = np.stack((prior[0] + wins, prior[1] + n - wins))
    total = beta.sum(axis=0)
    means = beta[0] / total
    deviations = np.sqrt(means * (1.0 - means) / (total + 1.0))
    noise = worth * float(np.sqrt(mean * (1.0 - mean)))
    return Beliefs(worth * means, worth * deviations, float(n.sum()), noise, beta, worth)


def of_means(moments: Sequence[Moments], largest: float) -> Beliefs:
    """Normal posteriors of mean rewards. largest: what a reward is taken to vary by while nothing is known."""
    n = np.array([each.n for each in moments])
    total = np.array([each.total for each in moments])
    noise = _noise(moments, largest)
    common = total.sum() / max(n.sum(), 1.0)
    means = (PRIOR_WEIGHT * common + total) / (PRIOR_WEIGHT + n)
    return Beliefs(means, noise / np.sqrt(PRIOR_WEIGHT + n), float(n.sum()), noise)


def of_lines(regressions: Sequence[Regression], features: Sequence[int], largest: float) -> Beliefs:
    """Normal posteriors of the reward at `features`, whole numbers in units of 1 / ONE, (FEATURES,)."""
    x = np.array(features, dtype=np.float64) / ONE
    grams = np.stack([each.gram for each in regressions])
    crosses = np.stack([each.cross for each in regressions])
    noise = _noise([each.moments for each in regressions], largest)
    common = np.linalg.solve(grams.sum(axis=0) + RIDGE * _EYE, crosses.sum(axis=0))
    solved = np.linalg.solve(grams + DEVIATION_RIDGE * _EYE, np.broadcast_to(x, crosses.shape)[:, :, None])[
        :, :, 0
    ]
    means = x @ common + ((crosses - grams @ common) * solved).sum(axis=1)
    deviations = SPREAD * noise * np.sqrt(np.maximum(solved @ x, 0.0))
    return Beliefs(means, deviations, sum(each.moments.n for each in regressions), noise)


_EYE = np.eye(FEATURES)


def _noise(moments: Sequence[Moments], largest: float) -> float:
    """The standard deviation of a reward within variants, pooled; two decisions' worth of `largest` / 2 added."""
    n = sum(each.n for each in moments)
    inside = sum(each.square - each.total**2 / each.n for each in moments if each.n > 0)
    return float(np.sqrt((max(inside, 0.0) + 2.0 * (largest / 2.0) ** 2) / (n + 2.0)))
