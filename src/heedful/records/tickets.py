"""Tickets: addresses that only somebody with a key was told, for callers that can send no header.

A ticket is the key's id and a keyed hash of it (HMAC-SHA256, RFC 2104, cut to 128 bits), under a key that is
derived from the installation's secret for this use only. Nothing is kept: the same key gets the same ticket after
a restart, and it works as long as the key does.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from hashlib import blake2b, sha256

_SHAPE = re.compile(r"([0-9a-f]{12})\.([A-Za-z0-9_-]{22})")


class Tickets:
    """Makes and reads tickets. secret: 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        self._key = blake2b(b"tickets", key=secret, person=b"derive", digest_size=32).digest()

    def of(self, key_id: str) -> str:
        """The ticket of a key; `key_id` as `Key.id` has it."""
        return f"{key_id}.{self._signature(key_id)}"

    def read(self, ticket: str) -> str | None:
        """The id of the key that a ticket is of, or None if it is none of ours."""
        parts = _SHAPE.fullmatch(ticket)
        if parts is None or not hmac.compare_digest(self._signature(parts[1]), parts[2]):
            return None
        return parts[1]

    def _signature(self, key_id: str) -> str:
        digest = hmac.digest(self._key, key_id.encode("ascii"), sha256)[:16]
        return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
