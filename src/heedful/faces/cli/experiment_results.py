"""`heedful experiments results, series, export, simulate`: what came of experiments, and what would."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from heedful.experiments.inference.answers import Answer, Method, Refusal
from heedful.experiments.inference.scorecard import Row
from heedful.faces.cli.console import out, progress, say_json, say_table
from heedful.faces.cli.experiments import Key, app, opened
from heedful.faces.cli.opener import Data, Json
from heedful.services.experiments.export import table_of
from heedful.services.experiments.guard import figures
from heedful.services.experiments.results import Result
from heedful.services.experiments.simulate import Design, Simulation, simulate
from heedful.services.experiments.unit_rows import Table
from heedful.vocabulary.errors import Invalid, NotFound

__all__ = ["app"]

Scaled = Annotated[str, typer.Option(help="relative, absolute or log_ratio.")]


@app.command()
def results(
    context: typer.Context,
    data: Data,
    key: Key,
    scale: Scaled = "relative",
    method: Annotated[
        str | None,
        typer.Option(help="Another than planned: sequential, fixed, hybrid, group_sequential, bayesian."),
    ] = None,
    segment: Annotated[str | None, typer.Option(help="new or returning units alone.")] = None,
    stratified: Annotated[
        bool, typer.Option("--stratified", help="Judge within new and returning units.")
    ] = False,
    as_json: Json = False,
) -> None:
    """What came of it: every metric in every arm, with its interval or the reason why there is none."""
    if segment not in (None, "new", "returning"):
        raise Invalid("request_invalid", "a segment is new or returning", path="segment")
    asked: dict[str, Any] = {"scale": scale, "segment": segment, "stratified": stratified}
    with opened(context, data) as client:
        found = client.experiment_results(key, **asked, **({} if method is None else {"method": method}))
    if as_json:
        say_json(found)
        return
    _say_result(found)


@app.command()
def series(
    context: typer.Context,
    data: Data,
    key: Key,
    metric: Annotated[str, typer.Argument(help="One of the experiment's.")],
    scale: Scaled = "relative",
    as_json: Json = False,
) -> None:
    """How an effect came to be: everything up to the end of each day."""
    with opened(context, data) as client:
        days = client.experiment_series(key, metric, scale=scale)
    if as_json:
        say_json(days)
        return
    rows = [(day.day, day.arm, day.units, _said(day.answer)) for day in days]
    say_table(f"{metric} in {key}", ("until", "arm", "units", "effect"), rows)


@app.command()
def export(
    context: typer.Context,
    data: Data,
    key: Key,
    to: Annotated[Path | None, typer.Option(help="A file; standard output when left out.")] = None,
    format_: Annotated[str, typer.Option("--format", help="csv or json.")] = "csv",
    units: Annotated[bool, typer.Option("--units", help="A row per unit, without ids.")] = False,
    scale: Scaled = "relative",
) -> None:
    """Write results as a table: a row per metric and arm, or a row per unit."""
    if format_ not in ("csv", "json"):
        raise Invalid("request_invalid", "a format is csv or json", path="format")
    with opened(context, data) as client:
        table = (
            client.engine.results.units(key)
            if units
            else table_of(client.experiment_results(key, scale=scale))
        )
    text = _csv(table) if format_ == "csv" else msgspec.json.encode(_objects(table)).decode() + "\n"
    if to is None:
        sys.stdout.write(text)
    else:
        to.write_text(text, encoding="utf-8")
        out.print(f"{len(table.rows)} rows in {to}", markup=False, highlight=False)
    if table.left_out:
        typer.echo(f"{table.left_out} units of groups that are too small are left out", err=True)


@app.command("simulate")
def simulate_(
    context: typer.Context,
    data: Data,
    metric: Annotated[str, typer.Option(help="What to measure.")] = "converted",
    days: Annotated[float, typer.Option(help="The log's last days to take people from.", min=0.01)] = 28,
    runs: Annotated[int, typer.Option(help="A/A experiments.", min=1, max=100_000)] = 500,
    looks: Annotated[int, typer.Option(help="Looks at each.", min=1, max=200)] = 10,
    seed: Annotated[int, typer.Option(help="All chance comes from it.", min=0)] = 7,
    effect: Annotated[float, typer.Option(help="Relative; what to find.", min=0.0001)] = 0.1,
    horizon: Annotated[list[float] | None, typer.Option(help="Days to plan for; can be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Try experiments on your own log: false claims of A/A runs, and what effect would be found."""
    design = Design(
        days=days, runs=runs, looks=looks, seed=seed, effect=effect, horizons=tuple(horizon or (7, 14, 28))
    )
    with opened(context, data) as client:
        goals = client.engine.experiments.goals()
        if metric not in goals:
            raise NotFound(f"there is no metric {metric!r}, only {', '.join(sorted(goals))}")
        with progress() as told:
            found = simulate(client.engine.fold, goals[metric], design, told)
    if as_json:
        say_json(found)
    elif isinstance(found, Refusal):
        out.print(found.why, markup=False, highlight=False)
    else:
        _say_simulation(found)


def _say_result(found: Result) -> None:
    ends = "still running" if found.until is None else f"until {found.until}"
    _line(f"{found.key}: {found.status.value}, since {found.since}, {ends}. Judged by {found.method.value}.")
    arms = [
        (one.arm, "too few to tell" if one.units is None else f"{one.units:,}", f"{one.share:.4g}")
        for one in found.arms
    ]
    say_table("Units", ("arm", "units", "planned share"), arms)
    if isinstance(found.ratio, Refusal):
        _line(found.ratio.why)
    elif found.ratio.alarm:
        _line(f"Units did not come in the planned shares (p {min(found.ratio.p, found.ratio.p_sequential):.2g}): "
              "look for what loses them before you believe anything.")  # fmt: skip
    if found.crossed:
        _line(f"{found.crossed:,} units saw more than one arm and count for none.")
    levels = {(one.metric, one.arm): one.value for one in found.levels}
    rows = [
        (row.metric, row.arm, _level(levels[row.metric, found.arms[0].arm]), _level(levels[row.metric, row.arm]),
         _said(row.corrected or row.answer), _verdict(row))
        for row in found.rows
    ]  # fmt: skip
    say_table(
        "Effects against the first arm", ("metric", "arm", "control", "arm's", "effect", "verdict"), rows
    )
    if found.harmed:
        _line(f"Harmed: {', '.join(found.harmed)}.")
    if isinstance(found.days_left, float):
        _line(f"Days until an effect of 10% on the first metric is found: {found.days_left:.1f}.")


def _say_simulation(found: Simulation) -> None:
    past = "" if found.reduction is None else f"; their past explains {found.reduction:.0%} of the variance"
    _line(
        f"{found.metric}: {found.units:,} people in {found.days:g} days since {found.since}, "
        f"mean {found.mean:.4g}{past}."
    )
    say_table(
        f"{found.runs:,} experiments in which nothing differs: share that claimed an effect",
        ("method", "at the end", f"at one of {found.looks} looks"),
        [(one.method.value, f"{one.at_end:.1%}", f"{one.at_any:.1%}") for one in found.claims],
    )
    rows = [
        (f"{one.days:g}", one.units, one.method.value, "" if one.effect is None else f"{one.effect:.1%}",
         f"{one.power:.0%}")
        for one in found.reach
    ]  # fmt: skip
    head = ("days", "units", "method", "least effect", f"power for {found.effect:+.1%}")
    say_table("What would be found with 80% probability", head, rows)
    for method, needed in found.needed.items():
        text = needed.why if isinstance(needed, Refusal) else f"{needed:,} units find {found.effect:+.1%}."
        _line(f"{method}: {text}")
    if any(one.method is Method.FIXED and one.at_any > 0.075 for one in found.claims):
        _line(
            "The fixed interval is for one look at a moment fixed beforehand; "
            "whoever looks more often takes the sequential one."
        )


def _said(answer: Answer) -> str:
    return answer.why if isinstance(answer, Refusal) else figures(answer)


def _level(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _verdict(row: Row) -> str:
    words = {"improved": row.improved, "worsened": row.worsened, "harmed": row.harmed}
    return ", ".join(word for word, holds in words.items() if holds)


def _objects(table: Table) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _csv(table: Table) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.rows)
    return text.getvalue()


def _line(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)
