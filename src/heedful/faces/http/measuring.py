"""The routes of success metrics: what there is to ask, and the answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import Request, Response

from heedful.faces.engine import Engine
from heedful.faces.http import openapi
from heedful.faces.http.metrics import BOUNDS, Meters
from heedful.faces.http.openapi import Route
from heedful.faces.http.problem import UNREADABLE, unreadable
from heedful.vocabulary.metric import MetricAnswer, MetricList, MetricQuestion, Waits

_ERRORS = ("key_missing", "key_unknown", "key_not_allowed")
_MEASURED = "/v1/recommend"


def _asked(name: str, description: str, kind: str = "string") -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": kind}}


_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "One of those that `GET /v1/metrics` lists.",
    "schema": {"type": "string", "maxLength": 100},
    "example": "ctr",
}
_QUERY = (
    _asked("placement", "Only answers for this placement."),
    _asked("policy", "Only answers of this policy or model."),
    _asked("from", "From this day (UTC) on: `2026-11-23`, or a time."),
    _asked("to", "Before this day (UTC)."),
    _asked("segment", "`new` or `returning` people."),
    _asked("currency", "Of amounts: ISO 4217; the most frequent one if left out."),
    _asked("day", "For `return_rate`: after how many days, 1 to 365; 7 if left out.", "integer"),
)
_LIST = openapi.operation(
    "list_metrics",
    "What can be measured",
    tag="Measure",
    security=openapi.SECRET,
    description="Every metric with its formula, unit, window, interval and fewest people.",
    answer=openapi.content(MetricList),
    errors=_ERRORS,
)
_GET = openapi.operation(
    "get_metric",
    "Measure success",
    tag="Measure",
    security=openapi.SECRET,
    description="One figure with its interval, or `why` there is none. People are the unit.",
    answer=openapi.content(MetricAnswer),
    errors=(*_ERRORS, "request_invalid", "not_found"),
    parameters=(_NAME, *_QUERY),
)


class Measuring:
    """Handlers of `/v1/metrics`."""

    def __init__(self, engine: Engine, meters: Meters) -> None:
        self._engine = engine
        self._meters = meters

    def routes(self) -> Sequence[Route]:
        """The routes with their part of the document."""
        return (
            Route("GET", "/v1/metrics", self.list, _LIST),
            Route("GET", "/v1/metrics/{name}", self.get, _GET),
        )

    async def list(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """Every definition."""
        body = msgspec.json.encode(MetricList(self._engine.metrics()))
        return Response(body, media_type="application/json")

    async def get(self, request: Request) -> Response:
        """One figure."""
        try:
            asked = msgspec.convert(dict(request.query_params), MetricQuestion, strict=False)
        except UNREADABLE as error:
            raise unreadable(error) from None
        waits = Waits(BOUNDS, tuple(self._meters.route(_MEASURED).buckets))
        answer = self._engine.metric(request.path_params["name"], asked, waits)
        return Response(msgspec.json.encode(answer), media_type="application/json")
