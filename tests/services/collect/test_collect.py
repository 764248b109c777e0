"""The service at the door: every event received gets its fate, once, after the log has answered."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.vocabulary import kinds
from heedful.vocabulary.collection import CollectAnswer, EventFate
from heedful.vocabulary.errors import Invalid, LogUnavailable
from heedful.vocabulary.receipt import Status
from tests.services.collect.memory import NOW, PSEUDONYMS, Door


def page(message_id: str, **more: Any) -> dict[str, Any]:
    return {"type": "page", "userId": "u", "messageId": message_id, **more}


items = st.sampled_from(
    [page("a"), page("a", name="other"), page("b"), page("c", userId=""), page("d", type="nonsense"),
     page("e\0"), {"type": "track", "userId": "u", "messageId": "b"}, page("f", timestamp="soon"),
     5, page("x" * 101)]
)  # fmt: skip


@given(st.lists(st.lists(items, max_size=6), max_size=4))
@settings(max_examples=150, deadline=None)
def test_accepted_and_duplicate_and_refused_are_all_that_was_received(calls: list[list[Any]]) -> None:
    door = Door()
    accepted = 0
    for batch in calls:
        answer = door.send("batch", {"batch": batch})
        assert len(answer.events) == len(batch)
        for item, fate in zip(batch, answer.events, strict=True):
            assert fate.status in (Status.ACCEPTED, Status.DUPLICATE) or fate.code
            if isinstance(item, dict) and "\0" not in item["messageId"]:
                assert fate.message_id == item["messageId"][:100]
        accepted += sum(fate.status is Status.ACCEPTED for fate in answer.events)
    assert len(door.log.records) == accepted


@given(st.permutations(["a", "b", "a", "c", "b", "a"]))
@settings(max_examples=30, deadline=None)
def test_any_order_of_repeats_stores_each_event_once(order: list[str]) -> None:
    once, repeated = Door(), Door()
    once.send("batch", {"batch": [page(name) for name in "abc"]})
    for later, name in enumerate(order):
        repeated.clock.at = type(NOW)(NOW + later)
        repeated.send("page", page(name, sentAt=f"2026-11-23T11:33:5{later}Z"))
    stored = {record.content() for record in repeated.log.records.values()}
    assert stored == {record.content() for record in once.log.records.values()}


def test_another_event_under_a_known_id_is_a_conflict() -> None:
    door = Door()
    door.send("page", page("a"))
    (fate,) = door.send("page", page("a", name="other")).events
    assert (fate.status, fate.code, fate.path) == (Status.REFUSED, "conflict", "messageId")


def test_a_moved_timestamp_is_a_conflict_and_a_later_sending_is_not() -> None:
    door = Door()
    door.send("page", page("a", timestamp="2026-11-23T11:00:00Z", sentAt="2026-11-23T11:00:01Z"))
    retry = door.send("page", page("a", timestamp="2026-11-23T11:00:00Z", sentAt="2026-11-23T11:09:01Z"))
    moved = door.send("page", page("a", timestamp="2026-11-23T11:00:02Z"))
    assert retry.events[0].status is Status.DUPLICATE
    assert moved.events[0].code == "conflict"


def test_message_ids_are_unique_within_their_source() -> None:
    door = Door()
    door.send("page", page("a"), source="web")
    assert door.send("page", page("a"), source="shop").events[0].status is Status.ACCEPTED
    assert set(door.log.records) == {"web:a", "shop:a"}


def test_nothing_is_answered_before_the_log_has_answered() -> None:
    door = Door(held=True)
    door.collect.call("page", json.dumps(page("a")).encode(), "web", door.answers.append)
    assert door.answers == []
    door.log.release()
    assert door.answers == [CollectAnswer(True, "v1.1", (EventFate("a", Status.ACCEPTED),))]


def test_a_call_with_nothing_to_store_is_answered_at_once() -> None:
    door = Door(held=True)
    door.collect.call("page", b"{}", "web", door.answers.append)
    (answer,) = door.answers
    assert isinstance(answer, CollectAnswer)
    assert answer.position == "v1.0"
    assert answer.events[0].code == "subject_missing"


def test_a_log_that_takes_nothing_is_said_once() -> None:
    door = Door()
    door.log.failure = LogUnavailable("the disk is full", retry_after=5)
    door.collect.call("page", json.dumps(page("a")).encode(), "web", door.answers.append)
    assert door.answers == [door.log.failure]


def test_a_refused_call_never_answers_as_well() -> None:
    door = Door()
    with pytest.raises(Invalid):
        door.collect.call("page", b"nonsense", "web", door.answers.append)
    assert door.answers == []


def test_events_without_an_id_get_one_each() -> None:
    door = Door()
    nameless = {"type": "page", "userId": "u"}
    answer = door.send("batch", {"batch": [nameless, nameless, {**nameless, "messageId": ""}]})
    ids = {fate.message_id for fate in answer.events}
    assert {f"web:{name}" for name in ids} == set(door.log.records)
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ({}, "subject_missing", "userId"),
        ({"userId": None, "anonymousId": ""}, "subject_missing", "userId"),
        ({"userId": "x" * 201}, "id_too_long", "userId"),
        ({"userId": ["u"]}, "type_invalid", "userId"),
        ({"userId": False}, "type_invalid", "userId"),
        ({"anonymousId": {}}, "type_invalid", "anonymousId"),
        ({"userId": "u", "messageId": "x" * 101}, "id_too_long", "messageId"),
        ({"userId": "u", "messageId": []}, "type_invalid", "messageId"),
        ({"userId": "u", "timestamp": "soon"}, "timestamp_invalid", "timestamp"),
        ({"userId": "u", "sentAt": 5}, "timestamp_invalid", "sentAt"),
        ({"userId": "u", "originalTimestamp": {}}, "timestamp_invalid", "originalTimestamp"),
        ({"userId": "u", "properties": []}, "type_invalid", "properties"),
        ({"userId": "u", "traits": "x"}, "type_invalid", "traits"),
        ({"userId": "u", "context": 1}, "type_invalid", "context"),
        ({"userId": "u", "context": {"decisionId": {}}}, "type_invalid", "context.decisionId"),
        ({"userId": "u", "event": ""}, "event_missing", "event"),
        ({"userId": "u", "event": None}, "event_missing", "event"),
        ({"userId": "u", "event": 5}, "type_invalid", "event"),
        ({"userId": "u", "event": "x" * 201}, "text_too_long", "event"),
        ({"userId": "u", "event": "..."}, "event_invalid", "event"),
    ],
)
def test_a_refusal_names_what_and_where(body: dict[str, Any], code: str, path: str) -> None:
    (fate,) = Door().send("track", {"event": "x", **body}).events
    assert (fate.status, fate.code, fate.path) == (Status.REFUSED, code, path)
    assert fate.message


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        ("batch", {"userId": "u"}, "type_missing"),
        ("batch", {"userId": "u", "type": "batch"}, "type_unknown"),
        ("batch", {"userId": "u", "type": ["track"]}, "type_unknown"),
        ("group", {"userId": "u"}, "group_missing"),
        ("alias", {"userId": "u"}, "previous_missing"),
        ("alias", {"anonymousId": "a", "previousId": "p"}, "subject_missing"),
    ],
)
def test_each_call_needs_its_own_fields(method: str, body: dict[str, Any], code: str) -> None:
    (fate,) = Door().send(method, {"batch": [body]} if method == "batch" else body).events
    assert fate.code == code


def test_a_user_comes_before_an_anonymous_id() -> None:
    door = Door()
    door.send("page", {"messageId": "1", "userId": 7, "anonymousId": "a"})
    door.send("page", {"messageId": "2", "userId": "", "anonymousId": "a"})
    assert door.log.records["web:1"].subject == PSEUDONYMS.user("7")
    assert door.log.records["web:2"].subject == PSEUDONYMS.anonymous("a")
    assert (door.event("1").user, door.event("1").anonymous) == ("7", "a")


def test_each_call_becomes_its_kind_of_event() -> None:
    door = Door()
    who = {"userId": "u"}
    door.send("identify", {**who, "messageId": "i", "traits": {"email": "a@example.org"}})
    door.send("group", {**who, "messageId": "g", "groupId": 5, "traits": {"plan": "x"}})
    door.send("alias", {**who, "messageId": "a", "previousId": "old"})
    door.send("alias", {**who, "messageId": "b", "anonymousId": "anon"})
    door.send("page", {**who, "messageId": "p", "name": "Home", "category": "Docs"})
    door.send("screen", {**who, "messageId": "s", "category": "Docs"})
    found = {name: (door.event(name).kind, door.event(name).name) for name in "igabps"}
    assert found == {
        "i": (kinds.IDENTIFY, ""),
        "g": (kinds.GROUP, "5"),
        "a": (kinds.ALIAS, "old"),
        "b": (kinds.ALIAS, "anon"),
        "p": (kinds.PAGE, "Home"),
        "s": (kinds.SCREEN, "Docs"),
    }
    assert door.event("i").traits == b'{"email": "a@example.org"}'


def test_objects_are_kept_exactly_as_sent() -> None:
    door = Door()
    door.send(
        "track",
        b'{"userId":"u","messageId":"m","event":"Signed Up",'
        b'"properties": { "b" : 1.50,"a":"\\u00e9\xc3\xa9" } ,'
        b'"context":\n{"locale": "de"}, "traits":null}',
    )
    event = door.event("m")
    assert event.properties == b'{ "b" : 1.50,"a":"\\u00e9\xc3\xa9" }'
    assert event.context == b'{"locale": "de"}'
    assert event.traits == b""
    assert (event.kind, event.name) == ("signed_up", "Signed Up")


def test_a_batch_gives_its_context_to_its_events_and_their_own_keys_win() -> None:
    door = Door()
    batch = [
        page("own", context={"locale": "fr", "page": {"path": "/"}}),
        page("none"),
        page("null", context=None),
    ]
    door.send(
        "batch",
        {"context": {"locale": "de", "app": {"n": 1}}, "integrations": {"All": False}, "batch": batch},
    )
    assert json.loads(door.event("own").context) == {"locale": "fr", "app": {"n": 1}, "page": {"path": "/"}}
    assert json.loads(door.event("none").context) == {"locale": "de", "app": {"n": 1}}
    assert door.event("null").context == door.event("none").context


@pytest.mark.parametrize(
    ("context", "properties", "decision"),
    [
        ('{"decisionId":"c"}', '{"decision_id":"p"}', "c"),
        ('{"decision\\u0049d":"c"}', "{}", "c"),
        ('{"x":"decisionId"}', '{"decision_id":"p"}', "p"),
        ('{"page":{"decisionId":"no"}}', "{}", ""),
        ("{}", '{"decision_id":12}', "12"),
        ('{"decisionId":null}', "{}", ""),
    ],
)
def test_an_event_may_name_the_answer_it_reacts_to(context: str, properties: str, decision: str) -> None:
    door = Door()
    body = f'{{"userId":"u","messageId":"m","event":"x","context":{context},"properties":{properties}}}'
    door.send("track", body.encode())
    assert door.event("m").decision == decision


def test_a_decision_in_the_batchs_context_counts_for_its_events() -> None:
    door = Door()
    door.send("batch", {"context": {"decisionId": "d"}, "batch": [page("a"), page("b", context={"x": 1})]})
    assert door.event("a").decision == door.event("b").decision == "d"


def test_the_write_key_and_the_sending_time_are_never_stored() -> None:
    door = Door()
    secret, sent = "pk_s3cret", "2026-11-23T11:33:59"
    door.send("page", page("a", writeKey=secret, sentAt=sent))
    door.send("batch", {"writeKey": secret, "sentAt": sent, "batch": [page("b", writeKey=secret)]})
    for record in door.log.records.values():
        assert secret.encode() not in msgspec.msgpack.encode(record)
        assert sent.encode() not in record.body


def test_a_name_of_the_operators_has_the_meaning_they_gave_it() -> None:
    door = Door(meanings={"Video Watched": "view"})
    assert door.track("Video Watched", {"item_id": "v"}).kind == kinds.VIEW
