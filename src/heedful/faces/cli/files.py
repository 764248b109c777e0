"""Files to import, plain or compressed, read to their end: one that stops too early is damaged, not short."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from zstandard import ZstdDecompressor, ZstdError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, ZstdError)
"""What reading raises where a compressed file is not what its writer wrote."""

_CHUNK = 1 << 14


def opened(file: Path) -> io.BufferedReader:
    """The file's bytes, decompressed by its ending (.gz, .zst). Reading raises one of `DAMAGED`."""
    if file.suffix == ".gz":
        return io.BufferedReader(gzip.open(file))
    if file.suffix == ".zst":
        return io.BufferedReader(_Frames(file), 1 << 20)
    return file.open("rb")


class _Frames(io.RawIOBase):
    """All Zstandard frames of a file, one after another (RFC 8878, section 3). The library's own reader stops
    after the first, and takes the end of the file for the end of a frame."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("rb")
        self._frame = ZstdDecompressor().decompressobj()
        self._inside = False
        self._packed = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while not self._ready:
            packed = self._packed or self._file.read(_CHUNK)
            if not packed:
                if self._inside:
                    raise EOFError("the file ends too early")
                return 0
            self._ready = memoryview(self._frame.decompress(packed))
            self._inside, self._packed = not self._frame.eof, self._frame.unused_data
            if self._frame.eof:
                self._frame = ZstdDecompressor().decompressobj()
        into = memoryview(buffer).cast("B")
        size = min(len(into), len(self._ready))
        into[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def close(self) -> None:
        self._file.close()
        super().close()
