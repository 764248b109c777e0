"""Arms once given: kept by person, so that a log-in, a new weight or a new condition does not change them.

The shape is GrowthBook's, so that its stores can be read: a document for each (attribute, value), whose
assignments go from `<experiment>__<bucket version>` to the key of an arm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from heedful.experiments.assignment.units import Unit, unit_of
from heedful.vocabulary.experiment import Experiment

Documents: TypeAlias = Mapping[str, Mapping[str, str]]
"""By `attribute||value`: the key of an arm by `<experiment>__<bucket version>`."""


class Kept(NamedTuple):
    """What is to be written: `entry` -> `arm` in the document `document`."""

    document: str
    entry: str
    arm: str


class Found(NamedTuple):
    """arm: the place of the arm once given, -1 if there is none. blocked: given under a version that is out."""

    arm: int
    blocked: bool = False


def document_key(unit: Unit) -> str:
    """Where a unit's arms are kept."""
    return f"{unit.attribute}||{unit.text}"


def entry_key(experiment: str, version: int) -> str:
    """Under what an arm is kept."""
    return f"{experiment}__{version}"


def known(experiment: Experiment, attributes: Mapping[str, Any], documents: Documents) -> Found:
    """The arm that the person once got, under their own id before that of the fallback attribute."""
    assignments: dict[str, str] = {}
    for name in (experiment.fallback_attribute, experiment.hash_attribute):
        unit = unit_of(attributes, name) if name is not None else None
        if unit is not None:
            assignments |= documents.get(document_key(unit), {})
    old = range(experiment.min_bucket_version)
    if any(entry_key(experiment.key, version) in assignments for version in old):
        return Found(-1, blocked=True)
    arm = assignments.get(entry_key(experiment.key, experiment.bucket_version))
    return Found(next((place for place, one in enumerate(experiment.arms) if one.key == arm), -1))


def to_keep(experiment: Experiment, unit: Unit, arm: str, documents: Documents) -> Kept | None:
    """What to write now that `unit` has `arm`; None if it stands there already."""
    document, entry = document_key(unit), entry_key(experiment.key, experiment.bucket_version)
    if documents.get(document, {}).get(entry) == arm:
        return None
    return Kept(document, entry, arm)


def with_kept(documents: Documents, kept: Kept | None) -> dict[str, dict[str, str]]:
    """`documents` after `kept` was written."""
    written = {name: dict(held) for name, held in documents.items()}
    if kept is not None:
        written.setdefault(kept.document, {})[kept.entry] = kept.arm
    return written
