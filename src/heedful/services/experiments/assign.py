"""Which arms somebody gets now, for what is about to be shown to them.

Whoever was exposed to an arm keeps it: the log's exposures are what is remembered (`views.trials`), under the
user's id and under the anonymous one, so a login changes no arm and no store of its own is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from heedful.experiments.assignment import Assigner, Assignment, Documents, Subject
from heedful.experiments.assignment.sticky import document_key, entry_key
from heedful.experiments.assignment.units import unit_of
from heedful.services.experiments.life import Experiments
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.dictionary import MISSING
from heedful.views.fold import Fold
from heedful.vocabulary.experiment import Experiment, Status
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import Instant

_SERVING = (Status.RUNNING, Status.ROLLED_OUT)


class Part(NamedTuple):
    """One experiment in an answer. value: what the arm stands for there. inside: whether the unit counts."""

    experiment: str
    arm: str
    value: Any
    inside: bool
    why: str


class Assigned(NamedTuple):
    """What somebody gets. parts: of every experiment on the target, in order of key."""

    parts: tuple[Part, ...] = ()

    @property
    def arms(self) -> tuple[tuple[str, str], ...]:
        """What the decision keeps: the arms of those that count."""
        return tuple((part.experiment, part.arm) for part in self.parts if part.inside)

    def told(self) -> list[dict[str, Any]]:
        """For the trace."""
        return [
            {"experiment": part.experiment, "arm": part.arm, "counts": part.inside, "why": part.why}
            for part in self.parts
        ]


NOTHING = Assigned()


class Assign:
    """The service. One thread owns it and the fold."""

    def __init__(self, experiments: Experiments, fold: Fold, pseudonyms: Pseudonyms) -> None:
        self._experiments = experiments
        self._fold = fold
        self._pseudonyms = pseudonyms
        self._made = -1
        self._by_target: Mapping[tuple[str, str], tuple[Assigner, ...]] = {}

    def on(
        self, kind: str, name: str, *, user: str, anonymous: str, said: Mapping[str, Any], now: Instant
    ) -> Assigned:
        """The arms on a target (`placement`, `variants`, `flag`). said: what the question says of the moment."""
        assigners = self._ready().get((kind, name))
        if not assigners:
            return NOTHING
        attributes: dict[str, Any] = {**said, "id": user or None, "anonymousId": anonymous or None}
        parts = []
        for assigner in assigners:
            kept = self.kept((assigner.experiment,), attributes, user, anonymous)
            found = assigner.assign(Subject(attributes, at=now, sticky=kept))
            parts.append(_part(assigner.experiment, found))
        return Assigned(tuple(parts))

    def _ready(self) -> Mapping[tuple[str, str], tuple[Assigner, ...]]:
        standing = self._experiments.standing()
        if self._made != self._experiments.made:
            by_target: dict[tuple[str, str], tuple[Assigner, ...]] = {}
            for key in sorted(standing):
                one = standing[key]
                if one.on is not None and one.status in _SERVING:
                    target = (one.on.kind, one.on.name)
                    by_target[target] = (*by_target.get(target, ()), Assigner(one))
            self._by_target, self._made = by_target, self._experiments.made
        return self._by_target

    def kept(
        self, experiments: Iterable[Experiment], attributes: Mapping[str, Any], user: str, anonymous: str
    ) -> Documents:
        """The arms of `experiments` that either id was exposed to, as sticky documents."""
        documents: dict[str, dict[str, str]] = {}
        ids = (("id", user, self._pseudonyms.user), ("anonymousId", anonymous, self._pseudonyms.anonymous))
        for attribute, identity, pseudonym in ids:
            unit = unit_of(attributes, attribute) if identity else None
            if unit is None:
                continue
            subject = pseudonym(identity)
            for experiment in experiments:
                arm = self.exposed(experiment.key, subject)
                if arm is not None:
                    entry = entry_key(experiment.key, experiment.bucket_version)
                    documents.setdefault(document_key(unit), {})[entry] = arm
        return documents

    def exposed(self, key: str, subject: SubjectId) -> str | None:
        """The arm of experiment `key` that `subject` was first exposed to, None for none."""
        code = self._fold.subjects.find(subject)
        return None if code == MISSING else self._fold.trials.arm_of(key, code)


def _part(experiment: Experiment, found: Assignment) -> Part:
    return Part(experiment.key, found.arm, experiment.arms[found.index].value, found.inside, found.why.value)
