"""How a variant is chosen: probabilities that are right, whole, and replayed from a seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from heedful.models.variants.draw import UNITS, draw, parts_of, probability
from heedful.models.variants.features import moment_of
from heedful.models.variants.fixed import in_shares
from heedful.models.variants.posterior import (
    DEVIATION_RIDGE,
    RIDGE,
    SPREAD,
    Beliefs,
    of_chances,
    of_lines,
    of_means,
)
from heedful.models.variants.squarecb import SCALE, inverse_gaps
from heedful.models.variants.thompson import chances_of_being_best
from heedful.views.variant_facts import CELLS, FEATURES, HIGHEST, ONE
from heedful.views.variant_sums import Moments, Regression

weights = st.lists(st.floats(0, 1e6), min_size=1, max_size=50).filter(lambda drawn: sum(drawn) > 1e-3)


# The draw


@given(weights, st.floats(0, 0.1))
def test_parts_are_whole_add_up_and_keep_the_minimum(drawn: list[float], minimum: float) -> None:
    parts = parts_of(np.array(drawn), minimum)
    assert sum(parts) == UNITS
    assert all(isinstance(part, int) and part >= 0 for part in parts)
    if minimum > 0:
        assert min(parts) >= 1
        assert min(parts) >= int(min(minimum, 1 / len(drawn)) * UNITS) - 1
    assert sum(map(probability, parts)) == 1.0


@given(weights, st.integers(0, 2**64 - 1))
def test_the_same_seed_draws_the_same_and_never_what_has_no_chance(drawn: list[float], seed: int) -> None:
    parts = parts_of(np.array(drawn))
    place = draw(seed, parts)
    assert place == draw(seed, list(parts))
    assert parts[place] > 0


def test_draws_are_as_frequent_as_their_parts() -> None:
    parts, draws = parts_of(np.array([0.5, 0.3, 0.15, 0.05])), 20_000
    counts = np.bincount([draw(seed, parts) for seed in range(draws)], minlength=4) / draws
    for seen, part in zip(counts, parts, strict=True):
        chance = probability(part)
        assert abs(seen - chance) < 4.5 * np.sqrt(chance * (1 - chance) / draws)


# What is known of a moment


def test_a_moment_is_small_whole_numbers_whatever_is_told() -> None:
    wild: dict[str, str | float | bool] = {f"field{number}": 1e300 for number in range(32)}
    wild.update(segment="new", flag=True, hour=23.9)
    moment = moment_of(wild)
    assert len(moment.features) == FEATURES
    assert moment.features[0] == ONE
    assert max(map(abs, moment.features)) <= HIGHEST
    assert 1 <= moment.cell <= CELLS
    assert moment_of({}) == (0, (ONE, *[0] * (FEATURES - 1)), False)
    assert moment_of(dict(reversed([*wild.items()]))) == moment, "order says nothing"


def test_a_linear_model_can_tell_usual_contexts_apart() -> None:
    contexts: list[dict[str, str | float | bool]] = [
        {"device": device, "segment": segment, "hour": hour}
        for device in ("phone", "desktop") for segment in ("new", "returning", "vip") for hour in (3, 9, 15, 21)
    ]  # fmt: skip
    rows = np.array([moment_of(context).features for context in contexts])
    effects = 1 + (2 - 1) + (3 - 1) + (4 - 1)
    assert np.linalg.matrix_rank(rows) >= effects


def test_only_more_than_a_segment_asks_for_a_linear_model() -> None:
    assert not moment_of({"segment": "new"}).told
    assert moment_of({"segment": "new"}).cell != moment_of({"segment": "old"}).cell
    assert moment_of({"device": "phone"}).told


# What is believed


def test_a_new_variant_starts_as_an_average_one() -> None:
    seen = [Moments(1_000.0, 50.0, 50.0), Moments(1_000.0, 30.0, 30.0), Moments(0.0, 0.0, 0.0)]
    for beliefs in (of_chances(seen, 1.0), of_means(seen, 1.0)):
        assert beliefs.means == pytest.approx([0.05, 0.03, 0.04], rel=0.03)
        assert beliefs.deviations[2] > 3 * beliefs.deviations[0]


def test_rewards_worth_more_scale_what_is_believed() -> None:
    one = of_chances([Moments(10.0, 4.0, 4.0), Moments(10.0, 2.0, 2.0)], 1.0)
    five = of_chances([Moments(10.0, 20.0, 100.0), Moments(10.0, 10.0, 50.0)], 5.0)
    assert five.means == pytest.approx(5 * one.means)
    assert chances_of_being_best(five) == pytest.approx(chances_of_being_best(one))


def test_lines_are_ridge_regressions_around_the_common_one() -> None:
    rng = np.random.default_rng(3)
    regressions, crosses, grams = [], [], []
    for _ in range(3):
        x = rng.normal(size=(40, FEATURES))
        x[:, 0] = 1.0
        r = x @ rng.normal(size=FEATURES) + rng.normal(size=40)
        grams.append(x.T @ x)
        crosses.append(x.T @ r)
        regressions.append(Regression(x.T @ x, x.T @ r, Moments(40.0, float(r.sum()), float(r @ r))))
    features = [ONE, *range(FEATURES - 1)]
    beliefs = of_lines(regressions, features, 1.0)
    x0, eye = np.array(features) / ONE, np.eye(FEATURES)
    common = np.linalg.inv(sum(grams) + RIDGE * eye) @ sum(crosses)
    for arm in range(3):
        inverse = np.linalg.inv(grams[arm] + DEVIATION_RIDGE * eye)
        own = common + inverse @ (crosses[arm] - grams[arm] @ common)
        assert beliefs.means[arm] == pytest.approx(x0 @ own)
        assert beliefs.deviations[arm] == pytest.approx(SPREAD * beliefs.noise * np.sqrt(x0 @ inverse @ x0))


# The algorithms


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 3_000), st.floats(0, 1)), min_size=2, max_size=6), st.booleans())
@example([(1.0, 0.875), (746.0, 0.8125)], True)  # one belief is steep at 1
@example([(0.0, 0.0), (3_000.0, 0.999), (3.0, 0.0)], True)
def test_thompson_gives_each_variant_the_share_of_draws_in_which_it_is_best(
    seen: list[tuple[float, float]], binary: bool
) -> None:
    moments = [Moments(n, n * rate, n * rate) for n, rate in seen]
    beliefs = of_chances(moments, 1.0) if binary else of_means(moments, 1.0)
    chances = chances_of_being_best(beliefs)
    assert chances.sum() == pytest.approx(1.0, abs=1e-12)
    rng, draws = np.random.default_rng(1), 40_000
    if beliefs.beta is not None:
        samples = rng.beta(beliefs.beta[0][:, None], beliefs.beta[1][:, None], (len(seen), draws))
    else:
        samples = rng.normal(beliefs.means[:, None], beliefs.deviations[:, None], (len(seen), draws))
    shares = np.bincount(samples.argmax(axis=0), minlength=len(seen)) / draws
    assert np.abs(shares - chances).max() < 5 * 0.5 / np.sqrt(draws) + 0.002


def test_thompson_follows_what_is_sure_and_splits_what_is_not() -> None:
    sure = of_chances([Moments(1e5, 6e4, 6e4), Moments(1e5, 4e4, 4e4)], 1.0)
    assert chances_of_being_best(sure) == pytest.approx([1.0, 0.0], abs=1e-9)
    assert chances_of_being_best(of_chances([Moments(0.0, 0.0, 0.0)] * 4, 1.0)) == pytest.approx([0.25] * 4)
    assert chances_of_being_best(of_means([Moments(5.0, 1.0, 1.0)], 1.0)).tolist() == [1.0]


def test_squarecb_is_the_published_formula() -> None:
    beliefs = Beliefs(np.array([0.5, 0.3, 0.4]), np.ones(3), decisions=400.0, noise=0.5)
    gamma = SCALE * 20 / 0.5
    second, third = 1 / (3 + gamma * 0.2), 1 / (3 + gamma * 0.1)
    assert inverse_gaps(beliefs) == pytest.approx([1 - second - third, second, third])
    fresh = Beliefs(np.zeros(4), np.ones(4), decisions=0.0, noise=0.5)
    assert inverse_gaps(fresh) == pytest.approx([0.25] * 4)


def test_fixed_shares_are_kept_and_none_means_even() -> None:
    assert in_shares([3, 1, 0]).tolist() == [0.75, 0.25, 0.0]
    assert in_shares([0, 0]).tolist() == [0.5, 0.5]
