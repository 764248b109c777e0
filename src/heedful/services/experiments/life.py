"""The life of experiments: drafted, checked, running, stopped, rolled out. Every step is a version that stays.

A definition stands in the records. From its start the log says how the experiment stands too (`Trial`), durable
before the records do, so that results are a fold of the log; what is measured is frozen there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from heedful.experiments.assignment import Assigner, check_layers
from heedful.log.codec import encode
from heedful.log.commit import GroupCommit
from heedful.records.audit import Audit
from heedful.records.records import Definition, Draft, Records
from heedful.services.experiments.measures import Goal, built_in, chosen, goal_of
from heedful.services.telling import telling
from heedful.vocabulary.errors import Conflict, HeedfulError, Invalid, NotFound
from heedful.vocabulary.event import Event, Record
from heedful.vocabulary.experiment import (
    Experiment,
    Outcome,
    Status,
    experiment_of,
    moved,
    reweighted,
    staged,
)
from heedful.vocabulary.ids import NOBODY, EventId
from heedful.vocabulary.kinds import TRIAL
from heedful.vocabulary.outcome import Done
from heedful.vocabulary.time import Clock, Instant, iso
from heedful.vocabulary.trial import Trial

KIND, METRIC = "experiment", "metric"
MOST_NOTE = 500
_LOOK_AGAIN = 1.0
_FINEST = 1_000_000

Applies = Callable[[Experiment], None]
"""Sees whether what the arms stand for can be shown. Raises Invalid."""


class ExperimentVersion(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One version on the wire. experiment: left out where this version deleted it."""

    key: str
    version: int
    author: str
    created: str
    note: str = ""
    experiment: Experiment | None = None


class Check(msgspec.Struct, frozen=True):
    """Something that should hold before an experiment starts. must: it does not start otherwise."""

    name: str
    ok: bool
    why: str
    must: bool = True


class Signed(NamedTuple):
    """Who changes something, how the audit names them and what they do, and why."""

    author: str
    actor: str
    note: str
    verb: str


class Experiments:
    """The service. One thread owns it.

    applies: sees whether the arms of a draft can be shown. audit: told of every change before it is made. Every
    verb takes `actor`, how the audit names the author: `terminal` where it is left out.
    """

    def __init__(
        self,
        records: Records,
        commits: GroupCommit,
        clock: Clock,
        *,
        applies: Applies,
        audit: Audit | None = None,
        currency: str = "EUR",
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records = records
        self._commits = commits
        self._clock = clock
        self._applies = applies
        self._audit = audit
        self._built_in = built_in(currency)
        self._ticks = ticks
        self._next_look = 0.0
        self._revision = -1
        self._last = Instant(0)
        self.made = 0
        """Grows whenever what stands here changes."""
        self._standing: Mapping[str, Experiment] = {}
        self._own: Mapping[str, Goal] = {}
        self._look()

    # What stands

    def standing(self) -> Mapping[str, Experiment]:
        """Every experiment by key, as of at most a second ago."""
        if self._ticks() >= self._next_look:
            self._look()
        return self._standing

    def goals(self) -> dict[str, Goal]:
        """Every measure by name, our own ones and those of the operator, which win."""
        return {**self._built_in, **self._own}

    def list(self) -> tuple[ExperimentVersion, ...]:
        """Every experiment, by key."""
        return tuple(map(_version, self._records.list(KIND)))

    def get(self, key: str) -> ExperimentVersion:
        """The version in force. Raises NotFound."""
        return _version(self._current(key))

    def versions(self, key: str, *, before: int | None = None) -> tuple[ExperimentVersion, ...]:
        """The newest 100 versions below `before`, newest first: the change log. Raises NotFound if none was."""
        found = self._records.versions(KIND, key, before=before)
        if not found and before is None:
            raise _missing(key)
        return tuple(map(_version, found))

    def checks(self, key: str) -> tuple[Check, ...]:
        """What should hold before the experiment starts. Raises NotFound."""
        experiment = self._experiment(key)
        found = []
        wanted: tuple[tuple[str, Callable[[], object]], ...] = (
            ("target", lambda: self._applies(experiment)),
            ("metrics", lambda: self._need_metrics(experiment)),
            ("conditions", lambda: Assigner(experiment)),
            ("layers", lambda: check_layers([*self._others(key), experiment])),
        )
        for name, check in wanted:
            try:
                check()
                found.append(Check(name, True, ""))
            except Invalid as invalid:
                found.append(Check(name, False, str(invalid)))
        clash = [
            one.key
            for one in self._others(key)
            if one.status is Status.RUNNING
            and one.on == experiment.on
            and not (one.layer and experiment.layer)
        ]
        why = (
            f"{', '.join(clash)} runs on the same target: give both a layer, or expect them to mix"
            if clash
            else ""
        )
        found.append(Check("alone", not clash, why, must=False))
        return tuple(found)

    # What changes it

    def put(
        self, key: str, body: object, *, author: str, note: str = "", expected: int | None = None,
        actor: str = "",
    ) -> ExperimentVersion:  # fmt: skip
        """Draft `key`, or change its draft. Raises Invalid, Conflict (also for one that has started)."""
        known = self._standing.get(key)
        if known is not None and known.status is not Status.DRAFT:
            raise Conflict(f"{key} has started: change its weights, stop it, or begin another")
        experiment = experiment_of(key, _login_safe(body))
        if experiment.status is not Status.DRAFT:
            raise Invalid(
                "experiment_invalid", "status: a definition is a draft; then start it", path="status"
            )
        Assigner(experiment)
        return self._write(experiment, Signed(author, actor, note, "put"), expected)

    def start(
        self, key: str, done: Done[ExperimentVersion], *, author: str, note: str = "", actor: str = ""
    ) -> None:
        """Let it run from now on. Raises NotFound, Invalid if a check that must hold does not."""
        experiment = self._experiment(key)
        for check in self.checks(key):
            if check.must and not check.ok:
                raise Invalid("experiment_not_ready", f"{check.name}: {check.why}")
        if experiment.stages:
            first = experiment.stages[0]
            experiment = reweighted(experiment, (1.0 - first, first), experiment.coverage, 0)
        signed = Signed(author, actor, note, "start")
        self._step(moved(experiment, Status.RUNNING, self._next()), done, signed)

    def weigh(
        self, key: str, weights: tuple[float, ...], coverage: float, done: Done[ExperimentVersion], *, author: str,
        note: str = "", actor: str = "",
    ) -> None:  # fmt: skip
        """Give the arms other shares from now on: an epoch of its own. Raises NotFound, Invalid."""
        changed = reweighted(self._experiment(key), weights, coverage, self._next())
        self._step(changed, done, Signed(author, actor, note, "weigh"))

    def stage(
        self, key: str, stage: int, done: Done[ExperimentVersion], *, author: str, note: str = "",
        actor: str = "",
    ) -> None:  # fmt: skip
        """Go to a stage of a staged roll-out, 0 for the first. Raises NotFound, Invalid."""
        changed = staged(self._experiment(key), stage, self._next())
        self._step(changed, done, Signed(author, actor, note, "stage"))

    def stop(
        self, key: str, outcome: Outcome, shipped: str | None, done: Done[ExperimentVersion], *, author: str,
        note: str = "", actor: str = "",
    ) -> None:  # fmt: skip
        """Give nobody an arm any more. Raises NotFound, Invalid."""
        changed = moved(self._experiment(key), Status.STOPPED, self._next(), outcome, shipped)
        self._step(changed, done, Signed(author, actor, note, "stop"))

    def roll_out(self, key: str, *, author: str, note: str = "", actor: str = "") -> ExperimentVersion:
        """Give everybody the arm that was shipped. Raises NotFound, Invalid."""
        changed = moved(self._experiment(key), Status.ROLLED_OUT, 0)
        return self._write(changed, Signed(author, actor, note, "roll_out"), None)

    def archive(self, key: str, *, author: str, note: str = "", actor: str = "") -> ExperimentVersion:
        """Put it away: it is kept, and does nothing. Raises NotFound, Invalid."""
        changed = moved(self._experiment(key), Status.ARCHIVED, 0)
        return self._write(changed, Signed(author, actor, note, "archive"), None)

    def put_goal(self, name: str, body: object, *, author: str, note: str = "", actor: str = "") -> Goal:
        """Define a measure. Experiments that run keep the one they started with. Raises Invalid."""
        goal = goal_of(name, body)
        draft = Draft(METRIC, name, msgspec.json.encode(goal), author, self._clock.now(), note)
        self._records.put(draft, tell=telling(self._audit, actor, METRIC, "put"))
        self._look()
        return goal

    # How

    def _step(self, experiment: Experiment, done: Done[ExperimentVersion], signed: Signed) -> None:
        """Tell the audit, say it in the log, and once that is durable in the records."""
        if len(signed.note) > MOST_NOTE:
            raise Invalid("request_invalid", f"a note has at most {MOST_NOTE} characters", path="note")
        before = self._current(experiment.key)
        after = msgspec.structs.replace(
            before, version=before.version + 1, body=msgspec.json.encode(experiment)
        )
        record = self._record(experiment)
        if tell := telling(self._audit, signed.actor, KIND, signed.verb):
            tell(before, after)

        def finished(outcome: object) -> None:
            if isinstance(outcome, HeedfulError):
                done(outcome)
                return
            try:
                done(self._write(experiment, signed, before.version, told=True))
            except HeedfulError as error:
                done(error)

        self._commits.submit((record,), finished)

    def _record(self, experiment: Experiment) -> Record:
        at = self._last
        last = experiment.epochs[-1]
        trial = Trial(
            key=experiment.key,
            arms=tuple(arm.key for arm in experiment.arms),
            weights=tuple(round(weight * last.coverage * _FINEST) for weight in last.weights),
            measures=tuple(goal.measure for goal in self._chosen(experiment)),
            running=experiment.status is Status.RUNNING,
        )
        event = Event(kind=TRIAL, name=experiment.key, properties=msgspec.json.encode(trial))
        identity = EventId(f"trial:{experiment.key}:{at}")
        return Record(identity, NOBODY, at, at, Instant(0), at, encode(event))

    def _chosen(self, experiment: Experiment) -> tuple[Goal, ...]:
        guardrails = (guardrail.metric for guardrail in experiment.guardrails)
        return chosen((*experiment.metrics, *guardrails), self.goals())

    def _need_metrics(self, experiment: Experiment) -> None:
        if not self._chosen(experiment):
            raise Invalid(
                "experiment_invalid", "name at least one metric, or nothing is measured", path="metrics"
            )

    def _others(self, key: str) -> Iterable[Experiment]:
        return [one for one in self.standing().values() if one.key != key]

    def _next(self) -> Instant:
        """Now, and later than any step before."""
        self._last = Instant(max(self._clock.now(), self._last + 1))
        return self._last

    def _write(
        self, experiment: Experiment, signed: Signed, expected: int | None, *, told: bool = False
    ) -> ExperimentVersion:
        """told: whether the audit has heard of it."""
        body = msgspec.json.encode(experiment)
        draft = Draft(KIND, experiment.key, body, signed.author, self._clock.now(), signed.note)
        tell = None if told else telling(self._audit, signed.actor, KIND, signed.verb)
        made = self._records.put(draft, expected=expected, tell=tell)
        self._look()
        return _version(made)

    def _experiment(self, key: str) -> Experiment:
        found = _read(self._current(key))
        if found is None:
            raise Invalid("experiment_invalid", f"{key!r} was written by a later version of this program")
        return found

    def _current(self, key: str) -> Definition:
        found = self._records.current(KIND, key)
        if found is None:
            raise _missing(key)
        return found

    def _look(self) -> None:
        """Take over what changed. While the records cannot be read, what we know goes on."""
        self._next_look = self._ticks() + _LOOK_AGAIN
        try:
            revision = self._records.revision()
            if revision == self._revision:
                return
            read = {one.name: _read(one) for one in self._records.list(KIND)}
            own = {one.name: msgspec.json.decode(one.body, type=Goal) for one in self._records.list(METRIC)}
        except (HeedfulError, msgspec.DecodeError):
            return
        self._standing = {key: one for key, one in read.items() if one is not None}
        self._own, self._revision = own, revision
        self.made += 1


def _login_safe(body: object) -> object:
    """The draft with what keeps a person's arm when they log in, where it says nothing else of it."""
    if not isinstance(body, dict) or body.get("unit", "person") != "person":
        return body
    if body.get("hashAttribute", "id") != "id" or body.get("sticky") is False:
        return body
    return {"fallbackAttribute": "anonymousId", **body}


def _read(definition: Definition) -> Experiment | None:
    """None for what a later program wrote."""
    try:
        return msgspec.json.decode(definition.body, type=Experiment)
    except msgspec.DecodeError:
        return None


def _version(definition: Definition) -> ExperimentVersion:
    return ExperimentVersion(
        key=definition.name,
        version=definition.version,
        author=definition.author,
        created=iso(definition.created),
        note=definition.note,
        experiment=_read(definition) if definition.body else None,
    )


def _missing(key: str) -> NotFound:
    return NotFound(f"there is no experiment {key!r}; GET /v1/experiments lists them")
