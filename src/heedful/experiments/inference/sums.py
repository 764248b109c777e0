"""What is kept of an arm: how many units, and the sums of their values and of the products of these.

Each unit (a person, a session) is one integer vector (y, d, x, e): its outcome, its denominator where the
metric is a ratio, and both from before the experiment for CUPED; in fixed point, so that money is in minor
units. Fifteen Python integers, which never overflow and never round: adding is exact, taking back is exact,
merging days, dimensions and replicas is adding, and a mean or a variance is one division of exact integers
when it is read (no cancellation, unlike float sums).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]

LARGEST = (1 << 47) - 1
"""Of a unit's value, in fixed point: 1.4e14, or a trillion and more in minor units."""

_LIMB = 24
_CHUNK = 1 << 14


class Sums(NamedTuple):
    """n: units. y, d, x, e: Σ of each column. Two letters: Σ of the product. All are whole numbers."""

    n: int = 0
    y: int = 0
    d: int = 0
    x: int = 0
    e: int = 0
    yy: int = 0
    yd: int = 0
    yx: int = 0
    ye: int = 0
    dd: int = 0
    dx: int = 0
    de: int = 0
    xx: int = 0
    xe: int = 0
    ee: int = 0

    def plus(self, other: Sums) -> Sums:
        """The sums of both."""
        return Sums(*map(int.__add__, self, other))

    def minus(self, other: Sums) -> Sums:
        """What is left when `other`, which was added before, is taken back."""
        return Sums(*map(int.__sub__, self, other))


NOTHING = Sums()


def of_unit(y: int, d: int = 0, x: int = 0, e: int = 0) -> Sums:
    """One unit's share. A unit without a past has x = e = 0."""
    return Sums(1, y, d, x, e, y * y, y * d, y * x, y * e, d * d, d * x, d * e, x * x, x * e, e * e)


def merged(parts: Iterable[Sums]) -> Sums:
    """All parts added up: days, dimensions, replicas."""
    return Sums(*map(sum, zip(NOTHING, *parts, strict=True)))


def of_columns(y: Whole, d: Whole | None = None, x: Whole | None = None, e: Whole | None = None) -> Sums:
    """The sums over units, int64 (n,) each, exactly. Raises ValueError for a value beyond `LARGEST`."""
    columns = [None if column is None else _limbs(column) for column in (y, d, x, e)]
    firsts = [0 if column is None else (column[0] << _LIMB) + column[1] for column in map(_totals, columns)]
    products = [_product(columns[i], columns[j]) for i in range(4) for j in range(i, 4)]
    return Sums(len(y), *firsts, *products)


_Limbs = tuple[Whole, Whole]


def _limbs(column: Whole) -> _Limbs:
    """High and low part, so that products of parts and 2^14 sums of them stay within 63 bits."""
    if len(column) and (column.max() > LARGEST or column.min() < -LARGEST):
        raise ValueError(f"a unit's value is beyond {LARGEST}")
    return column >> _LIMB, column & ((1 << _LIMB) - 1)


def _totals(limbs: _Limbs | None) -> tuple[int, int] | None:
    return None if limbs is None else (_total(limbs[0]), _total(limbs[1]))


def _product(one: _Limbs | None, other: _Limbs | None) -> int:
    if one is None or other is None:
        return 0
    high, cross = _total(one[0] * other[0]), _total(one[0] * other[1]) + _total(one[1] * other[0])
    return (high << 2 * _LIMB) + (cross << _LIMB) + _total(one[1] * other[1])


def _total(values: Whole) -> int:
    """The exact sum of values below 2^48, in chunks that cannot overflow."""
    whole = len(values) - len(values) % _CHUNK
    chunks: list[int] = values[:whole].reshape(-1, _CHUNK).sum(axis=1).tolist()
    return sum(chunks) + int(values[whole:].sum())
