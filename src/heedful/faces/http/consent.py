"""The routes that tell what somebody chose, and that we heed Global Privacy Control."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs

import msgspec
from fastapi import Request, Response

from heedful.faces.engine import Engine
from heedful.faces.http import openapi
from heedful.faces.http.exchange import JSON, NO_STORE, NOSNIFF, Headers, Receive, Reply, Scope
from heedful.faces.http.openapi import Route
from heedful.faces.http.problem import Problem
from heedful.privacy.signals import well_known

_LONGEST = 200
SINCE = "2026-11-23"
"""The day from which we abide."""


class GpcSupport(msgspec.Struct, frozen=True, rename="camel"):
    """Whether this site heeds Global Privacy Control, and since when."""

    gpc: bool
    last_update: str


_PAGE = openapi.operation(
    "gpc",
    "Whether Global Privacy Control is heeded",
    tag="Privacy",
    security=openapi.OPEN,
    answer=openapi.content(GpcSupport, {"gpc": True, "lastUpdate": SINCE}),
)


class Consent:
    """The handler of `GET /v1/consent`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get(self, scope: Scope, _: Headers, __: Receive) -> Reply:
        """Choices, what they come to for every purpose, and receipts. Raises Problem, RecordsUnavailable."""
        asked = parse_qs(scope["query_string"].decode("latin-1"))
        user, anonymous = (asked.get(name, [""])[-1] for name in ("userId", "anonymousId"))
        for path, value in (("userId", user), ("anonymousId", anonymous)):
            if len(value) > _LONGEST:
                raise Problem("request_invalid", f"An id has at most {_LONGEST} characters.", path=path)
        if not user and not anonymous:
            raise Problem("request_invalid", "Say whose consent: userId, anonymousId or both.", path="userId")
        text = msgspec.json.encode(self._engine.consent(user, anonymous))
        return Reply(200, [JSON, (b"content-length", b"%d" % len(text)), NO_STORE, NOSNIFF], text)


class WellKnown:
    """The handler of `/.well-known/gpc.json`."""

    def routes(self) -> Sequence[Route]:
        """The route with its part of the document."""
        return (Route("GET", "/.well-known/gpc.json", self.get, _PAGE),)

    async def get(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """Yes."""
        return Response(msgspec.json.encode(well_known(SINCE)), media_type="application/json")
