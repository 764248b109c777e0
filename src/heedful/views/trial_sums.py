"""A trial as it is measured: the rows of its units, and the exact sums that move with them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from heedful.views.lookup import NONE
from heedful.views.trial_kernels import CROSSED, FIGURES, UNEXPOSED, Units
from heedful.vocabulary.time import DAY
from heedful.vocabulary.trial import Trial

K = TypeVar("K")

FOREVER = 1 << 62
"""The end of a trial that runs."""

PAIRS = tuple(combinations_with_replacement(range(FIGURES), 2))
"""Which products of two figures are summed, in this order after the four sums themselves."""

_LOW = np.int64(0xFFFFFFFF)


class Change(NamedTuple):
    """An event that says how a trial stands from then on."""

    at: int
    fingerprint: int
    trial: Trial


class Cell(NamedTuple):
    """Units first exposed in an epoch, to an arm, on a day (UTC). fresh: 1 where nothing was known of them."""

    epoch: int
    arm: int
    day: int
    fresh: int


class Sums:
    """Exact sums over units. units: how many. moments: Python ints, object (m, 14): for each measure the four sums
    of its figures (`trial_kernels.AFTER` and so on), then those of their products (`PAIRS`)."""

    __slots__ = ("moments", "units")

    def __init__(self, measures: int) -> None:
        self.units = 0
        self.moments: NDArray[Any] = np.full((measures, FIGURES + len(PAIRS)), 0, dtype=object)

    def add(self, units: int, moments: NDArray[Any], sign: int) -> None:
        """Count sums in, or out with sign -1."""
        self.units += sign * units
        self.moments = self.moments + sign * moments


class Standing:
    """One trial as it is measured: the definition of its start, and the rows of its units."""

    def __init__(self, changes: Sequence[Change], subjects: int) -> None:
        """changes: in order, at least one of them running."""
        running = next(change for change in changes if change.trial.running)
        self.trial, self.since = running.trial, running.at
        self.until = FOREVER if changes[-1].trial.running else changes[-1].at
        self.weights: list[tuple[int, tuple[int, ...]]] = [(running.at, running.trial.weights)]
        for change in changes:
            if change.at > self.since and change.trial.weights != self.weights[-1][1]:
                self.weights.append((change.at, change.trial.weights))
        self.cells: dict[Cell, Sums] = {}
        self.totals: dict[tuple[int, int], Sums] = {}
        self.crossed = 0
        self.place: NDArray[np.int32] = np.full(subjects, NONE, dtype=np.int32)
        self.whose: NDArray[np.int32] = np.full(0, NONE, dtype=np.int32)
        self.rows = room_for(0, len(self.trial.measures))
        self.count = 0

    def put(self, who: NDArray[np.int64], new: Units) -> None:
        """Replace the rows of the subjects `who` by `new`, and move the sums by the difference."""
        held = self.place[who] != NONE
        old = picked(self.rows, self.place[who[held]])
        self._move(old, -1)
        missing = who[~held & (new.arm != UNEXPOSED)]
        need = self.count + len(missing)
        if need > len(self.whose):
            self._grow(need + need // 2 + 16)
        self.place[missing] = np.arange(self.count, need)
        self.whose[self.count : need] = missing
        self.count = need
        kept = self.place[who] != NONE
        there = self.place[who[kept]]
        _write(self.rows, there, picked(new, kept))
        self._move(picked(new, np.flatnonzero(kept)), 1)

    def _grow(self, size: int) -> None:
        wider = room_for(size, len(self.trial.measures))
        _write(wider, np.arange(self.count), picked(self.rows, np.arange(self.count)))
        whose = np.full(size, NONE, dtype=np.int32)
        whose[: self.count] = self.whose[: self.count]
        self.rows, self.whose = wider, whose

    def _move(self, units: Units, sign: int) -> None:
        self.crossed += sign * int((units.arm == CROSSED).sum())
        counted = np.flatnonzero(units.arm >= 0)
        if not len(counted):
            return
        units = picked(units, counted)
        keys = np.column_stack((units.epoch, units.arm, units.at // DAY, units.fresh)).astype(np.int64)
        cells, inverse = np.unique(keys, axis=0, return_inverse=True)
        for number, key in enumerate(cells.tolist()):
            own = units.figures[inverse.reshape(-1) == number]
            moments, cell = moments_of(own), Cell(*key)
            _count(self.cells, cell, len(own), moments, sign)
            _count(self.totals, (cell.epoch, cell.arm), len(own), moments, sign)


def _count(table: dict[K, Sums], key: K, units: int, moments: NDArray[Any], sign: int) -> None:
    """Count sums into those under `key`, or out; what is of no unit leaves nothing behind."""
    sums = table.setdefault(key, Sums(len(moments)))
    sums.add(units, moments, sign)
    if not sums.units:
        del table[key]


def moments_of(figures: NDArray[np.int64]) -> NDArray[Any]:
    """The exact sums of figures (n, m, FIGURES), each 0 to `LARGEST`, and of their products, as in `Sums`.

    Products are summed in two halves of 32 bits, because their sum need not fit 64.
    """
    parts = [figures[:, :, one].sum(axis=0).astype(object) for one in range(FIGURES)]
    for one, other in PAIRS:
        product = figures[:, :, one] * figures[:, :, other]
        high, low = (product >> 32).sum(axis=0), (product & _LOW).sum(axis=0)
        parts.append(high.astype(object) * (1 << 32) + low.astype(object))
    return np.stack(parts, axis=1)


def room_for(units: int, measures: int) -> Units:
    """Room for the figures of so many units, of whom nothing is known."""
    return Units(
        np.full(units, UNEXPOSED, dtype=np.int16), np.zeros(units, dtype=np.int16),
        np.zeros(units, dtype=np.int64), np.zeros(units, dtype=np.uint8),
        np.zeros((units, measures, FIGURES), dtype=np.int64),
    )  # fmt: skip


def picked(units: Units, places: NDArray[Any]) -> Units:
    """Some of the units, by their places or by a mask."""
    return Units(*(column[places] for column in units))


def _write(target: Units, places: NDArray[Any], units: Units) -> None:
    target.arm[places], target.epoch[places], target.at[places] = units.arm, units.epoch, units.at
    target.fresh[places], target.figures[places] = units.fresh, units.figures
