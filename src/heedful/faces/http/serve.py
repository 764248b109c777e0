"""Runs the HTTP face: uvicorn with httptools and uvloop, bounded in time and room."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import threading
from collections.abc import Callable, Generator
from ipaddress import ip_address
from pathlib import Path

import msgspec
import structlog
import uvicorn

from heedful.faces.http.connections import Connection, sweep
from heedful.faces.http.exchange import Application
from heedful.records.keys import Keys
from heedful.vocabulary.errors import SettingsError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

log = structlog.get_logger("heedful.http")


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where and how to listen.

    host: an address; only this machine can reach the default. port: 0 lets the system choose.
    certificate, private_key: PEM files; with them the server speaks TLS.
    connections: how many at once; more are answered 503.
    idle_seconds: how long a connection may rest between two requests.
    drain_seconds: how long a stop waits for answers under way.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    certificate: Path | None = None
    private_key: Path | None = None
    connections: int = 10_000
    idle_seconds: int = 15
    drain_seconds: int = 20


class Server:
    """A listening server. `run` returns after `stop`, or after SIGINT or SIGTERM on the main thread."""

    def __init__(self, app: Application, keys: Keys, settings: ServeSettings | None = None) -> None:
        """Bind now, so that a port that is taken is said before anything starts. Raises SettingsError."""
        settings = settings or ServeSettings()
        check(settings, keys)
        self.socket = _listen(settings)
        self._uvicorn = _Uvicorn(_config(app, settings))
        self.address = _address(self.socket, tls=settings.certificate is not None)

    def run(self, started: Callable[[str], None] | None = None) -> None:
        """Serve until stopped, then finish what is under way. `started` is told the address."""
        loop_factory = self._uvicorn.config.get_loop_factory()
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(self.serve(started))

    async def serve(self, started: Callable[[str], None] | None = None) -> None:
        """The same inside a running loop."""
        sweeping = asyncio.create_task(sweep(self._uvicorn.server_state))
        telling = asyncio.create_task(self._tell(started))
        gc.collect()
        gc.freeze()  # what stands now stays: later collections need not look at it again
        gc.set_threshold(20_000, 20, 50)  # a request leaves no cycles behind; look for them less often
        try:
            await self._uvicorn.serve(sockets=[self.socket])
        finally:
            for task in (sweeping, telling):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            self.socket.close()
            log.info("stopped", address=self.address)

    def stop(self) -> None:
        """Begin to stop: no new connections, answers under way are finished. From any thread."""
        self._uvicorn.should_exit = True

    async def _tell(self, started: Callable[[str], None] | None) -> None:
        while not self._uvicorn.started:
            await asyncio.sleep(0.01)
        log.info("listening", address=self.address)
        if started is not None:
            started(self.address)


class _Uvicorn(uvicorn.Server):
    """uvicorn, which gives itself the signal again once it has stopped: that would end the process before the
    log is closed. Here a signal only stops the server, and whoever started it goes on."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def check(settings: ServeSettings, keys: Keys) -> None:
    """Refuse what would be unsafe or cannot work. Raises SettingsError that says what to do."""
    if (settings.certificate is None) != (settings.private_key is None):
        raise SettingsError("TLS needs both a certificate and a private key")
    for file in (settings.certificate, settings.private_key):
        if file is not None and not file.is_file():
            raise SettingsError(f"there is no file {file}")
    live = [key for key in keys.list() if not key.revoked]
    guessable = [key.id for key in live if key.guessable]
    if not loopback(settings.host) and guessable:
        raise SettingsError(
            f"listening on {settings.host} lets other machines in, and the key {guessable[0]} is easy to guess; "
            f"run `heedful keys revoke {guessable[0]}`, and make another"
        )
    if not loopback(settings.host) and not live:
        raise SettingsError(
            f"listening on {settings.host} lets other machines in, and there is no key yet; run "
            "`heedful keys create` first, or listen on 127.0.0.1"
        )


def loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(settings: ServeSettings) -> socket.socket:
    if not 0 <= settings.port <= 65_535:
        raise SettingsError(f"a port is 0 to 65535, not {settings.port}")
    try:
        found = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        raise SettingsError(f"there is no address {settings.host}: {error.strerror}") from error
    family, _, _, _, place = found[0]
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(2_048)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror}"
        ) from error
    return listening


def _config(app: Application, settings: ServeSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # an address that a caller can write is no address
        server_header=False,
        limit_concurrency=settings.connections,
        backlog=2_048,
        timeout_keep_alive=settings.idle_seconds,
        timeout_graceful_shutdown=settings.drain_seconds,
        ssl_certfile=settings.certificate,
        ssl_keyfile=None if settings.private_key is None else str(settings.private_key),
    )


def _address(listening: socket.socket, *, tls: bool) -> str:
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{port}"
