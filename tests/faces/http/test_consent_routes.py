"""Consent over HTTP, against the whole engine: a choice is in force when its call is answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heedful.compose import open_engine
from heedful.faces.http.app import build
from heedful.records.keys import Keys
from heedful.services.engine import Engine
from heedful.vocabulary.consent import PrivacySettings
from heedful.vocabulary.settings import Settings
from tests.faces.http.asgi import Caller, Runs
from tests.faces.http.conftest import KeyPair

SIGNAL = {"Sec-GPC": "1"}


@pytest.fixture
def shop(tmp_path: Path, keys: Keys) -> Iterator[Engine]:
    settings = Settings(holdout=0.0, privacy=PrivacySettings(jurisdiction="DE", strict_gpc=True))
    engine = open_engine(tmp_path / "data", settings=settings)
    engine.keys = keys
    yield engine
    engine.close()


@pytest.fixture
def call(shop: Engine, runs: Runs) -> Caller:
    return Caller(build(shop), runs)


def seen(call: Caller, pair: KeyPair, who: str, item: str, **more: Any) -> None:
    body = {"userId": who, "event": "Product Viewed", "properties": {"product_id": item}, **more}
    assert call("POST", "/v1/track", body, key=pair.write).status == 200


def asked(call: Caller, pair: KeyPair, who: str, **more: Any) -> Any:
    answer = call("POST", "/v1/recommend", {"userId": who, "explain": True, **more}, key=pair.secret)
    assert answer.status == 200, answer.body
    return answer.json()


def test_a_choice_is_in_force_for_the_very_next_question_and_can_be_read(call: Caller, pair: KeyPair) -> None:
    assert asked(call, pair, "ada")["withheld"] == "personalization"
    said = {"userId": "ada", "messageId": "m1", "choices": {"personalization": True, "learning": True}}
    answer = call("POST", "/v1/consent", said, key=pair.write)
    assert answer.status == 200
    assert [one["messageId"] for one in answer.json()["events"]] == ["m1"]
    assert call("POST", "/v1/consent", said, key=pair.write).json()["events"][0]["status"] == "duplicate"
    found = asked(call, pair, "ada")
    assert "withheld" not in found
    assert found["trace"]["consent"]["personalization"] == {"allowed": True, "why": "given"}
    told = call("GET", "/v1/consent", key=pair.secret, query=b"userId=ada").json()
    assert told["purposes"]["personalization"]["allowed"]
    assert not told["purposes"]["sharing"]["allowed"]
    assert {one["purpose"] for one in told["choices"]} == {"personalization", "learning"}
    (receipt,) = told["receipts"]
    assert receipt["record"]["events"][0]["state"] == "given"
    assert receipt["signature"]


def test_a_withdrawal_is_in_force_before_it_is_answered(call: Caller, pair: KeyPair, shop: Engine) -> None:
    call("POST", "/v1/consent", {"userId": "ada", "choices": {"*": True}}, key=pair.write)
    seen(call, pair, "ada", "tent")
    assert shop.fold.sessions.sessions_with(shop.fold.items.find("tent")) == 1
    call("POST", "/v1/consent", {"userId": "ada", "choices": {"*": "withdrawn"}}, key=pair.write)
    assert shop.fold.sessions.sessions_with(shop.fold.items.find("tent")) == 0
    assert asked(call, pair, "ada")["withheld"] == "personalization"
    assert shop.verify().agrees


def test_the_signal_in_a_header_speaks_for_a_question_and_is_kept_from_an_event(
    call: Caller, pair: KeyPair, shop: Engine
) -> None:
    call("POST", "/v1/consent", {"userId": "ada", "choices": {"*": True}}, key=pair.write)
    for path, body in (
        ("/v1/recommend", {"userId": "ada"}),
        ("/v1/decide", {"userId": "ada", "variants": ["a", "b"], "context": {"segment": "x"}}),
    ):
        assert "withheld" not in call("POST", path, body, key=pair.secret).json()
        withheld = call("POST", path, body, key=pair.secret, headers=SIGNAL).json()
        assert (withheld["withheld"], withheld["personalized"]) == ("personalization", False)
        assert "withheld" not in call("POST", path, body, key=pair.secret, headers={"Sec-GPC": "0"}).json()
    held = len(shop.fold.lawful.consents)
    for _ in range(2):
        body = {"userId": "bo", "event": "Opened"}
        answer = call("POST", "/v1/track", body, key=pair.write, headers=SIGNAL)
        assert len(answer.json()["events"]) == 1
    assert len(shop.fold.lawful.consents) == held + 1, "once, not per event"
    told = call("GET", "/v1/consent", key=pair.secret, query=b"userId=bo").json()
    assert told["purposes"]["sharing"]["why"] == "refused"
    assert told["receipts"][0]["record"]["events"][0]["method"] == "gpc"
    assert told["receipts"][0]["record"]["signals"] == {"gpc": True}


def test_a_question_of_who_is_not_personalized_is_a_decision_all_the_same(
    call: Caller, pair: KeyPair, shop: Engine
) -> None:
    found = asked(call, pair, "ada")
    told = call("GET", f"/v1/decisions/{found['decisionId']}", key=pair.secret).json()
    assert told["consent"] == "-"
    assert told["userId"] == "ada"
    assert shop.fold.outcomes.held() == (0, 0)


def test_what_is_wrong_with_a_choice_is_said(call: Caller, pair: KeyPair, shop: Engine) -> None:
    place = shop.place()
    for body, code in (
        ({"userId": "ada", "choices": {"astrology": True}}, "purpose_unknown"),
        ({"userId": "ada", "choices": []}, "consent_invalid"),
        ({"userId": "ada"}, "consent_invalid"),
        ({"choices": {"*": True}}, "subject_missing"),
    ):
        answer = call("POST", "/v1/consent", body, key=pair.write)
        said = answer.json()
        assert code in (said.get("code"), (said.get("events") or [{}])[0].get("code")), said
    assert call("GET", "/v1/consent", key=pair.secret).json()["code"] == "request_invalid"
    assert call("GET", "/v1/consent", key=pair.write, query=b"userId=ada").status == 403
    assert shop.place() == place


def test_everybody_may_know_that_the_signal_is_heeded(call: Caller) -> None:
    assert call("GET", "/.well-known/gpc.json").json() == {"gpc": True, "lastUpdate": "2026-11-23"}
