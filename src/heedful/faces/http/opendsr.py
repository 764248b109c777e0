"""The routes of OpenDSR 2.0. The controller is the key that asks, so that one never sees another's requests."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from fastapi import Request, Response

from heedful.faces.engine import Engine
from heedful.faces.http import openapi
from heedful.faces.http.authorization import caller_of
from heedful.faces.http.exchange import read_body
from heedful.faces.http.gate import Gate
from heedful.faces.http.openapi import Route
from heedful.faces.http.privacy import MOST, told
from heedful.faces.http.problem import Problem
from heedful.services.rights.opendsr import Signed, SubjectRequest
from heedful.vocabulary.errors import Invalid

_ERRORS = ("key_missing", "key_unknown", "key_not_allowed", "request_invalid", "records_unavailable")
_ID = {"name": "request_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
_EXAMPLE = {
    "regulation": "gdpr", "subject_request_id": "a7551968-d5d6-44b2-9831-815ac9017798",
    "subject_request_type": "erasure", "submitted_time": "2026-11-23T11:33:51Z", "api_version": "2.0",
    "subject_identities": [
        {"identity_type": "controller_customer_id", "identity_value": "u-1", "identity_format": "raw"}
    ],
}  # fmt: skip
_ANY: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}


def _document(name: str, summary: str, **more: Any) -> dict[str, Any]:
    more.setdefault("security", openapi.SECRET)
    more.setdefault("errors", _ERRORS)
    more.setdefault("answer", _ANY)
    done = more.pop("done", None)
    document = openapi.operation(name, summary, tag="OpenDSR", **more)
    if done is not None:  # the specification's own status beside ours
        document["responses"][str(done)] = document["responses"]["200"]
    return document


class OpenDsrRoutes:
    """Handlers of `/opendsr`."""

    def __init__(self, engine: Engine, gate: Gate) -> None:
        self._engine = engine
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """The routes with their part of the document."""
        one = "/opendsr/requests/{request_id}"
        pem: dict[str, Any] = {"application/x-pem-file": {"schema": {"type": "string"}}}
        return (
            Route("GET", "/opendsr/discovery", self.discovery,
                  _document("dsr_discovery", "What this processor can do", security=openapi.OPEN, errors=())),
            Route("GET", "/opendsr/certificate.pem", self.certificate,
                  _document("dsr_certificate", "The certificate to check answers with", security=openapi.OPEN,
                            answer=pem, errors=())),
            Route("POST", "/opendsr/requests", self.create,
                  _document("dsr_create", "Send a request", done=201,
                  body=openapi.content(SubjectRequest, _EXAMPLE),
                            errors=(*_ERRORS, "version_conflict", "too_large", "json_invalid"))),
            Route("GET", one, self.status,
                  _document("dsr_status", "Where a request stands", parameters=(_ID,), errors=(*_ERRORS,
                  "not_found"))),
            Route("DELETE", one, self.cancel,
                  _document("dsr_cancel", "Stop a request", done=202, parameters=(_ID,), errors=(*_ERRORS,
                  "not_found"))),
        )  # fmt: skip

    async def discovery(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """What there is."""
        return _signed(self._engine.rights.opendsr.discovery())

    async def certificate(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """The certificate."""
        return Response(self._engine.rights.opendsr.certificate(), media_type="application/x-pem-file")

    async def create(self, request: Request) -> Response:
        """Take a request."""
        body = await read_body(request.receive, dict(request.headers.raw), MOST, self._gate)
        tell = partial(told, self._engine, request, "opendsr")
        return _signed(self._engine.rights.opendsr.create(body, _controller(request), tell), 201)

    async def status(self, request: Request) -> Response:
        """Where it stands."""
        return self._about(request, self._engine.rights.opendsr.status)

    async def cancel(self, request: Request) -> Response:
        """Stop it."""
        body = await read_body(request.receive, dict(request.headers.raw), MOST, self._gate)
        cancel = self._engine.rights.opendsr.cancel
        tell = partial(told, self._engine, request, "cancelled")
        return self._about(
            request, lambda identity, controller: cancel(identity, body, controller, tell), 202
        )

    def _about(self, request: Request, answer: Any, status: int = 200) -> Response:
        """Another controller's request is not found: that it exists is nobody else's business."""
        try:
            return _signed(answer(request.path_params["request_id"], _controller(request)), status)
        except Invalid as invalid:
            if invalid.code == "not_yours":
                raise Problem("not_found", "there is no such request") from None
            raise


def _controller(request: Request) -> str:
    return caller_of(request.scope).actor


def _signed(answer: Signed, status: int = 200) -> Response:
    return Response(answer.body, status, answer.headers, "application/json")
