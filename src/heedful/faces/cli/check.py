"""`heedful verify`, `heedful snapshot` and `heedful doctor`: is everything as it should be?"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from heedful.faces.cli.console import out, progress, say_json, say_table
from heedful.faces.cli.opener import Data, Json, Opener, opener_of, there
from heedful.vocabulary.erasure import ErasureReceipt
from heedful.vocabulary.errors import HeedfulError, InUse, Invalid


def add_to(app: typer.Typer) -> None:
    app.command()(verify)
    app.command()(snapshot)
    app.command()(doctor)


def verify(
    context: typer.Context,
    data: Data,
    forgotten: Annotated[
        Path | None, typer.Option(help="A receipt as JSON: is what it says true, as far as one can see?")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fold the log from zero and compare with the state in use, view by view. Exit code 1 if they differ."""
    if forgotten is not None:
        _doubt(context, data, forgotten, as_json=as_json)
        return
    with progress() as told:
        engine = opener_of(context).engine(there(data), progress=told)
        total = sum(engine.fold.cursor.offsets)
        try:
            found = engine.verify(lambda count: told("folding from zero", count, total))
        finally:
            engine.close()
    if as_json:
        say_json(
            {"agrees": found.agrees, "events": found.events, "live": found.live, "rebuilt": found.rebuilt}
        )
    else:
        rows = [
            (
                name,
                digest[:16],
                found.rebuilt[name][:16],
                "agrees" if digest == found.rebuilt[name] else "DIFFERS",
            )
            for name, digest in found.live.items()
        ]
        say_table(f"{found.events:,} records folded from zero", ("view", "in use", "from zero", ""), rows)
    if not found.agrees:
        raise typer.Exit(1)


def _doubt(context: typer.Context, data: Data, file: Path, *, as_json: bool) -> None:
    """Check a receipt: its signature, the ledger, the log, and the law, view by view."""
    try:
        receipt = msgspec.json.decode(file.read_bytes(), type=ErasureReceipt)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid("receipt_invalid", f"{file} is no receipt: {error}") from error
    with progress() as told:
        engine = opener_of(context).engine(there(data), progress=told)
        total = sum(engine.fold.cursor.offsets)
        try:
            found = engine.doubt(receipt, lambda count: told("folding from zero without them", count, total))
        finally:
            engine.close()
    words = {True: "holds", False: "WRONG", None: "not yet"}
    if as_json:
        say_json([msgspec.to_builtins(one) for one in found])
    else:
        say_table(
            f"Receipt {receipt.subject_request_id}", ("", "check", ""),
            [(words[one.ok], one.name, one.text) for one in found],
        )  # fmt: skip
    if any(one.ok is False for one in found):
        raise typer.Exit(1)


def snapshot(context: typer.Context, data: Data) -> None:
    """Bring the newest snapshot up to date. Works beside a running server, which it does not disturb."""
    with progress() as told:
        name = opener_of(context).snapshot(there(data), progress=told)
    out.print(name or "nothing new since the last snapshot")


def doctor(context: typer.Context, data: Data, as_json: Json = False) -> None:
    """Look for what could go wrong, and say the mend. Exit code 1 if something is wrong."""
    findings = list(_findings(opener_of(context), data))
    if as_json:
        say_json([{"check": name, "ok": ok, "message": text} for name, ok, text in findings])
    else:
        say_table(
            "", ("", "check", ""), [("ok" if ok else "WRONG", name, text) for name, ok, text in findings]
        )
    if not all(ok for _, ok, _ in findings):
        raise typer.Exit(1)


def _findings(opener: Opener, data: Path) -> Iterator[tuple[str, bool, str]]:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield "python", fits, f"{version}" if fits else f"{version} is not supported: use 3.11 to 3.13"
    early = time.time() < 1_700_000_000
    yield "clock", not early, "set the clock: it stands before 2023" if early else "plausible"
    if not data.exists():
        yield "data folder", False, f"{data} does not exist: `heedful serve --data {data}` makes it"
        return
    writable = os.access(data, os.W_OK | os.X_OK)
    yield "data folder", writable, str(data) if writable else f"{data} is not writable by this user"
    free = shutil.disk_usage(data).free
    yield (
        "disk",
        free > 1 << 30,
        f"{free / (1 << 30):.1f} GiB free" + ("" if free > 1 << 30 else ": less than 1 GiB"),
    )
    for name in ("pseudonym.key", "keys.json"):
        file = data / name
        if file.exists():
            open_ = bool(file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
            yield (
                name,
                not open_,
                f"others can read it: chmod 600 {file}" if open_ else "only its owner reads it",
            )
    began = time.perf_counter()
    try:
        engine = opener.engine(data)
    except InUse as error:
        yield "engine", True, f"{error}: the server at work knows more than this look from outside"
        return
    except (HeedfulError, OSError) as error:
        yield "engine", False, str(error)
        return
    yield "engine", True, f"caught up with the log in {time.perf_counter() - began:.1f} s"
    try:
        status = engine.status()
        yield "log", status.ready, status.reason or f"{int(status.counters['fold_position']):,} records"
        alarms = engine.rights.requests.alarms()
        late = alarms.overdue + alarms.unconfirmed
        told = (
            f"{late} late: `heedful requests list --data {data}`"
            if late
            else f"{alarms.open} open, none late"
        )
        yield "people's requests", not late, told
    finally:
        engine.close()
