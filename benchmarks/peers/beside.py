"""Puts peers into a replay: one pass notes what is asked and learned, the peer answers, another pass plays its
lists. So a peer meets the same questions, and repeats are removed from its lists as from everybody's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.exchange import Task, read_lists, write_task

HERE = Path(__file__).resolve().parent
NAMES = ("implicit-als", "implicit-bm25", "implicit-cosine", "rectools-ease", "wsknn")
_NOBODY = -1


def interpreter() -> Path | None:
    """The peers' own Python: `HEEDFUL_PEERS`, or what `make peers` made; None where neither is there."""
    named = os.environ.get("HEEDFUL_PEERS")
    path = Path(named) if named else HERE.parents[1] / ".venv-peers/bin/python"
    return path if path.is_file() else None


class Notebook:
    """A baseline that answers nothing and notes everything: what it was told and asked is the peers' task."""

    def __init__(self) -> None:
        self._events: list[tuple[int, int, int]] = []
        self._questions: list[tuple[int, int, int, int]] = []
        self._trails: list[NDArray[np.int32]] = []

    def learn(self, subject: int, item: int, at: int, /) -> None:
        """See `Baseline.learn`."""
        self._events.append((subject, item, at))

    def answer(
        self, session: NDArray[np.int32], at: int, k: int, subject: int = _NOBODY, /
    ) -> NDArray[np.int32]:
        """See `Baseline.answer`."""
        self._questions.append((len(self._events), subject, at, k))
        self._trails.append(session.astype(np.int32))
        return np.empty(0, dtype=np.int32)

    def task(self) -> Task:
        """What was noted."""
        events = np.array(self._events, dtype=np.int64).reshape(-1, 3)
        asked = np.array(self._questions, dtype=np.int64).reshape(-1, 4)
        return Task(
            subject=events[:, 0].astype(np.int32), item=events[:, 1].astype(np.int32), at=events[:, 2].copy(),
            learned=asked[:, 0].copy(), asker=asked[:, 1].astype(np.int32), asked_at=asked[:, 2].copy(),
            width=asked[:, 3].copy(),
            trail=np.concatenate([np.empty(0, dtype=np.int32), *self._trails]),
            trail_start=np.cumsum([0, *map(len, self._trails)], dtype=np.int64),
        )  # fmt: skip


class Played:
    """A baseline that gives lists made beforehand, one a question, in their order."""

    def __init__(self, lists: Sequence[NDArray[np.int32]]) -> None:
        self._lists = iter(lists)

    def learn(self, subject: int, item: int, at: int, /) -> None:
        """See `Baseline.learn`: it has learned already."""

    def answer(
        self, session: NDArray[np.int32], at: int, k: int, subject: int = _NOBODY, /
    ) -> NDArray[np.int32]:
        """See `Baseline.answer`."""
        del session, at, subject
        return next(self._lists)[:k]


def lists_of(task: Task, peers: Sequence[str] = NAMES) -> dict[str, list[NDArray[np.int32]]]:
    """What each peer answers. One that is not there, or fails, is left out with a line on stderr.

    Answers are kept beside the peers, so that a run that was stopped goes on where it was, and a run of ours with
    other settings asks nobody twice.
    """
    python = interpreter()
    if python is None:
        print("peers skipped: there is no .venv-peers; `make peers` makes it", file=sys.stderr)
        return {}
    kept = python.parents[1] / "answers"
    kept.mkdir(exist_ok=True)
    name, found = _name_of(task), {}
    with TemporaryDirectory(dir=kept) as folder:
        given = Path(folder, "task.npz")
        write_task(given, task)
        for peer in peers:
            answer = kept / f"{peer}-{name}.npz"
            if not answer.is_file():
                fresh = Path(folder, "lists.npz")
                command = [str(python), str(HERE / "worker.py"), peer, str(given), str(fresh)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    why = (done.stderr.strip().splitlines() or ["no reason"])[-1]
                    print(f"{peer} skipped: {why}", file=sys.stderr)
                    continue
                fresh.replace(answer)
            found[peer], fits, seconds = read_lists(answer)
            print(f"{peer}: fitted {fits} times, {seconds:.0f} s in all", file=sys.stderr, flush=True)
    return found


def _name_of(task: Task) -> str:
    """Of the task, of how peers are run, and of which: what a peer answers is a function of these."""
    digest = blake2b(digest_size=8)
    for file in ("worker.py", "requirements.txt"):
        digest.update((HERE / file).read_bytes())
    for column in task:
        digest.update(column.tobytes())
    return digest.hexdigest()
