"""What is told of a person's past is what a plain walk over their rows finds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import settings as configured
from hypothesis import strategies as st

from heedful.views.meanings import Meanings
from heedful.views.pasts import CARTED, HAD, OTHER, RETURNED, Pasts
from heedful.vocabulary.kinds import CART, DEFAULT_MEANINGS, PURCHASE, REFUND, VIEW
from heedful.vocabulary.time import DAY, Instant

from .world import Row, World, histories

BITS = {PURCHASE: HAD, CART: CARTED}


def slow(rows: list[Row], subject: str, limit: int, at: int | None) -> list[tuple[object, ...]]:
    """The slow twin: a line per item, newest first."""
    mine = sorted(row for row in rows if row.subject == subject and (at is None or row.at <= at))
    now = mine[-1].at if at is None and mine else at or 0
    lines: dict[str, list[Row]] = {}
    for row in reversed(mine):
        if row.item is None or row.kind not in (VIEW, CART, PURCHASE, REFUND):
            continue
        if row.item in lines or len(lines) < limit:
            lines.setdefault(row.item, []).append(row)
    told: list[tuple[object, ...]] = []
    for item, own in lines.items():
        joined = [row for row in own if row.kind != REFUND]
        had = [row.at for row in own if row.kind == PURCHASE]
        deeds = 0
        for row in joined:
            deeds |= BITS.get(row.kind, OTHER)
        before = [row.kind for row in own]
        if REFUND in before and PURCHASE not in before[: before.index(REFUND)]:
            deeds |= RETURNED
        weight = sum(DEFAULT_MEANINGS[row.kind].weight * 2 ** ((row.at - now) / (30 * DAY)) for row in joined)
        told.append((
            item, len(joined), own[-1].at, own[0].at, pytest.approx(weight), deeds,
            len({when // DAY for when in had}), min(had, default=0), max(had, default=0),
        ))  # fmt: skip
    return told


@configured(max_examples=120, deadline=None)
@given(
    histories(40), st.randoms(use_true_random=False), st.integers(1, 7),
    st.none() | st.integers(-30, 30),
)  # fmt: skip
def test_a_past_is_told_like_its_slow_twin(
    drawn: list[Row], chance: random.Random, limit: int, at: int | None
) -> None:
    rows = [
        row._replace(at=row.at * DAY // 3, kind=REFUND if row.kind == "own" else row.kind, quantity=1)
        for row in drawn
    ]
    world = World()
    reader = Pasts(world.history, Meanings(world.kinds))
    chance.shuffle(rows)
    world.history.apply(world.rows(rows))
    moment = None if at is None else Instant(at * DAY)
    for subject in ("s0", "s1", "s2", "s0", "nobody"):
        touches = reader.read(world.subject(subject), limit=limit, at=moment)
        columns = [world.names(touches.item), *(column.tolist() for column in touches[1:])]
        assert list(zip(*columns, strict=True)) == slow(rows, subject, limit, moment)
