"""From sums to floats: means, variances and covariances of an arm's units, each by one exact division.

A variance is (n Σy² - (Σy)²) / (n (n - 1)), whose numerator is a Python integer; so it is right to the last
digit where the textbook formula on floats loses all of them, and Welford's and Chan's merges are not needed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from heedful.experiments.inference.answers import Code, Refusal, overflow
from heedful.experiments.inference.sums import Sums

Y, D, X, E = range(4)
_FIRST_PRODUCT = 5
_PLACE = ((0, 1, 2, 3), (1, 4, 5, 6), (2, 5, 7, 8), (3, 6, 8, 9))
_PAIRS = tuple((i, j) for i in range(4) for j in range(i, 4))
Vector = tuple[float, float, float, float]


class Kind(StrEnum):
    """A mean per unit; a share of units; a ratio of sums, as clicks over impressions."""

    MEAN = "mean"
    PROPORTION = "proportion"
    RATIO = "ratio"


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """How a metric's sums are read.

    scale, denominator_scale: how many steps of fixed point make 1, of outcome and past outcome, and of the
    denominators. cuped: adjust by the past where there is one. fewest_conversions: a share is refused where the
    two arms together have fewer units with, or without.
    """

    kind: Kind = Kind.MEAN
    scale: int = 1
    denominator_scale: int = 1
    cuped: bool = True
    fewest_conversions: int = 10


class Arm(NamedTuple):
    """n: units. mean: of (y, d, x, e). covariance: of one unit, the ten entries (y,y), (y,d), ... (e,e)."""

    n: int
    mean: Vector
    covariance: tuple[float, ...]

    def between(self, i: int, j: int) -> float:
        """Covariance of columns i and j."""
        return self.covariance[_PLACE[i][j]]

    def along(self, one: Vector, other: Vector) -> float:
        """one' C other: the covariance of two linear combinations of a unit's columns."""
        return sum(
            one[i] * other[j] * self.covariance[_PLACE[i][j]]
            for i in range(4)
            if one[i]
            for j in range(4)
            if other[j]
        )


def arm_of(sums: Sums, measure: Measure) -> Arm | Refusal:
    """Means and covariances. Of a share, the variance is p (1 - p), over n instead of n - 1."""
    n = sums.n
    if n < 2:
        return Refusal(
            Code.TOO_FEW_UNITS, f"There are {n} units in an arm; a variance needs two.", (max(n, 0),)
        )
    share = measure.kind is Kind.PROPORTION
    if share and (sums.yy != sums.y * measure.scale or not 0 <= sums.y <= n * measure.scale):
        return Refusal(
            Code.INCONSISTENT_SUMS, "A share counts units with 0 or 1; these sums hold others.", (n,)
        )
    scales = (measure.scale, measure.denominator_scale, measure.scale, measure.denominator_scale)
    firsts, bessel = sums[1:_FIRST_PRODUCT], n if share else n - 1
    entries = []
    try:
        for place, (i, j) in enumerate(_PAIRS):
            product = sums[_FIRST_PRODUCT + place]
            top = n * product - firsts[i] * firsts[j]
            if i == j and top < 0:
                why = "The sum of squares is smaller than the sum allows: the sums are damaged."
                return Refusal(Code.INCONSISTENT_SUMS, why, (n,))
            entries.append(top / (n * bessel * scales[i] * scales[j]) if top else 0.0)
        mean = tuple(first / (n * scale) for first, scale in zip(firsts, scales, strict=True))
    except OverflowError:
        return overflow((n,))
    return Arm(n, (mean[Y], mean[D], mean[X], mean[E]), tuple(entries))
