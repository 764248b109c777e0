"""How sure a figure is. The person is the unit: what one person sees and does is not independent.

All intervals are of 95%. Inputs are one entry per person, float64 (n,) or int64 (n,). What replay computes by the
same formulae stands in `models.metrics.intervals`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.models.metrics.intervals import linearised, normal_quantile, reach_of

LEVEL = 0.95
_Z = normal_quantile(LEVEL)
_DRAWS = 200

Column = NDArray[Any]


class Estimate(NamedTuple):
    """A figure with its interval."""

    value: float
    low: float
    high: float


def ratio(numerator: Column, denominator: Column) -> Estimate:
    """Sum over sum, by the delta method clustered by person, as in replay.

    Raises ZeroDivisionError where there is nothing to divide by.
    """
    if float(denominator.sum()) == 0:
        raise ZeroDivisionError("the denominators add up to 0")
    value, residuals = linearised(numerator, denominator)
    reach = reach_of(residuals, LEVEL)
    return Estimate(value, value - reach, value + reach)


def mean(values: Column) -> Estimate:
    """The mean over people, normal."""
    return ratio(values, np.ones(len(values)))


def share(successes: int, people: int) -> Estimate:
    """successes of people, with Wilson's score interval (JASA 1927)."""
    p, z2 = successes / people, _Z * _Z
    middle = (p + z2 / (2 * people)) / (1 + z2 / people)
    reach = _Z / (1 + z2 / people) * float(np.sqrt(p * (1 - p) / people + z2 / (4 * people * people)))
    return Estimate(p, max(0.0, middle - reach), min(1.0, middle + reach))


def apart(first: Estimate, second: Estimate) -> Estimate:
    """The difference of two groups of other people, each with its own interval: the square root of the sum of
    squares of the distances to the limits. Of normal intervals that is the normal one; of Wilson's it is
    Newcombe's hybrid score interval (Statistics in Medicine 1998, method 10)."""
    value = first.value - second.value
    down = np.hypot(first.value - first.low, second.high - second.value)
    up = np.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, value - float(down), value + float(up))


def median(values: Column, person: Column) -> Estimate:
    """The median of `values` (n,), with a percentile bootstrap over people (Efron, Tibshirani 1993, chapter 13).

    person: int (n,), whose each value is. The draws come from a fixed seed, so the same data have the same
    interval.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    people, place = np.unique(person[order], return_inverse=True)
    random = np.random.Generator(np.random.PCG64(7))
    drawn = np.empty(_DRAWS)
    for i in range(_DRAWS):
        times = np.bincount(random.integers(len(people), size=len(people)), minlength=len(people))
        heights = np.cumsum(times[place])
        drawn[i] = ordered[np.searchsorted(heights, (heights[-1] + 1) // 2)]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(np.median(values)), float(low), float(high))


def quantile(bounds: tuple[float, ...], counts: tuple[int, ...], q: float) -> Estimate:
    """The q-quantile of a histogram, interpolated within a bucket, with the limits that order statistics give.

    counts: one more than bounds; what lies beyond the last bound is taken to lie at it.
    """
    total = sum(counts)
    reach = _Z * float(np.sqrt(total * q * (1 - q)))
    ranks = (q * total, max(0.0, q * total - reach), min(float(total), q * total + reach))
    return Estimate(*(_at(bounds, counts, rank) for rank in ranks))


def _at(bounds: tuple[float, ...], counts: tuple[int, ...], rank: float) -> float:
    below, low = 0.0, 0.0
    for bound, count in zip(bounds, counts, strict=False):
        if count and below + count >= rank:
            return low + (bound - low) * (rank - below) / count
        below, low = below + count, bound
    return bounds[-1]
