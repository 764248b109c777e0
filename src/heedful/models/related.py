"""For every fitted item the items that it speaks for most, as rows of a sparse matrix, and adding rows up.

Fitted models keep keys, not dense numbers, which are those of one process; `Bound` joins the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.arena import Column
from heedful.views.compiled import compiled
from heedful.views.dictionary import Items
from heedful.vocabulary.errors import Corrupt

KEPT = 200
"""At most so many items are kept per row."""

Matrix = NDArray[np.float32]


class Proposal(NamedTuple):
    """The best items, best first, ties by the item's key, shape (n,) each.

    items: int32, dense. scores: float64, above 0. because: int32, dense, the person's item that spoke most for
    each.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.float64]
    because: NDArray[np.int32]


class Related(NamedTuple):
    """Rows of a sparse matrix over n items.

    starts: int64 (n + 1,). columns: int32, places, best first within a row. values: float32, above 0.
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]


def strongest(block: Matrix, kept: int) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """The `kept` largest values above 0 of each row of `block`, shape (rows, n).

    Returns how many there are per row, their columns and their values, largest first, ties to the lower place.
    Which of several equal values fall to the cut is left to numpy.
    """
    kept = min(kept, block.shape[1])
    which = np.argpartition(-block, kept - 1, axis=1)[:, :kept].astype(np.int32)
    values = np.take_along_axis(block, which, axis=1)
    order = np.lexsort((which, -values), axis=1)
    which, values = np.take_along_axis(which, order, axis=1), np.take_along_axis(values, order, axis=1)
    above = values > 0
    return above.sum(axis=1), which[above], values[above].astype(np.float32)


def gathered(
    parts: list[tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]],
) -> Related:
    """Rows from what `strongest` returned, block after block."""
    counts = np.concatenate([np.zeros(1, dtype=np.int64), *(count for count, _, _ in parts)])
    columns = np.concatenate([np.empty(0, dtype=np.int32), *(column for _, column, _ in parts)])
    values = np.concatenate([np.empty(0, dtype=np.float32), *(value for _, _, value in parts)])
    return Related(np.cumsum(counts), columns, values)


class Bound:
    """Which of a process's dense items are which of the fitted ones. Items that came later are none.

    place: int32 by dense item, or -1. dense: int32 by place, or -1 for an item this process has never met.
    """

    def __init__(self, keys: NDArray[np.uint64], items: Items) -> None:
        known = items.keys[: len(items)]
        order = np.argsort(keys, kind="stable")
        spot = np.searchsorted(keys[order], known)
        spot[spot == len(keys)] = 0
        met = keys[order][spot] == known if len(keys) else np.zeros(len(known), dtype=np.bool_)
        self.place = np.full(len(known), -1, dtype=np.int32)
        self.place[met] = order[spot[met]]
        self.dense = np.full(len(keys), -1, dtype=np.int32)
        self.dense[self.place[met]] = np.flatnonzero(met)


class Sums:
    """Room in which rows are added up: float32 sums that are all zero between two questions."""

    def __init__(self, items: int) -> None:
        self.score = np.zeros(items, dtype=np.float32)
        self.most = np.zeros(items, dtype=np.float32)
        self.who = np.zeros(items, dtype=np.int32)
        self.seen = np.zeros(items + 1, dtype=np.int32)
        self.best = np.zeros(0, dtype=np.int32)
        self.points = np.zeros(0)
        self.because = np.zeros(0, dtype=np.int32)

    def widen(self, limit: int) -> None:
        """Make room for `limit` answers."""
        if limit > len(self.best):
            self.best = np.zeros(limit, dtype=np.int32)
            self.points, self.because = np.zeros(limit), np.zeros(limit, dtype=np.int32)


def column(state: Mapping[str, NDArray[Any]], name: str, dtype: Any, ndim: int = 1) -> NDArray[Any]:
    """The array `name` of a fitted state. Raises Corrupt if it is missing or misshapen."""
    array = state.get(name)
    if array is None or array.ndim != ndim:
        raise Corrupt(f"a fitted model has no array {name} of {ndim} dimensions")
    return np.ascontiguousarray(array, dtype=dtype)


def related_of(state: Mapping[str, NDArray[Any]], items: int) -> Related:
    """The rows of a fitted state over `items` items. Raises Corrupt if they do not fit each other."""
    found = Related(
        column(state, "starts", np.int64),
        column(state, "columns", np.int32),
        column(state, "values", np.float32),
    )
    fits = len(found.starts) == items + 1 and len(found.columns) == len(found.values) == found.starts[-1]
    if not fits or (np.diff(found.starts, prepend=0) < 0).any():
        raise Corrupt("a fitted model's rows do not fit each other")
    if len(found.columns) and not (found.columns.min() >= 0 and found.columns.max() < items):
        raise Corrupt("a fitted model names items that it does not have")
    return found


@compiled
def add_rows(
    related: Related, place: Column, items: Column, weights: Column, score: Column, most: Column, who: Column,
    seen: Column,
) -> int:  # fmt: skip
    """Add the weighted rows of dense `items`; returns how many places have a sum, at `seen`."""
    found = 0
    for i in range(len(items)):
        if not 0 <= items[i] < len(place) or place[items[i]] < 0 or weights[i] <= 0.0:
            continue
        row = place[items[i]]
        weight = np.float32(weights[i])
        for entry in range(related.starts[row], related.starts[row + 1]):
            other = related.columns[entry]
            share = weight * related.values[entry]
            if share <= 0:
                continue  # what is too small to be told from nothing must not be met twice
            seen[found] = other
            found += score[other] == 0
            score[other] += share
            if share > most[other]:
                most[other], who[other] = share, items[i]
    return found


@compiled
def choose(
    found: int, seen: Column, score: Column, most: Column, who: Column, dense: Column, keys: Column,
    best: Column, points: Column, because: Column, limit: int,
) -> int:  # fmt: skip
    """Keep the best `limit` of the places at `seen`, sorted; returns how many. Clears the sums."""
    size = 0
    for i in range(found):
        place = seen[i]
        total = score[place]
        score[place], most[place] = 0, 0
        if total <= 0 or dense[place] < 0:
            continue
        spot = size
        while spot > 0 and (
            points[spot - 1] < total or (points[spot - 1] == total and keys[best[spot - 1]] > keys[place])
        ):
            spot -= 1
        if spot >= limit:
            continue
        size = min(size + 1, limit)
        for moved in range(size - 1, spot, -1):
            best[moved], points[moved] = best[moved - 1], points[moved - 1]
            because[moved] = because[moved - 1]
        best[spot], points[spot], because[spot] = place, total, who[place]
    for rank in range(size):
        best[rank] = dense[best[rank]]
    return size
