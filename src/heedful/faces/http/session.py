"""Logging in and out, and who one is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import ceil
from typing import Any

import msgspec
from fastapi import Request, Response

from heedful.faces.http import openapi
from heedful.faces.http.addresses import place
from heedful.faces.http.authorization import caller_of
from heedful.faces.http.bodies import BODY_ERRORS, done, json, read
from heedful.faces.http.door import Door, opened
from heedful.faces.http.gate import Gate
from heedful.faces.http.openapi import Object, Route
from heedful.faces.http.problem import Problem, problem_of, retry_after
from heedful.records import passwords
from heedful.records.people import Person, folded
from heedful.services.administer import new_password
from heedful.vocabulary.errors import Invalid, Overloaded
from heedful.vocabulary.time import SECOND

_AT_ONCE = 2
"""Passwords that are checked at a time: each takes 19 MiB and 20 ms of a core."""
_WAITING = 32
"""Most that wait for it; more are told to come again."""


class LoginCall(msgspec.Struct, forbid_unknown_fields=True):
    """Who wants in."""

    name: str
    password: str


class PasswordCall(msgspec.Struct, forbid_unknown_fields=True):
    """current: the password that holds. new: the one that shall."""

    current: str
    new: str


class SessionAnswer(msgspec.Struct, frozen=True):
    """Who is logged in. scopes: what their role lets them do, by name."""

    id: str
    name: str
    role: str
    scopes: tuple[str, ...]


class LoggedOut(msgspec.Struct, frozen=True):
    """The session is over."""

    over: bool


_ADA: Object = {
    "id": "3f2a90c1d4e5",
    "name": "ada",
    "role": "editor",
    "scopes": ["items:read", "items:write", "metrics:read", "placements:read", "placements:write"],
}
_WORDS = "correct horse battery staple"
_LOGIN_ERRORS = (
    *BODY_ERRORS,
    "login_failed",
    "request_forged",
    "rate_limited",
    "records_unavailable",
    "not_ready",
)


def _operation(name: str, summary: str, answer: Object, **more: Any) -> Object:
    return openapi.operation(name, summary, tag="People", answer=answer, **more)


_SESSION = openapi.content(SessionAnswer, _ADA)
_LOGIN = _operation(
    "login", "Log in", _SESSION, security=openapi.OPEN, errors=_LOGIN_ERRORS,
    description="Gives a cookie. Only our own page may: it sends the header Heedful-Console and its Origin. An "
    "unknown name and a wrong password are answered alike.",
    body=openapi.content(LoginCall, {"name": "ada", "password": _WORDS}),
)  # fmt: skip
_LOGOUT = _operation(
    "logout", "Log out", openapi.content(LoggedOut, {"over": True}), security=openapi.SESSION,
    errors=("key_unknown", "key_not_allowed", "records_unavailable", "not_ready"),
)  # fmt: skip
_WHO = _operation(
    "session", "Who is logged in", _SESSION, security=openapi.SESSION,
    errors=("key_unknown", "key_not_allowed", "not_ready"),
)  # fmt: skip
_PASSWORD = _operation(
    "session_password", "Change one's own password", _SESSION, security=openapi.SESSION,
    errors=(*_LOGIN_ERRORS, "key_unknown", "key_not_allowed"),
    description="Every session of the person ends, and this browser gets a new one.",
    body=openapi.content(PasswordCall, {"current": _WORDS, "new": f"{_WORDS} again"}),
)  # fmt: skip
SHAPES = (LoginCall, PasswordCall, SessionAnswer, LoggedOut)
"""What the document describes."""


class Session:
    """Handlers of `/v1/login`, `/v1/logout` and `/v1/session`."""

    def __init__(self, door: Door | None, gate: Gate) -> None:
        self._door = door
        self._gate = gate
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    def routes(self) -> Sequence[Route]:
        """The routes with their part of the document."""
        return (
            Route("POST", "/v1/login", self.login, _LOGIN),
            Route("POST", "/v1/logout", self.logout, _LOGOUT),
            Route("GET", "/v1/session", self.who, _WHO),
            Route("POST", "/v1/session/password", self.password, _PASSWORD),
        )

    async def login(self, request: Request) -> Response:
        """Begin a session for who proves a password."""
        door = opened(self._door)
        call = await read(request, LoginCall, self._gate)
        person = await self._proven(door, request, call.name, call.password)
        return self._begun(door, request, person)

    async def logout(self, request: Request) -> Response:
        """End the session."""
        door, person = opened(self._door), _person(request)
        session = door.jar.session_of(dict(request.headers.raw)) or ""
        done(lambda: door.administer.log_out(person, session))
        response = json(LoggedOut(over=True))
        response.raw_headers.append(door.jar.no_cookie())
        return response

    async def who(self, request: Request) -> Response:
        """Who is logged in."""
        return json(_told(_person(request)))

    async def password(self, request: Request) -> Response:
        """Another password for oneself."""
        door, before = opened(self._door), _person(request)
        call = await read(request, PasswordCall, self._gate)
        await self._proven(door, request, before.name, call.current)
        try:
            hash_ = await asyncio.to_thread(new_password, call.new, before.name)
        except Invalid as invalid:
            raise problem_of(invalid) from None
        after, _ = done(
            lambda: door.administer.set_password(caller_of(request.scope).actor, before.name, hash_)
        )
        return self._begun(door, request, after)

    def _begun(self, door: Door, request: Request, person: Person) -> Response:
        """A new session; the one that the browser came with is over, whoever it was of."""
        old = door.jar.session_of(dict(request.headers.raw)) or ""
        session = done(lambda: door.administer.log_in(person, old))
        response = json(_told(person))
        response.raw_headers.append(door.jar.cookie(session))
        return response

    async def _proven(self, door: Door, request: Request, name: str, password: str) -> Person:
        """Who has this name and password. Raises Problem (`login_failed`, `rate_limited`), Overloaded."""
        # Names that `People` takes for one must be counted as one.
        name, where = folded(name), place(request.scope, door.trusted)
        _check_wait(door, name, where)
        if self._waiting >= _WAITING:
            raise Overloaded("Too many passwords wait to be checked.")
        self._waiting += 1
        try:
            async with self._turns:
                _check_wait(door, name, where)  # of those who came before, some have failed meanwhile
                found = door.administer.people.named(name)
                kept = None if found is None else found.hash
                right = await asyncio.to_thread(passwords.right, kept, password)
                if found is None or not right:
                    door.logins.failed(name, where)
                    done(lambda: door.administer.refuse(found))
                    raise Problem("login_failed", "The name or the password is wrong.")
                door.logins.succeeded(name, where)
        finally:
            self._waiting -= 1
        return door.administer.people.renewed(found, password)


def _check_wait(door: Door, name: str, where: str) -> None:
    wait = door.logins.wait(name, where)
    if wait > 0:
        headers = retry_after(ceil(wait / SECOND))
        raise Problem("rate_limited", "There were too many failures. Wait a little.", headers=headers)


def _person(request: Request) -> Person:
    person = caller_of(request.scope).person
    if person is None:
        raise Problem("session_over", "Nobody is logged in.")
    return person


def _told(person: Person) -> SessionAnswer:
    return SessionAnswer(person.id, person.name, person.role.value, tuple(sorted(person.allowed)))
