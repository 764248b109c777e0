"""Events survive the way to bytes and back, and bytes written long ago stay readable."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.log import codec
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.event import Event, Line

texts = st.text(max_size=20)
whole = st.integers(-(1 << 63), (1 << 63) - 1)
lines = st.builds(Line, item=texts, quantity=whole, amount=whole, key=texts)
events = st.builds(
    Event, kind=texts, lines=st.lists(lines, max_size=3).map(tuple), order=texts, currency=texts,
    value=st.none() | whole, user=texts, anonymous=texts, name=texts, decision=texts,
    properties=st.binary(max_size=30), traits=st.binary(max_size=30), context=st.binary(max_size=30),
)  # fmt: skip

GOLDEN = {
    1: (
        "019ca870757263686173659294a16102cd0578a16194a16201cd04b0a3622332a26f31a3455552cd0a28a27531a0a0a0"
        "c4077b2278223a317dc400c400",
        Event(
            kind="purchase", lines=(Line("a", 2, 1_400, "a"), Line("b", 1, 1_200, "b#2")), order="o1",
            currency="EUR", value=2_600, user="u1", properties=b'{"x":1}',
        ),
    ),
}  # fmt: skip
"""Bytes that each version wrote, and what they mean. Only ever add."""


@given(events)
@settings(max_examples=100, deadline=None)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    body = codec.encode(event)
    assert body[0] == codec.VERSION
    assert codec.decode(body) == event


@pytest.mark.parametrize("version", GOLDEN)
def test_bytes_of_every_version_stay_readable(version: int) -> None:
    stored, event = GOLDEN[version]
    assert codec.decode(bytes.fromhex(stored)) == event


def test_the_golden_bytes_cover_every_version() -> None:
    assert set(GOLDEN) == set(range(1, codec.VERSION + 1))


def test_an_event_written_before_a_field_was_added_is_read_with_its_default() -> None:
    assert codec.decode(b"\x01" + msgspec.msgpack.encode(["view", [["a"]]])) == Event("view", (Line("a"),))


@pytest.mark.parametrize("version", [0, 2, 255])
def test_an_unknown_version_is_corrupt(version: int) -> None:
    with pytest.raises(Corrupt, match=f"version {version}"):
        codec.decode(bytes([version]) + codec.encode(Event("view"))[1:])


def test_a_cut_body_is_corrupt_at_every_length() -> None:
    body = codec.encode(GOLDEN[1][1])
    for length in range(len(body)):
        with pytest.raises(Corrupt):
            codec.decode(body[:length])


@given(st.binary(max_size=60))
def test_any_bytes_are_an_event_or_corrupt(noise: bytes) -> None:
    try:
        event = codec.decode(b"\x01" + noise)
    except Corrupt:
        return
    assert isinstance(event, Event)


@given(events, st.data())
@settings(max_examples=100, deadline=None)
def test_a_changed_byte_is_another_event_or_corrupt(event: Event, data: st.DataObject) -> None:
    body = bytearray(codec.encode(event))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    try:
        found = codec.decode(bytes(body))
    except Corrupt:
        return
    assert isinstance(found, Event)
