"""The routes of people's rights for who acts for them: disclosure, and the requests with their clocks."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from typing import IO, Any
from uuid import uuid4

import msgspec
from fastapi import Request, Response
from starlette.responses import StreamingResponse

from heedful.faces.engine import Engine
from heedful.faces.http import openapi
from heedful.faces.http.authorization import caller_of
from heedful.faces.http.exchange import outcome, read_body
from heedful.faces.http.gate import Gate
from heedful.faces.http.openapi import Route
from heedful.faces.http.problem import UNREADABLE, problem_of, unreadable
from heedful.services.disclose import Disclose
from heedful.services.engine import PATIENCE
from heedful.services.rights.requests import Step
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.rights import Regulation, RightsRequest, Someone, Status, Verb

MOST = 64 << 10
_IN_MEMORY = 4 << 20
_CHUNK = 64 << 10
_ERRORS = ("key_missing", "key_unknown", "key_not_allowed", "records_unavailable")
_BODY_ERRORS = (*_ERRORS, "request_invalid", "json_invalid", "too_large", "overloaded")
_REQUESTS, _REQUEST = "/v1/privacy/requests", "/v1/privacy/requests/{request_id}"


class RightsCall(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A request that somebody made. verified: whether who took it has seen that they are who they say."""

    verb: Verb
    user_id: str = ""
    anonymous_ids: tuple[str, ...] = ()
    regulation: Regulation = "gdpr"
    verified: bool = False
    reference: str = ""


class MoveCall(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A step of a request: one of the fields but reason and evidence. run: carry it out.

    proven: whether their identity was verified. confirm: their receipt was confirmed. extend: put the day off.
    """

    status: Status | None = None
    proven: bool | None = None
    confirm: bool = False
    extend: bool = False
    run: bool = False
    reason: str = ""
    evidence: str = ""

    @property
    def step(self) -> str:
        """The step in a word: where to, or what is said."""
        if self.run:
            return "run"
        if self.proven is not None:
            return "prove"
        return "confirm" if self.confirm else "extend" if self.extend else self.status or "nothing"


class RightsList(msgspec.Struct, frozen=True):
    """Requests, the one that is due first first."""

    requests: list[RightsRequest]


class RightsSteps(msgspec.Struct, frozen=True):
    """A request with everything that was done about it, oldest first."""

    request: RightsRequest
    steps: list[Step]


ZIP = {"application/zip": {"schema": {"type": "string", "contentMediaType": "application/zip"}}}
_ID = {
    "name": "request_id", "in": "path", "required": True, "description": "The request's id.",
    "schema": {"type": "string", "maxLength": 100},
}  # fmt: skip
_WHO = {"userId": "u-1", "anonymousIds": ["a-1"]}


def _document(name: str, summary: str, **more: Any) -> dict[str, Any]:
    more.setdefault("errors", _BODY_ERRORS)
    return openapi.operation(name, summary, tag="Privacy", security=openapi.SECRET, **more)


class Privacy:
    """Handlers of `/v1/privacy`."""

    def __init__(self, engine: Engine, gate: Gate) -> None:
        self._engine = engine
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """The routes with their part of the document."""
        one = openapi.content(RightsRequest)
        disclose = _document(
            "disclose", "Everything held about one person, as a zip",
            body=openapi.content(Someone, _WHO), answer=ZIP,
            description="JSON and CSV, with a page and a text to read. Access and portability.",
        )  # fmt: skip
        create = _document(
            "create_request", "Take a person's request",
            body=openapi.content(RightsCall, {"verb": "access", **_WHO}), answer=one,
        )  # fmt: skip
        listed = _document(
            "list_requests",
            "Every request, by when it is due",
            answer=openapi.content(RightsList),
            errors=_ERRORS,
        )
        got = _document(
            "get_request",
            "One request and its steps",
            answer=openapi.content(RightsSteps),
            errors=(*_ERRORS, "not_found"),
            parameters=(_ID,),
        )
        moved = _document(
            "move_request", "Bring a request one step on", parameters=(_ID,),
            body=openapi.content(MoveCall, {"proven": True, "evidence": "passport seen"}), answer=one,
            errors=(*_BODY_ERRORS, "not_found", "version_conflict"),
        )  # fmt: skip
        return (
            Route("POST", "/v1/privacy/disclose", self.disclose, disclose),
            Route("POST", _REQUESTS, self.create, create),
            Route("GET", _REQUESTS, self.list, listed),
            Route("GET", _REQUEST, self.get, got),
            Route("POST", f"{_REQUEST}/move", self.move, moved),
        )

    async def disclose(self, request: Request) -> Response:
        """The file."""
        who = await read_call(request, Someone, self._gate)
        disclose = self._engine.rights.disclose
        subjects = disclose.subjects(who)
        told(self._engine, request, "disclose", *(f"subject:{one.hex()}" for one in subjects))
        return await zipped(disclose, subjects)

    async def create(self, request: Request) -> Response:
        """Take a request. Nothing is looked up about the person, so nothing can be told of them."""
        call = await read_call(request, RightsCall, self._gate)
        rights = self._engine.rights
        try:
            who = Someone(call.user_id, call.anonymous_ids)
        except ValueError as error:
            raise unreadable(msgspec.ValidationError(str(error))) from None
        identity = str(uuid4())
        told(self._engine, request, call.verb, f"request:{identity}")
        return json(rights.requests.create(
            call.verb, rights.disclose.subjects(who), regulation=call.regulation, reference=call.reference[:200],
            proof="verified" if call.verified else "pending", author=caller_of(request.scope).name,
            identity=identity,
        ))  # fmt: skip

    async def list(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """Every request."""
        return json(RightsList(self._engine.rights.requests.every()))

    async def get(self, request: Request) -> Response:
        """One request."""
        requests, identity = self._engine.rights.requests, request.path_params["request_id"]
        return json(RightsSteps(requests.get(identity), requests.steps(identity)))

    async def move(self, request: Request) -> Response:
        """One step."""
        call = await read_call(request, MoveCall, self._gate)
        requests, identity = self._engine.rights.requests, request.path_params["request_id"]
        author = caller_of(request.scope).name
        requests.get(identity)
        told(self._engine, request, call.step, f"request:{identity}")
        if call.run:
            ran: RightsRequest | HeedfulError = await outcome(
                lambda done: requests.carry_out(identity, author=author, done=done)
            )
            if isinstance(ran, HeedfulError):
                raise problem_of(ran) from ran
            return json(ran)
        if call.proven is not None:
            return json(requests.prove(identity, proven=call.proven, author=author, evidence=call.evidence))
        if call.confirm:
            return json(requests.confirm(identity, author=author))
        if call.extend:
            return json(requests.extend(identity, reason=call.reason, author=author))
        if call.status is None:
            raise unreadable(msgspec.ValidationError("say status, proven, confirm, extend or run"))
        return json(
            requests.move(identity, call.status, author=author, reason=call.reason, evidence=call.evidence)
        )


def told(engine: Engine, request: Request, verb: str, *objects: str) -> None:
    """Tell the audit what is about to be done, by pseudonym or the id of a request. Raises RecordsUnavailable."""
    if engine.audit is not None:
        actor = caller_of(request.scope).actor
        for one in objects:
            engine.audit.tell(actor, f"privacy.{verb}", one)


async def read_call(request: Request, shape: type[Any], gate: Gate) -> Any:
    """The body as `shape`. Raises Problem."""
    body = await read_body(request.receive, dict(request.headers.raw), MOST, gate)
    try:
        return msgspec.json.decode(body, type=shape)
    except UNREADABLE as error:
        raise unreadable(error) from None


def json(value: object) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(value), media_type="application/json")


async def zipped(disclose: Disclose, subjects: Sequence[SubjectId]) -> Response:
    """Somebody's file. The search runs beside the loop's thread, the writing gives way after every page.

    What does not fit into memory lies in a file that has no name, so that it is gone with this answer.
    """
    await asyncio.sleep(PATIENCE)  # answers given a moment ago are still on their way into the log
    places = await asyncio.to_thread(disclose.places, subjects)
    file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by the stream, or here
    try:
        for _ in disclose.write(subjects, places, file):
            await asyncio.sleep(0)
        size = file.tell()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    headers = {"content-length": str(size), "content-disposition": 'attachment; filename="your-data.zip"'}
    return StreamingResponse(_chunks(file), media_type="application/zip", headers=headers)


async def _chunks(file: IO[bytes] | tempfile.SpooledTemporaryFile[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk
