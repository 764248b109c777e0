"""What an event says about variants: that one was shown, or that somebody reacted to one that was."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from heedful.vocabulary.event import Event, Record
from heedful.vocabulary.ids import EventId
from heedful.vocabulary.kinds import PURCHASE
from heedful.vocabulary.variants import MARK, SOURCE, VariantDecision

FEATURES = 16
"""Numbers that describe a moment; the first is always `ONE`."""

ONE = 16
"""What stands for 1 in a feature: they are whole sixteenths."""

HIGHEST = 127
"""The largest feature, and below zero the smallest."""

CELLS = 64
"""Cells that segments fall into, 1 to 64; 0 is for a question without a segment."""

MOST_VALUE = 1_000_000
"""Most minor units that one decision can earn: so that a sum of squares stays within 64 bits."""

_read = msgspec.json.Decoder(VariantDecision).decode


class Shown(NamedTuple):
    """A variant was chosen. key: the fingerprint of the decision's event. subject: dense, or -1 for nobody."""

    key: int
    subject: int
    at: int
    placement: str
    variant: str
    cell: int
    features: tuple[int, ...]


class Reaction(NamedTuple):
    """An event that names a decision about variants.

    decision: the `Shown.key` that it names, whether there is one or not. subject: dense, or -1.
    value: minor units, 0 unless it is a purchase. listed: it counts only while one of its lines does (`orders`).
    """

    fingerprint: int
    decision: int
    subject: int
    at: int
    kind: str
    value: int
    listed: bool


def is_about_variants(event: Event) -> bool:
    """Whether `event` is a decision about variants, or names one."""
    return event.decision[:1] == MARK


def own_id(decision: str) -> EventId:
    """The id of the event that keeps a decision."""
    return EventId(f"{SOURCE}:{decision}")


def shown(record: Record, event: Event, fingerprint: int, subject: int) -> Shown | None:
    """What a decision's event says, or None: it is not ours, or not what we write."""
    if record.id != own_id(event.decision):
        return None
    try:
        said = _read(event.properties)
    except msgspec.DecodeError:
        return None
    features = tuple(said.features)
    fits = len(features) == FEATURES and features[0] == ONE and max(map(abs, features)) <= HIGHEST
    if not fits or not 0 <= said.cell <= CELLS:
        return None
    return Shown(fingerprint, subject, record.at, said.placement, said.variant, said.cell, features)


def arms_of(event: Event) -> list[tuple[str, str]]:
    """The arms that were in force, of an event of which `shown` made something."""
    return _read(event.properties).arms


def reaction(record: Record, event: Event, fingerprint: int, subject: int, decision: int) -> Reaction:
    """What an event that names a decision says."""
    value = 0
    if event.kind == PURCHASE:
        value = sum(line.amount for line in event.lines) if event.value is None else event.value
    listed = event.kind == PURCHASE and bool(event.lines)
    value = max(0, min(value, MOST_VALUE))
    return Reaction(fingerprint, decision, subject, record.at, event.kind, value, listed)
