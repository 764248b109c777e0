"""`heedful import`: history from files, every line accounted for."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer

from heedful.faces.cli.console import Told, err, progress, readable, say_json, say_table
from heedful.faces.cli.files import DAMAGED, opened
from heedful.faces.cli.opener import Data, Json, opener_of
from heedful.services.bring_in import BringIn, Counts, Refusal, json_lines
from heedful.services.columns import Columns, Table
from heedful.services.engine import Engine
from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.errors import Corrupt, HeedfulError, Invalid


def add_to(app: typer.Typer) -> None:
    @app.command("import")
    def import_(
        context: typer.Context,
        files: Annotated[
            list[Path],
            typer.Argument(help="JSON Lines or CSV, also .gz and .zst.", exists=True, dir_okay=False),
        ],
        data: Data,
        columns: Annotated[
            list[str] | None,
            typer.Option(
                "--map",
                help="For CSV: field=Column, e.g. item=StockCode. Fields: user, anonymous, item, "
                "order, quantity, price, time, title, category, event, value.",
            ),
        ] = None,
        event: Annotated[str, typer.Option(help="For CSV: what every row is.")] = "Product Viewed",
        time_format: Annotated[
            str, typer.Option(help="For CSV: strptime format, epoch or epoch_ms; ISO 8601 if left out.")
        ] = "",
        zone: Annotated[str, typer.Option(help="For CSV: the zone of times without one.")] = "UTC",
        currency: Annotated[str, typer.Option(help="For CSV: ISO 4217 code of prices.")] = "USD",
        delimiter: Annotated[
            str, typer.Option(help="For CSV: what stands between columns; \\t for tabs.")
        ] = ",",
        skip: Annotated[
            list[str] | None, typer.Option(help="For CSV: Column=VALUE,VALUE: rows to leave out on purpose.")
        ] = None,
        refused: Annotated[Path | None, typer.Option(help="Where refused lines go, with reasons.")] = None,
        as_json: Json = False,
    ) -> None:
        """Bring in history. Times stay as they are; a second import of the same file adds nothing."""
        mapping = _columns(columns or [], event, time_format, zone, currency, delimiter, skip or [])
        with progress() as told:
            engine: Engine = opener_of(context).engine(data, progress=told)
        try:
            report = {}
            with ExitStack() as closing:
                kept = closing.enter_context(refused.open("wb")) if refused is not None else None
                for file in files:
                    report[str(file)] = counts = _one_file(engine, data, file, mapping, kept)
                    if not as_json:
                        _say(file, counts, refused or _refused_file(data, file))
        finally:
            engine.close()
        if as_json:
            say_json({name: _counted(counts) for name, counts in report.items()})


def _one_file(
    engine: Engine, data: Path, file: Path, mapping: Columns | None, kept: BinaryIO | None
) -> Counts:
    """Bring in one file. Its refused lines go to `kept`, or to a file of their own once there is one."""
    with ExitStack() as closing:
        rejects = kept

        def refuse(refusal: Refusal) -> None:
            nonlocal rejects
            if rejects is None:
                rejects = closing.enter_context(_refused_file(data, file).open("wb"))
            line = {"line": refusal.line, "code": refusal.code, "message": readable(refusal.message)}
            rejects.write(
                msgspec.json.encode({**line, "text": refusal.text.decode(errors="replace")}) + b"\n"
            )

        _refused_file(data, file).unlink(missing_ok=True)
        with progress() as told:
            try:
                return _lines(engine, file, mapping, refuse, told)
            except DAMAGED as error:
                raise Corrupt(
                    f"{file} is damaged ({error}); the lines before the damage were taken"
                ) from error


def _refused_file(data: Path, file: Path) -> Path:
    return data / f"refused-{file.name}.jsonl"


def _lines(
    engine: Engine, file: Path, mapping: Columns | None, refuse: Callable[[Refusal], None], told: Told
) -> Counts:
    service = BringIn(engine.collecting)
    total = file.stat().st_size if file.suffix not in {".gz", ".zst"} else 0
    with opened(file) as stream:

        def went_on(counts: Counts) -> None:
            told(f"{file.name}: {counts.lines:,} lines", stream.tell() if total else counts.lines, total)

        if not _is_table(file):
            return service.lines(file.name, json_lines(stream), refuse, went_on)
        if mapping is None:
            raise Invalid("map_missing", "a CSV file needs --map item=…, --map user=… and so on")
        table = Table(mapping)
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        try:
            counts = service.lines(file.name, table.calls(text), refuse, went_on)
        finally:
            text.detach()
        _describe(engine, file, table)
        return counts


def _describe(engine: Engine, file: Path, table: Table) -> None:
    """Write what the table said of items into the catalogue, as of then."""
    name = blake2b(file.name.encode(errors="surrogateescape"), digest_size=6).hexdigest()
    described = [(item, at, f"import:{name}:{at}:{_short(item.id)}") for item, at in table.items()]
    outcomes: list[CollectAnswer | HeedfulError] = []
    for start in range(0, len(described), 1_000):
        engine.describing.put_as_of(described[start : start + 1_000], outcomes.append)
    for outcome in outcomes:
        if isinstance(outcome, HeedfulError):
            raise outcome


def _short(item: str) -> str:
    return blake2b(item.encode(errors="surrogateescape"), digest_size=12).hexdigest()


def _is_table(file: Path) -> bool:
    name = file.name.removesuffix(".zst").removesuffix(".gz")
    return name.endswith((".csv", ".tsv"))


def _columns(
    columns: list[str],
    event: str,
    time_format: str,
    zone: str,
    currency: str,
    delimiter: str,
    skip: list[str],
) -> Columns | None:
    if not columns:
        return None
    try:
        return Columns(
            names=dict(_pair(pair) for pair in columns),
            event=event,
            time_format=time_format,
            zone=zone,
            currency=currency,
            delimiter=delimiter.replace("\\t", "\t"),
            skip={name: tuple(values.split(",")) for name, values in map(_pair, skip)},
        )
    except ValueError as error:
        raise Invalid("map_invalid", str(error)) from error


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Invalid("map_invalid", f"{text!r} has no =; write it as name=value")
    return name, value


def _say(file: Path, counts: Counts, rejects: Path) -> None:
    rows: list[tuple[str, int]] = [("accepted", counts.accepted), ("duplicate", counts.duplicate)]
    rows += [("skipped on purpose", counts.skipped), ("refused", counts.refused)]
    rows += [(f"  {code}", number) for code, number in sorted(counts.reasons.items())]
    say_table(f"{file.name}: {counts.lines:,} lines", ("", "lines"), rows)
    if counts.refused:
        err.print(f"Refused lines, with reasons: {rejects}", markup=False)


def _counted(counts: Counts) -> dict[str, object]:
    return {
        "lines": counts.lines,
        "accepted": counts.accepted,
        "duplicate": counts.duplicate,
        "refused": counts.refused,
        "skipped": counts.skipped,
        "reasons": counts.reasons,
    }
