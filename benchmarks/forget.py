"""Forgetting people of 1,000 events from a large log: how long until every view is without them.

HEEDFUL_BENCH_FORGET_EVENTS records (1,000,000 when unset) of people with 10 and with 1,000 events, written to a
log in a folder, folded by a whole engine. HEEDFUL_BENCH_FORGET_PEOPLE of the long ones (200 when unset) are
forgotten one by one while nothing else happens. The first figures are the time from the call to the state without
them, two synced entries in the ledger and the reading of their bodies included; names that only they used, models,
snapshots, the purge and the receipt follow. Digests are left to `heedful verify`, as a large server does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.table import Row
from heedful.compose import open_engine
from heedful.log.claims import Claims
from heedful.log.codec import encode
from heedful.log.sqlite import SqliteLog
from heedful.services.engine import Engine
from heedful.services.forget import forget as service
from heedful.services.forget import taking
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vault.secret import installation_secret
from heedful.vocabulary.erasure import ErasureStatus, ForgetRequest
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.event import Event, Line, Record
from heedful.vocabulary.ids import EventId
from heedful.vocabulary.recommendation import RecommendRequest
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import DAY, MINUTE, Clock, FixedClock, Instant

EVENTS = int(os.environ.get("HEEDFUL_BENCH_FORGET_EVENTS", "1000000"))
PEOPLE = int(os.environ.get("HEEDFUL_BENCH_FORGET_PEOPLE", "200"))
ITEMS = 50_000
LONG = 1_000
NOW = Instant(100 * DAY)


def run() -> list[Row]:
    """p50 and p99 in milliseconds."""
    people = min(PEOPLE, EVENTS // LONG // 2)
    with TemporaryDirectory() as name:
        folder = Path(name)
        waiting: list[Callable[[], None]] = []
        _write(folder, people)
        clock: Clock = FixedClock(NOW)
        engine = open_engine(folder, clock=clock, settings=Settings(holdout=0.0))
        engine.fold.trends.top("7d", 1)
        service.DIGESTED = 0
        engine.later = lambda _, go: waiting.append(go)
        views, whole, worked, known = _forget(engine, people, waiting)
        verified = engine.verify()
        engine.close()
    tail = f"{people} people of {LONG:,} events, log of {EVENTS:,}, {ITEMS:,} items"
    return [
        Row(f"every view without them, p50 ({tail})", float(np.percentile(views, 50)), "ms", ""),
        Row("every view without them, p99", float(np.percentile(views, 99)), "ms", "50"),
        Row("the same, p50 of the processor's time", float(np.percentile(worked, 50)), "ms", ""),
        Row("the same, at most", float(np.max(views)), "ms", ""),
        Row("until the receipt, p50", float(np.percentile(whole, 50)), "ms", ""),
        Row("answers right after that knew them", float(known), "", "0"),
        Row("equal to a fold from zero afterwards", float(verified.agrees), "", "1"),
    ]


def _write(folder: Path, people: int) -> None:
    """The long people's events lie between everybody else's."""
    pseudonyms = Pseudonyms(installation_secret(folder / "pseudonym.key"))
    random = np.random.default_rng(7)
    others = EVENTS - people * LONG
    rest = people + random.integers(0, others // 10 + 1, others)
    who = np.concatenate((np.repeat(np.arange(people), LONG), rest))
    random.shuffle(who)
    items = np.minimum(random.zipf(1.2, EVENTS), ITEMS) - 1
    kinds = random.choice(("view", "view", "view", "view", "cart", "purchase"), EVENTS)
    with SqliteLog(folder / "log.sqlite3", pseudonyms, Claims()) as log:
        batch: list[Record] = []
        for n in range(EVENTS):
            at = Instant(NOW - 60 * DAY + n * (59 * DAY // EVENTS) + int(random.integers(MINUTE)))
            item = f"i{items[n]}" if n % 500 else f"only-{who[n]}-{n}"
            event = Event(
                str(kinds[n]), (Line(item, key=item),), order=f"o{n}" if kinds[n] == "purchase" else "",
                user=f"u{who[n]}", properties=b'{"product_id":"' + item.encode() + b'"}',
            )  # fmt: skip
            batch.append(
                Record(EventId(f"k:{n}"), pseudonyms.user(f"u{who[n]}"), at, at, at, at, encode(event))
            )
            if len(batch) == 20_000 or n == EVENTS - 1:
                log.append(batch)
                batch = []


def _forget(
    engine: Engine, people: int, waiting: list[Callable[[], None]]
) -> tuple[list[float], list[float], list[float], int]:
    """Milliseconds until the views are without each, until its receipt, and of work until the views are; and how
    many answers knew somebody."""
    views, whole, worked, known = [], [], [], 0
    reached: list[tuple[float, float]] = []
    inner = vars(taking)["release"]

    def noted(*given: object) -> int:
        reached.append((time.perf_counter(), time.process_time()))
        found: int = inner(*given)
        return found

    vars(taking)["release"] = noted  # when it is called, the views are without them
    try:
        for person in range(people):
            outcome: list[ErasureStatus | HeedfulError] = []
            began, work = time.perf_counter(), time.process_time()
            engine.forget(ForgetRequest(user_id=f"u{person}"), outcome.append)
            while not outcome or not engine.forgetting.idle:
                waiting.pop(0)()
            whole.append((time.perf_counter() - began) * 1e3)
            views.append((reached[-1][0] - began) * 1e3)
            worked.append((reached[-1][1] - work) * 1e3)
            answers: list[object] = []
            engine.recommend(RecommendRequest(user_id=f"u{person}", limit=10), answers.append)
            known += bool(getattr(answers[0], "personalized", True))
    finally:
        vars(taking)["release"] = inner
    return views, whole, worked, known
