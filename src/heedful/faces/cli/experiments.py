"""`heedful experiments`: the life of experiments from a terminal."""

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
from heedful.records.audit import TERMINAL
from heedful.services.experiments import ExperimentVersion
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.experiment import Experiment
from heedful.vocabulary.time import Instant, iso

app = typer.Typer(help="Draft, run, read and decide experiments.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(help="The experiment's key.")]
Note = Annotated[str, typer.Option(help="Why, for whoever reads the change log.")]


@contextmanager
def opened(context: typer.Context, data: Path) -> Iterator[Client]:
    """The folder's engine, for one command."""
    with progress() as told:
        client = Client(opener_of(context).engine(there(data), progress=told), author=TERMINAL)
    with client:
        yield client


@app.command("list")
def list_(context: typer.Context, data: Data, as_json: Json = False) -> None:
    """Show every experiment."""
    with opened(context, data) as client:
        found = client.experiments()
    if as_json:
        say_json(found)
        return
    rows = [
        (
            one.key,
            _where(one.experiment),
            _stands(one.experiment),
            _shares(one.experiment),
            one.version,
            one.created,
        )
        for one in found
    ]
    say_table("Experiments", ("key", "on", "status", "arms", "version", "changed"), rows)


@app.command()
def show(context: typer.Context, data: Data, key: Key, as_json: Json = False) -> None:
    """Show one experiment, what should hold before it starts, and its change log."""
    with opened(context, data) as client:
        versions = client.experiment_versions(key)
        checks = client.experiment_checks(key) if client.experiment(key).experiment else ()
    if as_json:
        say_json({"versions": versions, "checks": checks})
        return
    found = versions[0].experiment
    say_table(f"{key}: {_stands(found)}", ("", ""), _facts(found))
    say_table("Checks", ("check", "holds", "why"), [
        (one.name, "yes" if one.ok else "no" if one.must else "no, but it may start", one.why) for one in checks
    ])  # fmt: skip
    rows = [(one.version, one.created, one.author, _stands(one.experiment), one.note) for one in versions]
    say_table("Change log", ("version", "at", "by", "status", "note"), rows)


@app.command()
def put(
    context: typer.Context,
    data: Data,
    key: Key,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The draft as JSON; - reads standard input.")],
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Draft an experiment, or change its draft."""
    text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    try:
        body: Any = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise Invalid("json_invalid", f"{file}: {error}") from error
    with opened(context, data) as client:
        made = client.engine.experiments.put(key, body, author=TERMINAL, note=note)
    _say(made, as_json)


@app.command()
def start(context: typer.Context, data: Data, key: Key, note: Note = "", as_json: Json = False) -> None:
    """Let it run from now on."""
    with opened(context, data) as client:
        _say(client.start_experiment(key, note=note), as_json)


@app.command()
def weigh(
    context: typer.Context,
    data: Data,
    key: Key,
    weights: Annotated[list[float], typer.Argument(help="A share for each arm; together 1.")],
    coverage: Annotated[float, typer.Option(help="The share of units that take part.", min=0, max=1)] = 1.0,
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Give the arms other shares from now on."""
    with opened(context, data) as client:
        _say(client.weigh_experiment(key, weights, coverage=coverage, note=note), as_json)


@app.command()
def stage(
    context: typer.Context,
    data: Data,
    key: Key,
    number: Annotated[int, typer.Argument(metavar="STAGE", help="0 for the first.")],
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Go to a stage of a staged roll-out."""
    with opened(context, data) as client:
        _say(client.stage_experiment(key, number, note=note), as_json)


@app.command()
def stop(
    context: typer.Context,
    data: Data,
    key: Key,
    outcome: Annotated[str, typer.Argument(help="ship, roll_back or inconclusive.")],
    arm: Annotated[str | None, typer.Option(help="The arm to ship.")] = None,
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Decide: nobody is given an arm any more."""
    with opened(context, data) as client:
        _say(client.stop_experiment(key, outcome, arm, note=note), as_json)


@app.command("roll-out")
def roll_out(context: typer.Context, data: Data, key: Key, note: Note = "", as_json: Json = False) -> None:
    """Give everybody the arm that was shipped."""
    with opened(context, data) as client:
        _say(client.roll_out_experiment(key, note=note), as_json)


@app.command()
def archive(context: typer.Context, data: Data, key: Key, note: Note = "", as_json: Json = False) -> None:
    """Put it away."""
    with opened(context, data) as client:
        _say(client.archive_experiment(key, note=note), as_json)


def _say(version: ExperimentVersion, as_json: bool) -> None:
    if as_json:
        say_json(version)
        return
    now = version.experiment
    text = f"{version.key} is {_stands(now)} (version {version.version}): {_shares(now)}"
    out.print(text, markup=False, highlight=False)


def _where(experiment: Experiment | None) -> str:
    target = None if experiment is None else experiment.on
    return "" if target is None else f"{target.kind} {target.name}"


def _stands(experiment: Experiment | None) -> str:
    if experiment is None:
        return "unreadable"
    decided = experiment.outcome
    if decided is None:
        return experiment.status.value
    return f"{experiment.status.value}, {decided.value}" + (
        f" {experiment.shipped}" if experiment.shipped else ""
    )


def _shares(experiment: Experiment | None) -> str:
    if experiment is None:
        return ""
    weights = experiment.weights or (1 / len(experiment.arms),) * len(experiment.arms)
    told = ", ".join(f"{arm.key} {weight:.4g}" for arm, weight in zip(experiment.arms, weights, strict=False))
    return told if experiment.coverage == 1.0 else f"{told} of {experiment.coverage:.4g}"


def _facts(experiment: Experiment | None) -> list[tuple[str, str]]:
    if experiment is None:
        return []
    guards = [f"{one.metric} not {one.worse} by more than {one.margin:.1%}" for one in experiment.guardrails]
    epochs = [iso(Instant(epoch.started)) for epoch in experiment.epochs]
    facts = [
        ("hypothesis", experiment.hypothesis),
        ("on", _where(experiment)),
        ("arms", _shares(experiment)),
        ("metrics", ", ".join(experiment.metrics)),
        ("guardrails", "; ".join(guards)),
        ("judged by", f"{experiment.statistics.kind}, alpha {experiment.statistics.alpha:g}"),
        ("stages", ", ".join(f"{share:g}" for share in experiment.stages)),
        ("epochs since", ", ".join(epochs)),
    ]
    return [fact for fact in facts if fact[1]]
