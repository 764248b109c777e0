"""Power: the textbook's figures, and what simulated experiments find."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heedful.experiments.inference.answers import Code, Estimate, Method, Refusal
from heedful.experiments.inference.arms import Measure
from heedful.experiments.inference.contrasts import Contrast
from heedful.experiments.inference.contrasts import contrast as contrast_of
from heedful.experiments.inference.methods import judged
from heedful.experiments.inference.plans import Plan, Side, Stage
from heedful.experiments.inference.power import (
    days_left,
    detectable,
    power_of,
    reach,
    spread_before,
    spread_of,
    units_needed,
)
from heedful.experiments.inference.sums import of_columns

FIXED = Plan(method=Method.FIXED)
METHODS = [Method.FIXED, Method.SEQUENTIAL, Method.HYBRID, Method.GROUP_SEQUENTIAL]


def test_the_fixed_test_needs_what_the_textbook_says() -> None:
    """16 variances over the squared effect, per arm, is the rule of thumb; 15.7 is the figure."""
    needed = units_needed(FIXED, spread_before(4.0), 0.5)
    assert needed == math.ceil(2 * 2 * (1.959964 + 0.841621) ** 2 * 4.0 / 0.25)
    assert power_of(FIXED, spread_before(4.0), float(needed), 0.5) == pytest.approx(0.8, abs=1e-3)
    relative = units_needed(FIXED, spread_before(4.0, mean=10.0), 0.05)
    assert relative == needed


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("side", [Side.BOTH, Side.LESS])
def test_units_and_effects_answer_each_other(method: Method, side: Side) -> None:
    plan = Plan(method=method, side=side, looks=(0.5, 1.0))
    needed = units_needed(plan, 8.0, 0.2)
    assert isinstance(needed, int)
    assert detectable(plan, 8.0, needed) <= 0.2 < detectable(plan, 8.0, needed - 1)
    least = units_needed(Plan(method=Method.FIXED, side=side), 8.0, 0.2)
    assert isinstance(least, int)
    assert needed >= least
    effect = Contrast(
        1.0, 8.0 / needed, math.inf, (needed // 2, needed - needed // 2), plan.scale, 1.0, (0.0, 1.0)
    )
    answer = judged(effect, plan, Stage(finished=True, look=1))
    assert isinstance(answer, Estimate)
    width = answer.high if answer.low is None else 2.0 - answer.low
    assert width == pytest.approx(1.0 + reach(plan, 8.0 / needed, needed))


@pytest.mark.parametrize("method", [Method.FIXED, Method.SEQUENTIAL])
def test_simulated_experiments_find_the_effect_as_often_as_was_said(method: Method) -> None:
    plan, random, runs = Plan(method=method), np.random.default_rng(1), 400
    needed = units_needed(plan, spread_before(900.0), 6.0)
    assert isinstance(needed, int)
    found = 0
    for _ in range(runs):
        one, two = (np.rint(random.normal(mean, 30, needed // 2)).astype(np.int64) for mean in (100, 106))
        effect = contrast_of(of_columns(one), of_columns(two), Measure())
        assert isinstance(effect, Contrast)
        assert spread_of(effect) == pytest.approx(spread_before(900.0), rel=0.5)
        answer = judged(effect, plan)
        assert isinstance(answer, Estimate)
        assert answer.p is not None
        found += answer.p <= 0.05
    assert found / runs == pytest.approx(0.8, abs=0.08)


def test_days_left_are_counted_or_refused() -> None:
    needed = units_needed(FIXED, 8.0, 0.2)
    assert isinstance(needed, int)
    assert days_left(FIXED, 8.0, 0.2, units=needed, units_per_day=0) == 0
    assert days_left(FIXED, 8.0, 0.2, units=0, units_per_day=needed / 7) == pytest.approx(7)
    for refused in (
        days_left(FIXED, 8.0, 0.2, units=0, units_per_day=0),
        days_left(FIXED, 8.0, 0.2, units=0, units_per_day=0.01),
        days_left(FIXED, 8.0, 0.0, units=0, units_per_day=100),
        units_needed(FIXED, 8.0, 1e-7),
    ):
        assert isinstance(refused, Refusal)
        assert refused.code is Code.NOT_REACHABLE
