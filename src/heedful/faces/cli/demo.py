"""`heedful demo`: a simulated shop to try things on, with visitors who keep coming."""

from __future__ import annotations

import asyncio
import tempfile
from base64 import b64encode
from contextlib import closing
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from heedful.faces.cli.console import FIRST_START, err, out, progress
from heedful.faces.cli.opener import Opener, opener_of
from heedful.faces.cli.serve import run_server
from heedful.faces.client import Client
from heedful.faces.http.serve import ServeSettings
from heedful.playground.live import Live
from heedful.playground.world import World
from heedful.records.keys import KeyKind
from heedful.services.administer import TERMINAL, Administer
from heedful.services.engine import Engine
from heedful.services.holdout import Holdout
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vault.secret import installation_secret
from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.time import DAY, Instant, SystemClock

_BATCH = 250
_SOURCE = "playground"
_HISTORY_DAYS = 14
_YOU = "you"
_LARGEST = 0.5  # whatever share is set
_TASKS: set[asyncio.Task[None]] = set()


def add_to(app: typer.Typer) -> None:
    @app.command()
    def demo(
        context: typer.Context,
        data: Annotated[
            Path | None, typer.Option(help="Keep the shop here; thrown away if left out.")
        ] = None,
        port: Annotated[int, typer.Option(help="The port; 0 lets the system choose.")] = 8080,
        seed: Annotated[int, typer.Option(help="Which world.", min=0)] = 7,
        items: Annotated[int, typer.Option(help="Items in the shop.", min=12, max=100_000)] = 1_200,
        shoppers: Annotated[int, typer.Option(help="Shoppers who come again.", min=1, max=100_000)] = 400,
        live: Annotated[bool, typer.Option(help="Let visitors come while you watch.")] = True,
    ) -> None:
        """Serve a simulated shop: two weeks of history, and visitors in real time."""
        opener = opener_of(context)
        world = World(seed=seed, items=items, shoppers=shoppers)
        with tempfile.TemporaryDirectory(prefix="heedful-demo-") as temporary:
            folder = data or Path(temporary)
            keys, _ = opener.keys(folder)
            _let_everybody_see(folder)
            with closing(Administer(folder, keys=keys)) as administer:
                write, _ = administer.create_key(TERMINAL, KeyKind.WRITE, "demo")
                secret, _ = administer.create_key(TERMINAL, KeyKind.SECRET, "demo")
            _open_the_shop(opener, folder, world)
            code = run_server(
                opener,
                folder,
                keys,
                ServeSettings(port=port),
                lambda address, engine: _opened(address, engine, world, write, secret, live=live),
            )
        if code:
            raise typer.Exit(code)


def _let_everybody_see(folder: Path) -> None:
    """Give a new shop a key under which the visitor that we and the README speak of is not held out."""
    key = folder / "pseudonym.key"
    while not key.exists():
        pseudonyms = Pseudonyms(installation_secret(key))
        if not Holdout(pseudonyms, _LARGEST).holds(pseudonyms.anonymous(_YOU)):
            return
        key.unlink()


def _open_the_shop(opener: Opener, folder: Path, world: World) -> None:
    """Fill an empty folder with the catalogue and two weeks of history."""
    if not err.is_terminal:
        err.print(FIRST_START)
    with progress() as told, Client(opener.engine(folder, progress=told)) as client:
        if client.engine.place():
            return
        client.put_items([*_with_pictures(world)])
        start = Instant(SystemClock().now() - _HISTORY_DAYS * DAY)
        batch = []
        sent = 0
        for call in world.events(start, days=_HISTORY_DAYS):
            batch.append(call)
            if len(batch) == _BATCH:
                client.batch(batch)
                sent += len(batch)
                batch = []
                told("two weeks in the shop", sent, 0)
        if batch:
            client.batch(batch)


def _with_pictures(world: World) -> list[dict[str, object]]:
    """The catalogue in wire form, every item with its drawn picture."""
    described = []
    for item in world.items():
        drawn = b64encode(world.picture(item.id).encode()).decode()
        described.append({**msgspec.to_builtins(item), "image": f"data:image/svg+xml;base64,{drawn}"})
    return described


def _opened(address: str, engine: Engine, world: World, write: str, secret: str, *, live: bool) -> None:
    """Say how to try it, and let visitors in. Called in the server's loop."""
    item = world.items()[0]
    ask = f'curl -s {address}/v1/recommend -u {secret}: -d \'{{"anonymousId":"{_YOU}","limit":3}}\''
    click = (
        f'curl -s {address}/v1/track -u {write}: -d \'{{"anonymousId":"{_YOU}",'
        f'"event":"Product Viewed","properties":{{"product_id":"{item.id}"}}}}\''
    )
    lines = (
        f"The shop is open: {address} ({len(world.items()):,} items, {engine.place():,} records)",
        f"API reference: {address}/docs",
        f"write key  {write}",
        f"secret key {secret}",
        "",
        "What do you get? Then look at one thing, and ask again:",
        ask,
        click,
        ask,
        "",
        "Ctrl-C closes the shop.",
    )
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    if live:
        task = asyncio.get_running_loop().create_task(_visitors(engine, world))
        _TASKS.add(task)
        task.add_done_callback(_TASKS.discard)


async def _visitors(engine: Engine, world: World) -> None:
    """Send what the simulated visitors do, as they do it, for as long as the server runs."""
    live = Live(world, send=_nowhere, clock=SystemClock())
    while engine.stopped() is None:
        await asyncio.sleep(0.2)
        calls = live.due(SystemClock().now())
        if calls:
            engine.collect("batch", msgspec.json.encode({"batch": calls}), _SOURCE, _look_at)


def _look_at(outcome: CollectAnswer | HeedfulError) -> None:
    if isinstance(outcome, HeedfulError):
        err.print(f"heedful: a visitor was turned away: {outcome}", style="yellow", markup=False)


def _nowhere(call: object) -> None:
    """The visitors are asked for what is due; they send nothing by themselves."""
    del call
