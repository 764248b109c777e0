"""`heedful requests`: what people asked for, by when it is due, and one step on."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from heedful.faces.cli.console import out, say_json, say_table
from heedful.faces.cli.opener import Data, Json, opener_of, there
from heedful.services.engine import Engine
from heedful.vocabulary.errors import HeedfulError, Invalid
from heedful.vocabulary.rights import MOVES, RightsRequest

app = typer.Typer(help="People's requests of their rights.", no_args_is_help=True)

_AUTHOR = "terminal"
Id = Annotated[str, typer.Argument(metavar="ID", help="The request's id.")]


@app.command("list")
def list_(
    context: typer.Context,
    data: Data,
    every: Annotated[bool, typer.Option("--all", help="Those that are closed too.")] = False,
    as_json: Json = False,
) -> None:
    """Show requests, the one that is due first first."""
    engine = _opened(context, data)
    try:
        found = engine.rights.requests.every(open_only=not every)
    finally:
        engine.close()
    if as_json:
        say_json(msgspec.to_builtins(found))
        return
    rows = [
        (one.id, one.verb, one.regulation, one.status, one.proof, one.due, one.confirm_by) for one in found
    ]
    say_table("", ("id", "asks for", "under", "status", "identity", "due", "confirm by"), rows)


@app.command()
def show(context: typer.Context, data: Data, request: Id, as_json: Json = False) -> None:
    """Show one request with everything that was done about it."""
    engine = _opened(context, data)
    try:
        steps = engine.rights.requests.steps(request)
    finally:
        engine.close()
    if as_json:
        say_json(msgspec.to_builtins(steps))
        return
    last = steps[-1].request
    say_table(
        f"{last.verb} under {last.regulation}, due {last.due}",
        ("at", "by", "step", "status", "identity"),
        [(step.at, step.author, step.note, step.request.status, step.request.proof) for step in steps],
    )


@app.command()
def move(
    context: typer.Context,
    data: Data,
    request: Id,
    to: Annotated[str, typer.Argument(help="A status, or: verified, unproven, confirmed, extended, run.")],
    reason: Annotated[str, typer.Option(help="Why it is denied or put off.")] = "",
    evidence: Annotated[str, typer.Option(help="What was seen or done, without personal data.")] = "",
    as_json: Json = False,
) -> None:
    """Bring a request one step on."""
    engine = _opened(context, data)
    try:
        moved = _moved(engine, request, to, reason, evidence)
    finally:
        engine.close()
    if as_json:
        say_json(msgspec.to_builtins(moved))
        return
    out.print(f"{moved.id}: {moved.status}, due {moved.due}", markup=False, highlight=False)


def _moved(engine: Engine, request: str, to: str, reason: str, evidence: str) -> RightsRequest:
    requests = engine.rights.requests
    if to in ("verified", "unproven"):
        return requests.prove(request, proven=to == "verified", author=_AUTHOR, evidence=evidence)
    if to == "confirmed":
        return requests.confirm(request, author=_AUTHOR)
    if to == "extended":
        return requests.extend(request, reason=reason, author=_AUTHOR)
    if to == "run":
        came: list[RightsRequest | HeedfulError] = []
        requests.carry_out(request, author=_AUTHOR, done=came.append)
        if isinstance(came[0], HeedfulError):
            raise came[0]
        return came[0]
    for status in MOVES:
        if status == to:
            return requests.move(request, status, author=_AUTHOR, reason=reason, evidence=evidence)
    raise Invalid(
        "move_invalid",
        f"a request goes to {', '.join(MOVES)}, verified, unproven, confirmed, extended or run",
    )


def _opened(context: typer.Context, data: Data) -> Engine:
    return opener_of(context).engine(there(data))
