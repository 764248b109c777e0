"""Sums of whole numbers forget to the bit, and what is solved from them is least squares."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heedful.models.examples import Examples
from heedful.models.linear import (
    FINE,
    GAIN_FINE,
    GAIN_MOST,
    MOST_ROWS,
    MOST_WEIGHT,
    Linear,
    Moments,
    limits_of,
)
from heedful.models.linear import learned as learned_from
from heedful.vocabulary.errors import Corrupt, Invalid

Group: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float64]]
NAMES = ("likes", "price", "age")
LIMITS = np.array([1.0, 64.0, 0.25])


@st.composite
def groups(draw: st.DrawFn) -> Group:
    rows = draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    table = (rng.normal(size=(rows, 3)) * LIMITS).astype(np.float32)
    table[rng.random(table.shape) < 0.1] = rng.choice([np.nan, np.inf, -np.inf, 1e30])
    gains = (rng.integers(0, 4, size=rows) * draw(st.sampled_from([1.0, 0.3, 60.0]))).astype(np.float64)
    return table, gains


def learned(parts: list[Group]) -> Moments:
    found = Moments(NAMES, LIMITS)
    for table, gains in parts:
        found.add(table, gains)
    return found


def seen_as(group: Group) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A group as the fixed point sees it, in units of the limits."""
    table, gains = group
    x = np.nan_to_num(np.clip(table.astype(np.float64) / LIMITS, -1, 1))
    return np.rint(x * FINE) / FINE, np.rint(gains * GAIN_FINE) / GAIN_FINE


@settings(deadline=None)
@given(st.lists(groups(), max_size=8), st.lists(groups(), max_size=4), st.randoms(use_true_random=False))
def test_what_was_taken_back_was_never_seen_in_any_order(
    kept: list[Group], gone: list[Group], chance: object
) -> None:
    steps = [(1, group) for group in kept + gone] + [(-1, group) for group in gone]
    chance.shuffle(steps)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    found = Moments(NAMES, LIMITS)
    for sign, (table, gains) in steps:
        (found.add if sign > 0 else found.remove)(table, gains)
    assert found.state() == learned(kept).state()


@settings(deadline=None)
@given(st.lists(groups(), max_size=6), st.integers(0, 6))
def test_two_machines_sums_add_up(parts: list[Group], cut: int) -> None:
    here, there = learned(parts[:cut]), learned(parts[cut:])
    here.merge(there)
    assert here.state() == learned(parts).state()
    assert here.rows == sum(len(gains) for _, gains in parts)
    assert Moments.of(NAMES, here.arrays()).state() == here.state()


@settings(deadline=None)
@given(st.lists(groups(), min_size=1, max_size=6), st.sampled_from([1e-4, 1e-2, 1.0]))
def test_the_weights_are_those_of_least_squares_over_all_pairs(parts: list[Group], ridge: float) -> None:
    """The slow twin: every pair of every group as a row of one least-squares problem, with the ridge as rows."""
    rows, targets, count = [], [], 0
    for group in parts:
        x, y = seen_as(group)
        share = round((1 << 16) / len(y)) / (1 << 16)
        count += len(y)
        for i in range(len(y)):
            for j in range(i):
                rows.append((x[i] - x[j]) * np.sqrt(share))
                targets.append((y[i] - y[j]) * np.sqrt(share))
    rows += list(np.eye(3) * np.sqrt(ridge * count))
    targets += [0.0] * 3
    expected = np.linalg.lstsq(np.array(rows), np.array(targets), rcond=None)[0]
    found = learned(parts).solve(ridge)
    np.testing.assert_allclose(
        found.weights * LIMITS, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max()
    )


def test_the_largest_groups_there_can_be_do_not_overflow() -> None:
    table = np.full((MOST_ROWS, 3), np.inf, dtype=np.float32)
    table[::2] = -np.inf
    gains = np.zeros(MOST_ROWS)
    gains[1::2] = GAIN_MOST
    found = Moments(NAMES, LIMITS)
    for _ in range(70):
        found.add(table, gains, MOST_WEIGHT)
    # Over the (n/2)^2 unlike pairs, (x - x')^2 is 4 limits, and (x - x')(y - y') is 2 * GAIN_MOST.
    unlike = (MOST_ROWS // 2) ** 2 * 70
    scale = (1 << 16) * MOST_WEIGHT // MOST_ROWS
    assert found._whole()[0] == 4 * unlike * FINE**2 * scale
    assert found._whole()[-2] == 2 * GAIN_MOST * unlike * FINE * GAIN_FINE * scale
    for _ in range(70):
        found.remove(table, gains, MOST_WEIGHT)
    assert found.state() == Moments(NAMES, LIMITS).state()


def test_it_learns_what_candidates_differ_in_and_nothing_they_share() -> None:
    rng = np.random.default_rng(3)
    found = Moments(NAMES, LIMITS)
    for _ in range(300):
        table = (rng.uniform(-1, 1, size=(20, 3)) * LIMITS).astype(np.float32)
        table[:, 2] = table[0, 2]  # the same for all: it moves every gain of the group alike
        found.add(table, 8 + 3 * table[:, 0].astype(float) - table[:, 1] / 32 + 4 * table[0, 2])
    weights = found.solve(1e-9).weights
    np.testing.assert_allclose(weights[:2], [3, -1 / 32], rtol=1e-2)
    assert weights[2] == 0.0


def test_scoring_is_the_cut_and_weighed_sum_and_its_shares() -> None:
    linear = Linear(NAMES, np.array([2.0, -0.5, 8.0]), LIMITS)
    table = np.array([[0.5, 10, 0.1], [9, -100, np.nan], [-np.inf, np.inf, 0]], dtype=np.float32)
    out = np.zeros(3)
    linear.score(table, out)
    np.testing.assert_allclose(out, [1.0 - 5.0 + 0.8, 2.0 + 32.0, -2.0 - 32.0], rtol=1e-6)
    np.testing.assert_allclose([linear.shares(row).sum() for row in table], out)
    again = Linear.of(NAMES, linear.arrays())
    assert again.importance() == linear.importance()
    assert sum(linear.importance().values()) == pytest.approx(1.0)


def test_examples_are_learned_group_by_group_with_what_they_count_for() -> None:
    rng = np.random.default_rng(8)
    table = rng.normal(size=(9, 3)).astype(np.float32)
    gains = np.array([0.0, 1, 0, 0, 2, 0, 0, 0, 3])
    weights = np.array([1.0, 2.5, 1.0])
    examples = Examples(
        NAMES, np.concatenate([table, table[:2]]), np.append(gains, [0.0, 0.0]), np.array([4, 5, 2]),
        np.array([1, 2, 3]), weights=weights,
    )  # fmt: skip
    expected = Moments(NAMES, LIMITS)
    expected.add(table[:4], gains[:4])
    expected.add(table[4:], gains[4:], 2.5)
    assert learned_from(examples, LIMITS).state() == expected.state()
    seldom = Examples(
        NAMES, table[:4], gains[:4], np.array([4]), np.array([1]), examined=np.array([1.0, 0.25, 1.0, 1.0])
    )
    weighed = Moments(NAMES, LIMITS)
    weighed.add(np.ascontiguousarray(table[[0, 1, 2, 3]]), gains[:4], 4.0)
    assert learned_from(seldom, LIMITS).state() == weighed.state()


def test_limits_cover_what_was_seen_and_are_never_zero() -> None:
    table = np.zeros((1000, 4), dtype=np.float32)
    table[:, 0] = np.linspace(0, 100, 1000)
    table[0, 1] = 5.0
    table[:, 2] = np.nan
    assert limits_of(table).tolist() == [128.0, 8.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("table", "gains"),
    [
        (np.zeros((2, 2), np.float32), np.zeros(2)),
        (np.zeros((0, 3), np.float32), np.zeros(0)),
        (np.zeros((MOST_ROWS + 1, 3), np.float32), np.zeros(MOST_ROWS + 1)),
        (np.zeros((2, 3), np.float32), np.array([0.0, -1.0])),
        (np.zeros((2, 3), np.float32), np.array([0.0, np.nan])),
        (np.zeros((2, 3), np.float32), np.array([0.0, 257.0])),
    ],
    ids=["columns", "empty", "too many", "negative", "no number", "too large"],
)
def test_a_group_that_cannot_be_summed_is_refused_and_adds_nothing(
    table: NDArray[np.float32], gains: NDArray[np.float64]
) -> None:
    found = Moments(NAMES, LIMITS)
    with pytest.raises(Invalid):
        found.add(table, gains)
    with pytest.raises(Invalid):
        found.add(np.zeros((2, 3), np.float32), np.zeros(2), MOST_WEIGHT + 1)
    assert found.state() == Moments(NAMES, LIMITS).state()


def test_sums_and_rankers_that_are_not_as_written_are_corrupt() -> None:
    arrays = learned([(np.ones((2, 3), np.float32), np.array([0.0, 1.0]))]).arrays()
    for damage in (
        {"low": arrays["low"][1:]},
        {"low": arrays["low"] - 1},
        {"high": arrays["high"].astype(float)},
    ):
        with pytest.raises(Corrupt):
            Moments.of(NAMES, {**arrays, **damage})
    with pytest.raises(Corrupt):
        Linear.of(NAMES, {"weights": np.array([1.0, np.nan, 0.0]), "limits": LIMITS})
    with pytest.raises(Corrupt):
        Linear.of(NAMES, {"weights": np.zeros(2), "limits": LIMITS})
    with pytest.raises(Invalid):
        Moments(NAMES, LIMITS).merge(Moments(NAMES, LIMITS * 2))
