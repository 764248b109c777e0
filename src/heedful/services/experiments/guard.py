"""Looks after what runs: a staged roll-out that harms a guardrail is rolled back without waiting for anybody.

Guardrails are judged by the sequential test, which may be looked at as often as one likes. An experiment without
stages is compared on purpose and goes on: its results and `/metrics` say that it harms.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from heedful.experiments.inference.answers import Estimate, Scale
from heedful.experiments.inference.sample_ratio import SampleRatio
from heedful.services.experiments.life import MOST_NOTE, Experiments, ExperimentVersion
from heedful.services.experiments.ratios import Ratios
from heedful.services.experiments.results import Result, Results
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.experiment import Experiment, Outcome, Status

EVERY = 60.0
"""Seconds between two looks."""

ACTOR = "server"

_log = structlog.get_logger("heedful.experiments")


class Guard:
    """One thread owns it, the engine's. ticks: seconds, for `EVERY`."""

    def __init__(
        self,
        experiments: Experiments,
        results: Results,
        ratios: Ratios,
        *,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._experiments = experiments
        self._results = results
        self._ratios = ratios
        self._ticks = ticks
        self._next = ticks() + EVERY
        self._stopping: set[str] = set()
        self.harmed: tuple[str, ...] = ()
        """Running experiments with a guardrail that was harmed, as of the last look."""
        self.mismatched: tuple[str, ...] = ()
        """Running experiments whose sample ratio alarms, as of the last look."""
        self.rolled_back = 0

    def step(self) -> None:
        """Look, if it is a minute since the last look. Raises nothing; what fails is tried again."""
        if self._ticks() >= self._next:
            self._next = self._ticks() + EVERY
            self.look()

    def look(self) -> None:
        """Read the result of everything that runs, and roll back what harms."""
        harmed, mismatched = [], []
        for key, experiment in self._experiments.standing().items():
            if experiment.status is not Status.RUNNING or not experiment.on:
                continue
            try:
                found = self._results.result(key)
            except HeedfulError:
                continue  # nothing can be told of it yet
            self._ratios.keep(key)
            if isinstance(found.ratio, SampleRatio) and found.ratio.alarm:
                mismatched.append(key)
            if found.harmed:
                harmed.append(key)
                if experiment.stages and key not in self._stopping:
                    self._roll_back(experiment, found)
        self.harmed, self.mismatched = tuple(harmed), tuple(mismatched)

    def _roll_back(self, experiment: Experiment, found: Result) -> None:
        key = experiment.key
        self._stopping.add(key)

        def done(answer: ExperimentVersion | HeedfulError) -> None:
            self._stopping.discard(key)
            if isinstance(answer, HeedfulError):
                _log.warning("roll_back_failed", experiment=key, reason=str(answer))
                return
            self.rolled_back += 1
            _log.warning("rolled_back", experiment=key, metrics=found.harmed)

        try:
            self._experiments.stop(
                key, Outcome.ROLL_BACK, None, done, author=ACTOR, actor=ACTOR, note=why_harmed(found)
            )
        except HeedfulError as error:
            done(error)


def why_harmed(found: Result) -> str:
    """The metrics that were harmed with their figures, in a sentence each; at most `MOST_NOTE` characters."""
    said = [
        f"{row.metric} in {row.arm}: {figures(row.answer)}, judged by {row.answer.units[0]:,} and "
        f"{row.answer.units[-1]:,} units"
        for row in found.rows
        if row.harmed and isinstance(row.answer, Estimate)
    ]
    return f"A guardrail was harmed. {'; '.join(said)}."[:MOST_NOTE]


def figures(answer: Estimate) -> str:
    """An estimate with its interval, as `-3.1% (-5.2% to -1.0%), p 0.002`."""

    def one(value: float | None) -> str:
        if value is None:
            return "…"
        return f"{value:+.4g}" if answer.scale is Scale.ABSOLUTE else f"{value:+.1%}"

    p = "" if answer.p is None else f", p {answer.p:.2g}"
    return f"{one(answer.value)} ({one(answer.low)} to {one(answer.high)}){p}"
