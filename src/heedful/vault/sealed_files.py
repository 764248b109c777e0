"""Sealed files: snapshots and exports hold many people at once, so they lie under keys of their own that end
soon.

A file is 32 bytes of head and then chunks of 64 KiB, each closed by AES-256-GCM under a key of the file
alone, with its number and whether it is the last one bound to it: the STREAM construction (Hoang,
Reyhanitabar, Rogaway, Vizár: "Online authenticated-encryption and its nonce-reuse misuse-resistance", 2015).
A file that was cut, lengthened, put in another order or renamed does not open.

Files of one epoch, at most seven days, share the key from which theirs are made. Destroying an epoch's key
makes all its files unreadable, the copies in backups too. The keys are data keys of one subject that is
nobody's.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from heedful.vault.key_store import Tombstone
from heedful.vault.keys import DataKey, Keys, head
from heedful.vocabulary.errors import Corrupt, KeyDestroyed, KeyUnavailable
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import DAY, Clock

MAGIC = b"HEEDSEA1"
CHUNK = 1 << 16
EPOCH = 7 * DAY
FILES = SubjectId(b"files")
"""Under whose keys files lie. Pseudonyms have 16 bytes, so that it is nobody's."""

_HEAD, _SALT, _TAG = 32, 16, 16
_PURPOSE = b"heedful file"


class SealedFiles:
    """Seals and opens files under the key of the epoch.

    epoch: microseconds after which the next file begins a new one.
    """

    def __init__(self, keys: Keys, clock: Clock, *, epoch: int = EPOCH) -> None:
        self._keys, self._clock, self._epoch = keys, clock, epoch

    def epoch(self) -> int:
        """The number of the epoch that files sealed now belong to. Raises KeyUnavailable."""
        return self._current().generation

    def seal(
        self, chunks: Iterable[bytes | memoryview], context: bytes, *, epoch: int | None = None
    ) -> Iterator[bytes]:
        """The bytes of a sealed file, in pieces, of a content in pieces of any size.

        context: what the file is, as its name; needed to open it. epoch: the one in which the content was read,
        for a content that took long to make: if it is destroyed meanwhile, so is the file; None for that of now.
        Raises KeyUnavailable, or KeyDestroyed for an epoch that is over, before the first piece.
        """
        key = self._current() if epoch is None else self._of(epoch)
        start = MAGIC + key.generation.to_bytes(4, "big") + CHUNK.to_bytes(4, "big") + os.urandom(_SALT)
        cipher = _FileCipher(key, start, context)
        yield start
        number, waiting = 0, b""
        for piece in _pieces(chunks):
            if number:
                yield cipher.seal(number - 1, waiting, last=False)
            waiting = piece
            number += 1
        yield cipher.seal(max(number - 1, 0), waiting, last=True)

    def open(self, file: BinaryIO, context: bytes) -> SealedReader:
        """The content of a sealed `file`, to read and to seek in. The file stays the caller's to close.

        Raises KeyDestroyed, KeyUnavailable, or Corrupt for a file that is not whole; a chunk that was changed
        raises Corrupt when it is read.
        """
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        start = file.read(_HEAD)
        key = self._of(generation_of(start))
        return SealedReader(file, size, _FileCipher(key, start, context))

    def turn(self) -> int:
        """Begin a new epoch: files made from now on outlive the end of the older ones. Returns its number."""
        return self._keys.renew(FILES).generation

    def destroy_before(self, epoch: int) -> Tombstone | None:
        """Make the files of all epochs before `epoch` unreadable, for ever; None if there are none before it.

        Raises KeyUnavailable, NotFound for an epoch of the future.
        """
        return self._keys.destroy([FILES], through=epoch - 1)[0] if epoch > 1 else None

    def _of(self, epoch: int) -> DataKey:
        held = self._keys.opening([FILES])[FILES]
        key = self._keys.key(held, FILES, head(epoch))
        if key is None:
            raise KeyDestroyed(f"the key of files of epoch {epoch} was destroyed: this stays closed")
        return key

    def _current(self) -> DataKey:
        key = self._keys.sealing([FILES])[FILES]
        if key is None:
            raise KeyUnavailable(
                "the key of this epoch's files was destroyed: turn the epoch", retry_after=None
            )
        ring = self._keys.opening([FILES])[FILES].ring
        if ring.keys[-1].created <= self._clock.now() - self._epoch:
            return self._keys.renew(FILES)
        return key


class SealedReader(io.RawIOBase):
    """The content of a sealed file. `readinto` fills what it is given, unless the content ends."""

    def __init__(self, file: BinaryIO, size: int, cipher: _FileCipher) -> None:
        """Raises Corrupt unless the last chunk says that it is the last."""
        super().__init__()
        self._file, self._cipher = file, cipher
        sealed = CHUNK + _TAG
        self._count = max(1, -(-(size - _HEAD) // sealed))
        self.size = size - _HEAD - self._count * _TAG
        self._place = 0
        self._number, self._chunk = -1, b""
        if self.size < 0:
            raise Corrupt("a sealed file ends too soon")
        self._load(self._count - 1)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError("there is nothing before the start")
        self._place = base + offset
        return self._place

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's WriteableBuffer
        """Raises Corrupt."""
        target = memoryview(buffer).cast("B")
        done = 0
        while done < len(target) and self._place < self.size:
            number, within = divmod(self._place, CHUNK)
            self._load(number)
            part = memoryview(self._chunk)[within : within + len(target) - done]
            target[done : done + len(part)] = part
            done += len(part)
            self._place += len(part)
        return done

    def _load(self, number: int) -> None:
        if number != self._number:
            self._file.seek(_HEAD + number * (CHUNK + _TAG))
            sealed = self._file.read(CHUNK + _TAG)
            self._chunk = self._cipher.open(number, sealed, last=number == self._count - 1)
            self._number = number


class _FileCipher:
    """The key of one file, and what its chunks are bound to besides their places."""

    def __init__(self, key: DataKey, start: bytes, context: bytes) -> None:
        self._cipher = AESGCM(key.derive(_PURPOSE, start[-_SALT:]))
        self._bound = start + len(context).to_bytes(4, "big") + context

    def seal(self, number: int, content: bytes | memoryview, *, last: bool) -> bytes:
        place = _place(number, last)
        return self._cipher.encrypt(place, content, self._bound + place)

    def open(self, number: int, sealed: bytes, *, last: bool) -> bytes:
        place = _place(number, last)
        try:
            return self._cipher.decrypt(place, sealed, self._bound + place)
        except (InvalidTag, ValueError) as error:
            raise Corrupt(f"chunk {number} of a sealed file is not what was sealed there") from error


def generation_of(start: bytes) -> int:
    """The epoch of a sealed file, from its first 32 bytes. Raises Corrupt."""
    if len(start) < _HEAD or start[:8] != MAGIC or int.from_bytes(start[12:16], "big") != CHUNK:
        raise Corrupt("this is not a sealed file")
    return int.from_bytes(start[8:12], "big")


def _place(number: int, last: bool) -> bytes:
    """The nonce of a chunk, unique under a file's key: its number in 11 bytes, and whether it is the last."""
    return number.to_bytes(11, "big") + bytes([last])


def _pieces(chunks: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """The same bytes in pieces of exactly `CHUNK`, the last one shorter or not; none for no bytes."""
    rest = bytearray()
    for chunk in chunks:
        view = memoryview(chunk).cast("B")
        taken = 0
        while taken < len(view):
            part = view[taken : taken + CHUNK - len(rest)]
            rest += part
            taken += len(part)
            if len(rest) == CHUNK:
                yield bytes(rest)
                rest.clear()
    if rest:
        yield bytes(rest)
