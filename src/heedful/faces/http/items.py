"""The catalogue's routes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import Request, Response

from heedful.faces.engine import Engine
from heedful.faces.http import openapi
from heedful.faces.http.encodings import inflate
from heedful.faces.http.exchange import outcome, read_body
from heedful.faces.http.gate import Gate
from heedful.faces.http.messages import ItemsCall
from heedful.faces.http.metrics import Meters
from heedful.faces.http.openapi import Route
from heedful.faces.http.problem import UNREADABLE, Problem, problem_of, unreadable
from heedful.vocabulary.collection import CollectAnswer, EventFate
from heedful.vocabulary.errors import HeedfulError, Invalid, TooLarge
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.receipt import Status

ONE_LIMIT = 64 << 10
"""Most bytes of one item."""
MANY_LIMIT = 32 << 20
"""Most bytes of many."""
MOST = 10_000
DEPTH = 32

_ERRORS = ("key_missing", "key_unknown", "key_not_allowed")
_WRITE_ERRORS = (
    *_ERRORS, "request_invalid", "json_invalid", "json_too_deep", "encoding_invalid", "too_large",
    "encoding_unknown", "overloaded", "log_unavailable",
)  # fmt: skip
_ID = {
    "name": "item_id",
    "in": "path",
    "required": True,
    "description": "1 to 200 characters, percent-encoded.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    "example": "p-17",
}


_ONE = openapi.content(Item, openapi.ITEM)
_FATES = openapi.content(CollectAnswer, openapi.ITEM_FATES)
_MANY = {
    "application/json": {
        "schema": {
            "anyOf": [openapi.reference(ItemsCall), {"type": "array", "items": openapi.reference(Item)}]
        },
        "example": {"items": [openapi.ITEM]},
    }
}
_POST = openapi.operation(
    "put_items",
    "Write many items",
    tag="Catalogue",
    security=openapi.SECRET,
    description='Up to 10,000 items, an array or `{"items": […]}`. A bad item refuses only itself.',
    body=_MANY,
    answer=_FATES,
    errors=_WRITE_ERRORS,
)
_PUT = openapi.operation(
    "put_item",
    "Write one item",
    tag="Catalogue",
    security=openapi.SECRET,
    description="Replaces the item. Once this is answered, recommendations know it.",
    body=_ONE,
    answer=_FATES,
    errors=_WRITE_ERRORS,
    parameters=(_ID,),
)
_GET = openapi.operation(
    "get_item",
    "Read one item",
    tag="Catalogue",
    security=openapi.SECRET,
    answer=_ONE,
    errors=(*_ERRORS, "request_invalid", "not_found"),
    parameters=(_ID,),
)
_DELETE = openapi.operation(
    "delete_item",
    "Delete one item",
    tag="Catalogue",
    security=openapi.SECRET,
    description="A deleted item is not recommended until it is written again.",
    answer=_FATES,
    errors=(*_ERRORS, "request_invalid", "not_found", "overloaded", "log_unavailable"),
    parameters=(_ID,),
)


class _Many(msgspec.Struct):
    items: list[msgspec.Raw]


class Items:
    """Handlers of `/v1/items`."""

    def __init__(self, engine: Engine, gate: Gate, meters: Meters) -> None:
        self._engine = engine
        self._gate = gate
        self._meters = meters

    def routes(self) -> Sequence[Route]:
        """The routes with their part of the document."""
        one = "/v1/items/{item_id:path}"
        return (
            Route("POST", "/v1/items", self.post, _POST),
            Route("PUT", one, self.put, _PUT),
            Route("GET", one, self.get, _GET),
            Route("DELETE", one, self.delete, _DELETE),
        )

    async def get(self, request: Request) -> Response:
        """One item."""
        item = self._engine.item(_id(request))
        if item is None:
            raise Problem("not_found", "The catalogue has no such item.")
        return _json(item)

    async def put(self, request: Request) -> Response:
        """Write one item under the id in the path."""
        headers = dict(request.headers.raw)
        item_id = _id(request)
        body = await self._body(request, headers, ONE_LIMIT)
        answer = await self._written([_named(body, item_id)], len(body))
        fate = answer.events[0] if answer.events else None
        if fate is not None and fate.status is Status.REFUSED:
            raise Problem(
                fate.code or "request_invalid", fate.message or "The item was refused.", path=fate.path
            )
        return _json(answer)

    async def delete(self, request: Request) -> Response:
        """Delete one item."""
        item_id = _id(request)
        deleted: CollectAnswer | HeedfulError = await outcome(
            lambda done: self._engine.delete_item(item_id, done)
        )
        return _json(_answered(deleted))

    async def post(self, request: Request) -> Response:
        """Write many items, each with its own fate."""
        headers = dict(request.headers.raw)
        body = await self._body(request, headers, MANY_LIMIT)
        good, fates = _sorted(body)
        written = await self._written(good, len(body)) if good else None
        rest = iter(written.events if written else ())
        events = tuple(fate if fate is not None else next(rest) for fate in fates)
        self._meters.count_fates(fate for fate in fates if fate is not None)
        position = written.position if written else self._engine.status().position
        return _json(CollectAnswer(success=True, position=position, events=events))

    async def _body(self, request: Request, headers: dict[bytes, bytes], limit: int) -> bytes:
        body = await read_body(request.receive, headers, limit, self._gate)
        return inflate(body, headers.get(b"content-encoding", b""), limit)

    async def _written(self, items: Sequence[Item], size: int) -> CollectAnswer:
        self._gate.enter(size)
        try:
            written = _answered(await outcome(lambda done: self._engine.put_items(items, done)))
        finally:
            self._gate.leave(size)
        self._meters.count_fates(written.events)
        return written


def _answered(value: CollectAnswer | HeedfulError) -> CollectAnswer:
    if isinstance(value, HeedfulError):
        raise problem_of(value) from value
    return value


def _json(value: Item | CollectAnswer) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def _id(request: Request) -> ItemId:
    item_id: str = request.path_params["item_id"]
    if not 1 <= len(item_id) <= 200:
        raise Problem("request_invalid", "An item's id has 1 to 200 characters.", path="item_id")
    return ItemId(item_id)


def _named(body: bytes, item_id: ItemId) -> Item:
    """The item in `body`, which need not repeat its id. Raises Problem."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, Any])
        if fields.setdefault("id", item_id) != item_id:
            raise Problem("request_invalid", "The id in the body is not the id in the path.", path="id")
        return _checked(msgspec.convert(fields, Item))
    except UNREADABLE as error:
        raise unreadable(error) from None
    except Invalid as error:
        raise problem_of(error) from None


def _sorted(body: bytes) -> tuple[list[Item], list[EventFate | None]]:
    """The good items, and per item sent its refusal, or None where it is good. Raises Problem, TooLarge."""
    plain = body.lstrip()[:1] == b"["
    try:
        raws = msgspec.json.decode(body, type=list[msgspec.Raw]) if plain else _decode_many(body)
    except UNREADABLE as error:
        raise unreadable(error) from None
    if len(raws) > MOST:
        raise TooLarge(f"There are more than {MOST} items.")
    good: list[Item] = []
    fates: list[EventFate | None] = []
    decoder = msgspec.json.Decoder(Item)
    for raw in raws:
        try:
            good.append(_checked(decoder.decode(raw)))
            fates.append(None)
        except (*UNREADABLE, Invalid) as error:
            problem = problem_of(error) if isinstance(error, Invalid) else unreadable(error)
            fates.append(EventFate(_id_in(raw), Status.REFUSED, problem.code, problem.path, problem.detail))
    return good, fates


def _decode_many(body: bytes) -> list[msgspec.Raw]:
    return msgspec.json.decode(body, type=_Many).items


def _checked(item: Item) -> Item:
    """`item`, if every store can hold it. Raises Invalid."""
    if not 1 <= len(item.id) <= 200:
        raise Invalid("request_invalid", "An item's id has 1 to 200 characters.", path="id")
    if "\0" in item.id:
        raise Invalid("json_nul", "An item's id holds a NUL character.", path="id")
    if _deep(item.properties, DEPTH - 1):
        raise Invalid("json_too_deep", f"Properties are nested deeper than {DEPTH}.", path="properties")
    return item


def _deep(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        return levels == 0 or any(_deep(each, levels - 1) for each in value.values())
    if isinstance(value, list):
        return levels == 0 or any(_deep(each, levels - 1) for each in value)
    return False


class _Named(msgspec.Struct):
    id: str = ""


def _id_in(raw: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=_Named).id[:200]
    except UNREADABLE:
        return ""
