"""What looking costs: A/A experiments that are looked at thirty times, and how often each method claims an effect.

2,000 experiments, two arms of 250 new units each per look, an exponential outcome in thousandths, no effect. A
false positive is a claim at any look. The fixed test is asked at every look, which is what it is not for, and is
shown so that one sees why the others exist; its coverage is of the last look alone. Widths are against the fixed
interval's. Then the question behind a page of results: 20 metrics of 4 arms, from sums. Run as
`python -m benchmarks.peeking`.
"""

from __future__ import annotations

import argparse
from time import perf_counter

import numpy as np

from benchmarks.table import Row, show
from heedful.experiments.inference.answers import Answer, Estimate, Method, Scale
from heedful.experiments.inference.arms import Measure
from heedful.experiments.inference.contrasts import Contrast, contrast
from heedful.experiments.inference.groups import bounds
from heedful.experiments.inference.methods import judged
from heedful.experiments.inference.plans import Plan, Side, Stage
from heedful.experiments.inference.scorecard import Arm, Metric, scorecard
from heedful.experiments.inference.sums import NOTHING, of_columns

RUNS, LOOKS, UNITS, SEED = 2_000, 30, 250, 20261123
STEPS = 1_000

PLANS = {
    "fixed": Plan(method=Method.FIXED),
    "sequential": Plan(method=Method.SEQUENTIAL),
    "sequential, one-sided": Plan(method=Method.SEQUENTIAL, side=Side.LESS),
    "hybrid": Plan(method=Method.HYBRID),
}
GROUPS = "group sequential"
NAMES = (*PLANS, GROUPS)


class Peeks:
    """claimed, missed: by plan, runs that claimed an effect at some look; whose last interval left out the truth.

    widest, narrowest: the sequential interval's width over the fixed one's, at any look of the first run.
    """

    def __init__(self) -> None:
        self.claimed = dict.fromkeys(NAMES, 0)
        self.missed = dict.fromkeys(NAMES, 0)
        self.widest, self.narrowest = 0.0, float("inf")


def peek(runs: int, looks: int = LOOKS, units: int = UNITS, seed: int = SEED) -> Peeks:
    """Simulate. The same seed gives the same figures."""
    random = np.random.default_rng(seed)
    found = Peeks()
    limits = bounds(tuple((look + 1) / looks for look in range(looks)), 0.05)
    for run in range(runs):
        values = np.rint(random.exponential(STEPS, (looks, 2, units))).astype(np.int64)
        control, treatment = NOTHING, NOTHING
        claimed = set()
        for look in range(looks):
            control = control.plus(of_columns(values[look, 0]))
            treatment = treatment.plus(of_columns(values[look, 1]))
            effect = contrast(control, treatment, Measure(scale=STEPS))
            stage = Stage(finished=look == looks - 1, look=look)
            answers = {name: judged(effect, plan, stage) for name, plan in PLANS.items()}
            claimed |= {name for name, answer in answers.items() if not _holds_zero(answer)}
            assert isinstance(effect, Contrast)
            if (
                abs(effect.value) >= limits[look] * effect.variance**0.5
            ):  # without the p, which takes a search
                claimed.add(GROUPS)
            if run == 0:
                ratio = _width(answers["sequential"]) / _width(answers["fixed"])
                found.widest, found.narrowest = max(found.widest, ratio), min(found.narrowest, ratio)
        for name in NAMES:
            found.claimed[name] += name in claimed
        for name in PLANS:
            found.missed[name] += not _holds_zero(answers[name])
    return found


def _holds_zero(answer: Answer) -> bool:
    assert isinstance(answer, Estimate), answer
    above = answer.low is None or answer.low <= 0
    return above and (answer.high is None or answer.high >= 0)


def _width(answer: Answer) -> float:
    assert isinstance(answer, Estimate), answer
    assert answer.low is not None
    assert answer.high is not None
    return answer.high - answer.low


def a_page(metrics: int = 20, arms: int = 4, units: int = 2_500_000) -> tuple[list[Metric], list[Arm]]:
    """Sums of ten million people in all, with a past, as the view would hand them over."""
    random = np.random.default_rng(SEED)
    asked = [
        Metric(name=f"metric {m}", measure=Measure(scale=100), guardrail=m >= 17) for m in range(metrics)
    ]
    made = []
    for arm in range(arms):
        sums = {}
        for metric in asked:
            sample = np.rint(random.exponential(5_000, (2, 1_000))).astype(np.int64)
            part = of_columns(sample[0], x=sample[0] // 2 + sample[1] // 2)
            sums[metric.name] = type(part)(*(each * (units // 1_000) for each in part))
        made.append(Arm(name=f"arm {arm}", units=units, sums=sums))
    return asked, made


def asking(method: Method, scale: Scale, times: int = 20) -> float:
    """The least time of a whole scorecard, in milliseconds."""
    metrics, arms = a_page()
    plan = Plan(method=method, scale=scale)
    taken = []
    for _ in range(times):
        began = perf_counter()
        scorecard(metrics, arms, plan)
        taken.append(perf_counter() - began)
    return min(taken) * 1_000


def run(runs: int = RUNS) -> list[Row]:
    found = peek(runs)
    goals = {"fixed": "shown beside", "sequential": "≤ 5 %"}
    rows = [
        Row(f"claims at any of {LOOKS} looks, {name}", 100 * count / runs, "%", goals.get(name, ""))
        for name, count in found.claimed.items()
    ]
    rows += [
        Row("coverage of one look, fixed", 100 * (1 - found.missed["fixed"] / runs), "%", "95 ± 3 %"),
        Row("sequential width over fixed, narrowest", found.narrowest, "x", ""),
        Row("sequential width over fixed, widest", found.widest, "x", "≤ 2 x"),
    ]
    rows += [
        Row(f"20 metrics, 4 arms, {method.value}, {scale.value}", asking(method, scale), "ms", "≤ 5 ms")
        for method in (Method.SEQUENTIAL, Method.FIXED)
        for scale in (Scale.ABSOLUTE, Scale.RELATIVE)
    ]
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    show("Peeking", run(parser.parse_args().runs))
