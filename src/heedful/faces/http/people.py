"""The routes of administrators for people and their sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import Request, Response

from heedful.faces.http import openapi
from heedful.faces.http.authorization import caller_of
from heedful.faces.http.bodies import BODY_ERRORS, done, json, read
from heedful.faces.http.door import Door, opened
from heedful.faces.http.gate import Gate
from heedful.faces.http.openapi import Object, Route
from heedful.faces.http.problem import Problem, problem_of
from heedful.records.people import Person
from heedful.services.administer import new_password
from heedful.vocabulary.access import GRANTS, Role
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.time import iso

ERRORS = ("key_missing", "key_unknown", "key_not_allowed", "records_unavailable", "not_ready")
"""What every route of administrators may answer."""


class PersonCall(msgspec.Struct, forbid_unknown_fields=True):
    """Somebody to let in."""

    name: str
    password: str
    role: Role = Role.VIEWER


class PersonChange(msgspec.Struct, forbid_unknown_fields=True):
    """What shall be another: the role, the password, or both."""

    role: Role | None = None
    password: str | None = None


class PersonShown(msgspec.Struct, frozen=True):
    """Somebody who may log in. created: RFC 3339 in UTC."""

    id: str
    name: str
    role: str
    created: str


class PersonList(msgspec.Struct, frozen=True):
    """Everybody, oldest first."""

    people: tuple[PersonShown, ...]


class SessionShown(msgspec.Struct, frozen=True):
    """A session. began, seen: RFC 3339 in UTC; seen is the last request, to five minutes."""

    began: str
    seen: str


class SessionList(msgspec.Struct, frozen=True):
    """The sessions of one person, longest at rest first."""

    sessions: tuple[SessionShown, ...]


class SessionsOver(msgspec.Struct, frozen=True):
    """over: how many sessions have ended."""

    over: int


_ADA: Object = {
    "id": "3f2a90c1d4e5",
    "name": "ada",
    "role": "editor",
    "created": "2026-11-23T11:33:51.000000Z",
}
_ID: Object = {
    "name": "person_id",
    "in": "path",
    "required": True,
    "description": "The person's id, from the list.",
    "schema": {"type": "string"},
    "example": "3f2a90c1d4e5",
}


def _operation(name: str, summary: str, answer: type, example: Object | None = None, **more: Any) -> Object:
    return openapi.operation(
        name,
        summary,
        tag="People",
        security=openapi.SECRET,
        answer=openapi.content(answer, example),
        **more,
    )


_LIST = _operation("list_people", "Everybody who may log in", PersonList, errors=ERRORS)
_ADD = _operation(
    "add_person", "Let somebody in", PersonShown, _ADA, errors=(*ERRORS, *BODY_ERRORS, "name_taken"),
    description="Nobody gives a role that may do what they may not do themselves.",
    body=openapi.content(PersonCall, {"name": "ada", "password": "correct horse battery", "role": "editor"}),
)  # fmt: skip
_CHANGE = _operation(
    "change_person", "Give somebody another role or password", PersonShown, _ADA,
    errors=(*ERRORS, *BODY_ERRORS, "not_found"), parameters=(_ID,), description="Their sessions are over.",
    body=openapi.content(PersonChange, {"role": "viewer"}),
)  # fmt: skip
_REMOVE = _operation(
    "remove_person", "Let somebody in no more", PersonShown, _ADA, errors=(*ERRORS, "not_found"),
    parameters=(_ID,),
)  # fmt: skip
_SESSIONS = _operation(
    "list_sessions", "Somebody's sessions", SessionList, errors=(*ERRORS, "not_found"), parameters=(_ID,)
)
_END = _operation(
    "end_sessions", "End every session of somebody", SessionsOver, {"over": 2}, parameters=(_ID,),
    errors=(*ERRORS, "not_found"),
)  # fmt: skip
SHAPES = (PersonCall, PersonChange, PersonShown, PersonList, SessionList, SessionsOver)
"""What the document describes."""


class PeopleRoutes:
    """Handlers of `/v1/people`."""

    def __init__(self, door: Door | None, gate: Gate) -> None:
        self._door = door
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """The routes with their part of the document."""
        one = "/v1/people/{person_id}"
        return (
            Route("GET", "/v1/people", self.list, _LIST),
            Route("POST", "/v1/people", self.add, _ADD),
            Route("PUT", one, self.change, _CHANGE),
            Route("DELETE", one, self.remove, _REMOVE),
            Route("GET", f"{one}/sessions", self.sessions, _SESSIONS),
            Route("DELETE", f"{one}/sessions", self.end, _END),
        )

    async def list(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """Everybody."""
        administer = opened(self._door).administer
        return json(PersonList(tuple(map(_shown, done(administer.people.list)))))

    async def add(self, request: Request) -> Response:
        """Let somebody in."""
        administer, caller = opened(self._door).administer, caller_of(request.scope)
        call = await read(request, PersonCall, self._gate)
        caller.check_may_give(GRANTS[call.role])
        hash_ = await _hashed(call.password, call.name)
        if done(lambda: administer.people.named(call.name)) is not None:
            raise Problem("name_taken", "There is somebody with this name already.", path="name")
        person = done(lambda: administer.add_person(caller.actor, call.name, call.role, hash_))
        return json(_shown(person))

    async def change(self, request: Request) -> Response:
        """Another role or password."""
        administer, caller = opened(self._door).administer, caller_of(request.scope)
        call = await read(request, PersonChange, self._gate)
        person = self._named(request)
        if call.role is None and call.password is None:
            raise Problem("request_invalid", "Say a role, a password, or both.")
        # Who sets a password can log in as that person.
        caller.check_may_give(GRANTS[person.role] if call.password is not None else frozenset())
        caller.check_may_give(GRANTS[call.role or person.role])
        if call.password is not None:
            hash_ = await _hashed(call.password, person.name)
            person, _ = done(lambda: administer.set_password(caller.actor, person.name, hash_))
        role = call.role
        if role is not None:
            person = done(lambda: administer.set_role(caller.actor, person.name, role))
        return json(_shown(person))

    async def remove(self, request: Request) -> Response:
        """Let somebody in no more."""
        administer, person = opened(self._door).administer, self._named(request)
        actor = caller_of(request.scope).actor
        return json(_shown(done(lambda: administer.remove_person(actor, person.name))))

    async def sessions(self, request: Request) -> Response:
        """Somebody's sessions."""
        administer, person = opened(self._door).administer, self._named(request)
        found = done(lambda: administer.sessions.of(person.id))
        return json(SessionList(tuple(SessionShown(iso(one.began), iso(one.seen)) for one in found)))

    async def end(self, request: Request) -> Response:
        """End somebody's sessions."""
        administer, person = opened(self._door).administer, self._named(request)
        actor = caller_of(request.scope).actor
        return json(SessionsOver(done(lambda: administer.end_sessions(actor, person.id))))

    def _named(self, request: Request) -> Person:
        administer = opened(self._door).administer
        person_id: str = request.path_params["person_id"]
        return done(lambda: administer.person(person_id))


async def _hashed(password: str, name: str) -> str:
    """The hash of a new password, made beside the loop. Raises Problem (`password_refused`)."""
    try:
        return await asyncio.to_thread(new_password, password, name)
    except Invalid as invalid:
        raise problem_of(invalid) from None


def _shown(person: Person) -> PersonShown:
    return PersonShown(person.id, person.name, person.role.value, person.created)
