"""People's rights over HTTP: for who acts for them, for themselves, and by OpenDSR. The engine is a real one."""

from __future__ import annotations

import io
import random
import time
import zipfile
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import msgspec
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from heedful.faces.http.app import build
from heedful.faces.http.authorization import Guard
from heedful.objects.outgoing import Outgoing, Undelivered
from heedful.records.audit import audit_of
from heedful.records.keys import KeyKind, Keys
from heedful.records.subject_keys import SubjectKeys, SubjectTokens
from heedful.services.engine import Engine
from heedful.vault.anonymous import AnonymousIds
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.rights import Selection
from tests.faces.http.asgi import Answer, Caller, Runs
from tests.services.shop import Shop

FAR = ("192.0.2.7", 40_000)
HOOK = "https://hooks.heedful-callback.net/dsr"


class World:
    """A shop behind the HTTP face, with keys and tokens."""

    def __init__(self, shop: Shop, folder: Path, runs: Runs) -> None:
        self.shop = shop
        self.engine: Engine = shop.engine
        keys = Keys(folder / "keys.json")
        self.engine.keys = keys
        self.write, self.secret = keys.create(KeyKind.WRITE), keys.create(KeyKind.SECRET, "controller")
        self.other = keys.create(KeyKind.SECRET, "another")
        subject_keys = SubjectKeys(folder / "subject-keys.json")
        self.kid, self.shared = subject_keys.create()
        self.anonymous = AnonymousIds(b"s" * 32)
        guard = Guard(lambda: keys, tokens=SubjectTokens(subject_keys), anonymous=self.anonymous)
        self._ask = Caller(build(self.engine, guard=guard), runs)
        self.forgotten: list[Selection] = []
        self.engine.rights.requests._acts.forgets = self

    def forget(self, selection: Selection, done: Callable[[Any], None]) -> None:
        self.forgotten.append(selection)
        done("receipt-1")

    def token(self, user: str) -> str:
        now = int(time.time())
        claims = {"sub": user, "aud": "heedful", "iat": now, "exp": now + 600}
        return jwt.encode(claims, jwt.utils.base64url_decode(self.shared), "HS256", {"kid": self.kid})

    def me(self, method: str, path: str, body: object = b"", *, user: str = "", proof: str = "") -> Answer:
        headers = {"authorization": f"Bearer {self.write}", "heedful-subject": proof or self.token(user)}
        return self._ask(method, f"/v1/me{path}", body, headers=headers, client=FAR)

    def ask(self, method: str, path: str, body: object = b"", *, key: str = "") -> Answer:
        return self._ask(method, path, body, key=key or self.secret, client=FAR)


@pytest.fixture
def world(tmp_path: Path, runs: Runs) -> Iterator[World]:
    shop = Shop()
    for walker in range(4):
        shop.views(f"walker{walker}", "tent", "stove", "map", "lamp")
    for item in ("tent", "stove"):
        shop.put_item(item, title=item, categories=["camp"])
    for item in ("map", "lamp"):
        shop.put_item(item, title=item, categories=["walk"])
    yield World(shop, tmp_path, runs)
    shop.close()


def unzipped(answer: Answer) -> dict[str, bytes]:
    assert (answer.status, answer.headers["content-type"]) == (200, "application/zip")
    assert int(answer.headers["content-length"]) == len(answer.body)
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_file_is_made_for_who_acts_for_the_person(world: World) -> None:
    world.shop.views("ada", "tent")
    files = unzipped(world.ask("POST", "/v1/privacy/disclose", {"userId": "ada", "anonymousIds": ["a-1"]}))
    assert len(files["events.jsonl"].splitlines()) == 1
    assert world.ask("POST", "/v1/privacy/disclose", {}).status == 400
    assert world.ask("POST", "/v1/privacy/disclose", {"userId": "ada"}, key=world.write).status == 403


def test_a_request_goes_its_way_over_http(world: World) -> None:
    made = world.ask("POST", "/v1/privacy/requests", {"verb": "object", "userId": "ada"}).json()
    assert (made["status"], made["due"]) == ("identity_pending", "2026-12-23")
    path = f"/v1/privacy/requests/{made['id']}"
    assert world.ask("POST", f"{path}/move", {"run": True}).json()["code"] in ("move_invalid", "not_proven")
    assert world.ask("POST", f"{path}/move", {}).status == 400
    assert world.ask("POST", f"{path}/move", {"extend": True, "reason": "many"}).json()["due"] == "2027-02-23"
    assert (
        world.ask("POST", f"{path}/move", {"proven": True, "evidence": "seen"}).json()["status"] == "approved"
    )
    assert world.ask("POST", f"{path}/move", {"run": True}).json()["status"] == "done"
    told = world.ask("GET", path).json()
    assert told["steps"][0]["author"] == "controller"
    assert [step["note"] for step in told["steps"]] == ["received", "extended", "proof", "running", "done"]
    assert [one["id"] for one in world.ask("GET", "/v1/privacy/requests").json()["requests"]] == [made["id"]]
    assert world.ask("GET", "/v1/privacy/requests/none").status == 404


def test_the_answer_to_a_request_says_nothing_of_whether_the_person_is_known(world: World) -> None:
    known = world.ask("POST", "/v1/privacy/requests", {"verb": "access", "userId": "walker1"})
    unknown = world.ask("POST", "/v1/privacy/requests", {"verb": "access", "userId": "nobody1"})
    assert len(known.body) == len(unknown.body)
    assert known.json().keys() == unknown.json().keys()
    assert (known.status, known.json()["status"]) == (unknown.status, unknown.json()["status"])


def test_a_person_reads_what_is_known_of_them_and_why_they_were_shown_something(world: World) -> None:
    world.shop.views("ada", "tent")
    answer = world.shop.recommend("ada", limit=2)
    known = world.me("GET", "", user="ada").json()
    assert "We know what you did here" in known["summary"]
    assert known["profile"]["recentItems"] == ["tent"]
    assert known["profile"]["interests"] == [{"category": "camp", "events": 1}]
    assert {choice["purpose"] for choice in known["choices"]} >= {"personalization", "sharing"}
    why = world.me("GET", f"/decisions/{answer.decision_id}", user="ada").json()
    assert [item["itemId"] for item in why["items"]] == [item.item_id for item in answer.items]
    assert world.me("GET", "", user="stranger").json()["summary"] == "We know nothing about you."


def test_an_anonymous_person_with_a_signed_id_has_the_same_rights(world: World) -> None:
    signed = world.anonymous.issue()
    world.shop.track("Product Viewed", anonymous_id=signed.split(".")[1], properties={"product_id": "tent"})
    assert world.me("GET", "", proof=signed).json()["profile"]["recentItems"] == ["tent"]
    assert world.me("GET", "", proof=world.anonymous.issue()).json()["profile"]["recentItems"] == []
    assert world.me("GET", "", proof=signed[:-1] + ("A" if signed[-1] != "A" else "B")).status == 401


def test_less_like_this_holds_in_the_very_next_answer(world: World) -> None:
    world.shop.views("ada", "tent")
    assert "map" in world.shop.ids("ada")
    assert world.me("POST", "/less", {"itemId": "map"}, user="ada").status == 200
    assert "map" not in world.shop.ids("ada")
    assert "lamp" in world.shop.ids("ada")
    assert world.me("POST", "/less", {"category": "walk"}, user="ada").status == 200
    assert not {"map", "lamp"} & set(world.shop.ids("ada"))
    assert {"map", "lamp"} & set(world.shop.ids("walker9"))
    known = world.me("GET", "", user="ada").json()
    assert (known["hiddenCategories"], known["profile"]["hiddenItems"]) == (["walk"], ["map"])
    for wrong in (
        {},
        {"itemId": "a", "category": "b"},
        {"itemId": "x" * 181},
        {"userId": "walker1", "itemId": "a"},
    ):
        assert world.me("POST", "/less", wrong, user="ada").status == 400
    assert world.shop.verify().agrees


def test_a_choice_of_theirs_is_kept_and_told(world: World) -> None:
    assert world.me("POST", "/consent", {"choices": {"personalization": False}}, user="ada").status == 200
    world.shop.wait(1)
    assert world.me("POST", "/consent", {"choices": {"analytics": True}}, user="ada").status == 200
    states = {one["purpose"]: one["state"] for one in world.me("GET", "", user="ada").json()["choices"]}
    assert (states["personalization"], states["analytics"], states["sharing"]) == ("refused", "given", "")
    assert (
        world.me("POST", "/consent", {"choices": {"nothing": True}}, user="ada").json()["code"]
        == "purpose_unknown"
    )
    assert len(unzipped(world.me("GET", "/export", user="ada"))["consents.csv"].splitlines()) == 3


def test_forgetting_is_asked_for_the_person_and_the_event_that_they_name(world: World) -> None:
    world.shop.track("Product Viewed", user_id="ada", message_id="m-1", properties={"product_id": "tent"})
    event = {"source": "client", "eventId": "m-1"}
    assert world.me("POST", "/forget-event", event, user="eve").status == 404
    assert world.me("POST", "/forget-event", event, user="ada").json() == {"id": "receipt-1"}
    done = world.me("POST", "/forget", {}, user="ada").json()
    assert (done["verb"], done["status"], done["outcome"]) == ("erasure", "done", "receipt-1")
    first, second = world.forgotten
    assert first.events == ("client:m-1",)
    assert second.events == ()
    assert first.subjects == second.subjects


def test_nobody_gets_anything_of_another_person_however_they_ask(world: World) -> None:
    people = {f"p{n}": f"zq{n}qz" for n in range(8)}
    decisions = {}
    for user, hidden in people.items():
        world.shop.track("Noted", user_id=user, message_id=f"m{hidden}", properties={"secret": hidden})
        decisions[user] = world.shop.recommend(user, placement=f"spot{hidden}").decision_id
    chance = random.Random(7)
    for _ in range(150):
        user, victim = chance.sample(sorted(people), 2)
        word = people[victim].encode()
        path: str
        body: Any
        path, body = chance.choice([
            ("", b""), ("/export", b""), (f"/decisions/{decisions[victim]}", b""),
            (f"/decisions/{victim}", b""), (f"?userId={victim}", b""),
            ("/forget-event", {"source": "client", "eventId": f"m{people[victim]}"}),
            ("/less", {"itemId": "map", "userId": victim}),
        ])  # fmt: skip
        method = "POST" if body else "GET"
        query = path.partition("?")[2].encode()
        headers = {"authorization": f"Bearer {world.write}", "heedful-subject": world.token(user)}
        answer = world._ask(
            method, f"/v1/me{path.partition('?')[0]}", body, headers=headers, query=query, client=FAR
        )
        shown = b"".join(unzipped(answer).values()) if path == "/export" else answer.body
        assert word not in shown
        assert answer.status in (200, 404, 400)
    assert not world.forgotten


def _dsr(**more: Any) -> dict[str, Any]:
    return {
        "regulation": "gdpr", "subject_request_id": str(uuid4()), "subject_request_type": "erasure",
        "subject_identities": [
            {"identity_type": "controller_customer_id", "identity_value": "ada", "identity_format": "raw"}
        ],
        "submitted_time": "2026-11-23T10:00:00Z", "api_version": "2.0", "status_callback_urls": [], **more,
    }  # fmt: skip


def signed(world: World, answer: Answer) -> dict[str, Any]:
    """The answer, once its signature is checked against the certificate, as a controller would."""
    pem = world.ask("GET", "/opendsr/certificate.pem").body
    public = x509.load_pem_x509_certificate(pem).public_key()
    assert isinstance(public, RSAPublicKey)
    signature = b64decode(answer.headers["x-opendsr-signature"])
    public.verify(signature, answer.body, PKCS1v15(), SHA256())
    with pytest.raises(InvalidSignature):
        public.verify(signature, answer.body + b" ", PKCS1v15(), SHA256())
    assert answer.headers["x-opendsr-processor-domain"] == "localhost"
    document: dict[str, Any] = answer.json()
    return document


def test_opendsr_says_what_it_can_takes_a_request_and_tells_where_it_stands(world: World) -> None:
    found = signed(world, world.ask("GET", "/opendsr/discovery"))
    assert found["api_version"] == "2.0"
    assert set(found["supported_subject_request_types"]) == {"access", "portability", "erasure"}
    sent = _dsr()
    answer = world.ask("POST", "/opendsr/requests", sent)
    assert answer.status == 201
    made = signed(world, answer)
    assert msgspec.json.decode(b64decode(made["encoded_request"])) == sent
    assert made["subject_request_id"] == sent["subject_request_id"]
    assert made["expected_completion_time"] == "2026-12-24T00:00:00.000000Z"
    path = f"/opendsr/requests/{sent['subject_request_id']}"
    assert signed(world, world.ask("GET", path))["request_status"] == "pending"
    assert world.ask("GET", path, key=world.other).status == 404
    assert world.ask("DELETE", path, key=world.other).status == 404
    assert world.ask("POST", "/opendsr/requests", sent).status == 412
    cancelled = world.ask("DELETE", path)
    assert cancelled.status == 202
    signed(world, cancelled)
    assert signed(world, world.ask("GET", path))["request_status"] == "cancelled"
    assert world.ask("DELETE", path).status == 400


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject_request_id": "1"}, {"subject_request_id": "c0d0e1b2-0000-1000-8000-000000000000"},
        {"subject_request_type": "opt_out"}, {"subject_identities": []}, {"regulation": "lgpd"},
        {"subject_identities": [{"identity_type": "email", "identity_value": "a@b.de"}]},
        {"subject_identities": [
            {"identity_type": "controller_customer_id", "identity_value": "a", "identity_format": "sha256"}
        ]},
        {"submitted_time": "yesterday"}, {"api_version": "9"}, {"status_callback_urls": ["http://a.de"]},
        {"status_callback_urls": ["https://127.0.0.1/"]}, {"status_callback_urls": ["https://metadata.internal"]},
    ],
    ids=str,
)  # fmt: skip
def test_opendsr_refuses_what_it_cannot_do(world: World, wrong: dict[str, Any]) -> None:
    assert world.ask("POST", "/opendsr/requests", _dsr(**wrong)).status == 400
    assert world.ask("GET", "/v1/privacy/requests").json() == {"requests": []}


class Told(Outgoing):
    """Takes note of what would be sent, after the real look at the address."""

    def __init__(self, fails: int = 0) -> None:
        super().__init__(resolve=lambda host, port: ["93.184.215.14"])
        self.sent: list[tuple[str, bytes, dict[str, str]]] = []
        self.fails = fails

    def post(self, url: str, body: bytes, headers: Any) -> int:
        self.allowed(url)
        if self.fails:
            self.fails -= 1
            raise Undelivered("not now")
        self.sent.append((url, body, dict(headers)))
        return 200


@pytest.mark.parametrize("fails", [0, 3, 99])
def test_changes_are_told_signed_and_tried_again(world: World, fails: int) -> None:
    dsr = world.engine.rights.opendsr
    told = dsr._outgoing = Told(fails)
    sent = _dsr(status_callback_urls=[HOOK])
    assert world.ask("POST", "/opendsr/requests", sent).status == 201
    assert dsr.deliver() == 0
    world.ask("POST", f"/v1/privacy/requests/{sent['subject_request_id']}/move", {"run": True})
    for _ in range(8):
        dsr.deliver()
    states = [msgspec.json.decode(body)["request_status"] for _, body, _ in told.sent]
    assert sorted(states) == ([] if fails == 99 else ["completed", "in_progress", "pending"])
    for url, body, headers in told.sent:
        assert url == HOOK
        signed(world, Answer(200, {name.lower(): value for name, value in headers.items()}, body))
    assert not dsr._waiting


def test_an_address_that_turned_inward_is_not_told(world: World) -> None:
    dsr = world.engine.rights.opendsr
    told = dsr._outgoing = Told()
    sent = _dsr(status_callback_urls=[HOOK])
    world.ask("POST", "/opendsr/requests", sent)
    told._resolve = lambda host, port: ["169.254.169.254"]
    world.ask("POST", f"/v1/privacy/requests/{sent['subject_request_id']}/move", {"run": True})
    assert dsr.deliver() == 0
    assert not dsr._waiting
    with pytest.raises(Invalid):
        told.allowed(HOOK)


def test_what_is_done_for_a_person_is_told_to_the_audit_and_never_by_their_id(
    world: World, tmp_path: Path
) -> None:
    audit = world.engine.audit = audit_of(tmp_path)
    unzipped(world.ask("POST", "/v1/privacy/disclose", {"userId": "zqcanaryqz"}))
    unzipped(world.me("GET", "/export", user="zqcanaryqz"))
    made = world.ask("POST", "/v1/privacy/requests", {"verb": "object", "userId": "zqcanaryqz"}).json()
    path = f"/v1/privacy/requests/{made['id']}/move"
    assert world.ask("POST", path, {"proven": True}).status == 200
    assert world.ask("POST", path, {"run": True}).status == 200
    assert world.ask("POST", "/v1/privacy/requests/none/move", {"run": True}).status == 404
    sent = _dsr()
    assert world.ask("POST", "/opendsr/requests", sent).status == 201
    assert world.ask("DELETE", f"/opendsr/requests/{sent['subject_request_id']}").status == 202
    assert world.me("POST", "/forget", {}, user="zqcanaryqz").status == 200
    (subject,) = made["subjects"]
    entries = audit.entries(limit=100)
    assert [(one.action, one.object) for one in entries] == [
        ("privacy.disclose", f"subject:{subject}"), ("privacy.disclose", f"subject:{subject}"),
        ("privacy.object", f"request:{made['id']}"), ("privacy.prove", f"request:{made['id']}"),
        ("privacy.run", f"request:{made['id']}"), ("privacy.opendsr", f"request:{sent['subject_request_id']}"),
        ("privacy.cancelled", f"request:{sent['subject_request_id']}"), ("privacy.erasure", f"subject:{subject}"),
    ]  # fmt: skip
    assert all(one.actor.startswith("key:") for one in entries)
    assert "zqcanaryqz" not in msgspec.json.encode(entries).decode()
