"""What is described like what the person looked at: how an item is proposed before anybody touched it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heedful.pipeline.candidates import Candidates
from heedful.pipeline.context import Context
from heedful.views.arena import Column
from heedful.views.compiled import compiled
from heedful.views.content import Content
from heedful.views.dictionary import Items
from heedful.views.sessions import Sessions
from heedful.views.traits import Traits
from heedful.vocabulary.time import DAY, HOUR, Instant

ALIKE = 100_000
"""Millionths of a cosine from which one item is said to be like another."""

MOST_NEW = 1_000
"""The youngest items that `Fresh` looks at."""


class SimilarContent:
    """Items described like the newest of the trail.

    trail: how many of it count, each half as much as the one before. An item that several of them resemble
    counts with its best share.
    """

    name = "similar"

    def __init__(self, content: Content, items: Items, *, trail: int = 2) -> None:
        self._content = content
        self._items = items
        self._trail = trail

    def propose(self, context: Context, candidates: Candidates, column: int, *, limit: int) -> int:
        trail = _told(self._content, context.trail[: self._trail])
        if not len(trail):
            return 0
        found = [self._content.like(item, limit) for item in trail.tolist()]
        items, scores, because = joined(
            np.concatenate([one.items for one in found]),
            np.concatenate([one.scores for one in found]),
            np.cumsum([len(one.items) for one in found]),
            trail,
            self._items.keys,
            limit,
        )
        candidates.add(column, items, scores, because)
        return len(items)


class Fresh:
    """New items most like the trail: so that a new item is proposed before anybody touched it.

    days: how long an item is new, from its publication or else its first description, told to the hour.
    few: an item that stands in this many sessions or more needs no help. trail: how many of it count.
    """

    name = "fresh"

    def __init__(
        self, content: Content, traits: Traits, sessions: Sessions, *, days: int = 14, few: int = 20,
        trail: int = 2,
    ) -> None:  # fmt: skip
        self._content = content
        self._traits = traits
        self._sessions = sessions
        self._span = days * DAY
        self._few = few
        self._trail = trail
        self._asked: tuple[int, int] | None = None
        self._young: NDArray[np.int32] = np.empty(0, dtype=np.int32)

    def propose(self, context: Context, candidates: Candidates, column: int, *, limit: int) -> int:
        trail = _told(self._content, context.trail[: self._trail])
        if not len(trail):
            return 0
        young = self._untouched(context.now if context.as_of is None else context.as_of)
        if not len(young):
            return 0
        near = self._content.nearest(trail, young, limit)
        count = int(np.count_nonzero(near.scores >= ALIKE))
        candidates.add(column, near.items[:count], near.scores[:count], near.because[:count])
        return count

    def _untouched(self, moment: Instant) -> NDArray[np.int32]:
        """Items that are new at `moment` and that next to nobody touched."""
        self._traits.refresh()
        hour = moment // HOUR * HOUR
        if self._asked != (self._traits.changes, hour):
            first, stop = Instant(hour - self._span), Instant(hour + HOUR)
            self._young = self._traits.born_between(first, stop, MOST_NEW)
            self._asked = (self._traits.changes, hour)
        held = self._sessions.index.held
        known = self._young < len(held)
        touched = np.where(known, held[np.where(known, self._young, 0)], 0)
        return self._young[touched < self._few]


def _told(content: Content, trail: NDArray[np.int32]) -> NDArray[np.int32]:
    """Those of `trail` of which something is said: without any, there is nothing to compare."""
    said = [content.says_of(item) for item in trail.tolist()]
    return trail if all(said) else trail[said]


@compiled
def joined(
    items: Column, scores: Column, ends: Column, trail: Column, keys: Column, limit: int
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]:
    """Join what several items are like into one list, best first, ties by key, each item once: its items, its
    scores from ALIKE, and for each the one of `trail` it is like.

    items, scores: the lists one after another, each best first, ending before `ends`; each next one's scores
    count half as much again.
    """
    head = np.zeros(len(ends), dtype=np.int64)
    head[1:] = ends[:-1]
    best = np.empty(limit, dtype=np.int32)
    points, because = np.empty(limit, dtype=np.int64), np.empty(limit, dtype=np.int32)
    size = 0
    while size < limit:
        most, chosen = 0, -1
        for one in range(len(ends)):
            if head[one] < ends[one] and scores[head[one]] >= ALIKE:
                share, item = scores[head[one]] >> one, items[head[one]]
                if share > most or (share == most and keys[item] < keys[items[head[chosen]]]):
                    most, chosen = share, one
        if chosen < 0:
            break
        item = items[head[chosen]]
        head[chosen] += 1
        there = False
        for place in range(size):
            there = there or best[place] == item
        if not there:
            best[size], points[size], because[size] = item, most, trail[chosen]
            size += 1
    return best[:size], points[:size], because[:size]
