"""Differences of quantiles, with an error that knows that one unit's events are not independent.

The share of events at or below the quantile has a variance: nu (1 - nu) / n where events are independent,
otherwise that of a ratio of sums over units (delta method). The quantile's own error is read from the values
at the ends of the interval around its rank: sigma = (Y_U - Y_L) / (2 z), at ranks n (nu ± z se of the share).
Sources: Deng, Knoblich, Lu (KDD 2018, section 4); Yao, Li, Lu (arXiv 2401.14549) for the outer ranks.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from heedful.experiments.inference.answers import Code, Refusal, Scale
from heedful.experiments.inference.contrasts import STEADY, Contrast
from heedful.experiments.inference.sketch import Sketch, span_of
from heedful.experiments.inference.special import normal_quantile

_Z = -normal_quantile(0.025)


class Quantile(NamedTuple):
    """value: in units of 1. variance: its squared standard error."""

    value: float
    variance: float


def quantile(sketch: Sketch, share: float, scale: int = 1) -> Quantile | Refusal:
    """The value below which `share` of the events lie. scale: steps of fixed point that make 1.

    Raises ValueError unless 0 < share < 1.
    """
    if not 0 < share < 1:
        raise ValueError("a quantile's share lies between 0 and 1")
    n, units = sketch.events, (sketch.units,)
    if sketch.units < 2 or min(share / (1 - share), (1 - share) / share) * n <= _Z**2:
        return Refusal(Code.TOO_FEW_UNITS, f"{n} events say too little of the {share:g} quantile.", units)
    reader = _Reader(sketch)
    middle = reader.at(share * n)
    spread = reader.spread(middle, share)
    effective = share * (1 - share) / spread**2 if spread > 0 else 0.0
    if min(share / (1 - share), (1 - share) / share) * effective <= _Z**2:
        return Refusal(
            Code.TOO_FEW_UNITS, f"Too few units for the {share:g} quantile of their events.", units
        )
    low, high = (reader.at(min(max(n * (share + sign * _Z * spread), 0.0), float(n))) for sign in (-1, 1))
    if not high > low:
        return Refusal(Code.ZERO_VARIANCE, "The values around the quantile are all the same.", units)
    return Quantile(middle / scale, ((high - low) / (2 * _Z * scale)) ** 2)


def quantile_contrast(
    control: Sketch, treatment: Sketch, share: float, *, value_scale: int = 1, scale: Scale = Scale.ABSOLUTE
) -> Contrast | Refusal:
    """The effect on a quantile. Absolute or relative; raises ValueError for another scale."""
    if scale is Scale.LOG_RATIO:
        raise ValueError("effects on quantiles are absolute or relative")
    units = (control.units, treatment.units)
    one, two = quantile(control, share, value_scale), quantile(treatment, share, value_scale)
    for side in (one, two):
        if isinstance(side, Refusal):
            return Refusal(side.code, side.why, units)
    assert isinstance(one, Quantile) and isinstance(two, Quantile)  # noqa: S101 for the type checker: see above
    df = (one.variance + two.variance) ** 2 / (
        one.variance**2 / (units[0] - 1) + two.variance**2 / (units[1] - 1)
    )
    value, variance = two.value - one.value, one.variance + two.variance
    if scale is Scale.RELATIVE:
        if one.value == 0:
            return Refusal(Code.ZERO_DENOMINATOR, "A relative effect would divide by a quantile of 0.", units)
        if abs(one.value) < STEADY * math.sqrt(one.variance):
            why = "A relative effect would divide by a quantile that cannot be told from 0."
            return Refusal(Code.UNSTABLE_DENOMINATOR, why, units)
        variance = two.variance / one.value**2 + one.variance * two.value**2 / one.value**4
        value /= abs(one.value)
    return Contrast(value, variance, df, units, scale, abs(one.value), (one.value, two.value))


class _Reader:
    """A sketch's buckets in order, with running sums."""

    def __init__(self, sketch: Sketch) -> None:
        self._sketch = sketch
        self._buckets = sorted(bucket for bucket, entry in sketch.buckets.items() if entry[0])

    def at(self, rank: float) -> float:
        """The value at a rank in (0, n]: between a bucket's ends, evenly."""
        below = 0
        for bucket in self._buckets:
            count = self._sketch.buckets[bucket][0]
            if below + count >= rank:
                low, high = span_of(bucket)
                return low + (high - low) * (rank - below) / count
            below += count
        return float(span_of(self._buckets[-1])[1])

    def spread(self, value: float, share: float) -> float:
        """The standard error of the share of events at or below the value, over units."""
        below = squares = products = 0
        for bucket in self._buckets:
            if span_of(bucket)[0] > value:
                break
            count, growth, product = self._sketch.buckets[bucket]
            below, squares, products = below + count, squares + growth, products + product
        if (
            below == self._sketch.events
        ):  # the quantile's bucket is the last: the variance of the planned share
            return math.sqrt(share * (1 - share) / self._sketch.events)
        units, events = self._sketch.units, self._sketch.events
        # Σ (events below - ratio · events)² over units, exactly, before the one division
        top = squares * events * events - 2 * below * products * events + below * below * self._sketch.squares
        return math.sqrt(top / (events**4) * units / (units - 1))
