"""The baselines on the click sessions published with Serenade: how good each is, and what an answer costs.

Protocol: that of `benchmarks.quality`; the current item is not answered, and the whole session so far is at hand.
Intervals are over sessions. Run as `python -m benchmarks.baselines`.
"""

from __future__ import annotations

import statistics
import time
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality import Clicks, Table, clicks
from heedful.models.baselines.built_in import BUILT_IN
from heedful.models.metrics.intervals import Estimate, Figure, Sums, per_user, ratio
from heedful.models.metrics.protocol import Repeats, without
from heedful.models.metrics.ragged import lists_of
from heedful.models.metrics.ranking import judge_ranks, ranks_in

K = 20
RULE = Repeats.NO_CURRENT
EXPECTED = {"popular": "HR 0.011, as in data/README", "vs-knn": "MRR 0.33 to 0.34"}


class Question(NamedTuple):
    """The session so far (codes, newest last), the time of its last click, what came next, and whose it was."""

    session: NDArray[np.int32]
    at: int
    target: int
    whose: int


class Clicked(NamedTuple):
    """The training events (subject, item, microseconds) and the questions of the test sessions."""

    events: list[tuple[int, int, int]]
    questions: list[Question]


class Quality(NamedTuple):
    """Sums by session of reciprocal ranks and hits, and the seconds of each answer."""

    mrr: Sums
    hit_rate: Sums
    seconds: list[float]


@cache
def clicked() -> Clicked:
    """The training events, and after every click of the test sessions but their last the next one."""
    codes, subjects = dict[str, int](), dict[str, int]()

    def rows(part: Clicks) -> list[tuple[int, int, int]]:
        return [
            (subjects.setdefault(s, len(subjects)), codes.setdefault(i, len(codes)), round(t * 1e6))
            for s, i, t in zip(*part, strict=True)
        ]

    events, sessions = rows(clicks("train")), dict[int, list[tuple[int, int]]]()
    for subject, item, at in rows(clicks("test")):
        sessions.setdefault(subject, []).append((item, at))
    questions = [
        Question(np.array([item for item, _ in own[:n]], dtype=np.int32), own[n - 1][1], own[n][0], subject)
        for subject, own in sessions.items()
        for n in range(1, len(own))
    ]
    return Clicked(events, questions)


@cache
def quality(name: str) -> Quality:
    """What the baseline of this name reaches at 20, learned from train, asked on test."""
    events, questions = clicked()
    baseline = BUILT_IN[name]()
    for event in events:
        baseline.learn(*event)
    answers, seconds = [], []
    for question in questions:
        barred = RULE.barred(question.session)
        start = time.perf_counter()
        answer = baseline.answer(question.session, question.at, K + len(barred), question.whose)
        seconds.append(time.perf_counter() - start)
        answers.append(without(answer, barred, K))
    targets = np.array([question.target for question in questions], dtype=np.int32)
    found = judge_ranks(ranks_in(lists_of(answers, K), targets), K)
    whose = np.array([question.whose for question in questions])
    return Quality(per_user(whose, found.mrr), per_user(whose, found.hit_rate), seconds)


def value(figure: Figure) -> Estimate:
    """The estimate; there are people enough here."""
    if not isinstance(figure, Estimate):
        raise ValueError(figure.reason)
    return figure


def run() -> Table:
    """Rows of (name, value, unit, goal)."""
    rows: Table = []
    once = statistics.median(quality("popular").seconds)
    for name in BUILT_IN:
        found = quality(name)
        mrr, hit_rate = value(ratio(found.mrr)), value(ratio(found.hit_rate))
        rows += [
            (f"{name} MRR@20", mrr.value, "", f"95%: {mrr.low:.3f} to {mrr.high:.3f}"),
            (f"{name} HR@20", hit_rate.value, "", EXPECTED.get(name, "")),
            (f"{name} answer, popular = 1", statistics.median(found.seconds) / once, "", ""),
        ]
    return rows


if __name__ == "__main__":
    for label, figure, unit, goal in run():
        print(f"{label:40} {figure:10.4f} {unit:4} {goal}")
