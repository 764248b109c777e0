"""Routes for whoever runs the server: health, metrics, and the document of all routes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from fastapi import Request, Response

from heedful.faces.engine import Engine
from heedful.faces.http import docs_page, openapi
from heedful.faces.http.metrics import CONTENT_TYPE, Meters
from heedful.faces.http.openapi import Route
from heedful.faces.http.problem import Problem, retry_after

_ERRORS = ("key_missing", "key_unknown", "key_not_allowed")


class Live(msgspec.Struct, frozen=True):
    """The process answers."""

    live: bool


class Ready(msgspec.Struct, frozen=True):
    """Answers are to be had. writes: whether the log takes events too."""

    ready: bool
    writes: bool


_LIVE = openapi.operation(
    "live",
    "Whether the process answers",
    tag="Operate",
    security=openapi.OPEN,
    answer=openapi.content(Live, {"live": True}),
)
_READY = openapi.operation(
    "ready",
    "Whether answers are to be had",
    tag="Operate",
    security=openapi.OPEN,
    answer=openapi.content(Ready, {"ready": True, "writes": True}),
    errors=("not_ready",),
)


def _told(name: str, summary: str, media: str, kind: str) -> dict[str, Any]:
    """A route that tells of the inside."""
    return openapi.operation(
        name,
        summary,
        tag="Operate",
        security=openapi.OPERATOR,
        description="Open on this machine; from elsewhere, or through a proxy, it takes a secret key.",
        answer={media: {"schema": {"type": kind}}},
        errors=_ERRORS,
    )


class Operations:
    """Handlers of the operator's routes. `document` gives the whole OpenAPI document."""

    def __init__(self, engine: Engine, meters: Meters, document: Callable[[], dict[str, Any]]) -> None:
        self._engine = engine
        self._meters = meters
        self._document = document
        self._text: bytes | None = None
        self._page: docs_page.Page | None = None

    def routes(self) -> Sequence[Route]:
        """The routes with their part of the document."""
        metrics = _told("metrics", "Figures for Prometheus", "text/plain", "string")
        document = _told("openapi", "This document", "application/json", "object")
        page = _told("docs", "This document, to be read", "text/html", "string")
        return (
            Route("GET", "/health/live", self.live, _LIVE),
            Route("GET", "/health/ready", self.ready, _READY),
            Route("GET", "/metrics", self.metrics, metrics),
            Route("GET", "/openapi.json", self.openapi, document),
            Route("GET", "/docs", self.docs, page),
        )

    async def live(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """The process answers."""
        return Response(b'{"live":true}', media_type="application/json")

    async def ready(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """Whether answers are to be had, and whether the log takes writes."""
        status = self._engine.status()
        if not status.ready:
            raise Problem("not_ready", status.reason or "The server is starting.", headers=retry_after(1))
        body = msgspec.json.encode(Ready(ready=True, writes=status.log_stopped is None))
        return Response(body, media_type="application/json")

    async def metrics(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """Figures for Prometheus."""
        return Response(self._meters.text(), headers={"content-type": CONTENT_TYPE.decode()})

    async def openapi(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """The document of every route."""
        if self._text is None:
            self._text = msgspec.json.encode(self._document())
        return Response(self._text, media_type="application/json")

    async def docs(self, request: Request) -> Response:
        """The document as a page."""
        if self._page is None:
            self._page = docs_page.page(self._document(), openapi.problem_catalogue())
        headers = {"content-security-policy": self._page.policy}
        html = self._page.html.replace(docs_page.HOST, _address(request))
        return Response(html, media_type="text/html", headers=headers)


def _address(request: Request) -> str:
    """How the caller reaches this server, if it is plain: a page repeats nothing else."""
    host = request.headers.get("host", "")
    plain = re.fullmatch(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9a-f:]{2,39}\](:\d{1,5})?", host)
    return f"{request.url.scheme}://{host if plain else '127.0.0.1:8080'}"
