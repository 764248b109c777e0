"""From 64-bit fingerprints to small integers: an open table for kernels.

Fingerprints are keyed hashes. The home slot is their high half scaled to the table's size, as in `log.claims`, so
that a larger table is filled in one sweep. Deleting moves later entries of the run back (Knuth, TAOCP 3, 6.4,
algorithm R), so nothing remains of what was taken out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heedful.views.compiled import compiled

NONE = -1
_SMALLEST = 1_024


class Lookup:
    """A map. keys: uint64, values: int32 from 0, NONE where free; kernels take the two.

    Whoever puts calls `reserve` first, because kernels cannot grow the arrays.
    """

    def __init__(self) -> None:
        self.keys: NDArray[np.uint64] = np.zeros(_SMALLEST, dtype=np.uint64)
        self.values: NDArray[np.int32] = np.full(_SMALLEST, NONE, dtype=np.int32)

    def reserve(self, held: int, more: int) -> None:
        """Make room for `more` entries beside the `held` there are."""
        if (held + more) * 10 <= len(self.keys) * 6:
            return
        size = 1 << ((held + more) * 3).bit_length()
        old_keys, old_values = self.keys, self.values
        self.keys, self.values = np.zeros(size, dtype=np.uint64), np.full(size, NONE, dtype=np.int32)
        put_all(self.keys, self.values, old_keys, old_values)


@compiled
def _home(key: np.uint64, size: int) -> int:
    high = np.uint64(key) >> np.uint64(32)
    return np.int64((high * np.uint64(size)) >> np.uint64(32))  # type: ignore[return-value]  # numba: one type


@compiled
def seek(keys: NDArray[np.uint64], values: NDArray[np.int32], key: np.uint64) -> int:
    """The value under `key`, or NONE."""
    mask = len(keys) - 1
    slot = _home(key, len(keys))
    while values[slot] != NONE:
        if keys[slot] == key:
            return int(values[slot])
        slot = (slot + 1) & mask
    return NONE


@compiled
def put(keys: NDArray[np.uint64], values: NDArray[np.int32], key: np.uint64, value: int) -> None:
    """Set what stands under `key`."""
    mask = len(keys) - 1
    slot = _home(key, len(keys))
    while values[slot] != NONE and keys[slot] != key:
        slot = (slot + 1) & mask
    keys[slot], values[slot] = key, value


@compiled
def drop(keys: NDArray[np.uint64], values: NDArray[np.int32], key: np.uint64) -> None:
    """Take `key` out if it is there."""
    mask = len(keys) - 1
    hole = _home(key, len(keys))
    while values[hole] != NONE and keys[hole] != key:
        hole = (hole + 1) & mask
    if values[hole] == NONE:
        return
    slot = hole
    while True:
        slot = (slot + 1) & mask
        if values[slot] == NONE:
            break
        home = _home(keys[slot], len(keys))
        if ((slot - home) & mask) >= ((slot - hole) & mask):
            keys[hole], values[hole] = keys[slot], values[slot]
            hole = slot
    keys[hole], values[hole] = np.uint64(0), NONE


@compiled
def put_all(
    keys: NDArray[np.uint64],
    values: NDArray[np.int32],
    new_keys: NDArray[np.uint64],
    new_values: NDArray[np.int32],
) -> None:
    """Put what another table holds."""
    for i in range(len(new_keys)):
        if new_values[i] != NONE:
            put(keys, values, new_keys[i], int(np.int64(new_values[i])))
