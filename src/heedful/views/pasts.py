"""What a person did with each thing they touched: how often, since when, until when, how it ended.

A reading of the history, for long-term taste, for repeat purchase and for features. One walk over a person's
newest rows gathers one line per item, newest first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.arena import Column
from heedful.views.compiled import compiled
from heedful.views.handles import Handle
from heedful.views.history import History
from heedful.views.meanings import Meanings
from heedful.views.person import LOOK_BACK
from heedful.views.timeline import timeline_of
from heedful.vocabulary.consent import PERSONALIZATION
from heedful.vocabulary.kinds import BUILT_IN, CART, REFUND
from heedful.vocabulary.time import DAY, Instant

MOST_TOUCHED = 4_096
"""At most so many items are told of one person."""

HAD, CARTED, OTHER, RETURNED = 1, 2, 4, 8
"""What was done with an item, as bits: taken home, put into the basket, anything else that joins a session; and
given back after it was last taken home."""

_CART, _REFUND = BUILT_IN.index(CART), BUILT_IN.index(REFUND)
_ROOM = 4 * MOST_TOUCHED
_SHIFT = 32 - 14
"""Fibonacci hashing (Knuth, volume 3, section 6.4) keeps the highest 14 bits: _ROOM is 2^14."""
_FOREVER = Instant(2**62)


class Touches(NamedTuple):
    """One line per item, newest first by its last row, shape (n,) each. Views that the next reading overwrites.

    item: int32, dense. times: int32, rows that join a session, 0 for a thing that was only given back.
    first, last: int64, when the oldest and the newest row were.
    weight: float64, sum of meaning * 2^(-age / half_life) of those rows. deeds: uint8, bits.
    had: int32, on how many days (UTC) it was taken home. had_first, had_last: int64, when first and last; 0 for
    never.
    """

    item: NDArray[np.int32]
    times: NDArray[np.int32]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    weight: NDArray[np.float64]
    deeds: NDArray[np.uint8]
    had: NDArray[np.int32]
    had_first: NDArray[np.int64]
    had_last: NDArray[np.int64]


class Pasts:
    """Reads people's pasts. Not for two threads at once."""

    def __init__(self, history: History, meanings: Meanings, purpose: int = PERSONALIZATION) -> None:
        """purpose: the bit of what for they are read."""
        self._purpose = purpose
        self._history = history
        self._meanings = meanings
        self._lines = Touches(
            item=np.zeros(MOST_TOUCHED, dtype=np.int32), times=np.zeros(MOST_TOUCHED, dtype=np.int32),
            first=np.zeros(MOST_TOUCHED, dtype=np.int64), last=np.zeros(MOST_TOUCHED, dtype=np.int64),
            weight=np.zeros(MOST_TOUCHED), deeds=np.zeros(MOST_TOUCHED, dtype=np.uint8),
            had=np.zeros(MOST_TOUCHED, dtype=np.int32), had_first=np.zeros(MOST_TOUCHED, dtype=np.int64),
            had_last=np.zeros(MOST_TOUCHED, dtype=np.int64),
        )  # fmt: skip
        self._table = np.zeros(_ROOM, dtype=np.int32)
        self._places = np.zeros(MOST_TOUCHED, dtype=np.int32)

    def read(
        self, subject: int, *, limit: int = 64, at: Instant | None = None, half_life: int = 30 * DAY
    ) -> Touches:
        """The items that dense `subject` touched last, at most `limit` (1 to MOST_TOUCHED) of them.

        at: rows after it do not count; None counts all, and ages from the newest row of the person.
        half_life: microseconds, above 0. At most `LOOK_BACK` of the person's newest rows are read.
        """
        count = 0
        if self._history.count(subject):
            meanings = self._meanings
            count = int(
                _read(
                    self._history.handle, self._table, self._places, self._lines, subject,
                    min(limit, MOST_TOUCHED), _FOREVER if at is None else at, float(half_life),
                    meanings.joins, meanings.seen, meanings.weights, self._purpose,
                )
            )  # fmt: skip
        return Touches._make(column[:count] for column in self._lines)


@compiled
def _read(
    past: Handle, table: Column, places: Column, lines: Touches, subject: int, limit: int, at: int,
    half_life: float, joins: Column, seen: Column, weights: Column, purpose: int,
) -> int:  # fmt: skip
    rows = timeline_of(past)
    start = int(rows.offset[subject])
    stop = start + int(rows.held[subject])
    while stop > start and rows.at[stop - 1] > at:
        stop -= 1
    count = 0
    for place in range(stop - 1, max(start, stop - LOOK_BACK) - 1, -1):
        kind, item = rows.kind[place], rows.item[place]
        if (
            rows.purposes[place] & purpose == 0
            or item < 0
            or not (joins[kind] or seen[kind] or kind == _REFUND)
        ):
            continue
        spot = ((int(item) * 2_654_435_769) & 0xFFFF_FFFF) >> _SHIFT
        while table[spot] != 0 and lines.item[table[spot] - 1] != item:
            spot = (spot + 1) & (_ROOM - 1)
        line = table[spot] - 1
        if line < 0:
            if count == limit:
                continue
            line = count
            places[line] = spot
            count += 1
            table[spot] = count
            lines.item[line], lines.times[line], lines.weight[line] = item, 0, 0.0
            lines.first[line], lines.last[line], lines.deeds[line] = rows.at[place], rows.at[place], 0
            lines.had[line], lines.had_first[line], lines.had_last[line] = 0, 0, 0
        when = rows.at[place]
        lines.first[line] = when
        if kind == _REFUND:
            if lines.had[line] == 0:
                lines.deeds[line] |= RETURNED
            continue
        if joins[kind]:
            lines.times[line] += 1
            age = (rows.at[stop - 1] if at == _FOREVER else at) - when
            lines.weight[line] += weights[kind] * 2.0 ** (-age / half_life)
        lines.deeds[line] |= HAD if seen[kind] else CARTED if kind == _CART else OTHER
        if seen[kind]:
            if lines.had[line] == 0:
                lines.had_last[line] = when
            if lines.had[line] == 0 or when // DAY != lines.had_first[line] // DAY:
                lines.had[line] += 1
            lines.had_first[line] = when
    for line in range(count):
        table[places[line]] = 0
    return count
