"""Chance in a list: bounded, replayable, and as likely as it says."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heedful.pipeline.candidates import Candidates
from heedful.pipeline.exploration import (
    Appeal,
    Even,
    Slots,
    UnderExposed,
    exchanged,
    spread,
)
from heedful.pipeline.policy import Choice

KEYS = np.arange(1_000, 2_000, dtype=np.uint64)
TOP = np.array([0, 1, 2, 3], dtype=np.int64)


def candidates(count: int, removed: tuple[int, ...] = ()) -> Candidates:
    """Rows 0 to count - 1 of items 100 on, best first."""
    table = Candidates(1, lambda: 1_000)
    table.clear()
    items = np.arange(100, 100 + count, dtype=np.int32)
    scores = np.linspace(1.0, 0.1, count)
    table.add(0, items, scores, np.array([-1], dtype=np.int32))
    table.columns.total[:count] = scores
    for row in removed:
        table.columns.reason[row] = 1
    return table


def exposure(items: NDArray[np.int32]) -> NDArray[np.float64]:
    """Items from 106 on were hardly seen."""
    return np.where(items >= 106, 1.0, 50.0)


APPEALS: tuple[Appeal, ...] = (Even(), UnderExposed(exposure, 10.0), UnderExposed(exposure, 10.0, rest=0.1))


@settings(max_examples=100, deadline=None)
@given(
    st.integers(4, 30), st.integers(1, 6), st.integers(0, 5), st.floats(0, 1), st.sampled_from(APPEALS),
    st.booleans(), st.integers(0, 2**64 - 1), st.integers(0, 3),
)  # fmt: skip
def test_a_list_stays_a_list_and_replays(
    count: int, size: int, budget: int, epsilon: float, appeal: Appeal, rejoin: bool, seed: int, first: int
) -> None:
    table = candidates(count, removed=(3,))
    rows = TOP[:3][:size]
    slots = Slots(epsilon, appeal, rejoin=rejoin, first=first)
    choice = slots.explore(table, rows, KEYS, size=size, seed=seed, budget=budget)
    again = slots.explore(table, rows, KEYS, size=size, seed=seed, budget=budget)
    assert choice.rows.tolist() == again.rows.tolist()
    assert choice.propensities.tolist() == again.propensities.tolist()
    assert len(set(choice.rows.tolist())) == len(rows)
    assert 3 not in choice.rows, "what a filter removed stays away"
    moved = np.flatnonzero(choice.rows != rows)
    assert len(moved) <= budget
    assert all(place >= first for place in moved)
    assert ((choice.propensities > 0) & (choice.propensities <= 1)).all()
    said = slots.distributions(table, rows, KEYS, size=size, budget=budget)
    for place, row in enumerate(choice.rows.tolist()):
        assert choice.propensities[place] == (said[place][row] if place in said else 1.0)


@pytest.mark.parametrize("appeal", APPEALS)
@pytest.mark.parametrize("rejoin", [False, True])
def test_the_probabilities_of_all_lists_add_up_to_one(appeal: Appeal, rejoin: bool) -> None:
    slots = Slots(0.3, appeal, rejoin=rejoin)
    said = slots.distributions(candidates(9), TOP, KEYS, size=4, budget=2)
    assert sorted(said) == [2, 3]
    for place in said.values():
        assert sum(place.values()) == 1.0
    lists = [
        (prod(chance for _, chance in parts), [row for row, _ in parts])
        for parts in product(*(place.items() for place in said.values()))
    ]
    assert sum(chance for chance, _ in lists) == pytest.approx(1.0, abs=1e-12)
    assert all(len(set(rows)) == len(rows) for _, rows in lists), "no list shows an item twice"


@pytest.mark.parametrize("appeal", APPEALS)
@pytest.mark.parametrize("rejoin", [False, True])
def test_what_is_shown_is_as_frequent_as_it_says(appeal: Appeal, rejoin: bool) -> None:
    slots, table, draws = Slots(0.4, appeal, rejoin=rejoin), candidates(10), 4_000
    said = slots.distributions(table, TOP, KEYS, size=4, budget=2)
    lists = [
        slots.explore(table, TOP, KEYS, size=4, seed=seed * 0x9E3779B1 % 2**64, budget=2).rows.tolist()
        for seed in range(draws)
    ]
    for place, chances in said.items():
        for row, chance in chances.items():
            seen = sum(one[place] == row for one in lists) / draws
            assert abs(seen - chance) <= 4.5 * np.sqrt(chance * (1 - chance) / draws) + 1e-9
    for first, second in product(said[2], said[3]):
        both = sum(one[2] == first and one[3] == second for one in lists) / draws
        chance = said[2][first] * said[3][second]
        assert abs(both - chance) <= 4.5 * np.sqrt(chance * (1 - chance) / draws) + 1e-9


def test_the_standing_row_keeps_its_share_if_it_rejoins() -> None:
    table = candidates(8)
    alone = Slots(0.4, Even()).distributions(table, TOP, KEYS, size=4, budget=1)[3]
    assert alone[3] == pytest.approx(0.6, abs=1e-9)
    assert alone[4] == pytest.approx(0.1, abs=1e-9)
    rejoined = Slots(0.4, Even(), rejoin=True).distributions(table, TOP, KEYS, size=4, budget=1)[3]
    assert rejoined[3] == pytest.approx(0.6 + 0.4 / 5, abs=1e-9)


def test_only_items_that_were_hardly_seen_get_the_share_set_aside_for_them() -> None:
    said = Slots(0.2, UnderExposed(exposure, 10.0)).distributions(candidates(9), TOP, KEYS, size=4, budget=1)
    assert said[3].keys() == {3, 6, 7, 8}
    assert sum(chance for row, chance in said[3].items() if row != 3) == pytest.approx(0.2, abs=1e-9)
    everything_seen = Slots(0.2, UnderExposed(lambda items: np.full(len(items), 99.0), 10.0))
    assert (
        everything_seen.explore(candidates(9), TOP, KEYS, size=4, seed=1, budget=1).propensities.tolist()
        == [1] * 4
    )


def test_ties_below_the_cut_go_by_key_and_not_by_row() -> None:
    table = candidates(8)
    table.columns.total[4:8] = 0.5
    said = Slots(0.5, Even(), pool=1).distributions(table, TOP, KEYS[::-1].copy(), size=4, budget=1)
    assert said[3].keys() == {3, 7}


def test_places_are_spread_and_never_more_than_asked() -> None:
    assert spread(1, 20, 2) == [10, 19]
    assert spread(1, 20, 0) == spread(1, 1, 3) == []
    assert spread(1, 4, 9) == [1, 2, 3]


def test_settings_that_make_no_sense_are_refused() -> None:
    for epsilon, first in ((1.5, 1), (0.1, -1)):
        with pytest.raises(ValueError, match="epsilon"):
            Slots(epsilon, Even(), first=first)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 30), st.floats(0, 0.5), st.integers(0, 2**64 - 1))
def test_exchanging_moves_only_neighbours_and_says_where_each_might_have_stood(
    count: int, share: float, seed: int
) -> None:
    before = Choice(np.arange(count), np.linspace(1.0, 0.5, count))
    found = exchanged(before, share, seed)
    assert sorted(found.choice.rows.tolist()) == [*range(count)]
    np.testing.assert_array_equal(found.shown, before.propensities[found.choice.rows])
    for place, row in enumerate(found.choice.rows.tolist()):
        other = int(found.other[place])
        assert other == -1 or abs(other - place) == 1
        assert row in {place, other}
        assert other == -1 or found.other[other] == place, "they are each other's"
        if other == -1:
            assert found.chance[place] == 1.0
    assert exchanged(before, share, seed).choice.rows.tolist() == found.choice.rows.tolist()


def test_each_row_stands_in_each_place_as_often_as_its_propensity_says() -> None:
    before, rounds = Choice(np.arange(5), np.ones(5)), 20_000
    counts, said, alone = np.zeros((5, 5)), np.zeros((5, 5)), np.zeros(2)
    for seed in range(rounds):
        found = exchanged(before, 0.3, seed)
        places, rows = np.arange(5), found.choice.rows
        counts[rows, places] += 1
        said[rows, places] = found.choice.propensities
        alone += [np.count_nonzero((found.other >= 0) & (rows != places)), np.count_nonzero(found.other >= 0)]
    np.testing.assert_allclose(counts / rounds, said, atol=0.015)
    np.testing.assert_allclose(said.sum(axis=1), 1.0)
    assert alone[0] / alone[1] == pytest.approx(0.3, abs=0.01)
