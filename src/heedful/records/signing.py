"""Signatures over what leaves us as proof: heads of ledgers, and receipts.

Ed25519 (RFC 8032) where others must be able to check without being able to sign; HMAC-SHA-256 (RFC 2104) where the
`cryptography` package is missing, or one secret for both is enough.
"""

from __future__ import annotations

import hmac
from hashlib import blake2b, sha256
from typing import Protocol

from heedful.vocabulary.errors import SettingsError

_SEED = 32


class Signer(Protocol):
    """Signs, and knows its own signatures. key_id: 16 hexadecimal digits that name the key."""

    algorithm: str
    key_id: str

    def sign(self, message: bytes) -> bytes:
        """The signature of `message`."""

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is ours over `message`."""


class HmacSigner:
    """One secret signs and checks. secret: at least 32 bytes."""

    algorithm = "hmac-sha256"

    def __init__(self, secret: bytes) -> None:
        _check(secret)
        self._secret = secret
        self.key_id = sha256(b"heedful key id" + secret).hexdigest()[:16]

    def sign(self, message: bytes) -> bytes:
        return hmac.digest(self._secret, message, "sha256")

    def verifies(self, message: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(self.sign(message), signature)


class Ed25519Signer:
    """A key pair made from 32 secret bytes. `public`: 32 bytes that anybody may have, to check with."""

    algorithm = "ed25519"

    def __init__(self, secret: bytes) -> None:
        """Raises SettingsError where the `cryptography` package is missing."""
        _check(secret)
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        except ImportError as error:
            raise SettingsError("Ed25519 needs the package cryptography; install it, or use HMAC") from error
        self._key = Ed25519PrivateKey.from_private_bytes(secret[:_SEED])
        self.public: bytes = self._key.public_key().public_bytes_raw()
        self.key_id = sha256(self.public).hexdigest()[:16]

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def verifies(self, message: bytes, signature: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.public_key().verify(signature, message)
        except InvalidSignature:
            return False
        return True


def signer(secret: bytes, use: str) -> Signer:
    """The best signer that can be had, with a key of its own for `use`, derived from a folder's secret."""
    derived = blake2b(use.encode(), digest_size=_SEED, key=secret[:64], person=b"signature").digest()
    try:
        return Ed25519Signer(derived)
    except SettingsError:
        return HmacSigner(derived)


def _check(secret: bytes) -> None:
    if len(secret) < _SEED:
        raise ValueError("a signing secret has at least 32 bytes")
