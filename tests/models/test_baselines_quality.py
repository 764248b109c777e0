"""On published clicks the baselines are as good as others found them: a weak baseline proves nothing."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.quality import PUBLISHED_MRR, clicks, data_folder
from heedful.models.baselines.baseline import Baseline
from heedful.models.baselines.built_in import BUILT_IN
from heedful.models.metrics.intervals import Estimate, Sums, difference, per_user
from heedful.models.metrics.protocol import Repeats, without
from heedful.models.metrics.ragged import lists_of
from heedful.models.metrics.ranking import judge_ranks, ranks_in

pytestmark = pytest.mark.skipif(
    not data_folder().is_dir(), reason="serenade_example is not there: set HEEDFUL_DATA to the data folder"
)

K = 20


class Question(NamedTuple):
    session: NDArray[np.int32]
    at: int
    target: int
    whose: int


class Clicked(NamedTuple):
    events: list[tuple[int, int, int]]
    questions: list[Question]


@cache
def clicked() -> Clicked:
    """The training events, and after every click of the test sessions but their last the next one."""
    train, test = clicks("train"), clicks("test")
    codes, subjects = dict[str, int](), dict[str, int]()

    def rows(part: object) -> list[tuple[int, int, int]]:
        assert isinstance(part, tuple)
        return [
            (subjects.setdefault(s, len(subjects)), codes.setdefault(i, len(codes)), round(t * 1e6))
            for s, i, t in zip(*part, strict=True)
        ]

    events, sessions = rows(train), dict[int, list[tuple[int, int]]]()
    for subject, item, at in rows(test):
        sessions.setdefault(subject, []).append((item, at))
    questions = [
        Question(np.array([item for item, _ in own[:n]], dtype=np.int32), own[n - 1][1], own[n][0], subject)
        for subject, own in sessions.items()
        for n in range(1, len(own))
    ]
    return Clicked(events, questions)


class Quality(NamedTuple):
    mrr: float
    hit_rate: float
    by_session: Sums


@cache
def quality(name: str) -> Quality:
    events, questions = clicked()
    baseline: Baseline = BUILT_IN[name]()
    for event in events:
        baseline.learn(*event)
    rule = Repeats.NO_CURRENT
    answers = [
        without(baseline.answer(q.session, q.at, K + 1, q.whose), rule.barred(q.session), K)
        for q in questions
    ]
    targets = np.array([q.target for q in questions], dtype=np.int32)
    found = judge_ranks(ranks_in(lists_of(answers, K), targets), K)
    whose = np.array([q.whose for q in questions])
    return Quality(float(found.mrr.mean()), float(found.hit_rate.mean()), per_user(whose, found.mrr))


def test_the_questions_are_those_of_the_published_protocol() -> None:
    assert len(clicked().questions) == 931


def test_popularity_knows_next_to_nothing() -> None:
    assert quality("popular").hit_rate == pytest.approx(0.011, abs=0.001)


def test_vs_knn_is_as_good_as_published() -> None:
    found = quality("vs-knn")
    assert found.mrr == pytest.approx(PUBLISHED_MRR, abs=0.01)
    assert found.hit_rate == pytest.approx(0.665, abs=0.01)


def test_vstan_is_better_than_vs_knn_beyond_chance() -> None:
    gain = difference(quality("vstan").by_session, quality("vs-knn").by_session)
    assert isinstance(gain, Estimate)
    assert gain.low > 0
    assert quality("vstan").hit_rate > 0.66


def test_rules_are_better_than_a_chain_and_both_than_popularity() -> None:
    rules, chain, popular = (quality(name) for name in ("sequential-rules", "markov", "popular"))
    assert rules.hit_rate > chain.hit_rate + 0.05
    assert rules.mrr > chain.mrr > popular.mrr + 0.2
    assert quality("item-knn").hit_rate > 0.5
