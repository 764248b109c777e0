"""What reward an action can expect, fitted without the rows that it is asked about.

An estimator with a model is only unbiased if the model has not seen the row (Chernozhukov and others 2018),
so rows are dealt into folds, a person's all into one, and each fold is predicted by a model of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from heedful.experiments.assignment.hashing import bucket
from heedful.experiments.off_policy.logs import Floats, Integers

Fit: TypeAlias = Callable[[Integers], Callable[[Integers], Floats]]
"""From the rows to learn from to a function from rows (m,) to float64 (m, K), the reward of each action."""


def folds(units: Integers, count: int, seed: int) -> Integers:
    """int64, as long as `units`: the fold of each row, 0 to count - 1; all rows of a unit have one."""
    names, place = np.unique(units, return_inverse=True)
    lots = [bucket(f"folds:{seed}", str(name), 3) or 0.0 for name in names.tolist()]
    return np.array([int(lot * count) for lot in lots], np.int64)[place]


def cross_fitted(fold: Integers, fit: Fit) -> Floats:
    """float64 (n, K): every row predicted by a model of the other folds. fold: int64 (n,), of `folds`."""
    predicted: Floats | None = None
    for each in np.unique(fold).tolist():
        rows = np.flatnonzero(fold == each)
        found = fit(np.flatnonzero(fold != each))(rows)
        if predicted is None:
            predicted = np.zeros((len(fold), found.shape[1]))
        predicted[rows] = found
    if predicted is None:
        raise ValueError("there are no rows to predict")
    return predicted


def action_means(
    action: Integers, reward: Floats, actions: int, weight: Floats | None = None, prior: float = 10.0
) -> Fit:
    """A fit of the mean reward of each of `actions`, drawn to the mean of all by `prior` rows of it.

    weight: float64 (n,), what each row counts, as `robust_weights`.
    """

    def fit(rows: Integers) -> Callable[[Integers], Floats]:
        w = np.ones(len(rows)) if weight is None else weight[rows]
        total = np.bincount(action[rows], weights=w, minlength=actions)
        sums = np.bincount(action[rows], weights=w * reward[rows], minlength=actions)
        overall = sums.sum() / total.sum() if total.sum() > 0 else 0.0
        means = (sums + prior * overall) / (total + prior)
        return lambda asked: np.broadcast_to(means, (len(asked), actions)).copy()

    return fit


def robust_weights(target: Floats, propensity: Floats) -> Floats:
    """What a row counts when the model is fitted for the least spread of DR: target (1 - p) / p^2.

    MRDR: Farajtabar, Chow, Ghavamzadeh, ICML 2018.
    """
    return target * (1.0 - propensity) / propensity**2
