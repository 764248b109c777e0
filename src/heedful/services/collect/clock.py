"""When an event happened, told from the sender's two clock readings and our own.

Segment's scheme: what the sender's clock is wrong by falls out of `sentAt - timestamp`, because both come
from the same clock. So event time = received - (sentAt - timestamp), kept within bounds of our own clock.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.time import DAY, MINUTE, SECOND, Instant, instant

PAST = 400 * DAY
"""An event that claims to be older than this when it arrives counts as this old."""

FUTURE = 5 * MINUTE
"""An event that claims to be further ahead of our clock than this counts as this far ahead."""

_LONGEST = 64
_LOOSE = re.compile(
    r"\s*(?P<day>\d{4}-\d\d-\d\d)[T\s]+(?P<time>\d\d:\d\d)(?P<seconds>:\d\d)?(?:[.,](?P<fraction>\d+))?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)?\s*",
    re.ASCII | re.IGNORECASE,
)


def read_time(value: Any, path: str) -> Instant | None:
    """The instant of an ISO 8601 text; None when absent or empty. A missing zone is UTC; nanoseconds are cut.

    Raises Invalid (`timestamp_invalid`) on anything unreadable.
    """
    if value is None or value == "":
        return None
    if type(value) is str and len(value) <= _LONGEST:
        try:
            return instant(datetime.fromisoformat(value))
        except ValueError:
            if (moment := _loosely(value)) is not None:
                return moment
    raise Invalid("timestamp_invalid", "a time is ISO 8601, as 2026-11-23T11:33:51.000Z", path=path)


def _loosely(value: str) -> Instant | None:
    """What some senders write: `2026-11-23 11:33:51 +0000`, a small z, a leap second."""
    match = _LOOSE.fullmatch(value)
    if match is None:
        return None
    seconds = match["seconds"] or ":00"
    leap = SECOND if seconds == ":60" else 0
    zone = (match["zone"] or "Z").upper().replace("UTC", "Z").replace("GMT", "Z")
    fraction = f".{match['fraction'][:6]}" if match["fraction"] else ""
    try:
        when = f"{match['day']}T{match['time']}{':59' if leap else seconds}{fraction}{zone}"
        return Instant(instant(datetime.fromisoformat(when)) + leap)
    except ValueError:
        return None


def event_time(client: Instant | None, sent: Instant | None, received: Instant) -> Instant:
    """When it happened by our clock, within [received - PAST, received + FUTURE].

    client, sent: what the sender's clock said when it happened and when it was sent; None when not said.
    """
    if client is None:
        return received
    at = client if sent is None else received - (sent - client)
    return Instant(min(max(at, received - PAST), received + FUTURE))
