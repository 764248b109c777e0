"""What comes after the item at hand: a Markov chain, and rules that also count what comes a little later."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from heedful.services.evaluate.interim.baselines.baseline import IDLE, NOBODY
from heedful.services.evaluate.interim.baselines.standings import Running, Successors


class SequentialRules:
    """Items by how soon and how often they came after the newest item in anybody's session.

    An item d events after another in one session, d at most `steps`, counts 1 / d for the pair. Source: Ludewig
    and Jannach, "Evaluation of session-based recommendation algorithms", 2018, section 3.1. Sums are whole
    numbers, in units of 1 / the least common multiple of 1..steps. idle: the gap that ends a session, in
    microseconds.
    """

    def __init__(self, steps: int = 10, idle: int = IDLE) -> None:
        if not 1 <= steps <= 40:
            raise ValueError(f"steps is {steps}, and must be 1 to 40")
        self._running = Running(idle, steps)
        self._shares = [math.lcm(*range(1, steps + 1)) // distance for distance in range(1, steps + 1)]
        self._after = Successors()

    def learn(self, subject: int, item: int, at: int) -> None:
        """See `Baseline.learn`."""
        before = self._running.touch(subject, item, at)
        for earlier, share in zip(reversed(before), self._shares, strict=False):
            self._after.add(earlier, item, share)

    def answer(
        self, session: NDArray[np.int32], _at: int, k: int, _subject: int = NOBODY
    ) -> NDArray[np.int32]:
        """See `Baseline.answer`. Only the newest item counts."""
        return self._after.best(int(session[-1]), k) if len(session) else np.empty(0, dtype=np.int32)


class Markov(SequentialRules):
    """Items by how often they came next after the newest item: a first-order Markov chain."""

    def __init__(self, idle: int = IDLE) -> None:
        super().__init__(1, idle)
