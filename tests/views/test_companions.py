"""Who shares a past, by a slow walk over everybody's."""

from __future__ import annotations

import math
import random

import numpy as np
from hypothesis import given
from hypothesis import settings as configured
from hypothesis import strategies as st

from heedful.views.companions import STEPS, Companions
from heedful.views.meanings import Meanings
from heedful.vocabulary.time import Instant

from .test_session_readers import IDLE, ITEMS, newest
from .world import JOINING, Row, World, cut, histories


def slow(
    world: World,
    rows: list[Row],
    asked: list[str],
    how_many: int,
    at: int,
    apart: str,
    m: int,
    k: int,
    read: int,
) -> list[tuple[str, float, str]]:
    """The slow twin of `Companions.peek` with equal weights and a half-life of STEPS."""
    near: dict[str, list[str]] = {}
    for item in asked:
        visits = newest(world, cut(rows, IDLE), item, m)
        for person in {visit.subject for visit in visits if visit.first <= at} - {apart}:
            near.setdefault(person, []).append(item)
    people = sorted(near, key=lambda person: (-len(near[person]), world.subject_key(person)))[:k]
    scores: dict[str, float] = {}
    shares: dict[str, list[tuple[float, str]]] = {}
    for person in people:
        theirs = [row for row in sorted(set(rows), reverse=True) if row.subject == person and row.at <= at]
        touched: dict[str, int] = {}
        for row in [row for row in theirs if row.kind in JOINING and row.item is not None][:read]:
            assert row.item is not None
            touched.setdefault(row.item, row.at)
        for item in touched.keys() - set(asked):
            steps = at - touched[item]
            share = len(near[person]) * 2.0 ** (-(steps % STEPS) / STEPS) * 2.0 ** -(steps // STEPS)
            scores[item] = scores.get(item, 0.0) + share
            shares.setdefault(item, []).append((share, near[person][0]))
    because = {item: max(told, key=lambda one: one[0])[1] for item, told in shares.items()}
    ordered = sorted(scores, key=lambda item: (-scores[item], world.item_key(item)))[:how_many]
    return [(item, scores[item], because[item]) for item in ordered]


@configured(max_examples=150, deadline=None)
@given(
    histories(60), st.randoms(use_true_random=False), st.permutations(ITEMS), st.integers(1, 4),
    st.integers(-60, 70), st.integers(1, 5), st.integers(1, 4), st.integers(1, 9), st.integers(1, 7),
)  # fmt: skip
def test_companions_are_found_like_by_their_slow_twin(
    rows: list[Row], chance: random.Random, items: list[str], length: int, at: int, m: int, k: int, read: int,
    how_many: int,
) -> None:  # fmt: skip
    world, asked = World(IDLE), items[:length]
    codes = world.codes(asked)
    shuffled = list(rows)
    chance.shuffle(shuffled)
    world.apply(shuffled)
    gone = shuffled[: len(shuffled) // 4]
    world.retract(gone)
    reader = Companions(world.sessions, world.history, world.items, world.subjects, Meanings(world.kinds))
    expected = slow(world, shuffled[len(gone) :], asked, how_many, at, "s1", m, k, read)
    apart = world.subject("s1")
    for _ in range(2):  # the second time over what the first left behind
        found = reader.peek(
            codes, how_many, Instant(at), apart=apart, m=m, k=k, rows=read, fading=math.inf, half_life=STEPS
        )
        told = (world.names(found.items), found.scores.tolist(), world.names(found.because))
        assert list(zip(*told, strict=True)) == expected


def test_sharing_what_was_touched_last_counts_more() -> None:
    world = World(IDLE)
    world.apply([
        Row(0, 1, 0, "old", "a"), Row(0, 2, 0, "old", "x"), Row(0, 3, 0, "new", "b"), Row(0, 4, 0, "new", "y"),
    ])  # fmt: skip
    reader = Companions(world.sessions, world.history, world.items, world.subjects, Meanings(world.kinds))
    found = reader.peek(world.codes(["b", "a"]), 5, Instant(0), fading=2.0)
    assert world.names(found.items) == ["y", "x"]
    assert found.scores.tolist() == [1.0, math.exp(-0.5)]


def test_what_nobody_has_met_has_no_companions() -> None:
    world = World(IDLE)
    world.apply([Row(0, 1, 0, "s0", "a"), Row(1, 2, 0, "s0", "b")])
    reader = Companions(world.sessions, world.history, world.items, world.subjects, Meanings(world.kinds))
    for current in ([], [10**6], [-1]):
        assert len(reader.peek(np.array(current, dtype=np.int32), 5, Instant(9)).items) == 0
