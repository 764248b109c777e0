"""The routes of flags: definitions with versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from fastapi import Request, Response

from heedful.faces.engine import Engine
from heedful.faces.http import openapi
from heedful.faces.http.authorization import caller_of
from heedful.faces.http.definitions import as_json, before_of, body_of, decoded, done, expected_of, name_of
from heedful.faces.http.gate import Gate
from heedful.faces.http.openapi import Object, Route
from heedful.faces.http.placements import Rollback
from heedful.services.flags import FlagVersion
from heedful.vocabulary.flag import Flag

LIMIT = 1 << 20
"""Most bytes of a definition: fifty variations with their values fit."""

DRAFT: Object = {
    "type": "string",
    "variations": {"grey": "#888888", "blue": "#0044ff"},
    "default": "grey",
    "rules": [
        {"id": "staff", "condition": {"email": {"$regex": "@shop[.]example$"}}, "serve": "blue"},
        {"id": "test", "experiment": "colours", "arms": {"control": "grey", "blue": "blue"}},
    ],
}
_VERSION: Object = {
    "key": "button", "version": 3, "author": "shop", "created": "2026-11-23T11:33:51.000000Z",
    "flag": {"key": "button", **DRAFT},
}  # fmt: skip
_ERRORS = ("key_missing", "key_unknown", "key_not_allowed", "records_unavailable")
_BODY = (
    *_ERRORS, "request_invalid", "json_invalid", "json_too_deep", "encoding_invalid", "too_large",
    "encoding_unknown", "overloaded", "flag_invalid", "version_conflict",
)  # fmt: skip
_NAME: Object = {
    "name": "name", "in": "path", "required": True, "description": "The flag's key, percent-encoded.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200}, "example": "button",
}  # fmt: skip
_NOTE: Object = {
    "name": "note", "in": "query", "required": False, "description": "Why, for whoever reads the versions.",
    "schema": {"type": "string", "maxLength": 1000},
}  # fmt: skip
_IF_MATCH: Object = {
    "name": "If-Match", "in": "header", "required": False, "schema": {"type": "string"},
    "description": 'The ETag this change is made for, as `"3"`; `*` for any. 412 when another is in force.',
}  # fmt: skip
_IF_NONE_MATCH: Object = {
    "name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string"},
    "description": "`*`: only if nothing is defined.",
}  # fmt: skip
_BEFORE: Object = {
    "name": "before", "in": "query", "required": False, "description": "Only versions below this one.",
    "schema": {"type": "integer"},
}  # fmt: skip


class FlagList(msgspec.Struct, frozen=True):
    """Every flag, by key."""

    flags: tuple[FlagVersion, ...]


class FlagVersions(msgspec.Struct, frozen=True):
    """The versions of one flag, newest first."""

    versions: tuple[FlagVersion, ...]


SHAPES: tuple[type, ...] = (Flag, FlagVersion, FlagList, FlagVersions)
"""What the document describes."""


def _operation(name: str, summary: str, answer: type, errors: Sequence[str], **more: Any) -> Object:
    return openapi.operation(
        name, summary, tag="Flags", security=openapi.SECRET,
        answer=openapi.content(answer, _VERSION if answer is FlagVersion else None), errors=errors, **more,
    )  # fmt: skip


class FlagRoutes:
    """Handlers of `/v1/flags`. changed: called after every change."""

    def __init__(self, engine: Engine, gate: Gate, changed: Callable[[], None]) -> None:
        self._engine = engine
        self._gate = gate
        self._changed = changed

    def routes(self) -> Sequence[Route]:
        """The routes with their part of the document."""
        one = "/v1/flags/{name}"
        return (
            Route("GET", "/v1/flags", self.list, _operation("list_flags", "Every flag", FlagList, _ERRORS)),
            Route("GET", one, self.get, _operation(
                "get_flag", "Read a flag", FlagVersion, (*_ERRORS, "not_found"), parameters=(_NAME,),
                description="The ETag is the version.")),
            Route("PUT", one, self.put, _operation(
                "put_flag", "Define a flag", FlagVersion, _BODY, body=openapi.content(Flag, DRAFT),
                description="Appends a version. It is in force for the next evaluation, and pages that listen are "
                "told to ask again.", parameters=(_NAME, _NOTE, _IF_MATCH, _IF_NONE_MATCH))),
            Route("DELETE", one, self.delete, _operation(
                "delete_flag", "Take a flag away", FlagVersion,
                (*_ERRORS, "request_invalid", "not_found", "version_conflict"),
                description="Appends a version that says so; evaluations say FLAG_NOT_FOUND.",
                parameters=(_NAME, _NOTE, _IF_MATCH))),
            Route("GET", f"{one}/versions", self.versions, _operation(
                "flag_versions", "The versions of a flag", FlagVersions,
                (*_ERRORS, "request_invalid", "not_found"),
                description="The newest 100, newest first.", parameters=(_NAME, _BEFORE))),
            Route("POST", f"{one}/rollback", self.rollback, _operation(
                "rollback_flag", "Bring a version back", FlagVersion, (*_BODY, "not_found"),
                description="Appends a version like the one named.",
                body=openapi.content(Rollback, {"version": 1, "note": "the old one did better"}),
                parameters=(_NAME, _IF_MATCH))),
        )  # fmt: skip

    async def list(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """Every flag."""
        return as_json(FlagList(done(self._engine.flags.list)))

    async def get(self, request: Request) -> Response:
        """The version in force."""
        name = name_of(request)
        return _versioned(done(lambda: self._engine.flags.get(name)))

    async def put(self, request: Request) -> Response:
        """Define a flag."""
        signed, name = _signed(request), name_of(request)
        body = decoded(await body_of(request, self._gate, LIMIT), dict[str, Any])
        note, put = request.query_params.get("note", ""), self._engine.flags.put
        made = done(lambda: put(name, body, note=note, **signed))
        self._changed()
        return _versioned(made)

    async def delete(self, request: Request) -> Response:
        """Take a flag away."""
        signed, name = _signed(request), name_of(request)
        note, delete = request.query_params.get("note", ""), self._engine.flags.delete
        made = done(lambda: delete(name, note=note, **signed))
        self._changed()
        return as_json(made)

    async def versions(self, request: Request) -> Response:
        """The versions, newest first."""
        name, below = name_of(request), before_of(request)
        return as_json(FlagVersions(done(lambda: self._engine.flags.versions(name, before=below))))

    async def rollback(self, request: Request) -> Response:
        """Bring a version back."""
        signed, name = _signed(request), name_of(request)
        wanted = decoded(await body_of(request, self._gate, LIMIT), Rollback)
        rollback = self._engine.flags.rollback
        made = done(lambda: rollback(name, wanted.version, note=wanted.note, **signed))
        self._changed()
        return _versioned(made)


def _signed(request: Request) -> dict[str, Any]:
    """Who makes a change, and what for."""
    caller = caller_of(request.scope)
    return {"author": caller.name, "actor": caller.actor, "expected": expected_of(request)}


def _versioned(value: FlagVersion) -> Response:
    response = as_json(value)
    response.headers["etag"] = f'"{value.version}"'
    return response
