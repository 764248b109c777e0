"""What is bought with what, by a slow walk over everybody's purchases."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import settings as configured
from hypothesis import strategies as st

from heedful.views.baskets import Baskets
from heedful.views.reading import Desk
from heedful.views.sessions import BOUGHT
from heedful.vocabulary.kinds import PURCHASE

from .test_session_readers import IDLE, ITEMS, best, newest
from .world import Row, World, cut, histories


def slow(
    world: World, rows: list[Row], asked: list[str], how_many: int, m: int, within: int, excluded: int
) -> list[tuple[str, int, str]]:
    """The slow twin of `Baskets.read`."""
    shares: dict[str, list[int]] = {}
    for position, item in enumerate(asked):
        for visit in newest(world, cut(rows, IDLE), item, m):
            if visit.items[item] & BOUGHT:
                bought = {
                    row.item
                    for row in rows
                    if row.subject == visit.subject
                    and row.kind == PURCHASE
                    and visit.first - within <= row.at <= visit.last + within
                }
                for other in bought - {item, None}:
                    assert other is not None
                    shares.setdefault(other, [0] * len(asked))[position] += len(asked) - position
    scores = {item: sum(share) for item, share in shares.items() if item not in asked[:excluded]}
    return [
        (item, score, asked[shares[item].index(max(shares[item]))])
        for item, score in best(world, scores, how_many)
    ]


@configured(max_examples=150, deadline=None)
@given(
    histories(60), st.randoms(use_true_random=False), st.permutations(ITEMS), st.integers(1, 4),
    st.integers(1, 6), st.integers(0, 50), st.integers(1, 7), st.integers(0, 3),
)  # fmt: skip
def test_what_is_bought_with_what_is_counted_like_its_slow_twin(
    rows: list[Row], chance: random.Random, items: list[str], length: int, m: int, within: int,
    how_many: int, excluded: int,
) -> None:  # fmt: skip
    world, asked = World(IDLE), items[:length]
    codes = world.codes(asked)
    shuffled = list(rows)
    chance.shuffle(shuffled)
    world.apply(shuffled)
    gone = shuffled[: len(shuffled) // 4]
    world.retract(gone)
    reader = Baskets(Desk(world.sessions, world.items), world.history)
    expected = slow(world, shuffled[len(gone) :], asked, how_many, m, within, excluded)
    for _ in range(2):  # the second time over what the first left behind
        found = reader.read(codes, how_many, m=m, within=within, excluded=excluded)
        told = (world.names(found.items), found.scores.tolist(), world.names(found.because))
        assert list(zip(*told, strict=True)) == expected


def test_an_item_that_nobody_bought_goes_with_nothing() -> None:
    world = World(IDLE)
    world.apply([Row(0, 1, 0, "s0", "a"), Row(1, 2, 0, "s0", "b", PURCHASE)])
    reader = Baskets(Desk(world.sessions, world.items), world.history)
    for current in ([], [world.items.code("a")], [10**6], [-1]):
        assert len(reader.read(np.array(current, dtype=np.int32), 5).items) == 0
