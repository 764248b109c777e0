"""Placements over HTTP: written, read, brought back, tried; and told when somebody else was first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from heedful.compose import open_engine
from heedful.faces.http.app import build
from heedful.records.keys import Keys
from heedful.services.engine import Engine
from tests.faces.http.asgi import Answer, Caller
from tests.faces.http.conftest import KeyPair

HOME = "/v1/placements/home"
COOK = {"rule": "exclude", "name": "no-pots", "where": {"field": "category", "op": "eq", "value": "cook"}}


@pytest.fixture
def shop(keys: Keys) -> Iterator[Engine]:
    """A real engine: what is said here must be so in answers."""
    engine = open_engine()
    engine.keys = keys
    yield engine
    engine.close()


@pytest.fixture
def say(shop: Engine, pair: KeyPair, runs: Any) -> Iterator[Any]:
    caller = Caller(build(shop), runs)

    def ask(method: str, path: str, body: object = b"", **more: Any) -> Answer:
        return caller(method, path, body, key=pair.secret, **more)

    items = [{"id": "tent", "categories": ["sleep"]}, {"id": "pot", "categories": ["cook"]}]
    assert ask("POST", "/v1/items", items).status == 200
    yield ask


def items_of(answer: Any) -> list[str]:
    return [item["itemId"] for item in answer["items"]]


def refusal(answer: Answer) -> tuple[int, str, str]:
    said = answer.json()
    return answer.status, said["code"], said.get("path", "")


def test_a_placement_is_written_read_and_in_force(say: Any) -> None:
    written = say("PUT", HOME, {"rules": [COOK], "diversity": 0.25}, query=b"note=no%20pots")
    assert (written.status, written.headers["etag"]) == (200, '"1"')
    said = written.json()
    assert (said["name"], said["version"], said["author"], said["note"]) == ("home", 1, "shop", "no pots")
    assert said["placement"]["rules"] == [{**COOK, "when": None}]
    read = say("GET", HOME)
    assert (read.json(), read.headers["etag"]) == (said, '"1"')
    assert say("GET", "/v1/placements").json() == {"placements": [said]}
    assert items_of(say("POST", "/v1/recommend", {"placement": "home"}).json()) == ["tent"]
    assert say("PUT", HOME, said["placement"]).json()["version"] == 2  # what was read can be written


def test_a_change_made_for_another_version_is_a_412(say: Any) -> None:
    first = {"if-none-match": "*"}
    assert say("PUT", HOME, {}, headers=first).status == 200
    assert refusal(say("PUT", HOME, {}, headers=first)) == (412, "version_conflict", "")
    assert say("PUT", HOME, {}, headers={"if-match": '"1"'}).headers["etag"] == '"2"'
    for method, path, body in (
        ("PUT", HOME, {}), ("DELETE", HOME, b""), ("POST", f"{HOME}/rollback", {"version": 1}),
    ):  # fmt: skip
        assert refusal(say(method, path, body, headers={"if-match": '"1"'}))[:2] == (412, "version_conflict")
    assert say("DELETE", HOME, headers={"if-match": '"2"'}).json()["deleted"] is True
    assert refusal(say("PUT", HOME, {}, headers={"if-match": "*"}))[:2] == (412, "version_conflict")


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ({"if-match": "1"}, "If-Match"),
        ({"if-match": '"a"'}, "If-Match"),
        ({"if-match": '"1", "2"'}, "If-Match"),
        ({"if-none-match": '"1"'}, "If-None-Match"),
        ({"if-none-match": "*", "if-match": "*"}, "If-None-Match"),
    ],
)
def test_a_condition_that_we_do_not_understand_is_refused_and_not_passed_over(
    say: Any, headers: dict[str, str], path: str
) -> None:
    assert refusal(say("PUT", HOME, {}, headers=headers)) == (400, "request_invalid", path)
    assert say("GET", HOME).status == 404


def test_versions_are_listed_and_one_is_brought_back(say: Any) -> None:
    say("PUT", HOME, {"rules": [COOK]})
    say("PUT", HOME, {})
    back = say("POST", f"{HOME}/rollback", {"version": 1, "note": "better"})
    assert (back.headers["etag"], back.json()["note"]) == ('"3"', "better")
    versions = say("GET", f"{HOME}/versions").json()["versions"]
    assert [one["version"] for one in versions] == [3, 2, 1]
    below = say("GET", f"{HOME}/versions", query=b"before=3").json()["versions"]
    assert below == versions[1:]
    assert items_of(say("POST", "/v1/recommend", {"placement": "home"}).json()) == ["tent"]
    assert refusal(say("POST", f"{HOME}/rollback", {"version": 7}))[:2] == (404, "not_found")
    assert refusal(say("GET", f"{HOME}/versions", query=b"before=x")) == (400, "request_invalid", "before")


def test_a_preview_answers_twice_and_changes_nothing(say: Any, shop: Engine) -> None:
    say("PUT", HOME, {})
    before = shop.status().counters["decisions_total"]
    call = {"placement": {"rules": [COOK]}, "question": {"userId": "ada", "limit": 5}}
    preview = say("POST", f"{HOME}/preview", call).json()
    assert items_of(preview["draft"]) == ["tent"]
    assert sorted(items_of(preview["inForce"])) == ["pot", "tent"]
    assert preview["version"] == 1
    assert preview["draft"]["trace"]["removed"]["rule:no-pots"] == ["pot"]
    assert shop.status().counters["decisions_total"] == before
    assert say("GET", f"{HOME}/versions").json()["versions"][0]["version"] == 1


@pytest.mark.parametrize(
    ("path", "body", "code", "where"),
    [
        ("", b"[]", "request_invalid", ""),
        ("", b"{", "json_invalid", ""),
        ("", {"diversity": 2}, "placement_invalid", "diversity"),
        ("", {"rules": [{**COOK, "where": {"all": [{"field": "x"}]}}]}, "placement_invalid",
         "rules[0].where.all[0].field"),
        ("/preview", {"placement": {"holdout": 0.9}}, "placement_invalid", "holdout"),
        ("/preview", {"placement": {}, "question": {"limit": 0}}, "limit_invalid", "limit"),
        ("/preview", {"placement": {}, "question": {"who": 1}}, "request_invalid", "question"),
        ("/preview", {}, "request_invalid", ""),
        ("/rollback", {"version": "one"}, "request_invalid", "version"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_where(say: Any, path: str, body: object, code: str, where: str) -> None:
    assert refusal(say("POST" if path else "PUT", HOME + path, body)) == (400, code, where)


def test_a_question_for_variants_is_sent_to_the_other_door(say: Any) -> None:
    say("PUT", "/v1/placements/hero", {"kind": "variants", "variants": [{"id": "a"}, {"id": "b"}]})
    assert refusal(say("POST", "/v1/recommend", {"placement": "hero"}))[:2] == (400, "placement_kind")


def test_a_name_may_be_any_words(say: Any) -> None:
    assert say("PUT", "/v1/placements/Startseite, über allem", {}).json()["name"] == "Startseite, über allem"
    assert refusal(say("PUT", "/v1/placements/" + "x" * 201, {}))[:2] == (400, "placement_invalid")


def test_a_write_key_neither_reads_nor_writes_placements(shop: Engine, pair: KeyPair, runs: Any) -> None:
    caller = Caller(build(shop), runs)
    for method, path in (("GET", "/v1/placements"), ("PUT", HOME), ("POST", f"{HOME}/preview")):
        assert refusal(caller(method, path, b"{}", key=pair.write))[:2] == (403, "key_not_allowed")


def test_definitions_that_cannot_be_read_are_a_503(say: Any, shop: Engine) -> None:
    from heedful.vocabulary.errors import RecordsUnavailable

    def broken(*_: object) -> Any:
        raise RecordsUnavailable("no disk")

    shop.placements._records.current = broken  # type: ignore[assignment]  # as a full disk would
    answer = say("GET", HOME)
    assert refusal(answer)[:2] == (503, "records_unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert "no disk" not in answer.body.decode()
