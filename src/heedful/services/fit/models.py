"""The fitted models of a running server: take up what was promoted, and know which fit is due next."""

from __future__ import annotations

from collections.abc import Callable

from heedful.log.cursor import decode_cursor
from heedful.models.shelf import Shelf, Version
from heedful.services.fit import taste
from heedful.services.fit.taste import TASTE
from heedful.vocabulary.errors import HeedfulError

RANKER = "ranker"
GROWTH = 1.5
"""A ranker is fitted again when the log is so many times as long as at the last one, and no sooner."""

TASTES = 20
"""A taste is fitted so many times sooner than a ranker: it takes seconds, and what it lacks it cannot propose."""


class Schedule:
    """When one kind of model is fitted again.

    at: records that its newest model has seen. least: that must have come since, 0 for never. growth: see GROWTH.
    """

    def __init__(self, at: int, least: int, growth: float) -> None:
        self._at, self._least, self._growth = at, least, growth

    def due(self, place: int) -> bool:
        """Whether a log of `place` records deserves a fit."""
        return 0 < self._least <= place - self._at and place >= self._growth * self._at

    def begun(self, place: int) -> None:
        """A fit of everything up to `place` is under way, or was tried."""
        self._at = place


class Models:
    """look: takes up what is in force now; returns whether anything changed.
    every: records that must have come since the last ranker; 0 for fits by hand only.
    tasting: whether anything that answers goes by a taste; until then none is fitted, but a stale one anew."""

    def __init__(
        self,
        shelf: Shelf,
        look: Callable[[], bool],
        *,
        every: int,
        tasting: Callable[[], bool] = lambda: True,
    ) -> None:
        self._shelf, self._look, self._every, self._tasting = shelf, look, every, tasting
        versions = _versions(shelf)
        self._schedules = {
            TASTE: Schedule(_seen(versions, TASTE), -(-every // TASTES), taste.GROWTH),
            RANKER: Schedule(_seen(versions, RANKER), every, GROWTH),
        }
        self._stale = self._outdated()
        self._tried: set[str] = set()

    def look(self) -> bool:
        """Take up what is in force now; returns whether anything changed."""
        changed = self._look()
        if changed:
            self._stale = self._outdated()
        return changed

    def due(self, place: int) -> str:
        """Which fit a log of `place` records deserves, `TASTE` or `RANKER`; "" for none.

        What learned from somebody who was forgotten since is due at once, and only once.
        """
        if not self._every:
            return ""
        for name, schedule in self._schedules.items():
            wanted = name != TASTE or self._tasting()
            if (wanted and schedule.due(place)) or self._stale.get(name, "") not in {"", *self._tried}:
                return name
        return ""

    def begun(self, name: str, place: int) -> None:
        """The fit `name` of everything up to `place` is under way, or was tried."""
        self._schedules[name].begun(place)
        self._tried.add(self._stale.get(name, ""))

    def _outdated(self) -> dict[str, str]:
        """By what is fitted, the id in force that is stale."""
        return {
            one.facts.place: one.id for one in _versions(self._shelf) if one.stale and one.state == "in force"
        }


def _versions(shelf: Shelf) -> tuple[Version, ...]:
    try:
        return shelf.list()
    except (HeedfulError, OSError):
        return ()


def _seen(versions: tuple[Version, ...], name: str) -> int:
    """How many records the newest model of a kind has seen, 0 without one."""
    try:
        return max(
            sum(decode_cursor(one.facts.position).offsets)
            for one in versions
            if (one.facts.place == TASTE) == (name == TASTE)
        )
    except (HeedfulError, ValueError):
        return 0
