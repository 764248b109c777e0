"""What one connection may take: time and room. The server by itself bounds neither.

A connection that has not sent a whole head in 10 s, or a whole request in 30 s, is closed; a head beyond
16 KiB is answered 431. One sweep a second looks at every connection, so a request pays for no timer.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

HEAD_SECONDS = 10.0
REQUEST_SECONDS = 30.0
HEAD_BYTES = 16 << 10

STREAM = "heedful.stream"
"""In a request's state: the answer goes on until somebody closes the connection."""

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 31\r\nconnection: close\r\n\r\n"
    b"The head has more than 16 KiB.\r\n"
)


class Phase(Enum):
    """What a connection is waiting for."""

    HEAD = 1
    BODY = 2
    ANSWER = 3


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with limits."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.phase = Phase.HEAD
        self.since = self.loop.time()
        self._head = 0

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and count what belongs to a head."""
        self._head += len(data)
        super().data_received(data)
        if self.phase is not Phase.HEAD:
            self._head = 0
        elif self._head > HEAD_BYTES:
            self._refuse()

    def on_message_begin(self) -> None:
        """A request begins."""
        self.phase = Phase.HEAD
        self.since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole. Most come in one small piece and need no adding up."""
        if self._head > HEAD_BYTES:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > HEAD_BYTES:
                self._refuse()
                return
        self.phase = Phase.BODY
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body; of a request that was refused by its head nothing is kept."""
        if self.phase is Phase.BODY:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole: from here on it is we who take the time."""
        if self.phase is Phase.BODY:
            self.phase = Phase.ANSWER
            super().on_message_complete()

    def shutdown(self) -> None:
        """The server stops. A stream has no end that could be waited for."""
        if self.cycle is not None and STREAM in self.cycle.scope["state"]:
            self.transport.close()
        else:
            super().shutdown()

    def overdue(self, now: float) -> bool:
        """Whether the caller has had its time. A rest between two requests is uvicorn's matter."""
        waited = now - self.since
        if self.phase is Phase.HEAD:
            return waited > HEAD_SECONDS
        return self.phase is Phase.BODY and waited > REQUEST_SECONDS

    def _refuse(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()  # an earlier request's answer is due first, so this one cannot be given
        elif not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()


async def sweep(state: ServerState, interval: float = 1.0) -> None:
    """Close overdue connections until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(interval)
        now = loop.time()
        for connection in list(cast(set[Connection], state.connections)):
            if connection.overdue(now):
                connection.transport.abort()
