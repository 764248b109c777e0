"""`heedful keys`: make, list and revoke API keys."""

from __future__ import annotations

from typing import Annotated

import typer

from heedful.faces.cli.console import out, say_json, say_table
from heedful.faces.cli.opener import Data, Json
from heedful.records.keys import KeyKind, Keys
from heedful.vocabulary.errors import Invalid

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


@app.command()
def create(
    data: Data,
    kind: Annotated[str, typer.Option(help="write (may be public) or secret.")] = "secret",
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Make a key and show it once. A running server knows it within a second."""
    if kind not in set(KeyKind):
        raise Invalid("kind_invalid", f"a key is write or secret, not {kind!r}")
    out.print(Keys(data / "keys.json").create(KeyKind(kind), label), markup=False, highlight=False)


@app.command("list")
def list_(data: Data, as_json: Json = False) -> None:
    """Show every key, never the key itself."""
    rows = [
        (key.id, key.kind, key.shown, key.label, key.created, key.revoked)
        for key in Keys(data / "keys.json").list()
    ]
    head = ("id", "kind", "key", "label", "created", "revoked")
    if as_json:
        say_json([dict(zip(head, row, strict=True)) for row in rows])
    else:
        say_table("API keys", head, rows)


@app.command()
def revoke(data: Data, key: Annotated[str, typer.Argument(help="The key's id, from `keys list`.")]) -> None:
    """Revoke a key for good. A running server knows it within a second."""
    Keys(data / "keys.json").revoke(key)
    out.print(f"revoked {key}")
