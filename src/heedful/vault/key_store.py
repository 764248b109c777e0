"""Where wrapped keys lie: a data key per subject and generation, and the wrapping keys they lie under.

A store never sees a key in the clear. It keeps one promise above all: what was destroyed does not come back.
A generation that is destroyed can be neither read nor put again, whoever tries, in whatever order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from threading import Lock
from typing import Protocol

import msgspec

from heedful.vocabulary.errors import Conflict, NotFound
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import Instant

HIGHEST_GENERATION = (1 << 32) - 1


class WrappedKey(msgspec.Struct, frozen=True, gc=False):
    """A data key as it is stored.

    generation: 1 for a subject's first key, and one more for each that follows.
    wrapping: the number of the wrapping key that closes `wrapped`.
    wrapped: the closed key, of one length for all.
    """

    subject: SubjectId
    generation: int
    wrapping: int
    wrapped: bytes
    created: Instant


class WrappingKey(msgspec.Struct, frozen=True, gc=False):
    """A key that closes data keys, itself closed by a master key; `source` says by which."""

    number: int
    source: str
    wrapped: bytes
    created: Instant


class Tombstone(msgspec.Struct, frozen=True, gc=False):
    """What is left of destroyed keys: every generation up to `through` is gone since `at`."""

    subject: SubjectId
    through: int
    at: Instant


class Ring(msgspec.Struct, frozen=True, gc=False):
    """All that is known of a subject: its living keys, oldest first, and what was destroyed."""

    keys: tuple[WrappedKey, ...] = ()
    tombstone: Tombstone | None = None

    @property
    def highest(self) -> int:
        """The highest generation that ever was, 0 if there was none."""
        destroyed = self.tombstone.through if self.tombstone else 0
        return max(destroyed, self.keys[-1].generation if self.keys else 0)


class Count(msgspec.Struct, frozen=True):
    """How many living data keys there are, and how many subjects have destroyed ones."""

    living: int
    destroyed: int


class KeyStore(Protocol):
    """Every method is all or nothing, durable when it returns, and raises KeyUnavailable if it cannot."""

    def find(self, subjects: Iterable[SubjectId]) -> dict[SubjectId, Ring]:
        """What is known of each of `subjects`; an empty ring where nothing is."""

    def put(self, keys: Sequence[WrappedKey]) -> list[WrappedKey | None]:
        """Keep each key unless there is one of its subject and generation; the one that is in force, for
        each, and None where that generation is destroyed.

        Raises Conflict, and keeps none, if a key lies under a wrapping key that does not exist (any more).
        """

    def destroy(self, subjects: Iterable[SubjectId], at: Instant, *, through: int = 0) -> list[Tombstone]:
        """Overwrite every key of `subjects` up to generation `through` (0: all there are, and the first even
        if there is none), and remember that they are gone. Doing it twice changes nothing, not even the time.

        Raises NotFound for a generation that was never made.
        """

    def page(self, after: tuple[SubjectId, int] | None, limit: int) -> list[WrappedKey]:
        """At most `limit` living keys behind `after`, by subject and generation."""

    def rewrap(self, changes: Sequence[tuple[WrappedKey, WrappedKey]]) -> int:
        """Put the second of each pair in place of the first, where the first is still what stands there, and
        overwrite it. The key is the same one, so when it was made stays.

        Returns how many were replaced. Raises Conflict as `put` does.
        """

    def wrapping_keys(self) -> list[WrappingKey]:
        """Those that are not retired, by number; the last is the one to use."""

    def add_wrapping_key(self, after: int, source: str, wrapped: bytes, at: Instant) -> WrappingKey:
        """Keep a new one, the one to use from now on. Raises Conflict if the last is not number `after`
        (0: there is none), because somebody else was faster."""

    def retire(self, number: int) -> None:
        """Overwrite a wrapping key. Raises Conflict if it is the last one or a living key lies under it,
        NotFound.
        """

    def renewal(self) -> Instant:
        """Data keys made before this are followed by a new generation when their subject is next sealed for."""

    def renew_before(self, at: Instant) -> None:
        """Set `renewal`, unless it is later already. Changes the revision."""

    def total(self) -> Count:
        """How many keys there are. Takes a while where there are millions."""

    def revision(self) -> int:
        """Changes whenever a key is destroyed, a wrapping key comes or goes, or `renewal` is another, also by
        another process."""

    def wipe(self) -> bool:
        """Whether no byte of what was overwritten is left in the store's files; tries to see to it."""

    def close(self) -> None:
        """Give everything back. The store is not used again."""


class MemoryKeyStore:
    """`KeyStore` for tests and for data that ends with the process."""

    def __init__(self) -> None:
        self._keys: dict[SubjectId, dict[int, WrappedKey]] = {}
        self._tombstones: dict[SubjectId, Tombstone] = {}
        self._wrapping: dict[int, WrappingKey] = {}
        self._revision, self._renewal = 0, Instant(0)
        self._lock = Lock()

    def find(self, subjects: Iterable[SubjectId]) -> dict[SubjectId, Ring]:
        with self._lock:
            return {subject: self._ring(subject) for subject in subjects}

    def put(self, keys: Sequence[WrappedKey]) -> list[WrappedKey | None]:
        with self._lock:
            self._check(key.wrapping for key in keys)
            return [
                None
                if self._destroyed(key.subject) >= key.generation
                else self._keys.setdefault(key.subject, {}).setdefault(key.generation, key)
                for key in keys
            ]

    def destroy(self, subjects: Iterable[SubjectId], at: Instant, *, through: int = 0) -> list[Tombstone]:
        with self._lock:
            return [self._destroy(subject, at, through) for subject in subjects]

    def page(self, after: tuple[SubjectId, int] | None, limit: int) -> list[WrappedKey]:
        with self._lock:
            places = sorted((key.subject, key.generation) for key in self._living())
            wanted = [place for place in places if after is None or place > after][:limit]
            return [self._keys[subject][generation] for subject, generation in wanted]

    def rewrap(self, changes: Sequence[tuple[WrappedKey, WrappedKey]]) -> int:
        with self._lock:
            self._check(new.wrapping for _, new in changes)
            held = [
                (old, new)
                for old, new in changes
                if self._keys.get(old.subject, {}).get(old.generation) == old
            ]
            for old, new in held:
                self._keys[old.subject][old.generation] = msgspec.structs.replace(
                    old, wrapping=new.wrapping, wrapped=new.wrapped
                )
            return len(held)

    def wrapping_keys(self) -> list[WrappingKey]:
        with self._lock:
            return [self._wrapping[number] for number in sorted(self._wrapping)]

    def add_wrapping_key(self, after: int, source: str, wrapped: bytes, at: Instant) -> WrappingKey:
        with self._lock:
            if max(self._wrapping, default=0) != after:
                raise Conflict(f"there is another wrapping key behind number {after}")
            made = WrappingKey(after + 1, source, wrapped, at)
            self._wrapping[made.number] = made
            self._revision += 1
            return made

    def retire(self, number: int) -> None:
        with self._lock:
            if number not in self._wrapping:
                raise NotFound(f"there is no wrapping key {number}")
            if number == max(self._wrapping) or any(key.wrapping == number for key in self._living()):
                raise Conflict(f"wrapping key {number} is in use")
            del self._wrapping[number]
            self._revision += 1

    def renewal(self) -> Instant:
        return self._renewal

    def renew_before(self, at: Instant) -> None:
        with self._lock:
            if at > self._renewal:
                self._renewal = at
                self._revision += 1

    def total(self) -> Count:
        with self._lock:
            return Count(sum(1 for _ in self._living()), len(self._tombstones))

    def revision(self) -> int:
        return self._revision

    def wipe(self) -> bool:
        return True

    def close(self) -> None:
        pass

    def _ring(self, subject: SubjectId) -> Ring:
        mine = self._keys.get(subject, {})
        return Ring(tuple(mine[generation] for generation in sorted(mine)), self._tombstones.get(subject))

    def _living(self) -> Iterator[WrappedKey]:
        return (key for mine in self._keys.values() for key in mine.values())

    def _destroyed(self, subject: SubjectId) -> int:
        tombstone = self._tombstones.get(subject)
        return tombstone.through if tombstone else 0

    def _destroy(self, subject: SubjectId, at: Instant, through: int) -> Tombstone:
        made = buried(subject, self._ring(subject), at, through)
        if self._tombstones.get(subject) != made:
            self._tombstones[subject] = made
            self._revision += 1
        mine = self._keys.get(subject, {})
        for generation in [generation for generation in mine if generation <= made.through]:
            del mine[generation]
        return made

    def _check(self, numbers: Iterable[int]) -> None:
        for number in {*numbers} - self._wrapping.keys():
            raise Conflict(f"wrapping key {number} is retired")


def buried(subject: SubjectId, ring: Ring, at: Instant, through: int) -> Tombstone:
    """The tombstone that stands after destroying `ring` through a generation (0: all, and at least the first).

    Raises NotFound for a generation that was never made: it would forbid keys of the future.
    """
    if through > ring.highest:
        raise NotFound(f"generation {through} was never made, the highest is {ring.highest}")
    last = through or max(ring.highest, 1)
    if ring.tombstone is not None and ring.tombstone.through >= last:
        return ring.tombstone
    return Tombstone(subject, last, at)
