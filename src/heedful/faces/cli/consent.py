"""`heedful consent`: what somebody chose, and choices told to the operator in another way."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from heedful.faces.cli.console import out, progress, say_json, say_table
from heedful.faces.cli.opener import Data, Json, opener_of, there
from heedful.faces.client import Client

User = Annotated[str, typer.Option("--user", help="The person's userId.")]
Anonymous = Annotated[str, typer.Option("--anonymous", help="The device's anonymousId.")]

app = typer.Typer(help="Show and record what people allow.", no_args_is_help=True)


@app.command()
def show(
    context: typer.Context, data: Data, user: User = "", anonymous: Anonymous = "", as_json: Json = False
) -> None:
    """Show what somebody chose and what it comes to. The server must not be running."""
    with _client(context, data) as client:
        told = client.consent_of(user or None, anonymous_id=anonymous or None)
    if as_json:
        say_json(msgspec.to_builtins(told))
        return
    rows = [
        (name, "yes" if one.allowed else "no", one.why, one.mechanism, one.state or "-")
        for name, one in told.purposes.items()
    ]
    say_table("Purposes", ("purpose", "allowed", "why", "rule", "choice"), rows)
    out.print(f"{len(told.choices)} choices, {len(told.receipts)} receipts", highlight=False)


@app.command("set")
def record(
    context: typer.Context,
    data: Data,
    choices: Annotated[
        list[str], typer.Argument(metavar="PURPOSE=yes|no", help="What was chosen; `*` for all.")
    ],
    user: User = "",
    anonymous: Anonymous = "",
) -> None:
    """Record a choice that reached you in another way, as by letter. The server must not be running."""
    said = {}
    for choice in choices:
        name, _, word = choice.partition("=")
        if word not in ("yes", "no"):
            raise typer.BadParameter(f"{choice!r} is not PURPOSE=yes or PURPOSE=no")
        said[name] = word == "yes"
    with _client(context, data) as client:
        client.consent(said, user_id=user or None, anonymous_id=anonymous or None)
    out.print("Recorded, and in force.", highlight=False)


def _client(context: typer.Context, data: Data) -> Client:
    with progress() as told:
        return Client(opener_of(context).engine(there(data), progress=told))
