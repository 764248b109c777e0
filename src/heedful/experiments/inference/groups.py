"""Group-sequential bounds: a few looks that were planned, with alpha spent over them.

The spending function alpha t^φ (Kim and DeMets, Biometrika 1987) says how much error may have been spent by
information fraction t. Bounds follow from the density of the score process among experiments that have not
stopped yet, carried from look to look by numerical integration (Armitage, McPherson, Rowe 1969; Jennison and
Turnbull 2000, chapter 19), here with Gauss and Legendre's nodes on each continuation region, which is exact
to about 1e-9. The published programs (Reboussin, DeMets, Kim, Lan 2000, and ldbounds and Spotify's confidence
after them) use the trapezoid rule with a step of 0.05 standard deviations, which moves bounds by up to 6e-5;
`step` reproduces them.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from heedful.experiments.inference.special import normal_quantile

Real = NDArray[np.float64]

_NODES = 161
_FARTHEST = 9.0
_CUT = 8.0


@lru_cache(maxsize=512)
def bounds(
    looks: tuple[float, ...], alpha: float, spending: float = 2.0, sides: int = 2, step: float | None = None
) -> tuple[float, ...]:
    """The |z| (two-sided) or z (one-sided) at which to stop, at each look.

    looks: information fractions, rising, in (0, 1]. A look at which nothing may be spent has an infinite bound.
    step: of the trapezoid rule of the published programs, which also treat two sides as one at half of alpha.
    Raises ValueError for looks that do not rise, or alpha outside (0, 1).
    """
    if not looks or any(b <= a for a, b in pairwise((0.0, *looks))) or looks[-1] > 1:
        raise ValueError("looks are fractions that rise from above 0 to at most 1")
    if not 0 < alpha < 1 or not spending > 0 or sides not in {1, 2}:
        raise ValueError("alpha lies between 0 and 1, spending is positive, sides are 1 or 2")
    if step is not None:
        alpha, sides = alpha / sides, 1
    found: list[float] = []
    points, mass = np.zeros(1), np.ones(1)
    for before, look in pairwise((0.0, *looks)):
        spread, root = math.sqrt(look - before), math.sqrt(look)
        budget = alpha * (look**spending - before**spending)
        limit = _solved(points, mass, spread, budget, sides, _FARTHEST * root)
        found.append(limit / root)
        edge = min(limit, _FARTHEST * root)
        low = -edge if sides == 2 else -root * (_FARTHEST if step is None else _CUT)
        nodes, weights = _gauss(low, edge) if step is None else _trapezoid(low, edge, step * spread)
        steps = (nodes[:, None] - points[None, :]) / spread
        density = np.exp(-0.5 * steps * steps) @ mass / (spread * math.sqrt(2 * math.pi))
        points, mass = nodes, density * weights
    return tuple(found)


@lru_cache(maxsize=512)
def p_repeated(z: float, looks: tuple[float, ...], spending: float = 2.0, sides: int = 2) -> float:
    """The least alpha whose bound at the last of `looks` is crossed by z: agrees with the repeated interval.

    Source: Jennison and Turnbull 2000, section 9.3. Found by regula falsi on the logarithm of alpha; 1 where
    no alpha below 0.9 has such a bound, 1e-12 at least.
    """
    reach = abs(z) if sides == 2 else z

    def gap(log: float) -> float:
        return bounds(looks, math.exp(log), spending, sides)[-1] - reach

    low, high = math.log(1e-12), math.log(0.9)
    above, below = gap(low), gap(high)
    if below > 0:
        return 1.0
    if above <= 0:
        return 1e-12
    for _ in range(100):
        middle = (low * below - high * above) / (below - above)
        found = gap(middle)
        if abs(found) < 1e-9 or high - low < 1e-9:
            return math.exp(middle)
        if found > 0:  # the Illinois rule: an end that stays counts half, so that the other moves
            low, above, below = middle, found, below / 2
        else:
            high, below, above = middle, found, above / 2
    return math.exp(high)


def _solved(points: Real, mass: Real, spread: float, budget: float, sides: int, far: float) -> float:
    """The limit beyond which exactly `budget` of the mass ends up: Newton's steps, kept in a bracket."""
    if budget <= 0:
        return math.inf
    if len(points) == 1:
        return -normal_quantile(budget / sides) * spread
    low, high = 0.0 if sides == 2 else -far, far
    limit = 0.25 * far
    for _ in range(100):
        out, density = _beyond(points, mass, spread, limit, sides)
        low, high = (limit, high) if out > budget else (low, limit)
        following = limit + out * math.log(out / budget) / density if out > 0 and density > 0 else high
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - limit) < 1e-12 * far:
            return following
        limit = following
    return limit


def _beyond(points: Real, mass: Real, spread: float, limit: float, sides: int) -> tuple[float, float]:
    """The mass beyond the limit after a normal step, and its density at the limit."""
    up = (limit - points) / spread
    tail, density = _tails(up), np.exp(-0.5 * up * up)
    if sides == 2:
        down = (limit + points) / spread
        tail, density = tail + _tails(down), density + np.exp(-0.5 * down * down)
    return float(mass @ tail), float(mass @ density) / (spread * math.sqrt(2 * math.pi))


def _tails(z: Real) -> Real:
    return 0.5 * np.array([math.erfc(each) for each in (z / math.sqrt(2)).tolist()])


def _gauss(low: float, high: float) -> tuple[Real, Real]:
    nodes, weights = _legendre()
    return 0.5 * (high - low) * nodes + 0.5 * (high + low), weights * (0.5 * (high - low))


@lru_cache(maxsize=1)
def _legendre() -> tuple[Real, Real]:
    return np.polynomial.legendre.leggauss(_NODES)


def _trapezoid(low: float, high: float, step: float) -> tuple[Real, Real]:
    nodes = np.linspace(low, high, math.ceil((high - low) / step) + 1)
    weights = np.full(len(nodes), nodes[1] - nodes[0])
    weights[[0, -1]] /= 2
    return nodes, weights
