"""Who changed what in the administration, in a chain that shows every later change to it.

An entry holds digests of what was before and after, never the thing itself, so no secret and no personal value
stands in it. Each entry's hash covers the one before it: taking out, adding, swapping or altering an entry breaks
the chain there, and a cut-off end shows against a head that was kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Protocol

import msgspec

from heedful.vocabulary.time import Clock, Instant

START = "0" * 64
"""What stands before the first entry."""


class AuditEntry(msgspec.Struct, frozen=True):
    """One act. actor: who did it, as `person:ada`, `key:shop` or `terminal`. action: a verb, as `key.revoke`.

    object: what it was done to, as `key:3f2a90c1d4e5`. before, after: SHA-256 digests (`digest`) of its state, ""
    where there was none.
    """

    at: Instant
    actor: str
    action: str
    object: str
    before: str = ""
    after: str = ""


class Chain(Protocol):
    """What keeps bodies in a hash chain. The ledger of the records is one."""

    def append(self, body: bytes) -> str:
        """Keep `body` after all others, durably; returns the hash of the new head. Raises RecordsUnavailable."""


class Audit:
    """Writes entries into a chain."""

    def __init__(self, chain: Chain, clock: Clock) -> None:
        self._chain = chain
        self._clock = clock

    def tell(
        self, actor: str, action: str, object_: str, *, before: object = None, after: object = None
    ) -> str:
        """Keep one act; returns the chain's new head. `before` and `after` are anything that is JSON to msgspec.

        Raises RecordsUnavailable: an act that cannot be kept must not be done, so tell of it first.
        """
        entry = AuditEntry(
            self._clock.now(), plain(actor), plain(action), plain(object_), digest(before), digest(after)
        )
        return self._chain.append(msgspec.json.encode(entry))


class MemoryChain:
    """A chain without a disk: for an engine that keeps nothing, and for tests."""

    def __init__(self) -> None:
        self.links: list[tuple[bytes, str]] = []

    @property
    def head(self) -> str:
        """The hash of the last entry; `START` while there is none."""
        return self.links[-1][1] if self.links else START

    def append(self, body: bytes) -> str:
        """Keep `body` after all others."""
        self.links.append((body, link(self.head, body)))
        return self.head

    def entries(self) -> Sequence[AuditEntry]:
        """Every entry, oldest first."""
        return [msgspec.json.decode(body, type=AuditEntry) for body, _ in self.links]


def link(previous: str, body: bytes) -> str:
    """The hash of an entry: SHA-256 over the hash before it and the body, in hexadecimal."""
    return sha256(previous.encode("ascii") + body).hexdigest()


def broken(links: Iterable[tuple[bytes, str]], head: str | None = None) -> int | None:
    """The place of the first (body, hash) that does not follow from those before it; None if all do.

    head: the hash that the last one must have, from wherever it was kept; a chain that ends elsewhere is broken at
    its end.
    """
    previous, place = START, 0
    for place, (body, hash_) in enumerate(links, 1):
        if hash_ != link(previous, body):
            return place - 1
        previous = hash_
    return place if head is not None and previous != head else None


def digest(value: object) -> str:
    """SHA-256 of `value` as JSON with sorted keys, in hexadecimal; "" of None."""
    if value is None:
        return ""
    return sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def plain(text: str) -> str:
    """`text` without control characters, at most 200 characters: one entry is one line wherever it is shown."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])
