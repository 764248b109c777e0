"""Sealed bodies: what happened, readable as long as the subject's key exists and no longer.

A sealed body is `version (1) | generation (4) | nonce (12) | ciphertext | tag (16)`: 33 bytes more than the
body. AES-256-GCM (NIST SP 800-38D) binds it to its subject, its generation, its event id and what it is
(`context`), so that no body passes for another's. Where it lies is not bound: a log may be copied.

The nonce is a keyed hash of everything that is sealed, in the manner of SIV (Rogaway and Shrimpton, 2006):
the same event sealed twice under one key is the same bytes, so that a log that cannot read bodies still knows
a repeat from a conflict. Two different messages share a nonce with a chance of n^2 / 2^97 for n messages of
one subject.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.exceptions import InvalidTag

from heedful.vault.keys import VERSION, DataKey, Held, Keys
from heedful.vocabulary.errors import Corrupt, KeyDestroyed
from heedful.vocabulary.ids import EventId, SubjectId

OVERHEAD = 33
_HEAD, _NONCE = 5, 17

Entry = tuple[EventId, SubjectId, bytes]
"""An event's id, its subject, and its body: plain to seal, sealed to open."""


class Cipher:
    """Seals and opens under the subjects' keys.

    context: what is sealed, as `b"event"` or `b"traits"`; at most 255 bytes. Another context does not open it.
    """

    def __init__(self, keys: Keys, context: bytes = b"event") -> None:
        self._keys = keys
        self._context = bytes([len(context)]) + context

    def seal(self, event: EventId, subject: SubjectId, body: bytes) -> bytes:
        """`body`, sealed. Raises KeyDestroyed, or KeyUnavailable: nothing may be written then."""
        sealed = self.seal_many([(event, subject, body)])[0]
        if sealed is None:
            raise KeyDestroyed(f"the key of subject {subject.hex()} was destroyed: nothing is written for it")
        return sealed

    def open(self, event: EventId, subject: SubjectId, sealed: bytes) -> bytes:
        """What `seal` was given. Raises KeyDestroyed, KeyUnavailable, or Corrupt if one bit is another."""
        body = self.open_many([(event, subject, sealed)])[0]
        if body is None:
            raise KeyDestroyed(f"the key of subject {subject.hex()} was destroyed: this stays closed")
        return body

    def seal_many(self, entries: Sequence[Entry]) -> list[bytes | None]:
        """Each body sealed, None where the subject's key was destroyed. Raises KeyUnavailable, for all of them.

        Keys that are missing are made in one durable write.
        """
        keys = self._keys.sealing({entry[1] for entry in entries})
        context = self._context
        sealed: list[bytes | None] = []
        keep = sealed.append
        for event, subject, body in entries:
            key = keys[subject]
            if key is None:
                keep(None)
                continue
            bound = key.mark + context + event.encode()
            hashed = key.nonces.copy()
            hashed.update(len(bound).to_bytes(4, "big") + bound + body)
            nonce = hashed.digest()
            keep(key.head + nonce + key.cipher.encrypt(nonce, body, bound))
        return sealed

    def open_many(self, entries: Sequence[Entry]) -> list[bytes | None]:
        """Each body, None where its key was destroyed. Raises KeyUnavailable or Corrupt, naming the event."""
        rings = self._keys.opening({entry[1] for entry in entries})
        self._keys.open_all(rings)
        context = self._context
        bodies: list[bytes | None] = []
        keep = bodies.append
        for event, subject, sealed in entries:
            held = rings[subject]
            key = held.opened.get(sealed[:_HEAD]) or self._other(held, event, subject, sealed)
            if key is None:
                keep(None)
                continue
            bound = key.mark + context + event.encode()
            try:
                keep(key.cipher.decrypt(sealed[_HEAD:_NONCE], sealed[_NONCE:], bound))
            except (InvalidTag, ValueError) as error:
                raise Corrupt(f"the body of event {event} is not what was sealed") from error
        return bodies

    def _other(self, held: Held, event: EventId, subject: SubjectId, sealed: bytes) -> DataKey | None:
        """A key that was not opened yet."""
        try:
            return self._keys.key(held, subject, sealed[:_HEAD])
        except Corrupt as error:
            raise Corrupt(f"the body of event {event} does not open: {error}") from error


def is_sealed(body: bytes) -> bool:
    """Whether `body` begins as a sealed one does. One in the clear, which begins with its version, never does."""
    return len(body) >= OVERHEAD and body[0] == VERSION
