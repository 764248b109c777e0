"""Decisions and metrics over HTTP, on a real engine: secret keys only, 404 for what is not there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from heedful.compose import open_engine
from heedful.faces.http.app import build
from heedful.models.measures.catalogue import definitions
from heedful.records.keys import KeyKind, Keys
from heedful.services.engine import Engine


class Server:
    """A real engine behind the real application, on a loop of its own."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.engine: Engine = open_engine(post=self.loop.call_soon_threadsafe)
        self.engine.later = self.loop.call_later
        self.engine.keys = Keys(folder / "keys.json")
        self.secret = self.engine.keys.create(KeyKind.SECRET)
        self.write = self.engine.keys.create(KeyKind.WRITE)
        self.app = build(self.engine)

    def call(self, method: str, path: str, body: Any = None, key: str = "", **query: Any) -> tuple[int, Any]:
        return self.loop.run_until_complete(self._call(method, path, body, key or self.secret, query))

    async def _call(self, method: str, path: str, body: Any, key: str, query: Any) -> tuple[int, Any]:
        sent: list[Any] = []
        content = b"" if body is None else json.dumps(body).encode()

        async def receive() -> Any:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "scheme": "http",
            "query_string": urlencode(query).encode(), "http_version": "1.1", "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80), "root_path": "",
            "headers": [(b"authorization", b"Bearer " + key.encode()), (b"host", b"localhost")],
        }  # fmt: skip
        await self.app(scope, receive, send)
        text = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], json.loads(text)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    for number in range(4):
        for item in ("tent", "stove", "map"):
            event = {"userId": f"u{number}", "event": "Product Viewed", "properties": {"product_id": item}}
            assert server.call("POST", "/v1/track", event)[0] == 200
    yield server
    server.engine.close()
    server.loop.close()


def test_an_answer_is_told_again_also_a_moment_after_it_was_given(server: Server) -> None:
    status, answer = server.call("POST", "/v1/recommend", {"userId": "u9", "placement": "home", "limit": 2})
    assert status == 200
    status, told = server.call("GET", f"/v1/decisions/{answer['decisionId']}")
    assert status == 200
    assert [item["itemId"] for item in told["items"]] == [item["itemId"] for item in answer["items"]]
    assert (told["decisionId"], told["userId"], told["placement"]) == (answer["decisionId"], "u9", "home")
    assert len(told["seed"]) == 16


def test_a_choice_among_variants_is_told_again_too(server: Server) -> None:
    question = {"userId": "u9", "placement": "hero", "variants": ["a", "b"]}
    status, answer = server.call("POST", "/v1/decide", question)
    assert status == 200
    status, told = server.call("GET", f"/v1/decisions/{answer['decisionId']}")
    assert status == 200
    assert (told["variant"], told["variants"]) == (answer["variant"], answer["propensities"])
    assert (told["decisionId"], told["userId"], told["placement"]) == (answer["decisionId"], "u9", "hero")
    assert told["items"] == []


def test_what_is_not_there_is_a_404_with_its_code(server: Server) -> None:
    for path in ("/v1/decisions/nothing", "/v1/metrics/happiness"):
        status, problem = server.call("GET", path)
        assert (status, problem["code"]) == (404, "not_found")


def test_a_write_key_reads_neither_decisions_nor_metrics(server: Server) -> None:
    for path in ("/v1/decisions/x", "/v1/metrics", "/v1/metrics/ctr"):
        status, problem = server.call("GET", path, key=server.write)
        assert (status, problem["code"]) == (403, "key_not_allowed")


def test_the_metrics_are_listed_with_their_formulas(server: Server) -> None:
    status, listed = server.call("GET", "/v1/metrics")
    assert status == 200
    assert {one["name"] for one in listed["metrics"]} == definitions().keys()
    assert all(one["formula"] for one in listed["metrics"])


def test_a_metric_says_what_is_missing_and_latency_what_was_measured(server: Server) -> None:
    status, found = server.call("GET", "/v1/metrics/ctr", placement="home", day="3", **{"from": "2026-01-01"})
    assert (status, found["value"]) == (200, None)
    assert "not enough data" in found["why"]
    for _ in range(100):
        server.call("POST", "/v1/recommend", {"limit": 1})
    status, found = server.call("GET", "/v1/metrics/latency")
    assert status == 200
    assert found["events"] >= 100
    assert 0 < found["low"] <= found["value"] <= found["high"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"day": "x"}, "request_invalid"),
        ({"colour": "red"}, "request_invalid"),
        ({"to": "x"}, "time_invalid"),
    ],
)
def test_a_query_that_means_nothing_is_a_400(server: Server, query: dict[str, str], code: str) -> None:
    status, problem = server.call("GET", "/v1/metrics/ctr", **query)
    assert (status, problem["code"]) == (400, code)


def test_prometheus_hears_how_many_decisions_are_held(server: Server) -> None:
    assert server.engine.status().counters["decisions_held"] >= 1
