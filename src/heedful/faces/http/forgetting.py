"""The routes that forget, and tell how far that has come."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from fastapi import Request, Response

from heedful.faces.engine import Engine
from heedful.faces.http import openapi
from heedful.faces.http.authorization import caller_of
from heedful.faces.http.encodings import inflate
from heedful.faces.http.exchange import outcome, read_body
from heedful.faces.http.gate import Gate
from heedful.faces.http.openapi import Object, Route
from heedful.faces.http.problem import UNREADABLE, problem_of, unreadable
from heedful.vocabulary.erasure import ErasureList, ErasureReceipt, ErasureStatus, ForgetRequest
from heedful.vocabulary.errors import HeedfulError

LIMIT = 1 << 19
"""Most bytes of a request: a thousand aliases fit."""

_ERRORS = ("key_missing", "key_unknown", "key_not_allowed")
_ID: Object = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The `subjectRequestId` of a receipt, or the `id` of a 202.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 100},
    "example": "er_660f0fd554f64d6c7938b4da",
}
_FORGET = openapi.operation(
    "forget",
    "Forget a person, or what a sender sent",
    tag="Privacy",
    security=openapi.SECRET,
    description="From the moment this is accepted no answer knows the person. 200 with the signed receipt when "
    "everything is done; 202 with a Location to look at while it goes on. The same call again is harmless.",
    body=openapi.content(ForgetRequest, {"userId": "u-1", "aliases": [{"anonymousId": "a-7"}]}),
    answer=openapi.content(ErasureReceipt),
    errors=(*_ERRORS, "request_invalid", "json_invalid", "json_too_deep", "encoding_invalid", "too_large",
            "encoding_unknown", "overloaded", "records_unavailable", "log_unavailable"),
)  # fmt: skip
_FORGET["responses"]["202"] = {
    "description": "Accepted, and going on.",
    "headers": {"Location": {"schema": {"type": "string"}, "description": "Where to look."}},
    "content": openapi.content(ErasureStatus),
}
_LIST = openapi.operation(
    "list_erasures",
    "What was forgotten",
    tag="Privacy",
    security=openapi.SECRET,
    description="The newest hundred, without receipts. People are keyed hashes.",
    answer=openapi.content(ErasureList),
    errors=_ERRORS,
)
_GET = openapi.operation(
    "get_erasure",
    "How far a forgetting has come",
    tag="Privacy",
    security=openapi.SECRET,
    description="With the receipt once it is there, and the fitted models as they stand now.",
    answer=openapi.content(ErasureStatus),
    errors=(*_ERRORS, "not_found"),
    parameters=(_ID,),
)


class Forgetting:
    """Handlers of `/v1/privacy/forget` and `/v1/privacy/erasures`."""

    def __init__(self, engine: Engine, gate: Gate) -> None:
        self._engine = engine
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """The routes with their part of the document."""
        return (
            Route("POST", "/v1/privacy/forget", self.forget, _FORGET),
            Route("GET", "/v1/privacy/erasures", self.list, _LIST),
            Route("GET", "/v1/privacy/erasures/{id}", self.get, _GET),
        )

    async def forget(self, request: Request) -> Response:
        """Forget."""
        actor = caller_of(request.scope).actor
        headers = dict(request.headers.raw)
        body = await read_body(request.receive, headers, LIMIT, self._gate)
        try:
            asked = msgspec.json.decode(
                inflate(body, headers.get(b"content-encoding", b""), LIMIT), type=ForgetRequest
            )
        except UNREADABLE as error:
            raise unreadable(error) from None
        found: ErasureStatus | HeedfulError = await outcome(
            lambda done: self._engine.forget(asked, done, actor=actor)
        )
        if isinstance(found, HeedfulError):
            raise problem_of(found) from found
        if found.receipt is not None:
            return _json(found.receipt)
        return _json(found, 202, {"location": f"/v1/privacy/erasures/{found.id}"})

    async def list(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """The newest forgettings."""
        return _json(ErasureList(self._engine.erasures()))

    async def get(self, request: Request) -> Response:
        """One of them."""
        try:
            return _json(self._engine.erasure(request.path_params["id"]))
        except HeedfulError as error:
            raise problem_of(error) from error


def _json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")
