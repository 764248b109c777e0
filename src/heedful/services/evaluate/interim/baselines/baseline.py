"""What every baseline can do, so that replay can walk all of them, and our pipelines, in one pass."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

NOBODY = -1

IDLE = 30 * 60 * 1_000_000
"""A session ends after so many microseconds without an event of its person: 30 minutes."""


class Baseline(Protocol):
    """Learns one event at a time and answers at any moment from all it has learned.

    Subjects and items are dense codes from 0. Events come in order of time (microseconds), and questions between
    them. A baseline takes nothing back: to leave a person out, do not teach it their events. The same
    calls give the same answers, and ties go to the lower item code.
    """

    def learn(self, subject: int, item: int, at: int, /) -> None:
        """Take in that the subject touched the item. Raises ValueError if `at` is before an earlier event's."""
        ...

    def answer(
        self, session: NDArray[np.int32], at: int, k: int, subject: int = NOBODY, /
    ) -> NDArray[np.int32]:
        """At most k items, best first, each once: int32.

        session: the items touched in the running session, newest last, with repeats; may be empty. What is in
        it may be answered: rules about repeats are the evaluation's (`metrics.protocol.without`). subject:
        whose session it is, so that somebody's own running session is not found to be like itself; needed only
        where the session's events have been learned. Items that were never learned are never answered. A list may
        be shorter than k, and is not filled up with something else.
        """
        ...
