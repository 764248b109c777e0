"""Every route times every credential: who is let in, by an expectation written apart from the code."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from heedful.faces.http.app import build
from heedful.faces.http.authorization import RULES, SUBJECT, Guard, rule_of
from heedful.faces.http.cookies import NAME, OWN_PAGE
from heedful.faces.http.dispatch import Dispatcher
from heedful.faces.http.door import Door
from heedful.faces.http.limits import Limits, LimitSettings, Rate
from heedful.records.keys import KeyKind, Keys, Restrictions
from heedful.records.sessions import Sessions
from heedful.vault.anonymous import AnonymousIds
from heedful.vocabulary.access import Role, Scope
from heedful.vocabulary.time import HOUR, FixedClock, Instant, SystemClock
from tests.faces.http.asgi import Answer, Caller, Runs
from tests.faces.http.doors import FAR, HOST, OURS, door_in, let_in, page
from tests.faces.http.memory_engine import MemoryEngine

DATA = b"data=e30="  # the pixel's, an empty object

# What each route takes, written by hand: the scope, and `open`, `write` (the public key will do), `subject` (the
# public key with a proof), `machines` (people have no business there), `person` (who is logged in, and no key) or
# `page` (our own page alone).
CALLS = (*("identify", "track", "page", "screen", "group", "alias", "consent", "batch", "import"), *"itpsgab")
COLLECT = "events:write write machines"
EXPECTED = {
    **{f"POST /v1/{call}": COLLECT for call in CALLS},
    **{f"OPTIONS /v1/{call}": "open" for call in CALLS},
    "GET /v1/pixel/{method}": COLLECT,
    "HEAD /v1/pixel/{method}": "open",
    "POST /v1/recommend": "recommend:read subject",
    "POST /v1/decide": "recommend:read subject",
    "OPTIONS /v1/recommend": "open",
    "OPTIONS /v1/decide": "open",
    "GET /v1/decisions/{decision_id}": "decisions:read",
    "POST /v1/items": "items:write",
    "PUT /v1/items/{item_id}": "items:write",
    "GET /v1/items/{item_id}": "items:read",
    "DELETE /v1/items/{item_id}": "items:write",
    "GET /v1/consent": "privacy:read",
    "GET /.well-known/gpc.json": "open",
    "GET /v1/metrics": "metrics:read",
    "GET /v1/metrics/{name}": "metrics:read",
    "GET /v1/placements": "placements:read",
    "GET /v1/placements/{name}": "placements:read",
    "PUT /v1/placements/{name}": "placements:write",
    "DELETE /v1/placements/{name}": "placements:write",
    "GET /v1/placements/{name}/versions": "placements:read",
    "POST /v1/placements/{name}/rollback": "placements:write",
    "POST /v1/placements/{name}/preview": "placements:write",
    "POST /v1/anonymous": COLLECT,
    "OPTIONS /v1/anonymous": "open",
    "POST /v1/login": "page",
    "POST /v1/logout": "person",
    "GET /v1/session": "person",
    "POST /v1/session/password": "person",
    "GET /v1/people": "admin",
    "POST /v1/people": "admin",
    "PUT /v1/people/{person_id}": "admin",
    "DELETE /v1/people/{person_id}": "admin",
    "GET /v1/people/{person_id}/sessions": "admin",
    "DELETE /v1/people/{person_id}/sessions": "admin",
    "GET /v1/keys": "admin",
    "POST /v1/keys": "admin",
    "DELETE /v1/keys/{key_id}": "admin",
    "GET /v1/tokens": "admin",
    "POST /v1/tokens": "admin",
    "DELETE /v1/tokens/{kid}": "admin",
    "GET /v1/audit": "admin",
    "GET /v1/audit/head": "admin",
    "POST /v1/audit/verify": "admin",
    "POST /v1/privacy/disclose": "privacy:read",
    "POST /v1/privacy/requests": "privacy:write",
    "GET /v1/privacy/requests": "privacy:read",
    "GET /v1/privacy/requests/{request_id}": "privacy:read",
    "POST /v1/privacy/requests/{request_id}/move": "privacy:write",
    **{
        f"{method} /v1/me{rest}": "subject machines"
        for method, rest in (
            ("GET", ""), ("GET", "/decisions/{decision_id}"), ("GET", "/export"), ("POST", "/less"),
            ("POST", "/consent"), ("POST", "/forget-event"), ("POST", "/forget"),
        )
    },
    "GET /v1/experiments": "experiments:read",
    "GET /v1/experiment-metrics": "experiments:read",
    "PUT /v1/experiment-metrics/{name}": "experiments:write",
    "GET /v1/experiments/{name}": "experiments:read",
    "PUT /v1/experiments/{name}": "experiments:write",
    "GET /v1/experiments/{name}/versions": "experiments:read",
    "GET /v1/experiments/{name}/checks": "experiments:read",
    "POST /v1/experiments/{name}/start": "experiments:write",
    "POST /v1/experiments/{name}/weights": "experiments:write",
    "POST /v1/experiments/{name}/stage": "experiments:write",
    "POST /v1/experiments/{name}/stop": "experiments:write",
    "POST /v1/experiments/{name}/roll-out": "experiments:write",
    "POST /v1/experiments/{name}/archive": "experiments:write",
    "GET /v1/experiments/{name}/results": "experiments:read",
    "GET /v1/experiments/{name}/series": "experiments:read",
    "GET /v1/experiments/{name}/novelty": "experiments:read",
    "GET /v1/flags": "experiments:read",
    "GET /v1/flags/{name}": "experiments:read",
    "PUT /v1/flags/{name}": "experiments:write",
    "DELETE /v1/flags/{name}": "experiments:write",
    "GET /v1/flags/{name}/versions": "experiments:read",
    "POST /v1/flags/{name}/rollback": "experiments:write",
    "POST /ofrep/v1/evaluate/flags": "recommend:read write",
    "OPTIONS /ofrep/v1/evaluate/flags": "open",
    "POST /ofrep/v1/evaluate/flags/{key}": "recommend:read write",
    "OPTIONS /ofrep/v1/evaluate/flags/{key}": "open",
    "GET /ofrep/v1/events/{ticket}": "open",
    "GET /opendsr/discovery": "open",
    "GET /opendsr/certificate.pem": "open",
    "POST /opendsr/requests": "privacy:write",
    "GET /opendsr/requests/{request_id}": "privacy:read",
    "DELETE /opendsr/requests/{request_id}": "privacy:write",
    "POST /v1/privacy/forget": "privacy:write",
    "GET /v1/privacy/erasures": "privacy:read",
    "GET /v1/privacy/erasures/{id}": "privacy:read",
    "GET /health/live": "open",
    "GET /health/ready": "open",
    "GET /metrics": "operations:read",
    "GET /openapi.json": "operations:read",
    "GET /docs": "operations:read",
}  # fmt: skip

UNFIT = {"/v1/keys": b'{"kind":"none"}', "/v1/tokens": b'{"kid":1}'}
"""Bodies where `{}` would do: what is made, only its maker may give, which is another question than this one."""

Allowed = Callable[[set[str]], bool]
Credentials = tuple[Door, dict[str, dict[str, str]], dict[str, Allowed]]

LOOK = {"items:read", "placements:read", "experiments:read", "metrics:read"}
ROLES: dict[str, set[str]] = {
    "viewer": LOOK,
    "analyst": {*LOOK, "operations:read"},
    "editor": {*LOOK, "items:write", "placements:write", "experiments:write"},
    "privacy_officer": {*LOOK, "decisions:read", "privacy:read", "privacy:write"},
    "admin": set(Scope),
}  # fmt: skip


def served(app: Dispatcher) -> set[tuple[str, str, str]]:
    """Every (method, template, path to call) that the application answers."""
    found = {(method, route.name, path) for path, route in app._hot.items() for method in route.handlers}
    framework: Any = app._rest
    for route in framework.router.routes:
        path = route.path_format
        path = re.sub(r"{\w+}", "x1", path)
        found |= {(method, route.path_format, path) for method in route.methods if method != "HEAD"}
    return found


@dataclass
class World:
    """An application with every sort of credential, and the expectation of each: routes' words to allowed."""

    ask: Caller
    app: Dispatcher
    door: Door
    headers: dict[str, dict[str, str]]
    allowed: dict[str, Allowed]

    @property
    def guard(self) -> Guard:
        return self.door.guard


def holds(held: set[str], words: set[str]) -> bool:
    return bool(words & held)


def own(words: set[str]) -> bool:
    """For the person themself, with a proof, and with no scope."""
    return "subject" in words and not any(":" in word for word in words)


def lacks_only(scope: str, words: set[str]) -> bool:
    return scope not in words and "person" not in words and not own(words)


def works(held: set[str], words: set[str]) -> bool:
    return (holds(held, words) and "machines" not in words) or "person" in words


def reads(held: set[str], words: set[str]) -> bool:
    return "GET" in words and works(held, words)


def bearer(raw: str, proof: str = "") -> dict[str, str]:
    headers = {"authorization": f"Bearer {raw}"}
    return {**headers, SUBJECT.decode(): proof} if proof else headers


def claims(**changed: object) -> dict[str, object]:
    now = int(time.time())
    return {"sub": "u-1", "aud": "heedful", "iat": now, "exp": now + 600, **changed}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("access")


@pytest.fixture(scope="module")
def credentials(folder: Path) -> Iterator[Credentials]:
    door = door_in(folder)
    administer = door.administer
    keys, people, sessions = administer.keys, administer.people, administer.sessions
    write, secret = keys.create(KeyKind.WRITE), keys.create(KeyKind.SECRET)
    subject_keys, anonymous = administer.subject_keys, administer.anonymous
    kid, shared = subject_keys.create()
    private = generate_private_key(SECP256R1())
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    es_kid = subject_keys.add(pem).kid
    raw = jwt.utils.base64url_decode(shared)
    headers: dict[str, dict[str, str]] = {}
    allowed: dict[str, Allowed] = {}

    def credential(name: str, sent: dict[str, str], may: Allowed) -> None:
        headers[name] = sent
        # Logging in is for our own page, whoever was logged in there before.
        ours = sent.keys() >= OURS.keys() and sent["origin"] == OURS["origin"]
        allowed[name] = lambda words: "open" in words or (ours if "page" in words else may(words))

    def proven(name: str, proof: str, *, good: bool) -> None:
        # A proof that is not taken spoils nothing where the write key alone will do.
        credential(
            name, bearer(write, proof), lambda words: "write" in words or (good and "subject" in words)
        )

    credential("none", {}, lambda _: False)
    credential("a key nobody made", bearer("sk_" + "x" * 33), lambda _: False)
    credential("basic without a key", {"authorization": "Basic Og=="}, lambda _: False)
    credential("a scheme we do not know", {"authorization": "Negotiate abc"}, lambda _: False)
    credential("write key", bearer(write), lambda words: "write" in words)
    credential("secret key", bearer(secret), lambda words: "person" not in words and not own(words))
    shop, other_shop = "https://shop.example", "https://other.example"
    for kind in KeyKind:
        may: Allowed = partial(lambda kind, words: "write" in words if kind is KeyKind.WRITE else
                               "person" not in words and not own(words), kind)  # fmt: skip
        bound = bearer(keys.create(kind, limits=Restrictions(origins=(shop,))))
        credential(f"{kind} key of a site", {**bound, "origin": shop}, may)
        credential(f"{kind} key of a site, from none", bound, may)
        credential(f"{kind} key of a site, from another", {**bound, "origin": other_shop}, lambda _: False)
        credential(
            f"{kind} key of a site, from no page's origin", {**bound, "origin": "null"}, lambda _: False
        )
    for scope in Scope:
        only = keys.create(KeyKind.SECRET, limits=Restrictions(scopes=(scope,)))
        credential(f"secret key with {scope}", bearer(only), partial(holds, {scope}))
        rest = tuple(other for other in Scope if other is not scope)
        but = keys.create(KeyKind.SECRET, limits=Restrictions(scopes=rest))
        credential(f"secret key without {scope}", bearer(but), partial(lacks_only, scope))
    for kind in KeyKind:
        gone = keys.create(kind)
        found = keys.check(gone)
        assert found is not None
        keys.revoke(found.id)
        credential(f"revoked {kind} key", bearer(gone), lambda _: False)
    proven("HS256 token", jwt.encode(claims(), raw, "HS256", {"kid": kid}), good=True)
    proven("ES256 token", jwt.encode(claims(), private, "ES256", {"kid": es_kid}), good=True)
    proven("signed anonymous id", anonymous.issue(), good=True)
    proven("anonymous id of another server", AnonymousIds(b"t" * 32).issue(), good=False)
    past = int(time.time()) - 7_200
    proven(
        "expired token", jwt.encode(claims(iat=past, exp=past + 60), raw, "HS256", {"kid": kid}), good=False
    )
    proven("token of alg none", jwt.encode(claims(), "", "none", {"kid": kid}), good=False)
    proven("token of alg HS512", jwt.encode(claims(), raw * 2, "HS512", {"kid": kid}), good=False)
    proven("HS256 under the ES256 kid", jwt.encode(claims(), raw, "HS256", {"kid": es_kid}), good=False)
    other = jwt.encode(claims(aud="other"), raw, "HS256", {"kid": kid})
    proven("token for another audience", other, good=False)
    credential("a token alone", {SUBJECT.decode(): headers["HS256 token"][SUBJECT.decode()]}, lambda _: False)
    credential("a token as a key", bearer(headers["HS256 token"][SUBJECT.decode()]), lambda _: False)
    ada = let_in(door, "ada", Role.ADMIN)
    yesterday = FixedClock(Instant(SystemClock().now() - 13 * HOUR))
    old = Sessions(folder / "sessions.json", people, yesterday).open(ada)
    credential("session of yesterday", page(old), lambda _: False)
    for role in Role:
        person = let_in(door, f"{role}-1", role)
        session = sessions.open(person)
        credential(f"session of the {role}", page(session), partial(works, ROLES[role.value]))
        elsewhere, bare = (
            {**page(session), "origin": other_shop},
            {"host": HOST, "cookie": f"{NAME}={session}"},
        )
        credential(f"session of the {role}, from another site", elsewhere, partial(reads, ROLES[role.value]))
        credential(f"cookie of the {role} alone", bare, partial(reads, ROLES[role.value]))
    credential("a session nobody opened", page("x" * 43), lambda _: False)
    out = sessions.open(ada)
    sessions.close(out)
    credential("session that was logged out", page(out), lambda _: False)
    demoted = let_in(door, "demoted", Role.ADMIN)
    over = sessions.open(demoted)
    people.set_role("demoted", Role.VIEWER)
    credential("session from before a demotion", page(over), lambda _: False)
    yield door, headers, allowed
    administer.close()


@pytest.fixture
def world(runs: Runs, credentials: Credentials) -> World:
    door, headers, allowed = credentials
    guard = Guard(
        lambda: door.administer.keys, tokens=door.administer.tokens, anonymous=door.administer.anonymous,
        sessions=door.administer.sessions,
    )  # fmt: skip
    # Without limits: this asks ten thousand times from one address.
    app = build(MemoryEngine(door.administer.keys), door=replace(door, guard=guard))
    return World(Caller(app, runs), app, door, headers, allowed)


def refused(answer: Answer) -> bool:
    return answer.status in (401, 403)


def test_every_route_has_a_rule_and_a_line_in_this_matrix(world: World) -> None:
    routes = {(method, template) for method, template, _ in served(world.app)}
    assert len(routes) > 40
    assert routes == set(RULES)
    assert {f"{method} {template}" for method, template in routes} == set(EXPECTED)


def test_every_route_lets_in_exactly_whom_it_should(world: World) -> None:
    wrong, tried = [], 0
    sessions = world.door.administer.folder / "sessions.json"
    kept = sessions.read_bytes()
    for method, template, path in sorted(served(world.app)):
        words = {method, *EXPECTED[f"{method} {template}"].split()}
        body = UNFIT.get(path, b"{}")
        for name, headers in world.headers.items():
            answer = world.ask(method, path, body, headers={"host": HOST, **headers}, query=DATA, client=FAR)
            tried += 1
            if refused(answer) == world.allowed[name](words):
                wrong.append(f"{method} {path} with {name}: {answer.status}")
            assert answer.status not in (429, 500), (method, path, name)
            if path == "/v1/logout" and answer.status == 200:
                sessions.write_bytes(kept)
                world.door.administer.sessions._file.load()
    assert tried == len(served(world.app)) * len(world.headers) > 5_000
    assert not wrong, "\n".join(wrong)


def test_a_route_without_a_rule_cannot_be_built() -> None:
    with pytest.raises(LookupError, match="POST /v1/new has no rule"):
        rule_of("POST", "/v1/new")


@pytest.mark.parametrize("path", sorted({path for (_, path), rule in RULES.items() if rule.subject}))
@pytest.mark.parametrize("token", ["HS256 token", "ES256 token"])
def test_a_token_answers_for_its_own_subject_only(world: World, path: str, token: str) -> None:
    variants = {"variants": ["a", "b"]} if path == "/v1/decide" else {}
    headers = world.headers[token]

    def status(**asked: object) -> tuple[int, str]:
        answer = world.ask("POST", path, {**variants, **asked}, headers=headers, client=FAR)
        return answer.status, answer.json().get("code", "")

    assert status(userId="u-1") == (200, "")
    assert status() == (200, "")
    assert status(userId="u-2") == (403, "subject_mismatch")
    assert status(userId="U-1") == (403, "subject_mismatch")
    assert status(userId="") == (403, "subject_mismatch")
    assert status(userId="u-1", anonymousId="a-1") == (403, "subject_mismatch")
    assert status(anonymousId="u-1") == (403, "subject_mismatch")
    assert status(userId="u-1", explain=True) == (403, "key_not_allowed")


def test_a_question_with_a_token_is_about_its_subject_also_when_it_names_nobody(world: World) -> None:
    asked = []
    engine = MemoryEngine(Keys(Path("nowhere/keys.json")))
    recommend = engine.recommend

    def spy(request: Any, done: Any) -> None:
        asked.append((request.user_id, request.anonymous_id))
        recommend(request, done)

    engine.recommend = spy  # type: ignore[method-assign]  # a spy before the real thing
    ask = Caller(build(engine, guard=world.guard), world.ask.runs)
    signed = world.headers["signed anonymous id"]
    assert ask("POST", "/v1/recommend", {}, headers=signed).status == 200
    assert ask("POST", "/v1/recommend", {}, headers=world.headers["HS256 token"]).status == 200
    identity = signed[SUBJECT.decode()].split(".")[1]
    assert asked == [(None, identity), ("u-1", None)]
    assert ask("POST", "/v1/recommend", {"anonymousId": "a-2"}, headers=signed).status == 403


@pytest.mark.parametrize(
    ("method", "changed", "passes"),
    [
        ("DELETE", {}, True),
        ("DELETE", {"origin": ""}, False),
        ("DELETE", {"origin": "null"}, False),
        ("DELETE", {"origin": "https://evil.example"}, False),
        ("DELETE", {"origin": f"https://{HOST}.evil.example"}, False),
        ("DELETE", {"origin": f"https://evil-{HOST}"}, False),
        ("DELETE", {"origin": f"http://{HOST}"}, False),
        ("DELETE", {"origin": f"https://{HOST}:444"}, False),
        ("DELETE", {OWN_PAGE.decode(): None}, False),
        ("GET", {"origin": None, OWN_PAGE.decode(): None}, True),
        ("GET", {"sec-fetch-site": "cross-site"}, False),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, True),
        ("GET", {"sec-fetch-site": "same-origin"}, True),
    ],
)
def test_another_sites_page_cannot_use_a_session(
    world: World, method: str, changed: dict[str, str | None], passes: bool
) -> None:
    headers: dict[str, Any] = {"host": HOST, **world.headers["session of the admin"], **changed}
    kept = {name: value for name, value in headers.items() if value is not None}
    answer = world.ask(method, "/v1/placements/x1", headers=kept, client=FAR)
    assert (answer.status == 404) == passes
    assert passes or answer.json()["code"] == "request_forged"


def test_a_key_of_one_site_is_refused_from_every_other(folder: Path, runs: Runs, tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    shop = "https://shop.example"
    raw = keys.create(KeyKind.WRITE, limits=Restrictions(origins=(shop,)))
    ask = Caller(build(MemoryEngine(keys)), runs)
    event = {"userId": "u-1", "event": "x", "messageId": "m-1", "writeKey": raw}

    def status(origin: str | None) -> int:
        return ask("POST", "/v1/track", event, headers={} if origin is None else {"origin": origin}).status

    assert status(shop) == 200
    assert status(None) == 200, "a server or an app names no origin"
    for origin in (
        "null", "", "https://shop.example.evil.example", "https://evilshop.example", "http://shop.example",
        "https://shop.example:8443", "https://shop.example/", "HTTPS://SHOP.EXAMPLE", "https://a.shop.example",
    ):  # fmt: skip
        assert status(origin) == 403, origin


def test_too_many_requests_get_429_and_when_to_come_again(runs: Runs, tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    slow = keys.create(KeyKind.SECRET, limits=Restrictions(per_minute=8))
    write, secret = keys.create(KeyKind.WRITE), keys.create(KeyKind.SECRET)
    settings = LimitSettings(place=Rate(1, 3), refused=Rate(1, 2))
    guard = Guard(lambda: keys, limits=Limits(settings))
    ask = Caller(build(MemoryEngine(keys), guard=guard), runs)

    def status(raw: str, client: tuple[str, int] = FAR, forwarded: str = "") -> int:
        answer = ask(
            "POST",
            "/v1/batch",
            {"batch": []},
            headers={**bearer(raw), "x-forwarded-for": forwarded},
            client=client,
        )
        assert (answer.status == 429) == ("retry-after" in answer.headers)
        if answer.status == 429:
            assert answer.json()["code"] == "rate_limited"
            assert int(answer.headers["retry-after"]) >= 1
        return answer.status

    assert [status(slow) for _ in range(3)] == [200, 200, 429], "a quarter of a minute's at once"
    assert [status(write) for _ in range(4)] == [200, 200, 200, 429]
    assert status(write, forwarded="203.0.113.9") == 429, "nobody was trusted to say so"
    assert status(write, ("192.0.2.8", 1)) == 200
    assert [status(secret) for _ in range(20)] == [200] * 20
    assert [status("sk_" + "y" * 33) for _ in range(3)] == [401, 401, 429]
    assert status(secret) == 200, "who shares the address of a guesser is not kept out"


def test_only_pages_of_named_sites_read_an_answer_about_a_person(runs: Runs, tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    shop, blog = "https://shop.example", "https://blog.example"
    raw = keys.create(KeyKind.WRITE, limits=Restrictions(origins=(shop,)))
    keys.create(KeyKind.WRITE, limits=Restrictions(origins=(blog,)))
    anonymous = AnonymousIds(b"s" * 32)
    ask = Caller(build(MemoryEngine(keys), guard=Guard(lambda: keys, anonymous=anonymous)), runs)
    allow = "access-control-allow-origin"

    def asked(origin: str, proof: str = "") -> Answer:
        sent = {**bearer(raw, proof or anonymous.issue()), "origin": origin}
        return ask("POST", "/v1/recommend", {}, headers=sent, client=FAR)

    def preflight(origin: str) -> Answer:
        return ask("OPTIONS", "/v1/recommend", headers={"origin": origin}, client=FAR)

    assert (asked(shop).status, asked(shop).headers[allow], asked(shop).headers["vary"]) == (
        200,
        shop,
        "origin",
    )
    assert (asked(shop, "x").status, asked(shop, "x").headers[allow]) == (401, shop), (
        "a page can read why not"
    )
    assert asked(blog).status == 403, "the key is another site's"
    assert (preflight(shop).status, preflight(shop).headers[allow]) == (204, shop)
    assert SUBJECT.decode() in preflight(shop).headers["access-control-allow-headers"]
    for origin in ("https://evil.example", "null", "", f"{shop}.evil.example", "*"):
        assert asked(origin).status == 403
        assert allow not in asked(origin).headers
        assert allow not in preflight(origin).headers
    for answer in (asked(shop), preflight(shop)):
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers[allow] != "*"


def test_no_persons_proof_ever_reads_anothers_answer(runs: Runs, tmp_path: Path) -> None:
    door = door_in(tmp_path)
    write = door.administer.keys.create(KeyKind.WRITE)
    kid, shared = door.administer.subject_keys.create()
    raw = jwt.utils.base64url_decode(shared)
    people = [f"u-{number}" for number in range(6)]
    proofs: dict[str, tuple[str | None, str | None]] = {
        jwt.encode(claims(sub=name), raw, "HS256", {"kid": kid}): (name, None) for name in people
    }
    for _ in range(6):
        signed = door.administer.anonymous.issue()
        proofs[signed] = (None, door.administer.anonymous.read(signed))
    names = [*people, *(name for _, name in proofs.values() if name), "U-0", "u-0 ", "", None]
    asked: list[tuple[str | None, str | None]] = []
    engine = MemoryEngine(door.administer.keys)

    def spied(verb: Any) -> Any:
        def spy(request: Any, done: Any) -> None:
            asked.append((request.user_id, request.anonymous_id))
            verb(request, done)

        return spy

    engine.recommend, engine.decide = spied(engine.recommend), spied(engine.decide)  # type: ignore[method-assign]
    guard = Guard(
        lambda: door.administer.keys, tokens=door.administer.tokens, anonymous=door.administer.anonymous
    )
    ask, draw = Caller(build(engine, guard=guard), runs), random.Random(7)
    answered = 0
    for _ in range(3_000):
        proof = draw.choice([*proofs])
        question: dict[str, object] = {
            field: value
            for field, own in zip(("userId", "anonymousId"), proofs[proof], strict=True)
            if (value := draw.choice((None, own, draw.choice(names)))) is not None
        }
        path = draw.choice(("/v1/recommend", "/v1/decide"))
        if path == "/v1/decide":
            question["variants"] = ["a"]
        before = len(asked)
        answer = ask("POST", path, question, headers=bearer(write, proof), client=FAR)
        if answer.status == 200:
            answered += 1
            assert asked[before:] == [proofs[proof]]
        else:
            assert (answer.status, answer.json()["code"]) == (403, "subject_mismatch")
            assert asked[before:] == []
    assert answered > 50
