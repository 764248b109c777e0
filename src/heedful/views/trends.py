"""What many people turn to lately: weight per item and hour, from which decayed scores are read.

The state is integers: per item and hour bucket, floor(at / HOUR), the sum of the weights of the rows in it;
the sum of a day bucket, floor(at / DAY), is that of its hours. A row counts its kind's weight once, whatever
its quantity. Decay happens on reading. The score of an item with half-life H (in buckets) is

    sum over buckets b of weight(b) * 2 ** ((b - reference) / H)

(exponential decay; forward decay of Cormode, Shkapenyuk, Srivastava, Xu: ICDE 2009), so moving the reference
multiplies all scores alike and never changes their order. That allows to keep, per horizon and item, the
binary logarithm of the score at reference 0, computed from the buckets in their order and so a pure function
of the state; it is computed again when an item was touched, never added to.

Rule of the floor: a row counts if and only if it happened at or after the floor truncated down to its day
(UTC). So every bucket, of hours and of days, is either whole or absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from heedful.views.buckets import FARTHEST, LONG, MARGIN, SUM_BITS, SUM_MASK, Buckets, hour_of, position
from heedful.views.compiled import compiled
from heedful.views.dictionary import Items
from heedful.views.leaders import ENOUGH, NOTHING, Leaders, best, move
from heedful.views.mixing import digest_of
from heedful.views.rows import Rows
from heedful.views.view import Arrays
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.time import DAY, Instant


@dataclass(frozen=True, slots=True)
class Horizon:
    """How fast the past fades. hours: the width of a bucket; half_life: in buckets."""

    hours: int
    half_life: float


HORIZONS: dict[str, Horizon] = {
    "6h": Horizon(1, 6.0),
    "1d": Horizon(1, 24.0),
    "7d": Horizon(24, 7.0),
    "30d": Horizon(24, 30.0),
}
"""The half-lives that can be asked for."""

_ORDER = {name: place for place, name in enumerate(HORIZONS)}
_HOURS = np.array([horizon.hours for horizon in HORIZONS.values()], dtype=np.int64)
_HALF_LIVES = np.array([horizon.half_life for horizon in HORIZONS.values()], dtype=np.float64)
_FADES = np.exp2(-np.arange(64) / _HALF_LIVES[:, None])
"""2 ** (-gap / half-life) for the gaps between buckets that occur most, shape (horizons, 64)."""

_DAY = 24
"""Hours; every horizon's bucket divides it, so a day's beginning is a beginning for all of them."""

_MANY = 4_096
"""From this many touched items on, lists are chosen anew instead of moved in."""


class Popularity(NamedTuple):
    """The columns of trends. They may be replaced with every change.

    logs: float64 (horizons, items), log2 of the score seen from bucket 0, -inf without any; the score seen from
        a later hour is lower by hour / (bucket width * half-life), `FADING`.
    pool, start, hours: item i's first hour is `pool[start[i]] >> SUM_BITS` where hours[i] > 0.
    """

    logs: NDArray[np.float64]
    pool: NDArray[np.int64]
    start: NDArray[np.int64]
    hours: NDArray[np.int32]


FADING = 1 / (_HOURS * _HALF_LIVES)
"""How much each horizon's logarithm falls per hour, float64 (horizons,)."""


class Trends:
    """The view. weights: int64, the weight of each kind by its dense code; every code has one.

    changes: grows with every change, so that what was derived can tell whether it still holds.
    """

    name = "trends"
    version = 1
    purpose = "learning"

    def __init__(self, items: Items, weights: NDArray[np.int64]) -> None:
        self._items = items
        self._weights = np.array(weights, dtype=np.int64)
        self._floor = -FARTHEST
        self.changes = 0
        self._clear()

    def _clear(self) -> None:
        self._buckets = Buckets()
        self._logs = np.full((len(HORIZONS), 0), NOTHING)
        self._leaders = Leaders(len(HORIZONS))

    def weigh(self, kind: int, weight: int) -> None:
        """Give the dense code `kind` a weight, 0 to 100, before the first row of that kind is counted."""
        if kind >= len(self._weights):
            more = np.zeros(kind + 1 - len(self._weights), dtype=np.int64)
            self._weights = np.concatenate((self._weights, more))
        self._weights[kind] = weight

    def apply(self, rows: Rows) -> None:
        self._count(rows, 1)

    def retract(self, rows: Rows) -> None:
        self._count(rows, -1)

    def advance(self, floor: Instant) -> None:
        """Drop what happened before the UTC day of `floor`."""
        hour = hour_of(floor // DAY * DAY)
        if hour > self._floor:
            self._floor = hour
            self._buckets.drop_before(hour)
            self.changes += 1

    def _count(self, rows: Rows, sign: int) -> None:
        known = rows.kind[rows.kind < len(self._weights)]
        if self._weights[known].any():  # decisions, pages and the like change nothing here
            self._buckets.add(rows, self._weights, sign, self._floor)
            self.changes += 1

    def digest(self) -> bytes:
        return digest_of(self._buckets.digest_sums(self._items.keys))

    def state(self) -> Arrays:
        """counts int32 (items,), entries int64 (buckets of all items), floor int64 (1,), an hour."""
        return {**self._buckets.state(), "floor": np.array([self._floor], dtype=np.int64)}

    def restore(self, state: Arrays) -> None:
        """Take over a state. The dictionary of items must hold the items of that moment already."""
        for name, kind in (("counts", np.int32), ("entries", np.int64), ("floor", np.int64)):
            if name not in state or state[name].dtype != kind or state[name].ndim != 1:
                raise Corrupt(f"trends: the array {name} is missing or misshapen")
        if len(state["counts"]) > len(self._items) or len(state["floor"]) != 1:
            raise Corrupt("trends: there are more counts than items, or not one floor")
        self._clear()
        self._buckets.restore(state["counts"], state["entries"])
        self._floor = int(state["floor"][0])

    def top(
        self, horizon: str, limit: int, as_of: Instant | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """The `limit` items with the highest scores, best first, ties by ascending item key.

        horizon: a name of `HORIZONS`; ValueError otherwise.
        as_of: the reference of the scores; without it, the newest bucket. Where hours after that of `as_of`
        have rows, they are left out exactly, which looks at every item.
        Returns dense items, int32 (k,), and their scores, float64 (k,), k <= limit: only items with a score.
        """
        place = _place(horizon)
        if self._past(as_of):
            logs = self._logs_before(place, cast(Instant, as_of))
            items = best(logs, self._items.keys, limit)
            return items, self._faded(logs[items], place, as_of)
        self._refresh()
        leaders = self._leaders
        if not leaders.answers(place, min(limit, ENOUGH)):
            leaders.choose(place, self._logs[place], self._items.keys)
        if leaders.answers(place, limit):
            held = min(limit, int(leaders.meta[place, 0]))
            return leaders.codes[place, :held].copy(), self._faded(leaders.scores[place, :held], place, as_of)
        items = best(self._logs[place], self._items.keys, limit)
        return items, self._faded(self._logs[place][items], place, as_of)

    def top_in(
        self, horizon: str, members: NDArray[np.int32], limit: int, as_of: Instant | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Like `top`, among `members` (dense items, int32 (n,), each once)."""
        place = _place(horizon)
        logs = self._logs_of(place, members, as_of)
        chosen = best(logs, self._items.keys[members], limit)
        return members[chosen], self._faded(logs[chosen], place, as_of)

    def scores(
        self, horizon: str, items: NDArray[np.int32], as_of: Instant | None = None
    ) -> NDArray[np.float64]:
        """The scores of dense `items`, int32 (n,), as float64 (n,); 0 for an item without any."""
        place = _place(horizon)
        return self._faded(self._logs_of(place, items, as_of), place, as_of)

    def popularity(self) -> Popularity:
        """What every item has, as kernels take it, with everything that has come in."""
        self._refresh()
        buckets = self._buckets
        return Popularity(self._logs, buckets.pool, buckets.start, buckets.count)

    def asked(self, as_of: Instant | None) -> Instant | None:
        """What to ask `top` and `top_in` for an answer as of then: None unless rows after it must be left out.

        Their order is the same, and a reference near the newest row keeps very old scores above zero.
        """
        return as_of if self._past(as_of) else None

    def _past(self, as_of: Instant | None) -> bool:
        newest = self._buckets.newest() if as_of is not None else None
        return as_of is not None and newest is not None and hour_of(as_of) < newest

    def _faded(self, logs: NDArray[np.float64], place: int, as_of: Instant | None) -> NDArray[np.float64]:
        """Scores in natural units, seen from the bucket of `as_of`."""
        newest = self._buckets.newest()
        hour = hour_of(as_of) if as_of is not None else 0 if newest is None else newest
        seen_from = (hour // int(_HOURS[place])) / float(_HALF_LIVES[place])
        scores: NDArray[np.float64] = np.exp2(logs - seen_from)
        return scores

    def _logs_of(self, place: int, items: NDArray[np.int32], as_of: Instant | None) -> NDArray[np.float64]:
        if self._past(as_of):
            logs = self._logs_before(place, cast(Instant, as_of))
        else:
            self._refresh()
            logs = self._logs[place]
        known = items < len(logs)
        if known.all():
            return logs[items]
        found = np.full(len(items), NOTHING)
        found[known] = logs[items[known]]
        return found

    def _logs_before(self, place: int, as_of: Instant) -> NDArray[np.float64]:
        """Logarithms of all items without the hours after that of `as_of`: the slow path."""
        buckets = self._buckets
        logs = np.empty(buckets.items)
        _all_logs(place, hour_of(as_of), buckets.pool, buckets.start, buckets.count, logs)
        return logs

    def _refresh(self) -> None:
        """Bring the logarithms and the lists up to date with what was touched."""
        buckets = self._buckets
        touched = buckets.dirty_count
        if not touched:
            return
        missing = buckets.items - self._logs.shape[1]
        if missing:
            shape = (len(HORIZONS), missing)
            self._logs = np.concatenate((self._logs, np.full(shape, NOTHING)), axis=1)
        leaders = self._leaders
        if touched > _MANY:
            leaders.forget()
        _update(
            touched, buckets.dirty, buckets.pool, buckets.pool.view(np.float64), buckets.start, buckets.count,
            buckets.room, buckets.settled, self._logs, self._items.keys, leaders.codes, leaders.scores,
            leaders.meta,
        )  # fmt: skip
        buckets.clean()


def _place(horizon: str) -> int:
    if horizon not in _ORDER:
        raise ValueError(f"no horizon {horizon!r}: there are {', '.join(HORIZONS)}")
    return _ORDER[horizon]


@compiled
def _log(
    place: int, pool: NDArray[np.int64], low: int, known: int, mark: int, high: int, settled: float
) -> tuple[float, float]:
    """log2 of the score of the entries `pool[low:high]` at reference 0, or NOTHING.

    `settled` is the score of `pool[low:known]` seen from its last bucket; the second result is that of
    `pool[low:mark]`. Both places begin a day (or the run), so going on from there gives the same bits.
    """
    if low == high:
        return -np.inf, 0.0
    width, half_life = _HOURS[place], _HALF_LIVES[place]
    bucket = (pool[max(low, known - 1)] >> SUM_BITS) // width
    total, part = settled, np.int64(0)
    for j in range(known, high):
        if j == mark:
            settled = total + part
        hour = pool[j] >> SUM_BITS
        following = hour if width == 1 else bucket if hour < (bucket + 1) * width else hour // width
        if following != bucket:
            gap = following - bucket
            fade = _FADES[place, gap] if gap < len(_FADES[place]) else np.exp2(-gap / half_life)
            total = (total + part) * fade
            part, bucket = np.int64(0), following
        part += pool[j] & SUM_MASK
    return np.log2(total + part) + bucket / half_life, settled


@compiled
def _all_logs(
    place: int,
    last: int,
    pool: NDArray[np.int64],
    start: NDArray[np.int64],
    count: NDArray[np.int32],
    logs: NDArray[np.float64],
) -> None:
    for item in range(len(count)):
        low = start[item]
        high = position(pool, low, low + count[item], last + 1)
        logs[item] = _log(place, pool, low, low, low, high, 0.0)[0]


@compiled
def _update(
    touched: int,
    dirty: NDArray[np.int32],
    pool: NDArray[np.int64],
    margins: NDArray[np.float64],
    start: NDArray[np.int64],
    count: NDArray[np.int32],
    room: NDArray[np.int32],
    known: NDArray[np.int32],
    logs: NDArray[np.float64],
    keys: NDArray[np.uint64],
    codes: NDArray[np.int32],
    scores: NDArray[np.float64],
    meta: NDArray[np.int64],
) -> None:
    """Logarithms and lists of the touched items.

    The scores of what lies before a long run's newest day are kept in its margin, one slot per horizon
    (`margins` is `pool` read as float64), so that a busy item costs no more than its newest day.
    """
    for i in range(touched):
        item = dirty[i]
        low, high = start[item], start[item] + count[item]
        first, mark = low + known[item], low
        if high > low and room[item] >= LONG:
            day = (pool[high - 1] >> SUM_BITS) // _DAY
            mark = position(pool, max(low, high - _DAY), high, day * _DAY)
            if first > mark or (first > low and _same_day(pool, first)):
                first = low
        for place in range(len(logs)):
            before = margins[low - MARGIN + place] if first > low else 0.0
            old = logs[place, item]
            new, before = _log(place, pool, low, first, mark, high, before)
            logs[place, item] = new
            if mark > low:
                margins[low - MARGIN + place] = before
            if new != old:
                move(item, old, new, keys, codes[place], scores[place], meta[place])
        known[item] = mark - low


@compiled
def _same_day(pool: NDArray[np.int64], place: int) -> bool:
    """Whether the entry at `place` is of the same day as the one before it."""
    return bool((pool[place - 1] >> SUM_BITS) // _DAY == (pool[place] >> SUM_BITS) // _DAY)
