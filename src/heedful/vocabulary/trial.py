"""What the log says of an experiment that runs: its arms, what is measured, and from when to when.

A trial is frozen when it starts, so that folding the log again gives the same figures. Afterwards only its weights
change, each change of them opening an epoch, and whether it runs.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

MOST_ARMS = 50
MOST_MEASURES = 64
MOST_HOURS = 24 * 90
MOST_DAYS_BEFORE = 60
LARGEST = (1 << 31) - 1
"""The largest value of one unit: so that a product of two fits 64 bits."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")


class Aggregate(StrEnum):
    """What is made of a unit's events.

    count: how many events. any: 1 if there was one. units: how many units their lines have. amount: what the lines
    of their purchases cost, in minor units.
    """

    COUNT = "count"
    ANY = "any"
    UNITS = "units"
    AMOUNT = "amount"


class Measure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One figure of a unit: a whole number from 0.

    kinds: the kinds of event that count. hours: for so long after the unit's first exposure.
    cap: what a unit's figure is cut to, fixed before anybody sees one; 0 for none but `LARGEST`.
    currency: of an amount. per: kinds whose events are the denominator; none for a mean over units.
    """

    name: str
    kinds: tuple[str, ...]
    aggregate: Aggregate = Aggregate.COUNT
    hours: int = 72
    cap: int = 0
    currency: str = ""
    per: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"the name {self.name[:60]!r} must be 1 to 100 lower-case letters, digits, ., _ and -, and begin "
                "with a letter or a digit"
            )
        if not self.kinds:
            raise ValueError(f"{self.name} needs at least one kind of event")
        if not 1 <= self.hours <= MOST_HOURS:
            raise ValueError(f"{self.name}: hours must be 1 to {MOST_HOURS}")
        if not 0 <= self.cap <= LARGEST:
            raise ValueError(f"{self.name}: cap must be 0 to {LARGEST}")
        if (self.aggregate is Aggregate.AMOUNT) != bool(self.currency):
            raise ValueError(f"{self.name}: an amount, and nothing else, has a currency")


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One version of an experiment in the log.

    weights: one per arm, whole, not all 0. before_days: how long before the first exposure a unit's figures are
    taken too, to take away what units differed by anyway (CUPED).
    """

    key: str
    arms: tuple[str, ...]
    weights: tuple[int, ...]
    measures: tuple[Measure, ...]
    running: bool
    before_days: int = 14

    def __post_init__(self) -> None:
        if not 1 <= len(self.key) <= 200:
            raise ValueError("a key has 1 to 200 characters")
        if not 1 <= len(self.arms) <= MOST_ARMS or len(set(self.arms)) != len(self.arms):
            raise ValueError(f"a trial has 1 to {MOST_ARMS} arms of different names")
        if len(self.weights) != len(self.arms) or min(self.weights) < 0 or not any(self.weights):
            raise ValueError("each arm has a weight from 0, and one of them is above 0")
        if len(self.measures) > MOST_MEASURES:
            raise ValueError(f"a trial has at most {MOST_MEASURES} measures")
        if len({one.name for one in self.measures}) != len(self.measures):
            raise ValueError("measures have different names")
        if not 0 <= self.before_days <= MOST_DAYS_BEFORE:
            raise ValueError(f"beforeDays must be 0 to {MOST_DAYS_BEFORE}")
