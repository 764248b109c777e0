"""`heedful keys`: make, list and revoke API keys."""

from __future__ import annotations

from typing import Annotated

import typer

from heedful.faces.cli.console import out, say_json, say_table
from heedful.faces.cli.opener import Data, Json, administering
from heedful.records.keys import KeyKind, Keys, Restrictions
from heedful.services.administer import TERMINAL
from heedful.vocabulary.access import ALL_SCOPES, Scope
from heedful.vocabulary.errors import Invalid

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


@app.command()
def create(
    data: Data,
    kind: Annotated[str, typer.Option(help="write (may be public) or secret.")] = "secret",
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What a secret key may do; once for each. Everything when left out."),
    ] = None,
    origin: Annotated[
        list[str] | None, typer.Option(help="A web origin that browsers may use it from; once for each.")
    ] = None,
    per_minute: Annotated[
        int, typer.Option(help="Most requests a minute; 0 for the server's own limit.")
    ] = 0,
) -> None:
    """Make a key and show it once. A running server knows it within a second."""
    if kind not in set(KeyKind):
        raise Invalid("kind_invalid", f"a key is write or secret, not {kind!r}")
    unknown = next((name for name in scope or () if name not in ALL_SCOPES), None)
    if unknown is not None:
        raise Invalid("scope_invalid", f"a scope is one of {', '.join(Scope)}, not {unknown!r}")
    scopes = tuple(map(Scope, scope)) if scope else None
    limits = Restrictions(scopes, tuple(origin or ()), per_minute)
    with administering(data) as administer:
        raw, _ = administer.create_key(TERMINAL, KeyKind(kind), label, limits)
    out.print(raw, markup=False, highlight=False)


@app.command("list")
def list_(data: Data, as_json: Json = False) -> None:
    """Show every key with what it may do, never the key itself."""
    keys = Keys(data / "keys.json")
    head = (
        "id",
        "kind",
        "key",
        "label",
        "created",
        "revoked",
        "scopes",
        "origins",
        "per_minute",
        "last_used",
    )
    rows = [
        (
            key.id, key.kind, key.shown, key.label, key.created, key.revoked, tuple(sorted(key.allowed)),
            key.origins, key.per_minute, keys.last_used(key.id),
        )
        for key in keys.list()
    ]  # fmt: skip
    if as_json:
        say_json([dict(zip(head, row, strict=True)) for row in rows])
        return
    say_table(
        "API keys",
        ("id", "kind", "key", "label", "may", "last used", "revoked"),
        [(*row[:4], _may(row[6]), row[9][:13], row[5][:10]) for row in rows],
    )


def _may(scopes: tuple[str, ...]) -> str:
    return "everything" if len(scopes) == len(ALL_SCOPES) else " ".join(scopes)


@app.command()
def revoke(data: Data, key: Annotated[str, typer.Argument(help="The key's id, from `keys list`.")]) -> None:
    """Revoke a key for good. A running server knows it within a second."""
    with administering(data) as administer:
        administer.revoke_key(TERMINAL, key)
    out.print(f"revoked {key}")
