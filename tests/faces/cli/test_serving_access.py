"""The running server: accounts, TLS, what a terminal changes beside it, and that its log tells no secret."""

from __future__ import annotations

import base64
import datetime
import http.client
import json
import ssl
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from heedful.records.passwords import prepared
from heedful.services.administer import TERMINAL, Administer
from heedful.vocabulary.access import Role
from tests.faces.cli.command import heedful
from tests.faces.cli.serving import SECRET, WRITE, Serving

GOOD, OTHER = "correct horse battery", "a-canary-of-a-password"


def asked(
    connection: http.client.HTTPConnection, method: str, path: str, body: object, headers: dict[str, str]
) -> tuple[int, dict[str, str], Any]:
    connection.request(method, path, json.dumps(body), headers)
    answer = connection.getresponse()
    content = answer.read()
    found = {name.lower(): value for name, value in answer.getheaders()}
    return answer.status, found, json.loads(content) if content else None


def bearer(raw: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {raw}", **more}


def test_every_credential_works_and_none_is_in_the_log_or_the_audit(tmp_path: Path) -> None:
    administer = Administer(tmp_path)
    administer.add_person(TERMINAL, "ada", Role.ADMIN, prepared(GOOD))
    kid, shared = administer.create_token_key(TERMINAL)
    administer.close()
    now = int(time.time())
    claims = {"sub": "u-canary", "aud": "heedful", "iat": now, "exp": now + 600}
    token = jwt.encode(claims, jwt.utils.base64url_decode(shared), "HS256", {"kid": kid})
    with Serving(tmp_path) as server:
        connection = server.connect()
        ours = {
            "Heedful-Console": "1", "Origin": f"http://127.0.0.1:{server.port}",
            "Host": f"127.0.0.1:{server.port}",
        }  # fmt: skip

        def status(method: str, path: str, body: object, headers: dict[str, str]) -> int:
            return asked(connection, method, path, body, headers)[0]

        basic = {"Authorization": "Basic " + base64.b64encode(f"{SECRET}:".encode()).decode()}
        event = {"userId": "u-canary", "event": "Product Viewed", "properties": {"product_id": "tent"}}
        assert status("POST", "/v1/track", event, bearer(WRITE)) == 200
        assert status("POST", "/v1/track", {**event, "writeKey": WRITE}, {}) == 200
        assert status("POST", "/v1/recommend", {}, basic) == 200
        assert status("POST", "/v1/recommend", {}, bearer(WRITE, **{"Heedful-Subject": token})) == 200
        assert status("POST", "/v1/recommend", {}, bearer(WRITE)) == 403
        person = bearer(WRITE, **{"Heedful-Subject": token})
        code, _, known = asked(connection, "GET", "/v1/me", None, person)
        assert (code, known["profile"]["recentItems"]) == (200, ["tent"])
        assert [one["name"] for one in known["events"] if one["kind"] == "view"] == ["Product Viewed"] * 2
        assert status("POST", "/v1/me/consent", {"choices": {"personalization": False}}, person) == 200
        _, _, after = asked(connection, "POST", "/v1/recommend", {}, person)
        assert (after["personalized"], after["withheld"]) == (False, "personalization")
        assert status("GET", "/v1/me", None, bearer(WRITE)) == 403
        _, _, given = asked(connection, "POST", "/v1/anonymous", {}, bearer(WRITE))
        proof = {"Heedful-Subject": given["proof"]}
        assert status("POST", "/v1/recommend", {}, bearer(WRITE, **proof)) == 200
        wrong = "sk_a-canary-that-is-no-key-at-all-0001"
        assert status("POST", "/v1/recommend", {}, bearer(wrong)) == 401
        assert status("POST", "/v1/recommend", {}, bearer(WRITE, **{"Heedful-Subject": token + "x"})) == 401
        assert status("POST", "/v1/login", {"name": "ada", "password": OTHER}, ours) == 401
        code, headers, _ = asked(connection, "POST", "/v1/login", {"name": "ada", "password": GOOD}, ours)
        assert code == 200
        session = headers["set-cookie"].partition(";")[0]
        mine = {**ours, "Cookie": session}
        _, _, made = asked(connection, "POST", "/v1/keys", {"label": "canary"}, mine)
        assert status("GET", "/v1/placements", None, bearer(made["key"])) == 200
        assert status("PUT", "/v1/placements/home", {}, mine) == 200
        assert status("POST", "/v1/logout", None, mine) == 200
        assert status("GET", "/v1/session", None, mine) == 401
        code, err = server.stop()
        assert code == 0, err
        told = err + "".join(server.said)
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("audit*")).decode("latin-1")
    canaries = (
        WRITE, SECRET, basic["Authorization"][6:], token, shared, given["proof"], given["anonymousId"], wrong,
        GOOD, OTHER, session.partition("=")[2], made["key"], "u-canary",
    )  # fmt: skip
    for canary in canaries:
        assert canary not in told
        assert canary not in kept
    actions = [one["action"] for one in heedful("audit", "list", "--json", "--data", tmp_path).json]
    assert actions == [
        "person.add", "token.create", "key.adopt", "key.adopt", "server.start", "session.refuse", "session.login",
        "key.create", "placement.put", "session.logout",
    ]  # fmt: skip
    assert heedful("audit", "verify", "--data", tmp_path).code == 0


def test_what_a_terminal_changes_reaches_the_running_server(tmp_path: Path) -> None:
    with Serving(tmp_path) as server:
        connection = server.connect()
        terminal = Administer(tmp_path)
        raw, key = terminal.create_key(TERMINAL, terminal.keys.list()[1].kind, "late")

        def until(wanted: int, method: str, path: str, body: object, headers: dict[str, str]) -> float:
            began = time.monotonic()
            while asked(connection, method, path, body, headers)[0] != wanted:
                assert time.monotonic() - began < 30, "it never got there"
                time.sleep(0.05)
            return time.monotonic() - began

        until(200, "POST", "/v1/recommend", {}, bearer(raw))
        terminal.revoke_key(TERMINAL, key.id)
        until(401, "POST", "/v1/recommend", {}, bearer(raw))
        ours = {"Heedful-Console": "1", "Origin": f"http://127.0.0.1:{server.port}"}
        terminal.add_person(TERMINAL, "ada", Role.VIEWER, prepared(GOOD))
        login = {"name": "ada", "password": GOOD}
        code, headers, _ = asked(connection, "POST", "/v1/login", login, ours)
        assert code == 200
        mine = {"Cookie": headers["set-cookie"].partition(";")[0]}
        assert asked(connection, "GET", "/v1/session", None, mine)[0] == 200
        terminal.remove_person(TERMINAL, "ada")
        until(401, "GET", "/v1/session", None, mine)
        kid, shared = terminal.create_token_key(TERMINAL)
        now = int(time.time())
        claims = {"sub": "u-1", "aud": "heedful", "iat": now, "exp": now + 600}
        token = jwt.encode(claims, jwt.utils.base64url_decode(shared), "HS256", {"kid": kid})
        proven = bearer(WRITE, **{"Heedful-Subject": token})
        until(200, "POST", "/v1/recommend", {}, proven)
        terminal.remove_token_key(TERMINAL, kid)
        until(401, "POST", "/v1/recommend", {}, proven)
        terminal.close()
        assert server.stop()[0] == 0


def certified(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that it signed itself, and its key."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    here = x509.IPAddress(__import__("ipaddress").ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([here]), critical=False)
        .sign(key, SHA256())
    )
    certificate, private = folder / "tls.pem", folder / "tls.key"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, private


def test_with_a_certificate_in_the_settings_it_speaks_tls_and_nothing_else(tmp_path: Path) -> None:
    certificate, _ = certified(tmp_path)
    (tmp_path / "settings.toml").write_text('[http]\ncertificate = "tls.pem"\nkey = "tls.key"\n')
    with Serving(tmp_path) as server:
        context = ssl.create_default_context(cafile=str(certificate))
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=30)
        assert asked(connection, "GET", "/health/live", None, {})[0] == 200
        ours = {"Heedful-Console": "1", "Origin": f"https://127.0.0.1:{server.port}"}
        login = {"name": "ada", "password": GOOD}
        assert asked(connection, "POST", "/v1/login", login, ours)[2]["code"] == "login_failed"
        connection.close()
        plain = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        with pytest.raises((http.client.HTTPException, OSError)):
            asked(plain, "GET", "/health/live", None, {})
        plain.close()
        assert server.stop()[0] == 0


@pytest.mark.parametrize(
    ("settings", "options", "said"),
    [
        ('[http]\ncertificate = "tls.pem"\n', (), "both certificate and key"),
        ('[http]\ncertificate = "no.pem"\nkey = "no.key"\n', (), "no.pem"),
        ('[http]\nproxies = ["10.0.0.1/8"]\n', (), "trusted proxy"),
        ('[access]\nsite = ["https://shop.example/"]\n', (), "access.site"),
        ("[access]\nsecure = false\n", ("--host", "0.0.0.0"), "127.0.0.1 only"),
        ("[access]\nleeway_seconds = 301\n", (), "leeway_seconds"),
        ("[access]\ncolour = 1\n", (), "colour"),
    ],
)
def test_settings_that_would_be_unsafe_stop_the_start(
    tmp_path: Path, settings: str, options: tuple[str, ...], said: str
) -> None:
    (tmp_path / "settings.toml").write_text(settings)
    refused = heedful("serve", "--data", tmp_path, "--port", 0, *options)
    assert refused.code == 2
    assert said in refused.err
    assert not (tmp_path / "log.sqlite3").exists() or "no.pem" in said
