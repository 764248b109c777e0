"""Reads the text that LightGBM writes of a model, so that serving needs no LightGBM.

The format is LightGBM's own, version v4 (`Booster.model_to_string`; src/io/tree.cpp, `Tree::ToString`). Only
what our fits make is taken: one tree a round, numeric splits, constant leaves, sums and not averages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.vocabulary.errors import Invalid

_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_ZERO_MISSING, _NAN_MISSING = 1, 2
_ZERO = float(np.float32(1e-35))
"""LightGBM reads a value that is no further from 0 than this as 0 (include/LightGBM/meta.h, `kZeroThreshold`)."""


class Tree(NamedTuple):
    """One tree of s splits and s + 1 leaves. A child is the number of a split, or ~leaf.

    feature: int32 (s,). threshold: float64 (s,); a value at most that goes left. nan_right: bool (s,), where
    a missing value goes. left, right: int32 (s,). gain: float64 (s,), what the split earned in fitting.
    leaf: float64 (s + 1,). rows: int64 (s + 1,), how many rows of the examples came to each leaf.
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    nan_right: NDArray[np.bool_]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    gain: NDArray[np.float64]
    leaf: NDArray[np.float64]
    rows: NDArray[np.int64]


def read(text: str) -> tuple[tuple[str, ...], list[Tree]]:
    """The names of the features, and the trees in their order. Raises Invalid for what we do not score."""
    head, *blocks = text.split("\nTree=")
    facts = _facts(head)
    if facts.get("version") != "v4" or facts.get("num_tree_per_iteration") != "1":
        raise _unsupported("it is not a LightGBM model of version v4 with one tree a round")
    if "average_output" in head.splitlines():
        raise _unsupported("it averages its trees")
    names = tuple(facts.get("feature_names", "").split(" "))
    return names, [_tree(_facts(block.split("\n\n", 1)[0])) for block in blocks]


def _tree(facts: Mapping[str, str]) -> Tree:
    if facts.get("num_cat", "0") != "0" or facts.get("is_linear", "0") != "0":
        raise _unsupported("it has categorical splits or linear leaves")
    leaves = int(facts["num_leaves"])
    splits = leaves - 1
    kind = _numbers(facts, "decision_type", np.int64, splits)
    threshold = _around_zero(_numbers(facts, "threshold", np.float64, splits))
    missing = kind >> 2 & 3
    if np.any(missing == _ZERO_MISSING) or np.any(kind & _CATEGORICAL):
        raise _unsupported("it takes zero for a missing value")
    # Where a feature had no missing value, LightGBM reads one as zero (include/LightGBM/tree.h,
    # `NumericalDecision`); elsewhere it has learned a side.
    nan_right = np.where(missing == _NAN_MISSING, kind & _DEFAULT_LEFT == 0, threshold < 0.0)
    rows = _numbers(facts, "leaf_count", np.int64, leaves) if splits else np.ones(1, dtype=np.int64)
    return Tree(
        feature=_numbers(facts, "split_feature", np.int32, splits),
        threshold=threshold,
        nan_right=nan_right,
        left=_numbers(facts, "left_child", np.int32, splits),
        right=_numbers(facts, "right_child", np.int32, splits),
        gain=_numbers(facts, "split_gain", np.float64, splits),
        leaf=_numbers(facts, "leaf_value", np.float64, leaves),
        rows=rows,
    )


def _around_zero(threshold: NDArray[np.float64]) -> NDArray[np.float64]:
    """The thresholds, those within _ZERO moved out to its ends, so that what counts as 0 goes where 0 goes."""
    inside = np.abs(threshold) <= _ZERO
    return np.where(inside, np.where(threshold < 0.0, np.nextafter(-_ZERO, -np.inf), _ZERO), threshold)


def _facts(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _numbers(facts: Mapping[str, str], name: str, kind: Any, count: int) -> NDArray[Any]:
    words: Sequence[str] = facts.get(name, "").split()
    if len(words) != count:
        raise _unsupported(f"{name} has {len(words)} numbers where {count} belong")
    return np.array(words, dtype=np.float64 if kind is np.float64 else np.int64).astype(kind)


def _unsupported(why: str) -> Invalid:
    return Invalid("model_unsupported", f"this model cannot be scored: {why}")
