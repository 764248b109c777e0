"""Many comparisons, arms, strata, segments and ages; the sample ratio; the page that puts them together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from heedful.experiments.inference.answers import Code, Estimate, Method, Refusal, Scale
from heedful.experiments.inference.arms import Kind, Measure
from heedful.experiments.inference.contrasts import Contrast, contrast
from heedful.experiments.inference.heterogeneity import Interaction, heterogeneity
from heedful.experiments.inference.multiplicity import Rule, corrected, levels
from heedful.experiments.inference.novelty import novelty
from heedful.experiments.inference.plans import Plan
from heedful.experiments.inference.sample_ratio import (
    SampleRatio,
    binomial_p,
    chi_squared_p,
    sample_ratio,
    sequential_p,
)
from heedful.experiments.inference.scorecard import Arm, Metric, scorecard
from heedful.experiments.inference.strata import over_epochs, poststratified
from heedful.experiments.inference.sums import Sums, merged, of_columns

Whole = NDArray[np.int64]
PS = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(PS, st.sampled_from(Rule), st.sampled_from([0.01, 0.05, 0.2]))
def test_a_corrected_p_claims_just_what_its_interval_does(ps: list[float], rule: Rule, alpha: float) -> None:
    for p, now, level in zip(ps, corrected(ps, rule), levels(ps, alpha, rule), strict=True):
        assert p <= now <= 1
        if abs(p - level) > 1e-12 and abs(now - alpha) > 1e-12:  # on the edge rounding decides
            assert (now <= alpha) == (p <= level)


@given(PS)
def test_holm_is_between_nothing_and_bonferroni_and_benjamini_hochberg_below_it(ps: list[float]) -> None:
    holm, bonferroni = corrected(ps, Rule.HOLM), corrected(ps, Rule.BONFERRONI)
    false_share = corrected(ps, Rule.BENJAMINI_HOCHBERG)
    for place in range(len(ps)):
        assert false_share[place] <= holm[place] + 1e-15
        assert holm[place] <= bonferroni[place] + 1e-15
    assert corrected(ps, Rule.NONE) == ps


def test_the_sequential_ratio_alarms_seldom_when_watched_and_surely_when_wrong() -> None:
    random = np.random.default_rng(8)
    alarms = 0
    for _ in range(400):
        first = random.binomial(500, 0.5, 40).cumsum()
        p = min(sequential_p([int(a), 500 * (k + 1) - int(a)], [1, 1]) for k, a in enumerate(first))
        alarms += p < 0.05
    assert alarms / 400 <= 0.05
    assert sequential_p([52_000, 48_000], [1, 1]) < 0.001


def test_the_sample_ratio_is_refused_judged_or_alarming() -> None:
    few = sample_ratio([5, 9], [0.5, 0.5])
    assert isinstance(few, Refusal)
    fine = sample_ratio([5_000, 5_050], [1, 1])
    assert isinstance(fine, SampleRatio)
    assert not fine.alarm
    wrong = sample_ratio([5_000, 5_500], [1, 1])
    assert isinstance(wrong, SampleRatio)
    assert wrong.alarm
    again = sample_ratio([50_000, 50_000], [1, 1], p_before=0.0001)
    assert isinstance(again, SampleRatio)
    assert again.alarm  # once raised, it stays
    none_came = sample_ratio([1_000, 0], [1, 1])
    assert isinstance(none_came, SampleRatio)
    assert none_came.alarm


def test_an_arm_without_weight_counts_neither_in_the_sum_nor_in_the_degrees() -> None:
    assert chi_squared_p([300, 340, 0], [1, 1, 0]) == chi_squared_p([300, 340], [1, 1])
    assert chi_squared_p([300, 340, 1], [1, 1, 0]) == 0
    assert sequential_p([300, 340, 0], [1, 1, 0]) == sequential_p([300, 340], [1, 1])
    assert chi_squared_p([10, 0], [1, 0]) == 1
    with pytest.raises(ValueError, match="weight"):
        chi_squared_p([1, 2], [0, 0])


def test_the_binomial_test_is_exact_below_a_thousand() -> None:
    assert binomial_p(0, 5) == pytest.approx(2 / 32)
    assert binomial_p(1, 2, 0.25) == pytest.approx(1 - 0.75**3 + 0.75**3)
    assert binomial_p(3, 0, 0.25) == pytest.approx(0.25**3)


def two_arms(
    random: np.random.Generator, n: int, effects: list[float], shares: list[float]
) -> list[tuple[Sums, Sums]]:
    """Strata far apart in level; units fall into strata and arms by chance."""
    strata, treated = random.choice(len(shares), n, p=shares), random.random(n) < 0.5
    mean = 100.0 * (1 + 4 * strata) + treated * np.array(effects)[strata]
    y = np.rint(random.normal(mean, 30)).astype(np.int64)
    return [
        (of_columns(y[(strata == s) & ~treated]), of_columns(y[(strata == s) & treated]))
        for s in range(len(shares))
    ]


def test_poststratification_takes_away_what_strata_explain_and_its_error_is_right() -> None:
    random = np.random.default_rng(12)
    found, plain = [], []
    for _ in range(400):
        strata = two_arms(random, 600, [0.0, 60.0], [0.7, 0.3])
        effect = poststratified(strata, Measure())
        assert isinstance(effect, Contrast)
        found.append(effect)
        whole = contrast(merged(c for c, _ in strata), merged(t for _, t in strata), Measure())
        assert isinstance(whole, Contrast)
        plain.append(whole)
    z = [(each.value - 18.0) / math.sqrt(each.variance) for each in found]
    assert np.std(z) == pytest.approx(1, abs=0.12)
    assert abs(np.mean(z)) < 0.2
    assert np.mean([each.variance for each in found]) < 0.2 * np.mean([each.variance for each in plain])


def test_one_stratum_is_no_stratum_and_tiny_ones_are_put_together() -> None:
    random = np.random.default_rng(13)
    (pair,) = two_arms(random, 500, [3.0], [1.0])
    alone, plain = poststratified([pair], Measure()), contrast(*pair, Measure())
    assert isinstance(alone, Contrast)
    assert isinstance(plain, Contrast)
    assert (alone.value, alone.variance) == pytest.approx((plain.value, plain.variance))
    tiny = Sums(n=1, y=100, yy=10_000)
    spread = [pair, (tiny, Sums()), (Sums(), tiny), (tiny, tiny)]
    found = poststratified(spread, Measure())
    assert isinstance(found, Contrast)
    assert found.n == 504
    nothing = poststratified([], Measure())
    assert isinstance(nothing, Refusal)


def test_epochs_are_compared_within_themselves() -> None:
    """Traffic went from 10% to 50% treated while the level doubled: the plain difference is all time."""
    random = np.random.default_rng(14)
    sizes = [((4_500, 500), 100.0), ((2_500, 2_500), 200.0)]
    epochs = [
        tuple(of_columns(np.rint(random.normal(level, 20, n)).astype(np.int64)) for n in units)
        for units, level in sizes
    ]
    pairs = [(one, two) for one, two in epochs]
    found = over_epochs([*pairs, (Sums(n=900, y=900, yy=900), Sums())], Measure())
    assert isinstance(found, Contrast)
    assert abs(found.value) < 4 * math.sqrt(found.variance)
    assert "epochs_left_out" in found.notes
    by_hand = 0.0
    variance = 0.0
    for one, two in pairs:
        effect = contrast(one, two, Measure())
        assert isinstance(effect, Contrast)
        by_hand += effect.value * effect.n / 10_000
        variance += effect.variance * (effect.n / 10_000) ** 2
    assert (found.value, found.variance) == pytest.approx((by_hand, variance))
    naive = contrast(merged(one for one, _ in pairs), merged(two for _, two in pairs), Measure())
    assert isinstance(naive, Contrast)
    assert naive.value > 20 * math.sqrt(naive.variance)


def test_epochs_of_ratios_and_relative_effects_go_through_the_same_delta_method() -> None:
    random = np.random.default_rng(15)
    y, d = random.poisson(4, (4, 2_000)), random.poisson(6, (4, 2_000)) + 1
    arms = [of_columns(y[k], d[k]) for k in range(4)]
    found = over_epochs([(arms[0], arms[1]), (arms[2], arms[3])], Measure(kind=Kind.RATIO), Scale.RELATIVE)
    plain = contrast(arms[0].plus(arms[2]), arms[1].plus(arms[3]), Measure(kind=Kind.RATIO), Scale.RELATIVE)
    assert isinstance(found, Contrast)
    assert isinstance(plain, Contrast)
    assert found.value == pytest.approx(plain.value, rel=1e-9)  # equal sizes: the same means
    assert found.variance == pytest.approx(plain.variance, rel=0.01)


def effect(value: float, variance: float = 1.0, n: int = 500) -> Contrast:
    return Contrast(value, variance, math.inf, (n, n), Scale.ABSOLUTE, 1.0, (0.0, value))


def test_segments_that_differ_are_told_from_chance() -> None:
    random = np.random.default_rng(16)
    plan = Plan(method=Method.FIXED)
    false = 0
    for _ in range(400):
        same = {str(s): effect(1.0 + random.normal()) for s in range(5)}
        found = heterogeneity({"country": same}, plan)["country"]
        assert isinstance(found, Interaction)
        false += found.p <= 0.05
    assert false / 400 == pytest.approx(0.05, abs=0.04)
    dimensions = {
        "device": {"phone": effect(6.0), "desk": effect(-1.0), "watch": effect(99.0, n=3)},
        "country": {"NO": effect(1.0), "SE": effect(1.2)},
        "language": {"no": effect(1.0)},
    }
    answers = heterogeneity(dimensions, plan)
    device = answers["device"]
    assert isinstance(device, Interaction)
    assert device.df == 1
    assert device.p_corrected == pytest.approx(2 * device.p)
    assert device.p_corrected < 0.001
    assert isinstance(device.segments["watch"], Refusal)
    assert isinstance(device.segments["phone"], Estimate)
    assert isinstance(answers["language"], Refusal)


def test_an_effect_that_wears_off_has_a_slope_below_zero() -> None:
    fading = {age: effect(10.0 - age, 0.5) for age in range(8)}
    found = novelty({**fading, 8: effect(50.0, n=3)})
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(-1)
    assert found.high is not None and found.high < 0
    steady = novelty({age: effect(3.0, 0.5) for age in range(8)})
    assert isinstance(steady, Estimate)
    assert steady.p == pytest.approx(1)
    assert isinstance(novelty({0: effect(1.0), 1: effect(2.0)}), Refusal)


def page(random: np.random.Generator, lifts: list[float], n: int = 4_000, **units: int) -> list[Arm]:
    arms = []
    for place, lift in enumerate(lifts):
        y = np.rint(random.normal(100 + lift, 20, n)).astype(np.int64)
        sums = {
            "value": of_columns(y),
            "other": of_columns(random.integers(0, 50, n)),
            "speed": of_columns(y),
        }
        name = f"arm{place}"
        arms.append(Arm(name=name, units=units.get(name, n), sums=sums))
    return arms


METRICS = [Metric(name="value"), Metric(name="other"), Metric(name="speed", guardrail=True, rises=False)]


def test_a_page_corrects_goals_and_guards_the_rest() -> None:
    found = scorecard(METRICS, page(np.random.default_rng(17), [0, 5, -5]), Plan())
    rows = {(row.metric, row.arm): row for row in found.rows}
    assert rows["value", "arm1"].improved
    assert rows["value", "arm2"].worsened
    assert not rows["other", "arm1"].improved
    assert rows["speed", "arm1"].harmed  # it rises, and should not
    assert not rows["speed", "arm2"].harmed
    assert rows["speed", "arm1"].corrected is None
    for row in rows.values():
        if row.metric != "speed":
            assert isinstance(row.answer, Estimate)
            assert row.corrected is not None and row.corrected.p is not None and row.answer.p is not None
            assert row.corrected.p >= row.answer.p
            assert row.corrected.level >= row.answer.level
    tolerated = [Metric(name="speed", guardrail=True, rises=False, tolerated=8.0)]
    spared = scorecard(tolerated, page(np.random.default_rng(17), [0, 5]), Plan())
    assert not spared.rows[0].harmed


def test_a_page_with_a_wrong_sample_ratio_shows_no_figure() -> None:
    found = scorecard(METRICS, page(np.random.default_rng(18), [0, 5], arm1=4_900), Plan())
    assert isinstance(found.ratio, SampleRatio)
    assert found.ratio.alarm
    for row in found.rows:
        assert isinstance(row.answer, Refusal)
        assert row.answer.code is Code.SAMPLE_RATIO_MISMATCH
        assert not (row.improved or row.worsened or row.harmed)


def test_a_page_without_a_metrics_sums_refuses_only_that_metric() -> None:
    arms = page(np.random.default_rng(19), [0, 5])
    found = scorecard([Metric(name="value"), Metric(name="unheard of")], arms, Plan(method=Method.BAYESIAN))
    assert isinstance(found.rows[0].answer, Estimate)
    assert found.rows[0].corrected is None
    assert found.rows[0].improved
    assert isinstance(found.rows[1].answer, Refusal)
    with pytest.raises(ValueError, match="control"):
        scorecard([], arms[:1], Plan())
