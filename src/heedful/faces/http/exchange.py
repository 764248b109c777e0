"""One request and one reply, without a framework: what the hot routes are written in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias, TypeVar

import msgspec

from heedful.faces.engine import Done
from heedful.faces.http.gate import Gate
from heedful.vocabulary.errors import HeedfulError, TooLarge

T = TypeVar("T")

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers: TypeAlias = dict[bytes, bytes]
"""Header fields by their lower-case name; of a field that is repeated the last counts."""


class Reply(msgspec.Struct, gc=False):
    """A whole answer. The headers must name its length."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


Handler: TypeAlias = Callable[[Scope, Headers, Receive], Awaitable[Reply]]
"""A hot route's method. Raises Problem, HeedfulError or Disconnected."""


class Disconnected(Exception):
    """The caller has gone; there is nobody to answer."""


async def read_body(receive: Receive, headers: Headers, limit: int, gate: Gate) -> bytes:
    """The whole body as sent. Raises TooLarge or Overloaded once known, Disconnected if it breaks off."""
    announced = headers.get(b"content-length")
    # A length of twenty digits is a lie or a disaster; either way it is beyond the limit.
    if announced is not None and (len(announced) > 19 or (announced.isdigit() and int(announced) > limit)):
        raise too_large(limit)
    message = await receive()
    if message["type"] != "http.request":
        raise Disconnected
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        body = await _read_on(receive, body, limit, gate)
    if len(body) > limit:
        raise too_large(limit)
    return body


async def _read_on(receive: Receive, first: bytes, limit: int, gate: Gate) -> bytes:
    parts, size, more = [first], 0, True
    try:
        while more and size <= limit:
            gate.take(len(parts[-1]))
            size += len(parts[-1])
            message = await receive()
            if message["type"] != "http.request":
                raise Disconnected
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
    finally:
        gate.give(size)
    return b"".join(parts)


def too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body has more than {limit} bytes.")


async def outcome(start: Callable[[Done[T]], None]) -> T | HeedfulError:
    """What `start` passes to the callback that it is given, at once or later."""
    answered: list[T | HeedfulError] = []
    waiting: list[asyncio.Future[None]] = []

    def done(value: T | HeedfulError) -> None:
        answered.append(value)
        for future in waiting:
            if not future.done():  # cancelled, because the server stops
                future.set_result(None)

    start(done)
    if not answered:  # a future costs as much as a small stage of the pipeline
        waiting.append(asyncio.get_running_loop().create_future())
        await waiting[0]
    return answered[0]


async def send_reply(send: Send, reply: Reply) -> None:
    """Send a whole reply."""
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    await send({"type": "http.response.body", "body": reply.body})


JSON = (b"content-type", b"application/json")
NOSNIFF = (b"x-content-type-options", b"nosniff")
NO_STORE = (b"cache-control", b"no-store")
NO_REFERRER = (b"referrer-policy", b"no-referrer")
NO_FRAME = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
SAFETY = (NOSNIFF, NO_STORE, NO_REFERRER, NO_FRAME)
"""What every reply says unless it says otherwise."""
