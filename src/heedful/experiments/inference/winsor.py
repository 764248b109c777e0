"""Caps for heavy tails: a few buyers of very much must not decide an experiment.

A cap is fixed at the start, from values of before, and applied to each unit's value before it is squared and
added up; so sums stay sums, and no arm has a say in where the other is cut.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from heedful.experiments.inference.answers import Code, Refusal
from heedful.experiments.inference.sketch import Sketch, span_of
from heedful.experiments.inference.sums import Whole

SHARE = 0.999
FEWEST = 1_000


class Cap(NamedTuple):
    """The greatest, and the least, value a unit counts with, in fixed point; None is no cap."""

    high: int | None = None
    low: int | None = None

    def of(self, value: int) -> int:
        """A unit's value as it counts."""
        value = value if self.high is None else min(value, self.high)
        return value if self.low is None else max(value, self.low)

    def of_column(self, values: Whole) -> Whole:
        """Units' values as they count, int64 (n,)."""
        return np.clip(values, self.low, self.high) if self != Cap() else values


def cap_of(past: Sketch, share: float = SHARE, fewest: int = FEWEST) -> Cap | Refusal:
    """The cap at a quantile of units' values of before (both arms together, one value per unit, zeros
    included).

    It is the upper end of the quantile's bucket, so at least `share` of the past stays as it is. Refused
    where there are fewer than `fewest` units, or where the quantile is 0 and a cap would leave nothing.
    """
    if past.events < fewest:
        why = f"{past.events} units of before; a cap at {share:.1%} needs {fewest}."
        return Refusal(Code.TOO_FEW_UNITS, why, (past.events,))
    below = 0
    for bucket in sorted(past.buckets):
        below += past.buckets[bucket][0]
        if below >= share * past.events:
            break
    high = span_of(bucket)[1]
    if high == 0:
        why = "So many units had 0 before that a cap would leave nothing."
        return Refusal(Code.ZERO_VARIANCE, why, (past.events,))
    return Cap(high)
