"""`heedful audit`: who changed what, whether the record of it is whole, and its signed end to keep elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from heedful.faces.cli.console import out, say_json, say_table
from heedful.faces.cli.opener import Data, Json, administering, there
from heedful.vocabulary.errors import Corrupt, Invalid

app = typer.Typer(help="Read, verify and export the audit.", no_args_is_help=True)


@app.command("list")
def list_(
    data: Data,
    after: Annotated[int, typer.Option(help="Only entries with a number above this one.", min=0)] = 0,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 100,
    as_json: Json = False,
) -> None:
    """Show what was done in the administration, oldest first."""
    with administering(there(data)) as administer:
        entries = administer.audit.entries(after=after, limit=limit)
    if as_json:
        say_json([msgspec.to_builtins(entry) for entry in entries])
    else:
        head = ("number", "at", "actor", "action", "object")
        say_table("Audit", head, [tuple(str(getattr(one, name)) for name in head) for one in entries])


@app.command()
def verify(
    data: Data,
    head: Annotated[
        list[Path] | None,
        typer.Option(
            help="A signed end that was exported before; once for each.", exists=True, dir_okay=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look whether anything was changed. Exit code 1 if so."""
    from heedful.records.ledger import Head

    try:
        heads = [msgspec.json.decode(file.read_bytes(), type=Head) for file in head or ()]
    except (msgspec.MsgspecError, ValueError) as error:
        raise Invalid("head_invalid", f"that is not an exported head: {error}") from None
    with administering(there(data)) as administer:
        flaw = administer.audit_flaw(heads)
        last = administer.audit.last()
    count = 0 if last is None else last.number
    if as_json:
        say_json({"whole": flaw is None, "entries": count, "flaw": msgspec.to_builtins(flaw)})
        if flaw is not None:
            raise typer.Exit(1)
    elif flaw is None:
        out.print(f"{count:,} entries, and nothing of them was changed", highlight=False)
    else:
        raise Corrupt(f"the audit is not whole: {flaw.message}")


@app.command()
def export(
    data: Data,
    entries: Annotated[
        Path | None,
        typer.Option(help="Also write every entry there, one JSON object a line.", dir_okay=False),
    ] = None,
) -> None:
    """Print the signed end of the audit as JSON, to be kept where nobody can reach who can write the folder."""
    with administering(there(data)) as administer:
        head = administer.audit_head()
        if entries is not None:
            with entries.open("wb") as file:
                for entry in administer.audit.entries(limit=head.number):
                    file.write(msgspec.json.encode(entry) + b"\n")
    out.print(msgspec.json.encode(head).decode(), markup=False, highlight=False, soft_wrap=True)
