"""Who is meant: what is known of somebody, and whether they meet what a definition asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec

from heedful.experiments.assignment.hashing import bucket
from heedful.experiments.assignment.queries import NO_GROUPS, Groups, Query
from heedful.experiments.assignment.sticky import Documents
from heedful.experiments.assignment.units import attribute_of, unit_of
from heedful.vocabulary.conditions import PERSON, parse, test_of
from heedful.vocabulary.experiment import Filter
from heedful.vocabulary.time import Instant

FlagValue: TypeAlias = Callable[[str], Any]
"""What a flag evaluates to for the same subject; None where it leaves it to the code."""


class Subject(NamedTuple):
    """Somebody at a moment.

    attributes: plain JSON by name. at: the moment, for switchbacks. segments: names of those they are in.
    sticky: the arms they once got; None where nothing keeps any. forced: the arm by experiment, whoever they
    are.
    """

    attributes: Mapping[str, Any]
    at: Instant = Instant(0)
    segments: tuple[str, ...] = ()
    sticky: Documents | None = None
    forced: Mapping[str, str] = {}
    groups: Groups = NO_GROUPS


class Targeting:
    """The `when` and the `condition` of a definition, made ready."""

    def __init__(self, when: Any, condition: Any, code: str, path: str = "") -> None:
        """Raises Invalid (`code`; `path` says where)."""
        fields = msgspec.structs.replace(PERSON, code=code)
        self._when = test_of(parse(when, f"{path}when", fields), _reader) if when is not None else None
        self._query = Query(condition, f"{path}condition", code) if condition is not None else None

    def means(self, subject: Subject) -> bool:
        """Whether `subject` is meant. Raises TooCostly."""
        if self._when is not None and not self._when(subject):
            return False
        return self._query is None or self._query.matches(subject.attributes, subject.groups)


def _reader(field: str) -> Callable[[Subject], Any]:
    if field == "segment":
        return lambda subject: subject.segments
    name = field.removeprefix(PERSON.prefix)
    return lambda subject: attribute_of(subject.attributes, name)


def passes(filters: tuple[Filter, ...], attributes: Mapping[str, Any]) -> bool:
    """Whether the units that `filters` name fall into one of the ranges of each."""
    for each in filters:
        unit = unit_of(attributes, each.attribute)
        n = bucket(each.seed, unit.text, each.hash_version) if unit is not None else None
        if n is None or not any(start <= n < end for start, end in each.ranges):
            return False
    return True
