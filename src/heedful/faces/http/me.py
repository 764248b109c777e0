"""The routes of the person themself, who proves who they are with a subject token or a signed anonymous id.

No route takes anybody's id: whom it is about is what the proof says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import Request, Response
from msgspec import Meta

from heedful.faces.engine import Engine
from heedful.faces.http import openapi
from heedful.faces.http.authorization import caller_of
from heedful.faces.http.exchange import outcome, read_body
from heedful.faces.http.gate import Gate
from heedful.faces.http.openapi import Route
from heedful.faces.http.privacy import MOST, ZIP, json, read_call, told, zipped
from heedful.faces.http.problem import Problem, problem_of
from heedful.services.rights.person import Known
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.ids import DecisionId, SubjectId
from heedful.vocabulary.recall import RecalledDecision
from heedful.vocabulary.rights import RightsRequest, Someone

_ERRORS = (
    "key_missing",
    "key_unknown",
    "key_not_allowed",
    "token_invalid",
    "token_expired",
    "records_unavailable",
)
_BODY = (*_ERRORS, "request_invalid", "json_invalid", "too_large")


class LessCall(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What not to show again: an item or a category."""

    item_id: str = ""
    category: str = ""


class ForgetEventCall(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One event, by its source and its id, as `GET /v1/me` lists them."""

    source: Annotated[str, Meta(min_length=1, max_length=300)]
    event_id: Annotated[str, Meta(min_length=1, max_length=300)]


class ForgetMeCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing more needs to be said."""


class Receipted(msgspec.Struct, frozen=True):
    """It is done. id: of what was kept: the event, or the receipt."""

    id: str


def _document(name: str, summary: str, errors: Sequence[str] = _ERRORS, **more: Any) -> dict[str, Any]:
    return openapi.operation(name, summary, tag="The person", security=openapi.OWN, errors=errors, **more)


class Mine:
    """Handlers of `/v1/me`."""

    def __init__(self, engine: Engine, gate: Gate) -> None:
        self._engine = engine
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """The routes with their part of the document."""
        done = openapi.content(Receipted)
        why = _document(
            "my_decision", "Why this was shown to me", (*_ERRORS, "not_found"),
            answer=openapi.content(RecalledDecision),
            parameters=({"name": "decision_id", "in": "path", "required": True, "schema": {"type": "string"}},),
        )  # fmt: skip
        less = _document(
            "my_less",
            "Less like this, from the next answer on",
            _BODY,
            body=openapi.content(LessCall, {"itemId": "p-17"}),
            answer=done,
        )
        consent = _document("my_consent", "Choose what my data may be used for", _BODY, answer=done,
            body={"application/json": {"schema": {"type": "object"},
            "example": {"choices": {"personalization": False}}}})  # fmt: skip
        forget_event = _document("my_forget_event", "Forget one event of mine", (*_BODY, "not_found"),
            body=openapi.content(ForgetEventCall, {"source": "web", "eventId": "m-1"}), answer=done)  # fmt: skip
        forget = _document(
            "my_forget",
            "Forget me",
            (*_BODY, "not_found"),
            body=openapi.content(ForgetMeCall, {}),
            answer=openapi.content(RightsRequest),
        )
        return (
            Route(
                "GET",
                "/v1/me",
                self.known,
                _document("me", "What is known of me", answer=openapi.content(Known)),
            ),
            Route("GET", "/v1/me/decisions/{decision_id}", self.decision, why),
            Route("POST", "/v1/me/less", self.less, less),
            Route("POST", "/v1/me/consent", self.consent, consent),
            Route("POST", "/v1/me/forget-event", self.forget_event, forget_event),
            Route("POST", "/v1/me/forget", self.forget, forget),
            Route(
                "GET", "/v1/me/export", self.export, _document("my_export", "My data as a zip", answer=ZIP)
            ),
        )

    async def known(self, request: Request) -> Response:
        """What is known."""
        return json(self._engine.rights.me.known(self._mine(request)))

    async def decision(self, request: Request) -> Response:
        """Why this."""
        me, mine = self._engine.rights.me, self._mine(request)
        name = DecisionId(request.path_params["decision_id"][:200])
        found: Any = await outcome(lambda done: self._engine.decision(name, done))
        return json(me.why(mine, found))

    async def less(self, request: Request) -> Response:
        """Less like this."""
        call = await read_call(request, LessCall, self._gate)
        me, mine = self._engine.rights.me, self._mine(request)
        return await _done(lambda done: me.less(mine, item=call.item_id, category=call.category, done=done))

    async def consent(self, request: Request) -> Response:
        """A choice."""
        body = await read_body(request.receive, dict(request.headers.raw), MOST, self._gate)
        me, mine = self._engine.rights.me, self._mine(request)
        return await _done(lambda done: me.choose(mine, body, done))

    async def forget_event(self, request: Request) -> Response:
        """Forget one event."""
        call = await read_call(request, ForgetEventCall, self._gate)
        me, mine = self._engine.rights.me, self._mine(request)
        return await _done(lambda done: me.forget_event(mine, f"{call.source}:{call.event_id}", done))

    async def forget(self, request: Request) -> Response:
        """Forget everything."""
        await read_call(request, ForgetMeCall, self._gate)
        me, mine = self._engine.rights.me, self._mine(request)
        told(self._engine, request, "erasure", *(f"subject:{one.hex()}" for one in mine))
        return json(await _came_to(lambda done: me.forget(mine, done)))

    async def export(self, request: Request) -> Response:
        """Everything, as a file."""
        mine = self._mine(request)
        told(self._engine, request, "disclose", *(f"subject:{one.hex()}" for one in mine))
        return await zipped(self._engine.rights.disclose, mine)

    def _mine(self, request: Request) -> tuple[SubjectId, ...]:
        proven = caller_of(request.scope).subject
        if proven is None:  # the guard lets nobody in without; were it otherwise, this must not answer
            raise Problem("key_not_allowed", "This is for the person themself.")
        anonymous = (proven.anonymous_id,) if proven.anonymous_id else ()
        return self._engine.rights.disclose.subjects(Someone(proven.user_id or "", anonymous))


async def _done(start: Any) -> Response:
    return json(Receipted(await _came_to(start)))


async def _came_to(start: Any) -> Any:
    found: Any = await outcome(start)
    if isinstance(found, HeedfulError):
        raise problem_of(found) from found
    return found
