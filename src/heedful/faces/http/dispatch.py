"""The front of the HTTP face: raw ASGI for the routes that must be fast, a framework behind it for the rest.

A framework costs five times the CPU of a plain handler, and two thirds of a request's budget
(`benchmarks/http_floor.py`). So the hot routes are found by one dictionary look-up and answered with
msgspec, and everything else goes on to the framework. Whatever happens, one place turns it into a reply.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from http import HTTPStatus
from time import perf_counter

import msgspec
import structlog

from heedful.faces.http.exchange import (
    SAFETY,
    Application,
    Disconnected,
    Handler,
    Headers,
    Message,
    Receive,
    Reply,
    Scope,
    Send,
    send_reply,
)
from heedful.faces.http.metrics import Meters, RouteMeter
from heedful.faces.http.problem import Problem, internal, problem_of, render, request_id
from heedful.vocabulary.errors import HeedfulError

log = structlog.get_logger("heedful.http")

GONE = 499
"""What we count when the caller left before the answer. Never sent."""


class HotRoute(msgspec.Struct):
    """A route answered without the framework.

    name: its template, as in the OpenAPI document and in metrics.
    handlers: by method. always: headers that every reply has, failures too.
    """

    name: str
    handlers: Mapping[str, Handler]
    meter: RouteMeter
    always: tuple[tuple[bytes, bytes], ...] = ()


class Dispatcher:
    """The ASGI application."""

    def __init__(
        self, hot: Mapping[str, HotRoute], rest: Application, meters: Meters, *, access_log: bool = False
    ) -> None:
        """`hot` by path; one that ends in / stands for all paths with one more part. `rest` answers everything
        else; it may raise Problem or HeedfulError."""
        self._hot = hot
        self._rest = rest
        self._meters = meters
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        began = perf_counter()
        headers: Headers = dict(scope["headers"])
        path: str = scope["path"]
        route = self._hot.get(path) or self._hot.get(path[: path.rfind("/") + 1])
        if route is None:
            name, status = await self._forward(scope, headers, receive, send)
            meter = self._meters.route(name)
        else:
            name, meter = route.name, route.meter
            status = await self._answer(route, scope, headers, receive, send)
        seconds = perf_counter() - began
        meter.observe(status, seconds)
        if self._access_log:
            log.info(
                "request",
                route=name,
                method=_plain(scope["method"]),
                status=status,
                seconds=round(seconds, 6),
            )

    async def _answer(
        self, route: HotRoute, scope: Scope, headers: Headers, receive: Receive, send: Send
    ) -> int:
        method = scope["method"]
        try:
            handler = route.handlers.get(method)
            if handler is None:
                raise _wrong_method(route.handlers)
            reply = await handler(scope, headers, receive)
            if b"x-request-id" in headers:
                reply.headers.append((b"x-request-id", request_id(headers).encode("ascii")))
        except Disconnected:
            return GONE
        except Exception as error:
            reply = refusal(error, headers, route.name)
            reply.headers.extend((*SAFETY, *route.always))
        if method == "HEAD":
            reply.body = b""
        await send_reply(send, reply)
        return reply.status

    async def _forward(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> tuple[str, int]:
        """Let the framework answer; returns the route's template and the status."""
        dressed = _Dressed(send, headers, head=scope["method"] == "HEAD")
        inner = dict(scope)
        if dressed.head:
            inner["method"] = "GET"
        try:
            await self._rest(inner, receive, dressed)
        except Disconnected:
            return template(inner), GONE
        except Exception as error:
            if not dressed.status:
                await send_reply(dressed, refusal(error, headers, template(inner)))
            elif dressed.status != HTTPStatus.INTERNAL_SERVER_ERROR:  # which the framework's handler logged
                refusal(error, headers, template(inner))  # for the log: the answer is under way
        return template(inner), dressed.status


class _Dressed:
    """`send`, which adds what every reply carries and keeps back the body of a HEAD."""

    def __init__(self, send: Send, headers: Headers, *, head: bool) -> None:
        self._send = send
        self._headers = headers
        self.head = head
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            present = {name for name, _ in message["headers"]}
            more = [(name, value) for name, value in SAFETY if name not in present]
            if b"x-request-id" in self._headers and b"x-request-id" not in present:
                more.append((b"x-request-id", request_id(self._headers).encode("ascii")))
            message = {**message, "headers": [*message["headers"], *more]}
        elif self.head:
            message = {**message, "body": b""}
        await self._send(message)


def refusal(error: Exception, headers: Headers, route: str) -> Reply:
    """The reply to a failure. An unforeseen one is logged, without its text, which may quote a body."""
    if isinstance(error, HeedfulError):
        problem = problem_of(error)
    elif isinstance(error, Problem):
        problem = error
    else:
        problem = internal()
    identity = request_id(headers)
    if problem.code == "internal":
        cause = error.__cause__ or error
        frames = [
            f"{frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(cause.__traceback__)
        ]
        log.error(
            "request_failed", route=route, request_id=identity, error=type(cause).__name__, frames=frames
        )
    return render(problem, identity)


def template(scope: Scope) -> str:
    """The template of the framework's route that took the request; `other` if none did."""
    name: str = getattr(scope.get("route"), "path_format", "other")
    return name


def _wrong_method(handlers: Mapping[str, Handler]) -> Problem:
    allow = ", ".join(handlers)
    return Problem("method_not_allowed", f"This route takes {allow}.", headers=((b"allow", allow.encode()),))


def _plain(method: str) -> str:
    return method if method.isascii() and method.isalpha() and len(method) < 16 else "?"
