"""`heedful flags`: define flags, and see what they are for somebody."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from heedful.faces.cli.console import out, progress, say_json, say_table
from heedful.faces.cli.opener import Data, Json, opener_of, there
from heedful.faces.client import Client
from heedful.services.flags import FlagVersion
from heedful.vocabulary.errors import Invalid

app = typer.Typer(
    help="Flags: definitions, and what they are for somebody. The server must be stopped.",
    no_args_is_help=True,
)

Key = Annotated[str, typer.Argument(help="The flag's key.")]


@app.command("list")
def every(context: typer.Context, data: Data, as_json: Json = False) -> None:
    """Every flag that is defined."""
    with _client(context, data) as client:
        found = client.flags()
    if as_json:
        say_json(msgspec.to_builtins(found))
        return
    rows = [(one.key, one.version, *_short(one), one.author, one.note) for one in found]
    say_table("Flags", ("flag", "version", "type", "default", "author", "note"), rows)


@app.command()
def show(
    context: typer.Context,
    key: Key,
    data: Data,
    versions: Annotated[bool, typer.Option("--versions", help="Every version, newest first.")] = False,
) -> None:
    """The definition of a flag, as JSON that `set` takes."""
    with _client(context, data) as client:
        if versions:
            say_json(msgspec.to_builtins(client.flag_versions(key)))
            return
        flag = client.flag(key).flag
    if flag is None:
        raise Invalid("flag_invalid", f"{key!r} was written by a later version of this program")
    say_json(msgspec.to_builtins(flag))


@app.command("set")
def define(
    context: typer.Context,
    key: Key,
    data: Data,
    file: Annotated[
        Path | None, typer.Option(help="A file with the definition as JSON; standard input when left out.")
    ] = None,
    on: Annotated[
        bool | None, typer.Option("--on/--off", help="Only switch the flag that there is on or off.")
    ] = None,
    note: Annotated[str, typer.Option(help="Why, for whoever reads the versions.")] = "",
) -> None:
    """Define a flag, or switch it on or off."""
    with _client(context, data) as client:
        if on is None:
            made = client.put_flag(key, note=note, **_read(file))
        else:
            made = client.switch_flag(key, on=on, note=note)
    out.print(f"{key} is at version {made.version}.", markup=False, highlight=False)


@app.command()
def evaluate(
    context: typer.Context,
    data: Data,
    key: Annotated[str | None, typer.Argument(help="The flag's key; all flags when left out.")] = None,
    user: Annotated[str | None, typer.Option(help="The user it is for.")] = None,
    anonymous: Annotated[str | None, typer.Option(help="The anonymous visitor it is for.")] = None,
    said: Annotated[str, typer.Option("--context", help="More of the context, as a JSON object.")] = "{}",
    as_json: Json = False,
) -> None:
    """What flags are for somebody. It counts as a look, not as a use: nobody is exposed."""
    body = _object(said.encode(), "--context")
    with _client(context, data) as client:
        found = client.evaluate_flags(user, anonymous_id=anonymous, context=body)
    if key is not None:
        found = {key: found[key]} if key in found else {}
        if not found:
            raise Invalid("not_found", f"there is no flag {key!r}")
    if as_json:
        say_json({one: msgspec.to_builtins(each) for one, each in found.items()})
        return
    rows = [
        (one, _value(each), each.variant or "", each.wire_reason, each.details) for one, each in found.items()
    ]
    say_table(f"For {user or anonymous or 'nobody'}", ("flag", "value", "variant", "reason", ""), rows)


@contextmanager
def _client(context: typer.Context, data: Path) -> Iterator[Client]:
    with progress() as told:
        client = Client(opener_of(context).engine(there(data), progress=told))
    with client:
        yield client


def _short(version: FlagVersion) -> tuple[str, str]:
    flag = version.flag
    if flag is None:
        return "?", "?"
    return flag.type, "off" if not flag.enabled else flag.default or "the code's"


def _value(found: Any) -> str:
    return "the code's" if found.variant is None else msgspec.json.encode(found.value).decode()


def _read(file: Path | None) -> dict[str, Any]:
    content = sys.stdin.buffer.read() if file is None else file.read_bytes()
    return _object(content, "the definition")


def _object(content: bytes, what: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise Invalid("json_invalid", f"{what} is not a JSON object: {error}") from error
