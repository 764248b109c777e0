"""`heedful models`: which fitted models there are, which one answers, and going back to the one before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from heedful.faces.cli.console import out, progress, say_json, say_table
from heedful.faces.cli.opener import Data, Json, administering, opener_of, there
from heedful.models.kinds import RANKERS, ranker_of
from heedful.models.metrics.intervals import Estimate, Refusal
from heedful.models.shelf import Shelf, Version
from heedful.objects.folder import Folder
from heedful.services.administer import TERMINAL
from heedful.services.fit.taste import TASTE
from heedful.vocabulary.errors import Invalid

app = typer.Typer(help="Fit, list, show, promote and roll back fitted models.", no_args_is_help=True)

Model = Annotated[str, typer.Argument(help="The model's id, or enough of its beginning.")]
Place = Annotated[str, typer.Option(help="What the model is for.")]

_SHOWN = 10
"""Features that a person is shown; JSON has them all."""


@app.command()
def fit(
    context: typer.Context,
    data: Data,
    kind: Annotated[
        str,
        typer.Option(
            help="lambdamart; linear, which is plainer; or taste, no ranker but what fits whole pasts."
        ),
    ] = "lambdamart",
    placement: Annotated[str, typer.Option(help="Fit for this placement's own objective and sources.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="All chance comes from it.")] = 7,
    force: Annotated[bool, typer.Option("--force", help="Promote it even if it is worse.")] = False,
    as_json: Json = False,
) -> None:
    """Fit a ranker to the log by replay, judge it beside the one in force, and promote it if it is not worse.

    With `--kind taste`, fit what items say of each other over whole pasts, and put it in force.
    """
    if kind == TASTE:
        if placement or force:
            raise Invalid("option_unused", "a taste is for all placements, and is judged by no replay")
        with progress() as told:
            _say(opener_of(context).taste(there(data), seed=seed, progress=told), as_json)
        return
    with progress() as told:
        verdict = opener_of(context).fit(
            there(data), kind=kind, placement=placement, seed=seed, force=force, progress=told
        )
    if as_json:
        say_json(verdict._asdict())
        return
    rows = [(name, *_interval(figure)) for name, figure in verdict.figures.items()]
    say_table("MRR@20 on the newest questions", ("ranked by", "value", "95% interval"), [
        *rows, ("gain", *_interval(verdict.gain)),
    ])  # fmt: skip
    if verdict.exposed:
        seen = [(name, *_interval(figure)) for name, figure in verdict.exposed.items()]
        say_table(
            "MRR@20 on the newest answers that were shown", ("ranked by", "value", "95% interval"), seen
        )
    state = "is in force" if verdict.promoted else "is worse than what answers now, and stays a candidate"
    out.print(f"{verdict.version.id} {state}", markup=False, highlight=False)


@app.command("list")
def list_(data: Data, as_json: Json = False) -> None:
    """Show every model, oldest first, with its state and what replay said of it."""
    versions = shelf_of(data).list()
    if as_json:
        say_json(versions)
        return
    rows = [
        (one.id, one.facts.place, one.facts.kind, _state(one), one.created, _figures(one.metrics))
        for one in versions
    ]
    say_table("Fitted models", ("id", "place", "kind", "state", "created", "replay"), rows)


@app.command()
def show(data: Data, model: Model, as_json: Json = False) -> None:
    """Show one model: what it was fitted to, how, what replay said, and which features carry it."""
    shelf = shelf_of(data)
    version = shelf.find(model)
    carried = _carried(shelf, version)
    if as_json:
        say_json({**msgspec.to_builtins(version), "importance": carried})
        return
    facts = version.facts
    rows = [
        ("id", version.id), ("place", facts.place), ("kind", facts.kind), ("state", _state(version)),
        ("created", version.created), ("promoted", version.promoted or "never"), ("log position", facts.position),
        ("seed", str(facts.seed)), ("settings", _figures(facts.settings)), ("learned", _figures(facts.learned)),
        ("replay", _figures(version.metrics) or "not measured"),
    ]  # fmt: skip
    if version.against:
        rows.append((f"replay of {version.against}, then in force", _figures(version.compared)))
    say_table("", ("", "what"), rows)
    best = sorted(carried.items(), key=lambda one: (-one[1], one[0]))[:_SHOWN]
    if best:
        say_table("What carries it", ("feature", "share"), [(name, f"{share:.1%}") for name, share in best])


@app.command()
def promote(data: Data, model: Model, as_json: Json = False) -> None:
    """Put a model in force, in one step. A running server takes it up by itself."""
    shelf = shelf_of(data)
    found = shelf.find(model)
    if not found.stale:  # a stale one is refused
        before = shelf.in_force(found.facts.place)
        with administering(data) as administer:
            administer.audit.tell(
                TERMINAL, "model.promote", f"model:{found.id}", before=_id(before), after=found.id
            )
    _say(shelf.promote(model), as_json)


@app.command()
def rollback(data: Data, place: Place = "ranker", as_json: Json = False) -> None:
    """Go back to the model that was in force before; without one, to none."""
    shelf = shelf_of(data)
    with administering(data) as administer:
        administer.audit.tell(TERMINAL, "model.rollback", f"place:{place}", before=_id(shelf.in_force(place)))
    version = shelf.rollback(place)
    if version is not None:
        _say(version, as_json)
    elif as_json:
        say_json(None)
    else:
        out.print(f"no model is in force as {place}", markup=False, highlight=False)


def _id(version: Version | None) -> str | None:
    return None if version is None else version.id


def shelf_of(data: Path) -> Shelf:
    """The shelf of a data folder that is there. Raises NotFound."""
    return Shelf(Folder(there(data) / "models"))


def _say(version: Version, as_json: bool) -> None:
    if as_json:
        say_json(version)
    else:
        out.print(f"{version.id} is in force as {version.facts.place}", markup=False, highlight=False)


def _state(version: Version) -> str:
    stale = version.stale and version.state != "stale"
    return f"{version.state}, stale" if stale else version.state.value


def _interval(figure: Estimate | Refusal) -> tuple[str, str]:
    if isinstance(figure, Refusal):
        return "-", figure.reason
    return f"{figure.value:.4f}", f"{figure.low:.4f} to {figure.high:.4f}"


def _figures(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
    )


def _carried(shelf: Shelf, version: Version) -> dict[str, float]:
    return ranker_of(shelf, version).importance() if version.facts.kind in RANKERS else {}
