"""The distributions beside SciPy's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats  # type: ignore[import-untyped]  # it ships no types

from heedful.experiments.inference.special import (
    beta_share,
    chi2_quantile,
    chi2_tail,
    gamma_share,
    normal_cdf,
    normal_excess,
    normal_quantile,
    normal_tail,
    t_quantile,
    t_tail,
)

NEAR = 1e-12
DEGREES = (1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 29.3, 100.0, 1_998.3, 1e4, 1e6, 1e9)


@pytest.mark.parametrize("z", [-8.0, -1.0, 0.0, 1e-9, 0.7, 1.96, 5.0, 12.0, 37.0])
def test_the_normal_distribution(z: float) -> None:
    assert normal_cdf(z) == pytest.approx(stats.norm.cdf(z), rel=NEAR)
    assert normal_tail(z) == pytest.approx(stats.norm.sf(z), rel=NEAR)


@pytest.mark.parametrize("share", [1e-300, 1e-20, 1e-5, 0.025, 0.3, 0.5, 0.9, 0.999])
def test_the_normal_quantile(share: float) -> None:
    assert normal_quantile(share) == pytest.approx(stats.norm.ppf(share), rel=NEAR, abs=1e-15)


@pytest.mark.parametrize("df", DEGREES)
def test_students_t_and_its_quantile(df: float) -> None:
    for t in (0.01, 0.5, 0.999, 1.0, 1.001, 1.96, 3.0, 8.0, 20.0, 36.0):
        assert t_tail(t, df) == pytest.approx(stats.t.sf(t, df), rel=NEAR)
        assert t_tail(-t, df) == pytest.approx(stats.t.cdf(t, df), rel=NEAR)
    for tail in (0.49, 0.3, 0.1, 0.025, 1e-3, 1e-8, 1e-30):
        assert t_quantile(tail, df) == pytest.approx(stats.t.isf(tail, df), rel=NEAR)
    assert t_quantile(0.75, df) == -t_quantile(0.25, df)
    assert t_quantile(0.5, df) == 0


def test_student_with_one_degree_is_cauchy_also_near_its_middle_where_scipy_is_not() -> None:
    for t in (1e-12, 1e-8, 1e-3, 1.0, 1e5):
        assert t_tail(t, 1.0) == pytest.approx(math.atan2(1, t) / math.pi, rel=1e-14)


def test_student_with_endless_degrees_is_normal() -> None:
    assert t_tail(1.96, math.inf) == normal_tail(1.96)
    assert t_quantile(0.025, math.inf) == -normal_quantile(0.025)


@pytest.mark.parametrize("df", [1, 2, 3, 5, 10, 50, 100, 1_000, 100_000])
def test_chi_squared_and_its_quantile(df: int) -> None:
    for share in (1e-6, 0.1, 0.9, 1.0, 1.1, 2.0, 5.0):
        wanted = stats.chi2.sf(share * df, df)
        if wanted > 1e-300:
            assert chi2_tail(share * df, df) == pytest.approx(wanted, rel=NEAR)
    for tail in (0.99, 0.5, 0.05, 1e-3, 1e-12):
        assert chi2_quantile(tail, df) == pytest.approx(stats.chi2.isf(tail, df), rel=NEAR)


def test_the_incomplete_beta_and_gamma_functions_over_wide_ranges() -> None:
    random = np.random.default_rng(7)
    for a, b in (10 ** random.uniform(-1, 4.5, size=(1_500, 2))).tolist():
        x = float(random.beta(a, b))
        if 0 < x < 1 and (wanted := special.betainc(a, b, x)) > 1e-290:
            assert beta_share(a, b, x, 1 - x) == pytest.approx(wanted, rel=NEAR)
        low, high = gamma_share(a, y := float(random.gamma(a)))
        if y > 0 and low > 1e-290:
            assert (low, high) == pytest.approx((special.gammainc(a, y), special.gammaincc(a, y)), rel=NEAR)


@pytest.mark.parametrize("z", [-6.0, 0.0, 2.0, 3.999, 4.0, 9.0, 30.0, 37.0])
def test_the_mean_excess_of_a_normal_is_the_integral_of_its_tail(z: float) -> None:
    nodes, weights = np.polynomial.legendre.leggauss(400)
    width = 45 / (1 + max(z, 0)) + max(-z, 0)
    at = z + 0.5 * width * (nodes + 1)
    integral = float((stats.norm.sf(at) * weights).sum()) * 0.5 * width
    assert normal_excess(z) == pytest.approx(integral, rel=NEAR)


def test_what_has_no_answer_is_an_error() -> None:
    for call in (
        lambda: normal_quantile(0.0),
        lambda: t_quantile(1.0, 5),
        lambda: t_tail(1.0, 0),
        lambda: chi2_quantile(0.0, 3),
        lambda: gamma_share(-1, 1),
        lambda: beta_share(1, 1, 2, -1),
    ):
        with pytest.raises(ValueError):
            call()
