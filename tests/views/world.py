"""A small world for view tests: dictionaries, rows from tuples, and the slow twin of the session index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.dictionary import Items, Kinds, Subjects
from heedful.views.history import History
from heedful.views.rows import NO_ITEM, Rows
from heedful.views.sessions import BOUGHT, CARTED, OTHER, Sessions
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.kinds import CART, PAGE, PURCHASE, VIEW

JOINING = (VIEW, CART, PURCHASE)
DEEDS = {VIEW: OTHER, CART: CARTED, PURCHASE: BOUGHT}


class Row(NamedTuple):
    """One interaction in words."""

    at: int
    fingerprint: int
    line: int
    subject: str
    item: str | None
    kind: str = VIEW
    quantity: int = 1


class World:
    """Dictionaries with a history and a session index over them."""

    def __init__(self, idle: int = 10, cap: int = 200) -> None:
        self.items, self.subjects, self.kinds = Items(Pseudonyms(b"k" * 32)), Subjects(), Kinds()
        joins = np.array([name in JOINING for name in self.kinds.names])
        self.history = History(self.subjects, self.items, self.kinds)
        self.sessions = Sessions(self.history, self.items, self.subjects, self.kinds, joins, idle, cap)

    def subject(self, name: str) -> int:
        return int(self.subjects.codes([SubjectId(blake2b(name.encode(), digest_size=16).digest())])[0])

    def subject_key(self, name: str) -> int:
        return int(self.subjects.keys[self.subject(name)])

    def item_key(self, name: str) -> int:
        return int(self.items.keys[self.items.code(name)])

    def rows(self, rows: Sequence[Row]) -> Rows:
        return Rows(
            subject=np.array([self.subject(row.subject) for row in rows], dtype=np.int32),
            item=np.array(
                [NO_ITEM if row.item is None else self.items.code(row.item) for row in rows], dtype=np.int32
            ),
            kind=np.array([self.kinds.code(row.kind) for row in rows], dtype=np.uint16),
            at=np.array([row.at for row in rows], dtype=np.int64),
            fingerprint=np.array([row.fingerprint for row in rows], dtype=np.uint64),
            line=np.array([row.line for row in rows], dtype=np.uint16),
            quantity=np.array([row.quantity for row in rows], dtype=np.int32),
        )

    def apply(self, rows: Sequence[Row]) -> None:
        columns = self.rows(rows)
        self.history.apply(columns)
        self.sessions.apply(columns)

    def retract(self, rows: Sequence[Row]) -> None:
        columns = self.rows(rows)
        self.history.retract(columns)
        self.sessions.retract(columns)

    def advance(self, floor: int) -> None:
        from heedful.vocabulary.time import Instant

        self.history.advance(Instant(floor))
        self.sessions.advance(Instant(floor))

    def digests(self) -> tuple[bytes, bytes]:
        return self.history.digest(), self.sessions.digest()

    def codes(self, names: Iterable[str]) -> NDArray[np.int32]:
        return np.array([self.items.code(name) for name in names], dtype=np.int32)

    def names(self, codes: Iterable[int]) -> list[str]:
        return [self.items.ids[code] for code in codes]


class SlowSession(NamedTuple):
    """What a session is, in words: its items in order of their last row, each with its deeds."""

    last: int
    subject: str
    first: int
    items: dict[str, int]


def cut(rows: Iterable[Row], idle: int, cap: int = 200) -> list[SlowSession]:
    """The slow twin of the index: every session of `rows`, in no order."""
    sessions: list[list[Row]] = []
    for row in sorted(set(rows), key=lambda row: (row.subject, row)):
        if row.item is None or row.kind not in JOINING:
            continue
        newest = sessions[-1][-1] if sessions else None
        if newest and newest.subject == row.subject and row.at - newest.at <= idle:
            sessions[-1].append(row)
        else:
            sessions.append([row])
    found = []
    for run in sessions:
        items: dict[str, int] = {}
        for row in run:
            assert row.item is not None
            items[row.item] = items.pop(row.item, 0) | DEEDS[row.kind]
        newest_items = dict(list(items.items())[-cap:])
        found.append(SlowSession(run[-1].at, run[0].subject, run[0].at, newest_items))
    return found


def histories(max_size: int = 40) -> st.SearchStrategy[list[Row]]:
    """Rows of few subjects, items and times, so that ties, joins and splits are common."""

    def row(values: tuple[int, int, int, int, int, int], fingerprint: int) -> Row:
        at, subject, item, kind, line, quantity = values
        name = f"i{item}" if item else None
        kinds = (VIEW, CART, PURCHASE, PAGE, "own")
        return Row(at, fingerprint, line, f"s{subject}", name, kinds[kind], (1, 3, 255, 256)[quantity])

    values = st.tuples(
        st.integers(-60, 60), st.integers(0, 3), st.integers(0, 6), st.integers(0, 4), st.integers(0, 1),
        st.integers(0, 3),
    )  # fmt: skip
    prints = st.lists(st.integers(0, 2**64 - 1), min_size=max_size, max_size=max_size, unique=True)
    lists = st.lists(values, max_size=max_size)
    return st.tuples(lists, prints).map(
        lambda drawn: [row(v, f) for v, f in zip(drawn[0], drawn[1], strict=False)]
    )
