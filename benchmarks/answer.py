"""One full answer in process, with a fitted ranker on and off, on the same engine in the same run.

`python -m benchmarks answer`: 300,000 clicks of 65,000 sessions over 100,000 items in a data folder, a ranker
fitted to them by `heedful models fit`, then 3,000 questions for returning visitors, 20 items each, decisions
written. Medians on one thread.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.loop import build
from benchmarks.shopfloor import visitor
from benchmarks.table import Row
from heedful.compose import fit_beside, open_engine
from heedful.models.shelf import Shelf
from heedful.objects.folder import Folder
from heedful.services.engine import Engine
from heedful.vocabulary.recommendation import RecommendAnswer, RecommendRequest
from heedful.vocabulary.settings import Settings

EVENTS = 300_000
QUESTIONS = 3_000


def timed(engine: Engine, sessions: int) -> float:
    """The median time of an answer, in microseconds."""
    draw = random.Random(3)
    asked = [
        RecommendRequest(anonymous_id=visitor(draw.randrange(sessions)), limit=20) for _ in range(QUESTIONS)
    ]
    for request in asked[:300]:
        engine.recommending.recommend(request)
    spent = []
    for request in asked:
        began = time.perf_counter()
        engine.recommending.recommend(request)
        spent.append(time.perf_counter() - began)
    return statistics.median(spent) * 1e6


def stages(engine: Engine, sessions: int) -> tuple[dict[str, float], float]:
    """The median time of each stage, in microseconds, and of how many candidates were ranked."""
    draw = random.Random(4)
    told: dict[str, list[float]] = defaultdict(list)
    ranked = []
    for _ in range(300):
        request = RecommendRequest(anonymous_id=visitor(draw.randrange(sessions)), limit=20, explain=True)
        answer: RecommendAnswer = engine.recommending.recommend(request)
        if answer.trace is None:
            continue
        for stage in answer.trace["stages"]:
            name = (
                stage["stage"]
                if stage["stage"] in {"filter", "ranker"}
                else f"{stage['stage']} {stage['name']}"
            )
            told[name].append(stage["microseconds"])
        ranked.append(len(answer.trace["candidates"]))
    return {name: statistics.median(times) for name, times in told.items()}, statistics.median(ranked)


def run() -> list[Row]:
    """Rows for the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sessions = build(folder, EVENTS)
        fit_beside(folder, force=True)
        engine = open_engine(folder, settings=Settings(holdout=0.0))
        try:
            fitted = timed(engine, sessions)
            parts, ranked = stages(engine, sessions)
            Shelf(Folder(folder / "models")).rollback()
            if engine.models is None or not engine.models.look():
                raise RuntimeError("the model was not dropped")
            plain = timed(engine, sessions)
        finally:
            engine.close()
    return [
        Row("one full answer, ranker on, p50", fitted, "µs", "≤ 300"),
        Row("  without a fitted ranker", plain, "µs", ""),
        Row("  candidates ranked", ranked, "", "100"),
        *(Row(f"  {name}", spent, "µs", "") for name, spent in parts.items()),
    ]
