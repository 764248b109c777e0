"""Subject tokens: which prove somebody, and the many that prove nobody."""

from __future__ import annotations

import base64
import hmac
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from heedful.records.subject_keys import LONGEST_LIFE, SubjectKeys, SubjectTokens
from heedful.vault.anonymous import AnonymousIds
from heedful.vocabulary.access import Subject
from heedful.vocabulary.errors import Corrupt, Invalid, NotFound, SettingsError
from heedful.vocabulary.time import SECOND, FixedClock, Instant

NOW = 1_800_000_000
PRIVATE = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> str:
    text: str = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return text


class Signer:
    """A shop's server: signs what a test changes of good claims and a good header."""

    def __init__(self, folder: Path) -> None:
        self.clock = FixedClock(Instant(NOW * SECOND))
        self.keys = SubjectKeys(folder / "subject-keys.json", self.clock)
        self.kid, secret = self.keys.create("old")
        self.secret = base64.urlsafe_b64decode(secret + "=")
        self.keys.add(pem(PRIVATE), "es")
        self.tokens = SubjectTokens(self.keys, self.clock)

    def hs(self, headers: dict[str, Any] | None = None, key: bytes | None = None, **changed: Any) -> str:
        claims = {"sub": "u-1", "aud": "heedful", "iat": NOW, "exp": NOW + 3_600, **changed}
        claims = {name: value for name, value in claims.items() if value is not ...}
        return jwt.encode(claims, key or self.secret, "HS256", headers={"kid": "old", **(headers or {})})

    def es(self, key: Any = PRIVATE, **headers: Any) -> str:
        claims = {"sub": "u-1", "aud": "heedful", "iat": NOW, "exp": NOW + 3_600}
        return jwt.encode(claims, key, "ES256", headers={"kid": "es", **headers})


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(tmp_path_factory.mktemp("tokens"))


def raw(header: dict[str, Any], claims: Any, signature: bytes = b"") -> str:
    """A token of any form."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def forged(header: dict[str, Any], claims: Any, secret: bytes) -> str:
    """A token of any form with the right HMAC."""
    unsigned = raw(header, claims).rstrip(".")
    signature = hmac.digest(secret, unsigned.encode(), "sha256")
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


CLAIMS = {"sub": "u-1", "aud": "heedful", "iat": NOW, "exp": NOW + 3_600}


def test_the_forger_of_these_tests_can_sign(signer: Signer) -> None:
    assert signer.tokens.check(forged({"alg": "HS256", "kid": "old"}, CLAIMS, signer.secret))


def test_a_token_of_either_algorithm_proves_its_subject(signer: Signer) -> None:
    assert signer.tokens.check(signer.hs()) == Subject(user_id="u-1")
    assert signer.tokens.check(signer.es()) == Subject(user_id="u-1")
    assert signer.tokens.check(signer.hs(exp=NOW + LONGEST_LIFE)) == Subject(user_id="u-1")


BAD: dict[str, Callable[[Signer], str]] = {
    "nothing": lambda _: "",
    "no token": lambda _: "a.b.c",
    "four parts": lambda s: s.hs() + ".x",
    "a megabyte": lambda _: "a." * 500_000,
    "unicode": lambda _: "é.é.é",
    "alg none": lambda _: raw({"alg": "none", "kid": "old"}, CLAIMS),
    "alg none, capitals": lambda _: raw({"alg": "NoNe", "kid": "old"}, CLAIMS),
    "no alg": lambda _: raw({"kid": "old"}, CLAIMS),
    "another secret": lambda s: s.hs(key=b"x" * 32),
    "another curve key": lambda s: s.es(ec.generate_private_key(ec.SECP256R1())),
    "an unknown kid": lambda s: s.hs({"kid": "new"}),
    "claims that are a list": lambda s: forged({"alg": "HS256", "kid": "old"}, [], s.secret),
    "a header with more": lambda s: forged({"alg": "HS256", "kid": "old", "b64": False}, CLAIMS, s.secret),
    "ES256 in a token of HMAC": lambda s: forged({"alg": "ES256", "kid": "old"}, CLAIMS, s.secret),
    "no kid": lambda s: jwt.encode(CLAIMS, s.secret, "HS256"),
    "a kid that is a number": lambda s: forged({"alg": "HS256", "kid": 7}, CLAIMS, s.secret),
    "the public key as a secret": lambda _: forged(
        {"alg": "HS256", "kid": "es"}, CLAIMS, pem(PRIVATE).encode()
    ),
    "HS512 under HS256's kid": lambda s: jwt.encode(CLAIMS, s.secret * 2, "HS512", {"kid": "old"}),
    "a key of its own": lambda s: s.hs({"jwk": {"kty": "oct", "k": "AAAA"}}),
    "an address of keys": lambda s: s.hs({"jku": "https://evil.example/keys"}),
    "a certificate": lambda s: s.es(x5u="https://evil.example/x"),
    "something critical": lambda s: s.hs({"crit": ["x"], "x": 1}),
    "no audience": lambda s: s.hs(aud=...),
    "another audience": lambda s: s.hs(aud="other"),
    "a list of audiences": lambda s: s.hs(aud=["heedful", "other"]),
    "no subject": lambda s: s.hs(sub=...),
    "an empty subject": lambda s: s.hs(sub=""),
    "a subject that is a number": lambda s: forged(
        {"alg": "HS256", "kid": "old"}, {**CLAIMS, "sub": 7}, s.secret
    ),
    "a long subject": lambda s: s.hs(sub="u" * 201),
    "no end": lambda s: s.hs(exp=...),
    "no beginning": lambda s: s.hs(iat=...),
    "an end of text": lambda s: forged({"alg": "HS256", "kid": "old"}, {**CLAIMS, "exp": "never"}, s.secret),
    "an end without end": lambda s: s.hs(exp=1 << 62),
    "more than a day": lambda s: s.hs(exp=NOW + LONGEST_LIFE + 1),
    "an end before the beginning": lambda s: s.hs(exp=NOW - 1),
    "the future": lambda s: s.hs(iat=NOW + 61, exp=NOW + 3_600),
    "not before the future": lambda s: s.hs(nbf=NOW + 61),
    "a fraction of a second": lambda s: s.hs(iat=NOW + 0.5),
    "true": lambda s: s.hs(iat=True),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_good_token_proves_nobody_and_is_not_quoted(signer: Signer, name: str) -> None:
    token = BAD[name](signer)
    with pytest.raises(Invalid) as refused:
        signer.tokens.check(token)
    assert refused.value.code == "token_invalid"
    assert len(token) < 20 or token not in str(refused.value)


def test_clocks_may_differ_by_a_minute_and_no_more(signer: Signer) -> None:
    began = NOW - 3_600
    assert signer.tokens.check(signer.hs(iat=began, exp=NOW - 59)) == Subject(user_id="u-1")
    with pytest.raises(Invalid) as refused:
        signer.tokens.check(signer.hs(iat=began, exp=NOW - 60))
    assert refused.value.code == "token_expired"
    assert signer.tokens.check(signer.hs(iat=NOW + 60, exp=NOW + 90)) == Subject(user_id="u-1")
    with pytest.raises(SettingsError):
        SubjectTokens(signer.keys, leeway=301)


def test_every_change_of_a_letter_is_found(signer: Signer) -> None:
    token = signer.hs()
    for place in range(0, len(token), 3):
        letter = "A" if token[place] != "A" else "Q"
        with pytest.raises(Invalid):
            signer.tokens.check(token[:place] + letter + token[place + 1 :])


@given(st.text(max_size=60))
def test_no_text_breaks_the_check(signer: Signer, text: str) -> None:
    with pytest.raises(Invalid):
        signer.tokens.check(text)


def test_keys_are_rotated_without_a_gap(tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    before = signer.hs()
    _, secret = SubjectKeys(tmp_path / "subject-keys.json").create("new")  # by another process
    signer.keys.list()
    after = signer.hs({"kid": "new"}, base64.urlsafe_b64decode(secret + "="))
    assert signer.tokens.check(before) == signer.tokens.check(after)
    signer.keys.remove("old")
    with pytest.raises(Invalid):
        signer.tokens.check(before)
    assert signer.tokens.check(after) == Subject(user_id="u-1")
    with pytest.raises(NotFound):
        signer.keys.remove("old")


def test_the_file_of_keys_is_private_and_a_bad_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "subject-keys.json"
    SubjectKeys(path).create()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text(path.read_text().replace("HS256", "ES256"))
    with pytest.raises(Corrupt):
        SubjectKeys(path)


@pytest.mark.parametrize(
    "text",
    ["", "x", pem(ec.generate_private_key(ec.SECP384R1())), pem(rsa.generate_private_key(65_537, 2_048))],
    ids=["empty", "text", "P-384", "RSA"],
)
def test_only_a_public_key_of_p_256_is_taken(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError):
        SubjectKeys(tmp_path / "keys.json").add(text)


def test_a_kid_is_plain_and_stands_for_one_key(tmp_path: Path) -> None:
    keys = SubjectKeys(tmp_path / "keys.json")
    keys.create("a")
    for kid in ("a", "a b", "x" * 65, "../x"):
        with pytest.raises(SettingsError):
            keys.create(kid)


def test_an_anonymous_id_is_known_again_by_the_server_that_signed_it() -> None:
    ours, theirs = AnonymousIds(b"a" * 32), AnonymousIds(b"b" * 32)
    signed = ours.issue()
    assert ours.read(signed) == signed.split(".")[1]
    assert theirs.read(signed) is None
    assert ours.issue() != signed
    for place in range(len(signed)):
        letter = "A" if signed[place] != "A" else "Q"
        assert ours.read(signed[:place] + letter + signed[place + 1 :]) is None


@given(st.text(max_size=60))
def test_no_text_is_a_signed_anonymous_id(text: str) -> None:
    assert AnonymousIds(b"a" * 32).read(text) is None


def test_a_token_that_was_right_once_is_still_judged_by_its_key_and_its_times(tmp_path: Path) -> None:
    shop = Signer(tmp_path)
    token, late = shop.hs(), shop.hs(exp=NOW + 600)
    for _ in range(3):
        assert shop.tokens.check(token) == shop.tokens.check(late) == Subject(user_id="u-1")
    for near in (token[:-2] + "AA", token + "A", token[:-1]):
        with pytest.raises(Invalid):
            shop.tokens.check(near)
    shop.clock.at = Instant((NOW + 700) * SECOND)
    with pytest.raises(Invalid, match="expired"):
        shop.tokens.check(late)
    shop.keys.add(pem(PRIVATE), "another")  # the file is another, the key the same
    assert shop.tokens.check(token) == Subject(user_id="u-1")
    shop.keys.remove("old")
    with pytest.raises(Invalid):
        shop.tokens.check(token)
    shop.keys.create("old")  # the same name, another secret
    with pytest.raises(Invalid):
        shop.tokens.check(token)
