"""Health, metrics and the document: who sees them, and what they say."""

from __future__ import annotations

import json

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from heedful.faces.http import logs
from heedful.faces.http.app import build
from heedful.vocabulary.errors import LogUnavailable
from tests.faces.http.asgi import Caller, Runs
from tests.faces.http.conftest import KeyPair
from tests.faces.http.memory_engine import MemoryEngine
from tests.faces.http.test_collecting import VIEW

TOLD = ("/metrics", "/openapi.json", "/docs")
FAR = ("192.0.2.7", 40_000)


def test_a_process_that_is_starting_lives_and_is_not_ready(ask: Caller, engine: MemoryEngine) -> None:
    engine.is_ready = False
    assert ask("GET", "/health/live", client=FAR).json() == {"live": True}
    answer = ask("GET", "/health/ready", client=FAR)
    assert (answer.status, answer.json()["code"]) == (503, "not_ready")
    assert "retry-after" in answer.headers


def test_a_stopped_log_leaves_answers_to_be_had(ask: Caller, engine: MemoryEngine) -> None:
    assert ask("GET", "/health/ready").json() == {"ready": True, "writes": True}
    engine.stopped = LogUnavailable("x", retry_after=None)
    assert ask("GET", "/health/ready").json() == {"ready": True, "writes": False}


@pytest.mark.parametrize("path", TOLD)
def test_what_tells_of_the_inside_is_open_on_this_machine_only(ask: Caller, pair: KeyPair, path: str) -> None:
    assert ask("GET", path).status == 200
    assert ask("GET", path, client=("::1", 1), headers={"host": "[::1]:8080"}).status == 200
    assert ask("GET", path, client=FAR).status == 401
    assert ask("GET", path, client=None).status == 401
    assert ask("GET", path, client=("unix", 0)).status == 401
    assert ask("GET", path, client=FAR, key=pair.write).status == 403
    assert ask("GET", path, client=FAR, key=pair.secret).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "127.0.0.1"},
        {"forwarded": "for=1.1.1.1"},
        {"via": "1.1 proxy"},
        {"x-real-ip": "1.1.1.1"},
        {"host": "rebound.example"},
        {"host": "localhost.example"},
        {"host": ""},
        {"host": "127.0.0.1.example:80"},
    ],
)
def test_a_proxy_or_a_rebound_name_does_not_make_somebody_local(ask: Caller, headers: dict[str, str]) -> None:
    assert ask("GET", "/metrics", headers=headers).status == 401


@pytest.mark.parametrize("path", [*TOLD, "/health/live"])
def test_head_is_get_without_the_body(ask: Caller, path: str) -> None:
    got, looked = ask("GET", path), ask("HEAD", path)
    assert looked.body == b""
    assert looked.status == got.status
    if path != "/metrics":
        assert looked.headers == got.headers


def test_every_reply_carries_the_headers_of_caution(ask: Caller, pair: KeyPair) -> None:
    for method, path, key in [
        ("GET", "/health/live", None),
        ("GET", "/nothing", None),
        ("POST", "/v1/track", None),
        ("POST", "/v1/recommend", pair.secret),
        ("POST", "/v1/track", pair.write),
        ("GET", "/docs", None),
    ]:
        answer = ask(method, path, VIEW, key=key)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        if answer.status != 200 or not path.startswith("/v1/"):
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["referrer-policy"] == "no-referrer"


def test_a_request_id_is_echoed_if_it_is_plain_and_made_otherwise(ask: Caller, pair: KeyPair) -> None:
    for path in ("/v1/track", "/health/live", "/nothing"):
        answer = ask(
            "POST" if "track" in path else "GET",
            path,
            VIEW,
            key=pair.write,
            headers={"x-request-id": "a.B-9_"},
        )
        assert answer.headers["x-request-id"] == "a.B-9_"
    made = ask("GET", "/nothing", headers={"x-request-id": '"><script>'}).headers["x-request-id"]
    assert len(made) == 24
    assert made.isalnum()


def test_metrics_count_what_happened(ask: Caller, engine: MemoryEngine, pair: KeyPair) -> None:
    ask("POST", "/v1/track", VIEW, key=pair.write)
    ask("POST", "/v1/batch", {"batch": [VIEW, {"event": "x"}]}, key=pair.write)
    ask("POST", "/v1/track", VIEW)
    ask("POST", "/v1/recommend", {}, key=pair.secret)
    ask("PUT", "/v1/items/secret-item", {}, key=pair.secret)
    ask("POST", "/v1/items", {"items": [{}]}, key=pair.secret)
    ask("GET", "/nothing/u-1")
    text = ask("GET", "/metrics").body.decode()
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["heedful_events_total", "accepted"] == 2
    assert found["heedful_events_total", "duplicate"] == 1
    assert found["heedful_events_total", "refused"] == 2
    assert found["heedful_decisions_total",] == 1
    assert found["heedful_log_commits_total",] == 2
    assert found["heedful_items",] == 1
    assert found["heedful_ready",] == 1
    assert found["heedful_requests_total", "/v1/track", "200"] == 1
    assert found["heedful_requests_total", "/v1/track", "401"] == 1
    assert found["heedful_requests_total", "/v1/items/{item_id}", "200"] == 1
    assert found["heedful_requests_total", "404", "other"] == 1
    assert found["heedful_request_seconds_count", "/v1/track"] == 2
    assert found["heedful_request_seconds_bucket", "+Inf", "/v1/track"] == 2
    assert "secret-item" not in text
    assert "u-1" not in text


def test_the_access_log_is_one_line_a_request_and_names_nobody(
    engine: MemoryEngine, pair: KeyPair, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet, loud = Caller(build(engine), runs), Caller(build(engine, access_log=True), runs)
    try:
        logs.configure()
        quiet("POST", "/v1/track", VIEW, key=pair.write)
        assert capsys.readouterr().err == ""
        loud("POST", "/v1/track", VIEW, key=pair.write)
        loud("G\r\nET", "/v1/items/p\r\nforged", key=pair.secret, query=b"writeKey=" + pair.write.encode())
        lines = capsys.readouterr().err.splitlines()
    finally:
        structlog.reset_defaults()
    first, second = map(json.loads, lines)
    assert (first["route"], first["status"], first["method"]) == ("/v1/track", 200, "POST")
    assert second["method"] == "?"
    text = "".join(lines)
    for word in (pair.write, pair.secret, "u-1", "forged"):
        assert word not in text
