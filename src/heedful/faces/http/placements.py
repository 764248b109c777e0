"""The routes of placements: definitions with versions, and what a draft would answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import Request, Response

from heedful.faces.engine import Engine
from heedful.faces.http import openapi
from heedful.faces.http.authorization import caller_of
from heedful.faces.http.definitions import as_json, before_of, body_of, decoded, done, expected_of, name_of
from heedful.faces.http.gate import Gate
from heedful.faces.http.openapi import Object, Route
from heedful.services.placements import PlacementList, PlacementVersion, PlacementVersions, Preview
from heedful.vocabulary.placement import Placement
from heedful.vocabulary.recommendation import RecommendRequest

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
        return as_json(done(self._engine.placements.list))

    async def get(self, request: Request) -> Response:
        """The version in force."""
        name = name_of(request)
        return _versioned(done(lambda: self._engine.placements.get(name)))

    async def put(self, request: Request) -> Response:
        """Define a placement."""
        caller, name = caller_of(request.scope), name_of(request)
        expected = expected_of(request)
        body = decoded(await body_of(request, self._gate, LIMIT), dict[str, Any])
        note = request.query_params.get("note", "")
        placements = self._engine.placements
        return _versioned(
            done(
                lambda: placements.put(
                    name, body, author=caller.name, actor=caller.actor, note=note, expected=expected
                )
            )
        )

    async def delete(self, request: Request) -> Response:
        """Take a definition away."""
        caller, name, expected = caller_of(request.scope), name_of(request), expected_of(request)
        note = request.query_params.get("note", "")
        placements = self._engine.placements
        return as_json(
            done(
                lambda: placements.delete(
                    name, author=caller.name, actor=caller.actor, note=note, expected=expected
                )
            )
        )

    async def versions(self, request: Request) -> Response:
        """The versions, newest first."""
        name, below = name_of(request), before_of(request)
        return as_json(done(lambda: self._engine.placements.versions(name, before=below)))

    async def rollback(self, request: Request) -> Response:
        """Bring a version back."""
        caller, name, expected = caller_of(request.scope), name_of(request), expected_of(request)
        wanted = decoded(await body_of(request, self._gate, LIMIT), Rollback)
        placements = self._engine.placements
        return _versioned(
            done(
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
        name = name_of(request)
        call = decoded(await body_of(request, self._gate, LIMIT), PreviewCall)
        question = msgspec.structs.replace(call.question, placement=name)
        return as_json(done(lambda: self._engine.preview(question, call.placement)))


def _versioned(value: PlacementVersion) -> Response:
    response = as_json(value)
    response.headers["etag"] = f'"{value.version}"'
    return response
