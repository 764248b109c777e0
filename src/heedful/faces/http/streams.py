"""Streams that tell pages to ask for their flags again: server-sent events, one to a connection.

A stream says nothing of anybody: only that definitions changed, and the name of what is in force now. Its address
holds a ticket (`records.tickets`), because a browser's EventSource sends no
headers. However often definitions change, at most one message waits for a slow reader.
(OFREP 0.3.0, ADR-0008; HTML Living Standard, section 9.2.)
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from time import monotonic

import msgspec

from heedful.vocabulary.errors import Overloaded

MOST_STREAMS = 1_000
MOST_AT_A_PLACE = 50
KEEP_ALIVE = 15.0
"""Seconds after which a comment is sent, so that nobody between takes the connection for dead."""
LOOK = 1.0
"""Seconds between looks for definitions that changed."""
INACTIVITY = 120
"""Seconds that a page that nobody sees keeps its stream; told to the page, which closes it."""
_RECENT = 10.0
"""Seconds after a change in which a new stream is told of it: its page may have asked for flags just before."""

_COMMENT = b":\n\n"


class Streams:
    """The open streams. configuration: the name of what is in force now.

    most, at_a_place: how many streams there may be at once, and from one address.
    """

    def __init__(
        self,
        configuration: Callable[[], str],
        *,
        most: int = MOST_STREAMS,
        at_a_place: int = MOST_AT_A_PLACE,
        keep_alive: float = KEEP_ALIVE,
        look: float = LOOK,
    ) -> None:
        self._configuration = configuration
        self._most, self._at_a_place = most, at_a_place
        self._keep_alive, self._look_every = keep_alive, look
        self._places: Counter[str] = Counter()
        self._waiting: set[asyncio.Event] = set()
        self._looking: asyncio.Task[None] | None = None
        self._last = ""
        self._changed = -_RECENT

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, place: str) -> None:
        """Count a stream from `place`, "" for one that is not counted by itself. Raises Overloaded."""
        crowded = place != "" and self._places[place] >= self._at_a_place
        if crowded or self._places.total() >= self._most:
            raise Overloaded("Too many pages listen already.", retry_after=30)
        self._places[place] += 1

    def leave(self, place: str) -> None:
        """The stream that `enter` counted is over."""
        self._places[place] -= 1
        if not self._places[place]:
            del self._places[place]

    def look(self) -> None:
        """Tell every stream if what is in force changed since the last look."""
        now = self._configuration()
        if now != self._last:
            if self._last:
                self._changed = monotonic()
            self._last = now
            for waiting in self._waiting:
                waiting.set()

    async def messages(self, heard: str = "", *, works: Callable[[], bool]) -> AsyncGenerator[bytes]:
        """What one stream says, until it is closed. heard: the id of the last message that its page heard.

        works: asked with every keep-alive whether the stream may go on.
        """
        changed = asyncio.Event()
        self.look()
        if heard != self._last if heard else monotonic() - self._changed < _RECENT:
            changed.set()  # it was told, or asked for its flags, before the last change
        self._waiting.add(changed)
        if self._looking is None:
            self._looking = asyncio.create_task(self._go_on_looking())
        try:
            yield self._named(
                b""
            )  # the head goes out with the first bytes, and the page knows that it is heard
            while True:
                try:
                    await asyncio.wait_for(changed.wait(), self._keep_alive)
                except TimeoutError:
                    if not works():
                        return
                    yield _COMMENT
                    continue
                changed.clear()
                said = msgspec.json.encode({"type": "refetchEvaluation", "etag": self._last})
                yield self._named(b"event: message\ndata: " + said + b"\n")
        finally:
            self._waiting.discard(changed)
            if not self._waiting and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    def _named(self, message: bytes) -> bytes:
        """A message under the name of what is in force, which a page that comes back says it heard."""
        return message + f"id: {self._last}\n\n".encode()

    async def _go_on_looking(self) -> None:
        while True:
            await asyncio.sleep(self._look_every)
            with contextlib.suppress(
                Exception
            ):  # what is wrong with definitions, whoever asks for flags is told
                self.look()
