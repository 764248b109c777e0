"""The routes of experiments: definitions and their life, and what came of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
from fastapi import Request, Response

from heedful.experiments.inference.answers import Answer, Method, Scale
from heedful.faces.engine import Engine
from heedful.faces.http import openapi
from heedful.faces.http.authorization import caller_of
from heedful.faces.http.definitions import as_json, before_of, body_of, decoded, done, expected_of, name_of
from heedful.faces.http.exchange import outcome
from heedful.faces.http.gate import Gate
from heedful.faces.http.openapi import Object, Route
from heedful.faces.http.problem import Problem, problem_of
from heedful.services.experiments import ExperimentVersion, Result
from heedful.services.experiments.life import Check
from heedful.services.experiments.measures import Goal
from heedful.services.experiments.results import Day
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.experiment import Experiment, Outcome
from heedful.vocabulary.outcome import Done
from heedful.vocabulary.trial import Aggregate

LIMIT = 1 << 20
"""Most bytes of a definition: twenty arms with their values fit."""

DRAFT: Object = {
    "on": {"kind": "placement", "name": "home"},
    "hypothesis": "More variety sells more",
    "arms": [{"key": "as_it_is"}, {"key": "varied", "value": {"diversity": 0.4}}],
    "metrics": ["clicked", "revenue"],
    "guardrails": [{"metric": "converted", "worse": "down", "margin": 0.05}],
}
_VERSION: Object = {
    "key": "variety", "version": 2, "author": "shop", "created": "2026-11-23T11:33:51.000000Z",
    "experiment": {"key": "variety", **DRAFT, "status": "running",
                   "epochs": [{"started": 1795433631000000, "weights": [0.5, 0.5], "coverage": 1.0}]},
}  # fmt: skip
_ERRORS = ("key_missing", "key_unknown", "key_not_allowed", "records_unavailable")
_BODY = (
    *_ERRORS, "request_invalid", "json_invalid", "json_too_deep", "encoding_invalid", "too_large",
    "encoding_unknown", "overloaded", "not_found", "experiment_invalid",
)  # fmt: skip
_NAME: Object = {
    "name": "name", "in": "path", "required": True, "description": "The experiment's key, percent-encoded.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200}, "example": "variety",
}  # fmt: skip
_IF_MATCH: Object = {
    "name": "If-Match", "in": "header", "required": False, "schema": {"type": "string"},
    "description": 'The ETag this change is made for, as `"3"`. 412 when another is in force.',
}  # fmt: skip


class Note(msgspec.Struct, forbid_unknown_fields=True):
    """note: why, for whoever reads the versions."""

    note: str = ""


class Weights(msgspec.Struct, forbid_unknown_fields=True):
    """New shares of the arms, and of the units that take part."""

    weights: tuple[float, ...]
    coverage: float = 1.0
    note: str = ""


class Stage(msgspec.Struct, forbid_unknown_fields=True):
    """stage: of a staged roll-out, 0 for the first."""

    stage: int
    note: str = ""


class Stop(msgspec.Struct, forbid_unknown_fields=True):
    """What is decided. shipped: the arm, for `ship`."""

    outcome: Outcome
    shipped: str | None = None
    note: str = ""


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A measure under the name in the path, which way is better, and what it is in words for people."""

    kinds: tuple[str, ...]
    aggregate: Aggregate = Aggregate.COUNT
    hours: int = 72
    cap: int = 0
    currency: str = ""
    per: tuple[str, ...] = ()
    rises: bool = True
    what: str = ""


class ExperimentList(msgspec.Struct, frozen=True):
    """Every experiment, by key."""

    experiments: tuple[ExperimentVersion, ...]


class ExperimentVersions(msgspec.Struct, frozen=True):
    """The versions of one experiment, newest first: its change log."""

    versions: tuple[ExperimentVersion, ...]


class Checks(msgspec.Struct, frozen=True):
    """What should hold before the start."""

    checks: tuple[Check, ...]


class Series(msgspec.Struct, frozen=True):
    """The effect on one metric, day by day."""

    days: tuple[Day, ...]


class Goals(msgspec.Struct, frozen=True):
    """What can be measured, by name."""

    metrics: dict[str, Goal]


class Novelty(msgspec.Struct, frozen=True):
    """The slope of an effect over days since the first exposure."""

    answer: Answer


SHAPES: tuple[type, ...] = (
    Note, Weights, Stage, Stop, ExperimentVersion, ExperimentList, ExperimentVersions, Checks, Series, Goals, Goal,
    Novelty, Result, Experiment, Measured,
)  # fmt: skip
"""What the document describes."""


def _operation(name: str, summary: str, answer: type, errors: Sequence[str], **more: Any) -> Object:
    return openapi.operation(
        name, summary, tag="Experiments", security=openapi.SECRET,
        answer=openapi.content(answer, _VERSION if answer is ExperimentVersion else None), errors=errors, **more,
    )  # fmt: skip


def _query(name: str, description: str, schema: Object) -> Object:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


_SCALE = _query(
    "scale", "How effects are written; relative.", {"type": "string", "enum": [one.value for one in Scale]}
)
_METRIC = _query("metric", "Of the experiment's.", {"type": "string"})
_READ = (*_ERRORS, "not_found", "request_invalid", "experiment_not_started", "metric_unknown")


def _change(name: str, summary: str, body: type, example: Object) -> Object:
    return _operation(
        name, summary, ExperimentVersion,
        (*_BODY, "experiment_status", "experiment_not_ready", "version_conflict"),
        body=openapi.content(body, example), parameters=(_NAME,),
    )  # fmt: skip


class Experiments:
    """Handlers of `/v1/experiments`."""

    def __init__(self, engine: Engine, gate: Gate) -> None:
        self._engine = engine
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """The routes with their part of the document."""
        one = "/v1/experiments/{name}"
        listed = _operation("list_experiments", "Every experiment", ExperimentList, _ERRORS)
        read = (*_ERRORS, "not_found")
        put = _operation(
            "put_experiment", "Draft an experiment", ExperimentVersion, (*_BODY, "version_conflict"),
            description="Appends a version. What has started is changed by its own verbs.",
            body=openapi.content(Experiment, DRAFT), parameters=(_NAME, _IF_MATCH),
        )  # fmt: skip
        results = _operation(
            "experiment_results", "What came of it", Result, _READ, parameters=(
                _NAME, _SCALE, _query("method", "Another than planned, to look at.", {"type": "string"}),
                _query("segment", "Only units that were known before, or not.",
                       {"type": "string", "enum": ["new", "returning"]}),
            ), description="As fresh as the position says. A figure is an estimate, or a refusal with its reason.",
        )  # fmt: skip
        series = _operation(
            "experiment_series", "An effect day by day", Series, _READ, parameters=(_NAME, _METRIC, _SCALE)
        )
        wears = _operation(
            "experiment_novelty", "Whether an effect wears off", Novelty, _READ, parameters=(_NAME, _METRIC)
        )
        return (
            Route("GET", "/v1/experiments", self.list, listed),
            Route("GET", "/v1/experiment-metrics", self.goals, _operation(
                "list_experiment_metrics", "What experiments can measure", Goals, _ERRORS)),
            Route("PUT", "/v1/experiment-metrics/{name}", self.put_goal, _operation(
                "put_experiment_metric", "Define what experiments can measure", Goal, (*_BODY, "metric_invalid"),
                body=openapi.content(Measured, {"kinds": ["share"], "aggregate": "any", "hours": 24}),
                parameters=(_NAME,))),
            Route("GET", one, self.get, _operation(
                "get_experiment", "Read an experiment", ExperimentVersion, read, parameters=(_NAME,))),
            Route("PUT", one, self.put, put),
            Route("GET", f"{one}/versions", self.versions, _operation(
                "experiment_versions", "Its change log", ExperimentVersions, (*read, "request_invalid"),
                parameters=(_NAME, _query("before", "Only versions below this.", {"type": "integer"})))),
            Route("GET", f"{one}/checks", self.checks, _operation(
                "experiment_checks", "What should hold before it starts", Checks, read, parameters=(_NAME,))),
            Route("POST", f"{one}/start", self.start, _change(
                "start_experiment", "Let it run", Note, {"note": "go"})),
            Route("POST", f"{one}/weights", self.weigh, _change(
                "weigh_experiment", "Give the arms other shares", Weights, {"weights": [0.8, 0.2]})),
            Route("POST", f"{one}/stage", self.stage, _change(
                "stage_experiment", "Go to a stage of a roll-out", Stage, {"stage": 1})),
            Route("POST", f"{one}/stop", self.stop, _change(
                "stop_experiment", "Decide", Stop, {"outcome": "ship", "shipped": "varied"})),
            Route("POST", f"{one}/roll-out", self.roll_out, _change(
                "roll_out_experiment", "Give everybody what was shipped", Note, {"note": "done"})),
            Route("POST", f"{one}/archive", self.archive, _change(
                "archive_experiment", "Put it away", Note, {"note": "old"})),
            Route("GET", f"{one}/results", self.results, results),
            Route("GET", f"{one}/series", self.series, series),
            Route("GET", f"{one}/novelty", self.novelty, wears),
        )  # fmt: skip

    async def list(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """Every experiment."""
        return as_json(ExperimentList(done(self._engine.experiments.list)))

    async def goals(self, request: Request) -> Response:  # noqa: ARG002 (the framework passes it)
        """What can be measured."""
        return as_json(Goals(self._engine.experiments.goals()))

    async def put_goal(self, request: Request) -> Response:
        """Define what can be measured."""
        author, name = caller_of(request.scope).name, name_of(request)
        body = decoded(await body_of(request, self._gate, LIMIT), dict[str, Any])
        return as_json(done(lambda: self._engine.experiments.put_goal(name, body, author=author)))

    async def get(self, request: Request) -> Response:
        """The version in force."""
        name = name_of(request)
        return _versioned(done(lambda: self._engine.experiments.get(name)))

    async def put(self, request: Request) -> Response:
        """Draft an experiment."""
        author, name, expected = caller_of(request.scope).name, name_of(request), expected_of(request)
        body = decoded(await body_of(request, self._gate, LIMIT), dict[str, Any])
        put = self._engine.experiments.put
        return _versioned(done(lambda: put(name, body, author=author, expected=expected)))

    async def versions(self, request: Request) -> Response:
        """The versions, newest first."""
        name, before = name_of(request), before_of(request)
        found = done(lambda: self._engine.experiments.versions(name, before=before))
        return as_json(ExperimentVersions(found))

    async def checks(self, request: Request) -> Response:
        """What should hold before it starts."""
        name = name_of(request)
        return as_json(Checks(done(lambda: self._engine.experiments.checks(name))))

    async def start(self, request: Request) -> Response:
        """Let it run."""
        author, name, said = await self._said(request, Note)
        start = self._engine.experiments.start
        return await _stepped(lambda over: start(name, over, author=author, note=said.note))

    async def weigh(self, request: Request) -> Response:
        """Give the arms other shares."""
        author, name, said = await self._said(request, Weights)
        weigh = self._engine.experiments.weigh
        return await _stepped(
            lambda over: weigh(name, said.weights, said.coverage, over, author=author, note=said.note)
        )

    async def stage(self, request: Request) -> Response:
        """Go to a stage."""
        author, name, said = await self._said(request, Stage)
        stage = self._engine.experiments.stage
        return await _stepped(lambda over: stage(name, said.stage, over, author=author, note=said.note))

    async def stop(self, request: Request) -> Response:
        """Decide."""
        author, name, said = await self._said(request, Stop)
        stop = self._engine.experiments.stop
        return await _stepped(
            lambda over: stop(name, said.outcome, said.shipped, over, author=author, note=said.note)
        )

    async def roll_out(self, request: Request) -> Response:
        """Give everybody what was shipped."""
        author, name, said = await self._said(request, Note)
        roll_out = self._engine.experiments.roll_out
        return _versioned(done(lambda: roll_out(name, author=author, note=said.note)))

    async def archive(self, request: Request) -> Response:
        """Put it away."""
        author, name, said = await self._said(request, Note)
        archive = self._engine.experiments.archive
        return _versioned(done(lambda: archive(name, author=author, note=said.note)))

    async def results(self, request: Request) -> Response:
        """What came of it."""
        name, query = name_of(request), request.query_params
        method = _one_of(Method, query.get("method"), "method")
        segment: Literal["new", "returning"] | None = None
        if (asked := query.get("segment")) is not None:
            if asked not in ("new", "returning"):
                raise Problem("request_invalid", "segment is new or returning.", path="segment")
            segment = "new" if asked == "new" else "returning"
        told = self._engine.results
        scale = _scale(request)
        return as_json(done(lambda: told.result(name, scale=scale, method=method, segment=segment)))

    async def series(self, request: Request) -> Response:
        """An effect day by day."""
        name, metric, scale = name_of(request), _metric(request), _scale(request)
        return as_json(Series(done(lambda: self._engine.results.series(name, metric, scale=scale))))

    async def novelty(self, request: Request) -> Response:
        """Whether an effect wears off."""
        name, metric = name_of(request), _metric(request)
        return as_json(Novelty(done(lambda: self._engine.results.novelty(name, metric))))

    async def _said(self, request: Request, shape: type[Any]) -> tuple[str, str, Any]:
        body = await body_of(request, self._gate, LIMIT)
        return caller_of(request.scope).name, name_of(request), decoded(body or b"{}", shape)


def _metric(request: Request) -> str:
    metric = request.query_params.get("metric")
    if not metric:
        raise Problem("request_invalid", "Say which metric.", path="metric")
    return metric


def _scale(request: Request) -> Scale:
    return _one_of(Scale, request.query_params.get("scale"), "scale") or Scale.RELATIVE


def _one_of(words: type[Any], said: str | None, path: str) -> Any:
    if said is None:
        return None
    try:
        return words(said)
    except ValueError:
        known = ", ".join(one.value for one in words)
        raise Problem("request_invalid", f"{path} is one of {known}.", path=path) from None


async def _stepped(step: Callable[[Done[ExperimentVersion]], None]) -> Response:
    """A step whose word goes into the log first."""
    try:
        answer = await outcome(step)
    except HeedfulError as error:
        raise problem_of(error) from error
    if isinstance(answer, HeedfulError):
        raise problem_of(answer) from answer
    return _versioned(answer)


def _versioned(value: ExperimentVersion) -> Response:
    response = as_json(value)
    response.headers["etag"] = f'"{value.version}"'
    return response
