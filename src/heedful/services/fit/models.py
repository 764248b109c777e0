"""The fitted models of a running server: take up what was promoted, and know when the next fit is due."""

from __future__ import annotations

from collections.abc import Callable

from heedful.log.cursor import decode_cursor
from heedful.models.shelf import Shelf
from heedful.vocabulary.errors import HeedfulError

GROWTH = 1.5
"""A fit is due again when the log is so many times as long as at the last one, and no sooner."""


class Models:
    """look: takes up what is in force now; returns whether anything changed.
    every: records that must have come since the last fit; 0 for fits by hand only. automatic: whether it is not 0.
    """

    def __init__(self, shelf: Shelf, look: Callable[[], bool], *, every: int) -> None:
        self.look = look
        self.automatic = every > 0
        self._every = every
        self._fitted_at = _newest(shelf)

    def due(self, place: int) -> bool:
        """Whether a log of `place` records deserves a fit."""
        return 0 < self._every <= place - self._fitted_at and place >= GROWTH * self._fitted_at

    def begun(self, place: int) -> None:
        """A fit of everything up to `place` is under way, or was tried."""
        self._fitted_at = place


def _newest(shelf: Shelf) -> int:
    """How many records the newest model has seen, 0 without one."""
    try:
        versions = shelf.list()
        return max((sum(decode_cursor(one.facts.position).offsets) for one in versions), default=0)
    except (HeedfulError, OSError):
        return 0
