"""The route that chooses a variant, and who may ask it."""

from __future__ import annotations

import gzip

import msgspec
import pytest

from heedful.vocabulary.variants import DecideAnswer
from tests.faces.http.asgi import Caller
from tests.faces.http.conftest import KeyPair

QUESTION = {
    "userId": "u-1",
    "placement": "hero",
    "variants": ["a", "b"],
    "context": {"hour": 9, "device": "phone"},
}


def test_a_secret_key_gets_a_variant(ask: Caller, pair: KeyPair) -> None:
    answer = ask("POST", "/v1/decide", QUESTION, key=pair.secret)
    assert answer.status == 200
    assert msgspec.json.decode(answer.body, type=DecideAnswer).variant == "a"
    assert answer.json().keys() >= {
        "decisionId",
        "propensity",
        "propensities",
        "personalized",
        "position",
        "degraded",
    }
    assert answer.headers["cache-control"] == "no-store"


def test_a_compressed_question_is_answered(ask: Caller, pair: KeyPair) -> None:
    body, headers = gzip.compress(msgspec.json.encode(QUESTION)), {"content-encoding": "gzip"}
    assert ask("POST", "/v1/decide", body, key=pair.secret, headers=headers).status == 200


def test_a_write_key_is_told_why_not(ask: Caller, pair: KeyPair) -> None:
    assert ask("POST", "/v1/decide", QUESTION, key=pair.write).json()["code"] == "key_not_allowed"
    assert ask("POST", "/v1/decide", QUESTION).status == 401


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        (b"{}", "variants_missing", "variants"),
        (b'{"variants":["a",7]}', "request_invalid", "variants[1]"),
        (b'{"variants":["a"],"algorithm":"guess"}', "request_invalid", "algorithm"),
        (b'{"variants":["a"],"surprise":1}', "request_invalid", None),
        (b"[]", "request_invalid", None),
        (b"{", "json_invalid", None),
        (b" " * 70_000, "too_large", None),
    ],
)
def test_a_bad_question_is_a_problem_with_a_path(
    ask: Caller, pair: KeyPair, body: bytes, code: str, path: str | None
) -> None:
    answer = ask("POST", "/v1/decide", body, key=pair.secret)
    assert (answer.json()["code"], answer.json().get("path")) == (code, path)
