"""Which places of the log hold which event id, without an index on disk.

A secondary index of random ids costs more per record than everything else the log does, so ids are looked up
here: an open-addressing table in memory from the 64-bit fingerprint of an id to positions, 16 bytes an entry
at a load of at most 0.7. Sixty-four bits do not prove that two ids are equal, so whoever finds holders
compares the ids of the stored records. Several positions may stand under one fingerprint: two ids that
collide, or one id that a broker delivered twice.

The home slot of a fingerprint is its high half scaled to the table's size (Lemire, "Fast random integer
generation in an interval", 2019), so entries lie nearly in order of fingerprint and growing is one sweep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heedful.log.compiled import compiled
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.event import Position
from heedful.vocabulary.ids import EventId

SMALLEST = 1_024
EMPTY = 0
"""The position of a free slot: offsets start at 1, so no record has it."""


class Fingerprints(Protocol):
    """What makes fingerprints, 64 keyed bits that stand for an event id: `vault.pseudonyms.Pseudonyms`."""

    def fingerprints(self, events: Iterable[EventId]) -> bytes:
        """Those of many events, 8 bytes each, little-endian, in order."""


class Claims:
    """A multimap from fingerprints to positions. Not for use from two threads at once."""

    def __init__(self) -> None:
        self._count = 0
        self._fingerprints: NDArray[np.uint64] = np.zeros(SMALLEST, dtype=np.uint64)
        self._positions: NDArray[np.int64] = np.zeros(SMALLEST, dtype=np.int64)

    def __len__(self) -> int:
        """How many (fingerprint, position) pairs there are."""
        return self._count

    def put_many(self, fingerprints: NDArray[np.uint64], positions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Add the pairs that are not there yet; both arrays have shape (n,), positions are above 0.

        Returns bool (n,): True where another position already stood under that fingerprint.
        """
        self.reserve(self._count + len(fingerprints))
        taken = np.zeros(len(fingerprints), dtype=np.bool_)
        self._count += _put(self._fingerprints, self._positions, fingerprints, positions, taken)
        return taken

    def known(self, fingerprints: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Whether any position stands under each of `fingerprints`, shape (n,)."""
        found = np.zeros(len(fingerprints), dtype=np.bool_)
        _known(self._fingerprints, self._positions, fingerprints, found)
        return found

    def holders(self, fingerprint: int) -> list[Position]:
        """The positions under `fingerprint`, ascending."""
        found = _holders(self._fingerprints, self._positions, np.uint64(fingerprint))
        return [Position(place) for place in sorted(found.tolist())]

    def remove(self, fingerprint: int, position: Position) -> bool:
        """Take one pair out; returns whether it was there."""
        gone = bool(_remove(self._fingerprints, self._positions, np.uint64(fingerprint), np.int64(position)))
        self._count -= gone
        return gone

    def load(self) -> None:
        """Fetch or compile the kernels now, so that the first append does not wait for it."""
        none = np.zeros(0, dtype=np.uint64)
        self.known(none)
        self.put_many(none, none.astype(np.int64))
        self.holders(0)
        self.remove(0, Position(1))
        Claims().reserve(SMALLEST)

    def reserve(self, pairs: int) -> None:
        """Make room for `pairs` pairs in all."""
        size = len(self._positions)
        if pairs * 10 <= size * 7:
            return
        size = max(pairs * 10 // 7 + 1, size * 3 // 2)
        old_fingerprints, old_positions = self._fingerprints, self._positions
        self._fingerprints = np.zeros(size, dtype=np.uint64)
        self._positions = np.zeros(size, dtype=np.int64)
        _rehash(self._fingerprints, self._positions, old_fingerprints, old_positions)

    def state(self) -> dict[str, NDArray[Any]]:
        """The arrays that `restore` needs: `fingerprints` uint64 (n,) and `positions` int64 (n,), copies."""
        used = self._positions != EMPTY
        return {"fingerprints": self._fingerprints[used], "positions": self._positions[used]}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state` gave, in place of what is here. Raises Corrupt if it has another shape."""
        try:
            fingerprints, positions = state["fingerprints"], state["positions"]
        except KeyError as error:
            raise Corrupt(f"claims: the array {error} is missing") from error
        if fingerprints.dtype != np.uint64 or positions.dtype != np.int64:
            raise Corrupt("claims: the arrays have the wrong type")
        if fingerprints.ndim != 1 or fingerprints.shape != positions.shape or (positions <= EMPTY).any():
            raise Corrupt("claims: the arrays have the wrong shape or positions below 1")
        fresh = Claims()
        fresh.put_many(np.ascontiguousarray(fingerprints), np.ascontiguousarray(positions))
        self._fingerprints, self._positions, self._count = fresh._fingerprints, fresh._positions, fresh._count


@compiled
def _home(fingerprint: np.uint64, size: int) -> int:
    high = np.uint64(fingerprint) >> np.uint64(32)
    return np.int64((high * np.uint64(size)) >> np.uint64(32))  # type: ignore[return-value]  # numba: one type


@compiled
def _put(
    keys: NDArray[np.uint64],
    values: NDArray[np.int64],
    fingerprints: NDArray[np.uint64],
    positions: NDArray[np.int64],
    taken: NDArray[np.bool_],
) -> int:
    """Returns how many pairs were new. There is always a free slot: the load stays at or below 0.7."""
    size, added = len(values), 0
    for i in range(len(fingerprints)):
        key, place = fingerprints[i], positions[i]
        slot, present = _home(key, size), False
        while values[slot] != EMPTY:
            if keys[slot] == key:
                if values[slot] == place:
                    present = True
                else:
                    taken[i] = True
            slot = slot + 1 if slot + 1 < size else 0
        if not present:
            keys[slot], values[slot] = key, place
            added += 1
    return added


@compiled
def _rehash(
    keys: NDArray[np.uint64],
    values: NDArray[np.int64],
    old_keys: NDArray[np.uint64],
    old_values: NDArray[np.int64],
) -> None:
    size = len(values)
    for i in range(len(old_values)):
        if old_values[i] == EMPTY:
            continue
        slot = _home(old_keys[i], size)
        while values[slot] != EMPTY:
            slot = slot + 1 if slot + 1 < size else 0
        keys[slot], values[slot] = old_keys[i], old_values[i]


@compiled
def _known(
    keys: NDArray[np.uint64],
    values: NDArray[np.int64],
    fingerprints: NDArray[np.uint64],
    found: NDArray[np.bool_],
) -> None:
    size = len(values)
    for i in range(len(fingerprints)):
        slot = _home(fingerprints[i], size)
        while values[slot] != EMPTY:
            if keys[slot] == fingerprints[i]:
                found[i] = True
                break
            slot = slot + 1 if slot + 1 < size else 0


@compiled
def _holders(keys: NDArray[np.uint64], values: NDArray[np.int64], key: np.uint64) -> NDArray[np.int64]:
    size, count = len(values), 0
    slot = _home(key, size)
    while values[slot] != EMPTY:
        count += keys[slot] == key
        slot = slot + 1 if slot + 1 < size else 0
    found = np.empty(count, dtype=np.int64)
    slot, count = _home(key, size), 0
    while count < len(found):
        if keys[slot] == key:
            found[count] = values[slot]
            count += 1
        slot = slot + 1 if slot + 1 < size else 0
    return found


@compiled
def _remove(keys: NDArray[np.uint64], values: NDArray[np.int64], key: np.uint64, place: np.int64) -> bool:
    """Deletion without gravestones: later entries of the run move back (Knuth, TAOCP 3, 6.4, algorithm R)."""
    size = len(values)
    hole = _home(key, size)
    while values[hole] != EMPTY and not (keys[hole] == key and values[hole] == place):
        hole = hole + 1 if hole + 1 < size else 0
    if values[hole] == EMPTY:
        return False
    slot = hole
    while True:
        slot = slot + 1 if slot + 1 < size else 0
        if values[slot] == EMPTY:
            break
        home = _home(keys[slot], size)
        stays = hole < home <= slot if hole <= slot else (hole < home or home <= slot)
        if not stays:
            keys[hole], values[hole] = keys[slot], values[slot]
            hole = slot
    values[hole] = EMPTY
    return True
