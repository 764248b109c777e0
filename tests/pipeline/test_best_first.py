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


def chosen(rows: list[Row], size: int) -> list[int]:
    candidates = Candidates(1, lambda: len(rows))
    items = np.arange(len(rows), dtype=np.int32)
    candidates.add(0, items, np.ones(len(rows)), np.array([-1], dtype=np.int32))
    candidates.totals[:] = [score for score, _, _ in rows]
    candidates.remove_rows(np.array([removed for _, _, removed in rows], dtype=np.bool_), 1)
    keys = np.array([key for _, key, _ in rows], dtype=np.uint64)
    return [int(row) for row in best_first(candidates, keys, size)]


@settings(max_examples=150, deadline=None)
@given(ROWS, st.integers(1, 50))
def test_the_choice_is_that_of_sorting(rows: list[Row], size: int) -> None:
    kept = [row for row in range(len(rows)) if not rows[row][2]]
    assert chosen(rows, size) == sorted(kept, key=lambda row: (-rows[row][0], rows[row][1]))[:size]


@settings(max_examples=60, deadline=None)
@given(ROWS, st.data())
def test_the_order_of_candidates_does_not_matter(rows: list[Row], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows))
    assert [rows[row][1] for row in chosen(rows, 5)] == [shuffled[row][1] for row in chosen(shuffled, 5)]


def test_a_key_beyond_the_signed_range_is_still_the_higher() -> None:
    rows = [(0.0, 2**64 - 1, False), (0.0, 2**63, False), (0.0, 1, False)]
    assert chosen(rows, 3) == [2, 1, 0]
