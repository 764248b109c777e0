"""What the handlers behind the framework share: reading a definition's request, and answering in JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec
from fastapi import Request, Response

from heedful.faces.http.encodings import inflate
from heedful.faces.http.exchange import read_body
from heedful.faces.http.gate import Gate
from heedful.faces.http.problem import UNREADABLE, Problem, problem_of, unreadable
from heedful.records.records import ANY
from heedful.vocabulary.errors import HeedfulError

T = TypeVar("T")


async def body_of(request: Request, gate: Gate, limit: int) -> bytes:
    """The body, unpacked, at most `limit` bytes. Raises what reading a body raises."""
    headers = dict(request.headers.raw)
    body = await read_body(request.receive, headers, limit, gate)
    return inflate(body, headers.get(b"content-encoding", b""), limit)


def before_of(request: Request) -> int | None:
    """The version that `before` names. Raises Problem."""
    before = request.query_params.get("before")
    if before is not None and not re.fullmatch(r"\d{1,9}", before):
        raise Problem("request_invalid", "before is the number of a version.", path="before")
    return None if before is None else int(before)


def name_of(request: Request) -> str:
    """The name in the path."""
    name: str = request.path_params["name"]
    return name


def expected_of(request: Request) -> int | None:
    """The version that the caller takes to be in force: None for whatever, 0 for none, ANY for some."""
    match, none = request.headers.get("if-match"), request.headers.get("if-none-match")
    if none is not None:
        if none.strip() != "*" or match is not None:
            raise Problem(
                "request_invalid", "If-None-Match takes `*`, without If-Match.", path="If-None-Match"
            )
        return 0
    if match is None:
        return None
    if match.strip() == "*":
        return ANY
    found = re.fullmatch(r'\s*"(\d{1,9})"\s*', match)
    if found is None:
        raise Problem(
            "request_invalid", 'If-Match takes one ETag as it was given, as `"3"`, or `*`.', path="If-Match"
        )
    return int(found[1])


def decoded(body: bytes, shape: type[T]) -> T:
    """The body as a `shape`. Raises Problem."""
    try:
        return msgspec.json.decode(body, type=shape)
    except UNREADABLE as error:
        raise unreadable(error) from None


def done(verb: Callable[[], T]) -> T:
    """What `verb` gives. Raises the problem of what it fails with."""
    try:
        return verb()
    except HeedfulError as error:
        raise problem_of(error) from error


def as_json(value: object) -> Response:
    """An answer."""
    return Response(msgspec.json.encode(value), media_type="application/json")
