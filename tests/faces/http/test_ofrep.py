"""OFREP on the wire, case by case as its specification has them (OFREP 0.3.0, service/openapi.yaml, ADR-0008)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from heedful.compose import open_engine
from heedful.faces.http.app import build
from heedful.faces.http.dispatch import Dispatcher
from heedful.faces.http.streams import Streams
from heedful.records.keys import KeyKind, Keys, Restrictions
from heedful.services.engine import Engine
from heedful.vocabulary.errors import Overloaded
from heedful.vocabulary.settings import Settings
from tests.faces.http.asgi import Answer, Caller, Runs
from tests.faces.http.conftest import KeyPair
from tests.services.flags.test_flags import COLOURS, exposures, started

FLAGS = "/ofrep/v1/evaluate/flags"
SITE = "https://shop.example"
Ask = Callable[..., Answer]


@pytest.fixture
def engine(keys: Keys) -> Iterator[Engine]:
    made = open_engine(settings=Settings(holdout=0.0))
    made.keys = keys
    started(made)
    made.flags.put("plain", {"default": "on"}, author="me")
    made.flags.put("off", {"enabled": False}, author="me")
    made.flags.put("size", {"type": "number", "variations": {"s": 1, "l": 2.5}, "default": "l"}, author="me")
    yield made
    made.close()


@pytest.fixture
def app(engine: Engine) -> Dispatcher:
    return build(engine)


@pytest.fixture
def say(app: Dispatcher, runs: Runs, pair: KeyPair) -> Ask:
    caller = Caller(app, runs)

    def ask(path: str = "", body: object = b"{}", **more: Any) -> Answer:
        return caller("POST", FLAGS + path, body, **{"key": pair.secret, **more})

    return ask


def about(key: str = "u1", **more: Any) -> dict[str, Any]:
    return {"context": {"targetingKey": key, **more}}


def test_one_flag_has_the_shape_of_a_success(say: Ask) -> None:
    answer = say("/plain", about())
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "key": "plain",
        "value": True,
        "reason": "STATIC",
        "variant": "on",
        "metadata": {},
    }
    split = say("/button", about()).json()
    assert split["reason"] == "SPLIT"
    assert all(isinstance(one, bool | str | int | float) for one in split["metadata"].values())
    assert say("/size", about()).json()["value"] == 2.5


def test_a_flag_that_leaves_it_to_the_code_has_no_value(say: Ask) -> None:
    answer = say("/off", about())
    assert answer.status == 200
    assert answer.json() == {"key": "off", "reason": "DISABLED", "variant": "", "metadata": {}}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/nothing", about(), 404, "FLAG_NOT_FOUND"),
        ("/", about(), 404, "FLAG_NOT_FOUND"),
        ("/button", {"context": {}}, 400, "TARGETING_KEY_MISSING"),
        ("/button", {}, 400, "TARGETING_KEY_MISSING"),
        ("/button", b"", 400, "TARGETING_KEY_MISSING"),
        ("/button", b"{", 400, "PARSE_ERROR"),
        ("/button", b"[]", 400, "PARSE_ERROR"),
        ("/button", b'{"context": "' + b"x" * 200_000 + b'"}', 400, "PARSE_ERROR"),
        ("/button", b"\xff", 400, "PARSE_ERROR"),
        ("/button", {"context": "u1"}, 400, "INVALID_CONTEXT"),
        ("/button", {"context": {"targetingKey": 1}}, 400, "INVALID_CONTEXT"),
        ("/button", {"context": {"targetingKey": "u1", "many": [0] * 3_000}}, 400, "INVALID_CONTEXT"),
    ],
)
def test_a_failure_of_one_flag_names_it(say: Ask, path: str, body: object, status: int, code: str) -> None:
    answer = say(path, body)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
    told = answer.json()
    assert set(told) == {"key", "errorCode", "errorDetails"}
    assert (told["key"], told["errorCode"]) == (path[1:], code)
    assert told["errorDetails"]


@pytest.mark.parametrize(("body", "code"), [(b"{", "PARSE_ERROR"), ({"context": 1}, "INVALID_CONTEXT")])
def test_a_failure_of_all_flags_names_none(say: Ask, body: object, code: str) -> None:
    answer = say("", body)
    assert answer.status == 400
    assert (set(answer.json()), answer.json()["errorCode"]) == ({"errorCode", "errorDetails"}, code)


def test_all_flags_come_with_a_tag_and_a_flag_that_fails_is_one_of_them(say: Ask) -> None:
    answer = say("", {"context": {}})
    assert answer.status == 200
    told = {one["key"]: one.get("errorCode", one.get("reason")) for one in answer.json()["flags"]}
    assert told == {"button": "TARGETING_KEY_MISSING", "off": "DISABLED", "plain": "STATIC", "size": "STATIC"}
    assert answer.headers["etag"].startswith('"')


def test_a_tag_answers_304_until_anything_changes(say: Ask, engine: Engine) -> None:
    tag = say("", about(country="DE")).headers["etag"]
    again = say("", about(country="DE"), headers={"if-none-match": tag})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert say("", about(country="DE"), headers={"if-none-match": f'"x", W/{tag}'}).status == 304
    assert say("", about(country="AT"), headers={"if-none-match": tag}).status == 200
    assert say("", about("u2", country="DE"), headers={"if-none-match": tag}).status == 200
    engine.flags.put("plain", {"default": "off"}, author="me")
    changed = say("", about(country="DE"), headers={"if-none-match": tag})
    assert (changed.status, changed.headers["etag"] != tag) == (200, True)


def test_a_fetch_that_a_message_asked_for_is_never_304(say: Ask, engine: Engine) -> None:
    tag = say("", about()).headers["etag"]
    query = f"flagConfigEtag={engine.evaluating.configuration}".encode()
    for one in (query, b"flagConfigEtag=another"):
        assert say("", about(), headers={"if-none-match": tag}, query=one).status == 200
    assert say("", about(), headers={"if-none-match": tag}, query=b"flagConfigEtag=").status == 304


def test_a_key_comes_in_any_of_three_headers(say: Ask, pair: KeyPair) -> None:
    sent = {"x-api-key": pair.secret}, {"authorization": f"Bearer {pair.secret}"}
    for headers in sent:
        assert say("/plain", about(), key=None, headers=headers).status == 200
    assert say("/plain", about()).status == 200
    for headers in ({}, {"x-api-key": "sk_nobody"}, {"x-api-key": ""}):
        answer = say("/plain", about(), key=None, headers=headers)
        assert answer.status == 401
        assert "www-authenticate" in answer.headers
        assert set(answer.json()) == {"errorCode", "errorDetails"}
    assert say("/plain", about(), key=None, headers={"x-api-key": "no", "authorization": f"Bearer {pair.secret}"}
               ).status == 200  # fmt: skip


def test_a_page_evaluates_with_the_public_key_by_what_it_sends(
    say: Ask, pair: KeyPair, engine: Engine
) -> None:
    arms = {n: say("/button", about(f"u{n}")).json()["variant"] for n in range(30)}
    engine.experiments.weigh("colours", (0.0, 1.0), 1.0, lambda _: None, author="me")
    assert "grey" in arms.values()
    for n, arm in arms.items():
        assert say("", about(f"u{n}")).json()["flags"][0]["variant"] == arm
        assert say("", about(f"u{n}"), key=pair.write).json()["flags"][0]["variant"] == "blue"


def test_what_fails_here_says_so_in_the_protocols_words(
    say: Ask, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(engine.evaluating, "one", broken)
    answer = say("/plain", about())
    assert answer.status == 500
    assert "errorDetails" in answer.json()
    assert b"secret" not in answer.body


def test_the_header_of_global_privacy_control_is_heard(say: Ask) -> None:
    tags = [say("", about(), headers=headers).headers["etag"] for headers in ({}, {"sec-gpc": "1"})]
    assert tags[0] != tags[1]


def test_pages_of_a_keys_sites_may_read_answers_and_tags(
    app: Dispatcher, say: Ask, keys: Keys, runs: Runs
) -> None:
    own = keys.create(KeyKind.WRITE, limits=Restrictions(origins=(SITE,)))
    sent = {"origin": SITE, "access-control-request-headers": "x-api-key, if-none-match, content-type"}
    for path in ("", "/button"):
        asked = Caller(app, runs)("OPTIONS", FLAGS + path, headers=sent)
        assert asked.status == 204
        assert asked.headers["access-control-allow-origin"] == SITE
        named = set(asked.headers["access-control-allow-headers"].split(", "))
        assert {"authorization", "x-api-key", "if-none-match", "content-type"} <= named
        answer = say(path, about(), key=own, headers={"origin": SITE})
        assert answer.headers["access-control-allow-origin"] == SITE
        assert "etag" in answer.headers["access-control-expose-headers"]
        assert say(path, about(), headers={"origin": "https://other.example"}).headers.get(
            "access-control-allow-origin"
        ) is None  # fmt: skip
    refused = say("", about(), key="pk_nobody", headers={"origin": SITE})
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, SITE)


def listening(app: Dispatcher, path: str, runs: Runs, act: Callable[[], object], **headers: str) -> Any:
    """What a stream said until its first message after `act`; (status, text)."""

    async def listen() -> tuple[int, str]:
        said: list[bytes] = []
        status, heard, gone = 0, asyncio.Event(), asyncio.Event()

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            said.append(message.get("body", b""))
            if b"data: " in said[-1] or not message.get("more_body", True):
                heard.set()

        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "scheme": "http", "method": "GET", "path": path, "raw_path": path.encode(), "root_path": "",
            "query_string": b"", "headers": raw, "client": ("127.0.0.1", 5_000),
            "server": ("127.0.0.1", 80), "state": {},
        }  # fmt: skip
        task = asyncio.create_task(app(scope, receive, send))
        while not any(said) and not task.done():
            await asyncio.sleep(0)
        act()
        await heard.wait()
        gone.set()
        await task
        return status, b"".join(said).decode()

    return runs(listen())


def test_a_page_that_listens_is_told_to_ask_again(
    app: Dispatcher, say: Ask, runs: Runs, engine: Engine
) -> None:
    (stream,) = say("", about()).json()["eventStreams"]
    assert (stream["type"], stream["inactivityDelaySec"]) == ("sse", 120)
    path = stream["endpoint"]["requestUri"]
    before = engine.evaluating.configuration
    put = engine.flags.put
    status, text = listening(app, path, runs, lambda: put("plain", {"enabled": False}, author="me"))
    now = engine.evaluating.configuration
    assert (status, now != before) == (200, True)
    assert text == (
        f'id: {before}\n\nevent: message\ndata: {{"type":"refetchEvaluation","etag":"{now}"}}\nid: {now}\n\n'
    )
    _, text = listening(app, path, runs, lambda: None, last_event_id=before)
    assert f'"etag":"{now}"' in text, "it missed the change, and is told when it comes back"


def test_a_stream_is_only_for_whom_it_was_told(
    app: Dispatcher, say: Ask, runs: Runs, keys: Keys, pair: KeyPair, engine: Engine
) -> None:
    path = say("", about(), key=pair.write).json()["eventStreams"][0]["endpoint"]["requestUri"]
    assert path != say("", about()).json()["eventStreams"][0]["endpoint"]["requestUri"]
    caller = Caller(app, runs)
    change = {"default": "off"}
    assert listening(app, path, runs, lambda: engine.flags.put("plain", change, author="me"))[0] == 200
    assert caller("GET", path[:-1]).status == 404
    assert caller("GET", path.replace(".", "x")).status == 404
    found = keys.check(pair.write)
    assert found is not None
    keys.revoke(found.id)
    assert caller("GET", path).status == 404


def test_streams_are_counted_and_end(runs: Runs) -> None:
    streams = Streams(lambda: "one", most=3, at_a_place=2)
    streams.enter("a")
    streams.enter("a")
    with pytest.raises(Overloaded):
        streams.enter("a")
    streams.enter("b")
    with pytest.raises(Overloaded):
        streams.enter("c")
    streams.leave("a")
    streams.enter("c")
    free = Streams(lambda: "one", most=3, at_a_place=1)
    for _ in range(3):
        free.enter("")
    with pytest.raises(Overloaded):
        free.enter("")

    async def ends() -> list[bytes]:
        short = Streams(lambda: "one", keep_alive=0.001)
        works = iter([True, True, False])
        said = [part async for part in short.messages(works=lambda: next(works))]
        assert len(short) == 0
        return said

    assert runs(ends()) == [b"id: one\n\n", b":\n\n", b":\n\n"]


def test_definitions_are_read_and_changed_over_http(app: Dispatcher, runs: Runs, pair: KeyPair) -> None:
    caller = Caller(app, runs)

    def ask(method: str, path: str, body: object = b"", **more: Any) -> Answer:
        return caller(method, f"/v1/flags{path}", body, key=pair.secret, **more)

    assert ask("PUT", "/new", {"default": "on"}, headers={"if-none-match": "*"}).headers["etag"] == '"1"'
    assert ask("PUT", "/new", {"default": "on"}, headers={"if-none-match": "*"}).status == 412
    assert ask("PUT", "/new", {"default": "off"}, headers={"if-match": '"1"'}).json()["version"] == 2
    assert ask("POST", "/new/rollback", {"version": 1, "note": "back"}).json()["flag"]["default"] == "on"
    assert [one["version"] for one in ask("GET", "/new/versions").json()["versions"]] == [3, 2, 1]
    assert [one["key"] for one in ask("GET", "").json()["flags"]] == ["button", "new", "off", "plain", "size"]
    refused = ask("PUT", "/bad", {"default": "never"})
    assert (refused.status, refused.json()["code"]) == (400, "flag_invalid")
    assert ask("DELETE", "/new").json()["deleted"] is True
    assert ask("GET", "/new").status == 404


def test_an_exposure_counts_in_the_results_of_its_experiment(
    app: Dispatcher, say: Ask, runs: Runs, pair: KeyPair, engine: Engine
) -> None:
    assert COLOURS["metrics"] == ["converted"]
    for n in range(100):
        assert say("/button", about(f"u{n}")).status == 200
    assert len(exposures(engine)) == 100
    answer = Caller(app, runs)("GET", "/v1/experiments/colours/results", key=pair.secret)
    assert answer.status == 200, answer.body
    assert sum(arm["units"] for arm in answer.json()["arms"]) == 100
