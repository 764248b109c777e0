"""The catalogue over HTTP."""

from __future__ import annotations

import msgspec
import pytest

from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.errors import LogUnavailable
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from tests.faces.http.asgi import Caller
from tests.faces.http.conftest import KeyPair
from tests.faces.http.memory_engine import MemoryEngine

POT: dict[str, object] = {
    "id": "p-1",
    "title": "Tea pot",
    "categories": ["kitchen"],
    "price": {"minor": 1990, "currency": "EUR"},
    "published": "2026-01-01T00:00:00Z",
    "properties": {"colour": "blue", "sizes": [1, 2.5, None, True, 10**30]},
}


def test_an_item_is_written_read_and_deleted(ask: Caller, pair: KeyPair) -> None:
    written = ask("PUT", "/v1/items/p-1", POT, key=pair.secret)
    assert written.status == 200
    assert written.json()["events"] == [{"messageId": "p-1", "status": "accepted"}]
    assert ask("GET", "/v1/items/p-1", key=pair.secret).json() == POT
    assert ask("DELETE", "/v1/items/p-1", key=pair.secret).status == 200
    gone = ask("GET", "/v1/items/p-1", key=pair.secret)
    assert (gone.status, gone.json()["code"]) == (404, "not_found")
    assert ask("DELETE", "/v1/items/p-1", key=pair.secret).status == 404


def test_the_id_in_the_path_is_enough_and_must_not_be_contradicted(
    ask: Caller, engine: MemoryEngine, pair: KeyPair
) -> None:
    assert ask("PUT", "/v1/items/p-2", {"title": "Cup"}, key=pair.secret).status == 200
    assert engine.items[ItemId("p-2")].title == "Cup"
    answer = ask("PUT", "/v1/items/p-2", {"id": "p-3"}, key=pair.secret)
    assert (answer.status, answer.json()["path"]) == (400, "id")


@pytest.mark.parametrize("item_id", ["a/b", "/", "ä ö", "a?b#c", "x" * 200, "..", "a//b/"])
def test_ids_may_hold_anything(ask: Caller, engine: MemoryEngine, pair: KeyPair, item_id: str) -> None:
    assert ask("PUT", f"/v1/items/{item_id}", {}, key=pair.secret).status == 200
    assert list(engine.items) == [item_id]
    assert ask("GET", f"/v1/items/{item_id}", key=pair.secret).json() == {"id": item_id}


@pytest.mark.parametrize("item_id", ["", "x" * 201])
def test_ids_have_1_to_200_characters(ask: Caller, pair: KeyPair, item_id: str) -> None:
    for method in ("PUT", "GET", "DELETE"):
        assert ask(method, f"/v1/items/{item_id}", {}, key=pair.secret).status == 400


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        (b'{"id":"p-\\u0000"}', "request_invalid", "id"),
        (b"", "json_invalid", None),
        (b"{", "json_invalid", None),
        (b"[]", "request_invalid", None),
        (b'{"title":7}', "request_invalid", "title"),
        (b'{"price":{"minor":1.5}}', "request_invalid", "price.minor"),
        (b'{"colour":"blue"}', "request_invalid", None),
        (b'{"properties":' + b'{"a":' * 33 + b"1" + b"}" * 34, "json_too_deep", "properties"),
        (b'{"properties":' + b'{"a":' * 9_000 + b"1" + b"}" * 9_001, "json_too_deep", None),
    ],
)
def test_a_bad_item_is_told_where(
    ask: Caller, pair: KeyPair, body: bytes, code: str, path: str | None
) -> None:
    answer = ask("PUT", "/v1/items/p-1", body, key=pair.secret)
    assert (answer.status, answer.json()["code"], answer.json().get("path")) == (400, code, path)


@pytest.mark.parametrize("wrapped", [True, False])
def test_in_a_crowd_a_bad_item_refuses_only_itself(
    ask: Caller, engine: MemoryEngine, pair: KeyPair, wrapped: bool
) -> None:
    crowd: list[object] = [POT, {"id": "p-2", "title": 7}, {"title": "no id"}, 7, {"id": ""}, {"id": "p-3"}]
    answer = ask("POST", "/v1/items", {"items": crowd} if wrapped else [crowd], key=pair.secret)
    if not wrapped:
        answer = ask("POST", "/v1/items", msgspec.json.encode(crowd), key=pair.secret)
    assert answer.status == 200
    events = msgspec.json.decode(answer.body, type=CollectAnswer).events
    assert [event.status.value for event in events] == ["accepted", *["refused"] * 4, "accepted"]
    assert [event.message_id for event in events] == ["p-1", "p-2", "", "", "", "p-3"]
    assert [event.path for event in events[1:5]] == ["title", "", "", "id"], "within the item"
    assert set(engine.items) == {"p-1", "p-3"}


def test_a_crowd_without_one_good_item_still_gets_its_fates(ask: Caller, pair: KeyPair) -> None:
    answer = ask("POST", "/v1/items", {"items": [{}, {}]}, key=pair.secret)
    assert [event["status"] for event in answer.json()["events"]] == ["refused", "refused"]
    assert ask("POST", "/v1/items", {"items": []}, key=pair.secret).json()["events"] == []


def test_more_than_10_000_items_are_too_many(ask: Caller, engine: MemoryEngine, pair: KeyPair) -> None:
    crowd = [{"id": f"p-{number}"} for number in range(10_001)]
    assert ask("POST", "/v1/items", {"items": crowd}, key=pair.secret).status == 413
    assert engine.items == {}
    assert ask("POST", "/v1/items", {"items": crowd[1:]}, key=pair.secret).status == 200
    assert len(engine.items) == 10_000


@pytest.mark.parametrize("body", [b"", b"7", b"{}", b'{"items":7}', b"[", b'[{"id":"a"},'])
def test_a_body_without_items_is_refused_whole(ask: Caller, pair: KeyPair, body: bytes) -> None:
    assert ask("POST", "/v1/items", body, key=pair.secret).status == 400


def test_a_stopped_log_is_said_here_too(ask: Caller, engine: MemoryEngine, pair: KeyPair) -> None:
    ask("PUT", "/v1/items/p-1", {}, key=pair.secret)
    engine.stopped = LogUnavailable("disk full", retry_after=5)
    for method, path, body in [
        ("PUT", "/v1/items/p-1", POT),
        ("POST", "/v1/items", {"items": [POT]}),
        ("DELETE", "/v1/items/p-1", b""),
    ]:
        answer = ask(method, path, body, key=pair.secret)
        assert (answer.status, "retry-after" in answer.headers) == (503, True)
    assert engine.items == {ItemId("p-1"): Item(ItemId("p-1"))}


def test_an_id_holds_no_nul(ask: Caller, pair: KeyPair) -> None:
    answer = ask("PUT", "/v1/items/a\0b", {}, key=pair.secret)
    assert (answer.status, answer.json()["code"], answer.json()["path"]) == (400, "json_nul", "id")
    fates = ask("POST", "/v1/items", {"items": [{"id": "\0"}, {"id": "b"}]}, key=pair.secret).json()["events"]
    assert [fate["status"] for fate in fates] == ["refused", "accepted"]
