"""The greedy policy: the best first, ties by key, everything certain."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.pipeline.policy import Greedy

SCORES = st.lists(
    st.tuples(
        st.sampled_from((-1.0, 0.0, 0.25, 1.0)) | st.floats(-1e12, 1e12),
        st.integers(0, 3) | st.integers(0, 2**64 - 1),
    ),
    max_size=40,
    unique_by=lambda row: row[1],
)


@settings(max_examples=150, deadline=None)
@given(SCORES, st.integers(1, 50), st.integers(0, 2**64 - 1))
def test_the_choice_is_that_of_sorting(rows: list[tuple[float, int]], size: int, seed: int) -> None:
    scores = np.array([score for score, _ in rows], dtype=np.float64)
    keys = np.array([key for _, key in rows], dtype=np.uint64)
    choice = Greedy().choose(scores, keys, size=size, seed=seed)
    expected = sorted(range(len(rows)), key=lambda row: (-rows[row][0], rows[row][1]))[:size]
    assert choice.rows.tolist() == expected
    assert choice.propensities.tolist() == [1.0] * len(expected)


@settings(max_examples=60, deadline=None)
@given(SCORES, st.data())
def test_the_order_of_candidates_does_not_matter(rows: list[tuple[float, int]], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows))

    def chosen(given: list[tuple[float, int]]) -> list[int]:
        scores = np.array([score for score, _ in given], dtype=np.float64)
        keys = np.array([key for _, key in given], dtype=np.uint64)
        return [given[row][1] for row in Greedy().choose(scores, keys, size=5, seed=0).rows.tolist()]

    assert chosen(rows) == chosen(shuffled)


def test_a_key_beyond_the_signed_range_is_still_the_higher() -> None:
    keys = np.array([2**64 - 1, 2**63, 1], dtype=np.uint64)
    choice = Greedy().choose(np.zeros(3), keys, size=3, seed=0)
    assert choice.rows.tolist() == [2, 1, 0]
