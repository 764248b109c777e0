"""Calls an ASGI application in this process, as a server would."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from heedful.faces.http.exchange import Application, Message

Runs = Callable[[Coroutine[Any, Any, Any]], Any]


@dataclass(frozen=True)
class Answer:
    """What came back. Of a header that comes twice, both, joined with commas."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Caller:
    """Asks `app`, in the event loop that `runs` runs."""

    def __init__(self, app: Application, runs: Runs) -> None:
        self.app = app
        self.runs = runs

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes | Sequence[bytes] | object = b"",
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        query: bytes = b"",
        client: tuple[str, int] | None = ("127.0.0.1", 50_000),
        breaks: bool = False,
    ) -> Answer:
        """One request. A body that is not bytes is sent as JSON; a list of bytes piece by piece.

        breaks: whether the caller goes away after the body's last piece, before its end.
        """
        sent = {"host": "127.0.0.1:8080", **(headers or {})}
        if key is not None:
            sent["authorization"] = "Basic " + base64.b64encode(f"{key}:".encode()).decode()
        pieces = [body] if isinstance(body, bytes) else body
        if not isinstance(pieces, list) or not all(isinstance(piece, bytes) for piece in pieces):
            pieces = [msgspec.json.encode(body)]
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()]
        answer: Answer = self.runs(self.exchange(method, path, pieces, raw, query, client, breaks))
        return answer

    async def exchange(
        self,
        method: str,
        path: str,
        pieces: Sequence[bytes],
        headers: Sequence[tuple[bytes, bytes]] = (),
        query: bytes = b"",
        client: tuple[str, int] | None = ("127.0.0.1", 50_000),
        breaks: bool = False,
    ) -> Answer:
        incoming: list[Message] = [
            {"type": "http.request", "body": piece, "more_body": breaks or place < len(pieces) - 1}
            for place, piece in enumerate(pieces)
        ]
        if breaks:
            incoming.append({"type": "http.disconnect"})
        outgoing: list[Message] = []

        async def receive() -> Message:
            await asyncio.sleep(0)
            return incoming.pop(0) if incoming else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            outgoing.append(message)

        scope: dict[str, Any] = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "scheme": "http", "method": method, "path": path, "raw_path": path.encode("utf-8", "replace"),
            "root_path": "", "query_string": query, "headers": list(headers), "client": client,
            "server": ("127.0.0.1", 8080), "state": {},
        }  # fmt: skip
        await self.app(scope, receive, send)
        return _whole(outgoing)


def _whole(outgoing: Sequence[Message]) -> Answer:
    if not outgoing:
        return Answer(0, {}, b"")
    start, *rest = outgoing
    assert start["type"] == "http.response.start"
    assert all(message["type"] == "http.response.body" for message in rest)
    assert [message.get("more_body", False) for message in rest] == [True] * (len(rest) - 1) + [False]
    headers: dict[str, str] = {}
    for name, value in start["headers"]:
        assert name == name.lower()
        text = value.decode("latin-1")
        assert "\r" not in text
        assert "\n" not in text
        known = headers.get(name.decode("latin-1"))
        headers[name.decode("latin-1")] = text if known is None else f"{known}, {text}"
    return Answer(start["status"], headers, b"".join(message.get("body", b"") for message in rest))
