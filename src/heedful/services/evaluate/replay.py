"""The walk itself: every system is told the same, asked the same, and answers before it learns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.models.metrics.ragged import NOTHING, Ragged
from heedful.services.evaluate.protocols import Ask, GiveBack, Learn, Step, TakeIn
from heedful.services.evaluate.systems import Paced, Question, Repeats, Update
from heedful.vocabulary.errors import Invalid

Told = Callable[[int, int], None]
"""Told how many questions were answered, of how many."""

_SELDOM = 100


class System(NamedTuple):
    """One row of a report."""

    name: str
    update: Update


@dataclass(frozen=True, slots=True)
class Sheet:
    """Questions under one rule of repeats, with every system's answers.

    subject int32, at int64, trail (newest last), targets: one a question, in the stream's codes.
    lists: int32 (questions, k), best first, -1 where an answer is shorter.
    left_out: questions that had no target left.
    """

    subject: NDArray[np.int32]
    at: NDArray[np.int64]
    trails: Ragged
    targets: Ragged
    lists: dict[System, NDArray[np.int32]]
    left_out: int

    def __len__(self) -> int:
        return len(self.at)


def replay(
    steps: Callable[[], Iterator[Step]],
    learners: Sequence[Paced],
    *,
    k: int,
    repeats: Sequence[Repeats],
    sample: int = 0,
    seed: int = 0,
    progress: Told | None = None,
) -> dict[Repeats, Sheet]:
    """Walk `steps` (made anew by each call) with `learners` and keep what they answer to each question.

    k: how many items are asked for. sample: at most so many questions, drawn evenly by `seed`; 0 asks all.
    Raises Invalid (`nothing_to_ask`) where no question comes up.
    """
    chosen = _chosen(sum(isinstance(step, Ask) for step in steps()), sample, seed)
    sheets = {one: _Sheet(learners, int(chosen.sum()), k) for one in repeats}
    number = done = 0
    for step in steps():
        if isinstance(step, Learn):
            for learner in learners:
                learner.learn(step.event)
        elif isinstance(step, TakeIn):
            for learner in learners:
                learner.take_in(step.event)
        elif isinstance(step, GiveBack):
            for learner in learners:
                learner.learner.give_back()
        else:
            if chosen[number]:
                for one, sheet in sheets.items():
                    sheet.ask(step, number, one)
                done += 1
                if progress is not None and done % _SELDOM == 0:
                    progress(done, int(chosen.sum()))
            number += 1
    return {one: sheet.finished() for one, sheet in sheets.items()}


def _chosen(questions: int, sample: int, seed: int) -> NDArray[np.bool_]:
    if not questions:
        raise Invalid("nothing_to_ask", "no question comes up: nobody does anything a second time")
    if not 0 < sample < questions:
        return np.ones(questions, dtype=np.bool_)
    chosen = np.zeros(questions, dtype=np.bool_)
    chosen[Random(seed).sample(range(questions), sample)] = True  # noqa: S311 - to be repeated, no secret
    return chosen


class _Sheet:
    """A sheet under way."""

    def __init__(self, learners: Sequence[Paced], most: int, k: int) -> None:
        self._learners, self._k = learners, k
        self._subjects: list[int] = []
        self._ats: list[int] = []
        self._trails: list[NDArray[np.int32]] = []
        self._targets: list[NDArray[np.int32]] = []
        self._left_out = 0
        self._lists = {
            System(name, learner.update): np.full((most, k), NOTHING, dtype=np.int32)
            for learner in learners
            for name in learner.learner.names
        }

    def ask(self, step: Ask, number: int, repeats: Repeats) -> None:
        """Put one question to everybody."""
        trail, targets, barred = step.trail, step.targets, step.repeated[:0]
        if repeats is Repeats.REMOVED:
            barred = step.repeated
            targets = targets[~np.isin(targets, barred)]
        if not len(targets):
            self._left_out += 1
            return
        question = Question(number, step.subject, step.at, trail, barred, repeats)
        place = len(self._ats)
        for learner in self._learners:
            for name, items in zip(learner.learner.names, learner.answer(question, self._k), strict=True):
                self._lists[System(name, learner.update)][place, : len(items)] = items
        self._subjects.append(step.subject)
        self._ats.append(step.at)
        self._trails.append(trail)
        self._targets.append(targets)

    def finished(self) -> Sheet:
        """The sheet with what it holds."""
        n = len(self._ats)
        return Sheet(
            subject=np.array(self._subjects, dtype=np.int32),
            at=np.array(self._ats, dtype=np.int64),
            trails=Ragged.of(self._trails),
            targets=Ragged.of(self._targets),
            lists={system: lists[:n] for system, lists in self._lists.items()},
            left_out=self._left_out,
        )
