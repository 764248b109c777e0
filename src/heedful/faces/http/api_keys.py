"""The routes of administrators for API keys and for the keys that subject tokens are checked with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import Request, Response
from msgspec import Meta

from heedful.faces.http import openapi
from heedful.faces.http.authorization import caller_of
from heedful.faces.http.bodies import BODY_ERRORS, done, json, read
from heedful.faces.http.door import Door, opened
from heedful.faces.http.gate import Gate
from heedful.faces.http.openapi import Object, Route
from heedful.faces.http.people import ERRORS
from heedful.faces.http.problem import Problem
from heedful.records.keys import LABEL, Key, KeyKind, Keys, Restrictions, origin_problem
from heedful.records.subject_keys import KID, public
from heedful.vocabulary.access import ALL_SCOPES, PUBLIC_SCOPES, Scope
from heedful.vocabulary.errors import SettingsError

_MOST_ORIGINS = 100


class KeyCall(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A key to be made. scopes: what a secret key may do; everything when left out.

    perMinute: most requests a minute; 0 for the server's own limit.
    """

    kind: KeyKind = KeyKind.SECRET
    label: str = ""
    scopes: list[Scope] | None = None
    origins: Annotated[list[str], Meta(max_length=_MOST_ORIGINS)] = []
    per_minute: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class KeyShown(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A key without the key. shown: its prefix and last four characters. lastUsed: the hour.

    key: the key itself, in the answer that made it and never again.
    """

    id: str
    kind: str
    shown: str
    label: str
    created: str
    scopes: tuple[str, ...]
    revoked: str = ""
    origins: tuple[str, ...] = ()
    per_minute: int = 0
    last_used: str = ""
    key: str = ""


class KeyList(msgspec.Struct, frozen=True):
    """Every key, revoked ones too, oldest first."""

    keys: tuple[KeyShown, ...]


class TokenKeyCall(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A verification key. publicKey: PEM of the curve P-256, for ES256; without it a secret for HS256 is made."""

    kid: str = ""
    public_key: str = ""


class TokenKeyShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """A verification key without the key. secret: of HS256, in the answer that made it and never again."""

    kid: str
    algorithm: str
    created: str = ""
    secret: str = ""


class TokenKeyList(msgspec.Struct, frozen=True):
    """Every verification key, oldest first."""

    tokens: tuple[TokenKeyShown, ...]


class TokenKeyRemoved(msgspec.Struct, frozen=True):
    """Tokens of this key are taken no more."""

    removed: str


_KEY: Object = {
    "id": "9c1d2e3f4a5b",
    "kind": "secret",
    "shown": "sk_…Ab3d",
    "label": "shop",
    "created": "2026-11-23T11:33:51.000000Z",
    "scopes": ["items:write"],
}
_TOKEN: Object = {"kid": "2026-11", "algorithm": "HS256", "created": "2026-11-23T11:33:51.000000Z"}


def _path(name: str, description: str, example: str) -> Object:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    }


_KEY_ID = _path("key_id", "The key's id, from the list.", "9c1d2e3f4a5b")
_KID = _path("kid", "The verification key's name.", "2026-11")


def _operation(name: str, summary: str, answer: type, example: Object | None = None, **more: Any) -> Object:
    return openapi.operation(
        name,
        summary,
        tag="Keys",
        security=openapi.SECRET,
        answer=openapi.content(answer, example),
        **more,
    )


_LIST = _operation("list_keys", "Every API key", KeyList, errors=ERRORS)
_CREATE = _operation(
    "create_key", "Make an API key", KeyShown, {**_KEY, "key": "sk_…"}, errors=(*ERRORS, *BODY_ERRORS),
    description="The only answer that has the key. Nobody gives a scope that they do not hold themselves.",
    body=openapi.content(KeyCall, {"kind": "secret", "label": "shop", "scopes": ["items:write"]}),
)  # fmt: skip
_REVOKE = _operation(
    "revoke_key", "Revoke an API key", KeyShown, _KEY, errors=(*ERRORS, "not_found"), parameters=(_KEY_ID,)
)
_TOKENS = _operation("list_token_keys", "Every verification key", TokenKeyList, errors=ERRORS)
_ADD = _operation(
    "add_token_key", "Make or take a verification key", TokenKeyShown, {**_TOKEN, "secret": "…"},
    errors=(*ERRORS, *BODY_ERRORS, "name_taken"),
    description="Whoever signs with it may ask for anybody, so it takes that scope too.",
    body=openapi.content(TokenKeyCall, {"kid": "2026-11"}),
)  # fmt: skip
_REMOVE = _operation(
    "remove_token_key", "Remove a verification key", TokenKeyRemoved, {"removed": "2026-11"},
    errors=(*ERRORS, "not_found"), parameters=(_KID,),
)  # fmt: skip
SHAPES = (KeyCall, KeyShown, KeyList, TokenKeyCall, TokenKeyShown, TokenKeyList, TokenKeyRemoved)
"""What the document describes."""


class ApiKeys:
    """Handlers of `/v1/keys` and `/v1/tokens`."""

    def __init__(self, door: Door | None, gate: Gate) -> None:
        self._door = door
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """The routes with their part of the document."""
        return (
            Route("GET", "/v1/keys", self.list, _LIST),
            Route("POST", "/v1/keys", self.create, _CREATE),
            Route("DELETE", "/v1/keys/{key_id}", self.revoke, _REVOKE),
            Route("GET", "/v1/tokens", self.tokens, _TOKENS),
            Route("POST", "/v1/tokens", self.add_token, _ADD),
            Route("DELETE", "/v1/tokens/{kid}", self.remove_token, _REMOVE),
        )

    async def list(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """Every key."""
        keys = opened(self._door).administer.keys
        return json(KeyList(tuple(_shown(keys, key) for key in done(keys.list))))

    async def create(self, request: Request) -> Response:
        """Make a key."""
        administer, caller = opened(self._door).administer, caller_of(request.scope)
        call = await read(request, KeyCall, self._gate)
        limits = _limits(call)
        caller.check_may_give(_gives(call))
        raw, key = done(lambda: administer.create_key(caller.actor, call.kind, call.label, limits))
        return json(msgspec.structs.replace(_shown(administer.keys, key), key=raw))

    async def revoke(self, request: Request) -> Response:
        """Stop a key from working."""
        administer, actor = opened(self._door).administer, caller_of(request.scope).actor
        key_id: str = request.path_params["key_id"]
        return json(_shown(administer.keys, done(lambda: administer.revoke_key(actor, key_id))))

    async def tokens(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """Every verification key."""
        keys = done(opened(self._door).administer.subject_keys.list)
        return json(TokenKeyList(tuple(TokenKeyShown(one.kid, one.algorithm, one.created) for one in keys)))

    async def add_token(self, request: Request) -> Response:
        """Make or take a verification key."""
        administer, caller = opened(self._door).administer, caller_of(request.scope)
        call = await read(request, TokenKeyCall, self._gate)
        caller.check_may_give(frozenset({Scope.RECOMMEND_READ}))
        if call.kid and not KID.fullmatch(call.kid):
            raise _wrong("a kid is 1 to 64 letters, digits, dots, dashes or underscores", "kid")
        if any(one.kid == call.kid for one in done(administer.subject_keys.list)):
            raise Problem("name_taken", "There is a verification key of this name already.", path="kid")
        if not call.public_key:
            kid, secret = done(lambda: administer.create_token_key(caller.actor, call.kid))
            return json(TokenKeyShown(kid, "HS256", secret=secret))
        try:
            public(call.public_key)
        except SettingsError as error:
            raise _wrong(str(error), "publicKey") from None
        key = done(lambda: administer.add_token_key(caller.actor, call.public_key, call.kid))
        return json(TokenKeyShown(key.kid, key.algorithm, key.created))

    async def remove_token(self, request: Request) -> Response:
        """Take no more tokens of a key."""
        administer, actor = opened(self._door).administer, caller_of(request.scope).actor
        kid: str = request.path_params["kid"]
        done(lambda: administer.remove_token_key(actor, kid))
        return json(TokenKeyRemoved(kid))


def _limits(call: KeyCall) -> Restrictions:
    """What the key may not do. Raises Problem."""
    if call.label and not LABEL.fullmatch(call.label):
        raise _wrong("a label is 1 to 40 letters, digits, spaces, dots, dashes or underscores", "label")
    wrong = origin_problem(call.origins)
    if wrong is not None:
        raise _wrong(wrong, "origins")
    if call.scopes is not None and (call.kind is KeyKind.WRITE or not call.scopes):
        raise _wrong("scopes are for secret keys, and one at least", "scopes")
    scopes = None if call.scopes is None else tuple(call.scopes)
    return Restrictions(scopes, tuple(call.origins), call.per_minute)


def _gives(call: KeyCall) -> frozenset[Scope]:
    if call.kind is KeyKind.WRITE:
        return PUBLIC_SCOPES
    return ALL_SCOPES if call.scopes is None else frozenset(call.scopes)


def _shown(keys: Keys, key: Key) -> KeyShown:
    return KeyShown(
        id=key.id,
        kind=key.kind.value,
        shown=key.shown,
        label=key.label,
        created=key.created,
        scopes=tuple(sorted(key.allowed)),
        revoked=key.revoked,
        origins=key.origins,
        per_minute=key.per_minute,
        last_used=keys.last_used(key.id),
    )


def _wrong(text: str, path: str) -> Problem:
    return Problem("request_invalid", text, path=path)
