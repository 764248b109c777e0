"""`heedful vault`: which keys there are, and changing them while everything runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from heedful.faces.cli.console import out, progress, say_json, say_table
from heedful.faces.cli.opener import Data, Json, opener_of, there
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.time import Instant, instant, iso

app = typer.Typer(help="Look after the keys that everything is sealed under.", no_args_is_help=True)


@app.command()
def status(context: typer.Context, data: Data, as_json: Json = False) -> None:
    """Show which keys there are, never a key itself. Exit code 1 if they cannot be had."""
    with opener_of(context).rotating(there(data)) as service:
        found = service.status()
    if as_json:
        say_json(msgspec.to_builtins(found))
    else:
        rows = [
            ("master key in use", f"{found.master.kind}: {found.master.name} ({found.master.id})"),
            *(("older master key", f"{one.kind}: {one.name} ({one.id})") for one in found.older),
            *(
                ("wrapping key", f"{one.number}, made {one.created}, under {one.source}")
                for one in found.wrapping
            ),
            ("data keys", f"{found.living:,}"),
            ("people whose keys are destroyed", f"{found.destroyed:,}"),
            ("renewed if made before", found.renewal or "-"),
            ("rotation", "to be finished: heedful vault rotate" if found.rotating else "none under way"),
            (
                "destroyed keys",
                "wiped" if found.wiped else "older pages still hold some: a reader holds them",
            ),
            ("keys can be had", found.trouble or "yes"),
        ]
        say_table("", ("", ""), rows)
    if found.trouble:
        raise typer.Exit(1)


@app.command()
def rotate(
    context: typer.Context,
    data: Data,
    data_keys_before: Annotated[
        str, typer.Option(help="Instead: data keys made before this moment (ISO 8601, or now) are renewed.")
    ] = "",
    remove_old: Annotated[
        bool, typer.Option("--remove-old", help="Then delete key files under which nothing lies any more.")
    ] = False,
) -> None:
    """Change the master key, or go on with a change that was cut off. Works beside a running server."""
    before = _moment(data_keys_before) if data_keys_before else None
    with opener_of(context).rotating(there(data)) as service, progress() as told:
        if data_keys_before:
            at = service.renew_before(before)
            out.print(f"data keys made before {iso(at)} are followed by new ones when their people come back")
            return
        total = service.status().living
        done = service.rotate(lambda count: told("closing keys anew", count, total))
        removed = service.remove_older() if remove_old else []
        master = service.status().master
    out.print(f"{done:,} data keys lie under {master.name} now", markup=False, highlight=False)
    for name in removed:
        out.print(f"deleted {name}", markup=False, highlight=False)


def _moment(said: str) -> Instant | None:
    """None for now. Raises Invalid."""
    if said == "now":
        return None
    try:
        read = datetime.fromisoformat(said)
    except ValueError as error:
        raise Invalid("time_invalid", f"{said!r} is no time: write 2026-11-23T12:00:00Z, or now") from error
    return instant(read if read.tzinfo else read.replace(tzinfo=UTC))
