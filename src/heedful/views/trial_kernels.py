"""What a unit did before and after it was first exposed: the pure function from its rows to its figures.

The slow twin is `tests/views/trial_twin.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.compiled import compiled
from heedful.views.handles import Handle
from heedful.views.lookup import NONE, seek
from heedful.views.outcome_facts import line_key
from heedful.views.timeline import timeline_of
from heedful.vocabulary.consent import ANALYTICS
from heedful.vocabulary.kinds import BUILT_IN, PURCHASE, REFUND
from heedful.vocabulary.time import DAY
from heedful.vocabulary.trial import LARGEST, Aggregate

COUNT, ANY, UNITS, AMOUNT = range(4)
"""The aggregates by number."""
NUMBERS = {Aggregate.COUNT: COUNT, Aggregate.ANY: ANY, Aggregate.UNITS: UNITS, Aggregate.AMOUNT: AMOUNT}

UNEXPOSED, CROSSED = -1, -2
"""In place of an arm: the unit was not exposed, or to more than one arm, and then counts for none."""

AFTER, PER_AFTER, BEFORE, PER_BEFORE = range(4)
"""A measure's four figures of a unit: its own and its denominator's, after the first exposure and before it."""
FIGURES = 4

_PURCHASE, _REFUND = BUILT_IN.index(PURCHASE), BUILT_IN.index(REFUND)


class Plan(NamedTuple):
    """A trial as arrays. m measures, k kinds.

    arm: int16 by number of a saying, this trial's arm in it or UNEXPOSED. since, until: exposures count in
    [since, until). turns: int64, ascending, when weights changed. before: microseconds.
    counts, per: bool (m, k), which kinds count. aggregate: int8 (m,). start, window, cap: int64 (m,): events count
        from `start` after the first exposure on, for so long as the window.
    currency: int16 (m,), the dense number, or -1.
    """

    arm: NDArray[np.int16]
    since: int
    until: int
    turns: NDArray[np.int64]
    before: int
    counts: NDArray[np.bool_]
    per: NDArray[np.bool_]
    aggregate: NDArray[np.int8]
    start: NDArray[np.int64]
    window: NDArray[np.int64]
    cap: NDArray[np.int64]
    currency: NDArray[np.int16]


class Money(NamedTuple):
    """What lines of orders cost: the tables of `views.outcome_facts`."""

    keys: NDArray[np.uint64]
    values: NDArray[np.int32]
    amounts: NDArray[Any]


class Units(NamedTuple):
    """Figures of n units, one row each. arm int16; epoch int16; at int64, the first exposure; fresh uint8, whether
    nothing was known of the unit a day before; figures int64 (n, m, FIGURES)."""

    arm: NDArray[np.int16]
    epoch: NDArray[np.int16]
    at: NDArray[np.int64]
    fresh: NDArray[np.uint8]
    figures: NDArray[np.int64]


@compiled
def _first(
    entries: NDArray[Any], slot: int, arm: NDArray[np.int16], since: int, until: int
) -> tuple[int, int]:
    """The arm and the time of a unit's first exposure to a trial; CROSSED if it saw more than one arm."""
    found, at = UNEXPOSED, np.int64(0)
    while slot != NONE:
        e = entries[slot]
        mine = arm[e.arms] if e.arms < len(arm) else UNEXPOSED
        if mine != UNEXPOSED and since <= e.at < until:
            if found == UNEXPOSED:
                found, at = mine, e.at
            else:
                at = min(at, e.at)
                if found != mine:
                    found = CROSSED
        slot = e.next
    return found, int(at)


@compiled
def figure(
    past: Handle, entries: NDArray[Any], heads: NDArray[np.int32], who: NDArray[np.int64], plan: Plan,
    money: Money, aside: NDArray[np.int64], units: Units,
) -> None:  # fmt: skip
    """Write the figures of the subjects `who` into `units`. aside: (q, 2), sorted by place: the quantities of rows
    whose own column has no room for them."""
    rows = timeline_of(past)
    measures, kinds = plan.counts.shape
    for n in range(len(who)):
        subject = who[n]
        slot = heads[subject] if subject < len(heads) else NONE
        arm, at = _first(entries, slot, plan.arm, plan.since, plan.until)
        units.arm[n], units.at[n], units.fresh[n], units.epoch[n] = arm, at, 1, 0
        units.figures[n] = 0
        if arm < 0:
            continue
        for turn in plan.turns:
            units.epoch[n] += turn <= at
        if subject >= len(rows.held):
            continue
        start = int(rows.offset[subject])
        last = np.zeros((measures, FIGURES), dtype=np.uint64)
        for row in range(start, start + int(rows.held[subject])):
            if rows.purposes[row] & ANALYTICS == 0:
                continue
            when, kind, event = rows.at[row], int(rows.kind[row]), rows.fingerprint[row]
            if when < at - DAY:
                units.fresh[n] = 0
            # The lines of orders come and go; the row that says only that there is one stays.
            if kind >= kinds or ((kind in (_PURCHASE, _REFUND)) and rows.item[row] < 0):
                continue
            for m in range(measures):
                counted, divides = plan.counts[m, kind], plan.per[m, kind]
                if not (counted or divides):
                    continue
                if at + plan.start[m] <= when < at + plan.start[m] + plan.window[m]:
                    side = AFTER
                elif at - plan.before <= when < at:
                    side = BEFORE
                else:
                    continue
                if divides and last[m, side + 1] != event:
                    last[m, side + 1] = event
                    units.figures[n, m, side + 1] += 1
                if counted:
                    how = plan.aggregate[m]
                    if how == UNITS:
                        if rows.item[row] >= 0:
                            quantity = np.int64(rows.quantity[row])
                            units.figures[n, m, side] += quantity if quantity > 0 else _aside(aside, row)
                    elif how == AMOUNT:
                        place = seek(money.keys, money.values, line_key(event, int(np.int64(rows.line[row]))))
                        if place != NONE and money.amounts[place].currency == plan.currency[m]:
                            units.figures[n, m, side] += money.amounts[place].amount
                    elif last[m, side] != event:
                        last[m, side] = event
                        units.figures[n, m, side] += 1
        for m in range(measures):
            for side in (AFTER, BEFORE):
                if plan.aggregate[m] == ANY:
                    units.figures[n, m, side] = min(units.figures[n, m, side], 1)
                units.figures[n, m, side] = max(0, min(units.figures[n, m, side], plan.cap[m]))


@compiled
def _aside(table: NDArray[np.int64], row: int) -> int:
    """The quantity of a row that stands aside."""
    low, high = 0, len(table)
    while low < high:
        middle = (low + high) >> 1
        if table[middle, 0] < row:
            low = middle + 1
        else:
            high = middle
    return int(table[low, 1]) if low < len(table) and table[low, 0] == row else 0


def cap_of(cap: int) -> int:
    """The cap of a measure that names `cap`."""
    return cap or LARGEST
