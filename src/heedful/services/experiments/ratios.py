"""The least p of each sample ratio so far: an alarm that was raised at one look stays, after a start too.

What is kept are the records' versions under the experiment's key. One is written when the p has halved since the
last, or has come to raise the alarm, so that an experiment leaves about ten.
"""

from __future__ import annotations

from contextlib import suppress

import msgspec

from heedful.experiments.inference.sample_ratio import ALARM
from heedful.records.records import Draft, Records
from heedful.vocabulary.errors import Conflict, RecordsUnavailable
from heedful.vocabulary.time import Clock

KIND = "sample_ratio"
AUTHOR = "server"


class Ratios:
    """One thread owns it. While the records cannot be read or written, what was seen here goes on."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._least: dict[str, float] = {}
        self._kept: dict[str, float] = {}

    def before(self, key: str) -> float:
        """The least p of the looks before, 1 where there was none."""
        if key not in self._least:
            try:
                found = self._records.current(KIND, key)
            except RecordsUnavailable:
                return 1.0
            self._kept[key] = self._least[key] = (
                1.0 if found is None else msgspec.json.decode(found.body, type=float)
            )
        return self._least[key]

    def seen(self, key: str, p: float) -> None:
        """A look came to `p`."""
        self._least[key] = min(p, self.before(key))

    def keep(self, key: str) -> None:
        """Make what was seen of an experiment durable, where it is worth a version."""
        least = self.before(key)
        kept = self._kept.get(key, 1.0)
        if kept < ALARM or not (least < ALARM or least <= kept / 2):
            return
        draft = Draft(KIND, key, msgspec.json.encode(least), AUTHOR, self._clock.now())
        with suppress(RecordsUnavailable, Conflict):
            self._records.put(draft)
            self._kept[key] = least
