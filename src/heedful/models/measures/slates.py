"""What answers look like, whatever came of them: how much of the catalogue, how equal, how varied, how fitting.

Answers are columns: items int32 one after another, and `answer` int64, which answer each is of, ascending.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]

_TOWARDS = 0.01


def discounts(answer: Column) -> NDArray[np.float64]:
    """1 / log2(1 + place) of every item shown, places from 1 within its answer."""
    starts = np.searchsorted(answer, answer)
    discount: NDArray[np.float64] = 1.0 / np.log2(2.0 + np.arange(len(answer)) - starts)
    return discount


def exposure_gini(items: Column, answer: Column, servable: Column) -> float:
    """Inequality of exposure among the items where `servable`, bool by dense item; 0 is equal.

    sum (2i - n - 1) x(i) / (n sum x) over x ascending, i from 1 (Sen 1973).
    """
    exposure = np.bincount(items, discounts(answer), minlength=len(servable))[: len(servable)][servable]
    return gini(exposure)


def gini(values: Column) -> float:
    """The Gini index of values from 0; 0 where they are all 0."""
    x = np.sort(values)
    total, n = float(x.sum()), len(x)
    if total == 0:
        return 0.0
    return float(((2 * np.arange(1, n + 1) - n - 1) * x).sum() / (n * total))


def varied(categories: Column, answer: Column, answers: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Per answer the share of pairs of items whose category differs, and whether it has a pair.

    categories: int per item shown, -1 for none, which leaves the item out.
    """
    known = categories >= 0
    of, kind = answer[known], categories[known]
    n = np.bincount(of, minlength=answers).astype(np.float64)
    _, counts = np.unique(np.column_stack((of, kind)), axis=0, return_counts=True)
    whose = np.unique(np.column_stack((of, kind)), axis=0)[:, 0]
    alike = np.bincount(whose, counts * (counts - 1.0), minlength=answers)
    pairs = n * (n - 1)
    has = pairs > 0
    shares = np.zeros(answers)
    shares[has] = 1.0 - alike[has] / pairs[has]
    return shares, has


def miscalibration(past: Column, shown: Column, weights: Column) -> float:
    """How far the categories shown are from those of the past: KL(p || 0.99 q + 0.01 p), in nats.

    past: the category of each item of the person's past. shown, weights: of each item shown, with its weight.
    Steck, RecSys 2018, equations 4 and 5.
    """
    size = int(max(past.max(), shown.max())) + 1
    p = np.bincount(past, minlength=size) / len(past)
    q = np.bincount(shown, weights, minlength=size) / weights.sum()
    there = p > 0
    mixed = (1 - _TOWARDS) * q[there] + _TOWARDS * p[there]
    return float((p[there] * np.log(p[there] / mixed)).sum())
