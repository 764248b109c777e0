"""What is known of each variant, as sums: one integer matrix per day, from which every model of it is read.

A decision is a vector z: its features, whether each kind of outcome followed (0 or 1), and the amount. The sum
of z zᵀ over the decisions of a day holds their number, the Gram matrix of the features, how features and
outcomes go together, and how outcomes do, so any weighting of outcomes, mean, variance and linear regression
is read from it later. A sum of whole numbers can be taken back.

The past fades on reading: a day counts 2^(-age / half-life) (forward decay by the day; Cormode, Shkapenyuk,
Srivastava, Xu: ICDE 2009), so nothing that was rounded is ever added up in the state.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.variant_facts import FEATURES, ONE
from heedful.vocabulary.time import DAY

_NEVER = -(1 << 62)
Whole = NDArray[np.int64]
Real = NDArray[np.float64]


class Moments(NamedTuple):
    """Faded sums over decisions: how many, of their rewards, and of the squares of these."""

    n: float
    total: float
    square: float


class Regression(NamedTuple):
    """What a linear model of the reward needs, faded, with features in units of 1.

    gram: float64 (FEATURES, FEATURES), Σ x xᵀ. cross: float64 (FEATURES,), Σ x · reward. moments: of the reward.
    """

    gram: Real
    cross: Real
    moments: Moments


class Series:
    """The sums of one variant, or of one variant in one cell, by day. Every sum is int64 (length,)."""

    __slots__ = ("_faded", "_newest", "_older", "_settled", "days")

    def __init__(self) -> None:
        self.days: dict[int, Whole] = {}
        self._older = 0
        self._newest = _NEVER
        self._settled: tuple[int, int, float] | None = None
        self._faded: Real = np.zeros(0)

    def add(self, day: int, change: Whole) -> None:
        """Add `change`. A day whose count, the first sum, falls to 0 is dropped: then all of it is 0."""
        held = self.days.get(day)
        if held is None:
            self.days[day] = change.copy()
        else:
            held += change
            if not held[0]:
                del self.days[day]
        if day != self._newest or day not in self.days:
            self._newest = max(self.days, default=_NEVER)
            self._older += 1

    def faded(self, today: int, half_life: float) -> Real | None:
        """The sums as of `today`, days of 2^-(age / half_life) weight each; None when there is nothing.

        half_life: in days; 0 never fades. Days after `today` count in full.
        """
        if not self.days:
            return None
        key = (self._older, today, half_life)
        if self._settled != key:
            older = np.zeros(len(next(iter(self.days.values()))))
            for day in sorted(self.days):
                if day != self._newest:
                    older += _weight(today - day, half_life) * self.days[day]
            self._settled, self._faded = key, older
        newest = self.days.get(self._newest)
        if newest is None:
            return self._faded
        return self._faded + _weight(today - self._newest, half_life) * newest


class Sums:
    """The sums of all variants. outcomes: how many numbers follow the features in a vector, the amount last."""

    def __init__(self, outcomes: int) -> None:
        self._outcomes = outcomes
        self._left, self._right = np.triu_indices(FEATURES + outcomes)
        short = np.triu_indices(1 + outcomes)
        self._short_left, self._short_right = short
        self._of_variant: dict[int, Series] = {}
        self._of_cell: dict[tuple[int, int], Series] = {}

    def add(self, variant: int, cell: int, at: int, vector: Whole, sign: int) -> None:
        """Add `sign` (1 or -1) times a decision: int64 (FEATURES + outcomes,)."""
        self._put(
            variant,
            cell,
            at // DAY,
            sign * (vector[self._left] * vector[self._right]),
            self._brief(vector, sign),
        )

    def move(self, variant: int, cell: int, at: int, before: Whole, after: Whole) -> None:
        """Replace one vector by another of the same decision."""
        left, right = self._left, self._right
        change = after[left] * after[right] - before[left] * before[right]
        self._put(variant, cell, at // DAY, change, self._brief(after, 1) + self._brief(before, -1))

    def moments(self, variant: int, cell: int, weights: Real, today: int, half_life: float) -> Moments:
        """Of the decisions of `variant` in `cell`. weights: float64 (outcomes,), what each outcome is worth."""
        series = self._of_cell.get((variant, cell))
        faded = None if series is None else series.faded(today, half_life)
        if faded is None:
            return Moments(0.0, 0.0, 0.0)
        return _moments(self._whole(faded, 1), weights)

    def regression(self, variant: int, weights: Real, today: int, half_life: float) -> Regression:
        """Of all decisions of `variant`, whatever their cell."""
        series = self._of_variant.get(variant)
        faded = None if series is None else series.faded(today, half_life)
        if faded is None:
            return Regression(np.zeros((FEATURES, FEATURES)), np.zeros(FEATURES), Moments(0.0, 0.0, 0.0))
        whole = self._whole(faded, FEATURES)
        inside = whole[:FEATURES, :FEATURES] / ONE**2
        rewards = np.ix_([0, *range(FEATURES, len(whole))], [0, *range(FEATURES, len(whole))])
        own = whole[rewards]
        own[0] /= ONE
        own[:, 0] /= ONE
        return Regression(inside, whole[:FEATURES, FEATURES:] @ weights / ONE, _moments(own, weights))

    def entries(self) -> Iterator[tuple[int, int, int, Whole]]:
        """(variant, cell or -1 for all of them, day, sums) of all that is held."""
        for variant, series in self._of_variant.items():
            for day, sums in series.days.items():
                yield variant, -1, day, sums
        for (variant, cell), series in self._of_cell.items():
            for day, sums in series.days.items():
                yield variant, cell, day, sums

    def _brief(self, vector: Whole, sign: int) -> Whole:
        short = vector[FEATURES - 1 :].copy()
        short[0] = 1
        return sign * (short[self._short_left] * short[self._short_right])

    def _put(self, variant: int, cell: int, day: int, change: Whole, brief: Whole) -> None:
        for series, part in (
            (self._of_variant.setdefault(variant, Series()), change),
            (self._of_cell.setdefault((variant, cell), Series()), brief),
        ):
            series.add(day, part)

    def _whole(self, sums: Real, leading: int) -> Real:
        size = leading + self._outcomes
        whole = np.zeros((size, size))
        left, right = (self._left, self._right) if leading > 1 else (self._short_left, self._short_right)
        whole[left, right] = sums
        whole[right, left] = sums
        return whole


def _weight(age: int, half_life: float) -> float:
    return 1.0 if half_life <= 0 or age <= 0 else float(2.0 ** (-age / half_life))


def _moments(whole: Real, weights: Real) -> Moments:
    """From a matrix over (1, outcomes…). The reward of a decision is the weighted sum of its outcomes."""
    return Moments(
        float(whole[0, 0]), float(whole[0, 1:] @ weights), float(weights @ whole[1:, 1:] @ weights)
    )
