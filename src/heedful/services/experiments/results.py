"""What came of an experiment: the sums of its trial, read by the statistics that it was planned with.

A result is as fresh as the fold. Figures over fewer units than the smallest group are not given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from heedful.experiments.inference.answers import Answer, Method, Refusal, Scale
from heedful.experiments.inference.arms import Kind
from heedful.experiments.inference.arms import Measure as Reading
from heedful.experiments.inference.contrasts import Contrast, contrast
from heedful.experiments.inference.heterogeneity import Interaction, heterogeneity
from heedful.experiments.inference.methods import compare
from heedful.experiments.inference.novelty import novelty
from heedful.experiments.inference.plans import Plan, Stage
from heedful.experiments.inference.power import days_left, spread_of
from heedful.experiments.inference.sample_ratio import SampleRatio
from heedful.experiments.inference.scorecard import Arm, Metric, Row, scorecard
from heedful.experiments.inference.strata import over_epochs
from heedful.experiments.inference.sums import Sums, merged
from heedful.services.experiments.life import Experiments
from heedful.services.experiments.measures import Goal
from heedful.services.experiments.ratios import Ratios
from heedful.services.experiments.unit_rows import SEGMENTS, Table, units_of
from heedful.views.fold import Fold
from heedful.views.trial_sums import FOREVER, Cell, Standing
from heedful.views.trial_sums import Sums as TrialSums
from heedful.vocabulary.errors import Invalid, NotFound
from heedful.vocabulary.experiment import Experiment, Status
from heedful.vocabulary.time import DAY, Clock, Instant, iso
from heedful.vocabulary.trial import Aggregate, Measure

MDE = 0.1
"""The relative effect for which days left are told, unless another is asked for."""


class ArmUnits(msgspec.Struct, frozen=True, rename="camel"):
    """units: exposed to it first, None below the smallest group. share: of the traffic, as planned now."""

    arm: str
    units: int | None
    share: float


class Level(msgspec.Struct, frozen=True, rename="camel"):
    """A metric in one arm, as it is: per unit, or per event of its denominator. None where it cannot be told."""

    metric: str
    arm: str
    value: float | None


class Day(msgspec.Struct, frozen=True, rename="camel"):
    """The effect on everything up to the end of a day (UTC)."""

    day: str
    arm: str
    units: int
    answer: Answer


class Result(msgspec.Struct, frozen=True, rename="camel"):
    """Everything that is told of one experiment. position: what the figures have seen.

    harmed: the guardrails that were crossed. stratified: whether effects were judged within those who were known
    and the others, and put together by how many each are.
    rows: each metric and guardrail in each arm against the control, which is the first arm. crossed: units that
    saw more than one arm and count for none. days_left: until an effect of 10% on the first metric would be
    found. segments: of the first metric, whether its effect differs between those who were known and the others.
    """

    key: str
    status: Status
    method: Method
    scale: Scale
    since: str
    until: str | None
    position: str
    arms: tuple[ArmUnits, ...]
    crossed: int
    epochs: int
    ratio: SampleRatio | Refusal
    levels: tuple[Level, ...]
    rows: tuple[Row, ...]
    days_left: float | Refusal | None
    segments: Interaction | Refusal | None
    harmed: tuple[str, ...] = ()
    stratified: bool = False


class Results:
    """The service. One thread owns it and the fold. smallest: no count of fewer units is told.

    ratios: what earlier looks at the sample ratios came to.
    """

    def __init__(
        self, experiments: Experiments, fold: Fold, clock: Clock, *, ratios: Ratios, smallest: int = 20
    ) -> None:
        self._experiments = experiments
        self._fold = fold
        self._ratios = ratios
        self._clock = clock
        self._smallest = smallest

    def result(
        self,
        key: str,
        *,
        scale: Scale = Scale.RELATIVE,
        method: Method | None = None,
        segment: Literal["new", "returning"] | None = None,
        stratified: bool = False,
    ) -> Result:
        """The figures as of now. method: another than the planned one, to look at. stratified: as in `Result`; not
        together with a segment. Raises NotFound, Invalid.
        """
        if stratified and segment is not None:
            raise Invalid("request_invalid", "stratify over both segments, or ask for one", path="stratified")
        experiment, standing = self._known(key)
        plan, stage = self._plan(experiment, standing, scale, method)
        fresh = None if segment is None else SEGMENTS.index(segment)
        goals = self._goals(experiment, standing)
        sums = _Reader(standing, fresh)
        arms = [
            Arm(
                name=arm,
                units=sum(one.units for (_, place), one in standing.totals.items() if place == number),
                sums={goal.measure.name: merged(sums.by_epoch(number, m)) for m, goal in goals.items()},
                epochs={goal.measure.name: sums.by_epoch(number, m) for m, goal in goals.items()},
                weight=_share(standing, number),
                strata=self._strata(goals, standing, number) if stratified else {},
            )
            for number, arm in enumerate(standing.trial.arms)
        ]
        metrics = [self._metric(experiment, goal, scale, arms[0]) for goal in goals.values()]
        card = scorecard(metrics, arms, plan, stage, p_before=self._ratios.before(key))
        if isinstance(card.ratio, SampleRatio):
            self._ratios.seen(key, card.ratio.p_sequential)
        first, head = next(iter(goals.items()))
        return Result(
            key=key,
            status=experiment.status,
            method=plan.method,
            scale=scale,
            since=iso(Instant(standing.since)),
            until=None if standing.until == FOREVER else iso(Instant(standing.until)),
            position=self._fold.cursor.encode(),
            arms=tuple(ArmUnits(arm.name, self._told(arm.units), round(arm.weight, 6)) for arm in arms),
            crossed=standing.crossed,
            epochs=len(standing.weights),
            ratio=card.ratio,
            levels=tuple(
                Level(goal.measure.name, arm.name, self._level(goal, arm))
                for goal in goals.values()
                for arm in arms
            ),
            rows=card.rows,
            days_left=self._days_left(standing, plan, head, first),
            segments=self._segments(standing, plan, head, first),
            harmed=tuple(dict.fromkeys(row.metric for row in card.rows if row.harmed)),
            stratified=stratified,
        )

    def series(self, key: str, metric: str, *, scale: Scale = Scale.RELATIVE) -> tuple[Day, ...]:
        """How the effect on one metric came to be, day by day. Raises NotFound, Invalid."""
        experiment, standing = self._known(key)
        plan, stage = self._plan(experiment, standing, scale, None)
        m, goal = self._measured(experiment, standing, metric)
        told = []
        for day in sorted({cell.day for cell in standing.cells}):
            until = _Reader(standing, None, day)
            for arm in range(1, len(standing.trial.arms)):
                pairs = list(zip(until.by_epoch(0, m), until.by_epoch(arm, m), strict=True))
                control, treatment = merged(one for one, _ in pairs), merged(other for _, other in pairs)
                answer = compare(control, treatment, reading_of(goal.measure), plan, stage)
                units = control.n + treatment.n
                if units >= self._smallest:
                    told.append(Day(iso(Instant(day * DAY))[:10], standing.trial.arms[arm], units, answer))
        return tuple(told)

    def novelty(self, key: str, metric: str, *, ages: int = 7) -> Answer:
        """Whether the effect on a metric wears off or is learned: its slope over days since the first exposure.

        Reads every unit's history. ages: days, 4 to 30. Raises NotFound, Invalid.
        """
        if not 4 <= ages <= 30:
            raise Invalid("ages_invalid", f"ages must be 4 to 30, not {ages}", path="ages")
        experiment, standing = self._known(key)
        plan, _ = self._plan(experiment, standing, Scale.ABSOLUTE, None)
        m, goal = self._measured(experiment, standing, metric)
        today, by_age = self._clock.now(), {}
        for age, sums in enumerate(self._fold.trials.by_age(standing, m, ages, until=today)):
            control, treatment = _sums_of(sums.get(0)), _sums_of(sums.get(1))
            by_age[age] = contrast(control, treatment, reading_of(goal.measure), plan.scale)
        return novelty(by_age, alpha=plan.alpha)

    def harmed(self, key: str) -> tuple[str, ...]:
        """The guardrails that were crossed, by metric. Raises NotFound."""
        return self.result(key).harmed

    def units(self, key: str) -> Table:
        """Every unit's figures, without saying whose: `unit_rows.units_of`. Raises NotFound, Invalid."""
        return units_of(self._known(key)[1], self._smallest)

    def _known(self, key: str) -> tuple[Experiment, Standing]:
        experiment = self._experiments.standing().get(key)
        if experiment is None:
            raise NotFound(f"there is no experiment {key!r}; GET /v1/experiments lists them")
        standing = self._fold.trials.standing(key)
        if standing is None:
            raise Invalid("experiment_not_started", f"{key} has not started, so there is nothing to tell")
        return experiment, standing

    def _plan(
        self, experiment: Experiment, standing: Standing, scale: Scale, method: Method | None
    ) -> tuple[Plan, Stage]:
        asked = experiment.statistics
        chosen = Method(asked.kind) if method is None else method
        units = sum(one.units for one in standing.totals.values())
        looks = [share for share in asked.looks if share * asked.units <= units]
        plan = Plan(
            method=chosen,
            scale=scale,
            alpha=asked.alpha,
            tuned_for=float(asked.units),
            looks=asked.looks or (1.0,),
            fewest=max(self._smallest, Plan().fewest),
        )
        finished = units >= asked.units or experiment.status is not Status.RUNNING
        return plan, Stage(finished=finished, look=len(looks) - 1 if looks else None)

    def _goals(self, experiment: Experiment, standing: Standing) -> dict[int, Goal]:
        """By the place of their measure in the trial; the measure is the one that was frozen there."""
        known = self._experiments.goals()
        goals = {}
        for place, measure in enumerate(standing.trial.measures):
            rises = known[measure.name].rises if measure.name in known else True
            goals[place] = Goal(measure, rises)
        if not goals:
            raise Invalid("experiment_invalid", f"{experiment.key} measures nothing", path="metrics")
        return goals

    def _measured(self, experiment: Experiment, standing: Standing, metric: str) -> tuple[int, Goal]:
        for place, goal in self._goals(experiment, standing).items():
            if goal.measure.name == metric:
                return place, goal
        raise Invalid("metric_unknown", f"{experiment.key} does not measure {metric!r}", path="metric")

    def _strata(self, goals: Mapping[int, Goal], standing: Standing, arm: int) -> dict[str, tuple[Sums, ...]]:
        """The sums of each measure in an arm, by segment."""
        readers = [_Reader(standing, fresh) for fresh in range(len(SEGMENTS))]
        return {
            goal.measure.name: tuple(merged(reader.by_epoch(arm, m)) for reader in readers)
            for m, goal in goals.items()
        }

    def _metric(self, experiment: Experiment, goal: Goal, scale: Scale, control: Arm) -> Metric:
        name = goal.measure.name
        guardrail = next((one for one in experiment.guardrails if one.metric == name), None)
        return Metric(
            name=name,
            measure=reading_of(goal.measure),
            rises=goal.rises if guardrail is None else guardrail.worse == "down",
            guardrail=guardrail is not None and name not in experiment.metrics,
            tolerated=0.0 if guardrail is None else guardrail.margin * self._step_of(goal, scale, control),
        )

    def _step_of(self, goal: Goal, scale: Scale, control: Arm) -> float:
        """What a relative margin of 1 is on the scale: margins are relative to the control."""
        if scale is not Scale.ABSOLUTE:
            return 1.0
        sums = control.sums[goal.measure.name]
        below = sums.d if goal.measure.per else sums.n
        return abs(sums.y / below) if below else 0.0

    def _told(self, units: int) -> int | None:
        return units if units >= self._smallest else None

    def _level(self, goal: Goal, arm: Arm) -> float | None:
        sums = arm.sums[goal.measure.name]
        below = sums.d if goal.measure.per else sums.n
        return sums.y / below if sums.n >= self._smallest and below else None

    def _days_left(self, standing: Standing, plan: Plan, goal: Goal, m: int) -> float | Refusal | None:
        reader = _Reader(standing)
        pairs = list(zip(reader.by_epoch(0, m), reader.by_epoch(1, m), strict=True))
        effect = over_epochs(pairs, reading_of(goal.measure), plan.scale)
        if isinstance(effect, Refusal):
            return effect
        days = max(1.0, (min(self._clock.now(), standing.until) - standing.since) / DAY)
        size = MDE if plan.scale is Scale.RELATIVE else MDE * effect.reference
        return days_left(plan, spread_of(effect), size, units=effect.n, units_per_day=effect.n / days)

    def _segments(self, standing: Standing, plan: Plan, goal: Goal, m: int) -> Interaction | Refusal:
        dimension: dict[str, Contrast | Refusal] = {}
        for fresh, name in enumerate(SEGMENTS):
            reader = _Reader(standing, fresh)
            control, treatment = merged(reader.by_epoch(0, m)), merged(reader.by_epoch(1, m))
            dimension[name] = contrast(control, treatment, reading_of(goal.measure), plan.scale)
        return heterogeneity({"known": dimension}, plan)["known"]


class _Reader:
    """The sums of a trial over some of its cells. fresh: of one segment. until: up to a day, inclusive."""

    def __init__(self, standing: Standing, fresh: int | None = None, until: int | None = None) -> None:
        self._standing = standing
        self._cells: Sequence[Cell] | None = None
        if (fresh, until) != (None, None):
            self._cells = [
                cell
                for cell in standing.cells
                if (fresh is None or cell.fresh == fresh) and (until is None or cell.day <= until)
            ]

    def by_epoch(self, arm: int, measure: int) -> tuple[Sums, ...]:
        """The sums of a measure in an arm, for each epoch in order."""
        standing = self._standing
        if self._cells is None:
            totals = [standing.totals.get((epoch, arm)) for epoch in range(len(standing.weights))]
            return tuple(Sums() if one is None else _sums(one.units, one.moments[measure]) for one in totals)
        parts: list[list[Sums]] = [[] for _ in standing.weights]
        for cell in self._cells:
            if cell.arm == arm:
                one = standing.cells[cell]
                parts[cell.epoch].append(_sums(one.units, one.moments[measure]))
        return tuple(merged(each) for each in parts)


def _sums(units: int, moments: Any) -> Sums:
    return Sums(units, *moments.tolist())


def _sums_of(one: TrialSums | None) -> Sums:
    return Sums() if one is None else _sums(one.units, one.moments[0])


def reading_of(measure: Measure) -> Reading:
    """How the statistics read a measure."""
    if measure.per:
        return Reading(kind=Kind.RATIO)
    return Reading(kind=Kind.PROPORTION if measure.aggregate is Aggregate.ANY else Kind.MEAN)


def _share(standing: Standing, arm: int) -> float:
    """An arm's planned share of the units, over epochs by how many units came in each."""
    total = planned = 0.0
    for epoch, (_, weights) in enumerate(standing.weights):
        units = sum(one.units for (when, _), one in standing.totals.items() if when == epoch)
        planned += units * weights[arm] / sum(weights)
        total += units
    last = standing.weights[-1][1]
    return planned / total if total else last[arm] / sum(last)
