"""A fitted sum of regression trees, scored by our own kernel and kept as plain arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.models import booster, exits
from heedful.models.booster import Tree
from heedful.vocabulary.errors import Corrupt, Invalid

MOST_LEAVES = 64
"""A leaf is a bit of a machine word."""

_KINDS = {
    "feature": np.int32, "threshold": np.float64, "nan_right": np.bool_, "left": np.int32, "right": np.int32,
    "gain": np.float64, "leaf": np.float64, "rows": np.int64, "leaves": np.int64,
}  # fmt: skip


class Forest:
    """Trees over named columns. Not for two threads at once: scoring works in room of its own.

    features: the columns' names, in order. base: the mean score over the examples it was fitted to.
    """

    def __init__(self, features: Sequence[str], trees: Sequence[Tree]) -> None:
        """Raises Corrupt if the trees are not trees over `features`, Invalid if one has over 64 leaves."""
        self.features = tuple(features)
        self._trees = tuple(trees)
        for tree in self._trees:
            _check(tree, len(self.features))
        self._means = tuple(_means(tree) for tree in self._trees)
        self.base = float(sum(mean[0] if len(mean) else tree.leaf[0] for mean, tree in self._rooted()))
        self._layout = _layout(self._trees)
        self._block = np.zeros((len(self.features), exits.BLOCK), dtype=np.float32)
        self._masks = np.zeros(exits.BLOCK, dtype=self._layout.mask.dtype)

    @classmethod
    def parse(cls, text: str, features: Sequence[str] | None = None) -> Forest:
        """The forest that LightGBM's `Booster.model_to_string()` describes, with its own names or `features`.

        Raises Invalid for a model that we do not score: categorical, linear, averaged, or of several classes.
        """
        names, trees = booster.read(text)
        if features is not None and len(features) != len(names):
            raise Invalid("features_differ", f"the model has {len(names)} features, not {len(features)}")
        return cls(features or names, trees)

    def __len__(self) -> int:
        """How many trees there are."""
        return len(self._trees)

    def score(self, table: NDArray[np.float32], out: NDArray[np.float64]) -> None:
        """Write the score of each row of `table`, float32 (n, f) C-contiguous, into `out`, float64 (n,).

        A missing value is NaN. Equals LightGBM's `predict(raw_score=True)`. Raises ValueError for another shape.
        """
        if (
            table.shape != (len(out), len(self.features))
            or table.dtype != np.float32
            or out.dtype != np.float64
            or not table.flags.c_contiguous
            or not out.flags.c_contiguous
        ):
            raise ValueError(
                f"scoring takes float32 (n, {len(self.features)}) into float64 (n,), both contiguous"
            )
        exits.score(table, out, *self._layout, self._block, self._masks)

    def shares(self, row: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each column gave to the score of `row`, float32 (f,): float64 (f,); with `base` it sums to it.

        Path attribution: along the row's path through a tree, the change of the mean score at each split is
        given to the column that was asked (Saabas, "Interpreting random forests", 2014). Columns asked near
        the root get less than their Shapley value; it is exact in the sum, and says what the trees did.
        """
        given = np.zeros(len(self.features))
        for mean, tree in self._rooted():
            node = 0 if len(tree.feature) else ~0
            while node >= 0:
                value = row[tree.feature[node]]
                right = tree.nan_right[node] if np.isnan(value) else value > tree.threshold[node]
                child = int(tree.right[node] if right else tree.left[node])
                given[tree.feature[node]] += (mean[child] if child >= 0 else tree.leaf[~child]) - mean[node]
                node = child
        return given

    def importance(self) -> dict[str, float]:
        """The share of each column in what all splits earned in fitting, in [0, 1]; all 0 without a split."""
        earned = np.zeros(len(self.features))
        for tree in self._trees:
            np.add.at(earned, tree.feature, tree.gain)
        total = float(earned.sum())
        return {
            name: float(gain) / total if total else 0.0
            for name, gain in zip(self.features, earned, strict=True)
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The forest as plain arrays: the trees' columns end to end, and `leaves`, how many each tree has."""
        columns = {
            name: np.concatenate([np.zeros(0, dtype=_KINDS[name]), *(getattr(t, name) for t in self._trees)])
            for name in Tree._fields
        }
        return {**columns, "leaves": np.array([len(tree.leaf) for tree in self._trees], dtype=np.int64)}

    @classmethod
    def of(cls, features: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> Forest:
        """The forest that `arrays` describe. Raises Corrupt if they describe none."""
        for name, kind in _KINDS.items():
            if name not in arrays or arrays[name].dtype != kind or arrays[name].ndim != 1:
                raise Corrupt(f"a forest needs a column {name} of {np.dtype(kind)}")
        leaves = arrays["leaves"]
        if np.any(leaves < 1) or np.any(leaves > MOST_LEAVES):
            raise Corrupt("a forest's tree has no leaves, or too many")
        ends = {"leaf": leaves, "rows": leaves}
        cut = {}
        for name in Tree._fields:
            sizes = ends.get(name, leaves - 1)
            if int(sizes.sum()) != len(arrays[name]):
                raise Corrupt(f"a forest's column {name} does not have the promised length")
            cut[name] = np.split(arrays[name], np.cumsum(sizes)[:-1]) if len(sizes) else []
        return cls(features, [Tree(*columns) for columns in zip(*cut.values(), strict=True)])

    def _rooted(self) -> Iterator[tuple[NDArray[np.float64], Tree]]:
        return zip(self._means, self._trees, strict=True)


def _check(tree: Tree, features: int) -> None:
    """Raises Corrupt unless every number is in range and every child comes after its parent or is a leaf."""
    splits = len(tree.feature)
    if splits + 1 > MOST_LEAVES:
        raise Invalid(
            "model_unsupported", f"a tree has {splits + 1} leaves; at most {MOST_LEAVES} are scored"
        )
    children = np.concatenate([tree.left, tree.right])
    reached = np.sort(np.concatenate([[0], children[children >= 0]])) if splits else np.zeros(0)
    leaves = np.sort(~children[children < 0]) if splits else np.zeros(1)
    later = np.concatenate([tree.left, tree.right]) > np.tile(np.arange(splits), 2)
    if (
        np.any(tree.feature < 0)
        or np.any(tree.feature >= features)
        or not np.array_equal(reached, np.arange(splits))
        or not np.array_equal(leaves, np.arange(splits + 1))
        or not np.all(later | (children < 0))
        or not np.all(np.isfinite(tree.leaf))
        or np.any(np.isnan(tree.threshold))
        or np.any(tree.rows < 0)
    ):
        raise Corrupt("a forest holds a tree that is none")


def _order(tree: Tree) -> list[int]:
    """The leaves from left to right."""
    waiting, order = [0 if len(tree.feature) else ~0], []
    while waiting:
        node = waiting.pop()
        if node < 0:
            order.append(~node)
        else:
            waiting += (int(tree.right[node]), int(tree.left[node]))
    return order


def _means(tree: Tree) -> NDArray[np.float64]:
    """The mean of the leaves under each split, weighted by the examples that came there: float64 (s,)."""
    splits = len(tree.feature)
    total, rows = np.zeros(splits), np.zeros(splits)
    for node in range(splits - 1, -1, -1):
        for child in (int(tree.left[node]), int(tree.right[node])):
            if child >= 0:
                total[node] += total[child]
                rows[node] += rows[child]
            else:
                weight = max(int(tree.rows[~child]), 1)
                total[node] += tree.leaf[~child] * weight
                rows[node] += weight
    return total / np.maximum(rows, 1.0)


def _layout(trees: Sequence[Tree]) -> exits.Layout:
    """The trees as the kernel reads them."""
    word = np.uint32 if all(len(tree.leaf) <= 32 for tree in trees) else np.uint64
    splits = [0, *accumulate(len(tree.feature) for tree in trees)]
    leaves = [0, *accumulate(len(tree.leaf) for tree in trees)]
    bounds = np.zeros((len(trees), 4), dtype=np.int64)
    empty = np.zeros(0)
    thresholds, features, masks = [empty], [np.zeros(0, dtype=np.int32)], [np.zeros(0, dtype=word)]
    orders = [_order(tree) for tree in trees]
    for place, (tree, order) in enumerate(zip(trees, orders, strict=True)):
        sides = np.argsort(tree.nan_right, kind="stable")
        left = int(np.count_nonzero(~tree.nan_right))
        bounds[place] = splits[place], splits[place] + left, splits[place + 1], leaves[place]
        thresholds.append(tree.threshold[sides])
        features.append(tree.feature[sides])
        masks.append(_masks(tree, order, word)[sides])
    return exits.Layout(
        _not_above(np.concatenate(thresholds)),
        np.concatenate(features),
        np.concatenate(masks),
        bounds,
        np.concatenate([empty, *(tree.leaf[order] for tree, order in zip(trees, orders, strict=True))]),
    )


def _masks(tree: Tree, order: Sequence[int], word: Any) -> NDArray[Any]:
    """For each split, a bit for every leaf but those on its left: (s,) of `word`."""
    place = {leaf: bit for bit, leaf in enumerate(order)}
    everything = (1 << np.dtype(word).itemsize * 8) - 1
    under = [0] * len(tree.feature)
    masks = [0] * len(tree.feature)
    for node in range(len(tree.feature) - 1, -1, -1):
        left, right = (
            under[child] if child >= 0 else 1 << place[~child]
            for child in (int(tree.left[node]), int(tree.right[node]))
        )
        under[node] = left | right
        masks[node] = everything & ~left
    return np.array(masks, dtype=word)


def _not_above(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 that is not above each value."""
    with np.errstate(over="ignore"):
        near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)
