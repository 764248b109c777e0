"""How sure a figure is: intervals over people, because the questions of one person are not independent.

A figure is a ratio of two sums over people (reciprocal ranks over questions, clicks over impressions). Each
person is one draw, with all their questions. Three methods:

- `ratio`, `difference`: the delta method for a ratio of sums, with one residual per person. A difference is
  paired: both systems answered the same people, so the residuals are subtracted person by person.
  Source: Deng, Knoblich and Lu, "Applying the delta method in metric analytics", KDD 2018, section 3.
- `bootstrap_difference`: people are drawn again with replacement, with both systems' sums together; the
  percentile interval. Makes no assumption of normality. Source: Efron and Tibshirani, 1993, chapter 13.
- `jackknife`: for what is no ratio of sums (coverage, Gini): people are dealt into groups, and the figure is
  computed without each group in turn. Source: the same, chapter 11; Shao and Wu, 1989, for groups.

Where there are too few people to say anything, the answer is a `Refusal` with its reason, and never a number.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.models.metrics.ragged import Values, added_up

FEWEST = 30
"""Below so many people the normal approximation is poor: at 30 a 95% interval of it is 4% too narrow."""

_DRAWN_AT_ONCE = 1 << 22


class Estimate(NamedTuple):
    """A figure with its interval. users, events: how many it was computed from. level: of the interval."""

    value: float
    low: float
    high: float
    users: int
    events: int
    level: float = 0.95


class Refusal(NamedTuple):
    """Why there is no figure."""

    reason: str
    users: int
    events: int


Figure = Estimate | Refusal


class Sums(NamedTuple):
    """One row per person, in order of code. user: int64 (u,). numerator, denominator: float64 (u,).

    events: int64 (u,), how many questions the person's row sums up.
    """

    user: NDArray[np.int64]
    numerator: Values
    denominator: Values
    events: NDArray[np.int64]


def per_user(
    users: NDArray[np.int64] | NDArray[np.int32], values: Values, weights: Values | None = None
) -> Sums:
    """Sum up by person. users: codes (n,). values: float64 (n,); NaN where the metric is not defined, which
    leaves the question out. weights: the denominator's share of each question, 1 if not given.
    """
    defined = ~np.isnan(values)
    user, place = np.unique(users[defined], return_inverse=True)
    share = np.ones(len(place)) if weights is None else weights[defined]
    return Sums(
        user.astype(np.int64),
        added_up(place, values[defined], len(user)),
        added_up(place, share, len(user)),
        np.bincount(place, minlength=len(user)),
    )


def ratio(sums: Sums, *, level: float = 0.95, fewest: int = FEWEST) -> Figure:
    """Sum of numerators over sum of denominators, with the interval of the delta method.

    With R the ratio, r(u) = (numerator(u) - R denominator(u)) / mean denominator is a person's residual, and
    the variance of R is the sum of r(u)^2 / (U (U - 1)) over U people.
    """
    refusal = _too_few(sums, fewest)
    if refusal:
        return refusal
    value, residuals = _linearised(sums)
    return _normal(value, residuals, sums, level)


def difference(first: Sums, second: Sums, *, level: float = 0.95, fewest: int = FEWEST) -> Figure:
    """Ratio of the first minus that of the second, over the same people, with a paired interval.

    Raises ValueError if they are not over the same people.
    """
    _same_people(first, second)
    refusal = _too_few(first, fewest) or _too_few(second, fewest)
    if refusal:
        return refusal
    one, residuals = _linearised(first)
    other, others = _linearised(second)
    return _normal(one - other, residuals - others, first, level)


def bootstrap_difference(
    first: Sums,
    second: Sums,
    *,
    seed: int,
    rounds: int = 2_000,
    level: float = 0.95,
    fewest: int = FEWEST,
) -> Figure:
    """What `difference` answers, with a percentile interval over `rounds` draws of people.

    The same seed gives the same interval. Raises ValueError if they are not over the same people.
    """
    _same_people(first, second)
    refusal = _too_few(first, fewest) or _too_few(second, fewest)
    if refusal:
        return refusal
    columns = np.stack([first.numerator, first.denominator, second.numerator, second.denominator], axis=1)
    people = len(columns)
    random = np.random.Generator(np.random.PCG64(seed))
    differences = np.empty(rounds)
    at_once = max(1, _DRAWN_AT_ONCE // people)
    for start in range(0, rounds, at_once):
        many = min(at_once, rounds - start)
        drawn = random.integers(people, size=(many, people)) + np.arange(many)[:, None] * people
        counts = np.bincount(drawn.reshape(-1), minlength=many * people).reshape(many, people)
        sums = counts @ columns
        with np.errstate(invalid="ignore"):  # a draw of people without a denominator has no ratio
            differences[start : start + many] = sums[:, 0] / sums[:, 1] - sums[:, 2] / sums[:, 3]
    low, high = np.nanquantile(differences, [(1 - level) / 2, (1 + level) / 2])
    value = _linearised(first)[0] - _linearised(second)[0]
    return Estimate(value, float(low), float(high), people, int(first.events.sum()), level)


def jackknife(
    statistic: Callable[[NDArray[np.bool_]], float],
    users: NDArray[np.int64] | NDArray[np.int32],
    *,
    seed: int,
    groups: int = 20,
    level: float = 0.95,
    fewest: int = FEWEST,
) -> Figure:
    """A figure that is no ratio of sums, with an interval from leaving out groups of people.

    statistic: the figure of the questions where the mask (n,) is true. users: codes (n,) of the questions.
    With G groups, the variance is (G - 1) / G times the sum of squared deviations of the G figures from
    their mean. People are dealt into groups by the seed.
    """
    people, place = np.unique(users, return_inverse=True)
    if len(people) < max(fewest, groups):
        return _refused(len(people), len(users), max(fewest, groups))
    dealt = np.arange(len(people)) % groups
    np.random.Generator(np.random.PCG64(seed)).shuffle(dealt)
    group = dealt[place]
    without = np.array([statistic(group != left_out) for left_out in range(groups)])
    error = float(np.sqrt((groups - 1) / groups * ((without - without.mean()) ** 2).sum()))
    value = float(statistic(np.ones(len(users), dtype=np.bool_)))
    reach = normal_quantile(level) * error
    return Estimate(value, value - reach, value + reach, len(people), len(users), level)


def linearised(numerator: NDArray[Any], denominator: NDArray[Any]) -> tuple[float, Values]:
    """Sum over sum, and every person's share in its error, float64 (u,), with mean 0.

    numerator, denominator: an entry a person, (u,); the denominators must not add up to 0.
    """
    value = float(numerator.sum() / denominator.sum())
    return value, (numerator - value * denominator) / denominator.mean()


def reach_of(residuals: Values, level: float = 0.95) -> float:
    """How far the normal interval goes to either side, from one residual a person, float64 (u,)."""
    people = len(residuals)
    return normal_quantile(level) * float(np.sqrt((residuals**2).sum() / (people * max(1, people - 1))))


def _linearised(sums: Sums) -> tuple[float, Values]:
    return linearised(sums.numerator, sums.denominator)


def _normal(value: float, residuals: Values, sums: Sums, level: float) -> Estimate:
    reach = reach_of(residuals, level)
    return Estimate(value, value - reach, value + reach, len(residuals), int(sums.events.sum()), level)


def normal_quantile(level: float) -> float:
    """How many standard errors the interval of `level` goes to either side. Raises ValueError outside (0, 1)."""
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, and must be between 0 and 1")
    return NormalDist().inv_cdf((1 + level) / 2)


def _too_few(sums: Sums, fewest: int) -> Refusal | None:
    people, events = len(sums.user), int(sums.events.sum())
    if people < max(2, fewest):
        return _refused(people, events, max(2, fewest))
    if not sums.denominator.sum() > 0:
        return Refusal("nothing to divide by: the sum of the denominators is 0", people, events)
    return None


def _refused(people: int, events: int, fewest: int) -> Refusal:
    return Refusal(f"not enough data: {people} people, at least {fewest} are needed", people, events)


def _same_people(first: Sums, second: Sums) -> None:
    if not np.array_equal(first.user, second.user):
        raise ValueError("a paired difference needs both systems over the same people")
