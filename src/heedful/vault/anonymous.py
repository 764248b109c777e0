"""Anonymous ids that this server gave out, and nobody else could have made up.

A browser that is not logged in may read what is recommended to its anonymous id only if the id is one of these:
`a1.` + 128 random bits + `.` + a keyed hash of them. The hash is HMAC-SHA256 (RFC 2104) cut to 128 bits, under a
key that is derived from the installation's secret for this use only.
"""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from hashlib import blake2b, sha256

_SHAPE = re.compile(r"a1\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{22})")


class AnonymousIds:
    """Makes and checks signed anonymous ids. secret: the installation's 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise ValueError("the installation's secret must be 32 bytes")
        self._key = blake2b(b"anonymous ids", key=secret, person=b"derive", digest_size=32).digest()

    def issue(self) -> str:
        """A new signed id. All of it is the proof; `read` gives the id that events carry."""
        identity = _text(secrets.token_bytes(16))
        return f"a1.{identity}.{self._signature(identity)}"

    def read(self, signed: str) -> str | None:
        """The anonymous id in `signed`, or None if this server did not sign it."""
        parts = _SHAPE.fullmatch(signed)
        if parts is None or not hmac.compare_digest(self._signature(parts[1]), parts[2]):
            return None
        return parts[1]

    def _signature(self, identity: str) -> str:
        return _text(hmac.digest(self._key, identity.encode("ascii"), sha256)[:16])


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
