"""The routes that events come in by: Segment's HTTP tracking API, its browser short forms and its pixel.

Whatever the Content-Type says, the body is JSON: browsers send text/plain so that no preflight is needed,
and some server SDKs send application/x-www-form-urlencoded.
"""

from __future__ import annotations

import binascii
from urllib.parse import unquote_to_bytes

import msgspec

from heedful.faces.engine import Engine
from heedful.faces.http.authorization import COLLECT, Caller, Guard, caller_of
from heedful.faces.http.credentials import CHALLENGE, in_body
from heedful.faces.http.encodings import inflate
from heedful.faces.http.exchange import (
    JSON,
    NO_STORE,
    NOSNIFF,
    Handler,
    Headers,
    Receive,
    Reply,
    Scope,
    outcome,
    read_body,
)
from heedful.faces.http.gate import Gate
from heedful.faces.http.metrics import Meters
from heedful.faces.http.opt_out import on
from heedful.faces.http.problem import Problem, problem_of
from heedful.records.keys import KeyKind
from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.errors import HeedfulError

METHODS = ("identify", "track", "page", "screen", "group", "alias", "consent", "batch", "import")
"""The words that `Engine.collect` is given."""

SHORT = {"i": "identify", "t": "track", "p": "page", "s": "screen", "g": "group", "a": "alias", "b": "batch"}
PIXELS = METHODS[:6]

LIMIT = 1 << 20
"""Most bytes of one collect body, as sent and inflated."""

ANY_ORIGIN = (b"access-control-allow-origin", b"*")
_EXPOSED = (b"access-control-expose-headers", b"retry-after, x-request-id")
_ANY_EMBEDDER = (b"cross-origin-resource-policy", b"cross-origin")
CORS = (ANY_ORIGIN, _EXPOSED)
_PREFLIGHT = (
    ANY_ORIGIN,
    (b"access-control-allow-methods", b"POST, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"authorization, content-encoding, content-type, x-request-id, x-retry-count",
    ),
    (b"access-control-max-age", b"86400"),
    (b"vary", b"access-control-request-headers"),
)
_GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
"""One transparent pixel."""

_URL_SAFE = bytes.maketrans(b"-_ ", b"+/+")


class Collecting:
    """Handlers of the collect routes."""

    def __init__(self, engine: Engine, gate: Gate, meters: Meters, guard: Guard) -> None:
        self._engine = engine
        self._guard = guard
        self._gate = gate
        self._meters = meters
        self._encoder = msgspec.json.Encoder()

    def post(self, method: str) -> Handler:
        """Take one call of `method`."""

        async def answer(scope: Scope, headers: Headers, receive: Receive) -> Reply:
            body = await read_body(receive, headers, LIMIT, self._gate)
            encoding = headers.get(b"content-encoding")
            if encoding is not None:
                body = inflate(body, encoding, LIMIT)
            collected = await self._collect(
                method, body, self._caller(body, scope, headers), on(scope, headers)
            )
            text = self._encoder.encode(collected)
            length = (b"content-length", b"%d" % len(text))
            return Reply(200, [JSON, length, ANY_ORIGIN, NO_STORE, NOSNIFF], text)

        return answer

    def pixel(self, method: str) -> Handler:
        """Take one call of `method` from the query, and answer an image."""

        async def answer(scope: Scope, headers: Headers, _: Receive) -> Reply:
            body = _data(scope["query_string"])
            await self._collect(method, body, self._caller(body, scope, headers), on(scope, headers))
            return _image()

        return answer

    async def preflight(self, _: Scope, __: Headers, ___: Receive) -> Reply:
        """A browser asks whether another site may send here: it may, without credentials."""
        return Reply(204, [*_PREFLIGHT], b"")

    async def look(self, _: Scope, __: Headers, ___: Receive) -> Reply:
        """HEAD of a pixel: what GET would answer; it collects nothing."""
        return _image()

    def _caller(self, body: bytes, scope: Scope, headers: Headers) -> Caller:
        """Who sends this: as the guard found in the headers, or by the key in the body."""
        caller = caller_of(scope)
        if caller.key is not None:
            return caller
        given = in_body(body)
        if given is None:
            raise Problem(
                "key_missing",
                "There is no Authorization header, and the body is not a JSON object with a `writeKey`.",
                headers=CHALLENGE,
            )
        return self._guard.admit_key(COLLECT, given, scope, headers)

    async def _collect(self, method: str, body: bytes, caller: Caller, gpc: bool) -> CollectAnswer:
        engine = self._engine
        if method == "import" and (caller.key is None or caller.key.kind is not KeyKind.SECRET):
            method = "batch"  # a public key cannot write the past
        self._gate.enter(len(body))
        try:
            collected: CollectAnswer | HeedfulError = await outcome(
                lambda done: engine.collect(method, body, caller.name, done, gpc=gpc)
            )
        finally:
            self._gate.leave(len(body))
        if isinstance(collected, HeedfulError):
            raise problem_of(collected) from collected
        self._meters.count_fates(collected.events)
        return collected


def _image() -> Reply:
    length = (b"content-length", b"%d" % len(_GIF))
    return Reply(
        200, [(b"content-type", b"image/gif"), length, ANY_ORIGIN, _ANY_EMBEDDER, NO_STORE, NOSNIFF], _GIF
    )


def _data(query: bytes) -> bytes:
    """The JSON in `data`, which is base64 of either alphabet, padded or not. Raises Problem."""
    value = next((part[5:] for part in query.split(b"&") if part.startswith(b"data=")), None)
    if value is None:
        raise Problem("request_invalid", "The query has no `data`.", path="data")
    text = unquote_to_bytes(value).translate(_URL_SAFE).rstrip(b"=")
    try:
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        raise Problem("request_invalid", "`data` is not base64.", path="data") from None
