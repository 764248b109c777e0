"""Which places of the log hold which event id, without an index on disk.

A secondary index of random ids costs more per record than everything else the log does, so ids are looked up
here: an open-addressing table in memory from the 64-bit fingerprint of an id to positions, 16 bytes an entry
at a load of at most 0.7. Sixty-four bits do not prove that two ids are equal, so whoever finds holders
compares the ids of the stored records. Several positions may stand under one fingerprint: two ids that
collide, or one id that a broker delivered twice.

A small table grows by moving to a larger one, which takes milliseconds. A large one would stall an append for
a quarter of a second; so from `CHAIN_FROM` slots on a further table is opened instead, twice as large, and
looking up asks each of the few.

The home slot of a fingerprint is its high half scaled to the table's size (Lemire, "Fast random integer
generation in an interval", 2019), so entries lie nearly in order of fingerprint and growing is one sweep.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heedful.log.compiled import compiled
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.event import Position
from heedful.vocabulary.ids import EventId

SMALLEST = 1_024
CHAIN_FROM = 500_000
EMPTY = 0
"""The position of a free slot: offsets start at 1, so no record has it."""


Table = tuple[NDArray[np.uint64], NDArray[np.int64]]
"""The fingerprints and the positions of a table's slots, both (size,)."""


class Fingerprints(Protocol):
    """What makes fingerprints, 64 keyed bits that stand for an event id: `vault.pseudonyms.Pseudonyms`."""

    def fingerprints(self, events: Iterable[EventId]) -> bytes:
        """Those of many events, 8 bytes each, little-endian, in order."""

    def mark(self, event: EventId) -> str:
        """What stands in the log for the id of an event that was purged; see `marked`."""


def marked(mark: str) -> int:
    """The fingerprint that a purged event's mark begins with."""
    return int(mark[1:17], 16)


class Claims:
    """A multimap from fingerprints to positions. Not for use from two threads at once."""

    def __init__(self, *, chain_from: int = CHAIN_FROM) -> None:
        self._chain_from = chain_from
        self._count = 0
        self._tables: list[Table] = [_table(SMALLEST)]
        self._room = SMALLEST * 7 // 10  # how many more pairs the newest table takes

    def __len__(self) -> int:
        """How many (fingerprint, position) pairs there are."""
        return self._count

    def put_many(self, fingerprints: NDArray[np.uint64], positions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Add the pairs that are not there yet; both arrays have shape (n,), positions are above 0.

        Returns bool (n,): True where another position already stood under that fingerprint.
        """
        self.reserve(self._count + len(fingerprints))
        taken = np.zeros(len(fingerprints), dtype=np.bool_)
        present = np.zeros(len(fingerprints), dtype=np.bool_)
        for keys, values in self._tables[:-1]:
            _look(keys, values, fingerprints, positions, taken, present)
        added = _put(*self._tables[-1], fingerprints, positions, taken, present)
        self._count += added
        self._room -= added
        return taken

    def known(self, fingerprints: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Whether any position stands under each of `fingerprints`, shape (n,)."""
        found = np.zeros(len(fingerprints), dtype=np.bool_)
        for keys, values in self._tables:
            _known(keys, values, fingerprints, found)
        return found

    def holders(self, fingerprint: int) -> list[Position]:
        """The positions under `fingerprint`, ascending."""
        key = np.uint64(fingerprint)
        found = [place for table in self._tables for place in _holders(*table, key).tolist()]
        return [Position(place) for place in sorted(found)]

    def places(self, fingerprints: NDArray[np.uint64]) -> list[Position]:
        """The positions under each of `fingerprints`, shape (n,), in their order, those under one ascending."""
        counts = np.zeros(len(fingerprints), dtype=np.int64)
        found = np.zeros(len(fingerprints), dtype=np.int64)
        for keys, values in self._tables:
            _places(keys, values, fingerprints, found, counts)
        if (counts == 1).all():
            return [Position(place) for place in found.tolist()]
        return [place for fingerprint in fingerprints.tolist() for place in self.holders(fingerprint)]

    def alone(self, fingerprints: NDArray[np.uint64], positions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each position, and no other, stands under its fingerprint, bool (n,). Both have shape (n,)."""
        taken = np.zeros(len(fingerprints), dtype=np.bool_)
        present = np.zeros(len(fingerprints), dtype=np.bool_)
        for keys, values in self._tables:
            _look(keys, values, fingerprints, positions, taken, present)
        return present & ~taken

    def remove_many(self, fingerprints: NDArray[np.uint64], positions: NDArray[np.int64]) -> None:
        """Take pairs out; both arrays have shape (n,). One that is not there is left alone."""
        for keys, values in self._tables:
            self._count -= _remove_many(keys, values, fingerprints, positions)

    def remove(self, fingerprint: int, position: Position) -> bool:
        """Take one pair out; returns whether it was there."""
        key, place = np.uint64(fingerprint), np.int64(position)
        gone = any(_remove(keys, values, key, place) for keys, values in self._tables)
        self._count -= gone
        return gone

    def load(self) -> None:
        """Fetch or compile the kernels now, so that the first append does not wait for it."""
        none = np.zeros(0, dtype=np.uint64)
        self.known(none)
        self.put_many(none, none.astype(np.int64))
        _look(*self._tables[0], none, none.astype(np.int64), none.astype(np.bool_), none.astype(np.bool_))
        self.holders(0)
        self.remove(0, Position(1))
        self.places(none)
        self.remove_many(none, none.astype(np.int64))
        Claims().reserve(SMALLEST)

    def reserve(self, pairs: int) -> None:
        """Make room for `pairs` pairs in all."""
        more = pairs - self._count
        if more <= self._room:
            return
        size = len(self._tables[-1][1])
        if size >= self._chain_from:
            size = max(2 * more, 2 * size)
            self._tables.append(_table(size))
            self._room = size * 7 // 10
            return
        size = max(2 * pairs, size * 3 // 2)
        old, self._tables = self._tables, [_table(size)]
        for keys, values in old:
            _rehash(*self._tables[0], keys, values)
        self._room = size * 7 // 10 - self._count

    def state(self) -> dict[str, NDArray[Any]]:
        """The arrays that `restore` needs: `fingerprints` uint64 (n,) and `positions` int64 (n,), copies."""
        used = [values != EMPTY for _, values in self._tables]
        return {
            "fingerprints": np.concatenate([t[0][u] for t, u in zip(self._tables, used, strict=True)]),
            "positions": np.concatenate([t[1][u] for t, u in zip(self._tables, used, strict=True)]),
        }

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
        fresh = Claims(chain_from=self._chain_from)
        fresh.put_many(np.ascontiguousarray(fingerprints), np.ascontiguousarray(positions))
        self._tables, self._count, self._room = fresh._tables, fresh._count, fresh._room


def _table(size: int) -> Table:
    """A free table, in small pages: the first thousand entries touch every huge page there is, and to clear
    all of them at once takes as long as moving the table would."""
    return np.frombuffer(_cleared(8 * size), dtype=np.uint64), np.frombuffer(
        _cleared(8 * size), dtype=np.int64
    )


def _cleared(size: int) -> mmap.mmap:
    memory = mmap.mmap(-1, size)
    with suppress(AttributeError, OSError):  # a system without huge pages
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return memory


@compiled
def _home(fingerprint: np.uint64, size: int) -> int:
    high = np.uint64(fingerprint) >> np.uint64(32)
    return np.int64((high * np.uint64(size)) >> np.uint64(32))  # type: ignore[return-value]  # numba: one type


@compiled
def _look(
    keys: NDArray[np.uint64],
    values: NDArray[np.int64],
    fingerprints: NDArray[np.uint64],
    positions: NDArray[np.int64],
    taken: NDArray[np.bool_],
    present: NDArray[np.bool_],
) -> None:
    """Mark the pairs that stand here as present, and those with another position here as taken."""
    size = len(values)
    for i in range(len(fingerprints)):
        slot = _home(fingerprints[i], size)
        while values[slot] != EMPTY:
            if keys[slot] == fingerprints[i]:
                if values[slot] == positions[i]:
                    present[i] = True
                else:
                    taken[i] = True
            slot = slot + 1 if slot + 1 < size else 0


@compiled
def _put(
    keys: NDArray[np.uint64],
    values: NDArray[np.int64],
    fingerprints: NDArray[np.uint64],
    positions: NDArray[np.int64],
    taken: NDArray[np.bool_],
    present: NDArray[np.bool_],
) -> int:
    """As `_look`, and add the pairs that are present nowhere; returns how many. There is always a free slot:
    the load stays at or below 0.7."""
    size, added = len(values), 0
    for i in range(len(fingerprints)):
        key, place = fingerprints[i], positions[i]
        slot = _home(key, size)
        while values[slot] != EMPTY:
            if keys[slot] == key:
                if values[slot] == place:
                    present[i] = True
                else:
                    taken[i] = True
            slot = slot + 1 if slot + 1 < size else 0
        if not present[i]:
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
def _places(
    keys: NDArray[np.uint64],
    values: NDArray[np.int64],
    fingerprints: NDArray[np.uint64],
    found: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Write a position that stands under each fingerprint, and add how many do."""
    size = len(values)
    for i in range(len(fingerprints)):
        slot = _home(fingerprints[i], size)
        while values[slot] != EMPTY:
            if keys[slot] == fingerprints[i]:
                found[i] = values[slot]
                counts[i] += 1
            slot = slot + 1 if slot + 1 < size else 0


@compiled
def _remove_many(
    keys: NDArray[np.uint64],
    values: NDArray[np.int64],
    fingerprints: NDArray[np.uint64],
    positions: NDArray[np.int64],
) -> int:
    gone = 0
    for i in range(len(fingerprints)):
        gone += _remove(keys, values, fingerprints[i], positions[i])
    return gone


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
