"""The history holds exactly the live rows of everyone, sorted, however they came and went."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as configured
from hypothesis import strategies as st

from heedful.views.rows import NO_ITEM
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.kinds import PAGE, PURCHASE

from .world import Row, World, histories


def told(world: World, subject: str) -> list[Row]:
    """What the history says of `subject`, in words."""
    past = world.history.rows(world.subject(subject))
    names = [None if item == NO_ITEM else world.items.ids[item] for item in past.item]
    kinds = [world.kinds.names[kind] for kind in past.kind]
    columns = (past.at.tolist(), past.fingerprint.tolist(), past.line.tolist())
    return [
        Row(at, event, line, subject, name, kind, quantity)
        for at, event, line, name, kind, quantity in zip(
            *columns, names, kinds, past.quantity.tolist(), strict=True
        )
    ]


@configured(max_examples=80, deadline=None)
@given(histories(), st.randoms(use_true_random=False), st.integers(1, 9), st.integers(-70, 70))
def test_the_history_is_the_sorted_set_of_live_rows(
    rows: list[Row], chance: random.Random, size: int, floor: int
) -> None:
    world = World()
    shuffled = list(rows)
    chance.shuffle(shuffled)
    for start in range(0, len(shuffled), size):
        world.history.apply(world.rows(shuffled[start : start + size]))
    gone = shuffled[: len(shuffled) // 3]
    world.history.retract(world.rows(gone))
    world.history.retract(world.rows(gone))  # what is not there is left alone
    world.advance(floor)
    world.history.apply(world.rows(gone[:2]))
    live = sorted({row for row in shuffled[len(gone) :] + gone[:2] if row.at >= floor})
    for subject in ("s0", "s1", "s2", "s3", "late"):
        own = [row for row in live if row.subject == subject]
        assert told(world, subject) == own
        items, kinds, ats = world.history.recent(world.subject(subject), 3)
        newest = told(world, subject)[::-1][:3]
        assert ats.tolist() == [row.at for row in newest]
        assert [world.kinds.names[kind] for kind in kinds] == [row.kind for row in newest]
        assert items.tolist() == [
            NO_ITEM if row.item is None else world.items.code(row.item) for row in newest
        ]
    other = World()
    other.history.apply(other.rows(live))
    assert world.history.digest() == other.history.digest()


def test_every_property_of_a_row_enters_the_digest() -> None:
    row = Row(5, 9, 1, "s0", "a", PURCHASE, 2)
    changed = (
        row._replace(at=6), row._replace(fingerprint=8), row._replace(line=2), row._replace(subject="s1"),
        row._replace(item="b"), row._replace(item=None), row._replace(kind=PAGE), row._replace(quantity=3),
        row._replace(quantity=300), row._replace(quantity=301),
    )  # fmt: skip
    digests = set()
    for one in (row, *changed):
        world = World()
        world.history.apply(world.rows([one]))
        digests.add(world.history.digest())
    assert len(digests) == 1 + len(changed)


def test_the_events_of_a_subject_are_told_once_each_in_order_of_time() -> None:
    world = World()
    lines = [Row(9, 5, line, "s0", f"i{line}", PURCHASE) for line in range(3)]
    world.history.apply(world.rows([*lines, Row(3, 8, 0, "s0", None, PAGE), Row(1, 2, 0, "s1", None, PAGE)]))
    assert world.history.fingerprints(world.subject("s0")).tolist() == [8, 5]
    assert world.history.fingerprints(10**6).tolist() == []


def test_a_row_takes_little_room() -> None:
    world = World()
    rows = [Row(n, n, 0, f"s{n % 50}", "a") for n in range(10_000)]
    world.history.apply(world.rows(rows))
    assert world.history.nbytes / len(rows) < 37


def test_a_misshapen_state_is_refused() -> None:
    world = World()
    world.apply([Row(0, 1, 0, "s0", "a")])
    state = world.history.state()
    for name in state:
        with pytest.raises(Corrupt):
            World().history.restore({other: array for other, array in state.items() if other != name})
    with pytest.raises(Corrupt):
        World().history.restore({**state, "at": np.zeros(77, dtype=np.int64)})
