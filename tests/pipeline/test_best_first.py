"""The best first, ties by key, whatever the order of the candidates."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.pipeline.arrangement import best_first
from heedful.pipeline.candidates import Candidates

Row = tuple[float, int, bool]
"""The ranker's score, the item's key, and whether a filter removed it."""

ROWS = st.lists(
    st.tuples(
        st.sampled_from((-1.0, 0.0, 0.25, 1.0)) | st.floats(-1e12, 1e12),
        st.integers(0, 3) | st.integers(0, 2**64 - 1),
        st.booleans(),
    ),
    max_size=40,
    unique_by=lambda row: row[1],
)


def chosen(rows: list[Row], size: int, *, sorted_first: bool = False) -> list[int]:
    candidates = Candidates(1, lambda: len(rows))
    items = np.arange(len(rows), dtype=np.int32)
    candidates.add(0, items, np.ones(len(rows)), np.array([-1], dtype=np.int32))
    candidates.totals[:] = [score for score, _, _ in rows]
    keys = np.array([key for _, key, _ in rows], dtype=np.uint64)
    if sorted_first:
        candidates.sort(keys)
    candidates.remove_rows(np.array([removed for _, _, removed in rows], dtype=np.bool_), 1)
    return [int(row) for row in best_first(candidates, keys, size)]


@settings(max_examples=150, deadline=None)
@given(ROWS, st.integers(1, 50), st.booleans())
def test_the_choice_is_that_of_sorting(rows: list[Row], size: int, sorted_first: bool) -> None:
    kept = [row for row in range(len(rows)) if not rows[row][2]]
    assert (
        chosen(rows, size, sorted_first=sorted_first)
        == sorted(kept, key=lambda row: (-rows[row][0], rows[row][1]))[:size]
    )


@settings(max_examples=60, deadline=None)
@given(ROWS, st.data())
def test_the_order_of_candidates_does_not_matter(rows: list[Row], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows))
    assert [rows[row][1] for row in chosen(rows, 5)] == [shuffled[row][1] for row in chosen(shuffled, 5)]


def test_a_key_beyond_the_signed_range_is_still_the_higher() -> None:
    rows = [(0.0, 2**64 - 1, False), (0.0, 2**63, False), (0.0, 1, False)]
    assert chosen(rows, 3) == [2, 1, 0]


def test_what_comes_after_sorting_is_sorted_too() -> None:
    candidates = Candidates(1, lambda: 3)
    one, keys = np.array([-1], dtype=np.int32), np.arange(3, dtype=np.uint64)
    candidates.add(0, np.array([0, 1], dtype=np.int32), np.ones(2), one)
    candidates.totals[:] = (1.0, 2.0)
    candidates.sort(keys)
    candidates.add(0, np.array([2], dtype=np.int32), np.ones(1), one)
    candidates.totals[2] = 3.0
    assert best_first(candidates, keys, 3).tolist() == [2, 1, 0]
