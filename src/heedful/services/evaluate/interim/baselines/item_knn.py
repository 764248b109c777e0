"""What stands in the same sessions as the items at hand: item-based nearest neighbours by cosine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heedful.services.evaluate.interim.baselines.baseline import IDLE, NOBODY
from heedful.services.evaluate.interim.baselines.selection import best, grown
from heedful.services.evaluate.interim.baselines.standings import Clock

_NO_ITEMS = np.empty(0, dtype=np.int32)


class _Row:
    """How many sessions an item shares with each other item: columns, and the place of each item in them."""

    def __init__(self) -> None:
        self.items = _NO_ITEMS
        self.shared = _NO_ITEMS
        self._place: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._place)

    def add(self, item: int) -> None:
        place = self._place.setdefault(item, len(self._place))
        if place >= len(self.items):
            self.items, self.shared = grown(self.items, place + 4), grown(self.shared, place + 4)
        self.items[place] = item
        self.shared[place] += 1


class ItemKnn:
    """Items by their summed cosine with the newest distinct items of the session.

    With c(i) the sessions that hold i and c(i, j) those that hold both, cosine(i, j) is
    c(i, j) / sqrt(c(i) c(j)). Source: Sarwar, Karypis, Konstan and Riedl, "Item-based collaborative filtering",
    WWW 2001, over yes-or-no vectors. newest: how many distinct items of the session count. longest: an item is
    counted together with so many of the newest distinct items before it. idle: the gap that ends a session, in
    microseconds; None where a person's whole life is one.
    """

    def __init__(self, newest: int = 10, longest: int = 100, idle: int | None = IDLE) -> None:
        self._newest = newest
        self._longest = longest
        self._idle = idle
        self._clock = Clock()
        self._running: dict[int, tuple[int, dict[int, None]]] = {}
        self._rows: dict[int, _Row] = {}
        self._held = np.zeros(1_024, dtype=np.int32)
        self._score = np.zeros(1_024, dtype=np.float64)

    def learn(self, subject: int, item: int, at: int) -> None:
        """See `Baseline.learn`."""
        self._clock.tick(at)
        last, items = self._running.get(subject, (at, {}))
        if self._idle is not None and at - last > self._idle:
            items = {}
        self._running[subject] = at, items
        if item in items:
            return
        self._held = grown(self._held, item + 1)
        self._held[item] += 1
        row = self._rows.setdefault(item, _Row())
        for other in list(items)[-self._longest :]:
            row.add(other)
            self._rows[other].add(item)
        items[item] = None

    def answer(
        self, session: NDArray[np.int32], _at: int, k: int, _subject: int = NOBODY
    ) -> NDArray[np.int32]:
        """See `Baseline.answer`."""
        if len(self._score) < len(self._held):
            self._score = np.zeros(len(self._held), dtype=np.float64)
        for item in list(dict.fromkeys(reversed(session.tolist())))[: self._newest]:
            row = self._rows.get(item)
            if row:
                others, shared = row.items[: len(row)], row.shared[: len(row)]
                self._score[others] += shared / np.sqrt(self._held[others] * float(self._held[item]))
        found = np.flatnonzero(self._score).astype(np.int32)
        scores = self._score[found]
        self._score[found] = 0
        return best(found, scores, k)
