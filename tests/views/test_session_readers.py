"""Neighbours, rules and co-occurrence answer what their slow twins answer, ties and all."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import settings as configured
from hypothesis import strategies as st

from heedful.views.cooccurrence import ANYTHING, Cooccurrence
from heedful.views.neighbours import LOGARITHMS, Neighbours, logarithm
from heedful.views.reading import Desk
from heedful.views.rules import UNIT, Rules
from heedful.views.sessions import BOUGHT, CARTED
from heedful.vocabulary.kinds import CART, PURCHASE

from .world import Row, SlowSession, World, cut, histories

IDLE = 10
ITEMS = [f"i{n}" for n in range(1, 7)]


def newest(world: World, sessions: list[SlowSession], item: str, m: int) -> list[SlowSession]:
    """The newest m sessions that contain `item`."""
    held = [session for session in sessions if item in session.items]
    return sorted(held, key=lambda s: (s.last, world.subject_key(s.subject)), reverse=True)[:m]


def best(world: World, scores: dict[str, int], how_many: int) -> list[tuple[str, int]]:
    return sorted(scores.items(), key=lambda pair: (-pair[1], world.item_key(pair[0])))[:how_many]


def slow_neighbours(
    world: World, rows: list[Row], current: list[str], how_many: int, m: int, k: int, excluded: int
) -> list[tuple[str, int, str]]:
    """The slow twin of `Neighbours.read`."""
    sessions, length = cut(rows, IDLE), len(current)
    matches: dict[int, list[int]] = {}
    for position, item in enumerate(current):
        for session in newest(world, sessions, item, m):
            matches.setdefault(sessions.index(session), []).append(position)
    similarity = {s: sum(length - p for p in positions) for s, positions in matches.items()}
    near = sorted(
        matches,
        key=lambda s: (similarity[s], sessions[s].last, world.subject_key(sessions[s].subject)),
        reverse=True,
    )[:k]
    scores: dict[str, int] = {}
    shares: dict[str, list[int]] = {}
    for s in near:
        for item in sessions[s].items:
            if item not in current[:excluded]:
                scores[item] = scores.get(item, 0) + similarity[s] * (9 - min(matches[s]))
                for p in matches[s]:
                    shares.setdefault(item, [0] * length)[p] += (length - p) * (9 - min(matches[s]))
    for item in scores:
        frequency = sum(item in session.items for session in sessions)
        scores[item] *= max(1, logarithm(LOGARITHMS, len(sessions)) - logarithm(LOGARITHMS, frequency))
    return [
        (item, score, current[shares[item].index(max(shares[item]))])
        for item, score in best(world, scores, how_many)
    ]


def slow_rules(
    world: World, rows: list[Row], current: list[str], how_many: int, m: int, excluded: int
) -> list[tuple[str, int]]:
    """The slow twin of `Rules.read`."""
    sessions, scores = cut(rows, IDLE), dict[str, Fraction]()
    for position, item in enumerate(current):
        for session in newest(world, sessions, item, m):
            order = list(session.items)
            for distance, after in enumerate(order[order.index(item) + 1 :][:10], start=1):
                share = Fraction(len(current) - position, distance)
                scores[after] = scores.get(after, Fraction()) + share
    kept = {item: int(score * UNIT) for item, score in scores.items() if item not in current[:excluded]}
    return best(world, kept, how_many)


def slow_cooccurrence(
    world: World, rows: list[Row], item: str, how_many: int, deed: int, own: int, m: int
) -> list[tuple[str, int]]:
    """The slow twin of `Cooccurrence.read`."""
    scores: dict[str, int] = {}
    for session in newest(world, cut(rows, IDLE), item, m):
        for other, deeds in session.items.items():
            if other != item and deeds & deed and session.items[item] & own:
                scores[other] = scores.get(other, 0) + 1
    return best(world, scores, how_many)


@configured(max_examples=150, deadline=None)
@given(
    histories(60), st.randoms(use_true_random=False), st.permutations(ITEMS), st.integers(1, 5),
    st.integers(1, 6), st.integers(1, 8), st.integers(1, 7), st.integers(0, 3),
)  # fmt: skip
def test_readers_answer_like_their_slow_twins_whatever_the_order_of_arrival(
    rows: list[Row], chance: random.Random, items: list[str], length: int, m: int, k: int, how_many: int,
    excluded: int,
) -> None:  # fmt: skip
    world = World(IDLE)
    codes = world.codes(items[:length])
    current = items[:length]
    shuffled = list(rows)
    chance.shuffle(shuffled)
    for start in range(0, len(shuffled), 5):
        world.apply(shuffled[start : start + 5])
    gone = shuffled[: len(shuffled) // 4]
    world.retract(gone)
    live = shuffled[len(gone) :]
    desk = Desk(world.sessions, world.items)
    for _ in range(2):  # the second time over what the first left behind
        near = Neighbours(desk).read(codes, how_many, m=m, k=k, excluded=excluded)
        because = world.names(near.because)
        assert list(zip(world.names(near.items), near.scores.tolist(), because, strict=True)) == (
            slow_neighbours(world, live, current, how_many, m, k, excluded)
        )
        rules = Rules(desk).read(codes, how_many, m=m, excluded=excluded)
        assert list(zip(world.names(rules.items), rules.scores.tolist(), strict=True)) == (
            slow_rules(world, live, current, how_many, m, excluded)
        )
        for deed, own in ((BOUGHT, ANYTHING), (CARTED, CARTED), (ANYTHING, BOUGHT | CARTED)):
            together = Cooccurrence(desk).read(int(codes[0]), how_many, deed=deed, own=own, m=m)
            assert list(zip(world.names(together.items), together.scores.tolist(), strict=True)) == (
                slow_cooccurrence(world, live, current[0], how_many, deed, own, m)
            )


def test_an_unknown_item_and_an_empty_session_have_no_neighbours() -> None:
    world = World(IDLE)
    desk = Desk(world.sessions, world.items)
    world.apply([Row(0, 1, 0, "s0", "a"), Row(1, 2, 0, "s0", "b")])
    for current in ([], [world.items.code("new")], [10**6], [-1]):
        codes = np.array(current, dtype=np.int32)
        assert len(Neighbours(desk).read(codes, 5).items) == 0
        assert len(Rules(desk).read(codes, 5).items) == 0
    assert len(Cooccurrence(desk).read(10**6, 5).items) == 0


def test_an_event_of_one_person_changes_the_next_answer_of_another() -> None:
    world = World(IDLE)
    desk = Desk(world.sessions, world.items)
    readers = Neighbours(desk)
    world.apply([Row(0, 1, 0, "s0", "a"), Row(1, 2, 0, "s0", "b", CART)])
    before = readers.read(world.codes(["a"]), 5)
    assert world.names(before.items) == ["b"]
    world.apply([Row(2, 3, 0, "s0", "c", PURCHASE)])
    after = readers.read(world.codes(["a"]), 5)
    assert sorted(world.names(after.items)) == ["b", "c"]


def test_the_fixed_point_logarithm_is_close_and_never_falls() -> None:
    values = [logarithm(LOGARITHMS, n) for n in range(1, 5_000)]
    assert values == sorted(values)
    exact = np.log2(np.arange(1, 5_000)) * 2**16
    assert np.abs(np.array(values) - exact).max() < 2**16 * 0.0015
