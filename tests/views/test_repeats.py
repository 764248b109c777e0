"""Who had what again, and after how long, is exactly that of the live rows, however they came and went."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as configured
from hypothesis import strategies as st

from heedful.views.repeats import Repeats
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.kinds import PURCHASE, VIEW
from heedful.vocabulary.time import DAY, Instant

from .world import Row, World, histories


class Shop:
    """A world whose purchases are counted."""

    def __init__(self) -> None:
        self.world = World()
        seen = np.array([name == PURCHASE for name in self.world.kinds.names] + [False] * 8)
        self.repeats = Repeats(self.world.history, self.world.items, seen)

    def apply(self, rows: list[Row]) -> None:
        columns = self.world.rows(rows)
        self.world.history.apply(columns)
        self.repeats.apply(columns)

    def retract(self, rows: list[Row]) -> None:
        columns = self.world.rows(rows)
        self.world.history.retract(columns)
        self.repeats.retract(columns)

    def advance(self, floor: int) -> None:
        self.world.history.advance(Instant(floor))
        self.repeats.advance(Instant(floor))

    def told(self) -> dict[str, list[int]]:
        table = self.repeats.table[: len(self.world.items)]
        return {self.world.items.ids[n]: row.tolist() for n, row in enumerate(table) if row.any()}


def slow(rows: list[Row]) -> dict[str, list[int]]:
    """The slow twin."""
    days: dict[tuple[str, str], set[int]] = {}
    for row in rows:
        if row.item is not None and row.kind == PURCHASE:
            days.setdefault((row.subject, row.item), set()).add(row.at // DAY)
    table: dict[str, list[int]] = {}
    for (_, item), had in days.items():
        share = [1, int(len(had) > 1), len(had) - 1, max(had) - min(had)]
        table[item] = [a + b for a, b in zip(table.get(item, [0] * 4), share, strict=True)]
    return table


def spread(rows: list[Row]) -> list[Row]:
    """The same rows over days, most of them purchases."""
    return [
        row._replace(at=row.at * DAY // 3, kind=VIEW if row.kind == VIEW else PURCHASE, quantity=1)
        for row in rows
    ]


@configured(max_examples=120, deadline=None)
@given(histories(50), st.randoms(use_true_random=False), st.integers(1, 9), st.integers(-30, 30))
def test_repeats_are_those_of_the_live_rows_whatever_the_order(
    drawn: list[Row], chance: random.Random, size: int, floor: int
) -> None:
    shop, rows = Shop(), spread(drawn)
    chance.shuffle(rows)
    for start in range(0, len(rows), size):
        shop.apply(rows[start : start + size])
    assert shop.told() == slow(rows)
    gone = rows[: len(rows) // 3]
    live = rows[len(gone) :]
    for start in range(0, len(gone), size):
        shop.retract(gone[start : start + size])
    assert shop.told() == slow(live)
    assert shop.repeats.totals.tolist() == np.sum([*slow(live).values(), [0] * 4], axis=0).tolist()
    shop.advance(floor * DAY)
    shop.apply(gone)
    live = [row for row in live + gone if row.at >= floor * DAY]
    assert shop.told() == slow(live)
    other = Shop()
    other.apply(sorted(live))
    assert shop.repeats.digest() == other.repeats.digest()
    assert shop.repeats.known() == other.repeats.known()


def test_a_restored_state_goes_on_where_it_stood() -> None:
    shop = Shop()
    rows = [Row(day * DAY, day, 0, "s0", "milk", PURCHASE) for day in (0, 7, 15)]
    shop.apply(rows)
    assert shop.told() == {"milk": [1, 1, 2, 15]}
    other = Shop()
    other.world.items.code("milk")
    other.world.history.restore(shop.world.history.state())
    other.world.subject("s0")
    other.repeats.restore(shop.repeats.state())
    assert other.repeats.digest() == shop.repeats.digest()
    other.retract(rows[1:])
    assert other.told() == {"milk": [1, 0, 0, 0]}
    assert other.repeats.known() == (1, 0, 0, 0)


def test_a_misshapen_state_is_refused() -> None:
    shop = Shop()
    shop.apply([Row(0, 1, 0, "s0", "milk", PURCHASE)])
    state = dict(shop.repeats.state())
    for name in state:
        with pytest.raises(Corrupt):
            Shop().repeats.restore({other: array for other, array in state.items() if other != name})
    with pytest.raises(Corrupt):
        Shop().repeats.restore({**state, "table": np.zeros((3, 2), dtype=np.int64)})
