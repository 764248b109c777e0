"""Items in order of a score that changes one item at a time, so that the best k are always at hand."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

import numpy as np
from numpy.typing import NDArray


class Standings:
    """A sorted list of (-score, item). Setting a score costs a search and a move of memory, reading costs k."""

    def __init__(self) -> None:
        self._scores: dict[int, float] = {}
        self._order: list[tuple[float, int]] = []

    def score(self, item: int) -> float:
        """The item's score, 0 if it has none."""
        return self._scores.get(item, 0)

    def place(self, item: int, score: float | None) -> None:
        """Give the item this score, or take it off the list (None)."""
        before = self._scores.pop(item, None)
        if before is not None:
            del self._order[bisect_left(self._order, (-before, item))]
        if score is not None:
            self._scores[item] = score
            insort(self._order, (-score, item))

    def best(self, k: int) -> NDArray[np.int32]:
        """The k items of highest score, ties to the lower code."""
        return np.array([item for _, item in self._order[:k]], dtype=np.int32)


class Successors:
    """For each item the standings of what came after it."""

    def __init__(self) -> None:
        self._after: dict[int, Standings] = {}

    def add(self, item: int, after: int, amount: int) -> None:
        """Add a whole number to what `after` scores after `item`."""
        standings = self._after.get(item)
        if standings is None:
            standings = self._after[item] = Standings()
        standings.place(after, standings.score(after) + amount)

    def best(self, item: int, k: int) -> NDArray[np.int32]:
        """The k items that score highest after `item`."""
        standings = self._after.get(item)
        return standings.best(k) if standings else np.empty(0, dtype=np.int32)


class Clock:
    """Sees to it that events come in order of time."""

    def __init__(self) -> None:
        self._last: int | None = None

    def tick(self, at: int) -> None:
        """Note an event at `at`. Raises ValueError if an earlier one was later."""
        if self._last is not None and at < self._last:
            raise ValueError(
                f"an event at {at} came after one at {self._last}: baselines learn in order of time"
            )
        self._last = at


class Running:
    """The newest items of every person's running session, newest last, at most `longest` of them."""

    def __init__(self, idle: int, longest: int) -> None:
        self._idle = idle
        self._longest = longest
        self._clock = Clock()
        self._sessions: dict[int, tuple[int, deque[int]]] = {}

    def touch(self, subject: int, item: int, at: int) -> deque[int]:
        """Add an item to the person's running session, or to a new one; returns what stood in it before."""
        self._clock.tick(at)
        last, items = self._sessions.get(subject, (at, deque(maxlen=self._longest)))
        if at - last > self._idle:
            items = deque(maxlen=self._longest)
        before = items.copy()
        items.append(item)
        self._sessions[subject] = at, items
        return before
