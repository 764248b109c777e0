"""Success metrics: what each is, what may be asked of it, and the answer, as they stand on the wire."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class MetricDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a metric is. One file for each: `models/measures/definitions`.

    unit: of the value. window: what is counted for how long. direction: up or down is better, or none.
    interval: how the 95% interval comes about. minimum: fewest people (of latency: requests) that it is shown
    for. source: where the formula is from.
    """

    name: str
    title: str
    formula: str
    unit: str
    window: str
    direction: str
    interval: str
    minimum: int
    source: str


class MetricQuestion(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Of which answers. Everything may be left out: then all that are kept, of people who are not held out.

    from_, to: days (`2026-11-23`) or times, UTC; the days (UTC) of the answers, the one of `to` left out where
    it is a day. segment: `new` or `returning` people. currency: of amounts; the most frequent one if left out.
    day: for `return_rate`, after how many days, 1 to 365.
    """

    placement: str | None = None
    policy: str | None = None
    from_: str | None = msgspec.field(name="from", default=None)
    to: str | None = None
    segment: str | None = None
    currency: str | None = None
    day: int = 7


class MetricAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A figure, or why there is none.

    value, low, high: in the definition's unit; null under the minimum, and low and high where there is no
    interval. people, events: how many it was computed from; people is 0 where fewer than the smallest group.
    why: "" or what is missing. more: further figures of the same kind, as p95. currency: of an amount.
    position, newest: the data it is of: everything up to `position`; when the newest answer counted was given.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    level: float
    people: int
    events: int
    unit: str
    why: str
    position: str
    newest: str | None
    definition: MetricDefinition
    currency: str | None = None
    more: dict[str, float] = {}


class MetricList(msgspec.Struct, frozen=True):
    """Every definition, by name."""

    metrics: list[MetricDefinition]


class Waits(NamedTuple):
    """How long requests took: counts per bucket, one more than `bounds`, which are upper, in seconds."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
