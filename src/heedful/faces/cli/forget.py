"""`heedful forget`: forget somebody, or what a sender sent, and print the receipt."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from heedful.faces.cli.console import out, progress, say_json, say_table
from heedful.faces.cli.opener import Data, Json, opener_of, there
from heedful.vocabulary.erasure import FOREVER, OFF, Alias, ErasureStatus, ForgetRequest
from heedful.vocabulary.errors import HeedfulError


def add_to(app: typer.Typer) -> None:
    app.command()(forget)


def forget(
    context: typer.Context,
    data: Data,
    user: Annotated[list[str] | None, typer.Option(help="A user id; once for each of one person.")] = None,
    anonymous: Annotated[
        list[str] | None, typer.Option(help="An anonymous id; once for each of one person.")
    ] = None,
    source: Annotated[str, typer.Option(help="Everything this sender sent, of everybody.")] = "",
    since: Annotated[str, typer.Option(help="Only from this time (RFC 3339) on.")] = "",
    until: Annotated[str, typer.Option(help="Only before this time (RFC 3339).")] = "",
    suppress_until: Annotated[
        str, typer.Option(help="Collect nothing about the ids until this time; for ever when left out.")
    ] = "",
    no_suppress: Annotated[
        bool, typer.Option("--no-suppress", help="Who comes back is a new person, and welcome.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Forget a person in everything that is kept, and print the signed receipt."""
    aliases = (
        *(Alias(user_id=one) for one in user or ()),
        *(Alias(anonymous_id=one) for one in anonymous or ()),
    )
    suppress = OFF if no_suppress else suppress_until or FOREVER
    asked = ForgetRequest(aliases=aliases, source=source, since=since, until=until, suppress=suppress)
    outcome: list[ErasureStatus | HeedfulError] = []
    with progress() as told:
        engine = opener_of(context).engine(there(data), progress=told)
        engine.forgetting.told = told
        try:
            engine.forget(asked, outcome.append)
        finally:
            engine.close()
    (found,) = outcome
    if isinstance(found, HeedfulError):
        raise found
    receipt = found.receipt
    if receipt is None:
        out.print(f"{found.id} goes on at the next start; the last step done was {found.step}")
        raise typer.Exit(1)
    if as_json:
        say_json(msgspec.to_builtins(receipt))
        return
    rows = [(one.name, f"{one.removed:,} {one.unit}", f"{one.after:,}") for one in receipt.stores]
    say_table(f"Forgotten: {receipt.records:,} records", ("store", "removed", "left, of everybody"), rows)
    for model in receipt.models:
        out.print(f"Model {model.id} ({model.place}) is {model.state}; `heedful models fit` fits it anew.")
    signed = f"Receipt {receipt.subject_request_id}, signed by {receipt.key_id}"
    out.print(f"{signed}. Keep it: --json prints it whole.", markup=False, highlight=False)
