"""What gets an arm: a person, a session, or everybody of a cluster for a stretch of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from heedful.experiments.assignment.hashing import unit_text
from heedful.experiments.assignment.queries import path_of
from heedful.vocabulary.experiment import Experiment, Switchback
from heedful.vocabulary.time import MINUTE, Instant


class Unit(NamedTuple):
    """attribute: what it was read from. text: what is hashed, never empty. value: as it was given.

    washing: whether a switchback's stretch has only begun, and the analysis leaves the moment out.
    """

    attribute: str
    text: str
    value: Any
    washing: bool = False


def unit_of(attributes: Mapping[str, Any], attribute: str, fallback: str | None = None) -> Unit | None:
    """The unit that `attribute` names, else `fallback`; None where both are missing or name nobody."""
    for name in (attribute, fallback):
        if name is not None and (text := unit_text(value := attribute_of(attributes, name))):
            return Unit(name, text, value)
    return None


def attribute_of(attributes: Mapping[str, Any], name: str) -> Any:
    """What stands under `name`; a dotted name is a path where nothing has it as its own."""
    return attributes[name] if name in attributes else path_of(attributes, name)


def experiment_unit(experiment: Experiment, attributes: Mapping[str, Any], at: Instant) -> Unit | None:
    """The unit of `experiment` that `attributes` and the moment make. None: nobody that it could be."""
    if experiment.switchback is not None:
        return _stretch(experiment.switchback, attributes, at)
    fallback = experiment.fallback_attribute if experiment.sticky else None
    return unit_of(attributes, experiment.hash_attribute, fallback)


def _stretch(switchback: Switchback, attributes: Mapping[str, Any], at: Instant) -> Unit | None:
    cluster = ""
    if switchback.cluster is not None:
        cluster = unit_text(attribute_of(attributes, switchback.cluster))
        if not cluster:
            return None
    length = switchback.minutes * MINUTE
    stretch = at // length
    text = f"{cluster}|{stretch}"
    return Unit("switchback", text, text, at - stretch * length < switchback.washout_minutes * MINUTE)
