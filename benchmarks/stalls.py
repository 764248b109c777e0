"""The slowest calls of ordinary traffic on the owner's thread, and what in them took the time.

HEEDFUL_BENCH_STALLS_EVENTS clicks (1,000,000 when unset) stand in an engine in memory, with a decision for every
fifth of them. Then batches of ten events, questions with their decisions and calls of the background take turns.
Each call above 5 ms is told with the functions of growing, packing and refreshing that ran in it.
"""

from __future__ import annotations

import gc
import os
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.retract import ITEMS, fill
from benchmarks.table import Row
from heedful.compose import open_engine, rehearse_kernels
from heedful.log.claims import Claims
from heedful.log.codec import encode
from heedful.services.engine import Engine
from heedful.views import arena, outcome_facts
from heedful.views.arena import Arena
from heedful.views.buckets import Buckets
from heedful.views.dictionary import Items, Subjects
from heedful.views.history import History
from heedful.views.lookup import Lookup
from heedful.views.outcome_facts import Facts, Store
from heedful.views.outcomes import Group
from heedful.views.repeats import Repeats
from heedful.views.sessions import Sessions
from heedful.views.trends import Trends
from heedful.vocabulary.event import Event, Line, Record
from heedful.vocabulary.ids import EventId, SubjectId
from heedful.vocabulary.recommendation import RecommendRequest
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import DAY, SECOND, FixedClock, Instant

EVENTS = int(os.environ.get("HEEDFUL_BENCH_STALLS_EVENTS", "1000000"))
SECONDS = float(os.environ.get("HEEDFUL_BENCH_STALLS_SECONDS", "60"))
SLOW = 5.0


def run() -> list[Row]:
    """Milliseconds."""
    rehearse_kernels()
    clock = FixedClock(Instant(1_767_225_600 * SECOND + 120 * DAY))
    engine = open_engine(clock=clock, settings=Settings(holdout=0.0))
    noted: dict[str, float] = defaultdict(float)
    grown: list[tuple[float, str, int]] = []
    _watch(noted, engine, grown)
    fill(engine.fold, EVENTS)
    _decide(engine, EVENTS // 5)
    for took, name, place in sorted(grown, reverse=True)[:40]:
        print(f"{took:8.1f} ms  {name} at {place}")
    engine.fold.trends.top("7d", 1)
    gc.collect()
    gc.freeze()  # as a server does before it listens
    gc.set_threshold(20_000, 20, 50)
    spent: dict[str, list[float]] = defaultdict(list)
    told: list[tuple[float, str, int, dict[str, float]]] = []
    random = np.random.default_rng(5)
    weights = 1.0 / np.arange(1, ITEMS + 1) ** 0.9
    share = np.cumsum(weights / weights.sum())
    people, names = engine.fold.subjects, engine.fold._interpreter._pseudonyms
    end, turn = time.perf_counter() + SECONDS, 0

    def timed(name: str, call: Callable[[], object]) -> None:
        noted.clear()
        began = time.thread_time()  # waiting for other processes is none of ours
        call()
        took = (time.thread_time() - began) * 1e3
        spent[name].append(took)
        if took > SLOW:
            told.append((took, name, turn, {part: round(ms, 2) for part, ms in noted.items() if ms > 0.5}))

    while time.perf_counter() < end:
        turn += 1
        drawn = np.searchsorted(share, random.random(10))
        who = [
            names.anonymous(f"asking-{random.integers(1 << (12 if n % 4 == 1 else 40))}") if n % 2
            else people.name(int(random.integers(len(people))))
            for n in range(10)
        ]  # fmt: skip
        now = Instant(clock.now() + turn * SECOND // 20)
        records = [
            _record(f"{turn}-{n}", SubjectId(subject), int(item), now, bought=n == 0)
            for n, (subject, item) in enumerate(zip(who, drawn.tolist(), strict=True))
        ]
        timed("ten events", lambda records=records: _put(engine, records))  # type: ignore[misc]
        for _ in range(5):
            asked = RecommendRequest(anonymous_id=f"asking-{random.integers(1 << 12)}", limit=20)
            timed("a question", lambda asked=asked: engine.recommending.recommend(asked))  # type: ignore[misc]
        timed("decisions", lambda: engine._commits.flush(1))
        if turn % 200 == 0:
            timed("retire", engine.retire)
    rows = []
    for name, times in spent.items():
        p50, p99, p999 = np.percentile(times, (50, 99, 99.9))
        rows += [Row(f"{name}, p50", float(p50), "ms", ""), Row("… p99", float(p99), "ms", ""),
                 Row("… p99.9", float(p999), "ms", ""), Row("… at most", max(times), "ms", "5"),
                 Row("… above 5 ms", float(sum(t > SLOW for t in times)), f"of {len(times)}", "")]  # fmt: skip
    for took, name, when, parts in sorted(told, key=lambda one: -one[0])[:25]:
        print(f"{took:8.1f} ms  {name} (turn {when})  {parts}")
    return rows


def _put(engine: Engine, records: list[Record]) -> None:
    engine._commits.submit(records, lambda *_: None)
    engine._commits.flush(1)


def _record(name: str, subject: SubjectId, item: int, at: Instant, *, bought: bool) -> Record:
    event = Event(
        "purchase" if bought else "view", (Line(f"item-{item:06d}", 1, 1_999, f"item-{item:06d}"),),
        currency="EUR", order=name if bought else "", anonymous="x",
    )  # fmt: skip
    return Record(EventId(f"web:live-{name}"), subject, at, at, at, at, encode(event))


def _decide(engine: Engine, count: int) -> None:
    outcomes, random = engine.fold.outcomes, np.random.default_rng(3)
    group = outcomes.group(Group("default", "greedy", "", holdout=False))
    none = np.zeros(0, dtype=np.int64)
    for begin in range(0, count, 1_000):
        n = min(1_000, count - begin)
        outcomes.apply_facts(Facts(
            prints=random.integers(0, 2**64, n, dtype=np.uint64),
            ats=np.full(n, 1_767_225_600 * SECOND + begin * SECOND, dtype=np.int64),
            windows=np.full(n, DAY, dtype=np.int64), buying=np.full(n, 7 * DAY, dtype=np.int64),
            subjects=random.integers(0, len(engine.fold.subjects), n, dtype=np.int32),
            groups=np.full(n, group, dtype=np.int32), shown=np.ones(n, dtype=np.uint8),
            ends=np.arange(20, 20 * n + 1, 20, dtype=np.int64),
            items=random.integers(0, ITEMS, 20 * n, dtype=np.int32),
            ref_events=none.astype(np.uint64), ref_ats=none, ref_decisions=none.astype(np.uint64),
            ref_subjects=none.astype(np.int32), paid_events=none.astype(np.uint64),
            paid_lines=none.astype(np.uint16), paid_ats=none, paid=none, currencies=none.astype(np.int16),
        ))  # fmt: skip


def _watch(noted: dict[str, float], engine: Engine, grown: list[tuple[float, str, int]]) -> None:
    """Note what may stand still: growing, packing, refreshing, and the collector of garbage."""
    watched: list[tuple[Any, str]] = [
        (Arena, "reserve"), (Buckets, "_repack"), (Buckets, "_reserve"), (Lookup, "reserve"), (Store, "_reserve"),
        (Store, "cover"), (Subjects, "_reserve"), (Items, "code"), (Claims, "reserve"), (Sessions, "_reserve"),
        (Sessions, "_cover"), (Sessions, "apply"), (History, "_reserve"), (History, "_cover"), (History, "apply"),
        (Trends, "_refresh"), (Trends, "apply"), (Trends, "top"), (Repeats, "_cover"), (Repeats, "apply"),
        (arena, "grown"), (outcome_facts, "_roomy"), (Claims, "put_many"), (type(engine.fold), "apply"),
        (type(engine.fold), "_change"), (type(engine), "folded"), (type(engine.log), "begin"),
        (type(engine.fold.variants), "apply"), (type(engine.fold.outcomes), "apply"),
        (type(engine.fold._interpreter), "share"), (type(engine.fold._feed), "learn"),
        (type(engine.proof), "settle"), (type(engine.fold.orders), "apply"),
    ]  # fmt: skip
    for owner, name in watched:
        inner = getattr(owner, name)

        def timed(
            *given: object,
            inner: Callable[..., object] = inner,
            called: str = f"{owner.__name__.rsplit('.')[-1]}.{name}",
            **named: object,
        ) -> object:
            began = time.perf_counter()
            try:
                return inner(*given, **named)
            finally:
                took = (time.perf_counter() - began) * 1e3
                noted[called] += took
                if took > SLOW:
                    grown.append((took, called, len(engine.fold.claims)))

        setattr(owner, name, timed)
    began = [0.0]

    def collected(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            began[0] = time.perf_counter()
        else:
            noted[f"garbage {info['generation']}"] += (time.perf_counter() - began[0]) * 1e3

    gc.callbacks.append(collected)
