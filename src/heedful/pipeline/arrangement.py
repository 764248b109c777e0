"""In which order the scored candidates stand: the best first, or the best of those that add something.

Each arrangement has a strength from 0, which is the plain order exactly, to 1, which asks for nothing but
variety (or for nothing but the person's own mix). It looks at a pool of the best candidates. Scores count on
a scale from 0, the pool's worst, to 1, its best, so that a strength means the same whoever ranked. What is
alike is told by `Kinship`. Everything else being equal the better candidate goes first, then the lower key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from heedful.pipeline.candidates import Candidates, Columns, best_rows, columns_of
from heedful.pipeline.context import Context
from heedful.pipeline.kinship import (
    Kinship,
    gathered,
    kin_of,
    laid_sketches,
    liken,
    masks_of,
    roots_of,
)
from heedful.views.arena import Column
from heedful.views.compiled import compiled
from heedful.views.handles import Handle
from heedful.views.traits import WIDTH

POOL = 100
"""Candidates that an arrangement looks at, or as many as are wanted where that is more."""

OWN = 0.1
"""The part of every item that is like no other (`DeterminantalGreedy`): even two of one kind have it."""

SMOOTH = 0.01
"""The part of the person's mix in the list's own, against dividing by nothing (Steck 2018, equation 5)."""


_NOTHING = np.empty(0, dtype=np.int32)


class Arrangement(Protocol):
    """Chooses places for the candidates that are kept. name: what decisions call it."""

    name: str

    def arrange(
        self, candidates: Candidates, context: Context, keys: NDArray[np.uint64], *, size: int
    ) -> NDArray[np.int64]:
        """The rows that are shown, best place first, shape (at most `size`,), each KEPT and each once.

        keys: uint64 by dense item, which decide ties. The totals must have been written. Removes nothing.
        """


class Straight:
    """The best first."""

    name = "greedy"

    def arrange(
        self, candidates: Candidates, context: Context, keys: NDArray[np.uint64], *, size: int
    ) -> NDArray[np.int64]:
        del context
        return best_first(candidates, keys, size)


def best_first(candidates: Candidates, keys: NDArray[np.uint64], size: int) -> NDArray[np.int64]:
    """The rows that are kept, by total, ties by the lower of `keys`; at most `size`, shape (s,)."""
    return _straight(candidates.handle, keys, size)


def _trail(context: Context) -> NDArray[np.int32]:
    return context.trail


class Balanced:
    """Several things weighed at once: in each place the candidate of the highest

        (1 - diversity) * (1 - calibration) * score
        - diversity * (likeness to the most alike item already placed)
        - calibration * KL(the person's mix of categories, the mix of the list with it)

    diversity alone is maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998), calibration alone is
    Steck's calibrated list (RecSys 2018). own: the dense items that the person's mix is taken from, each with
    the same weight, an item's categories sharing it; the trail where nothing else is said. At most 64
    categories of it count. Where the person has none, calibration changes nothing.
    """

    name = "balanced"

    def __init__(
        self,
        kinship: Kinship,
        *,
        diversity: float = 0.0,
        calibration: float = 0.0,
        own: Callable[[Context], NDArray[np.int32]] = _trail,
        pool: int = POOL,
    ) -> None:
        self._kinship, self._own, self._pool = kinship, own, pool
        self._diversity, self._calibration = checked(diversity), checked(calibration)

    def arrange(
        self, candidates: Candidates, context: Context, keys: NDArray[np.uint64], *, size: int
    ) -> NDArray[np.int64]:
        own = self._own(context) if self._calibration else _NOTHING
        if not self._diversity and not len(own):
            return _straight(candidates.handle, keys, size)
        return _balanced(
            candidates.handle, self._kinship.open(), keys, size, max(self._pool, size), self._diversity,
            self._calibration, own,
        )  # fmt: skip


class MaximalMarginal(Balanced):
    """Maximal marginal relevance: `Balanced` with diversity alone."""

    def __init__(self, kinship: Kinship, strength: float, *, pool: int = POOL) -> None:
        super().__init__(kinship, diversity=strength, pool=pool)


class Calibrated(Balanced):
    """Calibrated to the person's own mix of categories: `Balanced` with calibration alone."""

    def __init__(
        self,
        kinship: Kinship,
        strength: float,
        *,
        own: Callable[[Context], NDArray[np.int32]] = _trail,
        pool: int = POOL,
    ) -> None:
        super().__init__(kinship, calibration=strength, own=own, pool=pool)


class DeterminantalGreedy:
    """The greedy mode of a determinantal point process (Chen, Zhang and Zhou, NeurIPS 2018, algorithm 1): in
    each place the candidate of the highest (1 - strength) * 2 * score + strength * log of what it adds to the
    determinant of the likenesses. The kernel is (1 - OWN) * likeness + OWN * identity, so that a second item
    of one kind is worth little and not nothing."""

    name = "determinantal"

    def __init__(self, kinship: Kinship, strength: float, *, pool: int = POOL) -> None:
        self._kinship, self._strength, self._pool = kinship, checked(strength), pool

    def arrange(
        self, candidates: Candidates, context: Context, keys: NDArray[np.uint64], *, size: int
    ) -> NDArray[np.int64]:
        del context
        if not self._strength:
            return _straight(candidates.handle, keys, size)
        kin = self._kinship.open()
        return _determinantal(candidates.handle, kin, keys, size, max(self._pool, size), self._strength)


def arrangement_of(
    kinship: Kinship,
    *,
    diversity: float = 0.0,
    calibration: float = 0.0,
    own: Callable[[Context], NDArray[np.int32]] = _trail,
) -> Arrangement:
    """The arrangement of a placement with these strengths. Raises ValueError outside [0, 1]."""
    if not checked(diversity) and not checked(calibration):
        return Straight()
    return Balanced(kinship, diversity=diversity, calibration=calibration, own=own)


def checked(strength: float) -> float:
    """`strength`, if it is one. Raises ValueError outside [0, 1]."""
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"a strength is from 0 to 1, not {strength}")
    return float(strength)


@compiled
def _straight(table: Handle, keys: Column, size: int) -> NDArray[np.int64]:
    return best_rows(columns_of(table), keys, size)


@compiled
def _scores(columns: Columns, rows: Column) -> Column:
    """The totals of `rows`, best first, on a scale from 0 to 1; all 0 where they are equal."""
    scores = np.zeros(len(rows))
    if len(rows) > 0:
        least = columns.total[rows[len(rows) - 1]]
        span = columns.total[rows[0]] - least
        for i in range(len(rows)):
            scores[i] = (columns.total[rows[i]] - least) / span if span > 0.0 else 0.0
    return scores


@compiled
def _determinantal(
    table: Handle, relations: Handle, keys: Column, size: int, pool: int, strength: float
) -> NDArray[np.int64]:
    columns, kin = columns_of(table), kin_of(relations)
    rows = best_rows(columns, keys, pool)
    n, count = len(rows), min(size, len(rows))
    sets, sizes = gathered(kin, columns.item, rows)
    some, has, laid = laid_sketches(kin, columns.item, rows)
    masks, roots = masks_of(sets, sizes), roots_of(sizes)
    # The highest of (1-s)*2*score + s*log(rest) is that of exp((1-s)/s*2*score) * rest: no logarithm a place.
    pull = min(2.0 * (1.0 - strength) / strength, 1e9)
    worth = np.exp(pull * (_scores(columns, rows) - 1.0))
    rest, taken = np.ones(n), np.zeros(n, dtype=np.uint8)
    factor, part = np.empty((count, n)), np.empty(n)
    chosen = np.empty(count, dtype=np.int64)
    for place in range(count):
        best, most = -1, 0.0
        for i in range(n):
            value = worth[i] * rest[i]
            if not taken[i] and (best < 0 or value > most):
                best, most = i, value
        chosen[place] = rows[best]
        taken[best] = 1
        liken(masks, roots, some, has, laid, best, part)
        part *= 1.0 - OWN
        for step in range(place):
            earlier = factor[step]
            by = earlier[best]
            for i in range(n):
                part[i] -= by * earlier[i]
        line, root = factor[place], 1.0 / np.sqrt(rest[best])
        for i in range(n):
            line[i] = part[i] * root
            # Two measures of likeness in one list make no proper kernel: what is left stays above nothing.
            rest[i] = max(rest[i] - line[i] * line[i], 1e-9)
    return chosen


@compiled
def _mix(categories: Column, own: Column, wanted: Column, codes: Column) -> int:
    """Write the mix of the items `own` into `wanted` and its categories into `codes`; returns how many."""
    found, items = 0, 0
    for item in own:
        first, size = np.int64(item) * WIDTH, 0
        while size < WIDTH and first < len(categories) and categories[first + size] >= 0:
            size += 1
        items += size > 0
        for place in range(first, first + size):
            spot = 0
            while spot < found and codes[spot] != categories[place]:
                spot += 1
            if spot == len(codes):
                continue
            if spot == found:
                codes[spot], wanted[spot] = categories[place], 0.0
                found += 1
            wanted[spot] += 1.0 / size
    for spot in range(found):
        wanted[spot] /= items
    return found


@compiled
def _balanced(
    table: Handle, relations: Handle, keys: Column, size: int, pool: int, diversity: float,
    calibration: float, own: Column,
) -> NDArray[np.int64]:  # fmt: skip
    columns, kin = columns_of(table), kin_of(relations)
    rows = best_rows(columns, keys, pool)
    n, count = len(rows), min(size, len(rows))
    sets, sizes = gathered(kin, columns.item, rows)
    wanted, codes = np.zeros(64), np.empty(64, dtype=np.int32)
    found = _mix(kin.categories, own, wanted, codes)
    scale = (1.0 - diversity) * (1.0 - calibration if found > 0 else 1.0)
    values, taken = _scores(columns, rows) * scale, np.zeros(n, dtype=np.uint8)
    # Diversity: how like each is to the most alike item already placed.
    alike, nearest = np.empty(n), np.zeros(n)
    if diversity > 0.0:
        some, has, laid = laid_sketches(kin, columns.item, rows)
        masks, roots = masks_of(sets, sizes), roots_of(sizes)
    # Calibration: of each candidate only what is in the person's mix counts; where its gains stand, one line
    # after another. A gain is by how much the divergence falls with one more of so many categories.
    spots, stops = np.empty(n * WIDTH, dtype=np.int32), np.empty(n, dtype=np.int32)
    used, gain, held = np.zeros((found, WIDTH), dtype=np.uint8), np.zeros(found * WIDTH), np.zeros(found)
    stop = 0
    for i in range(n):
        for k in range(i * WIDTH, i * WIDTH + sizes[i]):
            spot = 0
            while spot < found and codes[spot] != sets[k]:
                spot += 1
            if spot < found:
                spots[stop] = spot * WIDTH + sizes[i] - 1
                used[spot, sizes[i] - 1] = 1
                stop += 1
        stops[i] = stop
    chosen = np.empty(count, dtype=np.int64)
    for place in range(count):
        for spot in range(found):
            base = SMOOTH * wanted[spot] * (place + 1) / (1.0 - SMOOTH) + held[spot]
            for more in range(WIDTH):
                if used[spot, more]:
                    gain[spot * WIDTH + more] = wanted[spot] * np.log(1.0 + 1.0 / ((more + 1) * base))
        best, most, start = -1, 0.0, 0
        for i in range(n):
            closer = 0.0
            for k in range(start, stops[i]):
                closer += gain[spots[k]]
            start = stops[i]
            value = values[i] - diversity * nearest[i] + calibration * closer
            if not taken[i] and (best < 0 or value > most):
                best, most = i, value
        chosen[place] = rows[best]
        taken[best] = 1
        if diversity > 0.0 and place + 1 < count:
            liken(masks, roots, some, has, laid, best, alike)
            for i in range(n):
                nearest[i] = max(nearest[i], alike[i])
        for k in range(stops[best - 1] if best > 0 else 0, stops[best]):
            held[spots[k] // WIDTH] += 1.0 / sizes[best]
    return chosen
