"""Records to the columns of a stored row and back, under one checksum.

The checksum is CRC-32 (ISO 3309, zlib's polynomial) over the MessagePack of every other column, so it covers
the place, each type, each length and each byte. A purged row has no body and a checksum of its own, so that a
body lost to damage is told apart from one destroyed on purpose.
"""

from __future__ import annotations

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


def purged(row: Row) -> Row:
    """`row` without its body. A row that is damaged stays recognisably damaged."""
    columns = (*row[:7], None)
    return (*columns, crc32(_pack(columns)) if intact(row) else row[8])


def intact(row: Row) -> bool:
    """Whether the checksum of `row` holds."""
    return crc32(_pack(row[:8])) == row[8]


def from_row(row: Row) -> Stored | None:
    """The record in `row`, None if it was purged. Raises Corrupt, naming the position."""
    if crc32(_pack(row[:8])) != row[8]:
        raise Corrupt(f"the record at position {row[0]} fails its checksum")
    offset, event, subject, at, client, sent, received, body, _ = row
    if body is None:
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
        if body is not None:
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
