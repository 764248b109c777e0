"""Thousands of requests that nobody should send: never a failure of ours, never an exception."""

from __future__ import annotations

import base64
import gzip
import random
import zlib

import pytest

from heedful.faces.http.collecting import METHODS, SHORT
from heedful.faces.http.dispatch import GONE
from tests.faces.http.asgi import Caller
from tests.faces.http.conftest import KeyPair

PATHS = [
    *(f"/v1/{name}" for name in (*METHODS, *SHORT)),
    "/v1/recommend",
    "/v1/items",
    "/v1/items/p-1",
    "/v1/items/",
    "/v1/items/a/b/../c",
    "/v1/pixel/track",
    "/v1/pixel/",
    "/openapi.json",
    "/docs",
    "/metrics",
    "/health/live",
    "/health/ready",
    "/",
    "//",
    "/v1/track/",
    "/v1/\u0000",
    "/v1/items/\ud800".encode("utf-8", "replace").decode(),
    "/v1/items/" + "x" * 300,
    "/%2e%2e/etc/passwd",
    "/v1/items/\r\nX-Evil: 1",
    "",
    "*",
    "http://evil/",
]
VERBS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "FOO", ""]
BODIES = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"7",
    b'"x"',
    b"{",
    b"\xff\xfe",
    b"\x00" * 100,
    b"[" * 50_000,
    b'{"a":' * 5_000,
    b'{"userId":"\\ud800"}',
    b'{"userId":"\\u0000","event":"\\u0000"}',
    b'{"a":1e999}',
    b'{"a":' + b"9" * 5_000 + b"}",
    b'{"batch":[null,7,"x",[],{}]}',
    b'{"batch":{}}',
    b'{"items":[null,7,{}]}',
    b'{"limit":-1}',
    b'{"limit":1e3}',
    b'{"limit":99999999999999999999}',
    b'{"writeKey":{}}',
    b'{"writeKey":"\\u0000"}',
    b'{"id":"\\ud83d"}',
    b'{"asOf":"9999-99-99"}',
    b'{"published":"0000-00-00T00:00:00Z"}',
    b'{"filter":{"$where":"1"}}',
    b"\xef\xbb\xbf{}",
    b'{"userId":"u","userId":"v","event":"e"}',
    b'{"batch":[' + b"{}," * 3_000 + b"{}]}",
    b" " * 70_000,
    b"data=x",
    b'{"userId":"u-1","event":"Product Viewed"}',
    b'[{"id":"a"},{"id":"a"}]',
    b'{"id":"p-1","price":{"minor":1}}',
    gzip.compress(b"{}"),
    gzip.compress(b"0" * 3_000_000),
    zlib.compress(b"{}"),
    gzip.compress(b"{}")[:9],
]
ODD = [
    ("content-encoding", b"gzip"),
    ("content-encoding", b"deflate"),
    ("content-encoding", b"\xff"),
    ("content-encoding", b"br, gzip"),
    ("content-length", b"-1"),
    ("content-length", b"1e9"),
    ("content-length", b"9" * 400),
    ("content-length", b"\xb2"),
    ("content-length", b""),
    ("expect", b"100-continue"),
    ("transfer-encoding", b"chunked"),
    ("x-request-id", b"\x00\r\n"),
    ("x-request-id", b"x" * 300),
    ("host", b""),
    ("host", b"[::1"),
    ("host", b"\xff"),
    ("origin", b"null"),
    ("cookie", b"a=b; " * 100),
    ("authorization", b""),
    ("authorization", b"Basic"),
    ("authorization", b"Basic !!!"),
    ("authorization", b"Bearer"),
    ("authorization", b"Basic " + base64.b64encode(b"\xff\xfe:x")),
    ("authorization", b"Digest x"),
    ("authorization", b"Bearer \xff\xfe"),
    ("authorization", b"Bearer " + b"x" * 10_000),
    ("content-type", b"\x00"),
    ("x-forwarded-for", b"127.0.0.1"),
    ("accept", b"*/*;q=nan"),
    ("range", b"bytes=0-"),
    ("if-none-match", b"*"),
]
QUERIES = [
    b"",
    b"data=",
    b"data=e30",
    b"data=%ff%fe",
    b"data=" + base64.b64encode(BODIES[10]),
    b"&&==&",
    b"data=e30&data=x",
]


@pytest.mark.parametrize("seed", range(4))
def test_nothing_that_is_sent_is_a_failure_of_ours(ask: Caller, pair: KeyPair, seed: int) -> None:
    dice = random.Random(seed)
    allowed = [("authorization", f"Bearer {key}".encode()) for key in (pair.write, pair.secret, pair.secret)]

    async def storm() -> dict[int, int]:
        seen: dict[int, int] = {}
        for _ in range(900):
            headers = [(name.encode(), value) for name, value in dice.sample(ODD, dice.randrange(4))]
            if dice.random() < 0.7:
                name, value = dice.choice(allowed)
                headers.append((name.encode(), value))
            body = dice.choice(BODIES)
            cut = dice.randrange(len(body) + 1)
            pieces = [body] if dice.random() < 0.7 else [body[:cut], b"", body[cut:]]
            verb, path, query = dice.choice(VERBS[:6] * 3 + VERBS), dice.choice(PATHS), dice.choice(QUERIES)
            client = dice.choice([("127.0.0.1", 1), ("::1", 1), ("10.0.0.1", 1), None])
            leaves = dice.random() < 0.05
            answer = await ask.exchange(verb, path, pieces, headers, query, client, breaks=leaves)
            said = (verb, path, body[:60], headers, answer.status, answer.body[:200])
            assert answer.status < 500, said
            assert verb != "HEAD" or answer.body == b"", said
            assert answer.status not in (0, GONE) or leaves, said
            if answer.status >= 400 and answer.status != GONE and verb != "HEAD":
                problem = answer.json()
                assert problem["status"] == answer.status, said
                assert problem["code"], said
            for key in (pair.write, pair.secret):
                assert key.encode() not in answer.body, said
            seen[answer.status] = seen.get(answer.status, 0) + 1
        return seen

    seen = ask.runs(storm())
    assert {200, 400, 401, 403, 404, 405, 413} <= set(seen), "the storm reaches every sort of answer"
