"""Who met more than one arm: somebody on two devices before they logged in, or from before their arm was kept.

A person keeps the arm they met first, by event time, so that what a log-in joins does not depend on which
device logged in first. Those who met two are counted and left out of the analysis: their outcomes belong to
no arm. Both are functions of the set of exposures, in whatever order it comes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from heedful.vocabulary.time import Instant

P = TypeVar("P", bound=Hashable)


class Met(NamedTuple):
    """That somebody met an arm. at: when. tie: a keyed fingerprint, breaks ties of time."""

    at: Instant
    tie: int
    arm: str


class Standing(NamedTuple):
    """arm: which a person keeps. since: when they met it first. crossed: whether they met another too."""

    arm: str
    since: Instant
    crossed: bool


class Crossovers(NamedTuple):
    """people: how many met any arm. crossed: how many met several. Both whole numbers."""

    people: int
    crossed: int

    @property
    def share(self) -> float:
        """0 to 1. Above 1% something is wrong with the assignment (GrowthBook's alarm for multiple exposures)."""
        return self.crossed / self.people if self.people else 0.0


def standing(exposures: Iterable[Met]) -> Standing | None:
    """Where somebody stands who met `exposures`, under all their ids; None if they met nothing."""
    first = min(exposures := list(exposures), default=None)
    if first is None:
        return None
    return Standing(first.arm, first.at, len({each.arm for each in exposures}) > 1)


def crossovers(people: Mapping[P, Iterable[Met]]) -> tuple[dict[P, Standing], Crossovers]:
    """Everybody's standing who counts, and how many were left out."""
    every = {person: found for person, met in people.items() if (found := standing(met)) is not None}
    counted = {person: found for person, found in every.items() if not found.crossed}
    return counted, Crossovers(len(every), len(every) - len(counted))
