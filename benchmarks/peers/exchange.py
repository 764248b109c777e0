"""The two files that stand between a replay and a peer: what was asked and learned goes out, lists come back.

A peer runs in an environment of its own, so the two sides share nothing but this file, which needs numpy alone and
works with numpy 1 and 2.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Task(NamedTuple):
    """What a peer gets: events in order of time, and questions in order of time.

    subject int32, item int32, at int64 (microseconds), one an event: the person touched the item.
    learned int64, asker int32, asked_at int64, width int64, one a question: so many of the events came before it,
        and so many items are wanted. trail int32, trail_start int64 (questions + 1,): the asker's newest items,
        newest last, over all visits; question n's are trail[trail_start[n]:trail_start[n + 1]].
    """

    subject: NDArray[np.int32]
    item: NDArray[np.int32]
    at: NDArray[np.int64]
    learned: NDArray[np.int64]
    asker: NDArray[np.int32]
    asked_at: NDArray[np.int64]
    width: NDArray[np.int64]
    trail: NDArray[np.int32]
    trail_start: NDArray[np.int64]

    def __len__(self) -> int:
        """How many questions there are."""
        return len(self.asker)

    def trail_of(self, question: int) -> NDArray[np.int32]:
        """The asker's newest items, newest last."""
        return self.trail[self.trail_start[question] : self.trail_start[question + 1]]


def write_task(file: Path, task: Task) -> None:
    """Keep `task`. Nothing in it is a pickle."""
    np.savez(file, **task._asdict())


def read_task(file: Path) -> Task:
    """The task in `file`. Raises KeyError where an array is missing."""
    with np.load(file, allow_pickle=False) as arrays:
        return Task(*(arrays[name] for name in Task._fields))


def write_lists(file: Path, lists: list[NDArray[np.int32]], fits: int, seconds: float) -> None:
    """One list a question, best first. fits: how often the peer was fitted. seconds: what all of it took."""
    start = np.cumsum([0, *map(len, lists)], dtype=np.int64)
    items = np.concatenate([np.empty(0, dtype=np.int32), *lists])
    np.savez(
        file, items=items.astype(np.int32), start=start, fits=np.int64(fits), seconds=np.float64(seconds)
    )


def read_lists(file: Path) -> tuple[list[NDArray[np.int32]], int, float]:
    """What `write_lists` kept."""
    with np.load(file, allow_pickle=False) as arrays:
        items, start = arrays["items"], arrays["start"]
        lists = [items[start[n] : start[n + 1]] for n in range(len(start) - 1)]
        return lists, int(arrays["fits"]), float(arrays["seconds"])
