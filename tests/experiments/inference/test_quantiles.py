"""Sketches add up exactly, and quantiles from them have the errors that samples show."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.experiments.inference.answers import Code, Estimate, Method, Refusal, Scale
from heedful.experiments.inference.contrasts import Contrast
from heedful.experiments.inference.methods import judged
from heedful.experiments.inference.plans import Plan
from heedful.experiments.inference.quantiles import Quantile, quantile, quantile_contrast
from heedful.experiments.inference.sketch import Sketch, bucket_of, of_column, of_unit, span_of
from heedful.experiments.inference.winsor import Cap, cap_of

VALUES = st.integers(-(1 << 50), 1 << 50)
UNITS = st.lists(st.lists(VALUES, max_size=5), max_size=8)


def added(units: list[list[int]]) -> Sketch:
    total = Sketch()
    for unit in units:
        total = total.plus(of_unit(unit))
    return total


@given(VALUES, VALUES)
def test_buckets_keep_order_and_are_narrow(one: int, other: int) -> None:
    low, high = span_of(bucket_of(one))
    assert low <= one <= high
    assert high - low <= abs(one) / 128
    assert (one <= other) or bucket_of(one) >= bucket_of(other)


@given(UNITS, UNITS)
def test_sketches_add_and_take_back_exactly(one: list[list[int]], two: list[list[int]]) -> None:
    a, b = added(one), added(two)
    assert a.plus(b) == b.plus(a) == added([*one, *two])
    assert a.plus(b).minus(b) == a
    assert a.minus(a) == Sketch()


@given(st.lists(VALUES, max_size=30))
def test_a_column_is_its_units(values: list[int]) -> None:
    assert of_column(np.array(values, dtype=np.int64)) == added([[value] for value in values])


@given(st.lists(st.lists(st.integers(0, 200), max_size=6), min_size=3, max_size=12), st.integers(0, 200))
def test_the_sums_give_every_share_its_clustered_variance(units: list[list[int]], threshold: int) -> None:
    """Slow twin: the delta method over units for the share of events at or below a value."""
    sketch = added(units)
    below = [sum(value <= threshold for value in unit) for unit in units]
    entries = [entry for bucket, entry in sketch.buckets.items() if span_of(bucket)[0] <= threshold]
    assert sum(entry[0] for entry in entries) == sum(below)
    assert sum(entry[1] for entry in entries) == sum(count * count for count in below)
    assert sum(entry[2] for entry in entries) == sum(
        c * len(unit) for c, unit in zip(below, units, strict=True)
    )


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_quantile_is_near_that_of_the_values(share: float) -> None:
    values = np.random.default_rng(1).lognormal(10, 1, 50_000).astype(np.int64)
    found = quantile(of_column(values), share, scale=10)
    assert isinstance(found, Quantile)
    assert found.value == pytest.approx(np.quantile(values, share) / 10, rel=0.004)


@pytest.mark.parametrize(("clustered", "share"), [(False, 0.5), (False, 0.95), (True, 0.5), (True, 0.9)])
def test_a_quantiles_error_is_the_one_that_samples_show(clustered: bool, share: float) -> None:
    random = np.random.default_rng(9)
    found = []
    for _ in range(120):
        if clustered:
            sizes, tastes = random.integers(1, 12, 250), random.normal(0, 1, 250)
            sketch = added([
                np.exp(8 + taste + random.normal(0, 0.5, size)).astype(int).tolist()
                for size, taste in zip(sizes, tastes, strict=True)
            ])  # fmt: skip
        else:
            sketch = of_column(random.lognormal(8, 1, 2_000).astype(np.int64))
        each = quantile(sketch, share)
        assert isinstance(each, Quantile)
        found.append(each)
    shown = np.std([each.value for each in found])
    assert np.mean([math.sqrt(each.variance) for each in found]) == pytest.approx(shown, rel=0.25)


def test_an_effect_on_a_median_is_found_and_written_on_both_scales() -> None:
    random = np.random.default_rng(3)
    one, two = (of_column(random.lognormal(mean, 1, 20_000).astype(np.int64)) for mean in (8.0, 8.1))
    for scale, truth in (
        (Scale.ABSOLUTE, math.exp(8.1) - math.exp(8.0)),
        (Scale.RELATIVE, math.exp(0.1) - 1),
    ):
        effect = quantile_contrast(one, two, 0.5, scale=scale)
        found = judged(effect, Plan(method=Method.FIXED))
        assert isinstance(found, Estimate)
        assert found.low is not None and found.high is not None
        assert 0 < found.low < truth < found.high


def test_quantiles_that_cannot_be_known_are_refused() -> None:
    few, same = of_column(np.arange(300)), of_column(np.full(10_000, 7))
    cases = [
        (few, 0.995, Code.TOO_FEW_UNITS),
        (Sketch(), 0.5, Code.TOO_FEW_UNITS),
        (same, 0.5, Code.ZERO_VARIANCE),
    ]
    one_eager = added([list(range(10_000)), *([value] for value in range(0, 10_000, 500))])
    cases.append((one_eager, 0.5, Code.TOO_FEW_UNITS))
    for sketch, share, code in cases:
        found = quantile(sketch, share)
        assert isinstance(found, Refusal)
        assert found.code is code
    around_zero = of_column(np.random.default_rng(1).integers(-100, 101, 2_000))
    refused = quantile_contrast(around_zero, around_zero, 0.5, scale=Scale.RELATIVE)
    assert isinstance(refused, Refusal)
    assert refused.code in {Code.ZERO_DENOMINATOR, Code.UNSTABLE_DENOMINATOR}
    assert isinstance(quantile_contrast(few, few, 0.5), Contrast)


def test_a_quantile_in_the_last_bucket_takes_units_events_as_alike() -> None:
    units = [[0, 0, 9, 9, 9, 9]] * 40 + [[0] * 3] * 40
    found = quantile(added(units), 0.61)
    assert isinstance(found, Quantile)
    even = math.sqrt(0.61 * 0.39 / 360)  # as if events were alone: then the lower rank is among the nines
    alike = math.sqrt(0.61 * 0.39 * (40 * 36 + 40 * 9)) / 360
    assert (0.61 - 1.96 * alike) * 360 < 200 < (0.61 - 1.96 * even) * 360
    assert found.variance == pytest.approx((9 / (2 * 1.959964)) ** 2)
    with pytest.raises(ValueError, match="share"):
        quantile(added(units), 1.0)
    with pytest.raises(ValueError, match="relative"):
        quantile_contrast(added(units), added(units), 0.5, scale=Scale.LOG_RATIO)


def test_a_cap_is_fixed_from_the_past_and_cuts_only_what_is_beyond() -> None:
    past = np.random.default_rng(6).pareto(1.5, 100_000) * 1_000
    sketch = of_column(past.astype(np.int64))
    cap = cap_of(sketch)
    assert isinstance(cap, Cap)
    assert cap.high == pytest.approx(np.quantile(past, 0.999), rel=0.01)
    values = np.array([0, 5, cap.high, 10**9, 10**12])
    assert (
        cap.of_column(values).tolist()
        == [cap.of(int(value)) for value in values]
        == [0, 5, cap.high, cap.high, cap.high]
    )
    assert Cap().of_column(values) is values
    assert Cap(low=-5, high=5).of(-9) == -5
    for refused, code in ((cap_of(of_column(np.arange(10))), Code.TOO_FEW_UNITS),
                          (cap_of(of_column(np.zeros(5_000, dtype=np.int64))), Code.ZERO_VARIANCE)):  # fmt: skip
        assert isinstance(refused, Refusal)
        assert refused.code is code
