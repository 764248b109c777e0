"""What joining needs beside people's histories: decisions, which event names which decision, and amounts.

Three packed tables with free lists, found through open tables from fingerprints (`views.lookup`). A person's
decisions are a list by `next`, the events that name a decision another. An event may name a decision that is
not known, or not yet: then its entry has no subject and only waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.views.arena import grown
from heedful.views.compiled import compiled
from heedful.views.lookup import NONE, Lookup, drop, put, seek

DECISION: Any = np.dtype(
    [
        ("print", "u8"), ("at", "i8"), ("window", "i8"), ("buying", "i8"), ("start", "i8"),
        ("subject", "i4"), ("group", "i4"), ("count", "i4"), ("next", "i4"), ("refs", "i4"), ("shown", "u1"),
    ],
    align=True,
)  # fmt: skip
"""window, buying: microseconds. start, count: where its items stand in the pool. shown: counts as shown."""

REFERENCE: Any = np.dtype(
    [("event", "u8"), ("at", "i8"), ("decision", "i4"), ("subject", "i4"), ("next", "i4"), ("held", "u1")],
    align=True,
)
AMOUNT: Any = np.dtype(
    [
        ("event", "u8"), ("at", "i8"), ("amount", "i8"), ("next", "i4"), ("line", "u2"), ("currency", "i2"),
        ("held", "u1"),
    ],
    align=True,
)  # fmt: skip

DECISIONS, REFERENCES, AMOUNTS, POOL, WASTE = 0, 3, 6, 9, 10
"""Places in `meta`. For each table: entries ever used, the first free one, entries held; then the pool."""
_USED, _FREE, _HELD = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Facts:
    """What a batch of records says of decisions and outcomes: columns, shapes (d,), (r,) and (a,).

    decisions: their fingerprints uint64, times, windows and purchase windows int64, subjects and groups int32,
    whether they count as shown uint8, and the ends of their items in `items`, int64 and int32.
    references: event, decision: fingerprints uint64. amounts: event uint64, line uint16, minor units int64.
    """

    prints: NDArray[np.uint64]
    ats: NDArray[np.int64]
    windows: NDArray[np.int64]
    buying: NDArray[np.int64]
    subjects: NDArray[np.int32]
    groups: NDArray[np.int32]
    shown: NDArray[np.uint8]
    ends: NDArray[np.int64]
    items: NDArray[np.int32]
    ref_events: NDArray[np.uint64]
    ref_ats: NDArray[np.int64]
    ref_decisions: NDArray[np.uint64]
    ref_subjects: NDArray[np.int32]
    paid_events: NDArray[np.uint64]
    paid_lines: NDArray[np.uint16]
    paid_ats: NDArray[np.int64]
    paid: NDArray[np.int64]
    currencies: NDArray[np.int16]


class Store:
    """The tables. heads: int32 per dense subject, its newest decision or NONE. touched: bool per subject."""

    def __init__(self) -> None:
        self.decisions: NDArray[Any] = np.zeros(64, dtype=DECISION)
        self.references: NDArray[Any] = np.zeros(64, dtype=REFERENCE)
        self.amounts: NDArray[Any] = np.zeros(64, dtype=AMOUNT)
        self.pool: NDArray[np.int32] = np.zeros(1_024, dtype=np.int32)
        self.heads: NDArray[np.int32] = np.full(1_024, NONE, dtype=np.int32)
        self.touched: NDArray[np.bool_] = np.zeros(1_024, dtype=np.bool_)
        self.by_decision, self.by_event, self.by_line = Lookup(), Lookup(), Lookup()
        self.meta = np.zeros(11, dtype=np.int64)
        self.meta[[DECISIONS + _FREE, REFERENCES + _FREE, AMOUNTS + _FREE]] = NONE

    def held(self, table: int) -> int:
        """How many entries `table` (DECISIONS, REFERENCES, AMOUNTS) holds."""
        return int(self.meta[table + _HELD])

    def used(self, table: int) -> int:
        return int(self.meta[table + _USED])

    def cover(self, subjects: int) -> None:
        """Give the first `subjects` dense subjects a place."""
        missing = subjects - len(self.heads)
        if missing > 0:
            known, more = len(self.heads), max(missing, len(self.heads) // 2)
            self.heads, self.touched = grown(self.heads, known + more), grown(self.touched, known + more)
            self.heads[known:] = NONE

    def apply(self, facts: Facts, floor: int) -> None:
        """Count `facts` in, but for those before `floor`. An event or decision that is there is left alone."""
        self._reserve(facts)
        put_decisions(
            self.decisions, self.heads, self.touched, self.pool, self.by_decision.keys, self.by_decision.values,
            self.meta, floor, facts.prints, facts.ats, facts.windows, facts.buying, facts.subjects,
            facts.groups, facts.shown, facts.ends, facts.items,
        )  # fmt: skip
        put_references(
            self.references, self.decisions, self.touched, self.by_event.keys, self.by_event.values,
            self.by_decision.keys, self.by_decision.values, self.meta, floor, facts.ref_events, facts.ref_ats,
            facts.ref_decisions, facts.ref_subjects,
        )  # fmt: skip
        put_amounts(
            self.amounts, self.by_line.keys, self.by_line.values, self.meta, floor, facts.paid_events,
            facts.paid_lines, facts.paid_ats, facts.paid, facts.currencies,
        )  # fmt: skip

    def retract(
        self,
        prints: NDArray[np.uint64],
        ref_events: NDArray[np.uint64],
        paid_events: NDArray[np.uint64],
        paid_lines: NDArray[np.uint16],
    ) -> None:
        """Take decisions, references and amounts out. What is not there is left alone."""
        take_references(
            self.references, self.decisions, self.touched, self.by_event.keys, self.by_event.values,
            self.by_decision.keys, self.by_decision.values, self.meta, ref_events,
        )  # fmt: skip
        take_decisions(
            self.decisions, self.heads, self.touched, self.pool, self.by_decision.keys, self.by_decision.values,
            self.meta, prints,
        )  # fmt: skip
        take_amounts(self.amounts, self.by_line.keys, self.by_line.values, self.meta, paid_events, paid_lines)

    def _reserve(self, facts: Facts) -> None:
        meta = self.meta
        new = len(facts.prints) + len(facts.ref_events)  # a reference may make its decision's entry
        self.by_decision.reserve(int(meta[DECISIONS + _HELD]), new)
        self.by_event.reserve(int(meta[REFERENCES + _HELD]), len(facts.ref_events))
        self.by_line.reserve(int(meta[AMOUNTS + _HELD]), len(facts.paid_events))
        self.decisions = _roomy(self.decisions, int(meta[DECISIONS]) + new)
        self.references = _roomy(self.references, int(meta[REFERENCES]) + len(facts.ref_events))
        self.amounts = _roomy(self.amounts, int(meta[AMOUNTS]) + len(facts.paid_events))
        need = int(meta[POOL]) + len(facts.items)
        if need > len(self.pool):
            if meta[WASTE] * 2 > meta[POOL]:
                self._pack()
                need = int(meta[POOL]) + len(facts.items)
            self.pool = _roomy(self.pool, need)

    def _pack(self) -> None:
        """Lay the items of all decisions side by side."""
        used = self.decisions[: self.used(DECISIONS)]
        whose = np.flatnonzero(used["count"])
        counts = used["count"][whose].astype(np.int64)
        starts = np.cumsum(counts) - counts
        places = np.repeat(used["start"][whose] - starts, counts) + np.arange(counts.sum())
        packed = self.pool[places]
        self.pool = _roomy(packed, len(packed) + 1_024)
        used["start"][whose] = starts
        self.meta[POOL], self.meta[WASTE] = len(packed), 0


def _roomy(array: NDArray[Any], need: int) -> NDArray[Any]:
    if need <= len(array):
        return array
    return grown(array, need + need // 2)


@compiled
def line_key(event: np.uint64, line: int) -> np.uint64:
    """The key of one line of an event."""
    return event ^ (np.uint64(line + 1) * np.uint64(0x9E3779B97F4A7C15))


@compiled
def _take_slot(entries: NDArray[Any], meta: NDArray[np.int64], table: int) -> int:
    slot = meta[table + 1]
    meta[table + 2] += 1
    if slot != NONE:
        meta[table + 1] = entries[slot].next
        return int(slot)
    meta[table] += 1
    return int(meta[table] - 1)


@compiled
def _give_slot(entries: NDArray[Any], meta: NDArray[np.int64], table: int, slot: int) -> None:
    entries[slot].next = meta[table + 1]
    meta[table + 1] = slot
    meta[table + 2] -= 1


@compiled
def _mention(
    entries: NDArray[Any], keys: NDArray[np.uint64], values: NDArray[np.int32], meta: NDArray[np.int64],
    key: np.uint64,
) -> int:  # fmt: skip
    """The entry of a decision, made without a subject if there is none."""
    slot = seek(keys, values, key)
    if slot == NONE:
        slot = _take_slot(entries, meta, DECISIONS)
        put(keys, values, key, slot)
        entries[slot].print = key
        entries[slot].subject = NONE
        entries[slot].refs = NONE
        entries[slot].count = 0
    return slot


@compiled
def _release(
    entries: NDArray[Any], keys: NDArray[np.uint64], values: NDArray[np.int32], meta: NDArray[np.int64],
    slot: int,
) -> None:  # fmt: skip
    """Give an entry back that is neither a decision nor mentioned."""
    if entries[slot].subject == NONE and entries[slot].refs == NONE:
        drop(keys, values, entries[slot].print)
        entries[slot].print = 0
        entries[slot].at = 0
        _give_slot(entries, meta, DECISIONS, slot)


@compiled
def put_decisions(
    entries: NDArray[Any], heads: NDArray[np.int32], touched: NDArray[np.bool_], pool: NDArray[np.int32],
    keys: NDArray[np.uint64], values: NDArray[np.int32], meta: NDArray[np.int64], floor: int,
    prints: NDArray[np.uint64], ats: NDArray[np.int64], windows: NDArray[np.int64],
    buying: NDArray[np.int64], subjects: NDArray[np.int32], groups: NDArray[np.int32],
    shown: NDArray[np.uint8], ends: NDArray[np.int64], items: NDArray[np.int32],
) -> None:  # fmt: skip
    for i in range(len(prints)):
        if ats[i] < floor:
            continue
        slot = _mention(entries, keys, values, meta, prints[i])
        if entries[slot].subject != NONE:
            continue
        begin = ends[i - 1] if i > 0 else 0
        e = entries[slot]
        e.at, e.window, e.buying = ats[i], windows[i], buying[i]
        e.subject, e.group, e.shown = subjects[i], groups[i], shown[i]
        e.start, e.count = meta[POOL], ends[i] - begin
        for j in range(begin, ends[i]):
            pool[meta[POOL]] = items[j]
            meta[POOL] += 1
        e.next = heads[subjects[i]]
        heads[subjects[i]] = slot
        touched[subjects[i]] = True


@compiled
def take_decisions(
    entries: NDArray[Any], heads: NDArray[np.int32], touched: NDArray[np.bool_], pool: NDArray[np.int32],
    keys: NDArray[np.uint64], values: NDArray[np.int32], meta: NDArray[np.int64], prints: NDArray[np.uint64],
) -> None:  # fmt: skip
    for i in range(len(prints)):
        slot = seek(keys, values, prints[i])
        if slot == NONE or entries[slot].subject == NONE:
            continue
        e = entries[slot]
        subject = e.subject
        touched[subject] = True
        if heads[subject] == slot:
            heads[subject] = e.next
        else:
            other = heads[subject]
            while entries[other].next != slot:
                other = entries[other].next
            entries[other].next = e.next
        for j in range(e.start, e.start + e.count):
            pool[j] = 0
        meta[WASTE] += e.count
        e.subject, e.count = NONE, 0
        _release(entries, keys, values, meta, slot)


@compiled
def put_references(
    references: NDArray[Any], entries: NDArray[Any], touched: NDArray[np.bool_],
    event_keys: NDArray[np.uint64], event_values: NDArray[np.int32], keys: NDArray[np.uint64],
    values: NDArray[np.int32], meta: NDArray[np.int64], floor: int, events: NDArray[np.uint64],
    ats: NDArray[np.int64], decisions: NDArray[np.uint64], subjects: NDArray[np.int32],
) -> None:  # fmt: skip
    for i in range(len(events)):
        if ats[i] < floor or seek(event_keys, event_values, events[i]) != NONE:
            continue
        slot = _mention(entries, keys, values, meta, decisions[i])
        place = _take_slot(references, meta, REFERENCES)
        put(event_keys, event_values, events[i], place)
        r = references[place]
        r.event, r.at, r.decision, r.subject, r.held = events[i], ats[i], slot, subjects[i], 1
        r.next = entries[slot].refs
        entries[slot].refs = place
        touched[subjects[i]] = True
        if entries[slot].subject != NONE:
            touched[entries[slot].subject] = True


@compiled
def take_references(
    references: NDArray[Any], entries: NDArray[Any], touched: NDArray[np.bool_],
    event_keys: NDArray[np.uint64], event_values: NDArray[np.int32], keys: NDArray[np.uint64],
    values: NDArray[np.int32], meta: NDArray[np.int64], events: NDArray[np.uint64],
) -> None:  # fmt: skip
    for i in range(len(events)):
        place = seek(event_keys, event_values, events[i])
        if place == NONE:
            continue
        r = references[place]
        slot = r.decision
        touched[r.subject] = True
        if entries[slot].subject != NONE:
            touched[entries[slot].subject] = True
        if entries[slot].refs == place:
            entries[slot].refs = r.next
        else:
            other = entries[slot].refs
            while references[other].next != place:
                other = references[other].next
            references[other].next = r.next
        drop(event_keys, event_values, events[i])
        r.event, r.at, r.held = 0, 0, 0
        _give_slot(references, meta, REFERENCES, place)
        _release(entries, keys, values, meta, slot)


@compiled
def put_amounts(
    amounts: NDArray[Any], keys: NDArray[np.uint64], values: NDArray[np.int32], meta: NDArray[np.int64],
    floor: int, events: NDArray[np.uint64], lines: NDArray[np.uint16], ats: NDArray[np.int64],
    paid: NDArray[np.int64], currencies: NDArray[np.int16],
) -> None:  # fmt: skip
    for i in range(len(events)):
        key = line_key(events[i], int(np.int64(lines[i])))
        if ats[i] < floor or seek(keys, values, key) != NONE:
            continue
        place = _take_slot(amounts, meta, AMOUNTS)
        put(keys, values, key, place)
        a = amounts[place]
        a.event, a.line, a.at, a.amount, a.currency, a.held = (
            events[i], lines[i], ats[i], paid[i], currencies[i], 1,
        )  # fmt: skip


@compiled
def take_amounts(
    amounts: NDArray[Any], keys: NDArray[np.uint64], values: NDArray[np.int32], meta: NDArray[np.int64],
    events: NDArray[np.uint64], lines: NDArray[np.uint16],
) -> None:  # fmt: skip
    for i in range(len(events)):
        key = line_key(events[i], int(np.int64(lines[i])))
        place = seek(keys, values, key)
        if place == NONE:
            continue
        drop(keys, values, key)
        a = amounts[place]
        a.event, a.at, a.amount, a.held = 0, 0, 0, 0
        _give_slot(amounts, meta, AMOUNTS, place)


@compiled
def find_amounts(
    keys: NDArray[np.uint64], values: NDArray[np.int32], events: NDArray[np.uint64], lines: NDArray[np.uint16]
) -> NDArray[np.int64]:
    """The places of the amounts of these lines, NONE where nothing is said."""
    found = np.empty(len(events), dtype=np.int64)
    for i in range(len(events)):
        found[i] = seek(keys, values, line_key(events[i], int(np.int64(lines[i]))))
    return found
