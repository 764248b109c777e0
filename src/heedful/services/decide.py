"""Choose one of several variants for somebody, and write down what was chosen and how likely it was."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from math import isfinite
from random import Random
from typing import Any

import msgspec
import structlog

from heedful.log.codec import encode
from heedful.log.commit import GroupCommit
from heedful.models.variants.chooser import Chooser, Odds
from heedful.models.variants.draw import UNITS, draw, probability
from heedful.models.variants.features import Moment, moment_of
from heedful.services.experiments.arms import algorithm_of, variant_of
from heedful.services.experiments.assign import NOTHING, Assign, Assigned
from heedful.services.gates import Gate, Gates
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.views.variant_facts import own_id
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.event import Event, Record
from heedful.vocabulary.ids import NOBODY, DecisionId, SubjectId
from heedful.vocabulary.kinds import DECISION
from heedful.vocabulary.time import Clock, Instant
from heedful.vocabulary.variants import (
    MARK,
    MOST_VARIANTS,
    Algorithm,
    DecideAnswer,
    DecideRequest,
    Variant,
    VariantDecision,
    VariantPlacement,
)

Definitions = Callable[[str], VariantPlacement | None]
"""The definition of a placement by name, or None where there is none."""

MAX_NAME = 200
MAX_CONTEXT = 32
_UNSAID = Instant(0)

log = structlog.get_logger("heedful.decide")


class Decide:
    """The service. One thread owns it and the fold."""

    def __init__(
        self,
        *,
        fold: Fold,
        commits: GroupCommit,
        gates: Gates,
        assign: Assign,
        pseudonyms: Pseudonyms,
        clock: Clock,
        definitions: Definitions = lambda _: None,
    ) -> None:
        self._fold = fold
        self._commits = commits
        self._gates = gates
        self._assign = assign
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._definitions = definitions
        self._chooser = Chooser(fold.variants)
        self._encoder = msgspec.json.Encoder()
        self._dice = Random(os.urandom(32))  # noqa: S311 - chance to be replayed, no secret
        self.decisions = 0
        self.degraded = 0

    def decide(self, request: DecideRequest) -> DecideAnswer:
        """Choose from the state of this moment. The decision goes to the log without being waited for.

        Where choosing fails, the first variant is shown with probability 1, and the answer says `degraded`.
        Raises Invalid when a field is out of range or names what is not there.
        """
        _check(request)
        placement = self._placement(request)
        now = self._clock.now()
        seed = self._dice.getrandbits(64)
        said = dict(request.context)
        gate = self._gates.question(
            request.user_id or "", request.anonymous_id or "", said.pop("consent", None)
        )
        try:
            # What a site says of the moment it knows of the person too.
            moment = moment_of(_plain(said) if gate.personalization.allowed else {})
            assigned = self._assigned(request, said, now, gate)
            placement = _as_assigned(placement, assigned)
            odds = self._chooser.odds(request.placement, placement, moment, now)
            if not gate.experiments.allowed:
                odds = _likeliest(odds)
            place, degraded = draw(seed, odds.parts), False
        except Exception:  # a page must not stay empty because a statistic is broken
            log.exception("decide_degraded", placement=request.placement)
            moment, assigned = moment_of({}), NOTHING
            odds = Odds([UNITS] + [0] * (len(placement.variants) - 1), None, informed=False)
            place, degraded = 0, True
            self.degraded += 1
        answer = self._answer(request, placement, odds, place, now, seed, gate, assigned, degraded=degraded)
        self._write_down(answer, request, placement, odds, moment, seed, now, gate)
        self.decisions += 1
        return answer

    def _assigned(
        self, request: DecideRequest, said: Mapping[str, Any], now: Instant, gate: Gate
    ) -> Assigned:
        if not gate.experiments.allowed:
            return NOTHING
        user, anonymous = request.user_id or "", request.anonymous_id or ""
        return self._assign.on(
            "variants", request.placement, user=user, anonymous=anonymous, said=said, now=now
        )

    def _placement(self, request: DecideRequest) -> VariantPlacement:
        """The definition, as far as the request does not say otherwise; or one made of the request alone."""
        defined = self._definitions(request.placement)
        asked = request.variants
        if defined is None:
            if not asked:
                raise Invalid(
                    "variants_missing",
                    f"no placement {request.placement!r} is defined: name variants",
                    path="variants",
                )
            defined = VariantPlacement(tuple(Variant(name) for name in asked))
        elif asked is not None:
            by_id = {variant.id: variant for variant in defined.variants}
            for number, name in enumerate(asked):
                if name not in by_id:
                    raise Invalid(
                        "variant_unknown",
                        f"the placement has no variant {name!r}",
                        path=f"variants[{number}]",
                    )
            defined = msgspec.structs.replace(defined, variants=tuple(by_id[name] for name in asked))
        if request.algorithm is not None:
            defined = msgspec.structs.replace(defined, algorithm=request.algorithm)
        return defined

    def _answer(
        self, request: DecideRequest, placement: VariantPlacement, odds: Odds, place: int, now: Instant,
        seed: int, gate: Gate, assigned: Assigned, *, degraded: bool,
    ) -> DecideAnswer:  # fmt: skip
        chosen = placement.variants[place]
        shares = [probability(part) for part in odds.parts]
        return DecideAnswer(
            decision_id=DecisionId(f"{MARK}{now:x}{seed:016x}"),
            variant=chosen.id,
            payload=chosen.payload,
            propensity=shares[place],
            propensities={
                variant.id: share for variant, share in zip(placement.variants, shares, strict=True)
            },
            personalized=odds.informed,
            position=self._fold.cursor.encode(),
            degraded=degraded,
            withheld=gate.withheld,
            arms=dict(assigned.arms),
            trace={**_trace(placement, odds), "consent": gate.told(), "experiments": assigned.told()}
            if request.explain
            else None,
        )

    def _write_down(
        self, answer: DecideAnswer, request: DecideRequest, placement: VariantPlacement, odds: Odds,
        moment: Moment, seed: int, now: Instant, gate: Gate,
    ) -> None:  # fmt: skip
        kept = VariantDecision(
            request.placement, answer.variant, [variant.id for variant in placement.variants], odds.parts, seed,
            moment.cell, list(moment.features), placement.algorithm.value, answer.position,
            answer.personalized, answer.degraded, list(answer.arms.items()),
        )  # fmt: skip
        user, anonymous = request.user_id or "", request.anonymous_id or ""
        event = Event(
            kind=DECISION,
            user=user,
            anonymous=anonymous,
            name=request.placement,
            decision=answer.decision_id,
            properties=self._encoder.encode(kept),
            context=gate.carried,
        )
        record = Record(
            own_id(answer.decision_id),
            self._subject(user, anonymous),
            now,
            _UNSAID,
            _UNSAID,
            now,
            encode(event),
        )
        self._commits.defer((record,), self._commits.unwatched)

    def _subject(self, user: str, anonymous: str) -> SubjectId:
        if user:
            return self._pseudonyms.user(user)
        return self._pseudonyms.anonymous(anonymous) if anonymous else NOBODY


def replay(decision: VariantDecision) -> str:
    """The variant that the logged seed and parts lead to: the one that was shown."""
    return decision.variants[draw(decision.seed, decision.parts)]


def _as_assigned(placement: VariantPlacement, assigned: Assigned) -> VariantPlacement:
    """The placement as arms change it: one variant alone, or another way to choose."""
    for part in assigned.parts:
        shown = variant_of(part.value)
        only = tuple(variant for variant in placement.variants if variant.id == shown)
        if only:
            placement = msgspec.structs.replace(placement, variants=only)
        elif (algorithm := algorithm_of(part.value)) is not None:
            placement = msgspec.structs.replace(placement, algorithm=Algorithm(algorithm))
    return placement


def _likeliest(odds: Odds) -> Odds:
    """For who is in no experiment: nothing is drawn, they get the likeliest variant, the first of equals."""
    best = odds.parts.index(max(odds.parts))
    return Odds([UNITS * (place == best) for place in range(len(odds.parts))], odds.beliefs, odds.informed)


def _plain(said: Mapping[str, Any]) -> dict[str, str | float | bool]:
    """A context that was checked to be of texts, numbers and flags."""
    return dict(said)


def _trace(placement: VariantPlacement, odds: Odds) -> dict[str, Any]:
    """What the probabilities came from."""
    trace: dict[str, Any] = {
        "algorithm": placement.algorithm.value,
        "reward": placement.reward,
        "halfLifeDays": placement.half_life_days,
        "minimumPropensity": placement.minimum_propensity,
    }
    if odds.beliefs is not None:
        means, deviations = odds.beliefs.means.tolist(), odds.beliefs.deviations.tolist()
        trace["decisions"] = odds.beliefs.decisions
        trace["expected"] = {
            variant.id: {"reward": mean, "deviation": deviation}
            for variant, mean, deviation in zip(placement.variants, means, deviations, strict=True)
        }
    return trace


def _check(request: DecideRequest) -> None:
    names = (
        ("userId", request.user_id),
        ("anonymousId", request.anonymous_id),
        ("placement", request.placement),
    )
    for path, name in names:
        if name is not None and len(name) > MAX_NAME:
            raise Invalid("id_too_long", f"{path} has at most {MAX_NAME} characters", path=path)
    if request.variants is not None:
        _check_variants(request.variants)
    _check_context(request.context)


def _check_variants(variants: tuple[str, ...]) -> None:
    if not 1 <= len(variants) <= MOST_VARIANTS:
        raise Invalid("variants_invalid", f"a choice is among 1 to {MOST_VARIANTS} variants", path="variants")
    for number, name in enumerate(variants):
        if not 1 <= len(name) <= MAX_NAME or name in variants[:number]:
            raise Invalid(
                "variants_invalid", f"an id has 1 to {MAX_NAME} characters and stands once",
                path=f"variants[{number}]",
            )  # fmt: skip


def _check_context(context: Mapping[str, Any]) -> None:
    if len(context) > MAX_CONTEXT:
        raise Invalid("context_invalid", f"a context has at most {MAX_CONTEXT} fields", path="context")
    for name, value in context.items():
        path = f"context.{name[:MAX_NAME]}"
        if name == "consent":
            continue
        if isinstance(value, dict):
            raise Invalid("context_invalid", "a value is a text, a number, true or false", path=path)
        if len(name) > MAX_NAME or (isinstance(value, str) and len(value) > MAX_NAME):
            raise Invalid("context_invalid", f"names and texts have at most {MAX_NAME} characters", path=path)
        if isinstance(value, float) and not isfinite(value):
            raise Invalid("context_invalid", "a number must be finite", path=path)
