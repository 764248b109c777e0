"""Records to the columns of a stored row and back, under one checksum.

The checksum is CRC-32 (ISO 3309, zlib's polynomial) over the MessagePack of every other column, so it covers
the place, each type, each length and each byte.

A purged row says nothing but its place and a keyed hash of the event's id, by which a late repeat is known. Its
subject is `PURGED`, its times are zero, and its body is as many zero bytes as make it exactly as long as the row
that it replaces: SQLite writes such a row over the old one in its place, while a shorter row would make it move
others, and what is moved leaves a copy behind, also with `secure_delete`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from zlib import crc32

import msgspec

from heedful.vocabulary.errors import Corrupt, Invalid
from heedful.vocabulary.event import Position, Record, Stored
from heedful.vocabulary.ids import EventId, SubjectId
from heedful.vocabulary.time import Instant

Row = tuple[int, EventId, SubjectId, Instant, Instant, Instant, Instant, bytes | None, int]
"""offset, id, subject, at, client, sent, received, body (None when purged), checksum."""

_pack = msgspec.msgpack.Encoder().encode
_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1

PURGED = SubjectId(b"\0")
"""The subject of a purged row. A pseudonym has 16 bytes, and nobody has none."""

MARK = re.compile("~[0-9a-f]{32}")
"""What stands for the id of a purged event; a key's id, with which every other id begins, has no tilde."""

_FILLERS = (0, *range(2, 60))
_SHORT = 1 << 30
_SHIFTS = (0, -2, -1, 1, -3, 2)
"""How many more zeros than where the checksum is one of four bytes: half of them take six."""


def to_row(offset: int, record: Record) -> Row:
    """The row of `record` at `offset`. Raises Invalid for a time beyond 64 bits or an id that is no text."""
    columns = (offset, *_envelope(record), record.body)
    try:
        return (*columns, crc32(_pack(columns)))
    except UnicodeEncodeError as error:
        raise Invalid("record_invalid", f"the event id is not valid text: {error.reason}") from error


def to_rows(first: int, records: Sequence[Record]) -> list[Row]:
    """The rows of `records` at `first`, `first` + 1, … Raises as `to_row` does."""
    return [to_row(offset, record) for offset, record in enumerate(records, first)]


def purged(row: Row, mark: str) -> Row:
    """`row` with nothing left but its place and `mark`. A row that is damaged stays recognisably damaged."""
    target, whole = _size(row), intact(row)
    for filler in _FILLERS:
        guess = target - _size((*_columns(row, mark, filler, 0), _SHORT))
        for shift in _SHIFTS:
            if guess + shift >= 0:
                made = _blank(row, mark, filler, guess + shift, whole=whole)
                if _size(made) == target:
                    return made
    return _blank(row, mark, 0, 0, whole=whole)  # a row of a few bytes: it has to shrink or to grow


def _columns(
    row: Row, mark: str, filler: int, zeros: int
) -> tuple[int, EventId, SubjectId, Instant, Instant, Instant, Instant, bytes]:
    return row[0], EventId(mark), PURGED, Instant(0), Instant(0), Instant(0), Instant(filler), bytes(zeros)


def _blank(row: Row, mark: str, filler: int, zeros: int, *, whole: bool) -> Row:
    columns = _columns(row, mark, filler, zeros)
    return (*columns, crc32(_pack(columns)) ^ (not whole))


def is_purged(row: Row) -> bool:
    """Whether `row` was purged. Before marks a purged row kept its envelope and had no body."""
    return row[7] is None or row[2] == PURGED


def _size(row: Row) -> int:
    """Bytes of `row` as a record of SQLite (sqlite.org/fileformat2.html, section 2.1)."""
    _, event, subject, at, client, sent, received, body, checksum = row
    header = 1  # the offset is the row's key, and stands as NULL in its record
    content = 0
    for number in (at, client, sent, received, checksum):
        header += 1
        content += _int_size(number)
    for size in (len(event.encode()), len(subject), len(body or b"")):
        header += _varint_size(2 * size + 13)
        content += size
    header += _varint_size(header + 1)
    return header + content


def _int_size(number: int) -> int:
    if number in (0, 1):
        return 0
    bits = (number if number >= 0 else ~number).bit_length() + 1
    return next(size for size in (1, 2, 3, 4, 6, 8) if bits <= 8 * size)


def _varint_size(number: int) -> int:
    return max(1, -(-number.bit_length() // 7))


def intact(row: Row) -> bool:
    """Whether the checksum of `row` holds."""
    return crc32(_pack(row[:8])) == row[8]


def from_row(row: Row) -> Stored | None:
    """The record in `row`, None if it was purged. Raises Corrupt, naming the position."""
    if crc32(_pack(row[:8])) != row[8]:
        raise Corrupt(f"the record at position {row[0]} fails its checksum")
    offset, event, subject, at, client, sent, received, body, _ = row
    if body is None or subject == PURGED:
        return None
    return Stored(Position(offset), Record(event, subject, at, client, sent, received, body))


def from_rows(rows: Iterable[Row], first: int) -> list[Stored]:
    """The records of consecutive `rows`, which must lie at `first`, `first` + 1, …, purged ones left out.

    Raises Corrupt, naming the position, for a row that fails its checksum or is missing.
    """
    found: list[Stored] = []
    keep, pack, checksum = found.append, _pack, crc32
    for expected, row in enumerate(rows, first):
        if row[0] != expected:
            raise Corrupt(f"the record at position {expected} is missing")
        if checksum(pack(row[:8])) != row[8]:
            raise Corrupt(f"the record at position {expected} fails its checksum")
        body = row[7]
        if body is not None and row[2] != PURGED:
            record = Record(row[1], row[2], row[3], row[4], row[5], row[6], body)
            keep(Stored(Position(expected), record))
    return found


def _envelope(record: Record) -> tuple[EventId, SubjectId, Instant, Instant, Instant, Instant]:
    at, client, sent, received = record.at, record.client, record.sent, record.received
    if not (
        _LOWEST <= at <= _HIGHEST
        and _LOWEST <= client <= _HIGHEST
        and _LOWEST <= sent <= _HIGHEST
        and _LOWEST <= received <= _HIGHEST
    ):
        raise Invalid("record_invalid", "a time of the event does not fit 64 bits")
    return record.id, record.subject, at, client, sent, received
