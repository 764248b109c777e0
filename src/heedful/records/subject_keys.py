"""The keys that subject tokens are checked with, and the checking.

A subject token is a JSON Web Token (RFC 7519) that the operator's own server signs for somebody who is logged
in there; with it a browser, which holds only a public key, may ask for that person and nobody else. The rules are
those of RFC 8725: the algorithm stands beside the key, never in the token alone, and a token brings no key.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from heedful.records.shared_file import SharedFile, Tell
from heedful.vocabulary.access import Subject
from heedful.vocabulary.errors import Corrupt, Invalid, NotFound, SettingsError
from heedful.vocabulary.time import SECOND, Clock, SystemClock, iso

LONGEST_LIFE = 24 * 60 * 60
"""Most seconds from `iat` to `exp`."""
MOST_LEEWAY = 300
AUDIENCE = "heedful"

_LONGEST = 4096
_REMEMBERED = 4_096
"""Tokens whose signature need not be checked again."""
KID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADER = frozenset({"alg", "kid", "typ"})
"""What a token's header may hold. Not `jwk`, `jku`, `x5u`, `x5c` (a key from the token) and not `crit`."""

Algorithm = Literal["HS256", "ES256"]


class SubjectKey(msgspec.Struct, frozen=True):
    """One key for checking. kid: its name in tokens. created: RFC 3339 in UTC.

    key: for HS256 the shared secret in base64url, which signs as well, so the file is mode 0600; for ES256 the
    public key in PEM.
    """

    kid: str
    algorithm: Algorithm
    key: str
    created: str

    def told(self) -> dict[str, object]:
        """What may be shown, and what an audit digests: everything but the key."""
        return {"kid": self.kid, "algorithm": self.algorithm, "created": self.created}


class _File(msgspec.Struct, frozen=True):
    version: int
    keys: tuple[SubjectKey, ...]


class SubjectKeys:
    """The keys of one data folder. To rotate: add a key, sign with it, and take the old one away a day later."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        """Read `path`; a missing file means that no token is taken. Raises SettingsError, Corrupt."""
        self._clock = clock or SystemClock()
        self._ready: dict[str, tuple[Algorithm, Any]] = {}
        self._file = SharedFile(path, _File, _File(1, ()), "verification keys", self._take)

    def create(self, kid: str = "", tell: Tell | None = None) -> tuple[str, str]:
        """Make a shared secret for HS256; returns (kid, secret in base64url). It is shown only now.

        Raises SettingsError for a kid that is in use or not 1 to 64 letters, digits, dots, dashes, underscores.
        """
        secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode("ascii")
        return self._add(kid, "HS256", secret, tell).kid, secret

    def add(self, pem: str, kid: str = "", tell: Tell | None = None) -> SubjectKey:
        """Take a public key of curve P-256 in PEM, for ES256. Raises SettingsError."""
        public(pem)
        return self._add(kid, "ES256", pem, tell)

    def list(self) -> Sequence[SubjectKey]:
        """Every key, oldest first."""
        self._file.look()
        return self._file.content.keys

    def remove(self, kid: str, tell: Tell | None = None) -> None:
        """Take no more tokens of this key, at once here and within a second elsewhere. Raises NotFound."""
        with self._file.changing():
            keys = self._file.content.keys
            gone = next((key for key in keys if key.kid == kid), None)
            if gone is None:
                raise NotFound(f"no verification key is called {kid}")
            file = _File(1, tuple(key for key in keys if key.kid != kid))
            self._file.tell_and_save(tell, f"token:{kid}", gone.told(), None, file)

    def find(self, kid: str) -> tuple[Algorithm, Any] | None:
        """The algorithm and the key of this name, or None."""
        if self._file.due():
            self._file.look()
        return self._ready.get(kid)

    def _add(self, kid: str, algorithm: Algorithm, key: str, tell: Tell | None) -> SubjectKey:
        kid = kid or secrets.token_hex(6)
        if not KID.fullmatch(kid):
            raise SettingsError("a kid is 1 to 64 letters, digits, dots, dashes or underscores")
        made = SubjectKey(kid, algorithm, key, iso(self._clock.now()))
        with self._file.changing():
            keys = self._file.content.keys
            if any(one.kid == kid for one in keys):
                raise SettingsError(f"there is a verification key called {kid} already")
            self._file.tell_and_save(tell, f"token:{kid}", None, made.told(), _File(1, (*keys, made)))
        return made

    def _take(self, file: _File) -> None:
        if file.version != 1:
            raise Corrupt(f"the file of verification keys has version {file.version}; we read version 1")
        try:
            self._ready = {key.kid: (key.algorithm, _ready(key)) for key in file.keys}
        except (SettingsError, ValueError) as error:
            raise Corrupt(f"the file of verification keys holds one that is no key: {error}") from error


class _Verified(NamedTuple):
    """A token whose signature was right under the key of this name."""

    kid: str
    key: tuple[Algorithm, Any]
    claims: dict[str, Any]


class SubjectTokens:
    """Checks subject tokens.

    audience: what `aud` must be. leeway: how many seconds two clocks may differ, 0 to 300.
    """

    def __init__(
        self, keys: SubjectKeys, clock: Clock | None = None, *, audience: str = AUDIENCE, leeway: int = 60
    ) -> None:
        if not 0 <= leeway <= MOST_LEEWAY:
            raise SettingsError(f"the leeway of tokens is 0 to {MOST_LEEWAY} seconds")
        self._keys = keys
        self._clock = clock or SystemClock()
        self._audience = audience
        self._leeway = leeway
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()

    def check(self, token: str) -> Subject:
        """Whom `token` proves. Raises Invalid (`token_invalid`, `token_expired`), never quoting the token."""
        claims = self._claims(token)
        if claims.get("aud") != self._audience:
            raise _wrong("it is for another audience")
        issued, expires = _seconds(claims, "iat"), _seconds(claims, "exp")
        now = self._clock.now() // SECOND
        if expires - issued > LONGEST_LIFE or expires <= issued:
            raise _wrong("`exp` is not within 24 hours after `iat`")
        not_before = _seconds(claims, "nbf") if "nbf" in claims else issued
        if max(issued, not_before) > now + self._leeway:
            raise _wrong("it does not hold yet; compare the clocks")
        if expires <= now - self._leeway:
            raise Invalid("token_expired", "The subject token has expired.")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 1 <= len(subject) <= 200:
            raise _wrong("`sub` is not a user id of 1 to 200 characters")
        return Subject(user_id=subject)

    def _claims(self, token: str) -> dict[str, Any]:
        """The claims, once the signature is right; times and audience are still to be looked at.

        A page sends one token many times. What was right stays so as long as the very same key stands in the file,
        so a removed or replaced one ends it.
        """
        if len(token) > _LONGEST or not token.isascii():
            raise _wrong("it is no token")
        digest = sha256(token.encode("ascii")).digest()
        known = self._verified.get(digest)
        if known is not None and self._keys.find(known.kid) is known.key:
            self._verified.move_to_end(digest)
            return known.claims
        verified = self._verify(token)
        self._verified[digest] = verified
        if len(self._verified) > _REMEMBERED:
            self._verified.popitem(last=False)
        return verified.claims

    def _verify(self, token: str) -> _Verified:
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            found = self._keys.find(kid) if isinstance(kid, str) else None
            if found is None or not header.keys() <= _HEADER or header.get("alg") != found[0]:
                # All of these sound alike, so that nobody can ask which keys there are.
                raise _wrong("no verification key fits its header")
            algorithm, key = found
            # Times are ours to judge, by the injected clock; the library looks at the signature alone.
            options = {f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}
            claims = jwt.decode(token, key, algorithms=[algorithm], options=cast(Any, options))
            return _Verified(cast(str, kid), found, claims)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise _wrong("its signature or its form is wrong") from None


def _seconds(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or not 0 <= value < 1 << 40:
        raise _wrong(f"`{name}` is not a whole number of seconds since 1970")
    return value


def _wrong(why: str) -> Invalid:
    return Invalid("token_invalid", f"The subject token is not taken: {why}.")


def _ready(key: SubjectKey) -> Any:
    if key.algorithm == "ES256":
        return public(key.key)
    secret = base64.urlsafe_b64decode(key.key + "=" * (-len(key.key) % 4))
    if len(secret) < 32:
        raise ValueError("a shared secret has at least 32 bytes")
    return secret


def public(pem: str) -> EllipticCurvePublicKey:
    """The key in PEM, if it is one for ES256. Raises SettingsError."""
    try:
        key = load_pem_public_key(pem.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SettingsError("that is not a public key in PEM") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise SettingsError("ES256 takes a public key of the curve P-256")
    return key
