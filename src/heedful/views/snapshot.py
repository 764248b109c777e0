"""A fold's whole state in one file, so that a second start reads arrays instead of the log.

Layout: 8 bytes of magic, 8 bytes header length, a JSON header, then each array padded to 64 bytes. The
header names every array with its type, shape, offset and SHA-256, and ends in a SHA-256 of itself. Never a
pickle. A file that fails any check raises Corrupt and the caller takes the one before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from heedful.vocabulary.errors import Corrupt

_MAGIC = b"HEEDSNP1"
_ALIGN = 64
_ALLOWED = frozenset({"|b1", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f4", "<f8"})


class _Entry(msgspec.Struct, frozen=True):
    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    sha256: str


class Header(msgspec.Struct, frozen=True):
    """What a snapshot is of. `key` changes whenever the meaning of the arrays changes.

    erased: the number of the last forgetting that was taken out of it.
    """

    key: str
    cursor: tuple[int, ...]
    floor: int
    arrays: tuple[_Entry, ...] = ()
    erased: int = 0


def chunks(
    key: str, cursor: tuple[int, ...], floor: int, arrays: Mapping[str, NDArray[Any]], *, erased: int = 0
) -> Iterator[bytes | memoryview]:
    """The bytes of a snapshot, in pieces, without copying the arrays.

    Raises ValueError for an array of a type that is not plain numbers.
    """
    flat = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    for name, array in flat.items():
        if array.dtype.str not in _ALLOWED:
            raise ValueError(f"array {name} has type {array.dtype}, which a snapshot does not hold")
    views = {name: array.reshape(-1).view(np.uint8).data for name, array in flat.items()}
    with ThreadPoolExecutor(2) as pool:
        sums = dict(zip(views, pool.map(_sha256, views.values()), strict=True))
    entries = []
    offset = 0
    for name, array in flat.items():
        entries.append(_Entry(name, array.dtype.str, array.shape, offset, sums[name]))
        offset += _padded(array.nbytes)
    header = msgspec.json.encode(Header(key, cursor, floor, tuple(entries), erased))
    yield _MAGIC + len(header).to_bytes(8, "little") + header + hashlib.sha256(header).digest()
    for name, array in flat.items():
        yield views[name]
        yield bytes(_padded(array.nbytes) - array.nbytes)


def read(path: Path) -> tuple[Header, dict[str, NDArray[Any]]]:
    """The header and the arrays, writable and owned by the caller. Raises Corrupt; OSError if unreadable."""
    with path.open("rb") as file:
        return read_from(file, path.name)


def read_header(path: Path) -> tuple[Header, int]:
    """The header, and where the arrays start in the file. Raises Corrupt."""
    with path.open("rb") as file:
        return header_from(file, path.name)


def read_from(file: BinaryIO, name: str) -> tuple[Header, dict[str, NDArray[Any]]]:
    """As `read`, of an open file that stands at its start. name: for the message of what is raised."""
    header, start = header_from(file, name)
    arrays: dict[str, NDArray[Any]] = {}
    for entry in header.arrays:
        array = _empty(entry, name)
        file.seek(start + entry.offset)
        if file.readinto(array.reshape(-1).view(np.uint8).data) != array.nbytes:  # type: ignore[attr-defined]  # files do
            raise Corrupt(f"snapshot {name} ends inside array {entry.name}")
        arrays[entry.name] = array
    with ThreadPoolExecutor(2) as pool:
        sums = pool.map(_sha256, [array.reshape(-1).view(np.uint8).data for array in arrays.values()])
        for entry, found in zip(header.arrays, sums, strict=True):
            if found != entry.sha256:
                raise Corrupt(f"snapshot {name}: array {entry.name} fails its checksum")
    return header, arrays


def header_from(file: BinaryIO, name: str) -> tuple[Header, int]:
    """As `read_header`, of an open file that stands at its start."""
    if file.read(8) != _MAGIC:
        raise Corrupt(f"{name} is not a snapshot")
    size = int.from_bytes(file.read(8), "little")
    if size > 1 << 24:
        raise Corrupt(f"snapshot {name} has a header of {size} bytes")
    text, check = file.read(size), file.read(32)
    if hashlib.sha256(text).digest() != check:
        raise Corrupt(f"snapshot {name}: the header fails its checksum")
    try:
        return msgspec.json.decode(text, type=Header), 16 + size + 32
    except msgspec.DecodeError as error:
        raise Corrupt(f"snapshot {name}: the header does not read: {error}") from error


def _empty(entry: _Entry, name: str) -> NDArray[Any]:
    if entry.dtype not in _ALLOWED or any(length < 0 for length in entry.shape):
        raise Corrupt(f"snapshot {name}: array {entry.name} is of no known type")
    return np.empty(entry.shape, dtype=np.dtype(entry.dtype))


def _padded(size: int) -> int:
    return -(-size // _ALIGN) * _ALIGN


def _sha256(data: memoryview) -> str:
    return hashlib.sha256(data).hexdigest()
