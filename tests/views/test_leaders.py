"""The kept list against sorting everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.views.leaders import LISTED, NOTHING, Leaders, best, move


@pytest.mark.parametrize(("items", "levels"), [(264, 1_000), (264, 4), (400, 30), (150, 5)])
def test_the_list_is_what_sorting_gives_after_every_move(items: int, levels: int) -> None:
    random = np.random.default_rng(items + levels)
    keys = random.permutation(items).astype(np.uint64)
    scores = np.full(items, NOTHING)
    leaders = Leaders(2)
    chosen_anew = 0
    for step in range(3_000):
        item = int(random.integers(items))
        leaving = random.random() < (0.3 if step % 1_000 > 800 else 0.01)
        old, new = scores[item], NOTHING if leaving else float(random.integers(levels))
        scores[item] = new
        if new != old:
            move(item, old, new, keys, leaders.codes[1], leaders.scores[1], leaders.meta[1])
        if not leaders.answers(1, 100):
            leaders.choose(1, scores, keys)
            chosen_anew += 1
        held = int(leaders.meta[1, 0])
        order = sorted(np.flatnonzero(scores > NOTHING).tolist(), key=lambda i: (-scores[i], int(keys[i])))
        assert leaders.codes[1, :held].tolist() == order[:held]
        assert leaders.scores[1, :held].tolist() == scores[order[:held]].tolist()
        assert held >= min(100, len(order))
        if leaders.meta[1, 1]:
            assert held == len(order)
    assert chosen_anew <= 40
    assert leaders.meta[0].tolist() == [0, 1]


@settings(max_examples=100, deadline=None)
@given(
    scores=st.lists(st.sampled_from([NOTHING, -5.0, 0.0, 1.0, 2.0]), max_size=40),
    limit=st.integers(0, 45),
    seed=st.integers(0, 99),
)
def test_the_best_are_the_first_of_all_sorted(scores: list[float], limit: int, seed: int) -> None:
    keys = np.random.default_rng(seed).permutation(len(scores)).astype(np.uint64)
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], int(keys[i])))
    expected = [i for i in order if scores[i] > NOTHING][:limit]
    assert best(np.array(scores, dtype=np.float64), keys, limit).tolist() == expected


def test_a_list_that_is_just_full_knows_whether_it_is_complete() -> None:
    keys = np.arange(LISTED + 1, dtype=np.uint64)
    scores = np.zeros(LISTED + 1)
    leaders = Leaders(1)
    leaders.choose(0, scores[:LISTED], keys)
    assert leaders.meta[0].tolist() == [LISTED, 1]
    move(LISTED, NOTHING, 0.0, keys, leaders.codes[0], leaders.scores[0], leaders.meta[0])
    assert leaders.codes[0].tolist() == list(range(LISTED))  # the one too many is the last, so it stays out
    assert leaders.meta[0].tolist() == [LISTED, 0]
    leaders.choose(0, scores, keys)
    assert leaders.meta[0].tolist() == [LISTED, 0]
    leaders.forget()
    assert not leaders.answers(0, 1)
