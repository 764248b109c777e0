"""Who looked at what together: every session of every subject, and for every item the sessions that hold it.

A session is a maximal run of one subject's session-forming rows in which no gap is longer than `idle`. It
contains its distinct items in order of their last row, at most the newest `cap`, each with what was done with
it. The index is a function of the set of rows alone: late rows join and split sessions, rows taken back are
gone without a trace, and readers (`neighbours`, `rules`, `cooccurrence`) see exactly sorted lists.

The view needs the `History` of the same rows, which must be told first what is new, taken back or dropped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heedful.views import cutting
from heedful.views.arena import Arena, Column, grown, roomy
from heedful.views.canonical import SEED_A, SEED_B, absorb_a, absorb_b, sealed
from heedful.views.compiled import compiled
from heedful.views.dictionary import Items, Kinds, Subjects
from heedful.views.handles import handle
from heedful.views.history import BEGINNING, History, batch
from heedful.views.postings import (
    ALIVE,
    COUNT_MASK,
    ITEM_BITS,
    ITEM_MASK,
    NEED_SCRATCH,
    NEED_SLOTS,
    NEXT_SLOT,
    Index,
)
from heedful.views.reconcile import UNKNOWN, UNKNOWN_LINE, Bench, Cut
from heedful.views.rows import Rows
from heedful.views.view import Arrays, zeros
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.kinds import CART, PURCHASE
from heedful.vocabulary.time import MINUTE, Instant

BOUGHT, CARTED, OTHER = 1, 2, 4
"""What was done with an item in a session, as bits."""

LONGEST_IDLE = 2**62
_SUBJECT = ("head", "tie_fingerprint", "tie_line")
_SLOT = {"subject": np.int32, "last": np.int64, "first": np.int64, "block": np.int64, "before": np.int32}


class Sessions:
    """The live session index. idle in microseconds, 0 to 2^62; cap 1 to 200 items; joins: bool per kind."""

    name = "sessions"
    version = 1
    purpose = "learning"

    def __init__(
        self,
        history: History,
        items: Items,
        subjects: Subjects,
        kinds: Kinds,
        joins: NDArray[np.bool_],
        idle: int = 30 * MINUTE,
        cap: int = 200,
    ) -> None:
        if not 0 <= idle <= LONGEST_IDLE or not 1 <= cap <= 200:
            raise ValueError(f"idle must be 0 to 2^62 and cap 1 to 200, not {idle} and {cap}")
        self._history, self._items, self._subjects, self._kinds = history, items, subjects, kinds
        self._idle, self._cap, self._floor = idle, cap, BEGINNING
        self._deeds: NDArray[np.uint8] = np.zeros(0, dtype=np.uint8)
        self._joins = joins
        self._entries, self._postings = Arena(np.uint32), Arena(np.int32)
        self._head: Column = np.zeros(1_024, dtype=np.int32)
        self._slots: dict[str, Column] = {name: np.zeros(1_024, dtype=dtype) for name, dtype in _SLOT.items()}
        self._offset: Column = np.zeros(1_024, dtype=np.int32)
        self._held: Column = np.zeros(1_024, dtype=np.int32)
        self._meta: Column = np.zeros(7, dtype=np.int64)
        self._meta[NEXT_SLOT] = 1
        self._bench_room = 256
        self._forget_ties()
        self._bind()

    def __len__(self) -> int:
        """How many sessions there are."""
        return int(self._meta[ALIVE])

    @property
    def nbytes(self) -> int:
        """Bytes taken by sessions, lists and tables."""
        slots = int(self._meta[NEXT_SLOT]) * sum(column.itemsize for column in self._slots.values())
        tables = 14 * len(self._subjects) + 8 * len(self._items)
        return slots + tables + self._entries.nbytes + self._postings.nbytes

    def apply(self, rows: Rows) -> None:
        """Count in `rows`, which the history holds already."""
        if len(rows) == 0:
            return
        self._cover()
        columns, done = batch(rows), 0
        while True:
            done = cutting.absorb(self._history.handle, self.handle, self._work, self._cut, columns, done)
            if done == len(rows):
                return
            self._reserve()

    def retract(self, rows: Rows) -> None:
        """Cut again where `rows`, which the history no longer holds, were."""
        if len(rows) == 0:
            return
        self._cover()
        columns, done = batch(rows), 0
        while True:
            done = cutting.dissolve(self._history.handle, self.handle, self._work, self._cut, columns, done)
            if done == len(rows):
                return
            self._reserve()

    def advance(self, floor: Instant) -> None:
        """Leave out everything before `floor` from now on."""
        if floor <= self._floor:
            return
        self._floor = floor
        self._cover()
        done = 1
        while True:
            done = cutting.raise_floor(self._history.handle, self.handle, self._work, self._cut, done)
            if done == self._meta[NEXT_SLOT]:
                return
            self._reserve()

    def current(self, subject: int, limit: int) -> tuple[NDArray[np.int32], Instant]:
        """The newest session of `subject`: its items, newest first, at most `limit`, and its last time."""
        slot = int(self._head[subject]) if 0 <= subject < len(self._head) else 0
        if slot == 0:
            return np.zeros(0, dtype=np.int32), Instant(BEGINNING)
        packed = int(self._slots["block"][slot])
        block, count = packed >> 8, packed & COUNT_MASK
        entries = self.index.entries[block + max(0, count - limit) : block + count]
        return (entries[::-1] & ITEM_MASK).astype(np.int32), Instant(int(self._slots["last"][slot]))

    def sessions_with(self, item: int) -> int:
        """How many sessions contain `item`."""
        return int(self._held[item]) if 0 <= item < len(self._held) else 0

    def digest(self) -> bytes:
        """16 bytes over every session and over every place in every list."""
        self._cover()
        lanes = zeros()
        _digest(self.index, self._subjects.rests, self._items.keys, lanes)
        return sealed(lanes)

    def state(self) -> Arrays:
        """The live arrays, cut to what is used."""
        slots = int(self._meta[NEXT_SLOT])
        return {
            "head": self._head[: len(self._subjects)],
            "entries": self._entries.state()[0],
            "entry_book": self._entries.book,
            "postings": self._postings.state()[0],
            "posting_book": self._postings.book,
            "offset": self._offset[: len(self._items)],
            "held": self._held[: len(self._items)],
            "meta": self._meta,
            "cut": np.array([self._idle, self._cap, self._floor], dtype=np.int64),
            "deeds": self._deeds,
            **{"slot_" + name: column[:slots] for name, column in self._slots.items()},
        }

    def restore(self, state: Arrays) -> None:
        """Take over what `state` gave. Raises Corrupt if arrays are missing, misshapen or otherwise cut."""
        try:
            idle, cap, floor = (int(value) for value in state["cut"])
            meta, slots = state["meta"].astype(np.int64), {name: state["slot_" + name] for name in _SLOT}
            head, offset, held = state["head"], state["offset"], state["held"]
            known = min(len(self._deeds), len(state["deeds"]))
            if (idle, cap) != (self._idle, self._cap) or (self._deeds != state["deeds"])[:known].any():
                raise Corrupt("sessions: the state was cut by other settings")
            if len(offset) != len(held) or any(len(column) != meta[NEXT_SLOT] for column in slots.values()):
                raise Corrupt("sessions: columns of different length")
            self._entries.restore(state["entry_book"], [state["entries"]])
            self._postings.restore(state["posting_book"], [state["postings"]])
        except (KeyError, IndexError, ValueError) as error:
            raise Corrupt(f"sessions: {error!r}") from error
        self._meta, self._floor = meta, floor
        room = roomy(len(slots["last"]))
        self._slots = {name: grown(column.astype(_SLOT[name]), room) for name, column in slots.items()}
        self._head = grown(head.astype(np.int32), roomy(len(head)))
        self._offset = grown(offset.astype(np.int32), roomy(len(offset)))
        self._held = grown(held.astype(np.int32), roomy(len(held)))
        self._forget_ties()
        self._bind()

    def _forget_ties(self) -> None:
        """Not knowing the newest row of a session only sends rows of the same time by the long way."""
        size = len(self._head)
        self._tie_fingerprint: Column = np.full(size, UNKNOWN, dtype=np.uint64)
        self._tie_line: Column = np.full(size, UNKNOWN_LINE, dtype=np.uint16)

    def _cover(self) -> None:
        """See to it that every subject, item and kind known by now has its place."""
        short = len(self._subjects) > len(self._head) or len(self._items) > len(self._held)
        if (
            not short
            and len(self._kinds.names) < len(self._deeds)
            and self._subjects.keys is self.index.keys
            and self._cut.floor == self._floor
        ):
            return
        if len(self._subjects) > len(self._head):
            size = max(len(self._subjects), len(self._head) * 3 // 2)
            known = len(self._head)
            ties, lines = self._tie_fingerprint, self._tie_line
            self._head = grown(self._head, size)
            self._forget_ties()
            self._tie_fingerprint[:known], self._tie_line[:known] = ties, lines
        if len(self._items) > len(self._held):
            size = max(len(self._items), len(self._held) * 3 // 2)
            self._offset, self._held = grown(self._offset, size), grown(self._held, size)
        self._bind()

    def _reserve(self) -> None:
        """Make the room that a kernel said it needs."""
        slots, entries, postings, bench = (int(n) for n in self._meta[NEED_SLOTS : NEED_SCRATCH + 1])
        blocks = self._slots["block"]
        places, sizes = blocks >> 8, blocks & COUNT_MASK
        self._entries.reserve(entries, places, sizes)
        blocks[:] = (places << 8) | sizes
        self._postings.reserve(postings, self._offset, self._held)
        room = len(self._slots["last"])
        if self._meta[NEXT_SLOT] + slots > room:
            room = max(int(self._meta[NEXT_SLOT]) + slots, room * 3 // 2)
            self._slots = {name: grown(column, room) for name, column in self._slots.items()}
        self._bench_room = max(self._bench_room, bench * 3 // 2)
        self._bind()

    def _bind(self) -> None:
        """Gather the arrays as kernels take them, after any of them was replaced."""
        if len(self._deeds) <= len(self._kinds.names):
            self._deeds = self._deed_table()
        self._cut = Cut(self._deeds, self._idle, self._cap, self._floor)
        self.index = Index(
            self._head, self._tie_fingerprint, self._tie_line,
            self._slots["subject"], self._slots["last"], self._slots["first"],
            self._slots["block"], self._slots["before"],
            self._entries.columns[0], self._entries.book,
            self._offset, self._held,
            self._postings.columns[0], self._postings.book,
            self._subjects.keys, self._meta,
        )  # fmt: skip
        n = self._bench_room
        first, last, start, size = (np.zeros(n, dtype=np.int64) for _ in range(4))
        old, items = np.zeros(n, dtype=np.int32), np.zeros(n, dtype=np.uint32)
        self._bench = Bench(
            old, first, last, start, size, items, mark=np.zeros(len(self._held), dtype=np.int32)
        )
        self.handle, self._work = handle(self.index), handle(self._bench)

    def _deed_table(self) -> NDArray[np.uint8]:
        names = self._kinds.names
        deeds = np.zeros(len(names) + 64, dtype=np.uint8)
        for code in np.flatnonzero(self._joins[: len(names)]):
            deeds[code] = {PURCHASE: BOUGHT, CART: CARTED}.get(names[code], OTHER)
        return deeds


@compiled
def _digest(index: Index, rests: Column, items: Column, lanes: Column) -> None:
    slots = index.meta[NEXT_SLOT]
    names = np.zeros(slots, dtype=np.uint64)
    for slot in range(1, slots):
        packed = index.block[slot]
        if packed == 0:
            continue
        subject = index.subject[slot]
        a, b = absorb_a(SEED_A, index.keys[subject]), absorb_b(SEED_B, index.keys[subject])
        a, b = absorb_a(a, rests[subject]), absorb_b(b, rests[subject])
        first, last = np.uint64(index.first[slot]), np.uint64(index.last[slot])
        a, b = absorb_a(a, first), absorb_b(b, first)
        a, b = absorb_a(a, last), absorb_b(b, last)
        names[slot] = a
        for i in range(packed >> 8, (packed >> 8) + (packed & COUNT_MASK)):
            entry = int(index.entries[i])
            key, deeds = items[entry & ITEM_MASK], np.uint64(entry >> ITEM_BITS)
            a, b = absorb_a(absorb_a(a, key), deeds), absorb_b(absorb_b(b, key), deeds)
        lanes[0] += a
        lanes[1] += b
    for item in range(len(index.held)):
        for i in range(index.held[item]):
            name = names[index.postings[index.offset[item] + i]]
            a, b = absorb_a(SEED_A, items[item]), absorb_b(SEED_B, items[item])
            a, b = absorb_a(a, np.uint64(i)), absorb_b(b, np.uint64(i))
            lanes[0] += absorb_a(a, name)
            lanes[1] += absorb_b(b, name)
