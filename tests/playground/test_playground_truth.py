"""What is true in the playground agrees with itself: chances, lists, responses and drift."""

from __future__ import annotations

from itertools import permutations
from math import cos, exp, pi, sin, sqrt
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.playground.truth import examination
from heedful.playground.wares import DEPARTMENTS
from heedful.playground.world import OPENED, World
from heedful.vocabulary.time import DAY, Instant

WORLD = World(seed=11, items=240, shoppers=40)
IDS = [item.id for item in WORLD.items()]
PEOPLE = [shopper.id for shopper in WORLD.shoppers()]
GOALS = [None, *(entry.name for entry in DEPARTMENTS)]


def slow_click(who: int, item: int, day: int, goal: int | None) -> float:
    """The guide's formula, one number at a time."""
    catalogue, crowd = WORLD.catalogue, WORLD.crowd
    w = sin(pi * (day / crowd.period[who] + crowd.phase[who])) ** 2
    mixed = [(1 - w) * h + w * a for h, a in zip(crowd.home[who], crowd.away[who], strict=True)]
    length = sqrt(sum(x * x for x in mixed))
    utility = 4 * sum(x / length * v for x, v in zip(mixed, catalogue.vectors[item], strict=True))
    entry = DEPARTMENTS[catalogue.department[item]]
    utility += 0.5 * catalogue.quality[item]
    utility += entry.swing * cos(2 * pi * (day % 365.25 - entry.peak) / 365.25)
    since = (day - int(catalogue.trend_phase[item])) % 60
    if catalogue.trend_phase[item] >= 0 and since < 8:
        utility += 1.5 * sin(pi * (since + 0.5) / 8)
    utility -= crowd.thrift[who] * catalogue.dearness[item]
    if goal is not None:
        if catalogue.department[item] == goal:
            utility += 1.5
        elif entry.name in DEPARTMENTS[goal].goes_with:
            utility += 0.7
    open_now = catalogue.available[item] and catalogue.published[item] <= day * DAY
    return 1 / (1 + exp(3.6 - utility)) if open_now else 0.0


@settings(max_examples=150, deadline=None)
@given(
    who=st.integers(0, 39),
    item=st.integers(0, 239),
    day=st.integers(0, 400),
    goal=st.none() | st.integers(0, 11),
)
def test_the_click_probability_is_the_formula_of_the_guide(
    who: int, item: int, day: int, goal: int | None
) -> None:
    today = OPENED // DAY + day
    name = None if goal is None else DEPARTMENTS[goal].name
    fast = WORLD.click_probability(PEOPLE[who], IDS[item], Instant(today * DAY), name)
    assert fast == pytest.approx(slow_click(who, item, today, goal), rel=1e-9, abs=1e-12)


@settings(max_examples=80, deadline=None)
@given(who=st.sampled_from(PEOPLE), goal=st.sampled_from(GOALS), day=st.integers(0, 400), seed=st.integers())
def test_no_list_is_worth_more_than_the_best_list(who: str, goal: str | None, day: int, seed: int) -> None:
    at = Instant(OPENED + day * DAY)
    best = [item for item, _ in WORLD.best_list(who, at, 8, goal=goal)]
    rival = Random(seed).sample(IDS, 8)
    shuffled = Random(seed).sample(best, 8)
    value = WORLD.list_value(who, best, at, goal)
    assert value >= WORLD.list_value(who, rival, at, goal)
    assert value >= WORLD.list_value(who, shuffled, at, goal) - 1e-12


def test_the_best_list_is_the_best_of_all_lists_of_a_small_shop() -> None:
    world = World(seed=2, items=12, shoppers=3)
    ids = [item.id for item in world.items()]
    for shopper in world.shoppers():
        best = world.best_list(shopper.id, OPENED, 3)
        lists = permutations(ids, 3)
        top = max(world.list_value(shopper.id, shown, OPENED) for shown in lists)
        assert world.list_value(shopper.id, [item for item, _ in best], OPENED) == pytest.approx(
            top, rel=1e-12
        )


def test_knowing_the_person_is_worth_more_than_knowing_what_is_popular() -> None:
    values = np.mean([WORLD.truth.odds(who, OPENED).value for who in range(len(PEOPLE))], axis=0)
    popular = [IDS[number] for number in np.argsort(-values)[:10]]
    mine = [
        WORLD.list_value(who, [item for item, _ in WORLD.best_list(who, OPENED)], OPENED) for who in PEOPLE
    ]
    everybodys = [WORLD.list_value(who, popular, OPENED) for who in PEOPLE]
    assert all(own >= common for own, common in zip(mine, everybodys, strict=True))
    assert sum(mine) > 1.5 * sum(everybodys)


def test_excluded_and_unavailable_items_are_not_in_the_best_list() -> None:
    everything = [item for item, _ in WORLD.best_list(PEOPLE[0], OPENED, 240)]
    off_sale = {item.id for item in WORLD.items() if not item.available}
    assert off_sale and not off_sale & set(everything)
    rest = [item for item, _ in WORLD.best_list(PEOPLE[0], OPENED, 240, exclude=everything[:5])]
    assert rest == everything[5:]


def test_measured_clicks_by_place_lie_within_the_binomial_interval() -> None:
    who, dice, rounds = PEOPLE[1], Random(4), 20_000
    shown = [item for item, _ in WORLD.best_list(who, OPENED, 6)]
    counts = dict.fromkeys(shown, 0)
    for _ in range(rounds):
        for item in WORLD.respond(who, shown, OPENED, dice).clicked:
            counts[item] += 1
    for place, item in enumerate(shown):
        chance = (1 + place) ** -0.7 * WORLD.click_probability(who, item, OPENED)
        assert abs(counts[item] / rounds - chance) < 4.5 * sqrt(chance * (1 - chance) / rounds)


def test_the_mean_reward_of_responses_is_the_value_of_the_list() -> None:
    who, dice, rounds = PEOPLE[2], Random(5), 20_000
    goal = DEPARTMENTS[0].name
    shown = [item for item, _ in WORLD.best_list(who, OPENED, 5, goal=goal)]
    rewards = np.array([WORLD.respond(who, shown, OPENED, dice, goal).reward for _ in range(rounds)])
    spread = rewards.std() / sqrt(rounds)
    assert abs(rewards.mean() - WORLD.list_value(who, shown, OPENED, goal)) < 4.5 * spread


def test_what_is_bought_was_carted_and_what_is_carted_was_clicked() -> None:
    dice = Random(6)
    shown = [item for item, _ in WORLD.best_list(PEOPLE[3], OPENED, 20, goal=DEPARTMENTS[2].name)]
    responses = [WORLD.respond(PEOPLE[3], shown, OPENED, dice) for _ in range(500)]
    assert any(response.bought for response in responses)
    for response in responses:
        assert set(response.bought) <= set(response.carted) <= set(response.clicked) <= set(shown)


def test_examination_falls_with_the_place_from_certainty() -> None:
    curve = examination(10)
    assert curve[0] == 1.0
    assert (np.diff(curve) < 0).all()


def test_tastes_drift_over_weeks_and_stay_of_unit_length() -> None:
    first = OPENED // DAY
    crowd = WORLD.crowd
    tastes = [crowd.tastes(first + day) for day in (0, 1, 30)]
    for taste in tastes:
        assert np.allclose((taste * taste).sum(axis=1), 1.0)
    after_a_day = (tastes[0] * tastes[1]).sum(axis=1)
    after_a_month = (tastes[0] * tastes[2]).sum(axis=1)
    assert after_a_day.min() > 0.98
    assert after_a_month.mean() < 0.95
    assert after_a_month.mean() < after_a_day.mean()
    at, later = OPENED, Instant(OPENED + 60 * DAY)
    changed = [WORLD.best_list(who, at)[0] != WORLD.best_list(who, later)[0] for who in PEOPLE]
    assert sum(changed) > len(PEOPLE) / 2
