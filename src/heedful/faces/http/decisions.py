"""The route that tells an answer again."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from fastapi import Request, Response

from heedful.faces.engine import Engine
from heedful.faces.http import openapi
from heedful.faces.http.exchange import outcome
from heedful.faces.http.openapi import Route
from heedful.faces.http.problem import Problem, problem_of
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.ids import DecisionId
from heedful.vocabulary.recall import RecalledDecision

_ID = {
    "name": "decision_id",
    "in": "path",
    "required": True,
    "description": "The `decisionId` of the answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    "example": "660f0fd554f64d6c7938b4da4b160",
}
_GET = openapi.operation(
    "get_decision",
    "Read an answer that was given",
    tag="Recommend",
    security=openapi.SECRET,
    description="What was shown to whom, with scores, propensities, reasons and what came next.",
    answer=openapi.content(RecalledDecision),
    errors=("key_missing", "key_unknown", "key_not_allowed", "request_invalid", "not_found"),
    parameters=(_ID,),
)


class Decisions:
    """The handler of `/v1/decisions`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def routes(self) -> Sequence[Route]:
        """The route with its part of the document."""
        return (Route("GET", "/v1/decisions/{decision_id}", self.get, _GET),)

    async def get(self, request: Request) -> Response:
        """One decision."""
        name: str = request.path_params["decision_id"]
        if not 1 <= len(name) <= 200:
            raise Problem("request_invalid", "A decision's id has 1 to 200 characters.", path="decision_id")
        answer: RecalledDecision | HeedfulError = await outcome(
            lambda done: self._engine.decision(DecisionId(name), done)
        )
        if isinstance(answer, HeedfulError):
            raise problem_of(answer) from answer
        return Response(msgspec.json.encode(answer), media_type="application/json")
