"""Intervals: what they promise, they hold; and interval and p-value never disagree."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.peeking import peek
from heedful.experiments.inference.answers import Code, Estimate, Method, Refusal, Scale
from heedful.experiments.inference.bayes import chances_of_best, floored, posterior
from heedful.experiments.inference.contrasts import Contrast
from heedful.experiments.inference.groups import bounds, p_repeated
from heedful.experiments.inference.methods import judged
from heedful.experiments.inference.plans import Plan, Side, Stage
from heedful.experiments.inference.sequential import (
    half_width,
    half_width_one_sided,
    p_anytime,
    p_anytime_one_sided,
    rho_squared,
)

LOOKS = (0.25, 0.5, 1.0)


def effect(
    value: float, variance: float, units: tuple[int, int] = (600, 900), scale: Scale = Scale.ABSOLUTE
) -> Contrast:
    return Contrast(value, variance, 1_200.0, units, scale, 10.0, (10.0, 10.0 + value))


def estimate(found: object) -> Estimate:
    assert isinstance(found, Estimate), found
    return found


@pytest.mark.parametrize("method", [Method.FIXED, Method.SEQUENTIAL, Method.HYBRID, Method.GROUP_SEQUENTIAL])
@pytest.mark.parametrize("side", Side)
@given(
    z=st.floats(-6, 6),
    finished=st.booleans(),
    alpha=st.sampled_from([0.01, 0.05, 0.2]),
    null=st.floats(-0.5, 0.5),
)
def test_the_p_value_and_the_interval_agree(
    method: Method, side: Side, z: float, finished: bool, alpha: float, null: float
) -> None:
    plan = Plan(method=method, side=side, alpha=alpha, null=null, looks=LOOKS)
    found = estimate(judged(effect(null + 0.1 * z, 0.01), plan, Stage(finished=finished, look=1)))
    assert found.p is not None
    inside = (found.low is None or found.low < null) and (found.high is None or null < found.high)
    if abs(found.p - alpha) > 1e-6 * alpha:  # on the edge either is right
        assert (found.p > alpha) == inside
    assert (found.low is None) == (side is Side.LESS)
    assert (found.high is None) == (side is Side.GREATER)


@given(
    value=st.floats(-3, 3),
    variance=st.floats(1e-6, 1.0),
    units=st.integers(150, 10**7),
    alpha=st.floats(0.001, 0.3),
)
def test_a_sequential_interval_holds_the_fixed_one(
    value: float, variance: float, units: int, alpha: float
) -> None:
    given_effect = effect(value, variance, (units, units))._replace(df=math.inf)
    always, once = (
        estimate(judged(given_effect, Plan(method=method, alpha=alpha)))
        for method in (Method.SEQUENTIAL, Method.FIXED)
    )
    assert always.low is not None and always.high is not None
    assert once.low is not None and once.high is not None
    assert always.low < once.low <= once.high < always.high
    assert always.p is not None and once.p is not None
    assert always.p >= once.p


@pytest.mark.parametrize("units", [480, 5_000, 100_000, 7_000_000])
def test_a_sequential_interval_is_at_most_twice_as_wide(units: int) -> None:
    width = half_width(1.0, units, 0.05, rho_squared(0.05, 5_000))
    assert width <= 2 * 1.959964


def test_peeking_fools_the_fixed_test_and_not_the_others() -> None:
    """The benchmark's simulation, smaller: 250 A/A experiments, 30 looks."""
    runs = 250
    found = peek(runs, units=150, seed=1)
    assert found.claimed["fixed"] / runs > 0.2
    for name in ("sequential", "sequential, one-sided"):
        assert found.claimed[name] / runs <= 0.05
    for name in ("hybrid", "group sequential"):
        assert found.claimed[name] / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert found.missed["fixed"] / runs == pytest.approx(0.05, abs=0.03)


def test_the_anytime_p_is_the_level_of_the_interval_that_just_holds_the_null() -> None:
    rho2 = rho_squared(0.05, 5_000)
    p = p_anytime(0.4, 0.01, 2_000, rho2)
    assert half_width(0.01, 2_000, p, rho2) == pytest.approx(0.4, rel=1e-12)
    assert p_anytime(0.0, 0.01, 2_000, rho2) == 1
    assert p_anytime(9.0, 0.01, 2_000, rho2) < 1e-300


def test_a_hybrid_plan_spends_its_alpha_in_two_parts() -> None:
    given_effect = effect(0.3, 0.01)
    plan = Plan(method=Method.HYBRID, hybrid_share=0.2)
    running, done = (judged(given_effect, plan, Stage(finished=finished)) for finished in (False, True))
    while_running = judged(given_effect, Plan(alpha=0.01))
    at_the_end = judged(given_effect, Plan(method=Method.FIXED, alpha=0.04))
    for ours, theirs in ((running, while_running), (done, at_the_end)):
        assert estimate(ours).low == pytest.approx(estimate(theirs).low, rel=1e-12)
        assert estimate(ours).high == pytest.approx(estimate(theirs).high, rel=1e-12)
        assert estimate(ours).level == 0.95


def test_a_group_sequential_plan_speaks_only_at_its_looks() -> None:
    plan = Plan(method=Method.GROUP_SEQUENTIAL, looks=LOOKS)
    for stage in (Stage(), Stage(look=3), Stage(look=-1)):
        refused = judged(effect(1.0, 0.01), plan, stage)
        assert isinstance(refused, Refusal)
        assert refused.code is Code.NOT_A_PLANNED_LOOK
    last = estimate(judged(effect(1.0, 0.01), plan, Stage(look=2)))
    assert last.high == pytest.approx(1.0 + bounds(LOOKS, 0.05)[-1] * 0.1)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("spending", [1.0, 2.0, 3.0])
def test_group_bounds_spend_what_they_may(sides: int, spending: float) -> None:
    """200,000 walks without drift: the share that crosses by each look is what may be spent by then."""
    limits = bounds(LOOKS, 0.1, spending, sides)
    steps = np.diff((0.0, *LOOKS))
    walks = np.random.default_rng(2).normal(size=(200_000, 3)) * np.sqrt(steps)
    z = walks.cumsum(axis=1) / np.sqrt(LOOKS)
    crossed = np.maximum.accumulate((np.abs(z) if sides == 2 else z) >= limits, axis=1).mean(axis=0)
    for share, look in zip(crossed, LOOKS, strict=True):
        spent = 0.1 * look**spending
        assert share == pytest.approx(spent, abs=4 * math.sqrt(spent / 200_000))


def test_the_repeated_p_is_the_alpha_whose_bound_is_met() -> None:
    for z in (1.2, 2.0, 4.5):
        p = p_repeated(z, LOOKS)
        assert bounds(LOOKS, p)[-1] == pytest.approx(z, rel=1e-8)
    assert p_repeated(0.0, LOOKS) == 1
    assert p_repeated(1.96, (1.0,)) == pytest.approx(0.04999579, rel=1e-6)


def test_impossible_plans_are_errors() -> None:
    for looks in ((), (0.5, 0.5), (0.5, 1.5), (0.0, 1.0)):
        with pytest.raises(ValueError, match="looks"):
            bounds(looks, 0.05)
    for wrong in (
        {"alpha": 0.5},
        {"tuned_for": 0},
        {"fewest": 1},
        {"method": Method.GROUP_SEQUENTIAL},
        {"prior_sd": 0},
    ):
        with pytest.raises(ValueError):
            Plan(**wrong)


def test_a_prior_pulls_towards_itself_and_is_relative_on_either_scale() -> None:
    plan = Plan(method=Method.BAYESIAN, prior_sd=0.3)
    absolute = estimate(judged(effect(2.0, 4.0), plan))
    relative = estimate(judged(effect(0.2, 0.04, scale=Scale.RELATIVE), plan))
    assert absolute.value == pytest.approx(10 * relative.value)  # the control's mean is 10
    assert absolute.chance_to_win == pytest.approx(relative.chance_to_win)
    assert relative.value == pytest.approx(0.2 * 0.09 / (0.09 + 0.04))
    nothing = judged(effect(2.0, 4.0)._replace(reference=0.0), plan)
    assert isinstance(nothing, Refusal)


@given(mean=st.floats(-5, 5), sd=st.floats(0.01, 3))
def test_the_risks_differ_by_the_effect_and_are_what_draws_lose(mean: float, sd: float) -> None:
    belief = posterior(mean, sd * sd, 0.0, None)
    assert belief.risk_control - belief.risk_treatment == pytest.approx(mean, abs=1e-12)
    assert min(belief.risk_control, belief.risk_treatment) >= 0


def test_risks_are_those_of_draws_also_far_out() -> None:
    draws = np.random.default_rng(4).normal(0.5, 1.0, 1_000_000)
    belief = posterior(0.5, 1.0, 0.0, None)
    assert belief.risk_treatment == pytest.approx(np.maximum(-draws, 0).mean(), rel=0.02)
    assert 0 < posterior(38.0, 1.0, 0.0, None).risk_treatment < 1e-300
    assert posterior(1e6, 1.0, 0.0, None).risk_control == pytest.approx(1e6)


def test_chances_to_be_best_are_those_of_draws_also_where_spreads_differ() -> None:
    means, sds = [0.0, 0.5, 0.4, -3.0], [1.0, 0.001, 0.3, 10.0]
    chances = chances_of_best(means, sds)
    draws = np.random.default_rng(5).normal(means, sds, (400_000, 4)).argmax(axis=1)
    assert list(chances) == pytest.approx(np.bincount(draws, minlength=4) / 400_000, abs=0.004)
    assert math.fsum(chances) == pytest.approx(1, abs=1e-12)
    assert min(floored(chances, 0.05)) >= 0.05
    assert math.fsum(floored(chances, 0.05)) == pytest.approx(1, abs=1e-12)
    assert chances_of_best([2.0], [1.0]) == (1.0,)
    with pytest.raises(ValueError, match="spread"):
        chances_of_best([1.0, 2.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="floors"):
        floored(chances, 0.3)


def test_a_log_ratio_is_written_as_a_relative_effect() -> None:
    found = estimate(judged(effect(math.log(1.2), 0.0001, scale=Scale.LOG_RATIO), Plan(method=Method.FIXED)))
    assert found.value == pytest.approx(0.2)
    assert found.low is not None and found.high is not None
    assert math.log1p(found.high) + math.log1p(found.low) == pytest.approx(2 * math.log(1.2))


def test_a_one_sided_p_goes_on_smoothly_where_its_parts_leave_the_floats() -> None:
    rho2 = rho_squared(0.1, 5_000)
    logs = [math.log(p_anytime_one_sided(d, 1e-4, 5_000, rho2)) for d in (0.374, 0.376, 0.378)]
    assert logs[0] - logs[1] == pytest.approx(logs[1] - logs[2], rel=0.02)
    assert p_anytime_one_sided(-1.0, 1e-4, 5_000, rho2) == 1
    with pytest.raises(ValueError, match="one half"):
        half_width_one_sided(1.0, 100, 0.5, rho2)


def test_a_posterior_beyond_a_float_is_refused() -> None:
    for plan in (Plan(method=Method.BAYESIAN, prior_sd=None), Plan(), Plan(method=Method.FIXED)):
        found = judged(effect(1e308, 1e308, scale=Scale.LOG_RATIO), plan)
        assert isinstance(found, Refusal)
        assert found.code is Code.OVERFLOW
