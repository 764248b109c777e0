"""The ranking metrics say what their definitions say, on published vectors and beside a slow twin."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.models.metrics.ragged import Ragged, lists_of
from heedful.models.metrics.ranking import exponential_gain, judge, judge_ranks, ranks_in

ITEMS = st.integers(0, 11)
QUESTIONS = st.lists(
    st.tuples(
        st.lists(ITEMS, max_size=8, unique=True),
        st.lists(st.tuples(ITEMS, st.sampled_from([1.0, 3.0, 7.0])), min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=5,
)


def slow(answer: list[int], targets: dict[int, float], k: int) -> list[float]:
    """The slow twin: hit rate, MRR, NDCG, recall, precision and average precision of one question."""
    top = answer[:k]
    places = [rank for rank, item in enumerate(top, start=1) if item in targets]
    gain = sum(targets[top[rank - 1]] / math.log2(1 + rank) for rank in places)
    best = sorted(targets.values(), reverse=True)[:k]
    ideal = sum(worth / math.log2(1 + rank) for rank, worth in enumerate(best, start=1))
    precisions = sum(found / rank for found, rank in enumerate(places, start=1))
    return [
        float(bool(places)),
        1 / places[0] if places else 0,
        gain / ideal,
        len(places) / len(targets),
        len(places) / k,
        precisions / min(k, len(targets)),
    ]


@given(QUESTIONS, st.integers(1, 8))
def test_every_metric_equals_its_slow_twin(
    questions: list[tuple[list[int], list[tuple[int, float]]]], k: int
) -> None:
    lists = lists_of([answer for answer, _ in questions], 8)
    targets = Ragged.of([[item for item, _ in wanted] for _, wanted in questions])
    gains = np.array([gain for _, wanted in questions for _, gain in wanted])
    ours = np.stack(judge(lists, targets, k, gains), axis=1)
    for (answer, wanted), row in zip(questions, ours, strict=True):
        most = {item: max(gain for one, gain in wanted if one == item) for item, _ in wanted}
        assert row == pytest.approx(slow(answer, most, k))


@given(
    st.lists(st.tuples(st.lists(ITEMS, max_size=8, unique=True), ITEMS), min_size=1, max_size=6),
    st.integers(1, 8),
)
def test_with_one_target_each_ranks_are_enough(questions: list[tuple[list[int], int]], k: int) -> None:
    lists = lists_of([answer for answer, _ in questions], 8)
    targets = np.array([target for _, target in questions], dtype=np.int32)
    by_rank = judge_ranks(ranks_in(lists, targets), k)
    by_list = judge(lists, Ragged.of([[target] for _, target in questions]), k)
    for one, other in zip(by_rank, by_list, strict=True):
        assert one == pytest.approx(other)


def test_the_published_example_of_ranx_is_reproduced() -> None:
    """Linear gains there; ranx 0.3.21 was checked against trec_eval."""
    lists = lists_of([[12, 23, 25, 36, 32], [12, 11, 25, 36, 22]], 5)
    targets = Ragged.of([[12, 25], [11, 22]])
    found = judge(lists, targets, 5, np.array([5.0, 3.0, 6.0, 1.0]))
    assert found.ndcg.mean() == pytest.approx(0.7861, abs=5e-5)
    assert found.map.mean() == pytest.approx(0.6416, abs=1e-4)
    assert found.mrr.mean() == pytest.approx(0.75)


def test_grades_count_exponentially_where_asked() -> None:
    assert exponential_gain(np.array([0.0, 1.0, 2.0, 3.0])).tolist() == [0, 1, 3, 7]
    found = judge(lists_of([[5, 9]], 2), Ragged.of([[9, 5]]), 2, exponential_gain(np.array([3.0, 1.0])))
    assert found.ndcg[0] == pytest.approx((1 + 7 / math.log2(3)) / (7 + 1 / math.log2(3)))


def test_ranks_by_hand() -> None:
    found = judge_ranks(np.array([1, 3, 0, 4], dtype=np.int64), 3)
    assert found.hit_rate.tolist() == [1, 1, 0, 0]
    assert found.mrr.tolist() == pytest.approx([1, 1 / 3, 0, 0])
    assert found.ndcg.tolist() == pytest.approx([1, 0.5, 0, 0])
    assert found.precision.tolist() == pytest.approx([1 / 3, 1 / 3, 0, 0])
    assert found.recall.tolist() == found.hit_rate.tolist()
    assert found.map.tolist() == found.mrr.tolist()


def test_an_unknown_target_is_missed_and_not_found_in_the_empty_places() -> None:
    lists = lists_of([[3]], 3)
    assert ranks_in(lists, np.array([-1], dtype=np.int32)).tolist() == [0]
    assert judge(lists, Ragged.of([[-1, 3]]), 3).recall.tolist() == [0.5]


def test_what_cannot_be_judged_is_refused() -> None:
    lists = lists_of([[1, 2]], 2)
    with pytest.raises(ValueError, match="without a target"):
        judge(lists, Ragged.of([[]]), 2)
    with pytest.raises(ValueError, match="twice"):
        judge(lists_of([[1, 1]], 2), Ragged.of([[1]]), 2)
    with pytest.raises(ValueError, match="at least k"):
        judge(lists, Ragged.of([[1]]), 3)
    with pytest.raises(ValueError, match="above 0"):
        judge(lists, Ragged.of([[1]]), 2, np.array([0.0]))
    with pytest.raises(ValueError, match="at least 1"):
        judge_ranks(np.array([1], dtype=np.int64), 0)
