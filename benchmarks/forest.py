"""Scoring fitted trees: our kernel beside LightGBM's own call, on one thread and the same float32 table.

The size is the one that is served: 100 candidates, 30 features, 100 trees of 31 leaves. Figures are medians of
interleaved calls, so that both see the same machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Row
from heedful.models.forest import Forest
from heedful.models.linear import Linear

ROWS, FEATURES, TREES, LEAVES = 100, 30, 100, 31
_CALLS = 300


def _examples(rows: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Thirty columns, a tenth of them missing, and a target that needs trees."""
    rng = np.random.default_rng(1)
    table = rng.normal(size=(rows, FEATURES)).astype(np.float32)
    known = table.astype(np.float64)
    table[rng.random(table.shape) < 0.1] = np.nan
    target = known[:, 0] * known[:, 1] + np.sin(3 * known[:, 2]) + known[:, 3:12] @ rng.normal(size=9)
    return table, target


def _fitted(leaves: int) -> Any:
    table, target = _examples(20_000)
    parameters = {"objective": "regression", "num_leaves": leaves, "num_threads": 1, "verbose": -1}
    return lightgbm.train(parameters, lightgbm.Dataset(table, target), TREES)


def _medians(*calls: Callable[[], object]) -> list[float]:
    """Microseconds of each call, taken in turn."""
    for call in calls:
        call()
    taken = np.zeros((_CALLS, len(calls)))
    for turn in range(_CALLS):
        for place, call in enumerate(calls):
            began = time.perf_counter_ns()
            call()
            taken[turn, place] = time.perf_counter_ns() - began
    return [float(median) / 1_000 for median in np.median(taken, axis=0)]


def run() -> list[Row]:
    """The table's rows."""
    table = np.ascontiguousarray(_examples(20_000)[0][:ROWS])
    few = np.ascontiguousarray(table[:20])
    out, out_few = np.zeros(ROWS), np.zeros(20)
    model, large = _fitted(LEAVES), _fitted(64)
    forest, wide = Forest.parse(model.model_to_string()), Forest.parse(large.model_to_string())
    linear = Linear(forest.features, np.ones(FEATURES), np.ones(FEATURES))
    ours, theirs, short, large_ours, sums = _medians(
        lambda: forest.score(table, out),
        lambda: model.predict(table, raw_score=True, num_threads=1),
        lambda: forest.score(few, out_few),
        lambda: wide.score(table, out),
        lambda: linear.score(table, out),
    )
    forest.score(table, out)
    apart = float(np.abs(out - model.predict(table, raw_score=True, num_threads=1)).max())
    return [
        Row("our kernel: 100 rows, 30 features, 100 trees of 31 leaves", ours, "µs", "110"),
        Row("LightGBM's predict on the same", theirs, "µs", ""),
        Row("LightGBM's time over ours", theirs / ours, "times", ">1"),
        Row("largest difference of a score", apart, "", "0.000001"),
        Row("our kernel, 20 rows", short, "µs", ""),
        Row("our kernel, 100 rows, trees of 64 leaves", large_ours, "µs", ""),
        Row("linear ranker, 100 rows", sums, "µs", ""),
    ]
