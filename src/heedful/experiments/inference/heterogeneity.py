"""Does the effect differ between segments? One interaction test per dimension, corrected for their number.

Cochran's Q: Σ (Δ_s - Δ̄)² / V_s over segments, chi-squared with one degree fewer than segments if all effects
are equal (Cochran 1954). A fixed-horizon test: ask it at the end. Segments' own intervals are corrected too,
because the most striking of many is striking by chance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from heedful.experiments.inference.answers import Answer, Code, Estimate, Refusal
from heedful.experiments.inference.contrasts import Contrast
from heedful.experiments.inference.methods import judged
from heedful.experiments.inference.multiplicity import Rule, corrected, levels
from heedful.experiments.inference.plans import RUNNING, Plan, Stage
from heedful.experiments.inference.special import chi2_tail


class Interaction(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="result", tag="interaction"
):
    """q, df, p: Cochran's. p_corrected: over all dimensions asked. pooled: the effect if it were one,
    weighted by precision. segments: each with its corrected interval, or why it has none.
    """

    q: float
    df: int
    p: float
    p_corrected: float
    pooled: float
    segments: Mapping[str, Answer]


def heterogeneity(
    dimensions: Mapping[str, Mapping[str, Contrast | Refusal]],
    plan: Plan,
    stage: Stage = RUNNING,
    *,
    rule: Rule = Rule.HOLM,
) -> dict[str, Interaction | Refusal]:
    """Per dimension (`country`), from the contrasts of its segments (`NO`, `SE`), all on one scale.

    Segments below the plan's fewest units are not tested. A dimension with fewer than two others is refused.
    """
    tested = {name: _q(segments, plan) for name, segments in dimensions.items()}
    names = [name for name, found in tested.items() if not isinstance(found, Refusal)]
    ps = dict(zip(names, corrected([_p_of(tested[name]) for name in names], rule), strict=True))
    answers: dict[str, Interaction | Refusal] = {}
    for name, found in tested.items():
        if isinstance(found, Refusal):
            answers[name] = found
            continue
        q, df, pooled = found
        answers[name] = Interaction(
            q=q, df=df, p=chi2_tail(q, df), p_corrected=ps[name], pooled=pooled,
            segments=_segments(dimensions[name], plan, stage, rule),
        )  # fmt: skip
    return answers


def _q(segments: Mapping[str, Contrast | Refusal], plan: Plan) -> tuple[float, int, float] | Refusal:
    usable = [
        each for each in segments.values() if isinstance(each, Contrast) and min(each.units) >= plan.fewest
    ]
    if len(usable) < 2:
        why = f"{len(usable)} segments have at least {plan.fewest} units in each arm; a comparison needs two."
        return Refusal(Code.TOO_FEW_GROUPS, why)
    weight = math.fsum(1 / each.variance for each in usable)
    pooled = math.fsum(each.value / each.variance for each in usable) / weight
    q = math.fsum((each.value - pooled) ** 2 / each.variance for each in usable)
    return q, len(usable) - 1, pooled


def _p_of(found: tuple[float, int, float] | Refusal) -> float:
    return 1.0 if isinstance(found, Refusal) else chi2_tail(found[0], found[1])


def _segments(
    segments: Mapping[str, Contrast | Refusal], plan: Plan, stage: Stage, rule: Rule
) -> dict[str, Answer]:
    answers = {name: judged(effect, plan, stage) for name, effect in segments.items()}
    with_p = {
        name: answer.p
        for name, answer in answers.items()
        if isinstance(answer, Estimate) and answer.p is not None
    }
    alphas = levels(list(with_p.values()), plan.alpha, rule)
    for name, alpha in zip(with_p, alphas, strict=True):
        answers[name] = judged(segments[name], plan, stage, alpha=alpha)
    return answers
