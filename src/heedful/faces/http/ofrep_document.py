"""What the OpenAPI document says of `/ofrep/v1`: shapes and failures are the protocol's own."""

from __future__ import annotations

from typing import Any

import msgspec

from heedful.faces.http import openapi
from heedful.faces.http.openapi import Object


class OfrepCall(msgspec.Struct, frozen=True):
    """context: OpenFeature's: `targetingKey`, and whatever conditions go by."""

    context: dict[str, Any] = {}


class OfrepFlag(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One flag. value: left out where the code's default counts. reason: left out of a failure, which has an
    errorCode instead."""

    key: str
    reason: str = ""
    variant: str = ""
    value: Any = None
    metadata: dict[str, bool | str | float] = {}
    error_code: str = ""
    error_details: str = ""


class OfrepFlags(msgspec.Struct, frozen=True, rename="camel"):
    """Every flag, and where to listen for changes."""

    flags: tuple[OfrepFlag, ...]
    event_streams: tuple[dict[str, Any], ...] = ()


class OfrepFailure(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A failure in the protocol's words. key: of the flag, where one was asked for."""

    error_code: str
    error_details: str
    key: str = ""


SHAPES: tuple[type, ...] = (OfrepCall, OfrepFlag, OfrepFlags, OfrepFailure)

_PUBLIC: list[Object] = [*openapi.PUBLIC, {"apiKey": []}]
_CALL: Object = {"context": {"targetingKey": "u-1", "country": "DE"}}
_FLAG: Object = {
    "key": "button", "reason": "SPLIT", "variant": "blue", "value": "#0044ff",
    "metadata": {"rule": "test", "experiment": "colours", "arm": "blue", "inExperiment": True, "epoch": 0},
}  # fmt: skip
_FLAGS: Object = {
    "flags": [_FLAG],
    "eventStreams": [
        {"type": "sse", "endpoint": {"requestUri": "/ofrep/v1/events/…"}, "inactivityDelaySec": 120}
    ],
}
_TAG: Object = {
    "ETag": {"description": "Of all definitions and the whole context.", "schema": {"type": "string"}}
}
_WHY = {
    "400": "`PARSE_ERROR`, `INVALID_CONTEXT`, `TARGETING_KEY_MISSING` or `GENERAL`.",
    "401": "No key, or one that is not known.",
    "403": "The key is not for this, or not for this site.",
    "404": "`FLAG_NOT_FOUND`.",
    "429": "Too much; come again after Retry-After seconds.",
    "500": "Something failed here.",
}
_KEY: Object = {
    "name": "key", "in": "path", "required": True, "description": "The flag's key, percent-encoded.",
    "schema": {"type": "string", "maxLength": 200}, "example": "button",
}  # fmt: skip
_TICKET: Object = {
    "name": "ticket", "in": "path", "required": True, "description": "As `eventStreams` gave it; keep it secret.",
    "schema": {"type": "string"}, "example": "000000000000.xxxxxxxxxxxxxxxxxxxxxx",
}  # fmt: skip
_NONE_MATCH: Object = {
    "name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string"},
    "description": "The ETag of the answer that you have: 304 if it is still this one.",
}  # fmt: skip
_REFETCHED: Object = {
    "name": "flagConfigEtag", "in": "query", "required": False, "schema": {"type": "string"},
    "description": "The `etag` of the message that asked for this fetch; then the answer is never 304.",
}  # fmt: skip


def _evaluation(
    name: str, summary: str, description: str, answer: Object, parameters: list[Object]
) -> Object:
    failure = {"application/json": {"schema": openapi.reference(OfrepFailure)}}
    without = () if _KEY in parameters else ("404",)
    failures = {
        status: {"description": why, "content": failure}
        for status, why in _WHY.items()
        if status not in without
    }
    return {
        "operationId": name,
        "summary": summary,
        "description": description,
        "tags": ["Flags"],
        "security": _PUBLIC,
        "parameters": parameters,
        "requestBody": {"required": True, "content": openapi.content(OfrepCall, _CALL)},
        "responses": {"200": {"description": "Done.", "content": answer}, **failures},
    }


def paths() -> Object:
    """The two evaluations."""
    one = _evaluation(
        "evaluate_flag", "Evaluate one flag",
        "Counts as used: the arms of experiments that it came from are exposures.",
        openapi.content(OfrepFlag, _FLAG), [_KEY],
    )  # fmt: skip
    every = _evaluation(
        "evaluate_flags", "Evaluate every flag", "None counts as used.",
        openapi.content(OfrepFlags, _FLAGS), [_NONE_MATCH, _REFETCHED],
    )  # fmt: skip
    every["responses"]["200"]["headers"] = _TAG
    every["responses"]["304"] = {"description": "What you have is what we would answer."}
    return {
        "/ofrep/v1/evaluate/flags": {"post": every},
        "/ofrep/v1/evaluate/flags/{key}": {"post": one},
    }


LISTEN = openapi.operation(
    "flag_events", "Listen for flags that changed", tag="Flags", security=openapi.OPEN,
    description="Server-sent events; a message says `refetchEvaluation`. The address is the credential.",
    answer={"text/event-stream": {"schema": {"type": "string"}}}, errors=("not_found", "overloaded"),
    parameters=(_TICKET,),
)  # fmt: skip
