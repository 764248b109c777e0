"""Neighbours by time and order answer what their slow twin answers, ties and all."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as configured
from hypothesis import strategies as st

from heedful.views.neighbours import LOGARITHMS, logarithm
from heedful.views.reading import Desk
from heedful.views.vstan import STEPS, Shape, Tables, Vstan, tables
from heedful.vocabulary.time import DAY, Instant

from .test_session_readers import IDLE, ITEMS, best, newest
from .world import Row, SlowSession, World, cut, histories

SHAPE = Shape(place=2.0, half_life=20 * STEPS, nearness=1.5, decay=2.0, rarity=0.7)
"""A half-life that tells the times of the small world apart."""
ONE = 1 << 16


def alike(table: Tables, session: SlowSession, matched: set[int], at: int) -> int:
    """The similarity of a session."""
    step = max(0, at - session.last) // int(table.scale[0])
    how = sum(int(table.weight[1 << p]) for p in matched) * int(table.length[len(session.items)])
    return max(1, how * int(table.fade[step % STEPS]) >> min(50, step // STEPS))


def slow(
    world: World, rows: list[Row], current: list[str], how_many: int, at: int, m: int, k: int, excluded: int,
    apart: str,
) -> list[tuple[str, int, str]]:  # fmt: skip
    """The slow twin of `Vstan.read`."""
    table, sessions = tables(SHAPE), cut(rows, IDLE)
    own = max((s for s in sessions if s.subject == apart), key=lambda s: s.last, default=None)
    matches: dict[int, set[int]] = {}
    for position, item in enumerate(current):
        for session in newest(world, sessions, item, m):
            if session is not own:
                matches.setdefault(sessions.index(session), set()).add(position)
    how = {s: alike(table, sessions[s], matched, at) for s, matched in matches.items()}
    near = sorted(
        matches,
        key=lambda s: (how[s], sessions[s].last, world.subject_key(sessions[s].subject)),
        reverse=True,
    )[:k]
    most = max((how[s] for s in near), default=1)
    less = max(0, most.bit_length() - 40)
    scores: dict[str, int] = {}
    shares: dict[str, list[int]] = {}
    for s in near:
        order = list(sessions[s].items)
        spot = max(order.index(current[p]) for p in matches[s])
        share = ((how[s] >> less) << 20) // (most >> less)
        share = share * int(table.decay[min(matches[s])]) >> 16
        for place, item in enumerate(order):
            given_ = max(1, share * int(table.near[abs(place - spot)]) >> 16)
            scores[item] = scores.get(item, 0) + given_
            for p in matches[s]:
                shares.setdefault(item, [0] * len(current))[p] += given_ * int(table.weight[1 << p])
    for item in [item for item in scores if item in current[:excluded]]:
        del scores[item]
    for item in scores:
        frequency = sum(item in session.items for session in sessions)
        rare = logarithm(LOGARITHMS, len(sessions)) - logarithm(LOGARITHMS, frequency)
        scores[item] *= ONE + (int(table.scale[1]) * max(0, rare) >> 16)
    return [
        (item, score, current[shares[item].index(max(shares[item]))])
        for item, score in best(world, scores, how_many)
    ]


@configured(max_examples=150, deadline=None)
@given(
    histories(60), st.randoms(use_true_random=False), st.permutations(ITEMS), st.integers(1, 5),
    st.integers(1, 6), st.integers(1, 8), st.integers(1, 7), st.integers(0, 3), st.integers(-60, 9_000),
    st.sampled_from(("s0", "s1", "nobody")),
)  # fmt: skip
def test_the_reader_answers_like_its_slow_twin_whatever_the_order_of_arrival(
    rows: list[Row], chance: random.Random, items: list[str], length: int, m: int, k: int, how_many: int,
    excluded: int, at: int, apart: str,
) -> None:  # fmt: skip
    world, current = World(IDLE), items[:length]
    codes = world.codes(current)
    shuffled = list(rows)
    chance.shuffle(shuffled)
    for start in range(0, len(shuffled), 5):
        world.apply(shuffled[start : start + 5])
    gone = shuffled[: len(shuffled) // 4]
    world.retract(gone)
    live = shuffled[len(gone) :]
    desk = Desk(world.sessions, world.items)
    reader = Vstan(desk, SHAPE)
    expected = slow(world, live, current, how_many, at, m, k, excluded, apart)
    for _ in range(2):  # the second time over what the first left behind
        found = reader.read(
            codes, how_many, Instant(at), m=m, k=k, excluded=excluded, apart=world.subject(apart)
        )
        told = (world.names(found.items), found.scores.tolist(), world.names(found.because))
        assert list(zip(*told, strict=True)) == expected


def test_an_unknown_item_and_an_empty_session_have_no_neighbours() -> None:
    world = World(IDLE)
    world.apply([Row(0, 1, 0, "s0", "a"), Row(1, 2, 0, "s0", "b")])
    reader = Vstan(Desk(world.sessions, world.items))
    for current in ([], [world.items.code("new")], [10**6], [-1]):
        assert len(reader.read(np.array(current, dtype=np.int32), 5, Instant(9)).items) == 0


def test_what_lies_near_the_shared_item_and_what_is_younger_comes_first() -> None:
    world = World(IDLE)
    far = [Row(n, n + 1, 0, "s0", item) for n, item in enumerate(("a", "b", "c", "d", "e"))]
    world.apply(far)
    reader = Vstan(Desk(world.sessions, world.items))
    assert world.names(reader.read(world.codes(["a"]), 5, Instant(9)).items) == ["b", "c", "d", "e"]
    world.apply([Row(10 * DAY, 20, 0, "s1", "x"), Row(10 * DAY + 1, 21, 0, "s1", "a")])
    world.apply([Row(90 * DAY, 22, 0, "s2", "y"), Row(90 * DAY + 1, 23, 0, "s2", "a")])
    found = reader.read(world.codes(["a"]), 2, Instant(91 * DAY))
    assert world.names(found.items) == ["y", "x"]
    alone = reader.read(world.codes(["a"]), 9, Instant(91 * DAY), apart=world.subject("s2"))
    assert "y" not in world.names(alone.items)


@pytest.mark.parametrize(
    "shape",
    [
        Shape(place=0),
        Shape(half_life=0),
        Shape(nearness=-1),
        Shape(decay=0),
        Shape(rarity=101),
        Shape(rarity=-1),
    ],
)
def test_a_shape_without_scale_is_refused(shape: Shape) -> None:
    with pytest.raises(ValueError, match="scales must be above 0"):
        tables(shape)


def test_more_neighbours_than_a_score_can_hold_are_refused() -> None:
    world = World(IDLE)
    with pytest.raises(ValueError, match="k must be 1 to 2000"):
        Vstan(Desk(world.sessions, world.items)).read(np.zeros(1, dtype=np.int32), 5, Instant(0), k=2_001)
