"""Effects from sums are those from rows, and the delta method's errors are those that samples show."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]  # it ships no types

from heedful.experiments.inference.answers import Code, Estimate, Method, Refusal, Scale
from heedful.experiments.inference.arms import Kind, Measure
from heedful.experiments.inference.contrasts import Contrast, contrast, level
from heedful.experiments.inference.methods import compare
from heedful.experiments.inference.plans import Plan
from heedful.experiments.inference.sums import Sums, of_columns

Whole = NDArray[np.int64]
SMALL = st.integers(50, 120)
ROWS = st.lists(st.tuples(SMALL, st.integers(1, 9), SMALL, st.integers(1, 9)), min_size=4, max_size=25)


def table(rows: list[tuple[int, int, int, int]]) -> Whole:
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def sums(rows: Whole) -> Sums:
    return of_columns(*rows.T)


def slow(control: Whole, treatment: Whole, measure: Measure, scale: Scale) -> tuple[float, float]:
    """Value and variance from rows: one linearised figure per unit, as the delta method is written in papers."""
    arms = [control.astype(float), treatment.astype(float)]
    linear, values, raw = [], [], []
    for rows in arms:
        y, d, x, e = rows.T
        if measure.kind is Kind.RATIO:
            ratio, past = y.mean() / d.mean(), x.mean() / e.mean()
            linear.append(((y - ratio * d) / d.mean(), (x - past * e) / e.mean()))
            values.append((ratio, past))
        else:
            linear.append((y - y.mean(), x - x.mean()))
            values.append((y.mean(), x.mean()))
        raw.append(values[-1][0])
    theta = 0.0
    if measure.cuped and measure.kind is Kind.RATIO:
        theta = sum(np.cov(*pair)[0, 1] for pair in linear) / sum(np.var(pair[1], ddof=1) for pair in linear)
    elif measure.cuped:
        both = np.cov(
            np.concatenate([rows[:, 0] for rows in arms]), np.concatenate([rows[:, 2] for rows in arms])
        )
        theta = both[0, 1] / both[1, 1]
    units = [post - theta * past for post, past in linear]
    difference = (values[1][0] - theta * values[1][1]) - (values[0][0] - theta * values[0][1])
    if scale is Scale.RELATIVE:
        size = abs(raw[0])
        units = [units[0] / size + (raw[1] - raw[0]) / raw[0] / size * linear[0][0], units[1] / size]
        difference /= size
    return difference, sum(np.var(each, ddof=1) / len(each) for each in units)


@pytest.mark.parametrize("kind", [Kind.MEAN, Kind.RATIO])
@pytest.mark.parametrize("cuped", [False, True])
@pytest.mark.parametrize("scale", [Scale.ABSOLUTE, Scale.RELATIVE])
@given(ROWS, ROWS)
def test_effects_from_sums_are_those_from_rows(
    kind: Kind,
    cuped: bool,
    scale: Scale,
    one: list[tuple[int, int, int, int]],
    two: list[tuple[int, int, int, int]],
) -> None:
    measure = Measure(kind=kind, cuped=cuped)
    control, treatment = table(one), table(two)
    found = contrast(sums(control), sums(treatment), measure, scale)
    assume(isinstance(found, Contrast) and "no_past" not in found.notes)
    assert isinstance(found, Contrast)
    value, variance = slow(control, treatment, measure, scale)
    assert found.value == pytest.approx(value, rel=1e-8, abs=1e-9)
    assert found.variance == pytest.approx(variance, rel=1e-6, abs=1e-9)


def test_the_fixed_test_is_scipys_welch() -> None:
    random = np.random.default_rng(3)
    one, two = random.integers(0, 90, 300), random.integers(0, 100, 400)
    found = compare(of_columns(one), of_columns(two), Measure(), Plan(method=Method.FIXED))
    theirs = stats.ttest_ind(two, one, equal_var=False)
    interval = theirs.confidence_interval()
    assert isinstance(found, Estimate)
    assert [found.p, found.low, found.high] == pytest.approx(
        [theirs.pvalue, interval.low, interval.high], rel=1e-11
    )


def test_the_delta_methods_errors_are_those_that_samples_show() -> None:
    """Ratios with a past, relative: 2,000 experiments of 400 units."""
    random = np.random.default_rng(11)
    runs, n = 2_000, 400
    zs = []
    measure = Measure(kind=Kind.RATIO)
    taste = random.gamma(4.0, 1.0, (runs, n))
    d, e = random.poisson(5, (runs, n)) + 1, random.poisson(5, (runs, n)) + 1
    y, x = random.poisson(taste * d), random.poisson(taste * e)
    for run in range(runs):
        rows = np.stack([y[run], d[run], x[run], e[run]], axis=1)
        found = contrast(sums(rows[: n // 2]), sums(rows[n // 2 :]), measure, Scale.RELATIVE)
        assert isinstance(found, Contrast)
        zs.append(found.value / math.sqrt(found.variance))
    assert np.std(zs) == pytest.approx(1.0, abs=0.05)
    assert abs(np.mean(zs)) < 0.06


def test_cuped_takes_away_the_variance_that_the_past_explains() -> None:
    random = np.random.default_rng(5)
    taste = random.normal(0, 300, 20_000)
    x = np.rint(taste + random.normal(0, 150, 20_000)).astype(np.int64)
    y = np.rint(taste + random.normal(0, 150, 20_000)).astype(np.int64)
    arms = [of_columns(y[half], x=x[half]) for half in (slice(0, 10_000), slice(10_000, None))]
    plain, adjusted = (contrast(*arms, Measure(cuped=cuped)) for cuped in (False, True))
    assert isinstance(plain, Contrast)
    assert isinstance(adjusted, Contrast)
    assert adjusted.reduction == pytest.approx(1 - adjusted.variance / plain.variance)
    assert adjusted.reduction == pytest.approx(0.64, abs=0.02)
    assert plain.reduction is None
    without_past = contrast(
        *(of_columns(y[half]) for half in (slice(0, 10_000), slice(10_000, None))), Measure()
    )
    assert without_past == plain._replace(notes=("no_past",))


def counted(n: int, y: int) -> Sums:
    return Sums(n=n, y=y, yy=y)


@pytest.mark.parametrize(
    ("control", "treatment", "measure", "scale", "code"),
    [
        (counted(149, 50), counted(500, 50), Measure(), Scale.ABSOLUTE, Code.TOO_FEW_UNITS),
        (Sums(), Sums(), Measure(), Scale.ABSOLUTE, Code.TOO_FEW_UNITS),
        (counted(500, 0), counted(500, 50), Measure(), Scale.ABSOLUTE, Code.ZERO_VARIANCE),
        (counted(500, 500), counted(500, 50), Measure(), Scale.ABSOLUTE, Code.ZERO_VARIANCE),
        (counted(500, 5),
        counted(500, 4), Measure(kind=Kind.PROPORTION), Scale.ABSOLUTE, Code.TOO_FEW_CONVERSIONS),
        (counted(500, 497),
        counted(500, 498), Measure(kind=Kind.PROPORTION), Scale.ABSOLUTE, Code.TOO_FEW_CONVERSIONS),
        (counted(500, 50), counted(500, 50), Measure(kind=Kind.RATIO), Scale.ABSOLUTE, Code.ZERO_DENOMINATOR),
        (Sums(n=500, y=0, yy=90), counted(500, 50), Measure(), Scale.RELATIVE, Code.ZERO_DENOMINATOR),
        (Sums(n=500, y=10, yy=900), counted(500, 50), Measure(), Scale.RELATIVE, Code.UNSTABLE_DENOMINATOR),
        (Sums(n=500, y=-400, yy=900), counted(500, 50), Measure(), Scale.LOG_RATIO, Code.NOT_POSITIVE),
        (Sums(n=500, y=400, yy=100), counted(500, 50), Measure(), Scale.ABSOLUTE, Code.INCONSISTENT_SUMS),
        (Sums(n=500, y=10**170, yy=10**339), counted(500, 50), Measure(), Scale.ABSOLUTE, Code.OVERFLOW),
        (
            Sums(n=500, y=50, yy=50, d=3, dd=9),
            Sums(n=500, y=50, yy=50, d=900, dd=3_000),
            Measure(kind=Kind.RATIO),
            Scale.ABSOLUTE,
            Code.UNSTABLE_DENOMINATOR,
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_refused_with_its_reason(
    control: Sums, treatment: Sums, measure: Measure, scale: Scale, code: Code
) -> None:
    for method in (Method.FIXED, Method.SEQUENTIAL, Method.HYBRID, Method.BAYESIAN):
        found = compare(control, treatment, measure, Plan(method=method, scale=scale))
        assert isinstance(found, Refusal)
        assert found.code is code
        assert found.why.endswith(".")


def test_an_outcome_that_the_past_explains_entirely_has_no_error_to_speak_of() -> None:
    values = np.arange(1_000)
    found = contrast(of_columns(values, x=values), of_columns(values + 1, x=values), Measure())
    assert isinstance(found, Refusal)
    assert found.code is Code.ZERO_VARIANCE


COLUMN = st.lists(st.integers(-(10**14), 10**14), min_size=2, max_size=6)


@given(COLUMN, COLUMN, st.sampled_from(Kind), st.sampled_from(Scale), st.sampled_from(Method), st.booleans())
def test_nothing_is_ever_nan_or_endless(
    one: list[int], two: list[int], kind: Kind, scale: Scale, method: Method, past: bool
) -> None:
    arms = []
    for values in (one, two):
        column = np.array(values)
        arms.append(
            of_columns(column, column[::-1].copy(), column if past else None, column if past else None)
        )
    plan = Plan(method=method, scale=scale, fewest=2, looks=(0.5, 1.0))
    found = compare(*arms, Measure(kind=kind), plan)
    if isinstance(found, Estimate):
        figures = [
            found.value,
            found.low,
            found.high,
            found.p,
            found.error,
            found.reduction,
            found.chance_to_win,
        ]
        assert all(figure is None or math.isfinite(figure) for figure in figures)


def test_the_level_of_one_arm_is_its_mean_with_its_error() -> None:
    values = np.random.default_rng(1).integers(0, 50, 400)
    found = level(of_columns(values), Measure())
    assert isinstance(found, Contrast)
    assert found.value == pytest.approx(values.mean())
    assert math.sqrt(found.variance) == pytest.approx(stats.sem(values))
    assert level(counted(100, 0), Measure()) == Refusal(
        Code.ZERO_VARIANCE, "All units of an arm have the same value, so its error is not known.", (100,)
    )
