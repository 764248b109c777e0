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

from heedful.log.cursor import Cursor
from heedful.log.log import BodyStore
from heedful.views.fold import Fold
from heedful.vocabulary.event import Stored
from heedful.vocabulary.settings import RetentionSettings
from heedful.vocabulary.time import DAY, HOUR, Clock, Instant

_PAGE = 256
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
        self._swept: dict[str, tuple[Instant, int, Cursor]] = {}
        self.taken_out = 0

    def step(self) -> bool:
        """Do what is due now, at most `at_once` records of it; returns whether there is more. Costs next to
        nothing
        when nothing is due: a sweep is due when the day (UTC) or, for what came late, the hour turned and the fold
        moved. Kinds go first: what the history has let go of cannot be found in it any more.
        """
        now = self._clock.now()
        today = now // DAY * DAY
        for kind, days in self._settings.kinds.items():
            floor = Instant(today - days * DAY)
            due = floor, now // HOUR, self._fold.cursor
            last = self._swept.get(kind)
            if last is not None and last[0] == floor and (last[1] == due[1] or last[2] == due[2]):
                continue
            if not self._sweep(kind, floor):
                return True
            self._swept[kind] = due
        for purpose, days in self._settings.purposes.items():
            self._fold.advance_for(purpose, Instant(today - days * DAY))
        return False

    def _sweep(self, kind: str, floor: Instant) -> bool:
        """Take out what is too old of a kind, at most `at_once` records; returns whether nothing is left."""
        batch: list[Stored] = []
        prints = self._old(kind, floor)
        for start in range(0, len(prints), _PAGE):
            places = [
                place for one in prints[start : start + _PAGE] for place in self._fold.claims.holders(one)
            ]
            batch += [stored for stored in self._log.fetch(places) if stored.record.at < floor]
            if len(batch) >= self._at_once:
                break
        if batch:
            self._fold.retract(batch)
            self._log.purge([stored.position for stored in batch])
            self.taken_out += len(batch)
        return len(batch) < self._at_once

    def _old(self, kind: str, floor: Instant) -> list[int]:
        """The fingerprints of events of a kind that happened before `floor`. Blocks of the history that are free
        may still hold some that were taken out: nothing stands under these any more."""
        code = self._fold.kinds.codes.get(kind)
        if code is None:
            return []
        rows = self._fold.history.arrays
        old: list[int] = np.unique(rows.fingerprint[(rows.kind == code) & (rows.at < floor)]).tolist()
        return old
