"""Joining proposals: the union in order of first mention, scores by each source's best, reasons beside them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.pipeline.candidates import Candidates, Gatherer, Proposal
from heedful.pipeline.sources import NOTHING

Said = list[tuple[int, float, int]]
"""What one source says: item, score and the item that speaks for it, best first."""

KNOWN = 3_000

SAID: st.SearchStrategy[Said] = st.lists(
    st.tuples(
        st.integers(0, 12) | st.integers(0, KNOWN - 1),
        st.floats(1e-9, 1e9) | st.just(0.0),
        st.integers(-1, 9),
    ),
    max_size=8,
    unique_by=lambda one: one[0],
).map(lambda said: sorted(said, key=lambda one: -one[1]))


def proposal(said: Said) -> Proposal:
    return Proposal(
        np.array([item for item, _, _ in said], dtype=np.int32),
        np.array([score for _, score, _ in said], dtype=np.float64),
        np.array([because for _, _, because in said], dtype=np.int32),
    )


def slow(proposals: list[Said]) -> list[tuple[int, list[float], list[int]]]:
    """The slow twin."""
    rows: dict[int, tuple[list[float], list[int]]] = {}
    for place, said in enumerate(proposals):
        best = max((score for _, score, _ in said), default=0.0)
        for item, score, because in said:
            row = rows.setdefault(item, ([0.0] * len(proposals), [-1] * len(proposals)))
            row[0][place] = score / best if best > 0 else 0.0
            row[1][place] = because
    return [(item, scores, because) for item, (scores, because) in rows.items()]


def plain(candidates: Candidates) -> list[tuple[int, list[float], list[int]]]:
    columns = (candidates.items.tolist(), candidates.scores.tolist(), candidates.because.tolist())
    return list(zip(*columns, strict=True))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(SAID, min_size=1, max_size=5), min_size=1, max_size=3))
def test_joining_agrees_with_its_slow_twin_however_often_it_is_done(questions: list[list[Said]]) -> None:
    gatherer = Gatherer(lambda: KNOWN)
    for proposals in questions:
        gathered = gatherer.gather([proposal(said) for said in proposals])
        assert plain(gathered) == slow(proposals)
        assert gathered.scores.shape == gathered.because.shape == (len(gathered.items), len(proposals))
        assert ((gathered.scores >= 0) & (gathered.scores <= 1)).all()


@settings(max_examples=100, deadline=None)
@given(st.lists(SAID, min_size=1, max_size=5), st.data())
def test_the_order_of_sources_changes_columns_and_no_content(
    proposals: list[Said], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(proposals))))
    gatherer = Gatherer(lambda: KNOWN)
    one = gatherer.gather([proposal(said) for said in proposals])
    other = gatherer.gather([proposal(proposals[place]) for place in order])
    shuffled = {item: [scores[place] for place in order] for item, scores, _ in plain(one)}
    assert {item: scores for item, scores, _ in plain(other)} == shuffled


def test_nothing_from_anybody_is_nothing() -> None:
    gathered = Gatherer(lambda: 0).gather([NOTHING, NOTHING, NOTHING])
    assert gathered.items.shape == (0,)
    assert gathered.scores.shape == gathered.because.shape == (0, 3)


def test_the_catalogue_may_grow_between_two_questions() -> None:
    known = 1
    gatherer = Gatherer(lambda: known)
    assert plain(gatherer.gather([proposal([(0, 1.0, -1)])])) == [(0, [1.0], [-1])]
    known = 5_000
    assert plain(gatherer.gather([proposal([(4_999, 2.0, 3)])])) == [(4_999, [1.0], [3])]


def test_keeping_rows_keeps_all_their_columns() -> None:
    gathered = Gatherer(lambda: 9).gather([proposal([(4, 2.0, 1), (7, 1.0, -1)]), proposal([(7, 3.0, 2)])])
    assert plain(gathered.only(np.array([False, True]))) == [(7, [0.5, 1.0], [-1, 2])]
