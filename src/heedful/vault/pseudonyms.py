"""Keyed names: who somebody is inside, so that no view holds a raw id.

BLAKE2b keyed (RFC 7693, section 2.9). The key is made once per data folder; without it neither a pseudonym
nor a fingerprint can be computed from an id, and two installations do not share pseudonyms.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from heedful.vocabulary.ids import EventId, ItemId, SubjectId


class Pseudonyms:
    """Turns ids into keyed hashes. `key` is 32 bytes and secret."""

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise ValueError("the pseudonym key must be 32 bytes")
        self._subject = blake2b(digest_size=16, key=key, person=b"subject")
        self._event = blake2b(digest_size=8, key=key, person=b"event")
        self._item = blake2b(digest_size=8, key=key, person=b"item")
        self._order = blake2b(digest_size=8, key=key, person=b"order")
        self._lot = blake2b(digest_size=8, key=key, person=b"lot")
        self._mark = blake2b(digest_size=8, key=key, person=b"mark")
        self._return = blake2b(digest_size=16, key=key, person=b"return")
        self._generations: dict[SubjectId, int] = {}

    def user(self, user_id: str) -> SubjectId:
        """The subject of a user id, 16 bytes."""
        hashed = self._subject.copy()
        hashed.update(b"u" + user_id.encode())
        return self._now(SubjectId(hashed.digest()))

    def anonymous(self, anonymous_id: str) -> SubjectId:
        """The subject of an anonymous id, 16 bytes. Never equal to a user's."""
        hashed = self._subject.copy()
        hashed.update(b"a" + anonymous_id.encode())
        return self._now(SubjectId(hashed.digest()))

    def forgotten(self, first: SubjectId, generation: int) -> None:
        """From now on the id whose first pseudonym is `first` has its pseudonym of `generation`, from 0.

        Going back is ignored: who was forgotten never gets an old pseudonym again.
        """
        self._generations[first] = max(generation, self._generations.get(first, 0))

    def generation(self, first: SubjectId) -> int:
        """Which generation an id has come to, by its first pseudonym."""
        return self._generations.get(first, 0)

    def first(self, *, user: str = "", anonymous: str = "") -> SubjectId:
        """The first pseudonym of an id, whatever was forgotten since."""
        hashed = self._subject.copy()
        hashed.update(b"u" + user.encode() if user else b"a" + anonymous.encode())
        return SubjectId(hashed.digest())

    def origin(self, subject: SubjectId) -> SubjectId:
        """The first pseudonym of the id whose pseudonym of today is `subject`."""
        for first, generation in self._generations.items():
            if self.later(first, generation) == subject:
                return first
        return subject

    def later(self, first: SubjectId, generation: int) -> SubjectId:
        """The pseudonym of a generation, of an id whose first one is `first`. Says nothing of the others."""
        if generation == 0:
            return first
        hashed = self._return.copy()
        hashed.update(first + generation.to_bytes(4, "big"))
        return SubjectId(hashed.digest())

    def _now(self, first: SubjectId) -> SubjectId:
        if not self._generations:
            return first
        return self.later(first, self._generations.get(first, 0))

    def mark(self, event: EventId) -> str:
        """33 characters that stand in the log for the id of a purged event: a tilde, the fingerprint, and 64 more
        keyed bits, so that no other id is taken for a repeat of it."""
        hashed = self._mark.copy()
        hashed.update(event.encode())
        return f"~{self.fingerprint(event):016x}{hashed.hexdigest()}"

    def fingerprint(self, event: EventId) -> int:
        """64 bits that stand for an event id inside views and decide ties between equal times."""
        hashed = self._event.copy()
        hashed.update(event.encode())
        return int.from_bytes(hashed.digest(), "little")

    def fingerprints(self, events: Iterable[EventId]) -> bytes:
        """The fingerprints of many events, 8 bytes each, little-endian, in order."""
        digests: list[bytes] = []
        empty, keep = self._event.copy, digests.append
        for event in events:
            hashed = empty()
            hashed.update(event.encode())
            keep(hashed.digest())
        return b"".join(digests)

    def item_key(self, item: ItemId) -> int:
        """64 bits that stand for an item in digests and decide ties between equal scores."""
        hashed = self._item.copy()
        hashed.update(item.encode())
        return int.from_bytes(hashed.digest(), "little")

    def order_key(self, order: str) -> int:
        """64 bits that stand for an order id."""
        hashed = self._order.copy()
        hashed.update(order.encode())
        return int.from_bytes(hashed.digest(), "little")

    def lot(self, salt: str, subject: SubjectId) -> int:
        """64 bits that fall to a subject for the purpose `salt`, uniform, and independent between salts."""
        hashed = self._lot.copy()
        hashed.update(subject + salt.encode())
        return int.from_bytes(hashed.digest(), "little")
