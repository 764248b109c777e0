"""Master keys: what closes the wrapping keys, and so everything else.

A master key closes no data key itself: it closes a few wrapping keys, and those close the data keys
(`wrapping`). So a key service is asked once in a while and not once a person, and a change of master key
closes a handful of keys. A key in a file or in the environment works alone; those of key services are in
`key_services`.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from heedful.vault.secret import installation_secret
from heedful.vocabulary.errors import Corrupt, Invalid, SettingsError

SIZE = 32
NONCE = 12


class Source(msgspec.Struct, frozen=True):
    """Which master key it is, without saying anything of it.

    kind: `file`, `environment`, `aws` or `google`.
    name: for people: the path, the variable, or the service's name of the key.
    id: the same key has the same id wherever it comes from; stands beside what it closed.
    """

    kind: str
    name: str
    id: str


class MasterKey(Protocol):
    """A key that is used where it is."""

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """`key` (at most 64 bytes) closed; only the same `context` (at most 1 KiB) opens it.

        Raises KeyUnavailable.
        """

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """What `wrap` closed. Raises KeyUnavailable, or Corrupt if it was another key, context or content."""

    def describe(self) -> Source:
        """Which key this is. Never asks a service."""


class Masters(msgspec.Struct, frozen=True):
    """The master key in use, and those that still open what they closed before it."""

    current: MasterKey
    older: Sequence[MasterKey] = ()

    def of(self, source: str) -> MasterKey:
        """The one with this id. Raises SettingsError if it is not among them."""
        for master in (self.current, *self.older):
            if master.describe().id == source:
                return master
        raise SettingsError(
            f"keys are closed by the master key {source}, which is not configured: add it as an older one"
        )


class LocalKey:
    """A master key in memory: AES-256-GCM with a random nonce of 96 bits, which stands before the result.

    NIST SP 800-38D, 8.3 allows 2^32 such nonces under a key; a master key closes a few keys in its life.
    """

    def __init__(self, key: bytes, kind: str, name: str) -> None:
        """Raises ValueError unless `key` has 32 bytes."""
        if len(key) != SIZE:
            raise ValueError("a master key has 32 bytes")
        self._cipher = AESGCM(key)
        mark = blake2b(digest_size=8, key=key, person=b"heedful master").hexdigest()
        self._source = Source(kind, name, f"local:{mark}")

    def wrap(self, key: bytes, context: bytes) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + self._cipher.encrypt(nonce, key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        try:
            return self._cipher.decrypt(wrapped[:NONCE], wrapped[NONCE:], context)
        except (InvalidTag, ValueError) as error:
            raise Corrupt(f"{self._source.name} does not open a key that it should") from error

    def describe(self) -> Source:
        return self._source


def environment_key(variable: str, environment: Mapping[str, str] | None = None) -> LocalKey:
    """The key in an environment variable: base64 (RFC 4648, section 4) of exactly 32 bytes.

    Raises SettingsError, which does not repeat what stands there.
    """
    text = (os.environ if environment is None else environment).get(variable, "")
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != SIZE:
        raise SettingsError(
            f"{variable} must be base64 of exactly 32 bytes; make one: openssl rand -base64 32"
        )
    return LocalKey(key, "environment", variable)


class KeyFolder:
    """Master keys in files `master.1.key`, `master.2.key`, …: the highest is in use, the others open what is
    old.

    A file has 32 random bytes and mode 0600; one that others may read is refused.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def masters(self, *, create: bool = True) -> Masters:
        """All keys there are; the first is made now if there is none and `create` is True.

        Raises SettingsError if there is none, or if one is not usable.
        """
        numbers = self.numbers()
        if not numbers and not create:
            raise SettingsError(
                f"there is no master key in {self._folder}. The data cannot be read without it: "
                "restore it from a backup"
            )
        *older, current = [self._key(number) for number in numbers or [1]]
        return Masters(current, tuple(reversed(older)))

    def add(self) -> Masters:
        """Make the next key. A rotation then closes with it what the others closed. Raises SettingsError."""
        numbers = self.numbers()
        self._key(numbers[-1] + 1 if numbers else 1)
        return self.masters()

    def remove(self, source: Source) -> None:
        """Overwrite and delete the file of an older key, once nothing is closed by it.

        On a drive that writes elsewhere than it says (flash, copy on write) a copy may stay: this is no
        reason to keep fewer promises, and no promise. Raises Invalid for the key in use and for one that is
        not here.
        """
        numbers = self.numbers()
        for number in numbers[:-1]:
            if self._key(number).describe().id == source.id:
                path = self._path(number)
                with path.open("r+b", buffering=0) as file:
                    file.write(secrets.token_bytes(SIZE))
                    os.fsync(file.fileno())
                path.unlink()
                return
        raise Invalid("master_key_invalid", f"{source.name} is not an older key in {self._folder}")

    def numbers(self) -> list[int]:
        """The numbers of the files there are, ascending."""
        if not self._folder.exists():
            return []
        found = (re.fullmatch(r"master\.([1-9]\d{0,8})\.key", path.name) for path in self._folder.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def _key(self, number: int) -> LocalKey:
        path = self._path(number)
        return LocalKey(installation_secret(path), "file", str(path))

    def _path(self, number: int) -> Path:
        return self._folder / f"master.{number}.key"
