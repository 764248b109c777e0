"""Lists of different lengths in two arrays, because targets, categories and histories have no fixed length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Lists = NDArray[np.int32]
"""Answers, shape (n, k), best first, dense item codes; -1 where a list is shorter than k, only at its end."""

NOTHING = -1


class Ragged(NamedTuple):
    """n rows of any length: row i is values[offsets[i]:offsets[i + 1]].

    values: int32 (total,). offsets: int64 (n + 1,), from 0 to total, never falling.
    """

    values: NDArray[np.int32]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Iterable[Sequence[int] | NDArray[np.int32]]) -> Ragged:
        """The rows, each a sequence of codes."""
        arrays = [np.asarray(row, dtype=np.int32) for row in rows]
        offsets = np.zeros(len(arrays) + 1, dtype=np.int64)
        np.cumsum([len(array) for array in arrays], out=offsets[1:])
        return cls(np.concatenate(arrays) if arrays else np.empty(0, dtype=np.int32), offsets)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How long each row is, int64 (n,)."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Which row each value stands in, int64 (total,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.lengths)


def added_up(places: NDArray[np.int64], amounts: Values, n: int) -> Values:
    """The sum of the amounts of each place, float64 (n,). places: (m,) in 0..n - 1."""
    return np.bincount(places, weights=amounts, minlength=n).astype(np.float64, copy=False)


def lists_of(answers: Iterable[Sequence[int] | NDArray[np.int32]], k: int) -> Lists:
    """The first k codes of every answer as one array, filled up with NOTHING."""
    rows = list(answers)
    lists = np.full((len(rows), k), NOTHING, dtype=np.int32)
    for row, answer in zip(lists, rows, strict=True):
        row[: len(answer)] = answer[:k]
    return lists
