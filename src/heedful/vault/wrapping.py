"""Wrapping keys: they close data keys, and a master key closes them.

An opened wrapping key is held for a lease and no longer, so that switching the master key off takes effect
within that time. Before a lease ends it can be renewed in the background; if the master key does not answer,
the lease goes on to its end, and after that nothing opens. A master key that failed is left alone for a
moment, so that a service that is away does not make each event wait for it.

AES-256-GCM closes data keys, not AES key wrap (RFC 3394), because it binds whose key it is: a wrapped key put in
another's place does not open.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from threading import RLock

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from heedful.vault.key_store import KeyStore, WrappedKey, WrappingKey
from heedful.vault.master import NONCE, SIZE, MasterKey, Masters
from heedful.vocabulary.errors import Conflict, Corrupt, KeyUnavailable, SettingsError
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import Instant

LEASE_SECONDS = 3_600.0
PAUSE_SECONDS = 1.0
RETRY_SECONDS = 5

Monotonic = Callable[[], float]
"""Seconds that never go back."""


class Lease(msgspec.Struct, frozen=True):
    """An opened wrapping key, and until when it may be used."""

    number: int
    cipher: AESGCM
    until: float

    def close(self, key: bytes, subject: SubjectId, generation: int, at: Instant) -> WrappedKey:
        """A data key, closed: a random nonce of 96 bits and what AES-256-GCM makes, 60 bytes.

        SP 800-38D allows 2^32 random nonces under a key: change the wrapping key before that many data keys.
        """
        nonce = os.urandom(NONCE)
        wrapped = nonce + self.cipher.encrypt(nonce, key, _context(subject, generation))
        return WrappedKey(subject, generation, self.number, wrapped, at)

    def open(self, key: WrappedKey) -> bytes:
        """The data key. Raises Corrupt."""
        context = _context(key.subject, key.generation)
        try:
            return self.cipher.decrypt(key.wrapped[:NONCE], key.wrapped[NONCE:], context)
        except (InvalidTag, ValueError) as error:
            raise Corrupt(
                f"the key of subject {key.subject.hex()}, generation {key.generation}, does not open"
            ) from error


class WrappingKeys:
    """The wrapping keys of a store, opened when needed. May be used from several threads.

    lease: seconds that an opened one may be used. pause: seconds for which a failed master key is not asked
    again. again: reads the master keys again, where a wrapping key lies under one that is not known yet.
    tended: whether somebody calls `renew` in the background; then nobody else waits for a master key whose lease
    has ended.
    """

    def __init__(
        self,
        store: KeyStore,
        masters: Masters,
        *,
        lease: float = LEASE_SECONDS,
        pause: float = PAUSE_SECONDS,
        monotonic: Monotonic = time.monotonic,
        again: Callable[[], Masters] | None = None,
    ) -> None:
        self.tended = False
        self._store, self.masters, self._again = store, masters, again
        self._ended: set[int] = set()
        self._lease, self._pause, self._monotonic = lease, pause, monotonic
        self._known: dict[int, WrappingKey] = {}
        self._leases: dict[int, Lease] = {}
        self._failed: dict[str, tuple[float, KeyUnavailable]] = {}
        self._lock = RLock()

    def current(self, at: Instant) -> Lease:
        """The one to close with; the first is made at `at` if there is none. Raises KeyUnavailable."""
        with self._lock:
            if not self._known:
                self.reload()
            while not self._known:
                self.make(0, at)
            return self.of(max(self._known))

    def of(self, number: int) -> Lease:
        """The one with this number. Raises KeyUnavailable, Corrupt, or SettingsError if its master is not
        here.
        """
        with self._lock:
            held = self._leases.get(number)
            if held is not None and self._monotonic() < held.until:
                return held
            if held is not None:
                del self._leases[number]
                self._ended.add(number)
            if self.tended and number in self._ended:
                raise KeyUnavailable(
                    "the lease of the keys has ended, and the master key does not answer",
                    retry_after=RETRY_SECONDS,
                )
            if number not in self._known:
                self.reload()
            if number not in self._known:
                raise Corrupt(f"a key lies under wrapping key {number}, which is not there")
            return self._renew(self._known[number])

    def make(self, after: int, at: Instant) -> None:
        """Make one under the master key in use, unless another process was faster. Raises KeyUnavailable.

        It is opened once before anything depends on it: what a master key returns is not taken on trust.
        """
        key = os.urandom(SIZE)
        master = self.masters.current
        source, context = master.describe().id, _number(after + 1)
        with self._lock:
            wrapped = self._asking(source, lambda: master.wrap(key, context))
            if self._asking(source, lambda: master.unwrap(wrapped, context)) != key:
                raise Corrupt(f"the master key {source} does not give back what it was given")
            with suppress(Conflict):  # then theirs counts
                self._store.add_wrapping_key(after, source, wrapped, at)
            self.reload()

    def renew(self) -> None:
        """Ask for every lease anew, without ending those there are. Raises KeyUnavailable if one was not given.

        To be called at the start, where it finds out whether the right master keys are here (SettingsError,
        Corrupt), and then in the background, a few times a lease.
        """
        self.reload()
        for key in self.known():
            self._renew(key)

    def reload(self) -> None:
        """Read again which there are, and forget the leases of those that are not."""
        with self._lock:
            self._known = {key.number: key for key in self._store.wrapping_keys()}
            self._leases = {number: one for number, one in self._leases.items() if number in self._known}

    def known(self) -> list[WrappingKey]:
        """Those that are not retired, by number."""
        return [self._known[number] for number in sorted(self._known)]

    def _renew(self, key: WrappingKey) -> Lease:
        master = self._master(key.source)
        asked = self._monotonic()
        opened = self._asking(key.source, lambda: master.unwrap(key.wrapped, _number(key.number)))
        lease = Lease(key.number, AESGCM(opened), asked + self._lease)
        with self._lock:
            if key.number in self._known:
                self._leases[key.number] = lease
                self._ended.discard(key.number)
        return lease

    def _master(self, source: str) -> MasterKey:
        try:
            return self.masters.of(source)
        except SettingsError:
            if self._again is None:
                raise
            self.masters = self._again()
            return self.masters.of(source)

    def _asking(self, source: str, question: Callable[[], bytes]) -> bytes:
        """The answer of a master key, or its last failure again while that is fresh."""
        until, failure = self._failed.get(source, (0.0, None))
        if failure is not None and self._monotonic() < until:
            raise KeyUnavailable(str(failure), retry_after=failure.retry_after)
        try:
            answer = question()
        except KeyUnavailable as error:
            self._failed[source] = (self._monotonic() + self._pause, error)
            raise
        self._failed.pop(source, None)
        return answer


def _context(subject: SubjectId, generation: int) -> bytes:
    return b"heedful data key 1" + generation.to_bytes(4, "big") + subject


def _number(number: int) -> bytes:
    return b"heedful wrapping key 1" + number.to_bytes(8, "big")
