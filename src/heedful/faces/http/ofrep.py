"""The OpenFeature Remote Evaluation Protocol (OFREP 0.3.0): what any OpenFeature SDK asks for flags.

A secret key evaluates for anybody, with what is kept about them. A write key stands in pages: it evaluates with
what the page sends alone, unless a proof of the person comes with it. Failures have the protocol's own shapes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import msgspec
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from heedful.experiments.flags import ErrorCode, Evaluation, is_current
from heedful.faces.engine import Engine
from heedful.faces.http import origins
from heedful.faces.http.addresses import Network, here, place
from heedful.faces.http.authorization import caller_of, check_origin
from heedful.faces.http.connections import STREAM
from heedful.faces.http.dispatch import refusal
from heedful.faces.http.encodings import inflate
from heedful.faces.http.exchange import (
    JSON,
    NO_STORE,
    NOSNIFF,
    Disconnected,
    Handler,
    Headers,
    Receive,
    Reply,
    Scope,
    read_body,
)
from heedful.faces.http.gate import Gate
from heedful.faces.http.opt_out import on, with_signal
from heedful.faces.http.problem import UNREADABLE, Problem, problem_of
from heedful.faces.http.streams import INACTIVITY, Streams
from heedful.records.keys import Key, KeyKind
from heedful.records.tickets import Tickets
from heedful.services.flags import Asked, asked_of
from heedful.vocabulary.errors import HeedfulError, Invalid

LIMIT = 128 << 10
"""Most bytes of a request: a context of 2,000 values fits."""

EVALUATE = "/ofrep/v1/evaluate/flags"
EVENTS = "/ofrep/v1/events"

_PARSE = {"json_invalid", "json_too_deep", "encoding_invalid", "encoding_unknown", "too_large"}
_STATUS = {ErrorCode.FLAG_NOT_FOUND: 404}


class _Call(msgspec.Struct):
    """The body of both questions. context: checked by itself, so that its failure has its own code."""

    context: Any = None


_DECODER = msgspec.json.Decoder(_Call)


class _Refused(Exception):
    """A failure in the protocol's words."""

    def __init__(self, code: ErrorCode, details: str) -> None:
        super().__init__(details)
        self.code, self.details = code, details


class Ofrep:
    """Handlers of `/ofrep/v1`. trusted: the proxies whose X-Forwarded-For counts."""

    def __init__(
        self,
        engine: Engine,
        gate: Gate,
        tickets: Tickets,
        streams: Streams,
        trusted: tuple[Network, ...] = (),
    ) -> None:
        self._engine = engine
        self._gate = gate
        self._tickets = tickets
        self.streams = streams
        self._trusted = trusted
        self._encoder = msgspec.json.Encoder()

    async def one(self, scope: Scope, headers: Headers, receive: Receive) -> Reply:
        """Evaluate one flag, which counts as used."""
        key = scope["path"].rpartition("/")[2]
        try:
            asked = await self._asked(scope, headers, receive)
        except _Refused as refused:
            return self._failed(400, {"key": key, **_failure(refused.code, refused.details)})
        found = self._engine.evaluating.one(key, asked)
        if found.error is not None:
            return self._failed(_STATUS.get(found.error, 400), _told(found))
        return self._reply(200, _told(found))

    async def all(self, scope: Scope, headers: Headers, receive: Receive) -> Reply:
        """Evaluate every flag, none of which counts as used."""
        try:
            asked = await self._asked(scope, headers, receive)
        except _Refused as refused:
            return self._failed(400, _failure(refused.code, refused.details))
        refetched = parse_qs(scope["query_string"].decode("latin-1")).get("flagConfigEtag")
        evaluating = self._engine.evaluating
        if refetched and refetched[-1] != evaluating.configuration:
            evaluating.flags.look()  # another process told the page first
        key = caller_of(scope).key
        ticket = "" if key is None else self._tickets.of(key.id)
        whole = evaluating.all(asked, also=ticket)
        tag = (b"etag", whole.tag.encode("ascii"))
        known = headers.get(b"if-none-match")
        if not refetched and known is not None and is_current(known.decode("latin-1"), whole.tag):
            return Reply(304, [tag, NO_STORE, NOSNIFF], b"")
        answer: dict[str, Any] = {"flags": [_told(found) for found in whole.evaluations]}
        if ticket:
            endpoint = {"requestUri": f"{EVENTS}/{ticket}"}
            stream = {"type": "sse", "endpoint": endpoint, "inactivityDelaySec": INACTIVITY}
            answer["eventStreams"] = [stream]
        return self._reply(200, answer, tag)

    async def listen(self, request: Request) -> Response:
        """A stream of messages to ask again. Whoever has the address has it from an answer to its key."""
        scope, headers = request.scope, dict(request.headers.raw)
        key = self._key_of(request.path_params["ticket"])
        if key is None:
            raise Problem("not_found", "There is no such stream: ask for the flags again.")
        if key.origins:
            check_origin(key, headers)
        where = place(scope, self._trusted)
        where = "" if here(where) else where  # an untold proxy on this machine would be counted for everybody
        try:
            self.streams.enter(where)
        except HeedfulError as error:
            raise problem_of(error) from error
        scope["state"][STREAM] = True
        heard = headers.get(b"last-event-id", b"").decode("latin-1")
        works = partial(self._works, key.id)
        return _Listening(self.streams, where, heard, works, origins.allowed(self._engine.keys, headers))

    async def _asked(self, scope: Scope, headers: Headers, receive: Receive) -> Asked:
        caller = caller_of(scope)
        try:
            body = await read_body(receive, headers, LIMIT, self._gate)
            if b"content-encoding" in headers:
                body = inflate(body, headers[b"content-encoding"], LIMIT)
            context = _DECODER.decode(body or b"{}").context
        except UNREADABLE as error:
            raise _Refused(
                ErrorCode.PARSE_ERROR, f"the body is not what the protocol asks for: {error}"
            ) from None
        except (Problem, HeedfulError) as error:
            problem = problem_of(error) if isinstance(error, HeedfulError) else error
            if problem.code in _PARSE:
                raise _Refused(ErrorCode.PARSE_ERROR, problem.detail) from None
            raise
        if isinstance(context, dict) and on(scope, headers):
            context = {**context, "consent": with_signal(context.get("consent"))}
        public = caller.key is not None and caller.key.kind is KeyKind.WRITE
        try:
            return asked_of(context, proven=caller.subject, stored=not public or caller.subject is not None)
        except Invalid as invalid:
            raise _Refused(ErrorCode.INVALID_CONTEXT, str(invalid)) from None

    def _key_of(self, ticket: str) -> Key | None:
        key_id = self._tickets.read(ticket)
        return next((key for key in self._engine.keys.list() if key.id == key_id and not key.revoked), None)

    def _works(self, key_id: str) -> bool:
        return any(key.id == key_id and not key.revoked for key in self._engine.keys.list())

    def _reply(self, status: int, answer: object, *more: tuple[bytes, bytes]) -> Reply:
        text = self._encoder.encode(answer)
        return Reply(status, [JSON, (b"content-length", b"%d" % len(text)), NO_STORE, NOSNIFF, *more], text)

    def _failed(self, status: int, answer: object) -> Reply:
        return self._reply(status, answer)


def in_its_words(handler: Handler, route: str) -> Handler:
    """`handler`, whose failures have the shape that the protocol gives them; the status and headers stay."""

    async def answer(scope: Scope, headers: Headers, receive: Receive) -> Reply:
        try:
            return await handler(scope, headers, receive)
        except Disconnected:
            raise
        except Exception as error:
            plain = refusal(error, headers, route)
            problem = msgspec.json.decode(plain.body)
            text = msgspec.json.encode({"errorCode": "GENERAL", "errorDetails": problem["detail"]})
            kept = [one for one in plain.headers if one[0] not in (b"content-type", b"content-length")]
            return Reply(
                plain.status, [JSON, (b"content-length", b"%d" % len(text)), NO_STORE, NOSNIFF, *kept], text
            )

    return answer


class _Listening(StreamingResponse):
    """One stream, counted until it is over."""

    def __init__(
        self,
        streams: Streams,
        where: str,
        heard: str,
        works: Callable[[], bool],
        allowed: tuple[tuple[bytes, bytes], ...],
    ) -> None:
        self._streams, self._where = streams, where
        self._messages = streams.messages(heard, works=works)
        super().__init__(self._messages, media_type="text/event-stream")
        self.raw_headers += [(b"x-accel-buffering", b"no"), *allowed]

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._messages.aclose()
            self._streams.leave(self._where)


def _told(found: Evaluation) -> dict[str, Any]:
    """One flag on the wire. `variant` is there also where it is empty: the Python provider fails without."""
    if found.error is not None:
        return {"key": found.key, **_failure(found.error, found.details)}
    told: dict[str, Any] = {
        "key": found.key, "reason": found.wire_reason, "variant": found.variant or "",
        "metadata": found.metadata,
    }  # fmt: skip
    if found.variant is not None:
        told["value"] = found.value
    return told


def _failure(code: ErrorCode, details: str) -> dict[str, str]:
    return {"errorCode": code.value, "errorDetails": details}
