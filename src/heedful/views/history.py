"""What each person did, in order: the rows of every subject, sorted, side by side.

Everything that must be cut again when an event comes late or is taken back is cut from here. A row takes 26
bytes: its columns lie in an arena, one block per subject, sorted by (at, fingerprint, line).

Each row says for which purposes it may be used, and whoever reads the history looks at the bit of their own
purpose. Rows that may be used for nothing are kept too: by them a person's records are found when consent
changes, when they ask what is kept, and when they are forgotten.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views import timeline
from heedful.views.arena import Arena, grown, roomy
from heedful.views.canonical import sealed, word_of
from heedful.views.dictionary import Items, Kinds, Subjects
from heedful.views.handles import handle
from heedful.views.rows import Rows
from heedful.views.timeline import Batch, Timeline
from heedful.views.view import Arrays, zeros
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.time import Instant

BEGINNING = -(2**62)
"""A floor below every time."""

_ASIDE = 0
"""In the quantity column: the quantity is beyond 255 and stands aside."""


class Past(NamedTuple):
    """Every row of one subject, ascending by (at, fingerprint, line). Copies, shape (n,) each, as in `Rows`."""

    at: NDArray[np.int64]
    fingerprint: NDArray[np.uint64]
    line: NDArray[np.uint16]
    item: NDArray[np.int32]
    kind: NDArray[np.uint16]
    quantity: NDArray[np.int32]
    purposes: NDArray[np.uint8]

    def only(self, kept: NDArray[np.bool_]) -> Past:
        """The rows where `kept`, bool (n,)."""
        return Past._make(column[kept] for column in self)


class History:
    """The view of people's own pasts. Rows without an item are kept too; a row given twice counts once."""

    name = "history"
    version = 2
    purpose = "legal"

    def __init__(self, subjects: Subjects, items: Items, kinds: Kinds) -> None:
        self._subjects, self._items, self._kinds = subjects, items, kinds
        self._offset: NDArray[np.int32] = np.zeros(1_024, dtype=np.int32)
        self._held: NDArray[np.int32] = np.zeros(1_024, dtype=np.int32)
        self._arena = Arena(np.int32, np.int64, np.uint64, np.uint16, np.uint16, np.uint8, np.uint8)
        self._large: dict[tuple[int, int, int], tuple[int, int]] = {}
        self._floor = BEGINNING
        self._bind()

    @property
    def nbytes(self) -> int:
        """Bytes taken by rows and by the table of subjects."""
        return self._arena.nbytes + 8 * len(self._subjects)

    def apply(self, rows: Rows) -> None:
        """Count `rows` in, in any order."""
        if len(rows) == 0:
            return
        self._cover(int(rows.subject.max()) + 1)
        columns = batch(rows)
        done = 0
        while (done := timeline.apply(self.handle, self._floor, columns, done)) < len(rows):
            self._reserve(int(rows.subject[columns.order[done]]))
        for i in np.flatnonzero(rows.quantity > 255):
            if rows.at[i] >= self._floor:
                self._large[_identity(rows, i)] = (int(rows.at[i]), int(rows.quantity[i]))

    def retract(self, rows: Rows) -> None:
        """Take `rows` out. A row that is not there is left alone."""
        if len(rows) == 0:
            return
        self._cover(int(rows.subject.max()) + 1)
        columns, done = batch(rows), 0
        while (done := timeline.retract(self.handle, columns, done)) < len(rows):
            self._reserve(int(rows.subject[columns.order[len(rows) - 1 - done]]))
        if self._large:
            for i in range(len(rows)):
                self._large.pop(_identity(rows, i), None)

    def advance(self, floor: Instant) -> None:
        """Drop every row before `floor`, and ignore such rows from now on."""
        if floor <= self._floor:
            return
        self._floor = floor
        done = 0
        while (done := timeline.advance(self.handle, floor, done)) < len(self._held):
            self._reserve(done)
        self._large = {row: said for row, said in self._large.items() if said[0] >= floor}

    def count(self, subject: int) -> int:
        """How many rows `subject` has."""
        return int(self._held[subject]) if 0 <= subject < len(self._held) else 0

    def recent(
        self, subject: int, limit: int
    ) -> tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.int64]]:
        """Items, kinds and times of the newest `limit` rows of `subject`, newest first.

        Rows without an item (NO_ITEM) are among them.
        """
        n = self.count(subject)
        start = int(self._offset[subject]) if n else 0
        newest = slice(start + max(0, n - limit), start + n)
        rows = self.arrays
        return rows.item[newest][::-1].copy(), rows.kind[newest][::-1].copy(), rows.at[newest][::-1].copy()

    def quantity_at(self, place: int) -> int:
        """The quantity of the row at `place` of the columns, also one that stands aside."""
        quantity = int(self.arrays.quantity[place])
        if quantity != _ASIDE:
            return quantity
        event, line, at = (int(c[place]) for c in (self.arrays.fingerprint, self.arrays.line, self.arrays.at))
        return next(q for (_, e, n), (t, q) in self._large.items() if (e, n, t) == (event, line, at))

    def rows(self, subject: int, purpose: int = 0) -> Past:
        """Every row of `subject`; of none if it is unknown. purpose: a bit; only rows that may be used for it."""
        n = self.count(subject)
        start = int(self._offset[subject]) if n else 0
        block, rows = slice(start, start + n), self.arrays
        quantity = rows.quantity[block].astype(np.int32)
        fingerprint, line = rows.fingerprint[block].copy(), rows.line[block].copy()
        for i in np.flatnonzero(quantity == _ASIDE):
            quantity[i] = self._large[subject, int(fingerprint[i]), int(line[i])][1]
        item, kind = rows.item[block].copy(), rows.kind[block].copy()
        purposes = rows.purposes[block].copy()
        past = Past(rows.at[block].copy(), fingerprint, line, item, kind, quantity, purposes)
        return past.only(purposes & purpose != 0) if purpose else past

    def purposes_of(self, rows: Rows) -> NDArray[np.uint8]:
        """What each of `rows` may be used for as it is held, uint8 (n,); 0 for one that is not there."""
        found = np.zeros(len(rows), dtype=np.uint8)
        timeline.purposes_of(self.handle, batch(rows), found)
        return found

    def usable(self, purposes: int) -> set[int]:
        """The fingerprints of all events whose rows may be used for all of `purposes`, bits."""
        held = self._held.astype(np.int64)
        ends = np.cumsum(held)
        places = np.repeat(self._offset - (ends - held), held) + np.arange(int(held.sum()))
        rows = self.arrays
        return set(rows.fingerprint[places[rows.purposes[places] & purposes == purposes]].tolist())

    def judge(self, subject: int, purposes: NDArray[np.uint8]) -> None:
        """Say anew what the rows of `subject` may be used for, uint8, in the order of `rows`."""
        start = int(self._offset[subject])
        self.arrays.purposes[start : start + self.count(subject)] = purposes

    def columns(self) -> Timeline:
        """The live columns as far as they are used, with zeros (and in `item` numbers that mean nothing) between
        the rows of different people."""
        used = self._arena.used
        arrays = self.arrays
        return arrays._replace(
            item=arrays.item[:used], at=arrays.at[:used], fingerprint=arrays.fingerprint[:used],
            line=arrays.line[:used], kind=arrays.kind[:used],
        )  # fmt: skip

    def fingerprints(self, subject: int) -> NDArray[np.uint64]:
        """The fingerprints of `subject`'s events in order of time, each once, shape (events,)."""
        past = self.rows(subject)
        _, first = np.unique(past.fingerprint, return_index=True)
        return past.fingerprint[np.sort(first)]

    def digest(self) -> bytes:
        """16 bytes over every row: subject, time, event, line, item, kind and quantity."""
        lanes = zeros()
        kinds = np.array([word_of(name) for name in [*self._kinds.names, "…"]], dtype=np.uint64)
        timeline.digest(
            self.handle,
            self._subjects.keys,
            self._subjects.rests,
            self._items.keys,
            kinds,
            self.quantities_aside(),
            lanes,
        )
        return sealed(lanes)

    def state(self) -> Arrays:
        """The live arrays, cut to what is used."""
        item, at, fingerprint, kind, line, quantity, purposes = self._arena.state()
        large = [(s, at, q, line) for (s, _, line), (at, q) in self._large.items()]
        return {
            "offset": self._offset[: len(self._subjects)],
            "count": self._held[: len(self._subjects)],
            "book": self._arena.book,
            "floor": np.array([self._floor], dtype=np.int64),
            "item": item, "at": at, "fingerprint": fingerprint,
            "kind": kind, "line": line, "quantity": quantity, "purposes": purposes,
            "large": np.array(large, dtype=np.int64).reshape(-1, 4),
            "large_fingerprint": np.array([event for _, event, _ in self._large], dtype=np.uint64),
        }  # fmt: skip

    def restore(self, state: Arrays) -> None:
        """Take over what `state` gave. Raises Corrupt if an array is missing or misshapen."""
        try:
            names = ("item", "at", "fingerprint", "kind", "line", "quantity", "purposes")
            offset, count, large = state["offset"], state["count"], state["large"]
            if len(offset) != len(count) or len(large) != len(state["large_fingerprint"]):
                raise Corrupt("history: columns of different length")
            self._arena.restore(state["book"], [state[name] for name in names])
            self._floor = int(state["floor"][0])
            self._large = {
                (int(s), int(event), int(line)): (int(at), int(q))
                for (s, at, q, line), event in zip(large, state["large_fingerprint"], strict=True)
            }
        except (KeyError, IndexError, ValueError) as error:
            raise Corrupt(f"history: {error!r}") from error
        self._offset = grown(offset.astype(np.int32), roomy(len(offset)))
        self._held = grown(count.astype(np.int32), roomy(len(offset)))
        self._bind()

    def quantities_aside(self) -> NDArray[Any]:
        """Quantities that stand aside, by the place of their row: a sorted table of (place, quantity)."""
        table = [(self._place(*row), said[1]) for row, said in self._large.items()]
        return np.array(sorted(table), dtype=np.int64).reshape(-1, 2)

    def _place(self, subject: int, event: int, line: int) -> int:
        start = int(self._offset[subject])
        block = slice(start, start + int(self._held[subject]))
        rows = self.arrays
        same = (rows.fingerprint[block] == np.uint64(event)) & (rows.line[block] == line)
        return start + int(np.flatnonzero(same)[0])

    def _cover(self, subjects: int) -> None:
        if subjects > len(self._held):
            size = max(subjects, len(self._held) * 3 // 2)
            self._offset, self._held = grown(self._offset, size), grown(self._held, size)
            self._bind()

    def _reserve(self, subject: int) -> None:
        self._arena.reserve(2 * self.count(subject) + 1_024, self._offset, self._held)
        self._bind()

    def _bind(self) -> None:
        self.arrays = Timeline._make((self._offset, self._held, *self._arena.columns, self._arena.book))
        self.handle = handle(self.arrays)


def batch(rows: Rows) -> Batch:
    """`rows` as kernels take them."""
    order = np.argsort(rows.at, kind="stable")  # takes next to nothing where the batch is in order already
    return Batch(
        order, rows.subject, rows.item, rows.kind, rows.at, rows.fingerprint, rows.line, rows.quantity,
        rows.purposes,
    )  # fmt: skip


def _identity(rows: Rows, i: Any) -> tuple[int, int, int]:
    return int(rows.subject[i]), int(rows.fingerprint[i]), int(rows.line[i])
