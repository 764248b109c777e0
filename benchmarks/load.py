"""A small load generator: keep-alive connections on raw sockets, in a process of its own.

Closed loop (each connection sends its next request when the answer is in) for throughput, open loop (requests
leave by the clock, and latency counts from when one should have left) for latency at a given rate.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection

import numpy as np
import uvloop


@dataclass(frozen=True, slots=True)
class Load:
    """What came back.

    latencies: float64 (n,), seconds. seconds: from first to last answer. statuses: answers by status.
    """

    latencies: np.ndarray
    seconds: float
    statuses: dict[int, int]

    @property
    def failures(self) -> int:
        """Answers that were not 200, and connections that broke (status 0)."""
        return sum(count for status, count in self.statuses.items() if status != 200)

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Seconds."""
        return float(np.percentile(self.latencies, share))


def request(method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """The bytes of one HTTP/1.1 request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return head.encode() + b"\r\n" + body


class _Connection(asyncio.Protocol):
    """One connection: an answer is complete when its Content-Length is in."""

    def __init__(self) -> None:
        self.buffer = b""
        self.waiting: asyncio.Future[int] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(0)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        place = self.buffer.lower().find(b"content-length:", 0, end)
        length = int(self.buffer[place + 15 : self.buffer.find(b"\r\n", place)]) if place >= 0 else 0
        if len(self.buffer) >= end + 4 + length:
            status = int(self.buffer[9:12])
            self.buffer = b""
            if self.waiting is not None and not self.waiting.done():
                self.waiting.set_result(status)

    async def ask(self, data: bytes) -> int:
        self.waiting = asyncio.get_running_loop().create_future()
        assert self.transport is not None
        self.transport.write(data)
        return await self.waiting


async def _drive(
    port: int, requests: Sequence[bytes], connections: int, rate: float | None, seconds: float
) -> Load:
    loop = asyncio.get_running_loop()
    lines = [(await loop.create_connection(_Connection, "127.0.0.1", port))[1] for _ in range(connections)]
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    start = time.perf_counter()
    number = 0

    async def work(line: _Connection) -> None:
        nonlocal number
        while True:
            mine = number
            number += 1
            due = start + mine / rate if rate else time.perf_counter()
            if due > start + seconds or mine >= len(requests):
                return
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            status = await line.ask(requests[mine])
            latencies.append(time.perf_counter() - due)
            statuses[status] = statuses.get(status, 0) + 1
            if status == 0:
                return

    await asyncio.gather(*(work(line) for line in lines))
    spent = time.perf_counter() - start
    for line in lines:
        assert line.transport is not None
        line.transport.close()
    return Load(np.array(latencies), spent, statuses)


def _child(
    pipe: Connection,
    port: int,
    requests: Sequence[bytes],
    connections: int,
    rate: float | None,
    seconds: float,
) -> None:
    uvloop.install()
    pipe.send(asyncio.run(_drive(port, requests, connections, rate, seconds)))


class Driver:
    """A load that runs beside the caller. `finish` waits for it."""

    def __init__(
        self,
        port: int,
        requests: Sequence[bytes],
        *,
        connections: int,
        seconds: float,
        rate: float | None = None,
    ) -> None:
        context = get_context("fork")
        self._mine, theirs = context.Pipe()
        self._process = context.Process(
            target=_child, args=(theirs, port, requests, connections, rate, seconds)
        )
        self._process.start()

    def finish(self) -> Load:
        """Wait for the end and return what came back."""
        load: Load = self._mine.recv()
        self._process.join()
        return load
