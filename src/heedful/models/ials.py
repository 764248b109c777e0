"""Long-term taste for large catalogues: implicit-feedback factors, fitted by alternating least squares.

After Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008, in the form and
with the scaled regularisation of Rendle, Krichene, Zhang and Koren, "Revisiting the Performance of iALS on Item
Recommendation Benchmarks", RecSys 2022. A person S with weights c and vector u, items V, G = V'V:

    u = (unobserved G + sum of c v v' over S + reg I)^-1 (sum of c v over S)
    reg = ridge * (sum of c + unobserved * items) ^ power

The same with people and items exchanged fits the items. Folding a person in is that one equation. Scoring every
item of a large catalogue would take milliseconds, so an answer scores only what is related to the newest of the
person's items: for every item the 50 of largest inner product are kept with the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.models.related import (
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
from heedful.vocabulary.errors import Corrupt

RELATED = 50
"""Items kept per item."""
NEWEST = 24
"""Of so many of a person's items, the newest, the related ones are scored."""
_BLOCK = 256


class Settings(NamedTuple):
    """Of a fit. factors: dimensions, at least 1. unobserved: weight of what was not touched. ridge: above 0.

    power: how regularisation grows with how much was touched. sweeps: over people and items, at least 1.
    """

    factors: int = 32
    unobserved: float = 0.1
    ridge: float = 0.03
    power: float = 1.0
    sweeps: int = 12


class Ials:
    """Fitted factors. Not for two threads at once. keys: uint64 (n,). vectors: float32 (n, factors)."""

    name = "ials"

    def __init__(
        self,
        keys: NDArray[np.uint64],
        vectors: Matrix,
        related: Related,
        scale: NDArray[np.float64],
        items: Items,
    ) -> None:
        self.keys, self.vectors, self.related, self.scale = keys, vectors, related, scale
        self._bound, self._sums = Bound(keys, items), Sums(len(keys))
        factors = vectors.shape[1]
        self._gram = (scale[0] * (vectors.T @ vectors)).astype(np.float32)
        self._left, self._person = (
            np.zeros((factors, factors), dtype=np.float32),
            np.zeros(factors, np.float32),
        )

    @classmethod
    def fit(cls, sample: Sample, items: Items, settings: Settings | None = None, *, seed: int = 0) -> Ials:
        """Fit to `sample`; the same sample, settings and seed give the same factors on the same machine."""
        how = settings or Settings()
        n, people = len(sample.keys), len(sample.starts) - 1
        chance = np.random.default_rng(seed)
        scatter = 0.1 / np.sqrt(how.factors)
        vectors: Matrix = (scatter * chance.standard_normal((n, how.factors))).astype(np.float32)
        persons: Matrix = np.zeros((people, how.factors), dtype=np.float32)
        starts, holders = _turned(sample, n)
        for _ in range(how.sweeps if n and people else 0):
            _sweep(sample.starts, sample.items, vectors, persons, *_terms(how, vectors))
            _sweep(starts, holders, persons, vectors, *_terms(how, persons))
        parts = []
        for start in range(0, n, _BLOCK):
            block = vectors[start : start + _BLOCK] @ vectors.T
            block[np.arange(len(block)), np.arange(start, start + len(block))] = 0.0
            parts.append(strongest(block, RELATED))
        scale = np.array([how.unobserved, how.ridge, how.power], dtype=np.float64)
        return cls(sample.keys, vectors, gathered(parts), scale, items)

    def propose(self, items: NDArray[np.int32], weights: NDArray[np.float64], limit: int) -> Proposal:
        """The best `limit` items for someone with dense `items`, distinct, newest first.

        weights: above 0, they count relative to the largest. Views that the next call overwrites.
        """
        if not len(items):
            return Proposal(items, weights, items)
        sums, bound = self._sums, self._bound
        sums.widen(limit)
        size = _propose(
            self.related, self.vectors, self._gram, self.scale, self._left, self._person, bound.place, bound.dense,
            self.keys, items, weights / weights.max(), sums.score, sums.most, sums.who, sums.seen, sums.best,
            sums.points, sums.because, limit,
        )  # fmt: skip
        return Proposal(sums.best[:size], sums.points[:size], sums.because[:size])

    def folded(self, items: NDArray[np.int32], weights: NDArray[np.float64]) -> NDArray[np.float32]:
        """The person's vector, float32 (factors,): a copy."""
        _fold_in(
            self.vectors, self._gram, self.scale, self._left, self._person, self._bound.place, items, weights
        )
        return self._person.copy()

    def state(self) -> dict[str, NDArray[Any]]:
        """keys uint64 (n,), vectors float32 (n, factors), scale float64 (3,), starts, columns, values."""
        return {"keys": self.keys, "vectors": self.vectors, "scale": self.scale, **self.related._asdict()}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]], items: Items) -> Ials:
        """The model that gave `state`. Raises Corrupt if an array is missing or misshapen."""
        keys, vectors = column(state, "keys", np.uint64), column(state, "vectors", np.float32, 2)
        scale = column(state, "scale", np.float64)
        if len(vectors) != len(keys) or vectors.shape[1] < 1 or len(scale) != 3:
            raise Corrupt("a fitted model's factors do not fit its items")
        return cls(keys, vectors, related_of(state, len(keys)), scale, items)


def _terms(how: Settings, others: Matrix) -> tuple[Matrix, float, float, float]:
    """What every equation of a sweep shares: the Gram matrix, the weight of nothing, the ridge and its power."""
    gram = (how.unobserved * (others.T @ others)).astype(np.float32)
    return gram, how.unobserved * len(others), how.ridge, how.power


def _turned(sample: Sample, items: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Where each item's people begin, and the people."""
    order = np.argsort(sample.items, kind="stable")
    persons = np.repeat(np.arange(len(sample.starts) - 1, dtype=np.int32), np.diff(sample.starts))
    starts = np.concatenate(
        (np.zeros(1, dtype=np.int64), np.cumsum(np.bincount(sample.items, minlength=items)))
    )
    return starts, persons[order]


@compiled
def _sweep(
    starts: Column, places: Column, others: Matrix, mine: Matrix, gram: Matrix, nothing: float, ridge: float,
    power: float,
) -> None:  # fmt: skip
    """Solve every row of `mine` anew for the rows of `others` that it is with."""
    left = np.zeros(gram.shape, dtype=np.float32)
    for one in range(len(mine)):
        left[:] = gram
        mine[one] = 0
        for entry in range(starts[one], starts[one + 1]):
            _observe(left, mine[one], others[places[entry]], np.float32(1))
        reg = np.float32(ridge * (starts[one + 1] - starts[one] + nothing) ** power)
        for d in range(len(left)):
            left[d, d] += reg
        _solve(left, mine[one])


@compiled
def _observe(left: Matrix, right: Column, vector: Column, weight: np.float32) -> None:
    """Add weight * vector vector' to the upper half of `left` and weight * vector to `right`."""
    for i in range(len(vector)):
        scaled = weight * vector[i]
        right[i] += scaled
        for j in range(i, len(vector)):
            left[i, j] += scaled * vector[j]


@compiled
def _solve(left: Matrix, right: Column) -> None:
    """Solve left x = right in place, by Cholesky, from the upper half of `left`, which is overwritten.

    Rows are updated from the left to the right, so that the inner loops run along memory.
    """
    n = len(right)
    for k in range(n):
        root = np.sqrt(left[k, k])
        for j in range(k, n):
            left[k, j] /= root
        for i in range(k + 1, n):
            factor = left[k, i]
            for j in range(i, n):
                left[i, j] -= factor * left[k, j]
        right[k] /= root
        for j in range(k + 1, n):
            right[j] -= left[k, j] * right[k]
    for k in range(n - 1, -1, -1):
        total = right[k]
        for j in range(k + 1, n):
            total -= left[k, j] * right[j]
        right[k] = total / left[k, k]


@compiled
def _fold_in(
    vectors: Matrix, gram: Matrix, scale: Column, left: Matrix, person: Column, place: Column, items: Column,
    weights: Column,
) -> None:  # fmt: skip
    left[:] = gram
    person[:] = 0
    total = scale[0] * len(vectors)
    for i in range(len(items)):
        if 0 <= items[i] < len(place) and place[items[i]] >= 0 and weights[i] > 0.0:
            _observe(left, person, vectors[place[items[i]]], np.float32(weights[i]))
            total += weights[i]
    reg = np.float32(scale[1] * total ** scale[2])
    for d in range(len(left)):
        left[d, d] += reg
    _solve(left, person)


@compiled
def _propose(
    related: Related, vectors: Matrix, gram: Matrix, scale: Column, left: Matrix, person: Column, place: Column,
    dense: Column, keys: Column, items: Column, weights: Column, score: Column, most: Column, who: Column,
    seen: Column, best: Column, points: Column, because: Column, limit: int,
) -> int:  # fmt: skip
    _fold_in(vectors, gram, scale, left, person, place, items, weights)
    found = add_rows(related, place, items[:NEWEST], weights[:NEWEST], score, most, who, seen)
    for i in range(found):
        vector, total = vectors[seen[i]], np.float32(0)
        for d in range(len(person)):
            total += person[d] * vector[d]
        score[seen[i]] = total
    return choose(found, seen, score, most, who, dense, keys, best, points, because, limit)
