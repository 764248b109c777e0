"""`heedful serve`: the HTTP API over a data folder."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import structlog
import typer

from heedful.faces.cli.console import FIRST_START, err, out, progress
from heedful.faces.cli.opener import Data, Opener, opener_of
from heedful.faces.http.app import build
from heedful.faces.http.door import check_door, door_of
from heedful.faces.http.serve import Server, ServeSettings, loopback
from heedful.records.keys import Keys
from heedful.services.administer import TERMINAL, Administer
from heedful.services.engine import Engine
from heedful.services.fit.models import RANKER
from heedful.services.fit.taste import TASTE
from heedful.vocabulary.errors import SettingsError
from heedful.vocabulary.settings import Settings

_log = structlog.get_logger("heedful.serve")

_WATCH_SECONDS = 0.25
_FITS = {RANKER: (), TASTE: ("--kind", TASTE)}
"""What is said to `heedful models fit` for each."""

Ready = Callable[[str, Engine], None]
"""Told the address once the server listens."""


def add_to(app: typer.Typer) -> None:
    @app.command()
    def serve(
        context: typer.Context,
        data: Data = Path("data"),
        host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
        port: Annotated[int, typer.Option(help="The port; 0 lets the system choose.")] = 8080,
        certificate: Annotated[Path | None, typer.Option(help="PEM certificate: speak TLS.")] = None,
        private_key: Annotated[Path | None, typer.Option(help="PEM private key of the certificate.")] = None,
    ) -> None:
        """Serve the HTTP API. Exit code 1 if the log can take no more writes."""
        http = said(opener_of(context), data).http
        settings = ServeSettings(
            host=host,
            port=port,
            certificate=certificate or (data / http.certificate if http.certificate else None),
            private_key=private_key or (data / http.key if http.key else None),
        )
        keys, made = opener_of(context).keys(data)
        for kind, key in made:
            out.print(f"{kind} key, shown only now: {key}", markup=False, highlight=False, soft_wrap=True)
        code = run_server(opener_of(context), data, keys, settings, _say_address)
        if code:
            raise typer.Exit(code)


def said(opener: Opener, data: Path) -> Settings:
    """The settings of a folder."""
    return Settings() if opener.settings is None else opener.settings(data)


def run_server(opener: Opener, data: Path, keys: Keys, settings: ServeSettings, ready: Ready) -> int:
    """Serve until stopped; returns 1 if the log stopped, 0 otherwise."""

    told_settings = said(opener, data)
    check_door(told_settings.access, told_settings.http, alone=loopback(settings.host))

    async def main() -> int:
        loop = asyncio.get_running_loop()
        if not err.is_terminal:
            err.print(FIRST_START)
        with progress() as told:
            engine = opener.engine(data, post=loop.call_soon_threadsafe, progress=told)
        try:
            engine.later = loop.call_later
            engine.keys = keys
            engine.forgetting.beside = True  # `_watch` has the snapshots made
            _check_declared(settings, engine)
            administer = Administer(data, settings=told_settings.access, keys=keys, audit=engine.audit)
            administer.audit.tell(TERMINAL, "server.start", "settings", after=told_settings)
            door = door_of(administer, told_settings.access, told_settings.http)
            server = Server(build(engine, door=door), keys, settings)
            watching = asyncio.create_task(_watch(engine, server, data))
            await server.serve(lambda address: ready(address, engine))
            watching.cancel()
        finally:
            engine.close()
        if engine.stopped() is not None:
            err.print(f"heedful: the log has stopped: {engine.stopped()}", style="red", markup=False)
            return 1
        return 0

    from uvloop import new_event_loop

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main())


def _check_declared(settings: ServeSettings, engine: Engine) -> None:
    """Nothing is served to other machines before the operator said where consent is kept. Raises SettingsError."""
    if not loopback(settings.host) and not engine.gates.rules.declared:
        raise SettingsError(
            f"listening on {settings.host} lets other machines in, and settings.toml does not say where consent "
            'is kept. Under [privacy], write consent = "here" where what is recorded here decides (with a '
            'jurisdiction, as "DE"), or consent = "elsewhere" where all that reaches Heedful was consented '
            "to under your own tool; or listen on 127.0.0.1"
        )


async def _watch(engine: Engine, server: Server, data: Path) -> None:
    """Stop the server when its log stops; let go of what is too old; take up models that were promoted; and now
    and then start a snapshot or a fit beside it, one at a time."""
    child: asyncio.subprocess.Process | None = None
    work = ""
    models = engine.models
    telling: asyncio.Task[int] | None = None
    try:
        while engine.stopped() is None:
            await asyncio.sleep(_WATCH_SECONDS)
            engine.retire()
            if telling is None or telling.done():
                telling = asyncio.create_task(asyncio.to_thread(engine.rights.opendsr.deliver))
            if models is not None and models.look():
                _log.info("models_taken_up")
            if child is not None and child.returncode is not None:
                if child.returncode:
                    _log.warning(f"{work}_failed", exit_code=child.returncode)
                child = None
            elif child is None and engine.wants_snapshot():
                engine.snapshot_at = engine.place()
                work, child = "snapshot", await _beside("snapshot", "--data", str(data))
            elif child is None and models is not None and (due := models.due(engine.place())):
                models.begun(due, engine.place())
                work, child = "fit", await _beside("models", "fit", "--data", str(data), *_FITS[due])
    finally:
        if child is not None and child.returncode is None and work == "fit":
            child.terminate()  # a fit can begin again; a snapshot is soon done
    server.stop()


async def _beside(*command: str) -> asyncio.subprocess.Process:
    """A process of low priority that reads the log by itself: heavy work must not hold up an answer."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "heedful", *command,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    os.setpriority(os.PRIO_PROCESS, child.pid, 19)
    return child


def _say_address(address: str, engine: Engine) -> None:
    out.print(f"Heedful listens on {address} with {engine.place():,} records folded", highlight=False)
