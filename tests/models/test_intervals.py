"""Intervals are over people: they equal published figures, cover as they claim, and are refused where too few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.models.metrics.intervals import (
    Estimate,
    Figure,
    Refusal,
    Sums,
    bootstrap_difference,
    difference,
    jackknife,
    per_user,
    ratio,
)
from heedful.models.metrics.ragged import Values, lists_of
from heedful.models.metrics.variety import coverage, coverage_of, gini_of


def estimate(figure: Figure) -> Estimate:
    assert isinstance(figure, Estimate)
    return figure


def people_with(n: int, m: float, mm: float, d: float, dd: float, md: float) -> Sums:
    """n people whose numerators and denominators have these sums, sums of squares and of products."""
    random = np.random.default_rng(7)
    free = random.normal(size=(n, 2))
    free -= free.mean(axis=0)
    unit, _ = np.linalg.qr(free)
    squares = np.array([[mm - m * m / n, md - m * d / n], [md - m * d / n, dd - d * d / n]])
    columns = unit @ np.linalg.cholesky(squares).T + np.array([m, d]) / n
    return Sums(np.arange(n), columns[:, 0], columns[:, 1], np.ones(n, dtype=np.int64))


def test_the_delta_method_gives_the_published_interval_of_a_ratio() -> None:
    """gbstats 0.8.0 and tea-tasting 2.0.0 agree on these two independent arms; they use Welch's t."""
    one = estimate(ratio(people_with(990, 750, 1274, 4020, 19460, 3610)))
    two = estimate(ratio(people_with(1010, 917, 1661, 4127, 19935, 4437)))
    errors = [(arm.high - arm.low) / 2 / 1.959963984540054 for arm in (one, two)]
    reach = 1.961152 * np.hypot(errors[0], errors[1])  # Student's t, 1997 degrees of freedom
    assert two.value - one.value == pytest.approx(0.035628135, abs=1e-8)
    assert two.value - one.value - reach == pytest.approx(0.01841767, abs=1e-6)
    assert two.value - one.value + reach == pytest.approx(0.0528386, abs=1e-6)


def test_a_ratio_by_hand() -> None:
    """One question each: the ratio is a mean, its error s / sqrt(n)."""
    values = np.array([0.0, 1, 1, 0, 1])
    found = estimate(ratio(per_user(np.arange(5), values), fewest=5))
    reach = 1.959963984540054 * values.std(ddof=1) / np.sqrt(5)
    assert found == pytest.approx((0.6, 0.6 - reach, 0.6 + reach, 5, 5, 0.95))


def test_sums_are_by_person_and_leave_out_what_is_not_defined() -> None:
    found = per_user(
        np.array([9, 4, 9, 4, 6]), np.array([1.0, 2, 3, np.nan, np.nan]), np.array([1.0, 5, 2, 7, 1])
    )
    assert found.user.tolist() == [4, 9]
    assert found.numerator.tolist() == [2, 4]
    assert found.denominator.tolist() == [5, 3]
    assert found.events.tolist() == [1, 2]


def world(
    random: np.random.Generator, people: int
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Values]:
    """Questions of people with tastes of their own: who asks more is answered worse."""
    many = random.integers(1, 12, size=people)
    users = np.repeat(np.arange(people), many)
    taste = np.clip(random.normal(0.5, 0.25, size=people) - 0.02 * many, 0, 1)
    return users, (random.random(len(users)) < taste[users]).astype(np.float64)


def test_intervals_cover_the_truth_as_often_as_they_say_and_those_over_questions_do_not() -> None:
    random = np.random.default_rng(1)
    truth = world(random, 400_000)[1].mean()
    covered, covered_by_question, rounds = 0, 0, 600
    for _ in range(rounds):
        users, values = world(random, 80)
        found = estimate(ratio(per_user(users, values)))
        covered += found.low <= truth <= found.high
        naive = estimate(ratio(per_user(np.arange(len(users)), values)))
        covered_by_question += naive.low <= truth <= naive.high
    assert 0.92 < covered / rounds < 0.97
    assert covered_by_question / rounds < 0.91


def paired() -> tuple[Sums, Sums]:
    random = np.random.default_rng(3)
    users, values = world(random, 300)
    better = np.maximum(values, random.random(len(values)) < 0.1)
    return per_user(users, better), per_user(users, values)


def test_a_paired_difference_is_surer_than_two_intervals() -> None:
    better, plain = paired()
    found, one, other = (estimate(f) for f in (difference(better, plain), ratio(better), ratio(plain)))
    assert found.value == pytest.approx(one.value - other.value)
    assert found.low > 0
    assert found.high - found.low < 0.5 * (one.high - one.low)
    back = estimate(difference(plain, better))
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))


def test_the_bootstrap_and_the_delta_method_agree_and_a_seed_repeats() -> None:
    better, plain = paired()
    by_delta = estimate(difference(better, plain))
    drawn = estimate(bootstrap_difference(better, plain, seed=5))
    assert drawn.value == by_delta.value
    assert (drawn.low, drawn.high) == pytest.approx((by_delta.low, by_delta.high), abs=0.1 * by_delta.value)
    assert drawn == bootstrap_difference(better, plain, seed=5)
    assert drawn != bootstrap_difference(better, plain, seed=6)


def test_the_bootstrap_equals_its_slow_twin() -> None:
    better, plain = paired()
    random = np.random.Generator(np.random.PCG64(11))
    draws = random.integers(300, size=(200, 300))
    twin = [
        better.numerator[d].sum() / better.denominator[d].sum()
        - plain.numerator[d].sum() / plain.denominator[d].sum()
        for d in draws
    ]
    found = estimate(bootstrap_difference(better, plain, seed=11, rounds=200, level=0.9))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(twin, [0.05, 0.95])))


@given(st.integers(0, 29))
def test_too_few_people_are_refused_with_the_reason(people: int) -> None:
    sums = per_user(np.arange(people), np.ones(people))
    for refused in (ratio(sums), difference(sums, sums), bootstrap_difference(sums, sums, seed=1)):
        assert refused == Refusal(f"not enough data: {people} people, at least 30 are needed", people, people)


def test_many_questions_of_few_people_are_refused() -> None:
    assert isinstance(ratio(per_user(np.arange(10_000) % 20, np.ones(10_000))), Refusal)


def test_nothing_to_divide_by_is_refused() -> None:
    refused = ratio(per_user(np.arange(40), np.ones(40), np.zeros(40)))
    assert isinstance(refused, Refusal)
    assert "divide" in refused.reason


def test_a_paired_difference_over_other_people_is_an_error() -> None:
    one, other = per_user(np.arange(40), np.ones(40)), per_user(np.arange(1, 41), np.ones(40))
    with pytest.raises(ValueError, match="same people"):
        difference(one, other)
    with pytest.raises(ValueError, match="same people"):
        bootstrap_difference(one, other, seed=1)


def test_the_jackknife_of_a_mean_is_nearly_that_of_the_delta_method() -> None:
    random = np.random.default_rng(2)
    users, values = world(random, 2_000)
    by_delta = estimate(ratio(per_user(users, values)))
    left_out = estimate(jackknife(lambda mask: float(values[mask].mean()), users, seed=4, groups=500))
    assert left_out.value == pytest.approx(by_delta.value)
    assert left_out.high - left_out.low == pytest.approx(by_delta.high - by_delta.low, rel=0.15)


def test_a_jackknife_that_leaves_out_one_by_one_is_exact_for_a_mean() -> None:
    values = np.random.default_rng(9).random(40)
    found = estimate(jackknife(lambda mask: float(values[mask].mean()), np.arange(40), seed=1, groups=40))
    assert (found.high - found.low) / 2 == pytest.approx(1.959963984540054 * values.std(ddof=1) / np.sqrt(40))


def test_coverage_and_gini_get_intervals_and_refuse_few_people() -> None:
    random = np.random.default_rng(8)
    lists = lists_of([random.permutation(200)[:5].tolist() for _ in range(400)], 5)
    users = np.arange(400) // 2
    found = estimate(jackknife(coverage_of(lists, 200), users, seed=1))
    assert found.value == coverage(lists, 200)
    assert found.low <= found.value <= found.high
    assert (found.users, found.events) == (200, 400)
    uneven = estimate(jackknife(gini_of(lists, 200), users, seed=1))
    assert 0 < uneven.low < uneven.value < uneven.high < 1
    assert isinstance(jackknife(coverage_of(lists, 200), users // 10, seed=1), Refusal)


def test_a_level_must_be_a_probability() -> None:
    with pytest.raises(ValueError, match="level"):
        ratio(per_user(np.arange(40), np.ones(40)), level=95)
