"""The arithmetic of figures: against other people's implementations, by hand, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]  # it ships no types

from heedful.models.measures.catalogue import definitions
from heedful.models.measures.intervals import apart, mean, median, quantile, ratio, share
from heedful.models.measures.slates import discounts, exposure_gini, gini, miscalibration, varied


def test_every_definition_says_everything_under_its_own_name() -> None:
    assert len(definitions()) == 17
    for name, told in definitions().items():
        assert name == told.name
        assert told.direction in ("up", "down", "none")
        assert all([told.title, told.formula, told.unit, told.window, told.interval, told.source])
        assert told.minimum >= 20


@pytest.mark.parametrize(("k", "n"), [(0, 20), (1, 20), (13, 50), (50, 50), (999, 1_000)])
def test_wilson_is_that_of_scipy(k: int, n: int) -> None:
    ours, theirs = share(k, n), stats.binomtest(k, n).proportion_ci(method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_the_mean_has_the_textbook_interval() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0])
    found = mean(values)
    reach = 1.959963984540054 * stats.sem(values)
    assert found == pytest.approx((4.0, 4.0 - reach, 4.0 + reach))


def test_newcombe_is_the_example_of_his_paper() -> None:
    """Newcombe 1998, table II, (a): 56/70 - 48/80, method 10: 0.0524 to 0.3339."""
    found = apart(share(56, 70), share(48, 80))
    assert found == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_a_clustered_interval_covers_and_one_that_takes_impressions_for_people_does_not() -> None:
    random = np.random.default_rng(1)
    covered = naive = 0
    for _ in range(400):
        seen = random.integers(1, 60, size=150)
        clicks = random.binomial(seen, random.beta(0.5, 4.5, size=150))
        found = ratio(clicks, seen)
        covered += found.low <= 0.1 <= found.high
        plain = share(int(clicks.sum()), int(seen.sum()))
        naive += plain.low <= 0.1 <= plain.high
    assert 0.91 <= covered / 400 <= 0.98
    assert naive / 400 < 0.7


def test_the_median_has_an_interval_over_people() -> None:
    random = np.random.default_rng(2)
    person = np.repeat(np.arange(60), 20)
    values = np.repeat(random.normal(size=60), 20) + random.normal(size=1_200) / 100
    found, again = median(values, person), median(values, person)
    assert found == again
    assert found.low < found.value < found.high
    assert found.high - found.low > 5 * (median(values, np.arange(1_200)).high - found.value)


def test_quantiles_are_interpolated_within_their_bucket() -> None:
    bounds, counts = (1.0, 2.0, 4.0), (10, 10, 10, 0)
    assert quantile(bounds, counts, 0.5).value == pytest.approx(1.5)
    assert quantile(bounds, counts, 0.99).value == pytest.approx(3.94)
    assert quantile(bounds, (0, 0, 0, 5), 0.5).value == 4.0


@pytest.mark.parametrize(("values", "index"), [([0, 0, 1, 1], 0.5), ([1, 2, 3, 4], 0.25), ([2, 2, 2], 0.0)])
def test_the_gini_index_of_small_lists(values: list[int], index: float) -> None:
    assert gini(np.array(values, dtype=float)) == pytest.approx(index)


def test_exposure_counts_earlier_places_more_and_only_items_that_may_be_shown() -> None:
    answer = np.array([0, 0, 1, 1])
    assert discounts(answer) == pytest.approx([1, 1 / np.log2(3)] * 2)
    items = np.array([0, 1, 1, 0])
    assert exposure_gini(items, answer, np.array([True, True])) == pytest.approx(0.0)
    assert exposure_gini(items, answer, np.array([True, True, True, True])) == pytest.approx(0.5)
    assert exposure_gini(items, answer, np.array([True, True, False])) == pytest.approx(0.0)


def test_pairs_of_another_category_are_counted_in_each_answer() -> None:
    categories = np.array([1, 1, 2, 3, 3, -1, 5])
    answer = np.array([0, 0, 0, 1, 1, 1, 2])
    shares, has = varied(categories, answer, 4)
    assert shares[has] == pytest.approx([2 / 3, 0.0])
    assert has.tolist() == [True, True, False, False]


def test_miscalibration_is_zero_for_the_same_mix_and_large_for_another() -> None:
    ones = np.ones(4)
    same = miscalibration(np.array([0, 1]), np.array([0, 1, 0, 1]), ones)
    assert same == pytest.approx(0.0, abs=1e-12)
    other = miscalibration(np.array([0, 1]), np.array([0, 0, 0, 0]), ones)
    by_hand = 0.5 * np.log(0.5 / (0.99 + 0.005)) + 0.5 * np.log(0.5 / 0.005)
    assert other == pytest.approx(by_hand)
