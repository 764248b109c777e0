"""Runs one peer over one task: `.venv-peers/bin/python benchmarks/peers/worker.py PEER TASK.npz LISTS.npz`.

None of the peers learns from one event, so each is fitted anew at the first question of every day (UTC, event
time) to everything before that day. What the asker did comes with each question, so that they always know who
they speak to; what everybody else did today they do not.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", TQDM_DISABLE="1")

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from exchange import Task, read_task, write_lists

DAY = 24 * 3_600 * 1_000_000
IDLE = 30 * 60 * 1_000_000
MOST_ITEMS = 3_000
"""EASE inverts items by items: it is given the most touched so many, so that a fit takes seconds."""

Answer = Callable[[np.ndarray, int, int], np.ndarray]
"""(trail, newest last; moment; how many) to items, best first."""


def matrix_of(task: Task, events: int) -> Any:
    """People by items, 1 where a person touched an item: float32, compressed rows."""
    from scipy import sparse

    shape = (int(task.subject.max()) + 1, int(task.item.max()) + 1)
    ones = np.ones(events, dtype=np.float32)
    matrix = sparse.coo_matrix((ones, (task.subject[:events], task.item[:events])), shape=shape).tocsr()
    matrix.data[:] = 1.0
    return matrix


def row_of(trail: np.ndarray, items: int) -> Any:
    """One person's items as a row."""
    from scipy import sparse

    known = np.unique(trail[trail < items])
    ones = np.ones(len(known), dtype=np.float32)
    return sparse.csr_matrix((ones, (np.zeros(len(known), dtype=np.int32), known)), shape=(1, items))


def by_implicit(make: Callable[[], Any]) -> Callable[[Task, int], Answer]:
    """`implicit`, with its own fold-in of the asker (`recalculate_user`) where the model has factors."""

    def fitted(task: Task, events: int) -> Answer:
        matrix = matrix_of(task, events)
        model = make()
        model.fit(matrix, show_progress=False)
        folded = {"recalculate_user": True} if hasattr(model, "factors") else {}

        def answer(trail: np.ndarray, _at: int, width: int) -> np.ndarray:
            width = min(width, matrix.shape[1])
            row = row_of(trail, matrix.shape[1])
            items, scores = model.recommend(0, row, N=width, filter_already_liked_items=False, **folded)
            return items[(items >= 0) & (scores > 0)].astype(np.int32)

        return answer

    return fitted


def als(task: Task, events: int) -> Answer:
    from implicit.als import AlternatingLeastSquares

    return by_implicit(
        lambda: AlternatingLeastSquares(
            factors=64, regularization=0.05, alpha=5.0, iterations=10, num_threads=1, random_state=1
        )
    )(task, events)


def bm25(task: Task, events: int) -> Answer:
    from implicit.nearest_neighbours import BM25Recommender

    return by_implicit(lambda: BM25Recommender(K=200, num_threads=1))(task, events)


def cosine(task: Task, events: int) -> Answer:
    from implicit.nearest_neighbours import CosineRecommender

    return by_implicit(lambda: CosineRecommender(K=200, num_threads=1))(task, events)


def ease(task: Task, events: int) -> Answer:
    """RecTools' EASE; the asker's row times its weights, which is how it answers for the people it was fitted to."""
    import pandas as pd
    from rectools import Columns
    from rectools.dataset import Dataset
    from rectools.models import EASEModel

    touched = np.bincount(task.item[:events])
    known = np.argsort(-touched, kind="stable")[:MOST_ITEMS]
    kept = np.isin(task.item[:events], known)
    table = pd.DataFrame({
        Columns.User: task.subject[:events][kept], Columns.Item: task.item[:events][kept], Columns.Weight: 1.0,
        Columns.Datetime: pd.to_datetime(task.at[:events][kept], unit="us"),
    }).drop_duplicates([Columns.User, Columns.Item])  # fmt: skip
    dataset = Dataset.construct(table)
    model = EASEModel(regularization=200.0, num_threads=1)
    model.fit(dataset)
    names = dataset.item_id_map.external_ids
    place = np.full(max(int(task.item.max()), int(task.trail.max(initial=0))) + 1, -1)
    place[names] = np.arange(len(names))

    def answer(trail: np.ndarray, _at: int, width: int) -> np.ndarray:
        mine = place[np.unique(trail)]
        scores = model.weight[mine[mine >= 0]].sum(axis=0)
        best = np.argsort(-scores, kind="stable")[:width]
        return names[best[scores[best] > 0]].astype(np.int32)

    return answer


def wsknn(task: Task, events: int) -> Answer:
    """wsknn over visits of 30 minutes; the asker's session is their newest 20 items."""
    from wsknn import fit, predict

    visits: dict[int, list[list[int]]] = {}
    running: dict[int, tuple[int, int]] = {}
    columns = zip(task.subject[:events].tolist(), task.item[:events].tolist(), task.at[:events].tolist())
    for subject, item, at in columns:
        visit, last = running.get(subject, (-1, -DAY))
        if at - last > IDLE:
            visit = len(visits)
            visits[visit] = [[], []]
        running[subject] = visit, at
        visits[visit][0].append(item)
        visits[visit][1].append(at)
    model = fit(visits, number_of_neighbors=100, sampling_strategy="recent", sample_size=500)

    def answer(trail: np.ndarray, at: int, width: int) -> np.ndarray:
        session = list(dict.fromkeys(trail[-20:].tolist()))
        if not session:
            return np.empty(0, dtype=np.int32)
        settings = {"number_of_recommendations": width}
        found = predict(model, [session, [at] * len(session)], settings)
        return np.array([item for item, _ in found][:width], dtype=np.int32)

    return answer


PEERS: dict[str, Callable[[Task, int], Answer]] = {
    "implicit-als": als,
    "implicit-bm25": bm25,
    "implicit-cosine": cosine,
    "rectools-ease": ease,
    "wsknn": wsknn,
}


def run(peer: str, task: Task) -> tuple[list[np.ndarray], int]:
    """The lists, one a question, and how often the peer was fitted."""
    lists, day, fits = [], -1, 0
    answer: Answer | None = None
    for question in range(len(task.asker)):
        at = int(task.asked_at[question])
        if at // DAY != day:
            day = at // DAY
            events = min(int(np.searchsorted(task.at, day * DAY)), int(task.learned[question]))
            if events:
                answer, fits = PEERS[peer](task, events), fits + 1
        width = int(task.width[question])
        empty = np.empty(0, dtype=np.int32)
        lists.append(empty if answer is None else answer(task.trail_of(question), at, width))
    return lists, fits


if __name__ == "__main__":
    began = time.perf_counter()
    given = read_task(Path(sys.argv[2]))
    found, times = run(sys.argv[1], given)
    write_lists(Path(sys.argv[3]), found, times, time.perf_counter() - began)
