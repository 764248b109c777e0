"""What a flag is for somebody: a value, the variant it is of, the reason, and what else is worth saying.

The words are OpenFeature's (specification, section 1.4.7 and types, "Resolution Details"). A flag that nothing
decides, and one that is off, leave it to the code: no value, so that the SDK returns the caller's default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from heedful.experiments.assignment.choice import Assigner, Assignment, Why, met, prerequisites_of
from heedful.experiments.assignment.definitions import check_prerequisites
from heedful.experiments.assignment.hashing import bucket
from heedful.experiments.assignment.queries import TooCostly
from heedful.experiments.assignment.sticky import Kept
from heedful.experiments.assignment.targeting import FlagValue, Subject, Targeting, passes
from heedful.experiments.assignment.units import Unit, unit_of
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.flag import Flag, FlagRule, Rollout


class Reason(StrEnum):
    """Why a flag has its value."""

    STATIC = "STATIC"
    DEFAULT = "DEFAULT"
    TARGETING_MATCH = "TARGETING_MATCH"
    SPLIT = "SPLIT"
    DISABLED = "DISABLED"
    ERROR = "ERROR"


class ErrorCode(StrEnum):
    """Why a flag has none."""

    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"
    INVALID_CONTEXT = "INVALID_CONTEXT"
    PARSE_ERROR = "PARSE_ERROR"
    GENERAL = "GENERAL"


Metadata = dict[str, bool | str | float]


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """One flag for one subject.

    variant: None leaves it to the code, and `value` means nothing then. assignments: of the experiments that
    were asked on the way, prerequisites' too; those with `inside` are exposures once the value is used.
    metadata: plain values for the wire. nameless: nothing decided, and a lot was not drawn because the context
    names nobody that it could be drawn for.
    """

    key: str
    reason: Reason
    value: Any = None
    variant: str | None = None
    metadata: Metadata = {}
    assignments: tuple[Assignment, ...] = ()
    error: ErrorCode | None = None
    details: str = ""
    nameless: bool = False

    @property
    def wire_reason(self) -> str:
        """In OFREP's words, which have no DEFAULT: UNKNOWN, for providers keep what is STATIC."""
        return "UNKNOWN" if self.reason in (Reason.DEFAULT, Reason.ERROR) else self.reason.value

    @property
    def kept(self) -> tuple[Kept, ...]:
        """What to write so that arms are kept."""
        return tuple(kept for each in self.assignments for kept in each.kept)


class _ReadyRule:
    """A rule whose conditions were read."""

    def __init__(self, rule: FlagRule, place: int) -> None:
        path = f"rules[{place}]."
        self.rule = rule
        self.targeting = Targeting(rule.when, rule.condition, "flag_invalid", path)
        self.prerequisites = prerequisites_of(rule.prerequisites, "flag_invalid")
        self.is_targeted = bool(
            rule.when is not None or rule.condition is not None or rule.prerequisites or rule.filters
        )


class _ReadyFlag:
    """A flag whose conditions were read."""

    def __init__(self, flag: Flag) -> None:
        self.flag = flag
        self.prerequisites = prerequisites_of(flag.prerequisites, "flag_invalid")
        self.rules = tuple(_ReadyRule(rule, place) for place, rule in enumerate(flag.rules))


class Flags:
    """All flags in force, made ready once. A new definition makes a new one."""

    def __init__(self, flags: Iterable[Flag], assigners: Mapping[str, Assigner]) -> None:
        """assigners: by the key of the experiment. Raises Invalid for conditions that cannot be read, for a
        rule whose experiment or arm does not exist (`flag_invalid`), and for flags that wait for themselves.
        """
        flags = list(flags)
        self._assigners = assigners
        check_prerequisites(flags, (each.experiment for each in assigners.values()))
        for flag in flags:
            _check_arms(flag, assigners)
        self._flags = {flag.key: _ReadyFlag(flag) for flag in flags}

    def evaluate(self, key: str, subject: Subject) -> Evaluation:
        """The flag `key` for `subject`. It never fails: what went wrong is its `error`."""
        return self._evaluate(key, subject, {})

    def evaluate_all(self, subject: Subject) -> tuple[Evaluation, ...]:
        """Every flag, by key."""
        known: dict[str, Evaluation] = {}
        return tuple(self._evaluate(key, subject, known) for key in sorted(self._flags))

    def _evaluate(self, key: str, subject: Subject, known: dict[str, Evaluation]) -> Evaluation:
        """known: what was evaluated for this subject already; a flag that many wait for is evaluated once."""
        if (found := known.get(key)) is None:
            found = known[key] = self._evaluated(key, subject, known)
        return found

    def _evaluated(self, key: str, subject: Subject, known: dict[str, Evaluation]) -> Evaluation:
        ready = self._flags.get(key)
        if ready is None:
            return _failed(key, ErrorCode.FLAG_NOT_FOUND, f"there is no flag {key[:200]!r}")
        if not ready.flag.enabled:
            return Evaluation(key=key, reason=Reason.DISABLED)
        assignments: list[Assignment] = []

        def value_of(other: str) -> Any:
            found = self._evaluate(other, subject, known)
            assignments.extend(found.assignments)
            return found.value

        try:
            for each in ready.prerequisites:
                if not met((each,), value_of):
                    return Evaluation(
                        key=key,
                        reason=Reason.DISABLED,
                        metadata={"prerequisite": each[0]},
                        assignments=_once(assignments),
                    )
            return self._by_rules(ready, subject, value_of, assignments)
        except TooCostly as error:
            return _failed(key, ErrorCode.INVALID_CONTEXT, str(error))

    def _by_rules(
        self, ready: _ReadyFlag, subject: Subject, value_of: FlagValue, assignments: list[Assignment]
    ) -> Evaluation:
        flag, nameless = ready.flag, False
        for each in ready.rules:
            rule = each.rule
            if not met(each.prerequisites, value_of) or not passes(rule.filters, subject.attributes):
                continue
            if not each.targeting.means(subject):
                continue
            if rule.serve is not None:
                if rule.rollout is None or _rolled_out(flag.key, rule.rollout, subject):
                    reason = (
                        Reason.TARGETING_MATCH if each.is_targeted or rule.rollout is None else Reason.SPLIT
                    )
                    return _found(flag, rule.serve, reason, rule.id, assignments)
                nameless = nameless or _unit(rule.rollout, subject) is None
                continue
            assignment = self._assigners[rule.experiment or ""].assign(subject, value_of)
            assignments.append(assignment)
            nameless = nameless or assignment.why is Why.NO_UNIT
            takes_part = assignment.inside or assignment.why is Why.ROLLED_OUT
            if takes_part and (variant := rule.arms.get(assignment.arm)) is not None:
                return _found(flag, variant, Reason.SPLIT, rule.id, assignments, assignment)
        reason = Reason.DEFAULT if ready.rules or ready.prerequisites else Reason.STATIC
        found = _found(flag, flag.default, reason, "", assignments)
        return msgspec.structs.replace(found, nameless=True) if nameless else found


def _failed(key: str, code: ErrorCode, details: str) -> Evaluation:
    return Evaluation(key=key, reason=Reason.ERROR, error=code, details=details)


def _found(
    flag: Flag,
    variant: str | None,
    reason: Reason,
    rule: str,
    assignments: list[Assignment],
    drawn: Assignment | None = None,
) -> Evaluation:
    metadata: Metadata = {"rule": rule} if rule else {}
    if drawn is not None:
        metadata |= {"experiment": drawn.experiment, "arm": drawn.arm, "inExperiment": drawn.inside}
        metadata |= {"epoch": drawn.epoch} if drawn.epoch >= 0 else {}
    return Evaluation(
        key=flag.key,
        reason=reason,
        value=flag.variations[variant] if variant is not None else None,
        variant=variant,
        metadata=metadata,
        assignments=_once(assignments),
    )


def _once(assignments: list[Assignment]) -> tuple[Assignment, ...]:
    """Each experiment once; it says the same of a subject every time."""
    return tuple({each.experiment: each for each in assignments}.values())


def _rolled_out(key: str, rollout: Rollout, subject: Subject) -> bool:
    """Whether `subject` falls into the share; a coverage of 0 is nobody, and one of 1 everybody with a unit."""
    if rollout.range is None and rollout.coverage == 0:
        return False
    unit = _unit(rollout, subject)
    if unit is None:
        return False
    n = bucket(key if rollout.seed is None else rollout.seed, unit.text, rollout.hash_version)
    if n is None:
        return False
    if rollout.range is not None:
        return rollout.range[0] <= n < rollout.range[1]
    return rollout.coverage is not None and n <= rollout.coverage


def _unit(rollout: Rollout, subject: Subject) -> Unit | None:
    fallback = rollout.fallback_attribute if subject.sticky is not None else None
    return unit_of(subject.attributes, rollout.hash_attribute, fallback)


def _check_arms(flag: Flag, assigners: Mapping[str, Assigner]) -> None:
    for place, rule in enumerate(flag.rules):
        if rule.experiment is None:
            continue
        path = f"rules[{place}].experiment"
        assigner = assigners.get(rule.experiment)
        if assigner is None:
            raise Invalid("flag_invalid", f"{path}: there is no experiment {rule.experiment!r}", path=path)
        arms = {arm.key for arm in assigner.experiment.arms}
        for arm in rule.arms:
            if arm not in arms:
                path = f"rules[{place}].arms"
                raise Invalid("flag_invalid", f"{path}: {rule.experiment!r} has no arm {arm!r}", path=path)
