"""What every log keeps: each promise of `Log`, `Bodies` and the two-step `Writer`, as tests.

A test class per implementation inherits `LogContract` and gives the fixture `log`. On a log without a unique
index (`exact = False`) a repeat may be stored again, so the suite reads sets and the order per partition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heedful.log.claims import Claims
from heedful.log.commit import Writer
from heedful.log.cursor import Cursor
from heedful.log.log import BodyStore, Log
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.event import MAX_OFFSET, Position, Record, Stored, partition_of, position
from heedful.vocabulary.ids import NOBODY, EventId, SubjectId
from heedful.vocabulary.receipt import Status
from heedful.vocabulary.time import Instant


class Readable(Protocol):
    """All that reading needs."""

    def read(self, after: Cursor, *, limit: int) -> Sequence[Stored]: ...


class AnyLog(Log, BodyStore, Writer, Protocol):
    """All that a log offers."""


def record(name: str, *, subject: int = 1, body: bytes = b"body", sent: int = 5, received: int = 6) -> Record:
    """A record under `name` for the numbered subject; subject 0 is nobody."""
    who = SubjectId(subject.to_bytes(16, "big")) if subject else NOBODY
    return Record(EventId(name), who, Instant(3), Instant(3), Instant(sent), Instant(received), body)


def read_all(log: Readable, *, limit: int = 10_000, after: Cursor | None = None) -> list[Stored]:
    """Everything beyond `after`, each position once; asserts the promises of `read` on the way."""
    cursor = after or Cursor()
    found: dict[Position, Stored] = {}
    while batch := log.read(cursor, limit=limit):
        assert len(batch) <= limit
        last: dict[int, Position] = {}
        for stored in batch:
            partition = partition_of(stored.position)
            assert stored.position >= last.get(partition, 0), "not ascending within the partition"
            assert not cursor.covers(Cursor().advanced(stored.position)), "read a second time"
            assert found.setdefault(stored.position, stored) == stored
            last[partition] = stored.position
        for place in last.values():
            cursor = cursor.advanced(place)
    return list(found.values())


class LogContract:
    """The suite. `exact`: whether a repeat of an id is noticed by the log itself."""

    exact = True

    @pytest.fixture
    def log(self) -> AnyLog:
        raise NotImplementedError

    def test_what_was_appended_is_read(self, log: AnyLog) -> None:
        records = [record(f"e{i}", subject=i % 5) for i in range(50)]
        receipts = log.append(records)
        assert [receipt.status for receipt in receipts] == [Status.ACCEPTED] * 50
        expected = {receipt.position: kept for receipt, kept in zip(receipts, records, strict=True)}
        assert {stored.position: stored.record for stored in read_all(log)} == expected

    def test_records_of_one_subject_keep_their_order(self, log: AnyLog) -> None:
        for i in range(10):
            log.append([record(f"e{i}.{subject}", subject=subject) for subject in range(4)])
        for subject in range(1, 4):
            mine = [s for s in read_all(log) if s.record.subject == record("", subject=subject).subject]
            ordered = sorted(mine, key=lambda stored: stored.position)
            assert [stored.record.id for stored in ordered] == [f"e{i}.{subject}" for i in range(10)]

    def test_offsets_start_at_one_and_have_no_gaps(self, log: AnyLog) -> None:
        for i in range(7):
            log.append([record(f"e{i}.{j}", subject=j) for j in range(6)])
        places = {receipt.position for receipt in (stored for stored in read_all(log))}
        by_partition: dict[int, list[int]] = {}
        for place in sorted(places):
            by_partition.setdefault(partition_of(place), []).append(place & MAX_OFFSET)
        assert all(offsets == list(range(1, len(offsets) + 1)) for offsets in by_partition.values())

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 10_000])
    def test_reading_in_pieces_gives_everything(self, log: AnyLog, limit: int) -> None:
        log.append([record(f"e{i}", subject=i) for i in range(60)])
        assert {stored.record.id for stored in read_all(log, limit=limit)} == {f"e{i}" for i in range(60)}

    def test_a_reader_goes_on_where_it_stopped(self, log: AnyLog) -> None:
        log.append([record(f"a{i}", subject=i) for i in range(20)])
        middle = log.end()
        log.append([record(f"b{i}", subject=i) for i in range(20)])
        assert {stored.record.id for stored in read_all(log, after=middle)} == {f"b{i}" for i in range(20)}

    def test_the_end_covers_everything_stored_and_nothing_lies_beyond(self, log: AnyLog) -> None:
        assert log.end() == Cursor()
        receipts = log.append([record(f"e{i}", subject=i) for i in range(20)])
        assert all(log.end().covers(Cursor().advanced(receipt.position)) for receipt in receipts)
        assert not log.read(log.end(), limit=10)

    def test_an_empty_log_and_an_empty_append_give_nothing(self, log: AnyLog) -> None:
        assert not log.read(Cursor(), limit=10)
        assert list(log.append([])) == []
        assert log.end() == Cursor()

    def test_a_repeat_is_a_duplicate_and_adds_nothing(self, log: AnyLog) -> None:
        first = log.append([record("a"), record("b")])
        again = log.append([record("b"), record("c"), record("a")])
        assert {stored.record.id for stored in read_all(log)} == {"a", "b", "c"}
        if self.exact:
            assert [r.status for r in again] == [Status.DUPLICATE, Status.ACCEPTED, Status.DUPLICATE]
            assert (again[0].position, again[2].position) == (first[1].position, first[0].position)
            assert len(read_all(log)) == 3

    def test_a_repeat_may_differ_in_when_it_was_sent_and_arrived(self, log: AnyLog) -> None:
        log.append([record("a", sent=1, received=2)])
        (again,) = log.append([record("a", sent=11, received=12)])
        if self.exact:
            assert again.status is Status.DUPLICATE
            assert [stored.record.sent for stored in read_all(log)] == [1]

    def test_another_body_under_one_id_is_refused(self, log: AnyLog) -> None:
        first = log.append([record("a", body=b"one")])
        (other, fine) = log.append([record("a", body=b"two"), record("b")])
        assert fine.status is Status.ACCEPTED
        if self.exact:
            assert other.status is Status.REFUSED
            assert other.position == first[0].position
            assert {s.record.id: s.record.body for s in read_all(log)} == {"a": b"one", "b": b"body"}

    def test_another_subject_under_one_id_is_refused(self, log: AnyLog) -> None:
        log.append([record("a", subject=1)])
        (other,) = log.append([record("a", subject=2)])
        assert other.status is (Status.REFUSED if self.exact else Status.ACCEPTED)

    def test_repeats_within_one_batch_are_noticed(self, log: AnyLog) -> None:
        receipts = log.append(
            [record("a"), record("b"), record("a"), record("b", body=b"other"), record("c")]
        )
        assert {stored.record.id for stored in read_all(log)} == {"a", "b", "c"}
        if self.exact:
            assert [receipt.status.value for receipt in receipts] == [
                "accepted", "accepted", "duplicate", "refused", "accepted",
            ]  # fmt: skip
            assert receipts[2].position == receipts[0].position
            assert receipts[3].position == receipts[1].position

    def test_what_is_begun_is_read_only_after_commit(self, log: AnyLog) -> None:
        log.append([record("a")])
        end = log.end()
        receipts = log.begin([record("b"), record("c")])
        again = log.begin([record("c")])
        assert {stored.record.id for stored in read_all(log)} == {"a"}
        assert log.end() == end
        assert not log.fetch([receipts[0].position])
        log.commit()
        assert {stored.record.id for stored in read_all(log)} == {"a", "b", "c"}
        if self.exact:
            assert again[0].status is Status.DUPLICATE

    def test_a_commit_of_nothing_is_harmless(self, log: AnyLog) -> None:
        log.commit()
        log.append([record("a")])
        log.commit()
        assert len(read_all(log)) == 1

    def test_records_are_fetched_in_the_order_asked(self, log: AnyLog) -> None:
        records = [record(f"e{i}", subject=i) for i in range(9)]
        places = [receipt.position for receipt in log.append(records)]
        wanted = [places[5], places[0], places[8], places[5]]
        assert [stored.record for stored in log.fetch(wanted)] == [
            records[5], records[0], records[8], records[5],
        ]  # fmt: skip
        assert list(log.fetch([])) == []

    def test_a_record_is_found_by_its_id_through_the_claims_of_a_reader(self, log: AnyLog) -> None:
        """What `Fold.find` does: claims say where an id may stand, the bodies say whether it does."""
        names = [EventId(f"s:{i}") for i in range(40)]
        log.append([record(name, subject=i) for i, name in enumerate(names)])
        claims = Claims()
        for stored in read_all(log):
            # Eight fingerprints for forty ids, so that each is contested.
            mark = np.array([len(stored.record.id) * 7 + int(stored.record.id[2:]) % 8], dtype=np.uint64)
            claims.put_many(mark, np.array([stored.position], dtype=np.int64))
        for name in names:
            holders = claims.holders(len(name) * 7 + int(name[2:]) % 8)
            assert [one.record.id for one in log.fetch(holders)].count(name) == 1
        assert not log.fetch(claims.holders(999))

    def test_places_that_hold_nothing_are_left_out(self, log: AnyLog) -> None:
        log.append([record("a")])
        nowhere = [position(0, 999), position(200, 1), Position(0), position(0, MAX_OFFSET)]
        assert list(log.fetch(nowhere)) == []
        assert log.purge(nowhere) == 0

    def test_purged_records_are_gone_and_the_others_stay(self, log: AnyLog) -> None:
        places = [r.position for r in log.append([record(f"e{i}", subject=i) for i in range(10)])]
        gone = [places[0], places[3], places[9], places[3]]
        assert log.purge(gone) == 3
        assert log.purge(gone) == 0
        kept = {f"e{i}" for i in range(10)} - {"e0", "e3", "e9"}
        assert {stored.record.id for stored in read_all(log)} == kept
        assert {stored.record.id for stored in log.fetch(places)} == kept
        assert log.end().covers(Cursor().advanced(places[9]))

    def test_reading_goes_on_over_a_long_purged_stretch(self, log: AnyLog) -> None:
        places = [r.position for r in log.append([record(f"e{i}") for i in range(50)])]
        log.purge(places[5:45])
        found = {stored.record.id for stored in read_all(log, limit=3)}
        assert found == {f"e{i}" for i in [*range(5), *range(45, 50)]}

    def test_appending_goes_on_after_a_purge(self, log: AnyLog) -> None:
        places = [r.position for r in log.append([record("a"), record("b")])]
        log.purge(places)
        (again, fresh) = log.append([record("a"), record("c")])
        assert fresh.status is Status.ACCEPTED
        assert fresh.position not in places
        if self.exact:
            assert again.status is Status.DUPLICATE
            assert {stored.record.id for stored in read_all(log)} == {"c"}

    @pytest.mark.parametrize(
        "name",
        ["", " ", "a:b:c", "' OR 1=1 --", "\x00", "a\x00b", "é\u0301🎉\u202e", "ﷺ" * 200, "\ufeff\uffff"],
    )
    def test_hostile_ids_are_kept_as_they_are(self, log: AnyLog, name: str) -> None:
        wanted = [record(name), record(name + "x")]
        log.append(wanted)
        assert {stored.record.id for stored in read_all(log)} == {name, name + "x"}
        if self.exact:
            assert log.append([record(name)])[0].status is Status.DUPLICATE

    @pytest.mark.parametrize("size", [0, 1, 4_096, 1_000_000])
    def test_bodies_of_any_size_come_back_whole(self, log: AnyLog, size: int) -> None:
        body = bytes(i * 7 % 251 for i in range(size))
        (receipt,) = log.append([record("a", body=body)])
        assert log.fetch([receipt.position])[0].record.body == body
        assert read_all(log)[0].record.body == body

    def test_times_may_be_anything_that_fits_64_bits(self, log: AnyLog) -> None:
        low, high = Instant(-(1 << 63)), Instant((1 << 63) - 1)
        odd = Record(EventId("a"), NOBODY, low, high, Instant(0), Instant(-1), b"")
        log.append([odd])
        assert [stored.record for stored in read_all(log)] == [odd]

    @pytest.mark.parametrize(
        "bad",
        [
            Record(EventId("bad"), NOBODY, Instant(1 << 63), Instant(0), Instant(0), Instant(0), b""),
            Record(EventId("bad"), NOBODY, Instant(0), Instant(0), Instant(0), Instant(-(1 << 63) - 1), b""),
            Record(EventId("\ud800"), NOBODY, Instant(0), Instant(0), Instant(0), Instant(0), b""),
        ],
    )
    def test_a_record_that_cannot_be_kept_is_refused_whole(self, log: AnyLog, bad: Record) -> None:
        log.begin([record("begun")])
        with pytest.raises(Invalid, match=r"64 bits|valid text"):
            log.begin([record("a"), bad])
        log.commit()
        assert [stored.record.id for stored in read_all(log)] == ["begun"]
        assert log.append([record("a")])[0].status is Status.ACCEPTED

    def test_many_records_come_back(self, log: AnyLog) -> None:
        for start in range(0, 12_000, 3_000):
            log.append([record(f"e{i}", subject=i % 50) for i in range(start, start + 3_000)])
        assert {stored.record.id for stored in read_all(log)} == {f"e{i}" for i in range(12_000)}

    def test_closing_twice_is_harmless(self, log: AnyLog) -> None:
        log.append([record("a")])
        log.close()
        log.close()

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        batches=st.lists(
            st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1), st.integers(0, 2)), max_size=6),
            max_size=6,
        )
    )
    def test_any_series_of_appends_agrees_with_a_dictionary(
        self, log: AnyLog, batches: Sequence[Sequence[tuple[int, int, int]]]
    ) -> None:
        """The slow twin of every log: a dict from id to content. The log is shared by the examples, so ids
        carry the end at the start of the example."""
        start = log.end()
        tag = start.encode()
        twin: dict[str, Record] = {}
        for batch in batches:
            records = [record(f"{tag}/{n}", subject=who, body=bytes([b])) for n, b, who in batch]
            receipts = log.append(records)
            for sent, receipt in zip(records, receipts, strict=True):
                first = twin.setdefault(sent.id, sent)
                if self.exact and first is sent:
                    assert receipt.status is Status.ACCEPTED
                elif self.exact:
                    same = first.content() == sent.content()
                    assert receipt.status is (Status.DUPLICATE if same else Status.REFUSED)
        found = read_all(log, after=start)
        assert {stored.record.id for stored in found} == set(twin)
        if self.exact:
            assert {stored.record.id: stored.record for stored in found} == twin
