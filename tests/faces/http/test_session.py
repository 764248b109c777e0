"""Logging in and out: what is answered, what browsers are given, and how slow guessing is."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heedful.faces.http.cookies import OWN_PAGE
from heedful.faces.http.door import Door
from heedful.records import passwords
from heedful.records.keys import KeyKind
from heedful.vocabulary.access import Role
from heedful.vocabulary.access_settings import AccessSettings
from heedful.vocabulary.time import HOUR, MINUTE, SECOND, FixedClock, Instant
from tests.faces.http.asgi import Answer, Caller, Runs
from tests.faces.http.doors import FAR, GOOD, HOST, OURS, caller_through, door_in, let_in, page, session_in

NOW = Instant(1_795_433_631_000_000)


@dataclass
class Scene:
    """An application in which Ada may log in, and the clock of it."""

    door: Door
    ask: Caller
    clock: FixedClock

    def login(self, name: str, password: str, client: tuple[str, int] = FAR, **headers: str) -> Answer:
        body = {"name": name, "password": password}
        return self.ask("POST", "/v1/login", body, headers={**OURS, **headers}, client=client)

    def who(self, session: str) -> Answer:
        return self.ask("GET", "/v1/session", headers=page(session), client=FAR)

    def told(self) -> list[tuple[str, str, str]]:
        entries = self.door.administer.audit.entries(limit=10_000)
        return [(one.actor, one.action, one.object) for one in entries]


@pytest.fixture
def scene(tmp_path: Path, runs: Runs) -> Iterator[Scene]:
    clock = FixedClock(NOW)
    door = door_in(tmp_path / "data", clock)
    let_in(door, "ada", Role.EDITOR)
    yield Scene(door, caller_through(door, runs), clock)
    door.administer.close()


def test_who_proves_a_password_is_told_who_they_are_and_what_they_may(scene: Scene) -> None:
    answer = scene.login("ada", GOOD)
    assert answer.status == 200
    told = answer.json()
    assert (told["name"], told["role"]) == ("ada", "editor")
    assert "items:write" in told["scopes"]
    assert "admin" not in told["scopes"]
    session = session_in(answer)
    assert scene.who(session).json() == told
    assert session not in answer.body.decode()
    put = scene.ask("PUT", "/v1/items/p-1", {"title": "Tea"}, headers=page(session), client=FAR)
    assert put.status == 200


def test_the_cookie_of_a_login_is_for_this_host_tls_and_no_script(scene: Scene) -> None:
    cookie = scene.login("ada", GOOD).headers["set-cookie"]
    assert re.fullmatch(
        r"__Host-heedful=[A-Za-z0-9_-]{43}; Path=/; Max-Age=43200; Secure; HttpOnly; SameSite=Lax", cookie
    )


def test_without_tls_the_cookie_says_so_by_its_name(tmp_path: Path, runs: Runs) -> None:
    door = door_in(tmp_path, access=AccessSettings(secure=False))
    let_in(door, "ada")
    ask = caller_through(door, runs)
    near = {"host": "127.0.0.1:8080", OWN_PAGE.decode(): "1", "origin": "http://127.0.0.1:8080"}
    cookie = ask("POST", "/v1/login", {"name": "ada", "password": GOOD}, headers=near).headers["set-cookie"]
    assert re.fullmatch(r"heedful=\S{43}; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax", cookie)
    kept = {**near, "cookie": cookie.partition(";")[0]}
    assert ask("GET", "/v1/session", headers=kept).status == 200
    door.administer.close()


def test_a_wrong_password_and_an_unknown_name_are_answered_alike(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    matches = passwords.matches

    def spy(kept: str, password: str) -> bool:
        checked.append(kept.rpartition("$")[0].rpartition("$")[0])  # algorithm and parameters
        return matches(kept, password)

    monkeypatch.setattr(passwords, "matches", spy)
    answers = [scene.login("ada", "wrong"), scene.login("nobody", "wrong"), scene.login("", "")]
    for answer in answers:
        assert answer.status == 401
        assert "set-cookie" not in answer.headers
        assert answer.json()["code"] == "login_failed"
    bodies = {re.sub(rb'"requestId":"\w+"', b"", answer.body) for answer in answers}
    assert len(bodies) == 1
    lengths = {answer.headers["content-length"] for answer in answers}
    assert len(lengths) == 1
    # The same work for each: one hash of the same parameters.
    assert len(checked) == 3
    assert len(set(checked)) == 1
    assert checked[0].startswith("$argon2id$")


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b"", b'{"name":"ada"}', b'{"name":1,"password":"x"}', b'{"name":"ada","password":null}',
     b'{"name":"ada","password":"x","role":"admin"}', b"\xff", b"{" * 100],
)  # fmt: skip
def test_a_login_that_is_none_is_refused_before_a_password_is_looked_at(scene: Scene, body: bytes) -> None:
    answer = scene.ask("POST", "/v1/login", body, headers=OURS, client=FAR)
    assert answer.status == 400
    assert scene.door.logins.wait("ada", "192.0.2.7") == 0
    large = scene.ask("POST", "/v1/login", b'{"name":"' + b"x" * 20_000, headers=OURS, client=FAR)
    assert large.status == 413


# Sessions that were fixed or forged by others


def test_a_login_never_goes_on_under_the_session_that_the_browser_came_with(scene: Scene) -> None:
    mallory = let_in(scene.door, "mallory")
    planted = scene.door.administer.sessions.open(mallory)
    answer = scene.login("ada", GOOD, cookie=f"__Host-heedful={planted}")
    session = session_in(answer)
    assert session
    assert session != planted
    assert scene.who(session).json()["name"] == "ada"
    assert scene.who(planted).status == 401, "what was planted is over"
    made_up = "A" * 43
    assert session_in(scene.login("ada", GOOD, cookie=f"__Host-heedful={made_up}")) != made_up
    assert scene.who(made_up).status == 401
    first, second = session_in(scene.login("ada", GOOD)), session_in(scene.login("ada", GOOD))
    assert first != second


@pytest.mark.parametrize(
    "changed",
    [
        {"origin": None}, {"origin": "null"}, {"origin": "https://evil.example"}, {OWN_PAGE.decode(): None},
        {"origin": f"http://{HOST}"}, {"origin": f"https://{HOST}.evil.example"},
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/login", {"name": "ada", "password": GOOD}),
        ("/v1/logout", {}),
        ("/v1/session/password", {"current": GOOD, "new": "another long password"}),
    ],
)
def test_another_sites_page_can_neither_log_in_nor_out_nor_change_a_password(
    scene: Scene, changed: dict[str, str | None], path: str, body: dict[str, str]
) -> None:
    session = session_in(scene.login("ada", GOOD))
    headers: dict[str, Any] = {**page(session), **changed}
    kept = {name: value for name, value in headers.items() if value is not None}
    answer = scene.ask("POST", path, body, headers=kept, client=FAR)
    assert (answer.status, answer.json()["code"]) == (403, "request_forged")
    assert "set-cookie" not in answer.headers
    assert scene.who(session).status == 200


# How a session ends


def test_logging_out_ends_the_session_and_takes_the_cookie_away(scene: Scene) -> None:
    session, other = session_in(scene.login("ada", GOOD)), session_in(scene.login("ada", GOOD))
    answer = scene.ask("POST", "/v1/logout", headers=page(session), client=FAR)
    assert answer.json() == {"over": True}
    assert answer.headers["set-cookie"].startswith("__Host-heedful=; Path=/; Max-Age=0;")
    assert scene.who(session).status == 401
    assert scene.who(other).status == 200


def test_a_session_ends_after_an_hour_at_rest_and_after_twelve_in_all(scene: Scene) -> None:
    session = session_in(scene.login("ada", GOOD))
    for _ in range(11):
        scene.clock.at = Instant(scene.clock.at + HOUR - MINUTE)
        assert scene.who(session).status == 200
    scene.clock.at = Instant(NOW + 12 * HOUR)
    assert scene.who(session).status == 401
    session = session_in(scene.login("ada", GOOD))
    scene.clock.at = Instant(scene.clock.at + HOUR)
    assert (scene.who(session).status, scene.who(session).json()["code"]) == (401, "session_over")


def test_another_password_ends_every_session_but_the_one_that_it_begins(scene: Scene) -> None:
    session, other = session_in(scene.login("ada", GOOD)), session_in(scene.login("ada", GOOD))

    def change(current: str, new: str) -> Answer:
        body = {"current": current, "new": new}
        return scene.ask("POST", "/v1/session/password", body, headers=page(session), client=FAR)

    assert change("not it", "another long password").json()["code"] == "login_failed"
    assert change(GOOD, "password123").json()["code"] == "password_refused"
    assert scene.who(other).status == 200
    answer = change(GOOD, "another long password")
    assert answer.status == 200
    begun = session_in(answer)
    assert [scene.who(each).status for each in (session, other, begun)] == [401, 401, 200]
    assert scene.login("ada", GOOD).status == 401
    assert scene.login("ada", "another long password").status == 200


# Guessing


def test_ten_thousand_tries_are_nearly_all_turned_away_unlooked_at(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    monkeypatch.setattr(passwords, "matches", lambda _, password: looked.append(password))
    statuses: Counter[int] = Counter()
    for number in range(10_000):
        answer = scene.login("ada", f"guess {number}")
        statuses[answer.status] += 1
        if answer.status == 429:
            assert answer.json()["code"] == "rate_limited"
            assert int(answer.headers["retry-after"]) >= 1
        scene.clock.at = Instant(scene.clock.at + SECOND)
    # Five are free; then each wait doubles, up to a quarter of an hour, and three hours hold few of those.
    assert statuses[401] == len(looked) <= 32
    assert statuses.total() == 10_000
    assert statuses.keys() == {401, 429}


def test_who_guesses_from_elsewhere_keeps_nobody_out(scene: Scene) -> None:
    home = ("198.51.100.4", 1)
    assert scene.login("ada", GOOD, home).status == 200
    for number in range(300):
        scene.login("ada", "wrong", (f"203.0.113.{number % 250}", 1))
    assert scene.login("ada", GOOD, home).status == 200


def test_a_name_in_other_letters_is_no_other_name_to_count(scene: Scene) -> None:
    forms = ["ada", "ADA", "Ada", "ａda", "aｄa", "adａ", "𝐚da", "a𝐝a", "ad𝐚", "ａｄａ"]  # noqa: RUF001
    statuses = [scene.login(name, "wrong").status for name in forms]
    assert statuses == [401] * 5 + [429] * 5
    scene.clock.at = Instant(scene.clock.at + HOUR)
    assert scene.login("ＡＤＡ", GOOD).status == 200  # noqa: RUF001


def test_tries_at_once_are_counted_as_if_they_came_one_by_one(scene: Scene, runs: Runs) -> None:
    body = msgspec.json.encode({"name": "ada", "password": "wrong"})
    headers = [(name.lower().encode(), value.encode()) for name, value in OURS.items()]

    async def crowd() -> list[int]:
        answers = await asyncio.gather(*(
            scene.ask.exchange("POST", "/v1/login", [body], headers, client=FAR) for _ in range(100)
        ))  # fmt: skip
        return [answer.status for answer in answers]

    statuses: Counter[int] = Counter(runs(crowd()))
    assert statuses.keys() == {401, 429}
    assert statuses[401] <= 6, "five are free, and two are looked at at a time"


# What is written down


def test_the_audit_says_who_came_and_went_and_who_was_turned_away(scene: Scene) -> None:
    ada = scene.door.administer.people.list()[0]
    session = session_in(scene.login("ada", GOOD))
    scene.login("ada", "wrong password of ada")
    scene.login("a name that nobody has", "wrong")
    scene.ask("POST", "/v1/logout", headers=page(session), client=FAR)
    whom = f"person:{ada.id}"
    told = scene.told()
    assert [(actor, action) for actor, action, _ in told] == [
        ("terminal", "person.add"),
        (whom, "session.login"),
        ("anybody", "session.refuse"),
        ("anybody", "session.refuse"),
        (whom, "session.logout"),
    ]
    assert [told[2][2], told[3][2]] == [whom, "person:unknown"]
    scene.door.administer.audit.close()
    kept = b"".join(file.read_bytes() for file in scene.door.administer.folder.glob("audit*"))
    for canary in (session, "wrong password of ada", "a name that nobody has", GOOD, '"ada"', "192.0.2.7"):
        assert canary.encode() not in kept


def test_nobody_gets_in_while_the_audit_cannot_be_written(scene: Scene) -> None:
    folder = scene.door.administer.folder
    scene.door.administer.audit.close()
    (folder / "audit.sqlite3").unlink()
    (folder / "audit.sqlite3").mkdir()
    answer = scene.login("ada", GOOD)
    assert (answer.status, answer.json()["code"]) == (503, "records_unavailable")
    assert "set-cookie" not in answer.headers
    assert str(folder) not in answer.body.decode()
    assert scene.door.administer.sessions.of(scene.door.administer.people.list()[0].id) == []


# Anonymous ids


def test_an_anonymous_id_proves_itself_and_nothing_is_kept_unless_asked(scene: Scene) -> None:
    write = scene.door.administer.keys.create(KeyKind.WRITE)
    key = {"authorization": f"Bearer {write}"}
    given = scene.ask("POST", "/v1/anonymous", headers=key, client=FAR)
    assert given.status == 200
    assert "set-cookie" not in given.headers
    proof, identity = given.json()["proof"], given.json()["anonymousId"]
    question = {"anonymousId": identity}
    asked = scene.ask(
        "POST", "/v1/recommend", question, headers={**key, "heedful-subject": proof}, client=FAR
    )
    assert asked.status == 200
    assert scene.ask("POST", "/v1/recommend", question, headers=key, client=FAR).status == 403
    again = scene.ask("POST", "/v1/anonymous", {}, headers=key, client=FAR)
    assert again.json()["anonymousId"] != identity
    kept = scene.ask("POST", "/v1/anonymous", {"cookie": True}, headers=key, client=FAR)
    assert kept.headers["set-cookie"] == (
        f"heedful-anonymous={kept.json()['proof']}; Path=/; Max-Age=15552000; Secure; SameSite=Lax"
    )
    assert scene.ask("POST", "/v1/anonymous", {"cookie": 1}, headers=key, client=FAR).status == 400
    assert scene.ask("POST", "/v1/anonymous", client=FAR).status == 401
