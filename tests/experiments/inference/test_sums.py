"""Sums: adding, taking back and merging are exact, and what is read from them is what the rows say."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from heedful.experiments.inference.answers import Code, Refusal
from heedful.experiments.inference.arms import Arm, Kind, Measure, arm_of
from heedful.experiments.inference.sums import LARGEST, NOTHING, Sums, merged, of_columns, of_unit

VALUES = st.integers(-LARGEST, LARGEST)
ROWS = st.lists(st.tuples(VALUES, VALUES, VALUES, VALUES), min_size=0, max_size=30)


def columns(rows: list[tuple[int, int, int, int]]) -> list[NDArray[np.int64]]:
    return list(np.array(rows, dtype=np.int64).reshape(-1, 4).T)


@given(ROWS)
def test_columns_add_up_to_what_their_rows_do(rows: list[tuple[int, int, int, int]]) -> None:
    assert of_columns(*columns(rows)) == merged(of_unit(*row) for row in rows)


def test_a_column_longer_than_a_chunk_of_the_largest_values_does_not_overflow() -> None:
    values = np.full(100_000, LARGEST, dtype=np.int64)
    values[::3] *= -1
    signs = 100_000 - 2 * 33_334
    found = of_columns(values, values)
    assert (found.n, found.y, found.yd) == (100_000, signs * LARGEST, 100_000 * LARGEST**2)


def test_a_value_beyond_the_largest_is_an_error() -> None:
    with pytest.raises(ValueError, match="beyond"):
        of_columns(np.array([0, LARGEST + 1]))


@given(ROWS, ROWS, ROWS)
def test_any_way_of_adding_and_taking_back_gives_the_same(
    a: list[tuple[int, int, int, int]], b: list[tuple[int, int, int, int]], c: list[tuple[int, int, int, int]]
) -> None:
    one, two, three = (of_columns(*columns(rows)) for rows in (a, b, c))
    assert one.plus(two).plus(three) == three.plus(one.plus(two)) == merged([two, one, three])
    assert one.plus(two).minus(two) == one
    assert one.minus(one) == NOTHING


@given(
    st.lists(st.tuples(VALUES, VALUES, VALUES, VALUES), min_size=2, max_size=20),
    st.integers(1, 10**6),
    st.integers(1, 10**6),
)
def test_means_and_covariances_are_right_to_the_last_digit(
    rows: list[tuple[int, int, int, int]], scale: int, other: int
) -> None:
    """The slow twin computes in fractions, from the rows, as the textbook defines them."""
    found = arm_of(merged(of_unit(*row) for row in rows), Measure(scale=scale, denominator_scale=other))
    assert isinstance(found, Arm)
    n, scales = len(rows), (scale, other, scale, other)
    means = [Fraction(sum(row[i] for row in rows), n * scales[i]) for i in range(4)]
    assert found.mean == tuple(map(float, means))
    for i in range(4):
        for j in range(4):
            products = (
                (Fraction(row[i], scales[i]) - means[i]) * (Fraction(row[j], scales[j]) - means[j])
                for row in rows
            )
            assert found.between(i, j) == float(sum(products) / (n - 1))


def test_a_variance_is_right_where_floats_lose_all_of_it() -> None:
    """Revenue of ten million people around a trillion minor units, whose spread is one unit."""
    offset, n = 10**12, 10_000_000
    sums = Sums(n=n, y=n * offset, yy=n * offset**2 + n)
    found = arm_of(sums, Measure())
    assert isinstance(found, Arm)
    assert found.between(0, 0) == pytest.approx(1.0, rel=1e-6)
    floats = (float(sums.yy) - float(sums.y) ** 2 / n) / (n - 1)
    assert abs(floats - 1.0) > 0.5


def test_a_share_has_its_own_variance_and_refuses_sums_that_are_no_shares() -> None:
    found = arm_of(Sums(n=1_000, y=100, yy=100), Measure(kind=Kind.PROPORTION))
    assert isinstance(found, Arm)
    assert found.between(0, 0) == pytest.approx(0.09, rel=1e-15)
    for wrong in (Sums(n=1_000, y=100, yy=130), Sums(n=100, y=200, yy=200)):
        refused = arm_of(wrong, Measure(kind=Kind.PROPORTION))
        assert isinstance(refused, Refusal)
        assert refused.code is Code.INCONSISTENT_SUMS


def test_damaged_sums_are_refused() -> None:
    refused = arm_of(Sums(n=10, y=100, yy=50), Measure())
    assert isinstance(refused, Refusal)
    assert refused.code is Code.INCONSISTENT_SUMS


def test_sums_beyond_a_float_are_refused() -> None:
    refused = arm_of(Sums(n=10, y=10**200, yy=10**420), Measure())
    assert isinstance(refused, Refusal)
    assert refused.code is Code.OVERFLOW
