"""Whose request this is: the key in it. What that key may do, `authorization` says."""

from __future__ import annotations

import binascii

import msgspec

from heedful.faces.http.exchange import Headers
from heedful.faces.http.problem import UNREADABLE, Problem
from heedful.records.keys import Key, Keys

CHALLENGE = (
    (b"www-authenticate", b'Basic realm="heedful", charset="UTF-8"'),
    (b"www-authenticate", b"Bearer"),
)

API_KEY = b"x-api-key"
"""The header that OFREP and others send a key in."""


class _Keyed(msgspec.Struct):
    """The one field of a collect body that says who sends it."""

    write_key: str | None = msgspec.field(default=None, name="writeKey")


_KEYED = msgspec.json.Decoder(_Keyed)


def presented(headers: Headers) -> str | None:
    """The key in `Authorization`, else in `X-API-Key`, or None if there is neither.

    Bearer gives the token, Basic the user name (the password is not looked at). Raises Problem
    (`key_unknown`) for any other scheme and for Basic credentials that are not base64.
    """
    authorization = headers.get(b"authorization")
    if authorization is None:
        alone = headers.get(API_KEY)
        return None if alone is None else alone.strip().decode("utf-8", "replace")
    scheme, _, rest = authorization.partition(b" ")
    scheme = scheme.lower()
    if scheme == b"basic":
        try:
            return binascii.a2b_base64(rest.strip()).partition(b":")[0].decode("utf-8", "replace")
        except ValueError:
            raise _unknown("The Basic credentials are not base64.") from None
    if scheme == b"bearer":
        return rest.strip().decode("utf-8", "replace")
    raise _unknown("Authorization must be Basic or Bearer.")


def in_body(body: bytes) -> str | None:
    """`writeKey` of a collect body, or None if there is none to be read."""
    try:
        return _KEYED.decode(body).write_key
    except UNREADABLE:
        return None


def known(keys: Keys, key: str) -> Key:
    """The key, whatever its kind. Raises Problem (`key_missing`, `key_unknown`)."""
    if not key:
        raise Problem("key_missing", "The credentials hold no key.", headers=CHALLENGE)
    found = keys.check(key)
    if found is None:
        raise _unknown("No working key is like the one sent.")
    return found


def _unknown(detail: str) -> Problem:
    return Problem("key_unknown", detail, headers=CHALLENGE)
