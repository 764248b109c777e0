"""Clicks say as much about places as about items; these estimates know which is which."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from heedful.models.positions import LEAST, Examination, Impressions, from_rates, from_swaps

PLACES = 6
TRUTH = 1.0 / np.arange(1, PLACES + 1) ** 0.7


def lists(count: int, *, swapping: float, sorted_: bool, seed: int = 1) -> Impressions:
    """`count` lists of six items of known relevance, looked at as TRUTH says. With probability `swapping` two
    neighbouring places, drawn evenly, are exchanged."""
    rng = np.random.default_rng(seed)
    relevance = rng.beta(2, 4, size=(count, PLACES))
    if sorted_:
        relevance = -np.sort(-relevance, axis=1)
    at = np.tile(np.arange(PLACES), (count, 1))  # place of each item
    first = rng.integers(0, PLACES - 1, size=count)
    other = np.full((count, PLACES), -1)
    chance = np.ones((count, PLACES))
    rows = np.arange(count)
    swapped = rng.random(count) < swapping
    if swapping:
        for shift in (0, 1):
            mine, theirs = first + shift, first + 1 - shift
            at[rows, mine] = np.where(swapped, theirs, mine)
            other[rows, mine] = np.where(swapped, mine, theirs)
            chance[rows, mine] = np.where(swapped, swapping, 1 - swapping)
    clicked = rng.random(at.shape) < TRUTH[at] * relevance
    return Impressions(at.ravel(), clicked.ravel(), chance.ravel(), other.ravel())


def test_swaps_find_the_truth_although_better_items_stand_first() -> None:
    shown = lists(60_000, swapping=0.2, sorted_=True)
    found = from_swaps(shown, PLACES).by_position
    np.testing.assert_allclose(found, TRUTH, atol=0.05)
    assert from_rates(shown, PLACES).by_position[-1] < TRUTH[-1] - 0.05, "rates alone are fooled, as they say"


def test_click_rates_find_the_truth_where_items_are_equally_relevant() -> None:
    found = from_rates(lists(40_000, swapping=0.0, sorted_=False), PLACES)
    np.testing.assert_allclose(found.by_position, TRUTH, atol=0.03)
    assert "equally relevant" in found.assumption


def test_a_few_impressions_move_little() -> None:
    some = Impressions(
        np.array([0, 1, 2]), np.array([True, False, False]), np.ones(3), np.array([-1, -1, -1])
    )
    assert from_rates(some, 3, prior=1_000).by_position.min() > 0.99
    pair = Impressions(
        np.array([0, 0, 1]), np.array([True, True, True]), np.full(3, 0.5), np.array([1, 1, 0])
    )
    assert 0.8 < from_swaps(pair, 2).by_position[1] < 1.0


def empty() -> Impressions:
    nothing: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    return Impressions(nothing, np.zeros(0, dtype=np.bool_), np.zeros(0), nothing)


def test_without_anything_shown_every_place_counts_alike() -> None:
    assert from_swaps(empty(), 4).by_position.tolist() == [1.0] * 4
    assert from_rates(empty(), 4).by_position.tolist() == [1.0] * 4


def test_a_place_that_no_swap_joins_takes_the_place_before_it() -> None:
    shown = lists(20_000, swapping=0.5, sorted_=False)
    cut = Impressions(*(column[shown.position != 4] for column in shown))
    found = from_swaps(cut, PLACES).by_position
    np.testing.assert_allclose(found[:4], TRUTH[:4], atol=0.08)
    assert found[4] == found[3] == found[5]


def test_no_place_is_below_the_least_above_the_first_or_rising() -> None:
    position = np.repeat(np.arange(4), 1_000)
    rates = np.array([0.2, 0.001, 0.3, 0.1])
    clicked = np.random.default_rng(0).random(4_000) < rates[position]
    found = from_rates(Impressions(position, clicked, np.ones(4_000), np.full(4_000, -1)), 4).by_position
    assert found[0] == 1.0
    assert np.all(np.diff(found) <= 0)
    assert found.min() >= LEAST


def test_a_place_beyond_the_last_is_taken_for_the_last() -> None:
    known = Examination(np.array([1.0, 0.5]), "")
    assert known.of(np.array([0, 1, 7])).tolist() == [1.0, 0.5, 0.5]
    assert from_swaps(lists(10, swapping=0.5, sorted_=False), PLACES).by_position == pytest.approx(
        1.0, abs=0.6
    )
