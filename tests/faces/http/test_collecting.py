"""Events come in as Segment's SDKs send them."""

from __future__ import annotations

import base64
import gzip
import zlib
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.faces.http.collecting import LIMIT, METHODS, PIXELS, SHORT
from heedful.faces.http.encodings import inflate
from heedful.faces.http.problem import Problem
from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.errors import LogUnavailable, TooLarge
from tests.faces.http.asgi import Caller
from tests.faces.http.conftest import KeyPair
from tests.faces.http.memory_engine import MemoryEngine

VIEW: dict[str, object] = {
    "userId": "u-1",
    "event": "Product Viewed",
    "messageId": "m-1",
    "properties": {"product_id": "p"},
}


def body_for(method: str) -> dict[str, object]:
    return {"batch": [{"type": "track", **VIEW}]} if method in ("batch", "import") else VIEW


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_taken_and_answered(
    ask: Caller, engine: MemoryEngine, pair: KeyPair, method: str
) -> None:
    answer = ask("POST", f"/v1/{method}", body_for(method), key=pair.secret)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.body))
    collected = msgspec.json.decode(answer.body, type=CollectAnswer)
    assert [fate.status for fate in collected.events] == ["accepted"]
    assert [(called, source) for called, _, source in engine.calls] == [(method, "shop")]


@pytest.mark.parametrize("short", SHORT)
def test_the_short_forms_of_browsers_mean_the_long_ones(
    ask: Caller, engine: MemoryEngine, pair: KeyPair, short: str
) -> None:
    body = {**body_for(SHORT[short]), "writeKey": pair.write}
    answer = ask("POST", f"/v1/{short}", body, headers={"content-type": "text/plain"})
    assert answer.status == 200
    assert [(method, source) for method, _, source in engine.calls] == [(SHORT[short], "web")]


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "application/json", "x/y", ""]
)
def test_json_is_json_whatever_the_content_type_says(ask: Caller, pair: KeyPair, media: str) -> None:
    assert ask("POST", "/v1/track", VIEW, key=pair.write, headers={"content-type": media}).status == 200


def test_the_key_may_come_as_bearer(ask: Caller, pair: KeyPair) -> None:
    headers = {"authorization": f"bearer {pair.write}"}
    assert ask("POST", "/v1/track", VIEW, headers=headers).status == 200


def test_the_header_counts_when_the_body_names_a_key_too(
    ask: Caller, engine: MemoryEngine, pair: KeyPair
) -> None:
    assert ask("POST", "/v1/track", {**VIEW, "writeKey": pair.write}, key=pair.secret).status == 200
    assert engine.calls[0][2] == "shop"
    assert ask("POST", "/v1/track", {**VIEW, "writeKey": pair.write}, key="wrong").status == 401


def test_a_repeat_is_a_duplicate_and_a_bad_event_refuses_only_itself(ask: Caller, pair: KeyPair) -> None:
    batch = {"batch": [VIEW, VIEW, {"event": "x"}]}
    events = ask("POST", "/v1/batch", batch, key=pair.write).json()["events"]
    assert [event["status"] for event in events] == ["accepted", "duplicate", "refused"]
    assert events[2]["code"] == "subject_missing"


@pytest.mark.parametrize("name", ["gzip", "deflate", "raw deflate", "GZIP"])
def test_compressed_bodies_are_taken(ask: Caller, engine: MemoryEngine, pair: KeyPair, name: str) -> None:
    plain = msgspec.json.encode(VIEW)
    packed = {"deflate": zlib.compress(plain), "raw deflate": zlib.compress(plain)[2:-4]}
    headers = {"content-encoding": name.rsplit(maxsplit=1)[-1]}
    answer = ask("POST", "/v1/track", packed.get(name, gzip.compress(plain)), key=pair.write, headers=headers)
    assert answer.status == 200
    assert engine.calls[0][1] == plain


@given(plain=st.binary(max_size=3_000), copies=st.integers(1, 40))
def test_inflating_gives_back_what_was_packed_or_says_that_it_is_too_much(plain: bytes, copies: int) -> None:
    whole = plain * copies
    packed = gzip.compress(whole)
    if len(whole) <= min(50_000, 100 * len(packed)):
        assert inflate(packed, b"gzip", 50_000) == whole
    else:
        with pytest.raises(TooLarge):
            inflate(packed, b"gzip", 50_000)


@given(packed=st.binary(max_size=200), name=st.sampled_from([b"gzip", b"deflate", b"br", b""]))
def test_any_bytes_inflate_or_are_refused(packed: bytes, name: bytes) -> None:
    try:
        assert len(inflate(packed, name, 10_000)) <= max(len(packed), 10_000)
    except (Problem, TooLarge):
        assert name


def test_a_bomb_is_refused_before_it_grows(ask: Caller, engine: MemoryEngine, pair: KeyPair) -> None:
    bomb = gzip.compress(b"0" * (64 << 20))
    answer = ask("POST", "/v1/batch", bomb, key=pair.write, headers={"content-encoding": "gzip"})
    assert (answer.status, answer.json()["code"]) == (413, "too_large")
    dense = gzip.compress(b"0" * 900_000)
    answer = ask("POST", "/v1/batch", dense, key=pair.write, headers={"content-encoding": "gzip"})
    assert answer.status == 413, "below the limit, but it grew more than a hundred times"
    assert engine.calls == []


@pytest.mark.parametrize(
    ("name", "body", "status", "code"),
    [
        ("gzip", b"not gzip", 400, "encoding_invalid"),
        ("gzip", gzip.compress(b"{}")[:-6], 400, "encoding_invalid"),
        ("gzip", gzip.compress(b"{}") + b"x", 400, "encoding_invalid"),
        ("gzip", b"", 400, "encoding_invalid"),
        ("br", b"{}", 415, "encoding_unknown"),
        ("gzip, gzip", b"{}", 415, "encoding_unknown"),
    ],
)
def test_a_body_that_does_not_inflate_is_refused(
    ask: Caller, pair: KeyPair, name: str, body: bytes, status: int, code: str
) -> None:
    answer = ask("POST", "/v1/track", body, key=pair.write, headers={"content-encoding": name})
    assert (answer.status, answer.json()["code"]) == (status, code)


def test_a_body_beyond_the_limit_is_refused_by_what_it_announces(ask: Caller, pair: KeyPair) -> None:
    headers = {"content-length": str(LIMIT + 1)}
    answer = ask("POST", "/v1/batch", [], key=pair.write, headers=headers)
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert ask("POST", "/v1/batch", [], key=pair.write, headers={"content-length": "9" * 5_000}).status == 413


def test_a_body_beyond_the_limit_is_refused_by_what_it_is(
    ask: Caller, engine: MemoryEngine, pair: KeyPair
) -> None:
    assert ask("POST", "/v1/batch", [b" " * 65_536] * 17, key=pair.write).status == 413
    assert ask("POST", "/v1/batch", b" " * (LIMIT + 1), key=pair.write).status == 413
    assert engine.calls == []


def test_a_body_in_pieces_is_put_together(ask: Caller, engine: MemoryEngine, pair: KeyPair) -> None:
    whole = msgspec.json.encode(VIEW)
    pieces = [whole[place : place + 7] for place in range(0, len(whole), 7)]
    assert ask("POST", "/v1/track", pieces, key=pair.write).status == 200
    assert engine.calls[0][1] == whole


def test_a_caller_who_leaves_in_the_middle_leaves_nothing(
    ask: Caller, engine: MemoryEngine, pair: KeyPair
) -> None:
    answer = ask("POST", "/v1/track", [b'{"userId":'], key=pair.write, breaks=True)
    assert answer.status == 0
    assert engine.calls == []


def test_a_preflight_is_answered_without_a_key_and_without_credentials(ask: Caller) -> None:
    answer = ask("OPTIONS", "/v1/track", headers={"origin": "https://shop.example"})
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers


def test_a_page_of_any_site_may_read_failures_too(ask: Caller) -> None:
    answer = ask("POST", "/v1/track", VIEW)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (401, "*")


@pytest.mark.parametrize("method", PIXELS)
@pytest.mark.parametrize("alphabet", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_pixel_collects(
    ask: Caller, engine: MemoryEngine, pair: KeyPair, method: str, alphabet: object
) -> None:
    assert callable(alphabet)
    call = {**VIEW, "writeKey": pair.write, "x": "ÿþ>>>???"}
    encoded = alphabet(msgspec.json.encode(call))
    for query in (
        b"data=" + encoded,
        b"a=1&data=" + quote(encoded).encode().rstrip(b"="),
        b"data=" + encoded.rstrip(b"="),
    ):
        answer = ask("GET", f"/v1/pixel/{method}", query=query)
        assert answer.status == 200
        assert answer.body.startswith(b"GIF89a")
        assert answer.headers["content-type"] == "image/gif"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert answer.headers["cache-control"] == "no-store"
    assert [(called, source) for called, _, source in engine.calls] == [(method, "web")] * 3


def test_looking_at_a_pixel_collects_nothing(ask: Caller, engine: MemoryEngine) -> None:
    answer = ask("HEAD", "/v1/pixel/track", query=b"data=e30")
    assert (answer.status, answer.body, engine.calls) == (200, b"", [])


@pytest.mark.parametrize("query", [b"", b"data=%", b"data=!!!", b"data=a", b"dat=e30"])
def test_a_pixel_that_cannot_be_read_is_refused(ask: Caller, pair: KeyPair, query: bytes) -> None:
    answer = ask("GET", "/v1/pixel/track", query=query, key=pair.write)
    assert answer.status == 400


def test_a_stopped_log_is_said_with_when_to_come_again(
    ask: Caller, engine: MemoryEngine, pair: KeyPair
) -> None:
    engine.stopped = LogUnavailable("no space left on /var/lib/secret-place", retry_after=10)
    answer = ask("POST", "/v1/track", VIEW, key=pair.write)
    assert (answer.status, answer.json()["code"]) == (503, "log_unavailable")
    assert 10 <= int(answer.headers["retry-after"]) <= 15
    assert b"secret-place" not in answer.body
    engine.stopped = LogUnavailable("fsync failed", retry_after=None)
    assert "retry-after" not in ask("POST", "/v1/track", VIEW, key=pair.write).headers
