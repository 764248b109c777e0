"""`heedful replay`: how good answers would have been on your own history, before anything ships."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import msgspec
import typer

from heedful.faces.cli import replay_options as options
from heedful.faces.cli.console import Told, err, out, progress, say_json, say_table
from heedful.faces.cli.files import DAMAGED, opened
from heedful.faces.cli.opener import Json, Replaying, opener_of, there
from heedful.faces.cli.replay_plot import plotter
from heedful.services.evaluate.datasets import load
from heedful.services.evaluate.evaluate import Plan, evaluate
from heedful.services.evaluate.protocols import Protocol
from heedful.services.evaluate.report import RANKING, Measured, Report, Table, columns
from heedful.services.evaluate.streams import Stream, from_json_lines, from_log
from heedful.services.evaluate.systems import Repeats, Update
from heedful.vocabulary.errors import Corrupt, Invalid
from heedful.vocabulary.settings import Settings

DATA_FOLDER = Path("../shared/data")
"""Where data sets are looked for unless `--folder` or HEEDFUL_DATA says otherwise."""

Choice = TypeVar("Choice", bound=StrEnum)

_DEFAULT = "default,popular"
_OF_ONE = ("hit_rate", "mrr", "ndcg")
_OF_SEVERAL = (*_OF_ONE, "recall", "map")
"""With one target a question, recall is the hit rate and average precision the reciprocal rank."""

_TITLES = {Repeats.ALLOWED: "Repeats allowed", Repeats.REMOVED: "Repeats removed"}


def add_to(app: typer.Typer) -> None:
    @app.command("replay")
    def replay(
        context: typer.Context,
        data: options.DataFolder = None,
        events: options.Events = None,
        dataset: options.DataSetName = None,
        folder: options.Folder = DATA_FOLDER,
        protocol: options.Protocol = Protocol.PREQUENTIAL,
        systems: options.Systems = _DEFAULT,
        reference: options.Reference = "",
        update: options.Update = "instant",
        own_trail: options.OwnTrail = False,
        repeats: options.Repeats = "allowed,removed",
        as_served: options.AsServed = False,
        kinds: options.Kinds = "",
        at: options.At = 20,
        limit: options.Limit = 0,
        sample: options.Sample = 0,
        warm_up: options.WarmUp = 0,
        split: options.Split = 0.9,
        held_out: options.HeldOut = 0.1,
        strangers: options.Strangers = False,
        seed: options.Seed = 0,
        plot: options.Plot = None,
        as_json: Json = False,
    ) -> None:
        """Walk events in order of time: answer first, score, then learn. Nothing of your data is changed."""
        replaying = _replaying(context)
        if (events or dataset) and _from_environment(context, "data"):
            data = None
        draw = plotter(plot) if plot is not None else None
        plan = Plan(
            systems=_words(systems), protocol=protocol, repeats=_choices(Repeats, repeats, "repeats"),
            updates=_choices(Update, update, "update"), reference=reference, k=at, kinds=_words(kinds),
            limit=limit, sample=sample, seed=seed, warm_up=warm_up, split=split, held_out=held_out,
            strangers=strangers, own_trail=own_trail, as_served=as_served,
        )  # fmt: skip
        with progress() as told:
            stream, settings = _stream(replaying, data, events, dataset, folder, told)
            replaying.prepare(told)
            report = evaluate(
                stream, plan, replaying.systems, settings,
                progress=lambda done, total: told("questions", done, total),
            )  # fmt: skip
        if draw is not None:
            draw(report)
        if as_json:
            say_json(msgspec.to_builtins(report))
        else:
            _say(report)
            if plot is not None:
                err.print(f"Drawn: {plot}", markup=False)


def _replaying(context: typer.Context) -> Replaying:
    replaying = opener_of(context).replaying
    if replaying is None:
        raise Invalid("replay_missing", "this program was built without anything to replay")
    return replaying()


def _from_environment(context: typer.Context, option: str) -> bool:
    source = context.get_parameter_source(option)
    return source is not None and source.name == "ENVIRONMENT"


def _stream(
    replaying: Replaying,
    data: Path | None,
    events: list[Path] | None,
    dataset: str | None,
    folder: Path,
    told: Told,
) -> tuple[Stream, Settings]:
    """The events, and the settings of who learns them: the data folder's own, where there is one."""
    if (data is not None) + bool(events) + (dataset is not None) != 1:
        raise Invalid("source_unclear", "say one of --data, --events and --dataset")
    if data is not None:
        with replaying.log(there(data)) as log:
            stream = from_log(
                log, str(data), progress=lambda done, total: told("reading the log", done, total)
            )
        return stream, replaying.settings(data)
    try:
        if dataset is not None:
            return load(dataset, folder, opened), Settings()
        files = events or []
        named = ", ".join(file.name for file in files)
        lines = ((file.name, _lines(file)) for file in files)
        stream = from_json_lines(lines, named, names={}, progress=lambda done: told("lines", done, 0))
        return stream, Settings()
    except DAMAGED as error:
        raise Corrupt(f"{dataset or 'a file of events'} is damaged: {error}") from error


def _lines(file: Path) -> Iterator[bytes]:
    with opened(file) as stream:
        yield from stream


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _choices(kind: type[Choice], text: str, option: str) -> tuple[Choice, ...]:
    """The words of `text` as choices. Raises Invalid, naming the option and what there is."""
    try:
        chosen = tuple(kind(word) for word in _words(text))
    except ValueError as error:
        raise Invalid("choice_unknown", f"--{option}: {error}; there are {', '.join(kind)}") from error
    if not chosen:
        raise Invalid("choice_missing", f"--{option} needs at least one of {', '.join(kind)}")
    return chosen


def _say(report: Report) -> None:
    """A table for each rule of repeats, and one of what was gained over the reference."""
    out.print(
        f"{report.source}: {report.events:,} events, {report.protocol}, lists of {report.k}, seed {report.seed}",
        style="bold", highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip
    for table in report.tables:
        title = f"{_TITLES[Repeats(table.repeats)]}: {table.questions:,} questions of {table.people:,} people"
        if table.left_out:
            title += f" ({table.left_out:,} left out, which ask for nothing but repeats)"
        if not table.rows:
            out.print(title, highlight=False, markup=False)
            continue
        _say_figures(title, table)
        _say_gains(table, report.reference)
    for reason, count in sorted(report.left_out.items()):
        out.print(f"Not replayed: {count:,} {reason}", highlight=False, markup=False)


def _say_figures(title: str, table: Table) -> None:
    shown = _OF_SEVERAL if table.several else _OF_ONE
    rows = [
        (_name(row.system, row.update), *(_figure(row.figures.get(name)) for name in shown))
        for row in table.rows
    ]
    say_table(title, ("system", *shown), rows)
    beyond = [name for name in columns(table.rows) if name not in RANKING]
    rows = [
        (_name(row.system, row.update), *(_short(row.figures.get(name)) for name in beyond))
        for row in table.rows
    ]
    say_table("", ("system", *beyond), rows)


def _say_gains(table: Table, reference: str) -> None:
    rows = [
        (_name(row.system, row.update), *(_figure(row.difference.get(name), signed=True) for name in _OF_ONE))
        for row in table.rows
        if row.difference
    ]
    if rows:
        say_table(f"Difference to {reference}, paired", ("system", *_OF_ONE), rows)


def _name(system: str, update: str) -> str:
    return system if update == Update.INSTANT else f"{system}, {update}"


def _figure(measured: Measured | None, *, signed: bool = False) -> str:
    if measured is None or measured.value is None:
        return ""
    value = f"{measured.value:+.4f}" if signed else f"{measured.value:.4f}"
    if measured.low is None or measured.high is None:
        return value
    if signed:
        return f"{value} ({measured.low:+.4f} to {measured.high:+.4f})"
    return f"{value} ± {measured.high - measured.value:.4f}"


def _short(measured: Measured | None) -> str:
    return "" if measured is None or measured.value is None else f"{measured.value:.4g}"
