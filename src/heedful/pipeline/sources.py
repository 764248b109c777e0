"""Where candidates come from. Each source reads the views and changes nothing.

A source that needs the person reads only `Context.trail` and what the context says of the person; a question
without a person runs the same pipeline, and those sources then have only the item on the page to go by.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from heedful.pipeline.candidates import Proposal
from heedful.pipeline.context import Context
from heedful.views.catalogue import Catalogue
from heedful.views.cooccurrence import Cooccurrence
from heedful.views.neighbours import Neighbours
from heedful.views.rules import Rules
from heedful.views.sessions import BOUGHT, CARTED
from heedful.views.trends import Trends
from heedful.vocabulary.time import HOUR

_NO_ITEMS = np.empty(0, dtype=np.int32)
NOTHING = Proposal(_NO_ITEMS, np.empty(0, dtype=np.float64), _NO_ITEMS)


class Source(Protocol):
    """Somewhere worth looking for items."""

    name: str

    def propose(self, context: Context, *, limit: int) -> Proposal:
        """Up to `limit` (1 to 1,000) distinct items, best first. None is an ordinary answer."""


class SessionNeighbours:
    """Items of the sessions most like this one: VMIS-kNN (Kersbergen et al., SIGMOD 2022) on the live index.

    newest: sessions read per item (m). neighbours: sessions that count (k).
    """

    name = "sessions"

    def __init__(
        self, neighbours: Neighbours, *, newest: int = 500, count: int = 100, trail: int = 4
    ) -> None:
        self._neighbours = neighbours
        self._newest = newest
        self._count = count
        self._trail = trail

    def propose(self, context: Context, *, limit: int) -> Proposal:
        trail = context.trail[: self._trail]
        if not len(trail):
            return NOTHING
        found = self._neighbours.read(trail, limit, m=self._newest, k=self._count)
        return Proposal(found.items, found.scores.astype(np.float64), found.because)


class NextItems:
    """What people went on to after the newest item of the trail: sequential rules (Ludewig and Jannach, 2018)."""

    name = "next"

    def __init__(self, rules: Rules, *, newest: int = 100) -> None:
        self._rules = rules
        self._newest = newest

    def propose(self, context: Context, *, limit: int) -> Proposal:
        if not len(context.trail):
            return NOTHING
        return _about(context.trail[0], *self._rules.read(context.trail[:1], limit, m=self._newest))


class BoughtTogether:
    """What was bought or put into the basket in the same sessions as the newest item of the trail."""

    name = "together"

    def __init__(self, cooccurrence: Cooccurrence, *, newest: int = 300) -> None:
        self._cooccurrence = cooccurrence
        self._newest = newest

    def propose(self, context: Context, *, limit: int) -> Proposal:
        if not len(context.trail):
            return NOTHING
        item = context.trail[0]
        return _about(item, *self._cooccurrence.read(int(item), limit, deed=BOUGHT | CARTED, m=self._newest))


class Trending:
    """What is popular now, over one half-life."""

    def __init__(self, trends: Trends, horizon: str) -> None:
        self.name = f"trending_{horizon}"
        self._trends = trends
        self._horizon = horizon

        self._asked: tuple[int, int, int] | None = None
        self._last = NOTHING

    def propose(self, context: Context, *, limit: int) -> Proposal:
        asked = (self._trends.changes, context.as_of // HOUR, limit)
        if asked != self._asked:  # the same as last time, until something happens or the hour turns
            items, scores = self._trends.top(self._horizon, limit, context.as_of)
            self._asked, self._last = asked, Proposal(items, scores, np.full(len(items), -1, dtype=np.int32))
        return self._last


class TrendingInCategory:
    """What is popular now in the first category of the newest item of the trail."""

    def __init__(self, trends: Trends, catalogue: Catalogue, horizon: str) -> None:
        self.name = f"category_{horizon}"
        self._trends = trends
        self._catalogue = catalogue
        self._horizon = horizon

    def propose(self, context: Context, *, limit: int) -> Proposal:
        if not len(context.trail):
            return NOTHING
        item = int(context.trail[0])
        categories = self._catalogue.categories_of(item)
        if not categories:
            return NOTHING
        members = self._catalogue.members(categories[0])
        return _about(context.trail[0], *self._trends.top_in(self._horizon, members, limit, context.as_of))


class Newest:
    """What came into the catalogue last: for the first hours of a shop, when nothing has happened yet."""

    name = "newest"

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def propose(self, context: Context, *, limit: int) -> Proposal:
        del context
        items = self._catalogue.newest(limit)
        return Proposal(items, 1.0 / np.arange(1, len(items) + 1), np.full(len(items), -1, dtype=np.int32))


def _about(item: np.int32, items: NDArray[np.int32], scores: NDArray[np.float64 | np.int64]) -> Proposal:
    """A proposal that `item` alone speaks for."""
    return Proposal(items, scores.astype(np.float64), np.full(len(items), item, dtype=np.int32))
