"""When an event happened, told from three clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.services.collect.clock import FUTURE, PAST, event_time, read_time
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.time import DAY, HOUR, MINUTE, SECOND, Instant, instant
from tests.services.collect.memory import NOW, Door

SAID = instant(datetime(2026, 11, 23, 11, 33, 51, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "later"),
    [
        ("2026-11-23T11:33:51Z", 0),
        ("2026-11-23T11:33:51z", 0),
        ("2026-11-23T11:33:51", 0),
        ("2026-11-23 11:33:51", 0),
        ("2026-11-23 11:33:51 UTC", 0),
        ("2026-11-23 11:33:51 +0000", 0),
        ("2026-11-23T11:33:51.123Z", 123_000),
        ("2026-11-23T11:33:51.123456+00:00", 123_456),
        ("2026-11-23T11:33:51.123456789Z", 123_456),
        ("2026-11-23T11:33:51.1234567Z", 123_456),
        ("2026-11-23T11:33:51.1Z", 100_000),
        ("2026-11-23T12:33:51+01:00", 0),
        ("2026-11-23T12:33:51+0100", 0),
        ("2026-11-23T06:03:51-05:30", 0),
        ("2026-11-23T11:33Z", -51 * SECOND),
        ("2026-11-23", -(11 * HOUR + 33 * MINUTE + 51 * SECOND)),
        ("2016-12-31T23:59:60Z", instant(datetime(2017, 1, 1, tzinfo=UTC)) - SAID),
        ("1970-01-01T00:00:00Z", -SAID),
        ("1969-12-31T23:59:59.999999Z", -SAID - 1),
        ("2106-02-07T06:28:16Z", (2**32) * SECOND - SAID),
    ],
)
def test_times_are_read_as_senders_write_them(text: str, later: int) -> None:
    assert read_time(text, "timestamp") == SAID + later


@pytest.mark.parametrize(
    "value",
    ["yesterday", "2026-13-01T00:00:00Z", "2026-11-23T25:00:00Z", "0000-01-01", "10000-01-01", " ", "Z",
     1795433631, 1.5, True, {}, [], "2026-11-23T11:33:51Z" * 5, "2026-11-23T11:33:61Z",
     "\u0662\u0660\u0662\u0666-11-23"],
)  # fmt: skip
def test_an_unreadable_time_is_refused_and_not_guessed(value: Any) -> None:
    with pytest.raises(Invalid) as raised:
        read_time(value, "sentAt")
    assert (raised.value.code, raised.value.path) == ("timestamp_invalid", "sentAt")


@given(
    st.datetimes(
        min_value=datetime(2, 1, 1),  # noqa: DTZ001
        max_value=datetime(9998, 1, 1),  # noqa: DTZ001
        timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    ),
    st.sampled_from("T t"),
)
@settings(max_examples=100, deadline=None)
def test_every_iso_text_is_the_moment_it_says(when: datetime, between: str) -> None:
    assert read_time(when.isoformat(between), "timestamp") == instant(when)


def test_absent_and_empty_times_are_not_said() -> None:
    assert read_time(None, "timestamp") is None
    assert read_time("", "timestamp") is None


@given(st.integers(-(10 * 366 * DAY), 10 * 366 * DAY), st.integers(0, 30 * DAY), st.integers(0, HOUR))
@settings(max_examples=100, deadline=None)
def test_a_wrong_clock_of_the_sender_falls_out(wrong: int, waited: int, travelled: int) -> None:
    happened = NOW - travelled - waited
    client, sent = Instant(happened + wrong), Instant(happened + waited + wrong)
    assert event_time(client, sent, NOW) == happened + travelled


def test_without_a_sending_time_the_sender_is_believed_within_bounds() -> None:
    assert event_time(Instant(NOW - DAY), None, NOW) == NOW - DAY
    assert event_time(Instant(NOW - PAST - 1), None, NOW) == NOW - PAST
    assert event_time(Instant(NOW + FUTURE + 1), None, NOW) == NOW + FUTURE
    assert event_time(Instant(NOW + DAY), Instant(NOW), NOW) == NOW + FUTURE


def test_without_a_time_an_event_happened_when_it_arrived() -> None:
    assert event_time(None, Instant(5), NOW) == NOW


def test_a_record_keeps_all_three_clocks() -> None:
    door = Door()
    times = {"timestamp": "2026-11-23T10:00:00Z", "sentAt": "2026-11-23T10:00:05Z"}
    door.track("x", {}, **times)
    record = door.log.records["web:m"]
    assert record.received == NOW
    assert record.client == instant(datetime(2026, 11, 23, 10, tzinfo=UTC))
    assert record.sent == record.client + 5 * SECOND
    assert record.at == NOW - 5 * SECOND


def test_times_not_said_are_zero_in_the_record() -> None:
    door = Door()
    door.track("x", {})
    record = door.log.records["web:m"]
    assert (record.client, record.sent, record.at) == (0, 0, NOW)


def test_the_senders_own_reading_comes_before_a_corrected_one() -> None:
    door = Door()
    door.track("x", {}, timestamp="2026-11-23T11:00:00Z", originalTimestamp="2020-01-01T00:00:00Z",
               sentAt="2020-01-01T00:00:09Z")  # fmt: skip
    assert door.log.records["web:m"].at == NOW - 9 * SECOND


def test_a_batch_says_for_all_when_it_was_sent_and_an_event_for_itself() -> None:
    door = Door()
    event = {"type": "page", "userId": "u", "timestamp": "2020-01-01T00:00:00Z"}
    own = {**event, "messageId": "own", "sentAt": "2020-01-01T00:00:01Z"}
    body = {"sentAt": "2020-01-01T00:00:07Z", "batch": [{**event, "messageId": "common"}, own]}
    door.send("batch", body)
    assert door.log.records["web:common"].at == NOW - 7 * SECOND
    assert door.log.records["web:own"].at == NOW - SECOND


@pytest.mark.parametrize("text", ["1999-05-05T05:05:05Z", "2099-01-01T00:00:00Z", "0001-01-01T00:00:00Z"])
def test_imported_events_keep_their_times(text: str) -> None:
    door = Door()
    body = {
        "messageId": "m",
        "type": "page",
        "userId": "u",
        "timestamp": text,
        "sentAt": "2026-11-23T11:33:51Z",
    }
    door.send("import", {"batch": [body]}, imported=True)
    record = door.log.records["web:m"]
    assert record.at == record.client == read_time(text, "timestamp")


def test_an_import_prefers_the_corrected_time() -> None:
    door = Door()
    body = {
        "messageId": "m",
        "type": "page",
        "userId": "u",
        "timestamp": "2020-01-02",
        "originalTimestamp": "2020-01-01",
    }
    door.send("import", {"batch": [body]}, imported=True)
    assert door.log.records["web:m"].at == read_time("2020-01-02", "timestamp")
