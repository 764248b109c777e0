"""How sure an estimate is: its standard error, an interval, and lower bounds that hold with a given confidence.

The bounds are those of Thomas, Theocharous, Ghavamzadeh, "High-Confidence Off-Policy Evaluation" (AAAI 2015).
Student's
t is for dashboards: right as n grows. The empirical Bernstein bound (Maurer and Pontil, COLT 2009) and Hoeffding's
hold for every n, and are for what acts by itself. All need terms that are independent: sum a person's terms first.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from heedful.experiments.off_policy.logs import Floats, Integers


def standard_error(terms: Floats, units: Integers | None = None) -> float:
    """Of the mean of `terms`; with `units`, int64 of the same length, rows of one unit may depend on each other.

    Clustered: sqrt(C / (C - 1) sum over units of (sum of residuals)^2) / n (Liang and Zeger 1986).
    """
    n = len(terms)
    if units is None:
        return float(terms.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan
    _, place = np.unique(units, return_inverse=True)
    sums = np.bincount(place, weights=terms - terms.mean())
    count = len(sums)
    return float(math.sqrt(count / (count - 1) * (sums * sums).sum()) / n) if count > 1 else math.nan


def hoeffding_bound(terms: Floats, most: float, delta: float = 0.05) -> float:
    """mean - most sqrt(ln(1/delta) / 2n), for terms from 0 to `most`."""
    return float(terms.mean() - most * math.sqrt(math.log(1 / delta) / (2 * len(terms))))


def bernstein_bound(terms: Floats, most: float, delta: float = 0.05) -> float:
    """mean - 7 most ln(2/delta) / (3 (n - 1)) - sqrt(2 ln(2/delta) var / (n - 1)), for terms from 0 to `most`.

    var is the mean squared deviation (with n), as in Thomas's own figures.
    """
    n, log = len(terms), math.log(2 / delta)
    return float(terms.mean() - 7 * most * log / (3 * (n - 1)) - math.sqrt(2 * log * terms.var() / (n - 1)))


def student_bound(terms: Floats, delta: float = 0.05) -> float:
    """mean - t(1 - delta, n - 1) sd / sqrt(n)."""
    n = len(terms)
    return float(terms.mean() - student_quantile(1 - delta, n - 1) * terms.std(ddof=1) / math.sqrt(n))


@lru_cache(maxsize=256)
def student_quantile(p: float, df: int) -> float:
    """Where Student's t with `df` degrees of freedom has `p` below it, by halving; within 1e-12."""
    if p < 0.5:
        return -student_quantile(1 - p, df)
    low, high = 0.0, 1.0
    while student_tail(high, df) > 1 - p:
        high *= 2
    while high - low > 1e-13 * (1 + high):
        middle = (low + high) / 2
        low, high = (middle, high) if student_tail(middle, df) > 1 - p else (low, middle)
    return (low + high) / 2


def student_tail(t: float, df: int) -> float:
    """The chance that Student's t exceeds `t`, at least 0: half of I_x(df/2, 1/2) at x = df / (df + t t)
    (DLMF 8.17)."""
    return incomplete_beta(df / 2, 0.5, df / (df + t * t)) / 2


def incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b), regularised, by its continued fraction (DLMF 8.17.22) after Lentz."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    front = math.exp(
        a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    )
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 10_000):
        for top in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            c, d = 1 + top / c, 1 / (1 + top * d)
            fraction *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return front * fraction / a
