"""Which arm somebody gets, and why: one function of the definition and of what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from heedful.experiments.assignment.hashing import bucket
from heedful.experiments.assignment.queries import Query, TooCostly
from heedful.experiments.assignment.ranges import Range, bucket_ranges, choose, in_namespace
from heedful.experiments.assignment.sticky import Found, Kept, known, to_keep
from heedful.experiments.assignment.targeting import FlagValue, Subject, Targeting, passes
from heedful.experiments.assignment.units import Unit, experiment_unit
from heedful.vocabulary.experiment import Arm, Epoch, Experiment, Holdout, Layer, Slice, Status

HELD, MEASURED, REST = "held", "measured", "rest"


class Why(StrEnum):
    """Why somebody has their arm, or none."""

    HASHED = "hashed"
    STICKY = "sticky"
    FORCED = "forced"
    ROLLED_OUT = "rolled_out"
    NOT_RUNNING = "not_running"
    NO_UNIT = "no_unit"
    HELD_OUT = "held_out"
    OTHER_SLICE = "other_slice"
    FILTERED = "filtered"
    NOT_MEANT = "not_meant"
    PREREQUISITE = "prerequisite"
    TOO_COSTLY = "too_costly"
    OLD_VERSION = "old_version"
    NOT_COVERED = "not_covered"


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody gets in one experiment.

    arm: its key; outside the experiment that of the control, or of what was rolled out. inside: whether they
    count.
    propensity: how likely a unit that takes part gets this arm; 0 where no lot was drawn now. bucket: in [0,
    1).
    epoch: which of the experiment's, -1 before the first. washing: the moment is left out of the analysis.
    kept: what to write so that they keep their arms.
    """

    experiment: str
    arm: str
    index: int
    inside: bool
    why: Why
    unit: Unit | None = None
    bucket: float | None = None
    propensity: float = 0.0
    epoch: int = -1
    washing: bool = False
    kept: tuple[Kept, ...] = ()


class Assigner:
    """One experiment, made ready: conditions read, ranges laid out.

    layer: the one that the experiment's slice is of; None: one without a salt. holdouts: all there are.
    """

    def __init__(
        self, experiment: Experiment, holdouts: Sequence[Holdout] = (), layer: Layer | None = None
    ) -> None:
        """Raises Invalid (`experiment_invalid`; `path` says where) for conditions that cannot be read."""
        self.experiment = experiment
        self._targeting = Targeting(experiment.when, experiment.condition, "experiment_invalid")
        self._prerequisites = prerequisites_of(experiment.prerequisites, "experiment_invalid")
        self._salt = layer.salt if layer is not None else ""
        self._ranges = tuple(Range(*each) for each in experiment.ranges) or bucket_ranges(
            len(experiment.arms), experiment.coverage, experiment.weights or None
        )
        where = (
            experiment.on.name if experiment.on is not None and experiment.on.kind == "placement" else None
        )
        self._holdouts = tuple(
            Assigner(holdout_experiment(each))
            for each in holdouts
            if each.placement is None or each.placement == where
        )

    def assign(self, subject: Subject, flag_value: FlagValue | None = None) -> Assignment:
        """The arm of `subject`. flag_value: for prerequisites, which fail without it. It never fails."""
        experiment = self.experiment
        if (forced := subject.forced.get(experiment.key)) is not None:
            place = self._place(forced)
            return self._given(place, Why.FORCED) if place >= 0 else self._outside(Why.NOT_RUNNING)
        if experiment.status is Status.ROLLED_OUT and experiment.shipped is not None:
            return self._given(self._place(experiment.shipped), Why.ROLLED_OUT, inside=False)
        if experiment.status is not Status.RUNNING:
            return self._outside(Why.NOT_RUNNING)
        unit = experiment_unit(experiment, subject.attributes, subject.at)
        if unit is None:
            return self._outside(Why.NO_UNIT)
        kept: list[Kept] = []
        for holdout in self._holdouts:
            group = holdout.assign(subject)
            kept += group.kept
            if group.inside and group.arm == HELD:
                return self._outside(Why.HELD_OUT, unit, kept=tuple(kept))
        documents = subject.sticky if experiment.sticky else None
        found = known(experiment, subject.attributes, documents) if documents is not None else Found(-1)
        if found.arm < 0 and (why := self._stopped_by(subject, unit, flag_value)) is not None:
            return self._outside(why, unit, kept=tuple(kept))
        n = bucket(self._seed, unit.text, experiment.hash_version) or 0.0  # the version is known: never None
        if found.blocked:
            return self._outside(Why.OLD_VERSION, unit, n, tuple(kept))
        place = found.arm if found.arm >= 0 else choose(n, self._ranges)
        if place < 0:
            return self._outside(Why.NOT_COVERED, unit, n, tuple(kept))
        if experiment.force is not None:
            return self._given(self._place(experiment.force), Why.FORCED, unit=unit)
        if documents is not None:
            write = to_keep(experiment, unit, experiment.arms[place].key, documents)
            kept += (write,) if write is not None else ()
        why = Why.STICKY if found.arm >= 0 else Why.HASHED
        return self._given(place, why, unit, n, tuple(kept))

    @property
    def _seed(self) -> str:
        return self.experiment.key if self.experiment.seed is None else self.experiment.seed

    def _stopped_by(self, subject: Subject, unit: Unit, flag_value: FlagValue | None) -> Why | None:
        """What keeps somebody without an arm out of it, if anything."""
        experiment = self.experiment
        if experiment.filters:
            if not passes(experiment.filters, subject.attributes):
                return Why.FILTERED
        elif (space := experiment.namespace) is not None and not in_namespace(
            unit.text, space.name, space.start, space.end
        ):
            return Why.OTHER_SLICE
        if experiment.layer is not None and not in_layer(unit.text, experiment.layer, self._salt):
            return Why.OTHER_SLICE
        try:
            if not self._targeting.means(subject):
                return Why.NOT_MEANT
            if not met(self._prerequisites, flag_value):
                return Why.PREREQUISITE
        except TooCostly:
            return Why.TOO_COSTLY
        return None

    def _place(self, arm: str) -> int:
        return next((place for place, one in enumerate(self.experiment.arms) if one.key == arm), -1)

    def _given(
        self,
        place: int,
        why: Why,
        unit: Unit | None = None,
        n: float | None = None,
        kept: tuple[Kept, ...] = (),
        inside: bool = True,
    ) -> Assignment:
        drawn = why is Why.HASHED
        total = sum(each.end - each.start for each in self._ranges)
        share = self._ranges[place].end - self._ranges[place].start
        return Assignment(
            experiment=self.experiment.key,
            arm=self.experiment.arms[place].key,
            index=place,
            inside=inside,
            why=why,
            unit=unit,
            bucket=n,
            propensity=share / total if drawn else 0.0,
            epoch=len(self.experiment.epochs) - 1,
            washing=unit is not None and unit.washing,
            kept=kept,
        )

    def _outside(
        self, why: Why, unit: Unit | None = None, n: float | None = None, kept: tuple[Kept, ...] = ()
    ) -> Assignment:
        return msgspec.structs.replace(self._given(0, why, unit, n, kept), inside=False)


def in_layer(unit: str, part: Slice, salt: str = "") -> bool:
    """Whether `unit` falls into `part` of its layer: independent of every arm, other layer and other salt."""
    n = bucket(f"layer:{part.name}:{salt}", unit, 2)
    return n is not None and part.start <= n < part.end


def holdout_experiment(holdout: Holdout) -> Experiment:
    """A holdout as what it is: an experiment for everybody with the arms held, measured and rest."""
    return Experiment(
        status=Status.RUNNING,
        epochs=(Epoch(0, (), 1.0),),
        key=f"holdout:{holdout.name}",
        seed=f"holdout:{holdout.name}:{holdout.salt}",
        hash_attribute=holdout.attribute,
        fallback_attribute=holdout.fallback_attribute,
        hash_version=3,
        arms=(Arm(HELD), Arm(MEASURED), Arm(REST)),
        weights=(holdout.share, holdout.measured, 1.0 - holdout.share - holdout.measured),
    )


def prerequisites_of(prerequisites: Sequence[Any], code: str) -> tuple[tuple[str, Query], ...]:
    """The conditions of `prerequisites`, read. Raises Invalid (`code`)."""
    return tuple(
        (each.flag, Query(each.condition, f"prerequisites[{place}].condition", code))
        for place, each in enumerate(prerequisites)
    )


def met(prerequisites: Sequence[tuple[str, Query]], flag_value: Callable[[str], Any] | None) -> bool:
    """Whether every flag comes out as it must. Raises TooCostly."""
    if not prerequisites:
        return True
    return flag_value is not None and all(
        query.matches({"value": flag_value(flag)}) for flag, query in prerequisites
    )
