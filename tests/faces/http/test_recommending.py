"""Questions, and who may ask them."""

from __future__ import annotations

import asyncio
import gzip

import msgspec
import pytest

from heedful.faces.http.app import build
from heedful.faces.http.gate import Gate
from heedful.vocabulary.errors import Corrupt, LogUnavailable, Overloaded
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.recommendation import RecommendAnswer
from tests.faces.http.asgi import Answer, Caller, Runs
from tests.faces.http.conftest import KeyPair
from tests.faces.http.memory_engine import MemoryEngine


def test_a_secret_key_gets_an_answer(ask: Caller, engine: MemoryEngine, pair: KeyPair) -> None:
    engine.items[ItemId("p-1")] = Item(ItemId("p-1"))
    answer = ask("POST", "/v1/recommend", {"userId": "u-1", "limit": 3}, key=pair.secret)
    assert answer.status == 200
    slate = msgspec.json.decode(answer.body, type=RecommendAnswer)
    assert [item.item_id for item in slate.items] == ["p-1"]
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers, "pages never ask with a secret key"


def test_a_compressed_question_is_answered(ask: Caller, pair: KeyPair) -> None:
    headers = {"content-encoding": "gzip"}
    assert ask("POST", "/v1/recommend", gzip.compress(b"{}"), key=pair.secret, headers=headers).status == 200


def test_a_write_key_is_told_why_not(ask: Caller, pair: KeyPair) -> None:
    answer = ask("POST", "/v1/recommend", {}, key=pair.write)
    assert (answer.status, answer.json()["code"]) == (403, "key_not_allowed")
    assert "secret key" in answer.json()["detail"]
    assert pair.write.encode() not in answer.body


def test_a_key_in_the_body_is_no_key_here(ask: Caller, pair: KeyPair) -> None:
    assert ask("POST", "/v1/recommend", {"writeKey": pair.secret}).status == 401


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        (b'{"limit":"x"}', "request_invalid", "limit"),
        (b'{"limit":0}', "request_invalid", "limit"),
        (b'{"exclude":["a",7]}', "request_invalid", "exclude[1]"),
        (b'{"context":{"itemId":1}}', "request_invalid", "context.itemId"),
        (b'{"surprise":1}', "request_invalid", None),
        (b"[]", "request_invalid", None),
        (b'{"asOf":"yesterday"}', "request_invalid", "asOf"),
        (b"", "json_invalid", None),
        (b'{"userId":"\\ud800"}', "json_invalid", None),
        (b'{"userId":"\xff"}', "json_invalid", None),
        (b'{"filter":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001, "json_too_deep", None),
    ],
)
def test_a_bad_question_is_told_where(
    ask: Caller, pair: KeyPair, body: bytes, code: str, path: str | None
) -> None:
    answer = ask("POST", "/v1/recommend", body, key=pair.secret)
    document = answer.json()
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert (document["code"], document.get("path")) == (code, path)
    assert document["message"] == document["detail"]
    assert document["requestId"] == answer.headers["x-request-id"]


def test_what_failed_inside_is_not_said_outside(
    ask: Caller, engine: MemoryEngine, pair: KeyPair, capsys: pytest.CaptureFixture[str]
) -> None:
    for trouble in (
        RuntimeError("SELECT * FROM secrets"),
        Corrupt("/data/log is broken"),
        ZeroDivisionError(),
    ):
        engine.trouble = trouble
        for method, path in (("POST", "/v1/recommend"), ("POST", "/v1/track"), ("GET", "/v1/items/x")):
            answer = ask(method, path, {}, key=pair.secret, headers={"x-request-id": "ticket-7"})
            assert (answer.status, answer.json()["code"]) == (500, "internal")
            assert answer.json()["requestId"] == answer.headers["x-request-id"] == "ticket-7"
            for word in (b"SELECT", b"/data", b"Traceback", b"Error", pair.secret.encode()):
                assert word not in answer.body
            logged = capsys.readouterr().out
            assert "ticket-7" in logged
            assert type(trouble).__name__ in logged
            assert logged.count("request_failed") == 1
            assert pair.secret not in logged
            assert "SELECT" not in logged


def test_troubles_from_inside_have_their_status(ask: Caller, engine: MemoryEngine, pair: KeyPair) -> None:
    engine.trouble = Overloaded("full", retry_after=4)
    answer = ask("POST", "/v1/recommend", {}, key=pair.secret)
    assert (answer.status, answer.json()["code"]) == (429, "overloaded")
    assert 4 <= int(answer.headers["retry-after"]) <= 6
    engine.trouble = LogUnavailable("x", retry_after=1)
    assert ask("POST", "/v1/recommend", {}, key=pair.secret).status == 503


def test_more_than_may_wait_is_told_to_come_again(engine: MemoryEngine, pair: KeyPair, runs: Runs) -> None:
    app = build(engine, gate=Gate(requests=2))
    engine.holding = []
    caller = Caller(app, runs)
    headers = [(b"authorization", b"Bearer " + pair.secret.encode()), (b"content-length", b"2")]

    async def crowd() -> list[Answer]:
        asked = [
            asyncio.create_task(caller.exchange("POST", "/v1/recommend", [b"{}"], headers)) for _ in range(3)
        ]
        while not asked[2].done() or len(engine.holding or ()) < 2:
            await asyncio.sleep(0)
        assert engine.holding is not None
        for finish in engine.holding:
            finish()
        return await asyncio.gather(*asked)

    assert [answer.status for answer in runs(crowd())] == [200, 200, 429]
    engine.holding = None
    assert caller("POST", "/v1/recommend", {}, key=pair.secret).status == 200, "the gate is empty again"


def test_large_bodies_count_against_the_memory_that_may_wait(
    engine: MemoryEngine, pair: KeyPair, runs: Runs
) -> None:
    caller = Caller(build(engine, gate=Gate(waiting=1_000)), runs)
    assert caller("POST", "/v1/recommend", b"{}" + b" " * 999, key=pair.secret).status == 429
    assert caller("POST", "/v1/track", b"{}" + b" " * 999, key=pair.secret).status == 429
    assert caller("PUT", "/v1/items/p-1", b"{}" + b" " * 999, key=pair.secret).status == 429
    assert caller("POST", "/v1/recommend", b"{}", key=pair.secret).status == 200


def test_slow_bodies_keep_no_quick_ones_out(engine: MemoryEngine, pair: KeyPair, runs: Runs) -> None:
    gate = Gate(arriving=100)
    caller = Caller(build(engine, gate=gate), runs)
    gate.take(90)  # what slow callers have sent so far
    slow = [b"{" + b" " * 20, b"}"]
    assert caller("POST", "/v1/recommend", slow, key=pair.secret).status == 429
    assert caller("POST", "/v1/track", slow).status == 429
    assert caller("POST", "/v1/recommend", b"{}" + b" " * 500, key=pair.secret).status == 200
    gate.give(90)
    assert caller("POST", "/v1/recommend", slow, key=pair.secret).status == 200
    assert caller("POST", "/v1/recommend", slow, key=pair.secret, breaks=True).status == 0
    assert (gate.partial, gate.inside, gate.held) == (0, 0, 0)
