"""Which leaf each row comes to in each tree, for a hundred rows at once and without a branch per row.

A split rules leaves out: a row that goes right cannot end in a leaf on the left. With the leaves of a tree
numbered from left to right and one bit each, every split that sends the row right clears the bits of its left
leaves, in any order; the lowest bit that is left is the leaf (Lucchese, Nardini, Orlando, Perego, Tonellotto and
Venturini, "QuickScorer: a fast algorithm to rank documents with additive ensembles of regression trees", SIGIR
2015). QuickScorer walks sorted thresholds and stops early, row by row. We look at every split
instead and take the rows of a block side by side, as wide as the processor's registers: more comparisons, no
branch that could be guessed wrongly. docs/decisions/20261123_trees_as_masks.md has the figures.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # it ships no types
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from heedful.views.compiled import compiled

BLOCK = 128
"""Rows that are taken side by side."""

_LANES = 32
"""A block is filled up to a multiple of this, so that no row is left to a slow rest loop."""


class Layout(NamedTuple):
    """A forest as the kernel reads it, for m splits, l leaves and t trees.

    threshold: float32 (m,), the largest that is not above the fitted one, so that comparing a float32 with it
    gives what comparing with the fitted one gives. feature: int32 (m,). mask: uint32 or uint64 (m,), a bit for
    every leaf that is still possible to the right. bounds: int64 (t, 4): where the tree's splits begin that
    send a missing value left, where those begin that send it right, where they end, where its leaves begin.
    leaf: float64 (l,), the trees' leaves from left to right.
    """

    threshold: NDArray[np.float32]
    feature: NDArray[np.int32]
    mask: NDArray[Any]
    bounds: NDArray[np.int64]
    leaf: NDArray[np.float64]


def _lowest_code(_typing: Any, bits: Any) -> Any:
    """The number of the lowest bit that is set; `bits` must not be 0."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        found = builder.cttz(values[0], ir.Constant(ir.IntType(1), 1))
        target = context.get_value_type(signature.return_type)
        return found if found.type == target else builder.zext(found, target)

    return types.int64(bits), generate


_lowest: Any = intrinsic(_lowest_code)


@compiled
def score(
    table: NDArray[np.float32],
    out: NDArray[np.float64],
    threshold: NDArray[np.float32],
    feature: NDArray[np.int32],
    mask: NDArray[Any],
    bounds: NDArray[np.int64],
    leaf: NDArray[np.float64],
    block: NDArray[np.float32],
    masks: NDArray[Any],
) -> None:
    """Write the sum of the leaves that each row of `table` (n, f) comes to into `out` (n,), in the trees' order.

    threshold to leaf: a `Layout`. block: float32 (f, BLOCK) and masks: (BLOCK,) of the masks' type, room to
    work in. A missing value is NaN.
    """
    everything = ~mask.dtype.type(0)
    for start in range(0, table.shape[0], BLOCK):
        rows = min(BLOCK, table.shape[0] - start)
        wide = min(BLOCK, (rows + _LANES - 1) // _LANES * _LANES)
        possible = masks[:wide]
        for row in range(rows):
            for column in range(table.shape[1]):
                block[column, row] = table[start + row, column]
            out[start + row] = 0.0
        for tree in range(bounds.shape[0]):
            possible[:] = everything
            for split in range(bounds[tree, 0], bounds[tree, 1]):
                limit, left_out, values = threshold[split], mask[split], block[feature[split]]
                for lane in range(wide):
                    possible[lane] &= left_out if values[lane] > limit else everything
            for split in range(bounds[tree, 1], bounds[tree, 2]):
                limit, left_out, values = threshold[split], mask[split], block[feature[split]]
                for lane in range(wide):
                    possible[lane] &= everything if values[lane] <= limit else left_out
            first = bounds[tree, 3]
            for row in range(rows):
                out[start + row] += leaf[first + _lowest(possible[row])]
