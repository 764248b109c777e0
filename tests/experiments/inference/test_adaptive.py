"""Bandit experiments: what plain means get wrong, weighted sums get right, and what they cannot say is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.experiments.inference.adaptive import (
    PROPENSITY,
    WEIGHT,
    Batch,
    Weighted,
    adaptive_contrast,
    of_unit,
)
from heedful.experiments.inference.answers import Code, Estimate, Refusal, Scale
from heedful.experiments.inference.contrasts import Contrast
from heedful.experiments.inference.methods import judged
from heedful.experiments.inference.plans import Plan

UNITS = st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(1, PROPENSITY)), max_size=20)


@given(UNITS, UNITS)
def test_weighted_sums_add_and_take_back_exactly(
    one: list[tuple[int, int]], two: list[tuple[int, int]]
) -> None:
    def added(units: list[tuple[int, int]]) -> Weighted:
        total = Weighted()
        for unit in units:
            total = total.plus(of_unit(*unit))
        return total

    assert added([*one, *two]).minus(added(two)) == added(one)


def batch_of(arm: np.ndarray, y: np.ndarray, parts: list[int], weight: float = 1.0) -> Batch:
    """The sums of a batch at once: the same propensities for all its units."""
    arms = []
    for place, part in enumerate(parts):
        values = y[arm == place]
        w, n, total = of_unit(0, part).w, len(values), int(values.sum())
        arms.append(Weighted(n, n * w, n * w * w, w * total, w * w * total, w * w * int((values**2).sum())))
    return Batch(tuple(arms), weight)


def test_a_batchs_sums_are_those_of_its_units() -> None:
    random = np.random.default_rng(1)
    arm, y = random.integers(0, 2, 50), random.integers(-5, 90, 50)
    parts = [PROPENSITY // 3, PROPENSITY - PROPENSITY // 3]
    slow = [Weighted(), Weighted()]
    for place, value in zip(arm.tolist(), y.tolist(), strict=True):
        slow[place] = slow[place].plus(of_unit(value, parts[place]))
    assert batch_of(arm, y, parts).arms == tuple(slow)


def greedy(
    random: np.random.Generator, truth: tuple[float, float], batches: int = 8, n: int = 600
) -> tuple[list[Batch], float]:
    """A bandit that gives 90% to whichever arm is ahead, and the plain mean of arm 1 that it leaves behind."""
    made: list[Batch] = []
    sums, counts = np.zeros(2), np.zeros(2)
    for _ in range(batches):
        ahead = int(np.argmax(sums / np.maximum(counts, 1)))
        share = [0.5, 0.5] if not made else [0.9 if place == ahead else 0.1 for place in range(2)]
        parts = [round(each * PROPENSITY) for each in share]
        arm = (random.random(n) < share[1]).astype(np.int64)
        y = np.rint(random.normal(np.array(truth)[arm], 1.0) * 100).astype(np.int64)
        made.append(batch_of(arm, y, parts, math.sqrt(min(share))))
        sums += [y[arm == place].sum() / 100 for place in range(2)]
        counts += [(arm == place).sum() for place in range(2)]
    return made, float(sums[1] / counts[1])


@pytest.mark.parametrize("scale", [Scale.ABSOLUTE, Scale.RELATIVE])
def test_the_interval_covers_the_truth_where_a_bandit_moved_the_traffic(scale: Scale) -> None:
    random = np.random.default_rng(2)
    z, truth = [], (2.0, 2.1)
    wanted = 0.1 if scale is Scale.ABSOLUTE else 0.05
    for _ in range(400):
        batches, _ = greedy(random, truth)
        found = adaptive_contrast(batches, 1, value_scale=100, scale=scale, before=2.0)
        assert isinstance(found, Contrast)
        z.append((found.value - wanted) / math.sqrt(found.variance))
    assert np.std(z) == pytest.approx(1, abs=0.12)
    assert abs(np.mean(z)) < 0.15
    assert np.mean(np.abs(z) < 1.96) == pytest.approx(0.95, abs=0.03)


def test_plain_means_of_a_bandit_are_biased_and_the_estimate_is_not() -> None:
    """An arm that was unlucky early is tried less, and stays low: plain means lie below the truth of 0."""
    random = np.random.default_rng(3)
    plain, weighted = [], []
    for _ in range(600):
        batches, mean = greedy(random, (0.0, 0.0), batches=4, n=300)
        found = adaptive_contrast([Batch(each.arms) for each in batches], 1, value_scale=100)
        assert isinstance(found, Contrast)
        plain.append(mean)
        weighted.append(found.levels[1])
    errors = [float(np.std(means)) / math.sqrt(600) for means in (plain, weighted)]
    assert np.mean(plain) < -4 * errors[0]
    assert abs(np.mean(weighted)) < 3 * errors[1]


def test_even_propensities_give_what_plain_means_do() -> None:
    random = np.random.default_rng(4)
    arm = random.integers(0, 2, 40_000)
    y = np.rint(random.normal(50 + arm, 10.0)).astype(np.int64)
    half = PROPENSITY // 2
    batches = [batch_of(arm[k::4], y[k::4], [half, half]) for k in range(4)]
    found = adaptive_contrast(batches, 1, before=50.0)
    assert isinstance(found, Contrast)
    assert found.value == pytest.approx(y[arm == 1].mean() - y[arm == 0].mean(), abs=0.01)
    assert found.variance == pytest.approx(2 * 100 / 20_000, rel=0.05)
    answer = judged(found, Plan())
    assert isinstance(answer, Estimate)
    assert answer.low is not None and answer.high is not None
    assert answer.low < 1 < answer.high


def test_propensities_that_say_too_little_are_refused() -> None:
    random = np.random.default_rng(5)
    arm = (random.random(4_000) < 0.5).astype(np.int64)
    y = random.integers(0, 100, 4_000)
    half = PROPENSITY // 2
    good = batch_of(arm, y, [half, half])
    cases = {
        "got no unit": [batch_of(np.zeros(4_000, dtype=np.int64), y, [PROPENSITY, half])],
        "missing": [good._replace(arms=(good.arms[0], good.arms[1]._replace(w=5)))],
        "are wrong": [batch_of(arm, y, [half, PROPENSITY // 4])],
    }
    rare = of_unit(3, PROPENSITY // 2_000)
    usual = batch_of(np.zeros(3_998, dtype=np.int64), y[:3_998], [PROPENSITY - PROPENSITY // 2_000, half])
    cases["very small"] = [Batch((usual.arms[0], rare.plus(rare)))]
    for words, batches in cases.items():
        found = adaptive_contrast(batches, 1)
        assert isinstance(found, Refusal), words
        assert found.code is Code.LITTLE_SUPPORT
        assert words in found.why
    around_zero = adaptive_contrast([batch_of(arm, y - 50, [half, half])], 1, scale=Scale.RELATIVE)
    assert isinstance(around_zero, Refusal)
    assert around_zero.code in {Code.UNSTABLE_DENOMINATOR, Code.ZERO_DENOMINATOR}


def test_a_propensity_that_cannot_have_been_logged_is_an_error() -> None:
    for part in (0, PROPENSITY + 1):
        with pytest.raises(ValueError, match="propensity"):
            of_unit(1, part)
    assert of_unit(1, PROPENSITY).w == WEIGHT
    with pytest.raises(ValueError, match="arm"):
        adaptive_contrast([Batch((Weighted(), Weighted()))], 2)
