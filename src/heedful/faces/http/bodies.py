"""What the routes behind the framework share: a body read as a shape, and an answer as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from fastapi import Request, Response

from heedful.faces.http.encodings import inflate
from heedful.faces.http.exchange import read_body
from heedful.faces.http.gate import Gate
from heedful.faces.http.problem import UNREADABLE, Problem, problem_of, retry_after, unreadable
from heedful.vocabulary.errors import Corrupt, HeedfulError, SettingsError

T = TypeVar("T")

SMALL = 16 << 10
"""Most bytes of a body that only names things."""

BODY_ERRORS = (
    "request_invalid", "json_invalid", "json_too_deep", "encoding_invalid", "too_large", "encoding_unknown",
    "overloaded",
)  # fmt: skip


async def read(request: Request, shape: type[T], gate: Gate, limit: int = SMALL) -> T:
    """The body as `shape`. Raises Problem, TooLarge, Overloaded, Disconnected."""
    headers = dict(request.headers.raw)
    body = await read_body(request.receive, headers, limit, gate)
    try:
        content = inflate(body, headers.get(b"content-encoding", b""), limit)
        return msgspec.json.decode(content, type=shape)
    except UNREADABLE as error:
        raise unreadable(error) from None


def done(verb: Callable[[], T]) -> T:
    """What `verb` gives. Raises Problem; a file of ours that cannot be used says nothing of itself outside."""
    try:
        return verb()
    except (SettingsError, Corrupt) as error:
        raise Problem("records_unavailable", "Nothing was changed.", headers=retry_after(1)) from error
    except HeedfulError as error:
        raise problem_of(error) from error


def json(value: object) -> Response:
    """`value` as an answer."""
    return Response(msgspec.json.encode(value), media_type="application/json")


def number(request: Request, name: str, default: int, most: int) -> int:
    """A whole number of the query, 0 to `most`. Raises Problem."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) > most:
        raise Problem("request_invalid", f"{name} is a whole number, 0 to {most}.", path=name)
    return int(text)
