"""Thompson sampling with its probabilities written out: how likely each variant is the best one.

Sampling once from each posterior and taking the greatest (Thompson: Biometrika 1933) chooses variant a with
probability ∫ f_a(t) ∏_{b≠a} F_b(t) dt. The integral is taken by the trapezoid rule over a grid that is fine where
the posteriors are; then one variant is drawn from exactly that vector, so the probability logged is the one used.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heedful.models.variants.posterior import Beliefs

Real = NDArray[np.float64]

_NODES = 12.0 * np.sinh(np.linspace(-3.0, 3.0, 65)) / np.sinh(3.0)
"""Standard deviations from a mean at which the integrand is looked at: dense in the middle, wide at the ends."""

_LEAST = 1e-12


def chances_of_being_best(beliefs: Beliefs) -> Real:
    """The probability that each variant is the best, float64 (k,); adds up to 1 but for rounding."""
    if len(beliefs.means) == 1:
        return np.ones(1)
    if beliefs.beta is not None:
        return _of_beta(beliefs.beta[0], beliefs.beta[1])
    return _of_normal(beliefs.means, np.maximum(beliefs.deviations, _LEAST))


def _of_normal(means: Real, deviations: Real) -> Real:
    grid = np.unique(means[:, None] + deviations[:, None] * _NODES)
    return _integrated(grid, -0.5 * ((grid - means[:, None]) / deviations[:, None]) ** 2)


def _of_beta(a: Real, b: Real) -> Real:
    # Over the log-odds x, where the density is in proportion to t^a (1 - t)^b: smooth and falling at both ends
    # also where the density over t is steep at 0 or 1.
    grid = np.unique(np.log(a / b)[:, None] + np.sqrt(1.0 / a + 1.0 / b)[:, None] * _NODES)
    return _integrated(grid, -a[:, None] * np.logaddexp(0.0, -grid) - b[:, None] * np.logaddexp(0.0, grid))


def _integrated(grid: Real, logs: Real) -> Real:
    """From the logarithms of unnormalised densities on a grid, (k, g)."""
    density = np.exp(logs - logs.max(axis=1, keepdims=True))
    steps = np.diff(grid)
    below = np.zeros_like(density)
    np.cumsum(0.5 * (density[:, 1:] + density[:, :-1]) * steps, axis=1, out=below[:, 1:])
    whole = below[:, -1:]
    density, below = density / whole, below / whole
    before, after = np.ones_like(below), np.ones_like(below)
    np.cumprod(below[:-1], axis=0, out=before[1:])
    after[:-1] = np.cumprod(below[:0:-1], axis=0)[::-1]
    inside = density * before * after
    chances: Real = (0.5 * (inside[:, 1:] + inside[:, :-1]) * steps).sum(axis=1)
    chances /= chances.sum()
    return chances
