"""Coverage, Gini, novelty, diversity and calibration, on published vectors and beside slow twins."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as configured
from hypothesis import strategies as st

from heedful.models.metrics.ragged import Ragged, lists_of
from heedful.models.metrics.variety import (
    calibration,
    category_distance,
    coverage,
    exposure,
    gini,
    head,
    mean_popularity,
    mix_of_histories,
    mix_of_lists,
    novelty,
    rarefied_coverage,
    share_of,
    shown,
    vector_distance,
)

SIZE = 6
LISTS = st.lists(st.lists(st.integers(0, SIZE - 1), max_size=5, unique=True), min_size=1, max_size=6)
SETS = st.lists(st.lists(st.integers(0, 4), max_size=4, unique=True), min_size=SIZE, max_size=SIZE)


@pytest.mark.parametrize(
    ("amounts", "expected"), [([1, 2, 3, 4], 0.25), ([0, 0, 0, 10], 0.75), ([5, 5, 5, 5], 0)]
)
def test_gini_of_the_published_vectors(amounts: list[float], expected: float) -> None:
    assert gini(np.array(amounts, dtype=np.float64)) == pytest.approx(expected, abs=1e-12)


def test_gini_of_nothing_is_not_defined() -> None:
    assert math.isnan(gini(np.zeros(3)))


def test_calibration_of_the_published_vectors() -> None:
    two = calibration(np.array([[0.7, 0.3]]), np.array([[0.5, 0.5]]))
    assert two[0] == pytest.approx(0.08069087003563716, abs=1e-12)
    three = calibration(np.array([[0.7, 0.3, 0]]), np.array([[1.0, 0, 0]]))
    assert three[0] == pytest.approx(1.133981751353524, abs=1e-12)


def test_calibration_is_not_defined_where_no_category_is_known() -> None:
    known, unknown = np.array([[1.0, 0.0]]), np.zeros((1, 2))
    assert calibration(known, known)[0] == 0
    assert np.isnan(calibration(known, unknown)[0])
    assert np.isnan(calibration(unknown, known)[0])


@given(LISTS, SETS)
def test_mixes_equal_their_slow_twin(answers: list[list[int]], categories: list[list[int]]) -> None:
    lists, sets = lists_of(answers, 5), Ragged.of(categories)
    by_list = mix_of_lists(lists, sets, 5)
    by_history = mix_of_histories(Ragged.of(answers), sets, 5)
    for answer, of_list, of_history in zip(answers, by_list, by_history, strict=True):
        ranked, plain = [0.0] * 5, [0.0] * 5
        for rank, item in enumerate(answer, start=1):
            for category in categories[item]:
                ranked[category] += 1 / math.log2(1 + rank) / len(categories[item])
                plain[category] += 1 / len(categories[item])
        assert of_list == pytest.approx([x / (sum(ranked) or 1) for x in ranked])
        assert of_history == pytest.approx([x / (sum(plain) or 1) for x in plain])


@configured(deadline=None)
@given(LISTS, SETS)
def test_the_distance_of_category_sets_equals_its_slow_twin(
    answers: list[list[int]], categories: list[list[int]]
) -> None:
    ours = category_distance(lists_of(answers, 5), Ragged.of(categories))
    for answer, distance in zip(answers, ours, strict=True):
        sets = [set(categories[item]) for item in answer if categories[item]]
        pairs = [1 - len(a & b) / len(a | b) for a, b in combinations(sets, 2)]
        assert distance == pytest.approx(sum(pairs) / len(pairs) if pairs else math.nan, nan_ok=True)


@given(LISTS, st.integers(0, 2**32 - 1))
def test_the_distance_of_vectors_equals_its_slow_twin(answers: list[list[int]], seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(SIZE, 3)).astype(np.float32)
    vectors[1] = 0
    ours = vector_distance(lists_of(answers, 5), vectors)
    for answer, distance in zip(answers, ours, strict=True):
        known = [vectors[item] / np.linalg.norm(vectors[item]) for item in answer if item != 1]
        pairs = [1 - float(a @ b) for a, b in combinations(known, 2)]
        assert distance == pytest.approx(
            sum(pairs) / len(pairs) if pairs else math.nan, nan_ok=True, abs=1e-5
        )


def test_distances_by_hand() -> None:
    categories = Ragged.of([[0, 1], [1, 2], [3], []])
    lists = lists_of([[0, 1], [0, 1, 2], [0, 3], [2]], 3)
    found = category_distance(lists, categories)
    assert found[:2] == pytest.approx([2 / 3, (2 / 3 + 1 + 1) / 3])
    assert np.isnan(found[2:]).all()
    opposite = np.array([[1, 0], [-2, 0], [0, 3], [0, 0]], dtype=np.float32)
    assert vector_distance(lists[:2], opposite) == pytest.approx([2, 4 / 3])


def test_exposure_and_coverage_by_hand() -> None:
    lists = lists_of([[0, 1], [0]], 2)
    assert exposure(lists, 3) == pytest.approx([2, 1 / math.log2(3), 0])
    assert shown(lists, 3).tolist() == [2, 1, 0]
    assert coverage(lists, 3) == pytest.approx(2 / 3)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5), st.data())
def test_rarefied_coverage_is_the_mean_over_all_draws(times: list[int], data: st.DataObject) -> None:
    places = [item for item, n in enumerate(times) for _ in range(n)][:8]
    draws = data.draw(st.integers(0, min(4, len(places))))
    all_draws = list(combinations(places, draws))
    expected = sum(len(set(draw)) for draw in all_draws) / len(all_draws) / len(times)
    counted = np.bincount(np.array(places, dtype=np.int64), minlength=len(times))
    assert rarefied_coverage(counted, draws) == pytest.approx(expected, abs=1e-9)


def test_more_draws_than_places_are_refused() -> None:
    with pytest.raises(ValueError, match="4 draws of 3"):
        rarefied_coverage(np.array([1, 2]), 4)


def test_novelty_by_hand() -> None:
    users = np.array([8, 2, 0], dtype=np.int64)
    found = novelty(lists_of([[0, 1], [2], []], 2), users, 8)
    assert found[:2] == pytest.approx([1, 3])  # nobody counts as one
    assert np.isnan(found[2])


def test_popularity_by_hand() -> None:
    popularity = np.array([5.0, 9.0, 1.0, 9.0])
    assert mean_popularity(lists_of([[1, 2], [0]], 2), popularity).tolist() == [5, 5]
    assert head(popularity, 0.01).tolist() == [False, True, False, False]
    assert head(popularity, 0.5).tolist() == [False, True, False, True]
    assert share_of(lists_of([[1, 2], [0]], 2), head(popularity, 0.5)).tolist() == [0.5, 0]
