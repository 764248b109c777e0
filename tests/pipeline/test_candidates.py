"""Joining proposals: the union in order of first mention, scores by each source's best, reasons beside them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.pipeline.candidates import MOST, Candidates

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


def ask(candidates: Candidates, proposals: list[Said]) -> None:
    candidates.clear()
    for place, said in enumerate(proposals):
        candidates.add(
            place,
            np.array([item for item, _, _ in said], dtype=np.int32),
            np.array([score for _, score, _ in said], dtype=np.float64),
            np.array([because for _, _, because in said], dtype=np.int32),
        )


def slow(proposals: list[Said], sources: int) -> list[tuple[int, list[float], list[int]]]:
    """The slow twin."""
    rows: dict[int, tuple[list[float], list[int]]] = {}
    for place, said in enumerate(proposals):
        best = max((score for _, score, _ in said), default=0.0)
        for item, score, because in said:
            row = rows.setdefault(item, ([0.0] * sources, [-1] * sources))
            row[0][place] = score / best if best > 0 else 0.0
            row[1][place] = because
    return [(item, scores, because) for item, (scores, because) in rows.items()]


def plain(candidates: Candidates) -> list[tuple[int, list[float], list[int]]]:
    columns = (candidates.items.tolist(), candidates.scores.tolist(), candidates.because.tolist())
    return list(zip(*columns, strict=True))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(SAID, max_size=5), min_size=1, max_size=3))
def test_joining_agrees_with_its_slow_twin_however_often_it_is_done(questions: list[list[Said]]) -> None:
    candidates = Candidates(5, lambda: KNOWN)
    for proposals in questions:
        ask(candidates, proposals)
        assert plain(candidates) == slow(proposals, 5)
        assert candidates.scores.shape == candidates.because.shape == (len(candidates), 5)
        assert ((candidates.scores >= 0) & (candidates.scores <= 1)).all()
        assert (candidates.reasons == 0).all()


@settings(max_examples=100, deadline=None)
@given(SAID, SAID, st.lists(st.integers(0, 12)), st.lists(st.booleans(), min_size=KNOWN, max_size=KNOWN))
def test_every_row_goes_once_and_for_the_first_reason(
    one: Said, other: Said, banned: list[int], allowed: list[bool]
) -> None:
    candidates = Candidates(2, lambda: KNOWN)
    ask(candidates, [one, other])
    items = candidates.items.tolist()
    first = candidates.remove_items(np.array(banned, dtype=np.int32), 1)
    second = candidates.remove_unless(np.array(allowed, dtype=np.bool_), 2)
    third = candidates.remove_rows(np.ones(len(items), dtype=np.bool_), 3)
    expected = [1 if item in banned else 3 if allowed[item] else 2 for item in items]
    assert candidates.reasons.tolist() == expected
    assert [first, second, third] == [expected.count(1), expected.count(2), expected.count(3)]


def test_one_item_may_speak_for_a_whole_proposal() -> None:
    candidates = Candidates(1, lambda: KNOWN)
    candidates.add(0, np.array([4, 7], dtype=np.int32), np.array([2, 1]), np.array([9], dtype=np.int32))
    assert plain(candidates) == [(4, [1.0], [9]), (7, [0.5], [9])]


def test_nothing_from_anybody_is_nothing() -> None:
    candidates = Candidates(3, lambda: 0)
    ask(candidates, [[], [], []])
    assert candidates.items.shape == (0,)
    assert candidates.scores.shape == candidates.because.shape == (0, 3)


def test_the_catalogue_may_grow_between_two_questions() -> None:
    known = 1
    candidates = Candidates(1, lambda: known)
    ask(candidates, [[(0, 1.0, -1)]])
    assert plain(candidates) == [(0, [1.0], [-1])]
    known = 5_000
    ask(candidates, [[(4_999, 2.0, 3)]])
    assert plain(candidates) == [(4_999, [1.0], [3])]


def test_items_that_nobody_knew_of_when_the_question_began_are_left_out() -> None:
    candidates = Candidates(1, lambda: 9)
    ask(candidates, [[(4, 2.0, -1), (999_999, 1.0, -1)]])
    assert plain(candidates) == [(4, [1.0], [-1])]
    assert candidates.remove_items(np.array([999_999], dtype=np.int32), 1) == 0
    assert candidates.remove_unless(np.ones(2, dtype=np.bool_), 1) == 1


def test_what_there_is_no_room_for_is_left_out() -> None:
    candidates = Candidates(2, lambda: MOST + 10)
    candidates.clear()
    everything = np.arange(MOST + 10, dtype=np.int32)
    for source in (0, 1):
        candidates.add(source, everything, np.ones(MOST + 10), np.array([-1], dtype=np.int32))
    assert candidates.items.tolist() == list(range(MOST))
    assert (candidates.scores == 1.0).all()
