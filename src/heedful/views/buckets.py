"""Integer sums per item and hour, packed: the storage of trends.

One entry is one int64: the hour in the upper 28 bits, its sum in the lower 36. An item's entries lie side by
side in one pool, sorted by hour, with a little room to grow; a run that outgrows its room moves to a larger block
and leaves its own to others (`views.arena`). An entry whose sum falls to 0 is taken out, so nothing remains of
what was taken back.

Hours beyond 15,000 years from 1970 share the last bucket. A sum below 2**36 is promised as long as one item
gets fewer than 687 million rows of the greatest weight in one hour.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.views.arena import TOP, give, grown, room_behind, size_for, spacious, take
from heedful.views.compiled import compiled
from heedful.views.handles import slide
from heedful.views.mixing import LANES, absorb
from heedful.views.rows import Rows
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.time import HOUR

SUM_BITS = 36
SUM_MASK = (1 << SUM_BITS) - 1
FARTHEST = (1 << 27) - 1
"""The last hour that has a bucket of its own, in either direction."""

LONG, MARGIN = 64, 4

_DIRTY, _NEWEST, _STALE = 0, 1, 2
_CLASSES = 128


def hour_of(at: int) -> int:
    """The hour bucket of an instant (microseconds): floor, so negative times are fine."""
    return max(-FARTHEST, min(FARTHEST, at // HOUR))


class Buckets:
    """The sums. Item i owns `pool[start[i] : start[i] + count[i]]`; all arrays may be replaced on `add`.

    `dirty[:dirty_count]` lists the items touched since `clean`, each once. `settled[i]` belongs to the
    reader, who may set it to how many leading entries of item i it knows; it falls to 0 when one changes.
    A run with room for `LONG` entries has `MARGIN` more slots before its first, where the reader may keep
    what it knows of them; they are lost when `settled` falls to 0.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.pool = np.zeros(1_024, dtype=np.int64)
        self.start = np.zeros(1_024, dtype=np.int64)
        self.count = np.zeros(1_024, dtype=np.int32)
        self.room = np.zeros(1_024, dtype=np.int32)
        self.dirty = np.zeros(1_024, dtype=np.int32)
        self.touched = np.zeros(1_024, dtype=np.uint8)
        self.settled = np.zeros(1_024, dtype=np.int32)
        self.meta = np.array([0, -FARTHEST, 0], dtype=np.int64)
        self._book = np.zeros(1 + _CLASSES, dtype=np.int64)
        self._book[TOP] = 1

    @property
    def items(self) -> int:
        """How many items have a place."""
        return len(self.count)

    @property
    def dirty_count(self) -> int:
        return int(self.meta[_DIRTY])

    def add(self, rows: Rows, weights: NDArray[np.int64], sign: int, floor: int) -> None:
        """Add `sign` (1 or -1) times the weight of each row's kind, except of rows before hour `floor`."""
        self._reserve(int(rows.item.max(initial=-1)) + 1)
        done = 0
        while done < len(rows):
            done = _add(
                rows.item, rows.kind, rows.at, weights, sign, floor, done, self.pool, self.start,
                self.count, self.room, self.dirty, self.touched, self.settled, self.meta, self._book,
            )  # fmt: skip
            if done < len(rows):
                self._grow()

    def drop_before(self, floor: int) -> None:
        """Take out every entry before hour `floor`."""
        _drop(floor, self.pool, self.start, self.count, self.dirty, self.touched, self.settled, self.meta)

    def newest(self) -> int | None:
        """The newest hour that has an entry, or None."""
        if self.meta[_STALE]:
            self.meta[_NEWEST] = _newest(self.pool, self.start, self.count)
            self.meta[_STALE] = 0
        newest = int(self.meta[_NEWEST])
        return None if newest == -FARTHEST and not self.count.any() else newest

    def digest_sums(self, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The two lane sums over (item key, hour, sum), shape (2,)."""
        return np.array(_sums(keys, self.pool, self.start, self.count), dtype=np.uint64)

    def state(self) -> dict[str, NDArray[Any]]:
        """counts: int32 (items,); entries: int64, the runs one after another without gaps."""
        used = int(np.flatnonzero(self.count)[-1]) + 1 if self.count.any() else 0
        entries = np.zeros(int(self.count.sum()), dtype=np.int64)
        starts = _starts(self.count)
        _move(self.pool, self.start, self.count, entries, starts)
        return {"counts": self.count[:used].copy(), "entries": entries}

    def restore(self, counts: NDArray[np.int32], entries: NDArray[np.int64]) -> None:
        """Take over what `state` gave. Raises Corrupt unless each run is ascending with sums above 0."""
        if counts.ndim != 1 or entries.ndim != 1 or (counts < 0).any() or counts.sum() != len(entries):
            raise Corrupt("trends: the counts do not add up to the entries")
        starts = _starts(counts)
        falling = np.diff(entries >> SUM_BITS) <= 0
        falling[starts[(starts > 0) & (starts < len(entries))] - 1] = False
        if falling.any() or ((entries & SUM_MASK) == 0).any():
            raise Corrupt("trends: a run of entries is not ascending or holds an empty sum")
        self._clear()
        self._reserve(len(counts))
        self.pool = entries
        self.start[: len(counts)], self.count[: len(counts)] = starts, counts
        self.room[: len(counts)] = counts
        self._repack()
        live = np.flatnonzero(self.count).astype(np.int32)
        self.dirty[: len(live)], self.touched[live] = live, 1
        self.meta[_DIRTY], self.meta[_STALE] = len(live), 1

    def clean(self) -> None:
        """Forget which items were touched."""
        self.touched[self.dirty[: self.dirty_count]] = 0
        self.meta[_DIRTY] = 0

    def _reserve(self, items: int) -> None:
        if items > len(self.count):
            size = max(items, len(self.count) * 5 // 4)
            for name in ("start", "count", "room", "dirty", "touched", "settled"):
                setattr(self, name, grown(getattr(self, name), size))

    def _grow(self) -> None:
        """Make room in the pool: by a longer one, or by packing where too much of it lies free."""
        more = 2 * int(self.count.max()) + 2 * LONG
        live = int(self.room.sum(dtype=np.int64)) + MARGIN * int((self.room >= LONG).sum())
        spare = live // 4 if room_behind(self.pool) < more else live // 2
        if self._book[TOP] > live + spare + more:
            self._repack()
        else:
            self.pool = grown(self.pool, len(self.pool) + max(more, len(self.pool) // 2))

    def _repack(self) -> None:
        """Move every run into a new pool, without holes."""
        starts = np.zeros(len(self.start), dtype=np.int64)
        top = _lay(self.count, self.room, starts)
        pool = spacious(top + top // 4 + 2 * int(self.count.max()) + 2 * LONG, np.int64)
        _move(self.pool, self.start, self.count, pool, starts)
        self.pool, self.start = pool, starts
        self.settled[:] = 0
        self._book[:] = 0
        self._book[TOP] = top


def _starts(sizes: NDArray[np.int32]) -> NDArray[np.int64]:
    """Where runs of `sizes` begin when they lie one after another, shape like `sizes`."""
    ends = np.cumsum(sizes, dtype=np.int64)
    return ends - sizes


@compiled
def position(pool: NDArray[np.int64], low: int, high: int, hour: int) -> int:
    """The first place in `pool[low:high]` whose entry is of `hour` or later, or `high`."""
    wanted = hour << SUM_BITS
    while low < high:
        middle = (low + high) >> 1
        if pool[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _block(count: int) -> int:
    """The size of a block for a run of `count`: a size of the arena, and with a margin from `LONG` entries on."""
    size = size_for(count)
    return size if size < LONG else size_for(max(count, LONG) + MARGIN)


@compiled
def _lay(count: NDArray[np.int32], room: NDArray[np.int32], starts: NDArray[np.int64]) -> int:
    """Blocks for all runs side by side: writes where they begin and what room they have; returns the end."""
    top = 1
    for item in range(len(count)):
        room[item] = 0
        if count[item] > 0:
            block = _block(int(count[item]))
            margin = MARGIN if block >= LONG else 0
            starts[item], room[item] = top + margin, block - margin
            top += block
    return top


@compiled
def _widen(
    item: int, pool: NDArray[np.int64], start: NDArray[np.int64], count: NDArray[np.int32],
    room: NDArray[np.int32], book: NDArray[np.int64],
) -> bool:  # fmt: skip
    """Move a run that fills its block to a larger one, and leave zeros; False if the pool has no room."""
    low, held = start[item], int(count[item])
    block = _block(held + 1)
    if len(pool) - book[TOP] < block:
        return False
    margin = MARGIN if block >= LONG else 0
    moved = take(book, pool, block) + margin
    slide(pool, low, held, moved)
    if held > 0:
        before = MARGIN if room[item] >= LONG else 0
        pool[low - before : low + held] = 0
        give(book, pool, low - before, int(room[item]) + before)
    start[item], room[item] = moved, block - margin
    return True


@compiled
def _touch(item: int, dirty: NDArray[np.int32], touched: NDArray[np.uint8], meta: NDArray[np.int64]) -> None:
    if not touched[item]:
        touched[item] = 1
        dirty[meta[_DIRTY]] = item
        meta[_DIRTY] += 1


@compiled
def _add(
    items: NDArray[np.int32],
    kinds: NDArray[np.uint16],
    ats: NDArray[np.int64],
    weights: NDArray[np.int64],
    sign: int,
    floor: int,
    done: int,
    pool: NDArray[np.int64],
    start: NDArray[np.int64],
    count: NDArray[np.int32],
    room: NDArray[np.int32],
    dirty: NDArray[np.int32],
    touched: NDArray[np.uint8],
    settled: NDArray[np.int32],
    meta: NDArray[np.int64],
    book: NDArray[np.int64],
) -> int:
    """Count rows in or out from row `done` on; returns the row for which the pool has no room, or the end."""
    for i in range(done, len(items)):
        item, kind = items[i], kinds[i]
        if item < 0 or kind >= len(weights) or weights[kind] == 0:
            continue
        hour = max(-FARTHEST, min(FARTHEST, ats[i] // HOUR))
        if hour < floor:
            continue
        low, high = start[item], start[item] + count[item]
        place = high
        if high > low:
            last = pool[high - 1] >> SUM_BITS
            if hour == last:
                place = high - 1
            elif hour < last:
                place = position(pool, low, high - 1, hour)
        if place - low < settled[item]:
            settled[item] = 0
        known = place < high and (pool[place] >> SUM_BITS) == hour
        if sign < 0:
            if known:
                _touch(item, dirty, touched, meta)
                if (pool[place] & SUM_MASK) > weights[kind]:
                    pool[place] -= weights[kind]
                else:
                    for j in range(place, high - 1):
                        pool[j] = pool[j + 1]
                    pool[high - 1] = 0
                    count[item] -= 1
                    if hour == meta[_NEWEST]:
                        meta[_STALE] = 1
            continue
        if known:
            pool[place] += weights[kind]
        else:
            if count[item] == room[item]:
                if not _widen(item, pool, start, count, room, book):
                    return i
                place, low, high = place + start[item] - low, start[item], start[item] + count[item]
                settled[item] = 0
            for j in range(high, place, -1):
                pool[j] = pool[j - 1]
            pool[place] = (hour << SUM_BITS) + weights[kind]
            count[item] += 1
            meta[_NEWEST] = max(meta[_NEWEST], hour)
        _touch(item, dirty, touched, meta)
    return len(items)


@compiled
def _move(
    pool: NDArray[np.int64],
    start: NDArray[np.int64],
    count: NDArray[np.int32],
    wider: NDArray[np.int64],
    starts: NDArray[np.int64],
) -> None:
    for item in range(len(count)):
        for j in range(count[item]):
            wider[starts[item] + j] = pool[start[item] + j]


@compiled
def _drop(
    floor: int,
    pool: NDArray[np.int64],
    start: NDArray[np.int64],
    count: NDArray[np.int32],
    dirty: NDArray[np.int32],
    touched: NDArray[np.uint8],
    settled: NDArray[np.int32],
    meta: NDArray[np.int64],
) -> None:
    for item in range(len(count)):
        low, high = start[item], start[item] + count[item]
        first = position(pool, low, high, floor)
        if first > low:
            for j in range(first, high):
                pool[low + j - first] = pool[j]
            pool[low + high - first : high] = 0
            count[item] = high - first
            settled[item] = 0
            _touch(item, dirty, touched, meta)
    meta[_STALE] = 1


@compiled
def _newest(pool: NDArray[np.int64], start: NDArray[np.int64], count: NDArray[np.int32]) -> int:
    newest = -FARTHEST
    for item in range(len(count)):
        if count[item] > 0:
            newest = max(newest, pool[start[item] + count[item] - 1] >> SUM_BITS)
    return newest


@compiled
def _sums(
    keys: NDArray[np.uint64], pool: NDArray[np.int64], start: NDArray[np.int64], count: NDArray[np.int32]
) -> tuple[np.uint64, np.uint64]:
    first, second = np.uint64(0), np.uint64(0)
    for item in range(len(count)):
        for j in range(start[item], start[item] + count[item]):
            first += absorb(absorb(LANES[0], keys[item]), np.uint64(pool[j]))
            second += absorb(absorb(LANES[1], keys[item]), np.uint64(pool[j]))
    return first, second
