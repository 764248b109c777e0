"""Every metric of an experiment in every arm, judged together: the result page's figures.

The sample ratio comes first: while it alarms, every metric is refused, because arms that lost units unevenly
differ for reasons other than the treatment. Goals share one correction for their number; guardrails are
one-sided, each asks "is it harmed by more than is tolerated?", and are not corrected, because a missed harm
is the worse mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from heedful.experiments.inference.answers import Answer, Code, Estimate, Method, Refusal
from heedful.experiments.inference.arms import Measure
from heedful.experiments.inference.contrasts import Contrast, contrast
from heedful.experiments.inference.methods import judged, too_few
from heedful.experiments.inference.multiplicity import Rule, corrected, levels
from heedful.experiments.inference.plans import RUNNING, Plan, Side, Stage
from heedful.experiments.inference.sample_ratio import SampleRatio, sample_ratio
from heedful.experiments.inference.strata import over_epochs, poststratified
from heedful.experiments.inference.sums import Sums


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """rises: more is better. guardrail: must not be harmed. tolerated: harm that is accepted, at least 0, on
    the scale of the plan.
    """

    name: str
    measure: Measure = Measure()
    rises: bool = True
    guardrail: bool = False
    tolerated: float = 0.0


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """units: exposed, for the sample ratio. sums: by metric. weight: the planned share of traffic.

    epochs: by metric too, the sums of each epoch, where weights changed on the way: then effects are judged within
    epochs (`strata.over_epochs`). strata: by metric, the sums of each stratum, in the same order in every arm;
    where they are given effects are post-stratified, unless there is more than one epoch.
    """

    name: str
    units: int
    sums: Mapping[str, Sums]
    weight: float = 1.0
    epochs: Mapping[str, Sequence[Sums]] = {}
    strata: Mapping[str, Sequence[Sums]] = {}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one arm against the control. corrected: the same interval and p after the correction;
    None of guardrails, and where there is no p. harmed: a guardrail that was crossed; improved, worsened: a
    goal's verdict.
    """

    metric: str
    arm: str
    answer: Answer
    corrected: Estimate | None = None
    harmed: bool = False
    improved: bool = False
    worsened: bool = False


class Scorecard(msgspec.Struct, frozen=True, kw_only=True):
    """ratio: of units to arms. rows: by metric, then by arm."""

    ratio: SampleRatio | Refusal
    rows: tuple[Row, ...]


def scorecard(
    metrics: Sequence[Metric],
    arms: Sequence[Arm],
    plan: Plan,
    stage: Stage = RUNNING,
    *,
    rule: Rule = Rule.HOLM,
    p_before: float = 1.0,
) -> Scorecard:
    """All figures. arms: the control first. rule: over goals and arms. p_before: of the ratio's look before.

    An arm without sums of a metric counts as having none. Raises ValueError for fewer than two arms.
    """
    if len(arms) < 2:
        raise ValueError("an experiment has a control and at least one other arm")
    ratio = sample_ratio([arm.units for arm in arms], [arm.weight for arm in arms], p_before=p_before)
    alarm = isinstance(ratio, SampleRatio) and ratio.alarm
    effects: list[Contrast | Refusal] = []
    rows: list[Row] = []
    for metric in metrics:
        judge = _guarded(plan, metric) if metric.guardrail else plan
        for arm in arms[1:]:
            effect = _mismatched(arms[0], arm) if alarm else _effect(metric, arms[0], arm, plan)
            effects.append(effect)
            answer = judged(effect, judge, stage)
            crossed = metric.guardrail and isinstance(answer, Estimate) and _below(answer.p, plan.alpha)
            up, down = _believed(answer, plan.alpha, rises=metric.rises)
            row = Row(
                metric=metric.name, arm=arm.name, answer=answer, harmed=crossed, improved=up, worsened=down
            )
            rows.append(row)
    rises = {metric.name: metric.rises for metric in metrics}
    goals = {metric.name for metric in metrics if not metric.guardrail}
    return Scorecard(ratio=ratio, rows=_corrected(rows, effects, goals, rises, plan, stage, rule))


def _corrected(
    rows: list[Row],
    effects: Sequence[Contrast | Refusal],
    goals: set[str],
    rises: Mapping[str, bool],
    plan: Plan,
    stage: Stage,
    rule: Rule,
) -> tuple[Row, ...]:
    """The rows with goals judged again at the levels the correction leaves them."""
    ps = {
        place: row.answer.p
        for place, row in enumerate(rows)
        if row.metric in goals and isinstance(row.answer, Estimate) and row.answer.p is not None
    }
    shares = zip(
        ps, corrected(list(ps.values()), rule), levels(list(ps.values()), plan.alpha, rule), strict=True
    )
    for place, p, alpha in shares:
        same = alpha == plan.alpha
        again = rows[place].answer if same else judged(effects[place], plan, stage, alpha=alpha)
        if isinstance(again, Estimate):
            found = p <= plan.alpha
            up = (again.value > plan.null) is rises[rows[place].metric]
            rows[place] = msgspec.structs.replace(
                rows[place], corrected=msgspec.structs.replace(again, p=p), improved=found and up,
                worsened=found and not up,
            )  # fmt: skip
    return tuple(rows)


def _effect(metric: Metric, control: Arm, arm: Arm, plan: Plan) -> Contrast | Refusal:
    one, other = control.sums.get(metric.name, Sums()), arm.sums.get(metric.name, Sums())
    if refusal := too_few((one.n, other.n), plan.fewest):
        return refusal
    pairs = list(zip(control.epochs.get(metric.name, ()), arm.epochs.get(metric.name, ()), strict=False))
    if len(pairs) > 1:
        return over_epochs(pairs, metric.measure, plan.scale)
    strata = list(zip(control.strata.get(metric.name, ()), arm.strata.get(metric.name, ()), strict=True))
    if strata:
        return poststratified(strata, metric.measure, plan.scale)
    return contrast(one, other, metric.measure, plan.scale)


def _guarded(plan: Plan, metric: Metric) -> Plan:
    """One-sided towards harm, from the harm that is tolerated; sequential whatever the plan, as it is watched."""
    side = Side.LESS if metric.rises else Side.GREATER
    null = -metric.tolerated if metric.rises else metric.tolerated
    return msgspec.structs.replace(plan, method=Method.SEQUENTIAL, side=side, null=null)


def _believed(answer: Answer, alpha: float, *, rises: bool) -> tuple[bool, bool]:
    """Whether a Bayesian answer is sure enough that the arm is better, or worse: 1 - alpha, uncorrected."""
    if not isinstance(answer, Estimate) or answer.chance_to_win is None:
        return False, False
    higher, lower = answer.chance_to_win >= 1 - alpha, answer.chance_to_win <= alpha
    return (higher, lower) if rises else (lower, higher)


def _mismatched(control: Arm, arm: Arm) -> Refusal:
    why = (
        "Units did not come to the arms in the planned shares, so a difference may come from who is missing."
    )
    return Refusal(Code.SAMPLE_RATIO_MISMATCH, why, (control.units, arm.units))


def _below(p: float | None, alpha: float) -> bool:
    return p is not None and p <= alpha
