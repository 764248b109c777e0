"""How fast the SQLite log takes, gives back and finds again: `run()` gives (name, value, unit, goal)."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from heedful.log.claims import Claims
from heedful.log.commit import GroupCommit
from heedful.log.cursor import Cursor
from heedful.log.sqlite import SqliteLog
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.event import Record, position
from heedful.vocabulary.ids import EventId, SubjectId
from heedful.vocabulary.time import Instant

Row = tuple[str, float, str, float]

BATCH = 1_000
BODY = 250
_START = 1_700_000_000_000_000


def batch(first: int, count: int = BATCH) -> list[Record]:
    """Records as collecting makes them: ids of 40 characters, bodies of 250 bytes."""
    return [
        Record(
            EventId(f"web:{i:016x}-0123-4567-89ab-cdef"),
            SubjectId((i % 100_000).to_bytes(16, "big")),
            Instant(_START + i), Instant(_START + i), Instant(_START + i), Instant(_START + i),
            i.to_bytes(BODY // 10, "big") * 10,
        )
        for i in range(first, first + count)
    ]  # fmt: skip


def run(records: int = 300_000) -> list[Row]:
    """Measure on a log that grows to `records` records in a temporary folder. Rates are per second."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        with _opened(path) as log:
            measured = _appending(log, records) + _single(log, records) + _groups(log, 2 * records)
            measured += _reading(log)
        return measured + _recovering(path)


def _opened(path: Path) -> SqliteLog:
    log = SqliteLog(path, Pseudonyms(bytes(32)), Claims())
    log.recover(Cursor())
    return log


def _appending(log: SqliteLog, records: int) -> list[Row]:
    begins, totals = [], []
    for first in range(0, records, BATCH):
        sent = batch(first)
        start = time.perf_counter()
        log.begin(sent)
        begun = time.perf_counter()
        log.commit()
        begins.append(begun - start)
        totals.append(time.perf_counter() - start)
    last = totals[-max(1, len(totals) // 4) :]
    return [
        ("log append, batches of 1000, median", BATCH / statistics.median(totals), "records/s", 250_000),
        ("log append, batches of 1000, mean", BATCH / statistics.fmean(totals), "records/s", 45_000),
        ("log append, last quarter, mean", BATCH / statistics.fmean(last), "records/s", 45_000),
        ("log append, share in the caller's thread", BATCH / statistics.median(begins), "records/s", 250_000),
        ("log append, slowest batch", max(totals) * 1e3, "ms", 70),
    ]


def _single(log: SqliteLog, first: int) -> list[Row]:
    times = [_seconds(lambda i=i: log.append(batch(first + i, 1))) for i in range(300)]  # type: ignore[misc]  # i
    return [("log append of one, median", statistics.median(times) * 1e3, "ms", 1.0)]


def _groups(log: SqliteLog, first: int) -> list[Row]:
    """Submissions of one record, 256 under way, with the commits in the second thread."""
    owner: list[Callable[[], None]] = []
    commit = GroupCommit(log, stored=lambda _: None, post=owner.append)
    total, answered = 20_000, 0

    def done(_: object) -> None:
        nonlocal answered
        answered += 1

    submissions = [batch(first + i, 1) for i in range(total)]
    start, sent = time.perf_counter(), 0
    while answered < total:
        while sent < total and sent - answered < 256:
            commit.submit(submissions[sent], done)
            sent += 1
        while owner:
            owner.pop(0)()
        time.sleep(0)
    seconds = time.perf_counter() - start
    commit.close()
    return [("group commit, 256 single submissions under way", total / seconds, "records/s", 45_000)]


def _reading(log: SqliteLog) -> list[Row]:
    def read() -> None:
        cursor = Cursor()
        while found := log.read(cursor, limit=10_000):
            cursor = cursor.advanced(found[-1].position)

    count = log.last()
    best = min(_seconds(read) for _ in range(2))
    places = [position(0, 1 + i * 7919 % count) for i in range(10_000)]
    fetch = min(_seconds(lambda: log.fetch(places)) for _ in range(3))
    return [
        ("log read, limit 10000", count / best, "records/s", 700_000),
        ("log fetch, scattered", len(places) / fetch, "records/s", 200_000),
    ]


def _recovering(path: Path) -> list[Row]:
    with SqliteLog(path, Pseudonyms(bytes(32)), Claims()) as log:
        seconds = _seconds(lambda: log.recover(Cursor()))
        return [("claims recovered without a snapshot", log.last() / seconds, "records/s", 1_000_000)]


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    for name, value, unit, goal in run():
        print(f"{name:50} {value:12,.1f} {unit} (goal {goal:,.0f})")
