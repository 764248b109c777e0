"""The routes of placements: definitions with versions, and what a draft would answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from fastapi import Request, Response

from heedful.faces.engine import Engine
from heedful.faces.http import openapi
from heedful.faces.http.authorization import caller_of
from heedful.faces.http.encodings import inflate
from heedful.faces.http.exchange import read_body
from heedful.faces.http.gate import Gate
from heedful.faces.http.openapi import Object, Route
from heedful.faces.http.problem import UNREADABLE, Problem, problem_of, unreadable
from heedful.records.records import ANY
from heedful.services.placements import PlacementList, PlacementVersion, PlacementVersions, Preview
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.placement import Placement
from heedful.vocabulary.recommendation import RecommendRequest

T = TypeVar("T")

LIMIT = 1 << 20
"""Most bytes of a definition: fifty variants with their payloads fit."""

_ERRORS = ("key_missing", "key_unknown", "key_not_allowed", "records_unavailable")
_BODY_ERRORS = (
    *_ERRORS, "request_invalid", "json_invalid", "json_too_deep", "encoding_invalid", "too_large",
    "encoding_unknown", "overloaded",
)  # fmt: skip
_NAME: Object = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "As questions give it: 1 to 200 characters without /, percent-encoded.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    "example": "home",
}
_NOTE: Object = {
    "name": "note",
    "in": "query",
    "required": False,
    "description": "Why, for whoever reads the versions.",
    "schema": {"type": "string", "maxLength": 1000},
}
_IF_MATCH: Object = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": 'The ETag this change is made for, as `"3"`; `*` for any. 412 when another is in force.',
    "schema": {"type": "string"},
}
_IF_NONE_MATCH: Object = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "`*`: only if nothing is defined.",
    "schema": {"type": "string"},
}
DRAFT: Object = {
    "objective": {"click": 1, "cart": 4, "purchase": 8},
    "rules": [
        {
            "rule": "exclude",
            "name": "no-vouchers",
            "where": {"field": "category", "op": "eq", "value": "Vouchers"},
        },
        {
            "rule": "boost",
            "name": "new-things",
            "factor": 1.5,
            "where": {"field": "age_days", "op": "lt", "value": 14},
            "when": {"field": "weekday", "op": "ge", "value": 6},
        },
        {"rule": "pin", "name": "campaign", "item": "p-17", "place": 1},
        {"rule": "do_not_repeat", "name": "rest", "hours": 12},
    ],
    "diversity": 0.3,
}
_VERSION: Object = {
    "name": "home",
    "version": 3,
    "author": "shop",
    "created": "2026-11-23T11:33:51.000000Z",
    "placement": {"name": "home", **DRAFT},
}


class Rollback(msgspec.Struct, forbid_unknown_fields=True):
    """Bring `version` back. note: why."""

    version: int
    note: str = ""


class PreviewCall(msgspec.Struct, forbid_unknown_fields=True):
    """A draft and a question. The question's placement names what the draft is compared with."""

    placement: dict[str, Any]
    question: RecommendRequest = RecommendRequest()


def _operation(name: str, summary: str, answer: type, errors: Sequence[str], **more: Any) -> Object:
    return openapi.operation(
        name,
        summary,
        tag="Placements",
        security=openapi.SECRET,
        answer=openapi.content(answer, _VERSION if answer is PlacementVersion else None),
        errors=errors,
        **more,
    )


_LIST = _operation("list_placements", "Every placement that is defined", PlacementList, _ERRORS)
_GET = _operation(
    "get_placement", "Read a placement", PlacementVersion, (*_ERRORS, "not_found"), parameters=(_NAME,),
    description="The ETag is the version.",
)  # fmt: skip
_PUT = _operation(
    "put_placement", "Define a placement", PlacementVersion,
    (*_BODY_ERRORS, "placement_invalid", "version_conflict"),
    description="Appends a version. It is in force for the next answer.",
    body=openapi.content(Placement, DRAFT), parameters=(_NAME, _NOTE, _IF_MATCH, _IF_NONE_MATCH),
)  # fmt: skip
_DELETE = _operation(
    "delete_placement", "Take a definition away", PlacementVersion,
    (*_ERRORS, "request_invalid", "not_found", "version_conflict"),
    description="Appends a version that says so; what is built in holds again.",
    parameters=(_NAME, _NOTE, _IF_MATCH),
)  # fmt: skip
_VERSIONS = _operation(
    "placement_versions", "The versions of a placement", PlacementVersions,
    (*_ERRORS, "request_invalid", "not_found"), description="The newest 100, newest first.",
    parameters=(_NAME, {"name": "before", "in": "query", "required": False,
                        "description": "Only versions below this one.", "schema": {"type": "integer"}}),
)  # fmt: skip
_ROLLBACK = _operation(
    "rollback_placement", "Bring a version back", PlacementVersion,
    (*_BODY_ERRORS, "placement_invalid", "not_found", "version_conflict"),
    description="Appends a version like the one named.",
    body=openapi.content(Rollback, {"version": 1, "note": "the old one did better"}),
    parameters=(_NAME, _IF_MATCH),
)  # fmt: skip
_PREVIEW = _operation(
    "preview_placement", "What a draft would answer", Preview, (*_BODY_ERRORS, "placement_invalid"),
    description="Answers as the draft would and as what is in force does, with the trace of both. Nothing is "
    "written, and nobody is held out.",
    body=openapi.content(PreviewCall, {"placement": DRAFT, "question": {"userId": "u-1", "limit": 5}}),
    parameters=(_NAME,),
)  # fmt: skip


class Placements:
    """Handlers of `/v1/placements`."""

    def __init__(self, engine: Engine, gate: Gate) -> None:
        self._engine = engine
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """The routes with their part of the document."""
        one = "/v1/placements/{name}"
        return (
            Route("GET", "/v1/placements", self.list, _LIST),
            Route("GET", one, self.get, _GET),
            Route("PUT", one, self.put, _PUT),
            Route("DELETE", one, self.delete, _DELETE),
            Route("GET", f"{one}/versions", self.versions, _VERSIONS),
            Route("POST", f"{one}/rollback", self.rollback, _ROLLBACK),
            Route("POST", f"{one}/preview", self.preview, _PREVIEW),
        )

    async def list(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """Every placement."""
        return _json(_done(self._engine.placements.list))

    async def get(self, request: Request) -> Response:
        """The version in force."""
        name = _name(request)
        return _versioned(_done(lambda: self._engine.placements.get(name)))

    async def put(self, request: Request) -> Response:
        """Define a placement."""
        caller, name = caller_of(request.scope), _name(request)
        expected = _expected(request)
        body = _decoded(await self._body(request), dict[str, Any])
        note = request.query_params.get("note", "")
        placements = self._engine.placements
        return _versioned(
            _done(
                lambda: placements.put(
                    name, body, author=caller.name, actor=caller.actor, note=note, expected=expected
                )
            )
        )

    async def delete(self, request: Request) -> Response:
        """Take a definition away."""
        caller, name, expected = caller_of(request.scope), _name(request), _expected(request)
        note = request.query_params.get("note", "")
        placements = self._engine.placements
        return _json(
            _done(
                lambda: placements.delete(
                    name, author=caller.name, actor=caller.actor, note=note, expected=expected
                )
            )
        )

    async def versions(self, request: Request) -> Response:
        """The versions, newest first."""
        name, before = _name(request), request.query_params.get("before")
        if before is not None and not re.fullmatch(r"\d{1,9}", before):
            raise Problem("request_invalid", "before is the number of a version.", path="before")
        below = None if before is None else int(before)
        return _json(_done(lambda: self._engine.placements.versions(name, before=below)))

    async def rollback(self, request: Request) -> Response:
        """Bring a version back."""
        caller, name, expected = caller_of(request.scope), _name(request), _expected(request)
        wanted = _decoded(await self._body(request), Rollback)
        placements = self._engine.placements
        return _versioned(
            _done(
                lambda: placements.rollback(
                    name,
                    wanted.version,
                    author=caller.name,
                    actor=caller.actor,
                    note=wanted.note,
                    expected=expected,
                )
            )
        )

    async def preview(self, request: Request) -> Response:
        """What a draft would answer."""
        name = _name(request)
        call = _decoded(await self._body(request), PreviewCall)
        question = msgspec.structs.replace(call.question, placement=name)
        return _json(_done(lambda: self._engine.preview(question, call.placement)))

    async def _body(self, request: Request) -> bytes:
        headers = dict(request.headers.raw)
        body = await read_body(request.receive, headers, LIMIT, self._gate)
        return inflate(body, headers.get(b"content-encoding", b""), LIMIT)


def _name(request: Request) -> str:
    name: str = request.path_params["name"]
    return name


def _expected(request: Request) -> int | None:
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


def _decoded(body: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=shape)
    except UNREADABLE as error:
        raise unreadable(error) from None


def _done(verb: Callable[[], T]) -> T:
    try:
        return verb()
    except HeedfulError as error:
        raise problem_of(error) from error


def _versioned(value: PlacementVersion) -> Response:
    response = _json(value)
    response.headers["etag"] = f'"{value.version}"'
    return response


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
