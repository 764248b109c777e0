"""Data keys: one for each subject, so that destroying it makes everything sealed under it unreadable,
wherever it lies.

A key is 256 random bits, made when a subject is first written for, and durable before anything is sealed
under it. Subjects may get a new generation; the old ones go on opening what they sealed. Opened keys are held
in memory, at most so many and so long, and never past the lease of the wrapping key they lay under. Python
cannot overwrite an object it no longer needs: a key that was held may stand in this process's memory until
the memory is used again.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from threading import RLock

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from heedful.vault.key_store import HIGHEST_GENERATION, KeyStore, Ring, Tombstone, WrappedKey
from heedful.vault.master import SIZE
from heedful.vault.wrapping import Lease, Monotonic, WrappingKeys
from heedful.vocabulary.errors import Conflict, Corrupt, Invalid, KeyDestroyed, KeyUnavailable
from heedful.vocabulary.ids import NOBODY, SubjectId
from heedful.vocabulary.time import Clock, Instant

HELD = 20_000
"""About 4 KB each, most of it what the AES library keeps."""
SECONDS = 900.0
VERSION = 0x81
"""Of the form of what is sealed; its first byte. Bodies in the clear begin with a version below 0x80."""

_ATTEMPTS = 3


class DataKey(msgspec.Struct, gc=False, eq=False):
    """An opened data key. Tens of thousands are held, and the garbage collector need not look at one.

    head: what stands before everything sealed under it: the version and the generation, 5 bytes.
    mark: what everything sealed under it is bound to: `head`, and the subject with its length.
    cipher: AES-256-GCM under it.
    """

    generation: int
    head: bytes
    mark: bytes
    cipher: AESGCM
    _secret: bytes
    _nonces: blake2b | None = None

    @staticmethod
    def of(subject: SubjectId, generation: int, secret: bytes) -> DataKey:
        """The key `secret`, 32 bytes."""
        start = head(generation)
        return DataKey(generation, start, start + bytes([len(subject)]) + subject, AESGCM(secret), secret)

    @property
    def nonces(self) -> blake2b:
        """A keyed hash of 96 bits to copy and feed (RFC 7693), under a key that is used for nothing else."""
        if self._nonces is None:
            self._nonces = blake2b(digest_size=12, key=self.derive(b"nonces"), person=b"heedful nonce")
        return self._nonces

    def derive(self, purpose: bytes, salt: bytes = b"") -> bytes:
        """A key of 32 bytes for `purpose` (at most 16 bytes) and `salt`; says nothing of this one."""
        return blake2b(salt, digest_size=32, key=self._secret, person=purpose).digest()


def head(generation: int) -> bytes:
    """The first 5 bytes of what is sealed under a key of this generation."""
    return bytes([VERSION]) + generation.to_bytes(4, "big")


class Held(msgspec.Struct, gc=False, eq=False):
    """What is known of a subject, for a while. `opened` has the keys that were needed, by `DataKey.head`."""

    ring: Ring
    until: float
    opened: dict[bytes, DataKey] = {}
    newest: DataKey | None = None


class Keys:
    """The data keys of all subjects. May be used from several threads; processes may share a store.

    held: how many subjects' keys stay in memory. seconds: how long one does.
    renew_before: a key made before this instant is followed by a new generation when its subject is next
    sealed for; also one made before the store's `renewal`.
    """

    def __init__(
        self,
        store: KeyStore,
        wrapping: WrappingKeys,
        clock: Clock,
        *,
        held: int = HELD,
        seconds: float = SECONDS,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self.renew_before: Instant | None = None
        self._store, self._wrapping, self._clock, self._monotonic = store, wrapping, clock, monotonic
        self._most, self._seconds = held, seconds
        self._held: OrderedDict[SubjectId, Held] = OrderedDict()
        self._revision, self._renewal = -1, Instant(0)
        self._lock = RLock()

    def opening(self, subjects: Iterable[SubjectId]) -> dict[SubjectId, Held]:
        """What is known of each of `subjects`, as of now: a key that anybody destroyed before is not there.

        Raises KeyUnavailable.
        """
        with self._lock:
            now = self._monotonic()
            self._notice()
            found, missing = {}, []
            for subject in {*subjects}:
                one = self._held.get(subject)
                if one is None or one.until <= now:
                    missing.append(subject)
                else:
                    self._held.move_to_end(subject)
                    found[subject] = one
            if missing:
                until = now + self._seconds
                for subject, ring in self._store.find(missing).items():
                    found[subject] = self._hold(subject, Held(ring, until))
            return found

    def open_all(self, rings: Mapping[SubjectId, Held]) -> None:
        """Open the key of everybody in `rings` who has just one, which is nearly everybody, in one go; what cannot
        be opened so is left to `key`."""
        with self._lock:
            leases: dict[int, Lease] = {}
            for subject, held in rings.items():
                if held.opened or len(held.ring.keys) != 1:
                    continue
                (wrapped,) = held.ring.keys
                lease = leases.get(wrapped.wrapping)
                if lease is None:
                    lease = leases[wrapped.wrapping] = self._wrapping.of(wrapped.wrapping)
                with suppress(Corrupt):
                    key = DataKey.of(subject, wrapped.generation, lease.open(wrapped))
                    held.opened[key.head] = key
                    held.until = min(held.until, lease.until)

    def key(self, held: Held, subject: SubjectId, start: bytes) -> DataKey | None:
        """The key whose `head` is `start`, None if it was destroyed.

        Raises KeyUnavailable, or Corrupt if there never was such a key.
        """
        with self._lock:
            opened = held.opened.get(start)
            if opened is not None:
                return opened
            if len(start) != 5 or start[0] != VERSION:
                raise Corrupt("what should be sealed is not, or in a form of another version")
            generation = int.from_bytes(start[1:], "big")
            for wrapped in held.ring.keys:
                if wrapped.generation == generation:
                    return self._open(held, wrapped)
            if held.ring.tombstone is not None and generation <= held.ring.tombstone.through:
                return None
            raise Corrupt(f"there is no key of generation {generation} for subject {subject.hex()}")

    def sealing(self, subjects: Iterable[SubjectId]) -> dict[SubjectId, DataKey | None]:
        """The newest key of each of `subjects`, made now and durable where there is none; None where it was
        destroyed.

        Raises KeyUnavailable: nothing may be written then.
        """
        with self._lock:
            rings = self.opening(subjects)
            wanted = {subject: one.ring.highest + 1 for subject, one in rings.items() if self._due(one)}
            if wanted:
                rings |= self._make(wanted)
            return {subject: self._newest(one) for subject, one in rings.items()}

    def renew(self, subject: SubjectId, *, returning: bool = False) -> DataKey:
        """Give `subject` a new generation; the first if it has none.

        returning: also one whose keys were destroyed. Else that raises KeyDestroyed. Raises KeyUnavailable.
        """
        with self._lock:
            for _ in range(_ATTEMPTS):
                ring = self.opening([subject])[subject].ring
                if ring.tombstone is not None and not ring.keys and not returning:
                    raise KeyDestroyed("the keys of this subject were destroyed")
                wanted = ring.highest + 1
                self._make({subject: wanted})
                made = self._newest(self.opening([subject])[subject])
                if made is not None and made.generation >= wanted:
                    return made
            raise KeyUnavailable("other processes change this subject's keys", retry_after=1)

    def destroy(self, subjects: Sequence[SubjectId], *, through: int = 0) -> list[Tombstone]:
        """Destroy the keys of `subjects` up to generation `through` (0: all). Durable when it returns; again
        is harmless.

        Raises KeyUnavailable, and then says nothing of whether it happened: do it again. Raises Invalid for
        `NOBODY`, under whose key lies what is about no person, and NotFound for a generation that never was.
        """
        if NOBODY in subjects:
            raise Invalid("subject_invalid", "what is about nobody is not forgotten with a person")
        with self._lock:
            try:
                return self._store.destroy(subjects, self._clock.now(), through=through)
            finally:
                for subject in subjects:
                    self._held.pop(subject, None)

    def wipe(self) -> bool:
        """Whether no byte of a destroyed key is left in the store's files; tries to see to it."""
        return self._store.wipe()

    def forget(self) -> None:
        """Hold no opened key any more."""
        with self._lock:
            self._held.clear()

    def __len__(self) -> int:
        """How many subjects' keys are held."""
        return len(self._held)

    def _notice(self) -> None:
        """Hold nothing that may have been destroyed, or wrapped anew under another key, since."""
        revision = self._store.revision()
        if revision != self._revision:
            self._held.clear()
            self._wrapping.reload()
            self._renewal = self._store.renewal()
            self._revision = revision

    def _hold(self, subject: SubjectId, one: Held) -> Held:
        self._held[subject] = one
        if len(self._held) > self._most:
            self._held.popitem(last=False)
        return one

    def _due(self, one: Held) -> bool:
        """Whether a new key is to be made before the next sealing."""
        if not one.ring.keys:
            return one.ring.tombstone is None
        return one.ring.keys[-1].created < max(self.renew_before or self._renewal, self._renewal)

    def _newest(self, one: Held) -> DataKey | None:
        if one.newest is None and one.ring.keys:
            wrapped = one.ring.keys[-1]
            one.newest = one.opened.get(head(wrapped.generation)) or self._open(one, wrapped)
        return one.newest

    def _make(self, wanted: dict[SubjectId, int]) -> dict[SubjectId, Held]:
        """Make a key of the wanted generation for each, unless somebody was faster or destroyed it."""
        if max(wanted.values()) > HIGHEST_GENERATION:
            raise Invalid("subject_invalid", "a subject has at most 2^32 - 1 generations of keys")
        at = self._clock.now()
        for _ in range(_ATTEMPTS):
            lease = self._wrapping.current(at)
            secrets = {subject: os.urandom(SIZE) for subject in sorted(wanted)}
            made = [lease.close(secret, subject, wanted[subject], at) for subject, secret in secrets.items()]
            try:
                stored = self._store.put(made)
            except Conflict:  # a rotation retired the wrapping key that we knew
                self._wrapping.reload()
                continue
            before = {subject: self._held.pop(subject, None) for subject in wanted}
            rings: dict[SubjectId, Held] = {}
            until = min(self._monotonic() + self._seconds, lease.until)
            for key, standing in zip(made, stored, strict=True):
                old = before[key.subject]
                if old is not None and standing == key:
                    held = Held(Ring((*old.ring.keys, key), old.ring.tombstone), until)
                    held.newest = DataKey.of(key.subject, key.generation, secrets[key.subject])
                    held.opened[held.newest.head] = held.newest
                    rings[key.subject] = self._hold(key.subject, held)
            return rings | self.opening(wanted.keys() - rings.keys())
        raise KeyUnavailable("the wrapping keys change too fast", retry_after=1)

    def _open(self, held: Held, wrapped: WrappedKey) -> DataKey | None:
        """Open a key; as it stands now, if a rotation was faster; None if it was destroyed meanwhile."""
        try:
            lease = self._wrapping.of(wrapped.wrapping)
            secret = lease.open(wrapped)
        except Corrupt:
            ring = self._store.find([wrapped.subject])[wrapped.subject]
            now = next((key for key in ring.keys if key.generation == wrapped.generation), None)
            if now is None and ring.tombstone is not None:
                return None
            if now is None or now == wrapped:
                raise
            self._wrapping.reload()
            lease = self._wrapping.of(now.wrapping)
            secret = lease.open(now)
        key = DataKey.of(wrapped.subject, wrapped.generation, secret)
        held.opened[key.head] = key
        held.until = min(held.until, lease.until)
        return key


class Rotation:
    """Changes the wrapping key, and with it the master key, while everything goes on.

    `begin` makes a new wrapping key under the master key in use; `step` closes with it, a few at a time, what
    lies under older ones, and retires those at the end. Both can be read meanwhile. All there is to know
    stands in the store, so a process that dies is followed by `step`, in the same process or another, without
    `begin`.
    """

    def __init__(self, store: KeyStore, wrapping: WrappingKeys, clock: Clock) -> None:
        self._store, self._wrapping, self._clock = store, wrapping, clock
        self._after: tuple[SubjectId, int] | None = None

    def begin(self) -> None:
        """Make a new wrapping key, the one to use from now on. Raises KeyUnavailable."""
        self._wrapping.reload()
        known = self._wrapping.known()
        self._wrapping.make(known[-1].number if known else 0, self._clock.now())

    def due(self) -> bool:
        """Whether the wrapping key in use lies under another master key than the one in use."""
        known = self._store.wrapping_keys()
        return bool(known) and known[-1].source != self._wrapping.masters.current.describe().id

    def unfinished(self) -> bool:
        """Whether there is something for `step` to do."""
        return len(self._store.wrapping_keys()) > 1

    def step(self, limit: int = 500) -> int:
        """Close up to `limit` keys anew; how many it was. `unfinished` says whether to go on. Raises
        KeyUnavailable.
        """
        self._wrapping.reload()
        lease = self._wrapping.current(self._clock.now())
        page = self._store.page(self._after, limit)
        changes = [
            (
                old,
                lease.close(
                    self._wrapping.of(old.wrapping).open(old), old.subject, old.generation, old.created
                ),
            )
            for old in page
            if old.wrapping != lease.number
        ]
        done = self._store.rewrap(changes) if changes else 0
        self._after = (page[-1].subject, page[-1].generation) if page else None
        if not page:
            self._retire(lease.number)
        return done

    def run(self, limit: int = 500) -> Iterator[int]:
        """`step` until nothing is left, giving what each did."""
        while self.unfinished():
            yield self.step(limit)

    def _retire(self, current: int) -> None:
        for key in self._wrapping.known():
            if key.number != current:
                try:
                    self._store.retire(key.number)
                except Conflict:
                    continue  # a slower process closed a key with it meanwhile: the next round finds it
        self._wrapping.reload()
