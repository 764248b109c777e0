"""`heedful tokens`: the keys that subject tokens are checked with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heedful.faces.cli.console import out, say_json, say_table
from heedful.faces.cli.opener import Data, Json, administering, there
from heedful.records.subject_keys import SubjectKeys
from heedful.services.administer import TERMINAL

app = typer.Typer(
    help="Make, list and remove the keys that subject tokens are checked with.", no_args_is_help=True
)

Kid = Annotated[str, typer.Option(help="The key's name in tokens; made when left out.")]


@app.command()
def create(data: Data, kid: Kid = "") -> None:
    """Make a shared secret for HS256 and show it once."""
    with administering(data) as administer:
        made, secret = administer.create_token_key(TERMINAL, kid)
    out.print(f"{made} {secret}", markup=False, highlight=False, soft_wrap=True)


@app.command()
def add(
    data: Data,
    file: Annotated[Path, typer.Argument(help="A public key of the curve P-256, PEM.", dir_okay=False)],
    kid: Kid = "",
) -> None:
    """Take a public key for ES256. The private one stays where tokens are signed."""
    with administering(data) as administer:
        key = administer.add_token_key(TERMINAL, file.read_text(encoding="ascii", errors="replace"), kid)
    out.print(key.kid, markup=False, highlight=False)


@app.command("list")
def list_(data: Data, as_json: Json = False) -> None:
    """Show every key's name, never the key."""
    head = ("kid", "algorithm", "created")
    keys = SubjectKeys(there(data) / "subject-keys.json")
    rows = [(key.kid, key.algorithm, key.created) for key in keys.list()]
    if as_json:
        say_json([dict(zip(head, row, strict=True)) for row in rows])
    else:
        say_table("Keys of subject tokens", head, rows)


@app.command()
def remove(data: Data, kid: Annotated[str, typer.Argument(help="The key's name.")]) -> None:
    """Take no more tokens of this key. A running server knows it within a second."""
    with administering(there(data)) as administer:
        administer.remove_token_key(TERMINAL, kid)
    out.print(f"removed {kid}", markup=False, highlight=False)
