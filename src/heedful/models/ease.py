"""Long-term taste for small catalogues: EASE, a linear model of every item from all others.

After Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019: with X the people by items (1 where
a person touched an item), P = (X'X + ridge I)^-1 and B = -P / diag(P) with a zero diagonal, what somebody would
touch is x B. Fitting inverts items by items once; an answer adds up the rows of the person's items, cut to the
200 largest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.models.related import (
    KEPT,
    Bound,
    Matrix,
    Proposal,
    Related,
    Sums,
    add_rows,
    choose,
    column,
    gathered,
    related_of,
    strongest,
)
from heedful.models.sample import Sample
from heedful.views.arena import Column
from heedful.views.compiled import compiled
from heedful.views.dictionary import Items

_EXACT = 4_000
"""Up to this many items the inverse is taken in 64 bits, above it in 32: half the memory, and 400 MB at 10,000."""
_BLOCK = 512


class Ease:
    """A fitted EASE. Not for two threads at once. keys: uint64 (items,), the fitted items."""

    name = "ease"

    def __init__(self, keys: NDArray[np.uint64], related: Related, items: Items) -> None:
        self.keys, self.related = keys, related
        self._bound = Bound(keys, items)
        self._sums = Sums(len(keys))

    @classmethod
    def fit(cls, sample: Sample, items: Items, *, ridge: float = 300.0, kept: int = KEPT) -> Ease:
        """Fit to `sample`. ridge: above 0, the more the fewer people there are per item."""
        n = len(sample.keys)
        gram = np.zeros((n, n), dtype=np.float64 if n <= _EXACT else np.float32)
        _together(sample.starts, sample.items, gram)
        parts = []
        if n:
            gram[np.diag_indices(n)] += ridge
            weights = weights_of(gram)
            for start in range(0, n, _BLOCK):
                parts.append(strongest(weights[start : start + _BLOCK].astype(np.float32), kept))
        return cls(sample.keys, gathered(parts), items)

    def propose(self, items: NDArray[np.int32], weights: NDArray[np.float64], limit: int) -> Proposal:
        """The best `limit` items for someone with dense `items`, distinct, each weighing `weights`, above 0.

        Items of the person are proposed too where their others speak for them. Views that the next call
        overwrites.
        """
        sums, bound = self._sums, self._bound
        sums.widen(limit)
        size = _propose(
            self.related, bound.place, bound.dense, self.keys, items, weights, sums.score, sums.most, sums.who,
            sums.seen, sums.best, sums.points, sums.because, limit,
        )  # fmt: skip
        return Proposal(sums.best[:size], sums.points[:size], sums.because[:size])

    def state(self) -> dict[str, NDArray[Any]]:
        """keys uint64 (items,), starts int64 (items + 1,), columns int32 and values float32."""
        return {"keys": self.keys, **self.related._asdict()}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]], items: Items) -> Ease:
        """The model that gave `state`. Raises Corrupt if an array is missing or misshapen."""
        keys = column(state, "keys", np.uint64)
        return cls(keys, related_of(state, len(keys)), items)


def weights_of(gram: NDArray[Any]) -> Matrix:
    """B of a regularised Gram matrix, shape (n, n): row i is what item i says of the others."""
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights  # type: ignore[no-any-return]  # numpy types a division of Any as Any


@compiled
def _together(starts: Column, items: Column, gram: NDArray[Any]) -> None:
    """Count, for each two items, the people who touched both."""
    for person in range(len(starts) - 1):
        for i in range(starts[person], starts[person + 1]):
            for j in range(starts[person], starts[person + 1]):
                gram[items[i], items[j]] += 1


@compiled
def _propose(
    related: Related, place: Column, dense: Column, keys: Column, items: Column, weights: Column, score: Column,
    most: Column, who: Column, seen: Column, best: Column, points: Column, because: Column, limit: int,
) -> int:  # fmt: skip
    found = add_rows(related, place, items, weights, score, most, who, seen)
    return choose(found, seen, score, most, who, dense, keys, best, points, because, limit)
