"""Time as whole microseconds since 1970-01-01T00:00Z. Clocks come in at the door as values."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import NewType, Protocol

Instant = NewType("Instant", int)
"""Microseconds since 1970-01-01T00:00Z; may be negative."""

MILLISECOND = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Clock(Protocol):
    """Where the present comes from."""

    def now(self) -> Instant:
        """The present moment."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> Instant:
        return Instant(time.time_ns() // 1_000)


class FixedClock:
    """A clock that stands where it is set: for tests, imports and questions about the past."""

    def __init__(self, at: Instant) -> None:
        self.at = at

    def now(self) -> Instant:
        return self.at


def instant(moment: datetime) -> Instant:
    """The instant of an aware datetime. A naive one is read as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Instant((moment - _EPOCH) // _MICROSECOND)


def moment(at: Instant) -> datetime:
    """The aware UTC datetime of an instant. Raises OverflowError outside the years 1 to 9999."""
    return _EPOCH + timedelta(microseconds=at)


def iso(at: Instant) -> str:
    """RFC 3339 in UTC with microseconds, as `2026-11-23T11:33:51.000000Z`."""
    return moment(at).isoformat(timespec="microseconds").replace("+00:00", "Z")
