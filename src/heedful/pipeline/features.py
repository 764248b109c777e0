"""What a ranker may know of each candidate, as named columns of one table: a row a candidate, float32.

Serving and fitting fill the table by this one kernel, so that a model never meets a column that means
something else than it learned. A column is a pure function of the views at the moment of the question.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heedful.pipeline.candidates import MOST, Candidates, columns_of
from heedful.pipeline.context import Context
from heedful.views.buckets import SUM_BITS
from heedful.views.catalogue import UNKNOWN, UNPUBLISHED
from heedful.views.compiled import compiled
from heedful.views.fold import Fold
from heedful.views.handles import Handle
from heedful.views.timeline import timeline_of
from heedful.views.trends import FADING
from heedful.vocabulary.consent import PERSONALIZATION
from heedful.vocabulary.time import HOUR, MINUTE, SECOND

NEVER = 40.0
"""The logarithm of a time that never was: 2^40 minutes are two million years."""

UNPOPULAR = -30.0
"""The popularity, log2, of an item that nobody touched, and the least there is."""

OF_AN_ITEM = (
    "popularity_6h",
    "popularity_1d",
    "popularity_7d",
    "popularity_30d",
    "rise",
    "age",
    "price",
    "price_gap",
)
OF_A_PAIR = ("same_category", "category_share", "touched", "touched_here", "touched_ago", "proposals")
OF_A_QUESTION = ("trail", "position", "gap", "hour")
"""Columns beside the sources' own, in the table's order.

popularity_*: log2 of the decayed weight of everything that happened with the item, by half-life. rise: 1d - 7d.
age: log2(1 + hours since it was published, or else first touched), -1 unknown. price: log2(1 + minor units), -1
unknown. price_gap: that minus the mean of what the person touched last, 0 unknown.
same_category: whether its first category is that of the newest item of the trail; category_share: of how many of
the trail. touched, touched_here: how often the person touched it among their newest rows, and in this session;
touched_ago: log2(1 + minutes since), NEVER. proposals: how many sources named it.
trail: items on the trail. position: rows of this session so far. gap: log2(1 + seconds since the person's last
row), NEVER. hour: of the day, UTC.
"""

WINDOW = 200
"""How many of a person's newest rows are looked at."""

_OWN = len(OF_AN_ITEM) + len(OF_A_PAIR) + len(OF_A_QUESTION)
_POPULAR = 4


def names_of(sources: tuple[str, ...]) -> tuple[str, ...]:
    """The table's columns: for every source its score, in [0, 1], and 1 / its place there, then ours."""
    pairs = [(f"{source}_score", f"{source}_place") for source in sources]
    return tuple(name for pair in pairs for name in pair) + OF_AN_ITEM + OF_A_PAIR + OF_A_QUESTION


_GROUPS = {
    "popularity": ("popularity_6h", "popularity_1d", "popularity_7d", "popularity_30d", "rise"),
    "item": ("age", "price"),
    "person": ("price_gap", "touched", "touched_here", "touched_ago"),
    "category": ("same_category", "category_share"),
    "question": ("proposals", *OF_A_QUESTION),
}


def group_of(name: str) -> str:
    """What a column speaks of, in a word: a source, or popularity, item, person, category, question."""
    for group, names in _GROUPS.items():
        if name in names:
            return group
    return name.rpartition("_")[0]


class Features:
    """Fills the table. One thread owns it, with the candidates.

    names: the columns. table: float32, one row a candidate, overwritten by the next question.
    """

    def __init__(self, fold: Fold, sources: tuple[str, ...]) -> None:
        """sources: the columns of the candidates."""
        self.names = names_of(sources)
        self._fold = fold
        self._room = np.zeros(MOST * len(self.names), dtype=np.float32)

    def fill(self, context: Context, candidates: Candidates) -> NDArray[np.float32]:
        """The features of every candidate, float32 (n, len(names)), finite."""
        fold = self._fold
        popularity, catalogue = fold.trends.popularity(), fold.catalogue
        catalogue.ensure(len(fold.items))
        _fill(
            candidates.handle, fold.history.handle, self._room, popularity.logs, popularity.pool, popularity.start,
            popularity.hours, catalogue.price_minor, catalogue.published, catalogue.category, fold.meanings.joins,
            context.trail, context.subject, context.as_of or context.now, fold.idle,
        )  # fmt: skip
        return self.table(len(candidates))

    def table(self, rows: int) -> NDArray[np.float32]:
        """What was filled last for so many candidates."""
        width = len(self.names)
        return self._room[: rows * width].reshape(rows, width)


@compiled
def _fill(
    table: Handle,
    past: Handle,
    room: NDArray[np.float32],
    logs: NDArray[np.float64],
    pool: NDArray[np.int64],
    start: NDArray[np.int64],
    hours: NDArray[np.int32],
    price: NDArray[np.int64],
    published: NDArray[np.int64],
    category: NDArray[np.int32],
    joins: NDArray[np.bool_],
    trail: NDArray[np.int32],
    subject: int,
    now: int,
    idle: int,
) -> None:
    columns = columns_of(table)
    rows, sources = columns.meta[0], columns.meta[1]
    width = 2 * sources + _OWN
    touched = 2 * sources + len(OF_AN_ITEM) + 2
    for row in range(rows):
        base = row * width
        room[base + touched] = 0.0
        room[base + touched + 1] = 0.0
        room[base + touched + 2] = NEVER

    # What the person did, newest first.
    position, gap, prices, priced = 0, NEVER, 0.0, 0
    timeline = timeline_of(past)
    if 0 <= subject < len(timeline.held):
        low = int(timeline.offset[subject])
        high = low + int(timeline.held[subject])
        here, later = True, now
        for place in range(high - 1, max(low, high - WINDOW) - 1, -1):
            at, item = timeline.at[place], timeline.item[place]
            if item < 0 or not joins[timeline.kind[place]] or at > now:
                continue
            if timeline.purposes[place] & PERSONALIZATION == 0:
                continue
            here = here and later - at <= idle
            if gap == NEVER:
                gap = np.log2(1.0 + (now - at) / SECOND)
            later = at
            position += here
            if item < len(price) and price[item] != UNKNOWN:
                prices += np.log2(1.0 + price[item])
                priced += 1
            row = columns.row[item] if item < len(columns.row) else -1
            if row >= 0:
                spot = row * width + touched
                room[spot] += 1.0
                room[spot + 1] += here
                if room[spot + 2] == NEVER:
                    room[spot + 2] = np.log2(1.0 + (now - at) / MINUTE)
    usual = prices / priced if priced else 0.0
    hour = now // HOUR
    of_the_day = float(hour % 24)
    newest = category[trail[0]] if len(trail) and trail[0] < len(category) else UNKNOWN

    for row in range(rows):
        item = columns.item[row]
        place = row * width
        proposals = 0
        for source in range(sources):
            rank = columns.rank[row * sources + source]
            proposals += rank > 0
            room[place] = columns.score[row * sources + source]
            room[place + 1] = 1.0 / rank if rank > 0 else 0.0
            place += 2
        for horizon in range(_POPULAR):
            room[place + horizon] = UNPOPULAR
        age = -1.0
        if item < logs.shape[1]:
            for horizon in range(_POPULAR):
                room[place + horizon] = max(UNPOPULAR, logs[horizon, item] - hour * FADING[horizon])
            if hours[item] > 0:
                age = np.log2(1.0 + max(0, hour - (pool[start[item]] >> SUM_BITS)))
        room[place + 4] = room[place + 1] - room[place + 2]
        if published[item] != UNPUBLISHED:
            age = np.log2(1.0 + max(0, now - published[item]) / HOUR)
        room[place + 5] = age
        costs = np.log2(1.0 + price[item]) if price[item] != UNKNOWN else -1.0
        room[place + 6] = costs
        room[place + 7] = costs - usual if costs >= 0.0 and priced else 0.0
        place += len(OF_AN_ITEM)
        alike = 0
        if category[item] != UNKNOWN:
            for i in range(len(trail)):
                alike += trail[i] < len(category) and category[trail[i]] == category[item]
        room[place] = 1.0 if newest != UNKNOWN and newest == category[item] else 0.0
        room[place + 1] = alike / len(trail) if len(trail) else 0.0
        room[place + 5] = proposals
        place += len(OF_A_PAIR)
        room[place] = len(trail)
        room[place + 1] = position
        room[place + 2] = gap
        room[place + 3] = of_the_day
