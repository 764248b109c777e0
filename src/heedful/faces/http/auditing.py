"""The routes of the audit: what was done, that nothing of it was changed, and its signed end to keep elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import Request, Response
from msgspec import Meta

from heedful.faces.http import openapi
from heedful.faces.http.bodies import BODY_ERRORS, done, json, number, read
from heedful.faces.http.door import Door, opened
from heedful.faces.http.gate import Gate
from heedful.faces.http.openapi import Object, Route
from heedful.faces.http.people import ERRORS
from heedful.records.audit import AuditEntry
from heedful.records.ledger import Flaw, Head

_PAGE = 100
_MOST = 1_000
_HEADS = 256 << 10


class AuditPage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Entries, oldest first. last: the newest entry's number. next: what `after` is for the next page, if any."""

    entries: tuple[AuditEntry, ...]
    last: int
    next: int | None = None


class VerifyCall(msgspec.Struct, forbid_unknown_fields=True):
    """heads: signed ends that were kept elsewhere. Without one, newest entries that are gone are not missed."""

    heads: Annotated[list[Head], Meta(max_length=1_000)] = []


class Verified(msgspec.Struct, frozen=True):
    """whole: whether nothing was changed. flaw: the first thing that was."""

    whole: bool
    flaw: Flaw | None = None


_ENTRY: Object = {
    "number": 1,
    "at": "2026-11-23T11:33:51.000000Z",
    "actor": "person:3f2a90c1d4e5",
    "action": "key.revoke",
    "object": "key:9c1d2e3f4a5b",
    "before": "a" * 64,
    "after": "b" * 64,
    "previous": "0" * 64,
    "hash": "c" * 64,
}
_HEAD: Object = {
    "chain": "audit",
    "number": 1,
    "hash": "c" * 64,
    "at": 1_795_433_631_000_000,
    "algorithm": "ed25519",
    "key_id": "d" * 16,
    "signature": "e" * 128,
}


def _operation(name: str, summary: str, answer: Object, **more: Any) -> Object:
    return openapi.operation(name, summary, tag="Audit", security=openapi.SECRET, answer=answer, **more)


def _query(name: str, description: str) -> Object:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": {"type": "integer"},
    }


_LIST = _operation(
    "audit", "What was done in the administration",
    openapi.content(AuditPage, {"entries": [_ENTRY], "last": 1}), errors=(*ERRORS, "request_invalid"),
    parameters=(
        _query("after", "Only entries with a number above this one; 0."),
        _query("limit", f"At most so many, 1 to {_MOST}; {_PAGE}."),
    ),
)  # fmt: skip
_END = _operation(
    "audit_head", "The signed end of the audit", openapi.content(Head, _HEAD), errors=ERRORS,
    description="Keep it where nobody can reach who can write the data folder.",
)  # fmt: skip
_VERIFY = _operation(
    "verify_audit", "Whether the audit is whole", openapi.content(Verified, {"whole": True}),
    errors=(*ERRORS, *BODY_ERRORS), body=openapi.content(VerifyCall, {"heads": []}),
)  # fmt: skip
SHAPES = (AuditPage, VerifyCall, Verified, Head)
"""What the document describes."""


class Auditing:
    """Handlers of `/v1/audit`."""

    def __init__(self, door: Door | None, gate: Gate) -> None:
        self._door = door
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """The routes with their part of the document."""
        return (
            Route("GET", "/v1/audit", self.list, _LIST),
            Route("GET", "/v1/audit/head", self.head, _END),
            Route("POST", "/v1/audit/verify", self.verify, _VERIFY),
        )

    async def list(self, request: Request) -> Response:
        """A page of entries."""
        audit = opened(self._door).administer.audit
        after = number(request, "after", 0, 10**15)
        limit = max(1, number(request, "limit", _PAGE, _MOST))
        entries = done(lambda: audit.entries(after=after, limit=limit))
        newest = done(audit.last)
        last = 0 if newest is None else newest.number
        more = bool(entries) and entries[-1].number < last
        return json(AuditPage(tuple(entries), last, entries[-1].number if more else None))

    async def head(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """The signed end."""
        return json(done(opened(self._door).administer.audit_head))

    async def verify(self, request: Request) -> Response:
        """Whether nothing was changed: read beside the loop, since a long chain takes long."""
        administer = opened(self._door).administer
        call = await read(request, VerifyCall, self._gate, _HEADS)
        flaw = await asyncio.to_thread(lambda: done(lambda: administer.audit_flaw(call.heads)))
        return json(Verified(flaw is None, flaw))
