"""Where candidates come from. Each source reads the views and changes nothing.

A source that needs the person reads only `Context.trail` and what the context says of the person; a question
without a person runs the same pipeline, and those sources then have only the item on the page to go by.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from heedful.pipeline.candidates import Candidates
from heedful.pipeline.context import Context
from heedful.views.catalogue import Catalogue
from heedful.views.cooccurrence import Cooccurrence
from heedful.views.neighbours import Neighbours
from heedful.views.rules import Rules
from heedful.views.sessions import BOUGHT, CARTED
from heedful.views.trends import Trends
from heedful.vocabulary.time import HOUR

_NOTHING = np.full(1, -1, dtype=np.int32)
"""Nothing speaks for these items but themselves."""


class Source(Protocol):
    """Somewhere worth looking for items."""

    name: str

    def propose(self, context: Context, candidates: Candidates, column: int, *, limit: int) -> int:
        """Write up to `limit` (1 to 1,000) distinct items, best first, into `column`; returns how many.

        None is an ordinary answer.
        """


class SessionNeighbours:
    """Items of the sessions most like this one: VMIS-kNN (Kersbergen et al., SIGMOD 2022) on the live index.

    newest: sessions read per item (m). count: sessions that count (k). trail: items of the trail that count.
    Three items and 200 sessions score as well on the validation clicks of `benchmarks/quality.py` as more do.
    """

    name = "sessions"

    def __init__(
        self, neighbours: Neighbours, *, newest: int = 200, count: int = 100, trail: int = 3
    ) -> None:
        self._neighbours = neighbours
        self._newest = newest
        self._count = count
        self._trail = trail

    def propose(self, context: Context, candidates: Candidates, column: int, *, limit: int) -> int:
        trail = context.trail[: self._trail]
        if not len(trail):
            return 0
        found = self._neighbours.peek(trail, limit, m=self._newest, k=self._count)
        candidates.add(column, found.items, found.scores, found.because)
        return len(found.items)


class NextItems:
    """What people looked at after the newest item of the trail: sequential rules (Ludewig, Jannach, 2018)."""

    name = "next"

    def __init__(self, rules: Rules, *, newest: int = 60) -> None:
        self._rules = rules
        self._newest = newest

    def propose(self, context: Context, candidates: Candidates, column: int, *, limit: int) -> int:
        newest = context.trail[:1]
        if not len(newest):
            return 0
        found = self._rules.peek(newest, limit, m=self._newest)
        candidates.add(column, found.items, found.scores, newest)
        return len(found.items)


class BoughtTogether:
    """What was bought or put into the basket in the same sessions as the newest item of the trail."""

    name = "together"

    def __init__(self, cooccurrence: Cooccurrence, *, newest: int = 100) -> None:
        self._cooccurrence = cooccurrence
        self._newest = newest

    def propose(self, context: Context, candidates: Candidates, column: int, *, limit: int) -> int:
        newest = context.trail[:1]
        if not len(newest):
            return 0
        found = self._cooccurrence.peek(newest, limit, deed=BOUGHT | CARTED, m=self._newest)
        candidates.add(column, found.items, found.scores, newest)
        return len(found.items)


class Trending:
    """What is popular now, over one half-life."""

    def __init__(self, trends: Trends, horizon: str) -> None:
        self.name = f"trending_{horizon}"
        self._trends = trends
        self._horizon = horizon
        self._asked: tuple[int, int | None, int] | None = None
        self._items: NDArray[np.int32] = np.empty(0, dtype=np.int32)
        self._scores: NDArray[np.float64] = np.empty(0)

    def propose(self, context: Context, candidates: Candidates, column: int, *, limit: int) -> int:
        as_of = self._trends.asked(context.as_of)
        asked = (self._trends.changes, None if as_of is None else as_of // HOUR, limit)
        if asked != self._asked:  # the same as last time, until something happens
            self._items, self._scores = self._trends.top(self._horizon, limit, as_of)
            self._asked = asked
        candidates.add(column, self._items, self._scores, _NOTHING)
        return len(self._items)


class TrendingInCategory:
    """What is popular now in the first category of the newest item of the trail."""

    def __init__(self, trends: Trends, catalogue: Catalogue, horizon: str) -> None:
        self.name = f"category_{horizon}"
        self._trends = trends
        self._catalogue = catalogue
        self._horizon = horizon

    def propose(self, context: Context, candidates: Candidates, column: int, *, limit: int) -> int:
        newest = context.trail[:1]
        categories = self._catalogue.categories_of(int(newest[0])) if len(newest) else ()
        if not categories:
            return 0
        members = self._catalogue.members(categories[0])
        items, scores = self._trends.top_in(self._horizon, members, limit, self._trends.asked(context.as_of))
        candidates.add(column, items, scores, newest)
        return len(items)


class Newest:
    """What came into the catalogue last: for the first hours of a shop, when nothing has happened yet."""

    name = "newest"

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def propose(self, context: Context, candidates: Candidates, column: int, *, limit: int) -> int:
        del context
        items = self._catalogue.newest(limit)
        candidates.add(column, items, 1.0 / np.arange(1, len(items) + 1), _NOTHING)
        return len(items)


class Pins:
    """What editors want in fixed places: candidates like all others, so that every filter sees them."""

    name = "pins"

    def propose(self, context: Context, candidates: Candidates, column: int, *, limit: int) -> int:
        del limit
        if not len(context.pins):
            return 0
        candidates.add(column, context.pins, np.ones(len(context.pins)), _NOTHING)
        return len(context.pins)
