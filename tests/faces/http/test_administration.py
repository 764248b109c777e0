"""Keys, people, verification keys and the audit over HTTP: what is shown, what is given, what is written down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from heedful.faces.http.app import build
from heedful.faces.http.door import Door
from heedful.records import shared_file
from heedful.records.audit import digest
from heedful.records.keys import KeyKind, Keys, Restrictions
from heedful.records.passwords import prepared
from heedful.services.administer import TERMINAL, Administer
from heedful.vocabulary.access import Role, Scope
from heedful.vocabulary.access_settings import HttpSettings
from tests.faces.http.asgi import Answer, Caller, Runs
from tests.faces.http.doors import FAR, GOOD, OURS, caller_through, door_in, let_in, page, session_in
from tests.faces.http.memory_engine import MemoryEngine

PEM = (
    generate_private_key(SECP256R1())
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


@dataclass
class Office:
    """An application, and an administrator who is logged in."""

    door: Door
    ask: Caller
    admin: str

    def __call__(self, method: str, path: str, body: object = b"", query: bytes = b"", **by: Any) -> Answer:
        headers = by.get("headers") or page(self.admin)
        return self.ask(method, path, body, headers=headers, query=query, client=FAR)

    def acts(self) -> list[tuple[str, str]]:
        entries = self.door.administer.audit.entries(limit=1_000)
        return [(one.action, one.object) for one in entries]

    def key(self, *scopes: Scope) -> dict[str, str]:
        """A key that may only do this, as headers."""
        limits = Restrictions(scopes=scopes)
        return {"authorization": f"Bearer {self.door.administer.keys.create(KeyKind.SECRET, limits=limits)}"}


@pytest.fixture
def office(tmp_path: Path, runs: Runs) -> Iterator[Office]:
    door = door_in(tmp_path / "data")
    let_in(door, "root", Role.ADMIN)
    ask = caller_through(door, runs)
    answer = ask("POST", "/v1/login", {"name": "root", "password": GOOD}, headers=OURS, client=FAR)
    yield Office(door, ask, session_in(answer))
    door.administer.close()


def test_a_key_is_shown_once_works_within_its_scopes_and_stops_when_it_is_revoked(office: Office) -> None:
    call = {"label": "shop", "scopes": ["items:read"], "origins": ["https://shop.example"], "perMinute": 60}
    made = office("POST", "/v1/keys", call).json()
    raw = {"authorization": f"Bearer {made['key']}"}
    assert office("GET", "/v1/items/x", headers=raw).status == 404
    assert office("PUT", "/v1/items/x", {}, headers=raw).status == 403
    listed = office("GET", "/v1/keys")
    assert made["key"] not in listed.body.decode()
    (shown,) = [one for one in listed.json()["keys"] if one["id"] == made["id"]]
    assert (shown["label"], shown["scopes"], shown["origins"]) == ("shop", ["items:read"], call["origins"])
    assert (shown["perMinute"], shown["shown"]) == (60, f"sk_…{made['key'][-4:]}")
    assert shown["lastUsed"].endswith(":00:00.000000Z")
    assert "hash" not in shown
    gone = office("DELETE", f"/v1/keys/{made['id']}")
    assert gone.json()["revoked"]
    assert office("GET", "/v1/items/x", headers=raw).status == 401
    assert office("DELETE", "/v1/keys/none").status == 404
    assert office.acts()[-2:] == [("key.create", f"key:{made['id']}"), ("key.revoke", f"key:{made['id']}")]
    last = office.door.administer.audit.last()
    kept = office.door.administer.keys.list()[-1]
    assert last is not None
    assert last.after == digest(kept.told())
    assert last.before not in ("", last.after)


@pytest.mark.parametrize(
    ("call", "path"),
    [
        ({"kind": "none"}, "kind"), ({"label": "a/b"}, "label"), ({"scopes": []}, "scopes"),
        ({"scopes": ["items:eat"]}, "scopes[0]"), ({"kind": "write", "scopes": ["admin"]}, "scopes"),
        ({"origins": ["https://shop.example/"]}, "origins"), ({"perMinute": -1}, "perMinute"),
        ({"secret": "x"}, ""),
    ],
)  # fmt: skip
def test_a_key_that_cannot_be_is_refused_and_named(office: Office, call: object, path: str) -> None:
    before = len(office.door.administer.keys.list())
    answer = office("POST", "/v1/keys", call)
    assert (answer.status, answer.json()["code"]) == (400, "request_invalid")
    assert answer.json().get("path", "") == path
    assert len(office.door.administer.keys.list()) == before


def test_nobody_gives_what_they_do_not_hold(office: Office) -> None:
    key = office.key(Scope.ADMIN, Scope.ITEMS_READ)
    assert office("POST", "/v1/keys", {"scopes": ["items:read"]}, headers=key).status == 200
    for call in ({}, {"scopes": ["items:read", "items:write"]}, {"kind": "write"}):
        assert office("POST", "/v1/keys", call, headers=key).json()["code"] == "scope_missing"
    admin = {"name": "eve", "password": GOOD, "role": "admin"}
    assert office("POST", "/v1/people", admin, headers=key).json()["code"] == "scope_missing"
    root = office.door.administer.people.list()[0]
    for change in ({"password": "another long password"}, {"role": "editor"}):
        answer = office("PUT", f"/v1/people/{root.id}", change, headers=key)
        assert answer.json()["code"] == "scope_missing"
    assert office("POST", "/v1/tokens", {}, headers=key).json()["code"] == "scope_missing"
    assert office("GET", "/v1/session").json()["role"] == "admin"


def test_people_are_let_in_changed_and_let_go(office: Office) -> None:
    call = {"name": "bo", "password": GOOD, "role": "editor"}
    made = office("POST", "/v1/people", call).json()
    assert (made["name"], made["role"]) == ("bo", "editor")
    assert office("POST", "/v1/people", {**call, "name": "BO"}).status == 409
    assert office("POST", "/v1/people", {**call, "name": "b o"}).json()["code"] == "name_invalid"
    assert office("POST", "/v1/people", {**call, "name": "cy", "password": "short"}).status == 400
    login = {"name": "bo", "password": GOOD}
    session = session_in(office("POST", "/v1/login", login, headers=OURS))
    own, one = page(session), f"/v1/people/{made['id']}"
    assert office("GET", "/v1/session", headers=own).json()["role"] == "editor"
    assert len(office("GET", f"{one}/sessions").json()["sessions"]) == 1
    assert office("GET", "/v1/people", headers=own).status == 403
    assert office("PUT", one, {"role": "analyst"}).json()["role"] == "analyst"
    assert office("GET", "/v1/session", headers=own).status == 401, "they must log in again"
    assert office("PUT", one, {"password": "another long password"}).status == 200
    assert office("PUT", one, {}).status == 400
    assert office("POST", "/v1/login", login, headers=OURS).status == 401
    login["password"] = "another long password"
    session = session_in(office("POST", "/v1/login", login, headers=OURS))
    assert office("DELETE", f"{one}/sessions").json() == {"over": 1}
    assert office("GET", "/v1/session", headers=page(session)).status == 401
    session = session_in(office("POST", "/v1/login", login, headers=OURS))
    assert office("DELETE", one).json()["name"] == "bo"
    assert office("GET", "/v1/session", headers=page(session)).status == 401
    assert office("DELETE", one).status == 404
    people = office("GET", "/v1/people")
    assert [person["name"] for person in people.json()["people"]] == ["root"]
    assert "argon2" not in people.body.decode()
    assert [action for action, _ in office.acts()] == [
        "person.add", "session.login", "person.add", "session.login", "person.role", "person.password",
        "session.end", "session.refuse", "session.login", "session.end", "session.login", "person.remove",
        "session.end",
    ]  # fmt: skip


def test_a_verification_key_is_made_signs_and_is_removed(office: Office) -> None:
    made = office("POST", "/v1/tokens", {"kid": "first"}).json()
    write = office.door.administer.keys.create(KeyKind.WRITE)
    now = office.door.administer._clock.now() // 1_000_000
    claims = {"sub": "u-1", "aud": "heedful", "iat": now, "exp": now + 60}
    secret = jwt.utils.base64url_decode(made["secret"])
    token = jwt.encode(claims, secret, "HS256", {"kid": "first"})
    asking = {"authorization": f"Bearer {write}", "heedful-subject": token}
    assert office("POST", "/v1/recommend", {}, headers=asking).status == 200
    assert office("POST", "/v1/tokens", {"kid": "first"}).status == 409
    assert office("POST", "/v1/tokens", {"kid": "a b"}).status == 400
    assert office("POST", "/v1/tokens", {"publicKey": "no key"}).status == 400
    assert office("POST", "/v1/tokens", {"kid": "second", "publicKey": PEM}).json()["algorithm"] == "ES256"
    listed = office("GET", "/v1/tokens")
    assert [one["kid"] for one in listed.json()["tokens"]] == ["first", "second"]
    assert made["secret"] not in listed.body.decode()
    assert office("DELETE", "/v1/tokens/first").status == 200
    assert office("DELETE", "/v1/tokens/first").status == 404
    assert office("POST", "/v1/recommend", {}, headers=asking).status == 401


def test_the_audit_is_read_in_pages_and_verified_against_a_head(office: Office) -> None:
    for number in range(5):
        office("POST", "/v1/keys", {"label": f"k{number}"})
    page_ = office("GET", "/v1/audit", query=b"limit=3").json()
    assert ([one["number"] for one in page_["entries"]], page_["last"], page_["next"]) == ([1, 2, 3], 7, 3)
    rest = office("GET", "/v1/audit", query=b"after=3").json()
    assert [one["number"] for one in rest["entries"]] == [4, 5, 6, 7]
    assert "next" not in rest
    assert rest["entries"][0]["previous"] == page_["entries"][-1]["hash"]
    for wrong in (b"after=-1", b"limit=x", b"limit=1001", b"after=1e3"):
        assert office("GET", "/v1/audit", query=wrong).status == 400
    head = office("GET", "/v1/audit/head").json()
    assert (head["chain"], head["number"]) == ("audit", 7)
    assert office("POST", "/v1/audit/verify", {"heads": [head]}).json() == {"whole": True, "flaw": None}
    later = {**head, "number": 8}
    assert office("POST", "/v1/audit/verify", {"heads": [later]}).json()["flaw"]["code"] == "head_forged"
    ledger = office.door.administer.audit.ledger
    with ledger._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM ledger WHERE number = 7")
    assert office("POST", "/v1/audit/verify", {}).json()["whole"], "a cut-off end shows against a head only"
    assert office("POST", "/v1/audit/verify", {"heads": [head]}).json()["flaw"]["code"] == "cut_off"


def test_a_change_of_a_placement_is_told_by_whom_and_refused_while_nothing_can_be_told(
    tmp_path: Path, office: Office
) -> None:
    from heedful.records.memory import MemoryRecords
    from heedful.services.placements import Placements
    from heedful.vocabulary.time import SystemClock

    audit = office.door.administer.audit
    placements = Placements(MemoryRecords(), SystemClock(), audit=audit)
    placements.put("home", {}, author="root", actor="person:1")
    placements.rollback("home", 1, author="root", actor="person:1")
    placements.delete("home", author="root")
    told = [(one.actor, one.action, one.object) for one in audit.entries(limit=99)][-3:]
    assert told == [
        ("person:1", "placement.put", "placement:home"),
        ("person:1", "placement.rollback", "placement:home"),
        ("terminal", "placement.delete", "placement:home"),
    ]
    entries = audit.entries(limit=99)[-3:]
    assert entries[0].before == ""
    assert entries[1].before == entries[0].after
    audit.close()
    file = office.door.administer.folder / "audit.sqlite3"
    file.unlink()
    file.mkdir()
    with pytest.raises(Exception, match="audit"):
        placements.put("home", {}, author="root")
    assert placements.versions("home").versions[0].version == 3, "nothing was changed"


def test_what_another_process_changes_holds_here(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_file, "LOOK_AGAIN", 0.0)  # a second later
    office("GET", "/v1/session")  # the next look was set for a second from the one before
    terminal = Administer(office.door.administer.folder)
    for file in (office.door.administer.keys, office.door.administer.people, office.door.administer.sessions):
        file._file._next_look = 0.0
    raw, key = terminal.create_key(TERMINAL, KeyKind.SECRET)
    headers = {"authorization": f"Bearer {raw}"}
    assert office("GET", "/v1/placements", headers=headers).status == 200
    terminal.revoke_key(TERMINAL, key.id)
    assert office("GET", "/v1/placements", headers=headers).status == 401
    bo = terminal.add_person(TERMINAL, "bo", Role.EDITOR, prepared(GOOD, "bo"))
    session = session_in(office("POST", "/v1/login", {"name": "bo", "password": GOOD}, headers=OURS))
    assert office("GET", "/v1/session", headers=page(session)).status == 200
    terminal.set_role(TERMINAL, "bo", Role.VIEWER)
    assert office("GET", "/v1/session", headers=page(session)).status == 401
    session = session_in(office("POST", "/v1/login", {"name": "bo", "password": GOOD}, headers=OURS))
    terminal.end_sessions(TERMINAL, bo.id)
    assert office("GET", "/v1/session", headers=page(session)).status == 401
    assert office.door.administer.audit_flaw() is None, "two processes write one chain"
    terminal.close()


def test_limits_count_the_address_that_a_trusted_proxy_names_and_never_this_machine(
    tmp_path: Path, runs: Runs
) -> None:
    http = HttpSettings(proxies=("10.0.0.0/8",), address_per_minute=12, refused_per_minute=4)
    door = door_in(tmp_path / "data", http=http)
    let_in(door, "ada")
    ask = caller_through(door, runs)
    write = door.administer.keys.create(KeyKind.WRITE)
    proxy, stranger, here = ("10.1.2.3", 1), ("198.51.100.9", 1), ("127.0.0.1", 1)

    def status(client: tuple[str, int], forwarded: str, raw: str = write) -> int:
        headers = {"authorization": f"Bearer {raw}", "x-forwarded-for": forwarded}
        return ask("POST", "/v1/batch", {"batch": []}, headers=headers, client=client).status

    assert [status(proxy, "203.0.113.1") for _ in range(3)] == [200, 200, 429]
    assert status(proxy, "203.0.113.1, 203.0.113.2") == 200
    assert [status(stranger, f"203.0.113.{number}") for number in range(5, 8)] == [200, 200, 429]
    assert [status(here, "") for _ in range(20)] == [200] * 20
    assert [status(proxy, "203.0.113.4", "sk_nobody-made-this") for _ in range(3)] == [401, 401, 429]

    def login(forwarded: str, password: str) -> int:
        headers = {**OURS, "x-forwarded-for": forwarded}
        body = {"name": "ada", "password": password}
        return ask("POST", "/v1/login", body, headers=headers, client=proxy).status

    assert [login("203.0.113.50", "wrong") for _ in range(6)] == [401] * 5 + [429]
    assert login("203.0.113.51", GOOD) == 200
    door.administer.close()


def test_a_page_that_asks_who_is_logged_in_is_not_counted_as_guessing(tmp_path: Path, runs: Runs) -> None:
    door = door_in(tmp_path / "data", http=HttpSettings(refused_per_minute=4))
    ask = caller_through(door, runs)
    assert {ask("GET", "/v1/session", headers=OURS, client=FAR).status for _ in range(20)} == {401}
    statuses = [ask("GET", "/v1/session", headers=page(f"{n:043}"), client=FAR).status for n in range(4)]
    assert statuses == [401, 401, 429, 429]


def test_without_accounts_nobody_logs_in_and_nothing_is_administered(tmp_path: Path, runs: Runs) -> None:
    engine = MemoryEngine(Keys(tmp_path / "keys.json"))
    secret = engine.keys.create(KeyKind.SECRET)
    ask = Caller(build(engine), runs)
    key = {"authorization": f"Bearer {secret}"}
    for method, path in (
        ("GET", "/v1/people"),
        ("GET", "/v1/keys"),
        ("GET", "/v1/audit"),
        ("POST", "/v1/anonymous"),
    ):
        assert ask(method, path, headers=key, client=FAR).json()["code"] == "not_ready"
    login = ask("POST", "/v1/login", {"name": "ada", "password": GOOD}, headers=OURS, client=FAR)
    assert login.json()["code"] == "not_ready"
