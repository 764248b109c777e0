"""Stretches of [0, 1): weights and coverage as GrowthBook's SDKs lay them out, so that every SDK agrees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from heedful.experiments.assignment.hashing import bucket


class Range(NamedTuple):
    """From `start` on, below `end`."""

    start: float
    end: float

    def holds(self, n: float) -> bool:
        """Whether `n` lies in it."""
        return self.start <= n < self.end


def equal_weights(arms: int) -> tuple[float, ...]:
    """The same weight for each of `arms`."""
    return (1 / arms,) * arms if arms > 0 else ()


def bucket_ranges(
    arms: int, coverage: float | None = None, weights: Sequence[float] | None = None
) -> tuple[Range, ...]:
    """One stretch for each arm: it begins where the weights before it end, and is `coverage` of its weight
    long.

    coverage: cut to 0 to 1; None is 1. weights: equal ones stand in for None, for another number of them than
    of arms, and for a sum outside 0.99 to 1.01. (A definition of ours that has such weights is refused before.)
    """
    coverage = 1.0 if coverage is None else min(max(coverage, 0.0), 1.0)
    if weights is None or len(weights) != arms or not 0.99 <= _sum(weights) <= 1.01:
        weights = equal_weights(arms)
    ranges, start = [], 0.0
    for weight in weights:
        ranges.append(Range(start, start + coverage * weight))
        start += weight
    return tuple(ranges)


def _sum(weights: Sequence[float]) -> float:
    """From left to right with a rounding each, as a browser adds; `sum` of Python 3.12 rounds once."""
    total = 0.0
    for weight in weights:
        total += weight
    return total


def choose(n: float, ranges: Sequence[tuple[float, float]]) -> int:
    """The first range that holds `n`, -1 if none does."""
    for place, (start, end) in enumerate(ranges):
        if start <= n < end:
            return place
    return -1


def in_namespace(unit: str, name: str, start: float, end: float) -> bool:
    """Whether `unit` falls into [start, end) of GrowthBook's namespace `name`, which goes by hash version 1."""
    n = bucket(f"__{name}", unit, 1)
    return n is not None and start <= n < end
