"""The rules of a placement, made ready once for each version of it, so that a question pays little for them.

Whether a condition holds for an item is found when the item first comes up and kept until the item is described
anew; a question then reads one array. A condition over `age_days` is looked at again every hour.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heedful.pipeline.candidates import Candidates
from heedful.pipeline.conditions import (
    QUESTION,
    RULED,
    Condition,
    compiled_condition,
    mentions,
    parse,
)
from heedful.pipeline.context import Context
from heedful.pipeline.filters import Filter
from heedful.pipeline.surroundings import When, compiled_when
from heedful.views.catalogue import Catalogue
from heedful.views.dictionary import Items
from heedful.views.shown import Shown
from heedful.vocabulary.placement import (
    Boost,
    DoNotRepeat,
    Exclude,
    FrequencyCap,
    Include,
    Pin,
    Placement,
    Rule,
)
from heedful.vocabulary.time import HOUR, Instant

_UNSEEN = -1


class Read(NamedTuple):
    """A rule with its trees read. where: None for every item. when: None for always."""

    rule: Rule
    where: Condition | None
    when: When | None


def read_rules(placement: Placement) -> tuple[Read, ...]:
    """The rules of `placement`, their conditions read.

    Raises Invalid (`placement_invalid`; `path` says where, as `rules[2].where.all[0].op`).
    """
    read = []
    for number, rule in enumerate(placement.rules):
        path = f"rules[{number}]"
        tree = None if isinstance(rule, Pin) else rule.where
        where = None if tree is None else parse(tree, f"{path}.where", RULED)
        when = None if rule.when is None else compiled_when(parse(rule.when, f"{path}.when", QUESTION))
        read.append(Read(rule, where, when))
    return tuple(read)


class Verdicts:
    """Whether a condition holds, by dense item."""

    def __init__(self, condition: Condition, catalogue: Catalogue, items: Items) -> None:
        self._condition = condition
        self._catalogue = catalogue
        self._items = items
        self._test = compiled_condition(condition)
        self._ages = mentions(condition, "age_days")
        self._hour = 0
        self._holds = np.zeros(0, dtype=np.bool_)
        self._seen = np.zeros(0, dtype=np.int64)

    def of(self, codes: NDArray[np.int32], now: Instant) -> NDArray[np.bool_]:
        """Whether the condition holds for each of `codes`, bool (n,). Ages are those at the start of the hour."""
        if self._ages and now // HOUR != self._hour:
            self._hour = now // HOUR
            self._test = compiled_condition(self._condition, Instant(self._hour * HOUR))
            self._seen.fill(_UNSEEN)
        revision = self._catalogue.revision
        missing = len(revision) - len(self._seen)
        if missing > 0:
            self._holds = np.append(self._holds, np.zeros(missing, dtype=np.bool_))
            self._seen = np.append(self._seen, np.full(missing, _UNSEEN, dtype=np.int64))
        stale = codes[self._seen[codes] != revision[codes]]
        for code in stale.tolist():
            self._holds[code] = self._test(self._catalogue.get(code), self._items.ids[code])
            self._seen[code] = revision[code]
        return self._holds[codes]


class Ruled:
    """Out go items for which a rule's condition holds, or, for `include`, those for which it does not."""

    def __init__(self, name: str, verdicts: Verdicts, *, include: bool) -> None:
        self.name = f"rule:{name}"
        self.include = include
        self._verdicts = verdicts

    def remove(self, context: Context, candidates: Candidates, reason: int) -> int:
        holds = self._verdicts.of(candidates.items, context.moment)
        return candidates.remove_rows(~holds if self.include else holds, reason)


class Rested:
    """Out go items that the person was shown `most` times or more within `span` microseconds."""

    def __init__(self, name: str, shown: Shown, verdicts: Verdicts | None, *, most: int, span: int) -> None:
        self.name = f"rule:{name}"
        self._shown = shown
        self._verdicts = verdicts
        self._most = most
        self._span = span

    def remove(self, context: Context, candidates: Candidates, reason: int) -> int:
        if context.subject < 0:
            return 0
        moment = context.moment
        items = self._shown.since(context.subject, Instant(moment - self._span))
        if self._most > 1 and len(items):
            items, counts = np.unique(items, return_counts=True)
            items = items[counts >= self._most]
        if self._verdicts is not None and len(items):
            items = items[self._verdicts.of(items, moment)]
        return candidates.remove_items(items, reason) if len(items) else 0


class Lift:
    """The score of items for which a condition holds counts `factor` times."""

    def __init__(self, verdicts: Verdicts, factor: float) -> None:
        self._verdicts = verdicts
        self._factor = factor

    def multiply(self, context: Context, candidates: Candidates, factors: NDArray[np.float64]) -> None:
        """Multiply `factors`, float64 (rows,), by ours where the condition holds."""
        factors[self._verdicts.of(candidates.items, context.moment)] *= self._factor


class Fix(NamedTuple):
    """A pin: `item` stands in `place`, 0 for the first."""

    place: int
    item: str


Effect: TypeAlias = Filter | Lift | Fix


def effect_of(read: Read, catalogue: Catalogue, items: Items, shown: Shown) -> Effect:
    """What a rule does to the candidates of a question."""
    rule = read.rule
    verdicts = None if read.where is None else Verdicts(read.where, catalogue, items)
    match rule:
        case Pin():
            return Fix(rule.place - 1, rule.item)
        case FrequencyCap():
            return Rested(rule.name, shown, verdicts, most=rule.most, span=rule.hours * HOUR)
        case DoNotRepeat():
            return Rested(rule.name, shown, verdicts, most=1, span=rule.hours * HOUR)
        case Include() | Exclude() | Boost():
            assert verdicts is not None  # noqa: S101 (the rule's type says so)
            if isinstance(rule, Boost):
                return Lift(verdicts, rule.factor)
            return Ruled(rule.name, verdicts, include=isinstance(rule, Include))
