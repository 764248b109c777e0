"""A row is the record that was framed, or it is Corrupt."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.log import frame
from heedful.vocabulary.errors import Corrupt, Invalid
from heedful.vocabulary.event import Position, Record, Stored

whole = st.integers(-(1 << 63), (1 << 63) - 1)
offsets = st.integers(1, 1 << 47)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
records = st.builds(
    Record, id=texts, subject=st.sampled_from([b"", bytes(16), b"s" * 16]),
    at=whole, client=whole, sent=whole, received=whole, body=st.binary(max_size=60),
)  # fmt: skip
MARK = "~" + "0123456789abcdef" * 2

columns = st.none() | whole | texts | st.binary(max_size=60) | st.floats()


@given(offsets, records)
@settings(max_examples=100, deadline=None)
def test_a_record_comes_back_from_its_row(offset: int, record: Record) -> None:
    row = frame.to_row(offset, record)
    assert frame.from_row(row) == Stored(Position(offset), record)
    assert frame.from_rows([row], offset) == [Stored(Position(offset), record)]
    assert frame.from_row(frame.purged(row, MARK)) is None
    assert frame.from_rows([frame.purged(row, MARK)], offset) == []


@given(offsets, records, st.integers(0, 8), columns, st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_row_with_any_other_column_is_corrupt(
    offset: int, record: Record, place: int, other: Any, purged: bool
) -> None:
    row = frame.to_row(offset, record)
    row = frame.purged(row, MARK) if purged else row
    changed: Any = (*row[:place], other, *row[place + 1 :])
    if type(other) is type(row[place]) and other == row[place]:
        return
    with pytest.raises(Corrupt, match="position"):
        frame.from_row(changed)
    with pytest.raises(Corrupt, match=f"position {offset}"):
        frame.from_rows([changed], offset)


@given(offsets, records, st.data())
@settings(max_examples=150, deadline=None)
def test_a_flipped_bit_of_the_body_is_corrupt(offset: int, record: Record, data: st.DataObject) -> None:
    row = frame.to_row(offset, record)
    if not record.body:
        return
    body = bytearray(record.body)
    body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    changed: Any = (*row[:7], bytes(body), row[8])
    with pytest.raises(Corrupt, match=f"position {offset} fails its checksum"):
        frame.from_row(changed)
    assert not frame.intact(frame.purged(changed, MARK)), "purging must not make a damaged row look whole"


@given(st.lists(records, min_size=2, max_size=5), st.integers(0, 4))
@settings(max_examples=50, deadline=None)
def test_a_row_that_is_missing_is_corrupt(some: list[Record], gone: int) -> None:
    rows = frame.to_rows(7, some)
    gone %= len(rows) - 1
    with pytest.raises(Corrupt, match=f"position {7 + gone} is missing"):
        frame.from_rows(rows[:gone] + rows[gone + 1 :], 7)


@pytest.mark.parametrize("name", ["at", "client", "sent", "received"])
@pytest.mark.parametrize("value", [1 << 63, -(1 << 63) - 1, 1 << 80])
def test_a_time_beyond_64_bits_is_invalid(name: str, value: int) -> None:
    times = {"at": 0, "client": 0, "sent": 0, "received": 0} | {name: value}
    with pytest.raises(Invalid, match="64 bits"):
        frame.to_row(1, Record("a", b"", **times, body=b""))  # type: ignore[arg-type]  # plain values


def test_rows_written_by_the_first_version_stay_whole() -> None:
    """The checksum of a stored row may never change its meaning: these figures stand in files."""
    row = (7, "web:é", bytes(range(16)), 1_700_000_000_000_000, -1, 0, 2**62, b"body", GOLDEN)
    assert frame.intact(row)  # type: ignore[arg-type]  # plain values
    assert not frame.intact((*row[:8], GOLDEN ^ 1))  # type: ignore[arg-type]  # plain values
    assert frame.from_row((*row[:7], None, GOLDEN_PURGED)) is None  # type: ignore[arg-type]  # plain values


@given(offsets, records)
@settings(max_examples=200, deadline=None)
def test_a_purged_row_is_as_long_as_the_one_it_replaces(offset: int, record: Record) -> None:
    row = frame.to_row(offset, record)
    size, blank = frame._size(row), frame.purged(row, MARK)
    assert frame.is_purged(blank)
    assert frame._size(blank) == size or size < 64
    assert record.id not in blank[1:2]
    assert not any(blank[3:6])
    assert not (blank[7] or b"").strip(b"\0")


GOLDEN = 2078583098
GOLDEN_PURGED = 3993140845
