"""A log as it stood at one moment."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heedful.log.cursor import Cursor
from heedful.log.partitioned import PartitionedLog
from heedful.log.until import Until
from heedful.vocabulary.event import Record
from heedful.vocabulary.ids import EventId, SubjectId
from heedful.vocabulary.time import Instant


def records(first: int, count: int) -> list[Record]:
    now = Instant(1)
    return [
        Record(EventId(f"s:{n}"), SubjectId(n.to_bytes(16, "big")), now, now, Instant(0), now, b"x")
        for n in range(first, first + count)
    ]


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 7))
def test_what_comes_later_is_not_read_in_whatever_portions(before: int, later: int, limit: int) -> None:
    log = PartitionedLog()
    log.append(records(0, before))
    then = Until(log, log.end())
    log.append(records(before, later))
    cursor = Cursor()
    ids: set[str] = set()
    while batch := then.read(cursor, limit=limit):
        for one in batch:
            ids.add(one.record.id)
            cursor = cursor.advanced(one.position)
    assert ids == {f"s:{n}" for n in range(before)}
    assert cursor.covers(then.end())
