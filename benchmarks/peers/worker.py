"""Runs one peer over one task: `.venv-peers/bin/python benchmarks/peers/worker.py PEER TASK.npz LISTS.npz`.

None of the peers learns from one event, so each is fitted anew at the first question of every day (UTC, event
time) to everything before that day. What the asker did comes with each question, so that they always know who
they speak to; what everybody else did today they do not.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", TQDM_DISABLE="1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.exchange import Task, read_task, write_lists

DAY = 24 * 3_600 * 1_000_000
IDLE = 30 * 60 * 1_000_000
MOST_ITEMS = 2_000
"""EASE inverts items by items: it is given the most touched so many, so that a fit takes seconds."""

Codes = NDArray[np.int32]
Answer = Callable[[Codes, int, int], Codes]
"""(trail, newest last; moment; how many) to items, best first."""


def matrix_of(task: Task, events: int) -> Any:
    """People by items, 1 where a person touched an item: float32, compressed rows."""
    sparse = import_module("scipy.sparse")

    shape = (int(task.subject.max()) + 1, int(task.item.max()) + 1)
    ones = np.ones(events, dtype=np.float32)
    matrix = sparse.coo_matrix((ones, (task.subject[:events], task.item[:events])), shape=shape).tocsr()
    matrix.data[:] = 1.0
    return matrix


def row_of(trail: Codes, items: int) -> Any:
    """One person's items as a row."""
    sparse = import_module("scipy.sparse")

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

        def answer(trail: Codes, _at: int, width: int) -> Codes:
            width = min(width, matrix.shape[1])
            row = row_of(trail, matrix.shape[1])
            items, scores = model.recommend(0, row, N=width, filter_already_liked_items=False, **folded)
            found: Codes = items[(items >= 0) & (scores > 0)].astype(np.int32)
            return found

        return answer

    return fitted


def als(task: Task, events: int) -> Answer:
    return by_implicit(
        lambda: import_module("implicit.als").AlternatingLeastSquares(
            factors=64, regularization=0.05, alpha=5.0, iterations=10, num_threads=1, random_state=1
        )
    )(task, events)


def _neighbours() -> Any:
    return import_module("implicit.nearest_neighbours")


def bm25(task: Task, events: int) -> Answer:
    return by_implicit(lambda: _neighbours().BM25Recommender(K=200, num_threads=1))(task, events)


def cosine(task: Task, events: int) -> Answer:
    return by_implicit(lambda: _neighbours().CosineRecommender(K=200, num_threads=1))(task, events)


def ease(task: Task, events: int) -> Answer:
    """RecTools' EASE; the asker's row times its weights, as it answers for those it was fitted to."""
    pandas, columns = import_module("pandas"), import_module("rectools").Columns
    touched = np.bincount(task.item[:events])
    known = np.argsort(-touched, kind="stable")[:MOST_ITEMS]
    kept = np.isin(task.item[:events], known)
    table = pandas.DataFrame({
        columns.User: task.subject[:events][kept], columns.Item: task.item[:events][kept], columns.Weight: 1.0,
        columns.Datetime: pandas.to_datetime(task.at[:events][kept], unit="us"),
    }).drop_duplicates([columns.User, columns.Item])  # fmt: skip
    dataset = import_module("rectools.dataset").Dataset.construct(table)
    model = import_module("rectools.models").EASEModel(regularization=200.0, num_threads=1)
    model.fit(dataset)
    names = dataset.item_id_map.external_ids
    place = np.full(max(int(task.item.max()), int(task.trail.max(initial=0))) + 1, -1)
    place[names] = np.arange(len(names))

    def answer(trail: Codes, _at: int, width: int) -> Codes:
        mine = place[np.unique(trail)]
        scores = model.weight[mine[mine >= 0]].sum(axis=0)
        best = np.argsort(-scores, kind="stable")[:width]
        found: Codes = names[best[scores[best] > 0]].astype(np.int32)
        return found

    return answer


def wsknn(task: Task, events: int) -> Answer:
    """wsknn over visits of 30 minutes; the asker's session is their newest 20 items."""
    library = import_module("wsknn")
    visits: dict[int, list[list[int]]] = {}
    running: dict[int, tuple[int, int]] = {}
    columns = zip(
        task.subject[:events].tolist(), task.item[:events].tolist(), task.at[:events].tolist(), strict=True
    )
    for subject, item, at in columns:
        visit, last = running.get(subject, (-1, -DAY))
        if at - last > IDLE:
            visit = len(visits)
            visits[visit] = [[], []]
        running[subject] = visit, at
        visits[visit][0].append(item)
        visits[visit][1].append(at)
    model = library.fit(visits, number_of_neighbors=100, sampling_strategy="recent", sample_size=500)

    def answer(trail: Codes, at: int, width: int) -> Codes:
        session = list(dict.fromkeys(trail[-20:].tolist()))
        if not session:
            return np.empty(0, dtype=np.int32)
        settings = {"number_of_recommendations": width}
        found = library.predict(model, [session, [at] * len(session)], settings) or []  # None for strangers
        return np.array([item for item, _ in found][:width], dtype=np.int32)

    return answer


PEERS: dict[str, Callable[[Task, int], Answer]] = {
    "implicit-als": als,
    "implicit-bm25": bm25,
    "implicit-cosine": cosine,
    "rectools-ease": ease,
    "wsknn": wsknn,
}


def run(peer: str, task: Task) -> tuple[list[Codes], int]:
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
