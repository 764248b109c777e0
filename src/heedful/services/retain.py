"""Retention by the clock: what a purpose learned, and what kinds of events say, does not stay longer than it may.

Two rules, each exact. By purpose: the views that serve it move their floor, as they do for the whole
installation. By
kind: the records are taken out through `Fold.retract`, which leaves every view as if they had never been, and then
their bodies are destroyed in the log, so that a fold from zero agrees. In that order: what was taken out and
not yet destroyed when the process ended comes back at the start and is taken out again.

The history is what other views are cut and joined from, so where its purpose ends they end with it
(`Fold.advance_for`).
"""

from __future__ import annotations

import numpy as np

from heedful.log.log import BodyStore
from heedful.views.fold import Fold
from heedful.vocabulary.settings import RetentionSettings
from heedful.vocabulary.time import DAY, Clock, Instant

AT_ONCE = 2_000
"""Records that one step takes out at most, so that nobody's answer waits long."""


class Retain:
    """The service. Owned by the fold's thread."""

    def __init__(
        self, *, fold: Fold, log: BodyStore, settings: RetentionSettings, clock: Clock, at_once: int = AT_ONCE
    ) -> None:
        self._fold = fold
        self._log = log
        self._settings = settings
        self._clock = clock
        self._at_once = at_once
        self._floors: dict[str, Instant] = {}
        self._swept: dict[str, Instant] = {}
        self.taken_out = 0

    def step(self) -> bool:
        """Do what is due now, at most `at_once` records of it; returns whether there is more. Costs next to
        nothing
        when nothing is due: floors are days (UTC)."""
        today = self._clock.now() // DAY * DAY
        for purpose, days in self._settings.purposes.items():
            self._advance(purpose, Instant(today - days * DAY))
        for kind, days in self._settings.kinds.items():
            floor = Instant(today - days * DAY)
            if self._swept.get(kind) != floor and not self._sweep(kind, floor):
                return True
            self._swept[kind] = floor
        return False

    def _advance(self, purpose: str, floor: Instant) -> None:
        if self._floors.get(purpose) == floor:
            return
        self._floors[purpose] = floor
        self._fold.advance_for(purpose, floor)

    def _sweep(self, kind: str, floor: Instant) -> bool:
        """Take out what is too old of a kind; returns whether nothing is left."""
        prints = self._old(kind, floor)
        places = [place for one in prints[: self._at_once] for place in self._fold.claims.holders(one)]
        batch = [stored for stored in self._log.fetch(places) if stored.record.at < floor]
        if batch:
            self._fold.retract(batch)
            self._log.purge([stored.position for stored in batch])
            self.taken_out += len(batch)
        return len(prints) <= self._at_once

    def _old(self, kind: str, floor: Instant) -> list[int]:
        """The fingerprints of events of a kind that happened before `floor`."""
        fold = self._fold
        code = fold.kinds.codes.get(kind)
        if code is None:
            return []
        found: list[int] = []
        for subject in range(len(fold.subjects)):
            count = fold.history.count(subject)
            if not count:
                continue
            past = fold.history.rows(subject)
            old = past.fingerprint[(past.kind == code) & (past.at < floor)]
            found += np.unique(old).tolist()
            if len(found) > self._at_once:
                break
        return found
