"""How values are distributed, in integers that can be added, taken back and merged: the quantiles' sums.

Values fall into buckets whose width is at most 1/128 of the value (and 1 below 256), so a quantile is known
to 0.8% of itself; the mapping is integer arithmetic, the same everywhere. For intervals that respect that the
values of one unit go together, a bucket also holds what the squares of each unit's running counts grew by
there, and its events times the unit's events: sums over units, from which the variance of a share of events
is read at any threshold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_BITS = 7
_HALF = 1 << _BITS

Entry = tuple[int, int, int]
"""Of a bucket: events; Σ growth of the unit's running count squared; Σ events times the unit's events."""


class Sketch(NamedTuple):
    """buckets: entries that are not all 0. units, events: how many. squares: Σ of events of a unit, squared."""

    buckets: Mapping[int, Entry] = {}
    units: int = 0
    events: int = 0
    squares: int = 0

    def plus(self, other: Sketch) -> Sketch:
        """The sketch of both."""
        return self._with(other, 1)

    def minus(self, other: Sketch) -> Sketch:
        """What is left when `other`, which was added before, is taken back."""
        return self._with(other, -1)

    def _with(self, other: Sketch, sign: int) -> Sketch:
        buckets = dict(self.buckets)
        for bucket, entry in other.buckets.items():
            held = buckets.get(bucket, (0, 0, 0))
            changed = held[0] + sign * entry[0], held[1] + sign * entry[1], held[2] + sign * entry[2]
            if any(changed):
                buckets[bucket] = changed
            else:
                buckets.pop(bucket, None)
        return Sketch(
            buckets,
            self.units + sign * other.units,
            self.events + sign * other.events,
            self.squares + sign * other.squares,
        )


def of_unit(values: Iterable[int]) -> Sketch:
    """The share of one unit with its events' values; a unit without events counts as a unit."""
    counts = Counter(map(bucket_of, values))
    events, running = counts.total(), 0
    buckets: dict[int, Entry] = {}
    for bucket in sorted(counts):
        count = counts[bucket]
        buckets[bucket] = count, (running + count) ** 2 - running**2, count * events
        running += count
    return Sketch(buckets, 1, events, events * events)


def of_column(values: NDArray[np.int64]) -> Sketch:
    """The sketch of units with one value each, int64 (n,)."""
    buckets, counts = np.unique(_buckets_of(values), return_counts=True)
    entries = {b: (c, c, c) for b, c in zip(buckets.tolist(), counts.tolist(), strict=True)}
    return Sketch(entries, len(values), len(values), len(values))


def bucket_of(value: int) -> int:
    """The bucket of a value: rises with it; of -value it is minus that of value."""
    size = abs(value)
    shift = max(0, size.bit_length() - _BITS - 1)
    bucket = (shift << _BITS) + (size >> shift)
    return bucket if value >= 0 else -bucket


def span_of(bucket: int) -> tuple[int, int]:
    """The least and the greatest value of a bucket."""
    size = abs(bucket)
    shift = max(0, (size >> _BITS) - 1)
    low = (size - (shift << _BITS)) << shift
    high = low + (1 << shift) - 1
    return (low, high) if bucket >= 0 else (-high, -low)


def _buckets_of(values: NDArray[np.int64]) -> NDArray[np.int64]:
    sizes = np.abs(values)
    shifts = np.zeros_like(sizes)
    for bits in (32, 16, 8, 4, 2, 1):  # bit length, by halves
        wide = sizes >> shifts >= 1 << bits
        shifts[wide] += bits
    shifts = np.maximum(0, shifts - _BITS)
    buckets = (shifts << _BITS) + (sizes >> shifts)
    signed: NDArray[np.int64] = np.where(values < 0, -buckets, buckets)
    return signed
