"""Reading a call: the fast way against its slow twin, limits, and hostile bodies."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.services.collect import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, MAX_EVENT_BYTES, Message, read_call
from heedful.services.collect.calls import BATCHED, SINGLE, read_exactly
from heedful.vocabulary.collection import CollectAnswer, EventFate
from heedful.vocabulary.errors import Invalid, TooLarge
from heedful.vocabulary.receipt import Status
from tests.services.collect.memory import Door

PAGE = {"type": "page", "userId": "u", "messageId": "m"}


def plain(messages: list[Message | EventFate]) -> list[Any]:
    """Messages as something that compares: the raw parts as bytes."""
    return [
        [
            bytes(value) if isinstance(value, msgspec.Raw) else value
            for value in (getattr(part, field) for field in part.__struct_fields__)
        ]
        for part in messages
    ]


odd = st.sampled_from(
    ['"x"', "1", "null", "true", "[]", "{}", '{"a":1}', '{"a":1,"a":2}', '"\\u0000"', '"\\ud800"', "1e999",
     "1.50", "9" * 25, '{"a":{"b":[1e5]}}', "NaN", '"é😀"', '"\\ud83d\\ude00"', "[[1,2],",
     '{"a":' * 31 + "1" + "}" * 31]
)  # fmt: skip
names = st.sampled_from(["type", "userId", "messageId", "timestamp", "properties", "context", "x", "\\u0078"])


def joined(pairs: list[tuple[str, str]]) -> str:
    return "{" + ", ".join(f'"{key}" :{value}' for key, value in pairs) + "}"


events = st.lists(st.tuples(names, odd), max_size=4).map(joined) | odd
batches = st.tuples(
    st.lists(events, max_size=4),
    st.lists(st.tuples(st.sampled_from(["sentAt", "context", "writeKey"]), odd), max_size=2),
).map(lambda both: joined([*both[1], ("batch", "[" + ",".join(both[0]) + "]")]))


@given(st.sampled_from(["track", "batch"]), events | batches)
@settings(max_examples=400, deadline=None)
def test_the_fast_and_the_slow_reading_agree(method: str, text: str) -> None:
    def outcome(read: Any) -> Any:
        try:
            call = read()
        except (Invalid, TooLarge) as error:
            return type(error), error.code
        return plain(call.messages), call.sent, call.context

    fast = outcome(lambda: read_call(method, text.encode()))
    if fast == (Invalid, "json_too_deep"):
        return  # the slow reading starts after this check; the scan's own twin covers it
    assert fast == outcome(lambda: read_exactly(text.encode(), batched=method == "batch"))


@given(st.sampled_from(sorted(SINGLE | BATCHED)), st.binary(max_size=60) | events.map(str.encode))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_answered_or_refused_as_a_whole(method: str, body: bytes) -> None:
    door = Door()
    try:
        answer = door.send(method, body)
    except Invalid:
        assert not door.log.records
    else:
        accepted = [fate for fate in answer.events if fate.status is not Status.REFUSED]
        assert len(door.log.records) <= len(accepted)
        json.dumps([[fate.message_id, fate.path] for fate in answer.events]).encode()


HOSTILE_VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**17, "", "x", "\t\r\n", "9" * 1_000, "x" * 5_000, [], [[]],
    [None], ["x"],
    {}, {"a": {}}, [{}], [{"product_id": {}}], [{"product_id": "p", "price": "1e999999"}], "1e999999", "NaN",
    "-1", "Infinity", "٣", "1_0", 1e300, -1e300, 1e-300, "0x10", "2026-13-45",
    "9999-12-31T23:59:59Z", "0001-01-01",
]  # fmt: skip
FIELDS = [
    "type", "event", "userId", "anonymousId", "messageId", "timestamp", "sentAt", "originalTimestamp",
    "properties", "traits", "context", "integrations", "groupId", "previousId", "name", "category",
    "writeKey",
]  # fmt: skip
PROPERTIES = [
    "product_id", "sku", "item_id", "price", "quantity", "currency", "revenue", "total", "value", "rating",
    "order_id", "orderId", "products", "decision_id", "line", "productId", "itemId", "id",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["track", "identify", "page", "group", "alias"])
@pytest.mark.parametrize("imported", [False, True])
def test_wrong_types_in_every_field_spoil_one_event_at_most(kind: str, imported: bool) -> None:
    whole = {
        "type": kind, "event": "Order Completed", "userId": "u", "groupId": "g", "previousId": "p",
        "properties": {"order_id": "o", "products": [{"product_id": "p"}]},
    }  # fmt: skip
    batch = [{**whole, field: value} for field in FIELDS for value in HOSTILE_VALUES]
    batch += [
        {**whole, "event": event, "properties": {"product_id": "p", field: value}}
        for field in PROPERTIES
        for value in HOSTILE_VALUES
        for event in ("Order Completed", "Order Refunded", "Product Viewed", "Product Reviewed", "My Own")
    ]
    door = Door()
    received = 0
    for start in range(0, len(batch), 100):
        part = batch[start : start + 100]
        answer = door.send("batch", {"batch": part}, imported=imported)
        assert len(answer.events) == len(part)
        received += len(part)
    assert 0 < len(door.log.records) < received
    for message_id in [key.removeprefix("web:") for key in door.log.records]:
        door.event(message_id)  # every body that was stored can be read again


def test_a_hostile_event_leaves_its_neighbours_unharmed() -> None:
    good = '{"type":"page","userId":"u","messageId":"%s", "properties":{"a" :1}}'
    hostile = [
        '{"messageId":"h0","a":"\\u0000"}',
        '{"messageId":"h1","a":"\\ud800"}',
        '{"messageId":"h2","a":1e999}',
        '{"messageId":"h3","a":1,"a":1}',
        '{"messageId":"\\u0000","a":1}',
        '{"messageId":"h5","messageId":"h6"}',
        "[1]",
        "null",
    ]
    items = [text for n, bad in enumerate(hostile) for text in (good % f"g{n}", bad)]
    door = Door()
    answer = door.send("batch", f'{{"batch":[{" , ".join(items)}]}}'.encode())
    assert [fate.code for fate in answer.events[1::2]] == [
        "json_nul", "json_surrogate", "json_number_range", "json_duplicate_key", "json_nul",
        "json_duplicate_key", "type_invalid", "type_invalid",
    ]  # fmt: skip
    assert [fate.message_id for fate in answer.events[1::2]] == ["h0", "h1", "h2", "h3", "", "", "", ""]
    assert [fate.message_id for fate in answer.events[0::2]] == [f"g{n}" for n in range(len(hostile))]
    assert {fate.status for fate in answer.events[0::2]} == {Status.ACCEPTED}
    assert door.event("g3").properties == b'{"a" :1}'


def test_a_single_hostile_event_is_refused_and_not_an_error() -> None:
    answer = Door().send("track", b'{"messageId":"m","userId":"u","event":"x","a":1,"a":2}')
    assert answer == CollectAnswer(
        True,
        "v1.0",
        (
            EventFate(
                "m", Status.REFUSED, "json_duplicate_key", "a", "a key may stand only once in an object"
            ),
        ),
    )


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        ("track", b"", "json_invalid"),
        ("track", b"[]", "json_invalid"),
        ("track", b"3", "json_invalid"),
        ("track", b"null", "json_invalid"),
        ("track", b"\xef\xbb\xbf{}", "json_invalid"),
        ("track", b'{"userId":"\xff"}', "json_invalid"),
        ("track", b'{"userId":NaN}', "json_invalid"),
        ("track", b'{"a":' * 33 + b"1" + b"}" * 33, "json_too_deep"),
        ("track", b"[" * 30_000, "json_too_deep"),
        ("batch", b"[" * 400_000, "json_too_deep"),
        ("batch", b'{"batch":[{"a":NaN}]}', "json_invalid"),
        ("batch", b'{"batch":[1,]}', "json_invalid"),
        ("batch", b"{}", "batch_missing"),
        ("batch", b'{"batch":{}}', "batch_missing"),
        ("batch", b'{"batch":null}', "batch_missing"),
        ("batch", b'{"batch":[],"batch":[]}', "json_duplicate_key"),
        ("batch", b'{"batch":[],"context":{"a":"\\u0000"}}', "json_nul"),
        ("batch", b'{"batch":[],"context":[]}', "type_invalid"),
        ("batch", b'{"batch":[],"sentAt":"yesterday"}', "timestamp_invalid"),
        ("batch", b'{"batch":[],"sentAt":{}}', "timestamp_invalid"),
        ("tracks", b"{}", "method_unknown"),
    ],
)
def test_a_call_of_which_nothing_can_be_used_is_refused_as_a_whole(
    method: str, body: bytes, code: str
) -> None:
    door = Door()
    with pytest.raises(Invalid) as raised:
        door.send(method, body)
    assert raised.value.code == code
    assert not door.log.records


def test_an_empty_batch_is_a_success_without_events() -> None:
    assert Door().send("batch", {"batch": []}) == CollectAnswer(True, "v1.0", ())


def test_a_single_event_may_have_32_kilobytes_and_not_one_byte_more() -> None:
    def body(size: int) -> bytes:
        frame = b'{"userId":"u","event":"x","properties":{"a":"%s"}}'
        return frame % (b"x" * (size - len(frame) + 2))

    assert Door().send("track", body(MAX_EVENT_BYTES)).events[0].status is Status.ACCEPTED
    with pytest.raises(TooLarge):
        Door().send("track", body(MAX_EVENT_BYTES + 1))


def test_an_event_that_is_too_large_does_not_spoil_its_batch() -> None:
    answer = Door().send(
        "batch", {"batch": [PAGE, {**PAGE, "messageId": "big", "name": "x" * MAX_EVENT_BYTES}]}
    )
    assert [(fate.message_id, fate.code) for fate in answer.events] == [("m", ""), ("big", "event_too_large")]


def test_a_batch_has_2500_events_or_nothing_of_it_is_stored() -> None:
    door = Door()
    body = {"batch": [{"type": "page", "userId": "u"}] * MAX_BATCH_EVENTS}
    assert len(door.send("batch", body).events) == MAX_BATCH_EVENTS
    stored = len(door.log.records)
    body["batch"].append({"type": "page", "userId": "u"})
    with pytest.raises(TooLarge):
        door.send("batch", body)
    body["batch"][0]["name"] = "\0"  # the slow way counts as well
    with pytest.raises(TooLarge):
        door.send("batch", body)
    assert len(door.log.records) == stored


def test_a_batch_has_500_kilobytes_at_most() -> None:
    with pytest.raises(TooLarge):
        Door().send("batch", b" " * MAX_BATCH_BYTES + b"{}")


def test_a_batchs_context_cannot_blow_up_what_is_stored() -> None:
    door = Door()
    many = [{"type": "page", "userId": "u"}] * MAX_BATCH_EVENTS
    assert len(door.send("batch", {"context": {"a": "x" * 1_500}, "batch": many}).events) == MAX_BATCH_EVENTS
    stored = len(door.log.records)
    with pytest.raises(TooLarge):
        door.send("batch", {"context": {"a": "x" * 2_000}, "batch": many})
    with pytest.raises(TooLarge):
        door.send("batch", {"context": {"a": "x" * MAX_EVENT_BYTES}, "batch": many[:1]})
    assert len(door.log.records) == stored


def test_as_many_keys_as_fit_are_read_without_harm() -> None:
    body = b'{"batch":[{"type":"page","userId":"u","context":{%s}}]}'
    many = b",".join(b'"%x":1' % n for n in range(50_000))
    assert Door().send("batch", body % many).events[0].code == "event_too_large"
    few = b",".join(b'"%x":1' % n for n in range(3_000))
    assert Door().send("batch", body % few).events[0].status is Status.ACCEPTED
    twice = few + b',"0":1'
    assert Door().send("batch", body % twice).events[0].code == "json_duplicate_key"
