"""The same list for everybody: what was touched most, ever or lately. Hard to beat where tastes move together."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from heedful.services.evaluate.interim.baselines.baseline import NOBODY
from heedful.services.evaluate.interim.baselines.standings import Clock, Standings

DAY = 24 * 3_600 * 1_000_000


class Popular:
    """Items by how many events they had."""

    def __init__(self) -> None:
        self._clock = Clock()
        self._standings = Standings()

    def learn(self, _subject: int, item: int, at: int) -> None:
        """See `Baseline.learn`."""
        self._clock.tick(at)
        self._standings.place(item, self._standings.score(item) + 1)

    def answer(
        self, _session: NDArray[np.int32], _at: int, k: int, _subject: int = NOBODY
    ) -> NDArray[np.int32]:
        """See `Baseline.answer`."""
        return self._standings.best(k)


class RecentPopular:
    """Items by how many events they had within the last `window` microseconds, its start left out."""

    def __init__(self, window: int = 7 * DAY) -> None:
        if window <= 0:
            raise ValueError(f"the window is {window} microseconds, and must be above 0")
        self._window = window
        self._clock = Clock()
        self._standings = Standings()
        self._events: deque[tuple[int, int]] = deque()

    def learn(self, _subject: int, item: int, at: int) -> None:
        """See `Baseline.learn`."""
        self._clock.tick(at)
        self._expire(at)
        self._events.append((at, item))
        self._standings.place(item, self._standings.score(item) + 1)

    def answer(
        self, _session: NDArray[np.int32], at: int, k: int, _subject: int = NOBODY
    ) -> NDArray[np.int32]:
        """See `Baseline.answer`. What has left the window at `at` is gone also for earlier moments."""
        self._expire(at)
        return self._standings.best(k)

    def _expire(self, at: int) -> None:
        while self._events and self._events[0][0] <= at - self._window:
            _, item = self._events.popleft()
            self._standings.place(item, self._standings.score(item) - 1 or None)


class DecayedPopular:
    """Items by their events, of which each counts half as much after every `half_life` microseconds.

    Forward decay (Cormode et al., 2009): an event counts 2^(time / half-life) and is never touched again,
    because moving the reference multiplies all scores alike. The binary logarithm of the sum is kept, because
    the sum itself does not fit a double.
    """

    def __init__(self, half_life: int = DAY) -> None:
        if half_life <= 0:
            raise ValueError(f"the half-life is {half_life} microseconds, and must be above 0")
        self._half_life = half_life
        self._clock = Clock()
        self._standings = Standings()
        self._logarithm: dict[int, float] = {}

    def learn(self, _subject: int, item: int, at: int) -> None:
        """See `Baseline.learn`."""
        self._clock.tick(at)
        event = at / self._half_life
        before = self._logarithm.get(item)
        after = event if before is None else event + math.log2(1 + 2 ** (before - event))
        self._logarithm[item] = after
        self._standings.place(item, after)

    def answer(
        self, _session: NDArray[np.int32], _at: int, k: int, _subject: int = NOBODY
    ) -> NDArray[np.int32]:
        """See `Baseline.answer`."""
        return self._standings.best(k)
