"""What people looked at in sessions like this one, weighed by time and order: VSTAN over the live index.

After Ludewig, Mauro, Latifi and Jannach, "Empirical analysis of session-based recommendation algorithms", UMUAI
2021, which joins VS-kNN with STAN (Garg et al., SIGIR 2019). The current items stand newest first at positions
0 to L - 1, L at most 9; `Shape` names the scales:

- every item's list is cut to its newest m sessions; a session matches the items in whose cut lists it is;
- its similarity is the cosine of the two with weight exp(-position / place) for a current item, which leaves
  sum of weights / sqrt(items of the session), times 2^(-age / half_life), age counted from its last row;
- the k most similar are the neighbours, ties to the newer by (last time, subject key);
- every item of a neighbour gets similarity * exp(-newest matched position / decay) * exp(-distance / nearness),
  the distance in places from the neighbour's last matched item; the sum is multiplied by 1 + rarity * ln(sessions
  / sessions with the item).

The published form cuts the union of the lists to m, and takes frequencies from events; see `views.neighbours`.
Every factor is a whole number from a table and what is added up is whole, so nothing depends on the order of
adding. Shares are fractions of the best neighbour's similarity in units of 2^-20, at least one unit each.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.arena import Column
from heedful.views.compiled import compiled
from heedful.views.handles import Handle, handle, int16_at, int32_at, int64_at, prefetch
from heedful.views.neighbours import LOG_BITS, LOGARITHMS, LONGEST, SETS, Neighbourhood, logarithm
from heedful.views.postings import ALIVE, COUNT_MASK, ITEM_MASK, Index, index_of
from heedful.views.reading import MOST, Desk, Sheet, arrange, offer, sheet_of
from heedful.vocabulary.time import DAY, Instant

FACTOR_BITS = 16
"""Fractional bits of every factor in the tables."""
SHARE_BITS = 20
"""Fractional bits of a neighbour's similarity, as a fraction of the best one's."""
MOST_NEIGHBOURS = 2_000
"""So many shares of at most 2^20 fit a score of 32 bits."""
STEPS = 256
"""Into so many steps a half-life is cut."""
_LONGEST_SESSION = COUNT_MASK + 1
_AGED = 50
"""After so many half-lives nothing is left to halve."""


class Shape(NamedTuple):
    """How fast each influence falls; every scale is above 0. Chosen on the validation clicks of `benchmarks`.

    place: positions in the current items, for similarity. half_life: microseconds, of a session's age.
    nearness: places from the neighbour's last matched item. decay: positions, of the newest matched item.
    rarity: weight of an item's inverse session frequency, 0 to 100.
    """

    place: float = 4.0
    half_life: int = 20 * DAY
    nearness: float = 1.5
    decay: float = 2.0
    rarity: float = 1.0


class Tables(NamedTuple):
    """A shape as whole numbers, int64, in units of 2^-16.

    weight: by set of matched positions. length: 1 / sqrt(n) by items. fade: 2^-(step / STEPS) by step.
    near: by distance. decay: by position. newest: the newest position of a set, no factor.
    scale: (2,), microseconds a step, and rarity * ln(2).
    """

    weight: NDArray[np.int64]
    length: NDArray[np.int64]
    fade: NDArray[np.int64]
    near: NDArray[np.int64]
    decay: NDArray[np.int64]
    newest: NDArray[np.int64]
    scale: NDArray[np.int64]


def tables(shape: Shape) -> Tables:
    """The tables of `shape`. Raises ValueError for a scale that is not above 0."""
    if min(shape.place, shape.nearness, shape.decay, shape.half_life / STEPS) <= 0 or not (
        0 <= shape.rarity <= 100
    ):
        raise ValueError(f"scales must be above 0 and rarity 0 to 100: {shape}")
    unit = 1 << FACTOR_BITS
    single = [round(unit * math.exp(-p / shape.place)) for p in range(LONGEST)]
    matched = [[p for p in range(LONGEST) if one >> p & 1] for one in range(SETS)]
    decay = [round(unit * math.exp(-p / shape.decay)) for p in range(LONGEST)]
    return Tables(
        weight=np.array([sum(single[p] for p in positions) for positions in matched], dtype=np.int64),
        length=np.array(
            [round(unit / math.sqrt(max(1, n))) for n in range(_LONGEST_SESSION)], dtype=np.int64
        ),
        fade=np.array([round(unit * 2 ** (-step / STEPS)) for step in range(STEPS)], dtype=np.int64),
        near=np.array(
            [round(unit * math.exp(-d / shape.nearness)) for d in range(_LONGEST_SESSION)], dtype=np.int64
        ),
        decay=np.array(decay, dtype=np.int64),
        newest=np.array([min(positions, default=0) for positions in matched], dtype=np.int64),
        scale=np.array(
            [max(1, shape.half_life // STEPS), round(unit * shape.rarity * math.log(2))], dtype=np.int64
        ),
    )


class _Room(NamedTuple):
    """What one reading works with beside the sheet.

    slots: int32, the touched sessions. near, sets, alike: int32, int16, int64, the neighbours, a heap with the
    least similar on top, each with its matches and its similarity, later its share.
    spot: int32, where in its block each neighbour's last matched item is. shares: int64, at rank * LONGEST +
    position. because: int32 (MOST,). logarithms: LOGARITHMS. The rest: Tables.
    """

    slots: Column
    near: Column
    sets: Column
    alike: Column
    spot: Column
    shares: Column
    because: Column
    logarithms: Column
    weight: Column
    length: Column
    fade: Column
    nearness: Column
    decay: Column
    newest: Column
    scale: Column


class Vstan:
    """Reads session neighbours by time and order. Not for two threads at once."""

    def __init__(self, desk: Desk, shape: Shape | None = None) -> None:
        self._desk = desk
        self._tables = tables(shape or Shape())
        self._make(LONGEST * 1_000)

    def _make(self, sessions: int) -> None:
        self._room = _Room(
            slots=np.zeros(sessions + 1, dtype=np.int32), near=np.zeros(MOST_NEIGHBOURS, dtype=np.int32),
            sets=np.zeros(MOST_NEIGHBOURS, dtype=np.int16), alike=np.zeros(MOST_NEIGHBOURS, dtype=np.int64),
            spot=np.zeros(MOST_NEIGHBOURS, dtype=np.int32), shares=np.zeros(MOST * LONGEST, dtype=np.int64),
            because=np.zeros(MOST, dtype=np.int32), logarithms=LOGARITHMS,
            weight=self._tables.weight, length=self._tables.length, fade=self._tables.fade,
            nearness=self._tables.near, decay=self._tables.decay, newest=self._tables.newest,
            scale=self._tables.scale,
        )  # fmt: skip
        self._handle = handle(self._room)

    def read(
        self, current: NDArray[np.int32], how_many: int, at: Instant, *, m: int = 500, k: int = 100,
        excluded: int = 1, apart: int = -1,
    ) -> Neighbourhood:  # fmt: skip
        """The `how_many` (1 to MOST) best items for someone whose distinct items are `current`, newest first.

        at: the moment of the question; a session that ended later counts as of that moment. m: newest sessions
        per item. k: neighbours, 1 to MOST_NEIGHBOURS. excluded: how many of the newest current items are not
        answered. apart: a dense subject whose newest session is no neighbour: the asker's own.
        """
        found = self.peek(current, how_many, at, m=m, k=k, excluded=excluded, apart=apart)
        return Neighbourhood(found.items.copy(), found.scores.copy(), found.because.copy())

    def peek(
        self, current: NDArray[np.int32], how_many: int, at: Instant, *, m: int = 500, k: int = 100,
        excluded: int = 1, apart: int = -1,
    ) -> Neighbourhood:  # fmt: skip
        """What `read` answers, as views that the next reading of any reader overwrites."""
        if not 1 <= k <= MOST_NEIGHBOURS:
            raise ValueError(f"k must be 1 to {MOST_NEIGHBOURS}, not {k}")
        current = current[:LONGEST]
        if len(current) * m >= len(self._room.slots):
            self._make(LONGEST * m)
        index, sheet = self._desk.open()
        n = _read(index, sheet, self._handle, current, min(how_many, MOST), at, m, k, excluded, apart)
        return Neighbourhood(*self._desk.glance(n), self._room.because[:n])


@compiled
def _room_of(table: Handle) -> _Room:
    """The arrays behind a room's handle."""
    return _Room(
        int32_at(table, 0), int32_at(table, 1), int16_at(table, 2), int64_at(table, 3), int32_at(table, 4),
        int64_at(table, 5), int32_at(table, 6), int64_at(table, 7), int64_at(table, 8), int64_at(table, 9),
        int64_at(table, 10), int64_at(table, 11), int64_at(table, 12), int64_at(table, 13),
        int64_at(table, 14),
    )  # fmt: skip


@compiled
def _read(
    past: Handle, table: Handle, work: Handle, current: Column, how_many: int, at: int, m: int, k: int,
    excluded: int, apart: int,
) -> int:  # fmt: skip
    index, sheet, room = index_of(past), sheet_of(table), _room_of(work)
    own = int(index.head[apart]) if 0 <= apart < len(index.head) else 0
    touched = _match(index, sheet, room, current, m)
    near = _choose(index, sheet, room, touched, at, k, own)
    seen = _score(index, sheet, room, current, near)
    size = _best(index, sheet, room, current, seen, how_many, excluded)
    _explain(index, sheet, room, current, near, size)
    return size


@compiled
def _match(index: Index, sheet: Sheet, room: _Room, current: Column, m: int) -> int:
    """Mark the newest m sessions of every current item with the positions that they match; returns how many
    there are, at room.slots."""
    mark, slots, postings = sheet.mark, room.slots, index.postings
    touched = 0
    for position in range(len(current)):
        item = current[position]
        if item < 0 or item >= len(index.held):
            continue
        held = int(index.held[item])
        stop = int(index.offset[item]) + held
        bit = 1 << position
        for place in range(stop - 1, stop - min(m, held) - 1, -1):
            slot = postings[place]
            matched = mark[slot]
            slots[touched] = slot
            touched += matched == 0
            mark[slot] = matched | bit
    return touched


@compiled
def _choose(index: Index, sheet: Sheet, room: _Room, touched: int, at: int, k: int, own: int) -> int:
    """Leave the k most similar at room.near with matches and similarity; returns how many. Clears marks."""
    mark, slots, last, block = sheet.mark, room.slots, index.last, index.block
    near, sets, alike = room.near, room.sets, room.alike
    step = room.scale[0]
    size = 0
    for i in range(touched):
        if i + 8 < touched:
            prefetch(last, slots[i + 8])
            prefetch(block, slots[i + 8])
        slot = slots[i]
        matched = int(mark[slot])
        mark[slot] = 0
        if slot == own:
            continue
        aged = max(0, at - last[slot]) // step
        how = room.weight[matched] * room.length[block[slot] & COUNT_MASK]
        how = max(1, how * room.fade[aged % STEPS] >> min(_AGED, aged // STEPS))
        if size < k:
            place = size
            size += 1
            while place > 0 and _less(index, how, slot, alike[(place - 1) >> 1], near[(place - 1) >> 1]):
                above = (place - 1) >> 1
                near[place], sets[place], alike[place] = near[above], sets[above], alike[above]
                place = above
            near[place], sets[place], alike[place] = slot, matched, how
        elif _less(index, alike[0], near[0], how, slot):
            place, below = 0, 1
            while below < size:
                if below + 1 < size and _less(
                    index, alike[below + 1], near[below + 1], alike[below], near[below]
                ):
                    below += 1
                if _less(index, how, slot, alike[below], near[below]):
                    break
                near[place], sets[place], alike[place] = near[below], sets[below], alike[below]
                place, below = below, 2 * below + 1
            near[place], sets[place], alike[place] = slot, matched, how
    return size


@compiled
def _less(index: Index, one: int, slot: int, other: int, other_slot: int) -> bool:
    """Whether session `slot` with similarity `one` comes after the other: less alike, or as alike and older."""
    if one != other:
        return bool(one < other)
    if index.last[slot] != index.last[other_slot]:
        return bool(index.last[slot] < index.last[other_slot])
    return bool(index.keys[index.subject[slot]] < index.keys[index.subject[other_slot]])


@compiled
def _score(index: Index, sheet: Sheet, room: _Room, current: Column, near: int) -> int:
    """Add every neighbour's share to its items; returns how many items have a score, at sheet.seen.

    Turns similarities into shares, and finds each neighbour's last matched item.
    """
    score, found, entries, alike = sheet.score, sheet.seen, index.entries, room.alike
    most = 1
    for i in range(near):
        most = max(most, alike[i])
        prefetch(entries, index.block[room.near[i]] >> 8)
    cut = 0
    while most >> cut >= 1 << 40:
        cut += 1
    seen = 0
    for i in range(near):
        packed, matched = index.block[room.near[i]], int(room.sets[i])
        start, end = packed >> 8, (packed >> 8) + (packed & COUNT_MASK)
        spot = _last_matched(entries, start, end, current, matched)
        share = ((alike[i] >> cut) << SHARE_BITS) // (most >> cut)
        share = share * room.decay[room.newest[matched]] >> FACTOR_BITS
        alike[i], room.spot[i] = share, spot - start
        for place in range(start, end):
            item = int(entries[place]) & ITEM_MASK
            before = score[item]
            found[seen] = item
            seen += before == 0
            score[item] = before + max(1, share * room.nearness[abs(place - spot)] >> FACTOR_BITS)
    return seen


@compiled
def _last_matched(entries: Column, start: int, end: int, current: Column, matched: int) -> int:
    """The last place in [start, end) that holds a current item at one of the `matched` positions."""
    for place in range(end - 1, start, -1):
        item = int(entries[place]) & ITEM_MASK
        for position in range(len(current)):
            if current[position] == item and matched >> position & 1:
                return place
    return start


@compiled
def _best(
    index: Index, sheet: Sheet, room: _Room, current: Column, seen: int, how_many: int, excluded: int
) -> int:
    """Multiply every score by its item's rarity and keep the best; returns how many. Clears the scores."""
    score, held = sheet.score, index.held
    for i in range(min(excluded, len(current))):
        if 0 <= current[i] < len(score):
            score[current[i]] = 0
    sessions = logarithm(room.logarithms, max(1, index.meta[ALIVE]))
    size = 0
    for i in range(seen):
        item = sheet.seen[i]
        raw = int(score[item])
        score[item] = 0
        if raw > 0:
            rarity = max(0, sessions - logarithm(room.logarithms, int(held[item])))
            total = raw * ((1 << FACTOR_BITS) + (room.scale[1] * rarity >> LOG_BITS))
            if size < how_many or total >= sheet.points[0]:
                size = offer(sheet, size, how_many, item, total)
    arrange(sheet, size)
    return size


@compiled
def _explain(index: Index, sheet: Sheet, room: _Room, current: Column, near: int, size: int) -> None:
    """For every answered item the current item that contributed most, at room.because; ties to the newer."""
    score, entries, shares, length = sheet.score, index.entries, room.shares, len(current)
    for rank in range(size):
        score[sheet.best[rank]] = rank + 1
        shares[rank * LONGEST : rank * LONGEST + length] = 0
    for i in range(near):
        packed, matched = index.block[room.near[i]], int(room.sets[i])
        start = packed >> 8
        for place in range(packed & COUNT_MASK):
            rank = score[int(entries[start + place]) & ITEM_MASK]
            if rank > 0:
                base = (rank - 1) * LONGEST
                given = max(1, room.alike[i] * room.nearness[abs(place - room.spot[i])] >> FACTOR_BITS)
                for position in range(length):
                    if matched >> position & 1:
                        shares[base + position] += given * room.weight[1 << position]
    for rank in range(size):
        score[sheet.best[rank]] = 0
        most = 0
        for position in range(1, length):
            if shares[rank * LONGEST + position] > shares[rank * LONGEST + most]:
                most = position
        room.because[rank] = current[most]
