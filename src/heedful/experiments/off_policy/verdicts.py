"""Whether an estimate may be shown at all: gates that look at the weights, and refuse.

An estimator gives a number whatever it is fed. Where few rows carry all the weight the number is noise that
looks like an answer, so that no estimate leaves here without the gates, and a red one makes it a refusal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Literal, TypeAlias

import msgspec
import numpy as np

from heedful.experiments.off_policy.estimators import clipped_ips, dm, dr, ips, snips
from heedful.experiments.off_policy.intervals import (
    bernstein_bound,
    hoeffding_bound,
    standard_error,
    student_quantile,
)
from heedful.experiments.off_policy.logs import Floats, Integers, Logged, checked

FEWEST = 100
"""Effective rows; and at least 1% of all."""
LARGEST_SHARE = 0.05
MOST_OUTSIDE = 1e-6

Code: TypeAlias = Literal["effective_size", "mean_weight", "largest_share", "support", "disagreement"]


class Gate(msgspec.Struct, frozen=True):
    """One look at the log. value: what was found; limit: how far it may go. text: what a red one means."""

    code: Code
    is_red: bool
    value: float
    limit: float
    text: str


class Estimated(msgspec.Struct, frozen=True):
    """One answer: reward per decision, its standard error, and the interval at 1 - alpha."""

    estimator: str
    value: float
    standard_error: float
    low: float
    high: float


class Refusal(msgspec.Struct, frozen=True):
    """No answer, and why."""

    gates: tuple[Gate, ...]

    @property
    def text(self) -> str:
        """What to show instead of a number."""
        return "; ".join(gate.text for gate in self.gates)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What another policy would have earned, if that can be said.

    verdict: the estimate asked for, or why there is none. estimates, gates: all that was looked at, for
    whoever wants to see why; nothing of `estimates` is an answer where the verdict is a refusal. bounds:
    below which the reward is with a chance of at most delta, by name; empty with a refusal. n: rows;
    effective: of equal weight.
    """

    verdict: Estimated | Refusal
    estimates: tuple[Estimated, ...]
    gates: tuple[Gate, ...]
    bounds: Mapping[str, float]
    n: int
    effective: float
    mean_weight: float
    largest_weight: float


def effective_size(w: Floats) -> float:
    """(sum w)^2 / sum w^2: as how many rows of equal weight these count (Kish 1965); 0 where all weights are."""
    squares = float((w * w).sum())
    return float(w.sum()) ** 2 / squares if squares > 0 else 0.0


def estimated(
    name: str,
    terms: Floats,
    units: Integers | None = None,
    alpha: float = 0.05,
) -> Estimated:
    """The estimate that `terms` make, with Student's interval; clustered by `units`."""
    value, error = float(terms.mean()), standard_error(terms, units)
    count = len(terms) if units is None else len(np.unique(units))
    half = student_quantile(1 - alpha / 2, max(count - 1, 1)) * error
    return Estimated(name, value, error, value - half, value + half)


def gates(log: Logged, estimates: tuple[Estimated, ...] = (), alpha: float = 0.05) -> tuple[Gate, ...]:
    """Every gate, red or not. estimates: those that should agree, the model's own not among them."""
    w = log.weights
    n, size = len(w), effective_size(w)
    fewest = max(float(FEWEST), 0.01 * n)
    error, away = standard_error(w, log.units), abs(float(w.mean()) - 1.0)
    share = float(w.max() / w.sum()) if w.sum() > 0 else 1.0
    found = [
        Gate(
            "effective_size", not size >= fewest, size, fewest,
            f"{n} decisions count as {size:.1f}, and {fewest:.0f} are needed: "
            "the logging policy seldom did what this one would",
        ),
        Gate(
            "mean_weight", not away <= 3 * error, away, 3 * error,
            f"the mean weight is {w.mean():.3f} and should be 1: "
            "propensities are wrong, or the policies hardly overlap",
        ),
        Gate(
            "largest_share", not share <= LARGEST_SHARE, share, LARGEST_SHARE,
            f"one decision carries {share:.0%} of all weight",
        ),
    ]  # fmt: skip
    if log.propensities is not None and log.targets is not None:
        outside = float(log.targets[log.propensities <= 0].sum() / n)
        text = f"{outside:.2%} of what this policy would do was never tried"
        found.append(Gate("support", outside > MOST_OUTSIDE, outside, MOST_OUTSIDE, text))
    if len(estimates) > 1:
        found.append(_disagreement(estimates, alpha))
    return tuple(found)


def _disagreement(estimates: tuple[Estimated, ...], alpha: float) -> Gate:
    """Whether two estimates lie further apart than their pooled interval: as if they were independent."""
    z = NormalDist().inv_cdf(1 - alpha / 2)
    worst, pair = 0.0, estimates[:2]
    for place, one in enumerate(estimates):
        for other in estimates[place + 1 :]:
            width = z * math.hypot(one.standard_error, other.standard_error)
            gap = abs(one.value - other.value)
            ratio = gap / width if width > 0 else 0.0 if gap == 0 else math.inf
            if not ratio <= worst:
                worst, pair = ratio, (one, other)
    text = f"{pair[0].estimator} and {pair[1].estimator} disagree by more than chance"
    return Gate("disagreement", not worst <= 1.0, worst, 1.0, text)


def report(
    log: Logged,
    *,
    estimator: Literal["ips", "snips", "dr"] | None = None,
    most_reward: float | None = None,
    most_weight: float = 20.0,
    alpha: float = 0.05,
    delta: float = 0.05,
) -> Report:
    """What the target of `log` would have earned per decision, or why that cannot be said.

    estimator: which is the answer; None: DR with a model, SNIPS without. most_reward: the largest reward there can
    be where none is negative; then Hoeffding's and Bernstein's bounds are given besides Student's, for
    weights that are cut at `most_weight`, which is to be fixed before one looks: cutting only lowers what a
    bound lies below. They need rows of different units. Raises Invalid (`log_invalid`).
    """
    log = checked(log)
    columns = {"ips": ips(log), "snips": snips(log)}
    if log.targets is not None and log.predicted is not None:
        columns["dr"] = dr(log)
    chosen = estimator or ("dr" if "dr" in columns else "snips")
    compared = tuple(estimated(name, terms, log.units, alpha) for name, terms in columns.items())
    looked = gates(log, compared, alpha)
    red = tuple(gate for gate in looked if gate.is_red)
    shown = compared
    if "dr" in columns:
        shown = (*shown, estimated("dm", dm(log), log.units, alpha))
    w = log.weights
    return Report(
        verdict=Refusal(red) if red else next(one for one in compared if one.estimator == chosen),
        estimates=shown,
        gates=looked,
        bounds={} if red else _bounds(log, most_reward, most_weight, delta),
        n=len(w),
        effective=effective_size(w),
        mean_weight=float(w.mean()),
        largest_weight=float(w.max()),
    )


def _bounds(log: Logged, most_reward: float | None, most_weight: float, delta: float) -> dict[str, float]:
    terms = ips(log)
    units = len(terms) if log.units is None else len(np.unique(log.units))
    error = standard_error(terms, log.units)
    found = {"student": float(terms.mean()) - student_quantile(1 - delta, max(units - 1, 1)) * error}
    if most_reward is not None and units == len(terms):
        cut, most = clipped_ips(log, most_weight), most_weight * most_reward
        found["hoeffding"] = hoeffding_bound(cut, most, delta)
        found["bernstein"] = bernstein_bound(cut, most, delta)
    return found
