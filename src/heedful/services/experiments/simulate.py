"""What an experiment would do on one's own log: how often nothing is taken for something, and what would be found.

The units are the people of the log's last days, each from their first event there on, with the figures that they
really had. An A/A run deals them to two arms that differ in nothing and looks at them as they come; so every claim
is false, and the rate of false claims is what a method really does on figures like these, however they are spread.
A look in a real experiment also sees figures that are not whole yet; here they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from heedful.experiments.inference.answers import Code, Estimate, Method, Refusal, Scale
from heedful.experiments.inference.contrasts import Contrast, contrast
from heedful.experiments.inference.methods import judged
from heedful.experiments.inference.plans import Plan
from heedful.experiments.inference.power import detectable, power_of, spread_of, units_needed
from heedful.experiments.inference.sums import NOTHING, Sums, of_columns
from heedful.services.experiments.measures import Goal
from heedful.services.experiments.results import reading_of
from heedful.views.fold import Fold
from heedful.views.history import History
from heedful.views.trial_sums import Change
from heedful.views.trials import Exposure, Trials
from heedful.vocabulary.consent import ANALYTICS
from heedful.vocabulary.time import DAY, Instant, iso
from heedful.vocabulary.trial import Trial

METHODS = (Method.FIXED, Method.SEQUENTIAL)
FEWEST = 300
"""Units without which nothing is said: 150 in an arm."""

Told = Callable[[str, int, int], None]


class FalseClaims(msgspec.Struct, frozen=True, rename="camel"):
    """Shares of the runs. at_end: that claimed an effect at the last look; at_any: at any look."""

    method: Method
    at_end: float
    at_any: float


class Reach(msgspec.Struct, frozen=True, rename="camel"):
    """What an experiment of so many days would find with 80% probability. effect: relative, the least; None where
    nobody comes.

    power: the probability to find the effect that was asked about.
    """

    method: Method
    days: float
    units: int
    effect: float | None
    power: float


class Simulation(msgspec.Struct, frozen=True, rename="camel"):
    """units: people with their figures, from `since` on for `days`. mean: of the metric, a unit. reduction: the
    share of variance that their past explains. needed: units for `effect`, by method."""

    metric: str
    since: str
    days: float
    units: int
    mean: float
    reduction: float | None
    runs: int
    looks: int
    claims: tuple[FalseClaims, ...]
    reach: tuple[Reach, ...]
    effect: float
    needed: dict[str, int | Refusal]


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """What is played. days: of the log, its last. runs: A/A experiments. looks: in each, at equal numbers of
    units. effect: relative, what to find. horizons: days to tell the reach for. seed: the same gives the same
    figures. tuned_for: units, as in `Plan`. Raises ValueError for figures out of range.
    """

    days: float = 28
    runs: int = 500
    looks: int = 10
    seed: int = 7
    alpha: float = 0.05
    effect: float = 0.1
    horizons: tuple[float, ...] = (7, 14, 28)
    tuned_for: float = 5_000

    def __post_init__(self) -> None:
        if not (self.days > 0 and self.runs >= 1 and 1 <= self.looks <= 200 and self.effect > 0):
            raise ValueError("days, runs, looks and effect are above 0, looks at most 200")
        if not self.horizons or min(self.horizons) <= 0:
            raise ValueError("a horizon is above 0 days")


def _nobody(what: str, done: int, total: int) -> None:
    """Tell nobody."""


def simulate(fold: Fold, goal: Goal, design: Design, told: Told = _nobody) -> Simulation | Refusal:
    """Play A/A experiments on the log that `fold` has read, and tell what an experiment on it would find."""
    days, runs, looks, effect = design.days, design.runs, design.looks, design.effect
    since, at, figures = units_of_log(fold, goal, days, told)
    count = len(at)
    if count < FEWEST:
        why = f"{count} people came in these {days:g} days, and {FEWEST} are needed."
        return Refusal(Code.TOO_FEW_UNITS, why, (count,))
    plans = [
        Plan(method=one, scale=Scale.RELATIVE, alpha=design.alpha, tuned_for=design.tuned_for)
        for one in METHODS
    ]
    ends = np.linspace(0, count, looks + 1).astype(np.int64)[1:]
    any_, last = dict.fromkeys(METHODS, 0), dict.fromkeys(METHODS, 0)
    ended: list[Contrast | Refusal] = []
    for run in range(runs):
        treated = np.random.default_rng([design.seed, run]).random(count) < 0.5
        effects = list(_looks(figures, treated, ends, goal))
        for plan in plans:
            claims = [_claims(judged(each, plan)) for each in effects]
            any_[plan.method] += any(claims)
            last[plan.method] += claims[-1]
        ended.append(effects[-1])
        told("A/A runs", run + 1, runs)
    whole = [one for one in ended if isinstance(one, Contrast)]
    if not whole:
        return next(one for one in ended if isinstance(one, Refusal))
    spread = float(np.median([spread_of(one) for one in whole]))
    reach = tuple(
        _reach(plan, horizon, round(count * horizon / days), spread, effect)
        for horizon in design.horizons
        for plan in plans
    )
    y, d = int(figures[:, 0].sum()), int(figures[:, 1].sum())
    return Simulation(
        metric=goal.measure.name, since=iso(since), days=days, units=count,
        mean=y / (d if goal.measure.per else count), reduction=whole[-1].reduction, runs=runs, looks=looks,
        claims=tuple(FalseClaims(one, last[one] / runs, any_[one] / runs) for one in METHODS), reach=reach,
        effect=effect, needed={plan.method.value: units_needed(plan, spread, effect) for plan in plans},
    )  # fmt: skip


def units_of_log(
    fold: Fold, goal: Goal, days: float, told: Told
) -> tuple[Instant, NDArray[np.int64], NDArray[np.int64]]:
    """Since when; and by unit in order of arrival its first time, (n,), and its four figures, (n, 4)."""
    firsts = _arrivals(fold.history, len(fold.subjects), days, told)
    since = min(firsts.values(), default=0)
    trials = Trials(fold.history, fold.outcomes, fold.subjects, fold.kinds)
    trial = Trial("simulated", ("all",), (1,), (goal.measure,), running=True)
    saying = (("simulated", "all"),)
    exposures = [Exposure(n + 1, at, subject, saying) for n, (subject, at) in enumerate(firsts.items())]
    trials.learn(exposures, [Change(since, 1, trial)])
    trials.refresh()
    standing = trials.standing("simulated")
    if standing is None:
        raise AssertionError("a trial that was just defined stands")
    order = np.lexsort((standing.whose[: standing.count], standing.rows.at[: standing.count]))
    return Instant(since), standing.rows.at[order], standing.rows.figures[order, 0]


def _arrivals(history: History, subjects: int, days: float, told: Told) -> dict[int, int]:
    """Dense subject to the time of its first event in the last `days` that there are."""
    times: dict[int, NDArray[np.int64]] = {}
    end = 0
    for subject in range(subjects):
        at = history.rows(subject, ANALYTICS).at
        if len(at):
            times[subject], end = at, max(end, int(at[-1]))
        if subject % 1_000 == 0:
            told("reading people's histories", subject, subjects)
    since = end - int(days * DAY)
    firsts = {}
    for subject, at in times.items():
        place = int(np.searchsorted(at, since, side="right"))
        if place < len(at):
            firsts[subject] = int(at[place])
    return firsts


def _looks(
    figures: NDArray[np.int64], treated: NDArray[np.bool_], ends: NDArray[Any], goal: Goal
) -> Iterator[Contrast | Refusal]:
    """The effect at each look, over all units that came until then."""
    control, treatment, start = NOTHING, NOTHING, 0
    for end in ends:
        part, mask = figures[start:end], treated[start:end]
        control, treatment, start = control.plus(_sums(part[~mask])), treatment.plus(_sums(part[mask])), end
        yield contrast(control, treatment, reading_of(goal.measure), Scale.RELATIVE)


def _sums(figures: NDArray[np.int64]) -> Sums:
    y, d, x, e = figures.T
    return of_columns(y, d, x, e)


def _claims(answer: Estimate | Refusal) -> bool:
    if isinstance(answer, Refusal):
        return False
    return (answer.low is not None and answer.low > 0) or (answer.high is not None and answer.high < 0)


def _reach(plan: Plan, days: float, units: int, spread: float, effect: float) -> Reach:
    least = detectable(plan, spread, units) if units else None
    return Reach(plan.method, days, units, least, power_of(plan, spread, max(units, 1), effect))
