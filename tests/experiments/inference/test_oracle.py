"""Our statistics beside those of gbstats, tea-tasting, Spotify's confidence and GrowthBook, on the same sums."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.experiments.inference.answers import Answer, Estimate, Method, Scale
from heedful.experiments.inference.arms import Kind, Measure
from heedful.experiments.inference.bayes import chances_of_best, floored
from heedful.experiments.inference.groups import bounds
from heedful.experiments.inference.methods import compare
from heedful.experiments.inference.multiplicity import Rule, corrected
from heedful.experiments.inference.plans import Plan
from heedful.experiments.inference.sample_ratio import binomial_p, chi_squared_p, sequential_p
from heedful.experiments.inference.sequential import half_width, rho_squared
from heedful.experiments.inference.sums import Sums
from tests.experiments.inference.vectors import SCALE, arms, needs_vectors, vectors

pytestmark = needs_vectors

ROUNDED_Z = 1.959964
"""What the vectors' ratios were divided by."""


def near(value: float, within: float = 1e-9) -> Any:
    return pytest.approx(value, rel=0, abs=within)


def estimate(answer: Answer) -> Estimate:
    assert isinstance(answer, Estimate), answer
    return answer


@pytest.mark.parametrize(
    ("table", "scale"),
    [
        ("gbstats_0.8.0_and_tea_tasting_2.0.0_absolute", Scale.ABSOLUTE),
        ("gbstats_0.8.0_relative_linear_delta", Scale.RELATIVE),
        ("tea_tasting_2.0.0_relative_log_delta", Scale.LOG_RATIO),
    ],
)
@pytest.mark.parametrize("kind", ["mean", "cuped", "ratio"])
def test_fixed_effects_are_those_of_gbstats_and_tea_tasting(table: str, scale: Scale, kind: str) -> None:
    (wanted,) = (row for name, row in vectors()["abtest_aggregates"][table].items() if name.startswith(kind))
    ratio = kind == "ratio"
    measure = Measure(
        kind=Kind.RATIO if ratio else Kind.MEAN, scale=1 if ratio else SCALE, cuped=kind == "cuped"
    )
    found = estimate(compare(*arms(ratio=ratio), measure, Plan(method=Method.FIXED, scale=scale)))
    assert (found.value, found.low, found.high) == near([wanted["effect"], *wanted["ci"]])
    assert "p" not in wanted or found.p == near(wanted["p"])


def test_the_sequential_width_is_the_one_three_vendors_share() -> None:
    wanted = vectors()["sequential"]
    rho2 = rho_squared(0.05, 5_000)
    assert rho2**0.5 == near(wanted["rho_alpha0.05_N5000"])
    assert 1 / rho2 == near(wanted["nu"])
    assert half_width(1 / 5_000, 5_000, 0.05, rho2) == near(wanted["hw_s2=1_n=5000_a=.05"])
    assert half_width(1.7 / 2_100, 2_100, 0.05, rho2) == near(wanted["hw_s2=1.7_n=2100"])
    for n, ratio in wanted["ratio_to_fixed_z"].items():
        assert half_width(1.0, int(n), 0.05, rho2) / ROUNDED_Z == near(ratio)


@pytest.mark.parametrize("name", ["fixed_abs", "fixed_rel", "seq_abs", "seq_rel"])
def test_sequential_and_fixed_intervals_are_those_of_gbstats(name: str) -> None:
    given = vectors()["sequential"]["gbstats_two_sided"]
    control, treatment = (Sums(n=given[a]["n"], y=given[a]["sum"], yy=given[a]["sumsq"]) for a in ("A", "B"))
    method = Method.FIXED if name.startswith("fixed") else Method.SEQUENTIAL
    scale = Scale.ABSOLUTE if name.endswith("abs") else Scale.RELATIVE
    found = estimate(compare(control, treatment, Measure(), Plan(method=method, scale=scale)))
    assert [found.low, found.high, found.p] == near([*given[name]["ci"], given[name]["p"]])


def test_the_bayesian_reading_is_that_of_gbstats() -> None:
    given = vectors()["bayes_gbstats"]
    control, treatment = (Sums(n=given[a]["n"], y=given[a]["sum"], yy=given[a]["sum"]) for a in "AB")
    plan = Plan(method=Method.BAYESIAN, scale=Scale.RELATIVE, prior_sd=None)
    found = estimate(compare(control, treatment, Measure(kind=Kind.PROPORTION), plan))
    wanted = given["relative"]
    assert [found.value, found.low, found.high] == near([wanted["uplift"], *wanted["ci"]])
    assert found.chance_to_win == near(wanted["chance_to_win"])
    assert [found.risk_control, found.risk_treatment] == near(wanted["risk_ctrl_trt"])


def test_group_bounds_are_those_of_spotify_with_their_rule_and_near_with_ours() -> None:
    given = vectors()["group_sequential_spotify_3.0.4"]
    looks = tuple(given["t"])
    for phi, wanted in given["zb"].items():
        theirs = bounds(looks, given["alpha"], float(phi), given["sides"], step=0.05)
        assert list(theirs) == near(wanted, given["tol"])
        assert list(bounds(looks, given["alpha"], float(phi), given["sides"])) == near(wanted, 7e-5)


def test_the_chances_to_be_best_are_those_of_the_quadrature() -> None:
    given = vectors()["pbest_gauss_hermite128"]
    chances = chances_of_best(given["means"], given["sds"])
    assert list(chances) == near(given["p"], 1e-7)
    assert list(floored(chances)) == near(given["floored_f0.01"], 1e-7)


def test_the_sample_ratio_tests_are_those_of_growthbook_and_tea_tasting() -> None:
    given = vectors()["srm"]
    for name in ("chi2", "chi2b"):
        assert chi_squared_p(given[name]["counts"], given[name]["w"]) == near(given[name]["p"])
    counts, p = [0, 0], 1.0
    for increment, wanted in zip(given["ssrm_c10000"]["increments"], given["ssrm_c10000"]["p"], strict=True):
        counts = [before + new for before, new in zip(counts, increment, strict=True)]
        p = min(p, sequential_p(counts, [0.5, 0.5]))
        assert p == near(wanted)
    wanted = vectors()["abtest_aggregates"]["tea_tasting_srm_binomial_p"]
    assert binomial_p(990, 1_010) == near(wanted, 1e-7)  # written with seven digits


def test_corrections_are_those_of_growthbook() -> None:
    given = vectors()["multiplicity_growthbook"]
    assert corrected(given["holm_in"], Rule.HOLM) == near(given["holm_out"])
    assert corrected(given["bh_in"], Rule.BENJAMINI_HOCHBERG) == near(given["bh_out"])
