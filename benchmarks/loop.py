"""The whole loop, measured from outside: a server on one core, a load on the other, a log of millions of events.

Builds one data folder (10M events unless told otherwise), then: fold from zero, second start from a snapshot,
memory, answers over HTTP beside a no-op route in the same run, latency under mixed load, durable collecting,
and freshness. Run as `python -m benchmarks.loop [events]`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.load import Driver, Load, request
from benchmarks.shopfloor import clicks, record, visitor
from benchmarks.table import Row
from heedful.compose import keys_of
from heedful.compose.vaults import vault_of
from heedful.log.claims import Claims
from heedful.log.sealed import SealedLog
from heedful.log.sqlite import SqliteLog
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vault.secret import installation_secret
from heedful.vocabulary.settings import VaultSettings
from heedful.vocabulary.time import SystemClock

ITEMS = 100_000
_WRITE = "bench-write-key-7f3a9c2e51d8"
_SECRET = "bench-secret-key-2b8e6d4a90c7"
_BATCH = 2_000


def build(folder: Path, events: int) -> int:
    """Write `events` clicks straight into a sealed log; returns how many sessions they make."""
    # Nobody is held out, so that everybody's next answer can be looked at; and no fit runs beside the server.
    (folder / "settings.toml").write_text("holdout = 0.0\n\n[models]\nfit_every = 0\n")
    names = Pseudonyms(installation_secret(folder / "pseudonym.key"))
    sessions = 0
    vault = vault_of(folder, VaultSettings(), SystemClock(), create=True)
    with closing(vault), SealedLog(SqliteLog(folder / "log.sqlite3", names, Claims()), vault.bodies) as log:
        batch = []
        for number, (session, item, at) in enumerate(islice(clicks(events, ITEMS), events)):
            batch.append(record(number, session, item, at, names))
            sessions = session
            if len(batch) == _BATCH:
                log.append(batch)
                batch = []
        log.append(batch)
    return sessions + 1


def fold_from_zero(folder: Path, events: int) -> list[Row]:
    """Fold the log in this process, and keep the snapshot."""
    code = (
        "import sys, time; from pathlib import Path; from heedful.compose import open_engine\n"
        "t = time.perf_counter(); e = open_engine(Path(sys.argv[1])); spent = time.perf_counter() - t\n"
        "rss = int(Path('/proc/self/statm').read_text().split()[1]) * 4096\n"
        "e.close(); print(spent, rss)"
    )
    spent, _ = _measured(code, folder)
    again, rss = _measured(code, folder)
    return [
        Row("fold from zero", events / spent, "events/s", "≥ 100,000"),
        Row("second start with a snapshot", again, "s", "≤ 5"),
        Row("resident memory, everything", rss / events, "bytes/event", "≤ 120"),
    ]


def _measured(code: str, folder: Path) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True, cwd=Path.cwd()
    )
    first, second = done.stdout.split()
    return float(first), float(second)


class Served:
    """A server over `folder` on core 0, in a process of its own."""

    def __init__(self, folder: Path, *, pinned: bool = True) -> None:
        environment = {**os.environ, "HEEDFUL_WRITE_KEY": _WRITE, "HEEDFUL_SECRET_KEY": _SECRET}
        command = [sys.executable, "-m", "heedful", "serve", "--data", str(folder), "--port", "0"]
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        if pinned:
            os.sched_setaffinity(self._process.pid, {0})
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "listens on" in line:
                self.port = int(line.split("http://127.0.0.1:")[1].split()[0])
                return
        raise RuntimeError("the server did not start")

    def cpu(self) -> float:
        """Seconds of CPU used so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)


def _asking(body: dict[str, object]) -> bytes:
    headers = {"Authorization": f"Bearer {_SECRET}", "Content-Type": "application/json"}
    return request("POST", "/v1/recommend", json.dumps(body).encode(), headers)


def _questions(sessions: int, count: int) -> list[bytes]:
    draw = random.Random(1)
    return [_asking({"anonymousId": visitor(draw.randrange(sessions)), "limit": 20}) for _ in range(count)]


def _event(number: int, sessions: int, at: float, draw: random.Random) -> dict[str, object]:
    item = int(ITEMS * draw.random() ** 3)
    return {
        "type": "track",
        "messageId": f"live-{os.getpid()}-{number}",
        "anonymousId": visitor(draw.randrange(sessions)),
        "event": "Product Viewed",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + ".000Z",
        "properties": {
            "product_id": f"item-{item:06d}", "name": "A product with a name", "category": "garden",
            "price": 19.99, "currency": "EUR", "position": number % 40, "url": "https://shop.example/p/1",
        },
        "context": {"library": {"name": "analytics.js", "version": "2.1.0"}, "locale": "en-GB"},
    }  # fmt: skip


def _calls(sessions: int, count: int, batch: int, *, start: int) -> list[bytes]:
    draw = random.Random(start)
    head = {"Authorization": f"Bearer {_WRITE}", "Content-Type": "application/json"}
    requests = []
    for first in range(start, start + count * batch, batch):
        events = [_event(first + n, sessions, time.time(), draw) for n in range(batch)]
        if batch == 1:
            requests.append(request("POST", "/v1/track", json.dumps(events[0]).encode(), head))
        else:
            requests.append(request("POST", "/v1/batch", json.dumps({"batch": events}).encode(), head))
    return requests


def answers(served: Served, sessions: int) -> list[Row]:
    """Answers over HTTP, and the no-op route beside them."""
    os.sched_setaffinity(0, {1})
    questions = _questions(sessions, 200_000)
    nothing = request("GET", "/health/live", b"", {})
    Driver(served.port, questions[:3_000], connections=32, seconds=5).finish()
    rounds: list[tuple[Load, float, Load, float]] = []
    for turn in range(3):
        cpu = served.cpu()
        floor = Driver(served.port, [nothing] * 100_000, connections=32, seconds=3).finish()
        floor_cpu, cpu = (served.cpu() - cpu) / len(floor.latencies), served.cpu()
        part = questions[turn * 50_000 : (turn + 1) * 50_000]
        load = Driver(served.port, part, connections=32, seconds=6).finish()
        rounds.append((load, (served.cpu() - cpu) / len(load.latencies), floor, floor_cpu))
    rounds.sort(key=lambda one: one[0].rate)
    load, cpu, floor, floor_cpu = rounds[1]
    half = load.rate / 2
    events = Driver(
        served.port, _calls(sessions, 1_400, 10, start=10_000_000), connections=8, seconds=6, rate=200
    )
    mixed = Driver(served.port, questions[150_000:], connections=64, seconds=6, rate=half).finish()
    beside = events.finish()
    _all_well(load, mixed, beside)
    return [
        Row("answers over HTTP, decision logged", load.rate, "answers/s", "≥ 6,500"),
        Row("  CPU an answer", cpu * 1e6, "µs", ""),
        Row("  CPU of a health check, same run", floor_cpu * 1e6, "µs", ""),
        Row("  rate against health checks", load.rate / floor.rate, "of it", ""),
        Row("p99 at half that load with 2,000 events/s", mixed.percentile(99) * 1e3, "ms", "≤ 5"),
        Row("  p50", mixed.percentile(50) * 1e3, "ms", ""),
    ]


def collecting(served: Served, sessions: int) -> list[Row]:
    """Durable events over HTTP, fold included."""
    os.sched_setaffinity(0, {0, 1})
    batches = _calls(sessions, 8_000, 100, start=20_000_000)
    Driver(served.port, batches[:200], connections=8, seconds=5).finish()
    bulk = Driver(served.port, batches[200:], connections=8, seconds=15).finish()
    singles = _calls(sessions, 120_000, 1, start=40_000_000)
    single = Driver(served.port, singles, connections=64, seconds=10).finish()
    calm = _calls(sessions, 20_000, 1, start=60_000_000)
    paced = Driver(served.port, calm, connections=64, seconds=8, rate=2_000).finish()
    _all_well(bulk, single, paced)
    return [
        Row("durable events/s, batches of 100", bulk.rate * 100, "events/s", "≥ 45,000"),
        Row("durable events/s, one a request, 64 connections", single.rate, "events/s", "≥ 10,000"),
        Row("  acknowledged p50 at that rate", single.percentile(50) * 1e3, "ms", ""),
        Row("acknowledged p50 at 2,000/s", paced.percentile(50) * 1e3, "ms", "≤ 3"),
        Row("  p99", paced.percentile(99) * 1e3, "ms", ""),
    ]


def _all_well(*loads: Load) -> None:
    for load in loads:
        if load.failures:
            raise RuntimeError(f"some requests failed: {load.statuses}")


def freshness(served: Served, times: int = 200) -> list[Row]:
    """How many next answers show what was just acknowledged: to the same person, and to another."""
    own = other = 0
    for n in range(times):
        new, known = f"fresh-{os.getpid()}-{n}", f"known-{os.getpid()}-{n}"
        for item in (known, new):
            _post(served, "track", _WRITE, {
                "anonymousId": f"first-{n}", "event": "Product Viewed", "properties": {"product_id": item},
            })  # fmt: skip
        mine = _post(served, "recommend", _SECRET, {"anonymousId": f"first-{n}", "explain": True})
        theirs = _post(
            served, "recommend", _SECRET, {"anonymousId": f"second-{n}", "context": {"itemId": known}}
        )
        own += mine["trace"]["trail"][:2] == [new, known]
        other += new in [item["itemId"] for item in theirs["items"]]
    return [
        Row("next answers that know one's own last event", 100 * own / times, "%", "100"),
        Row(
            "next answers that know another's, on an item never seen before", 100 * other / times, "%", "100"
        ),
    ]


def _post(served: Served, path: str, key: str, body: dict[str, object]) -> dict[str, Any]:
    asked = urllib.request.Request(
        f"http://127.0.0.1:{served.port}/v1/{path}",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def run(events: int = int(os.environ.get("HEEDFUL_BENCH_EVENTS", "10000000"))) -> list[Row]:
    """Everything, on a folder that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="heedful-bench-") as temporary:
        folder = Path(temporary)
        os.environ.update(HEEDFUL_WRITE_KEY=_WRITE, HEEDFUL_SECRET_KEY=_SECRET)
        keys_of(folder)
        sessions = build(folder, events)
        rows = [Row("events in the log", float(events), "", ""), Row("sessions", float(sessions), "", "")]
        rows += fold_from_zero(folder, events)
        served = Served(folder)
        try:
            rows += answers(served, sessions)
            rows += freshness(served)
        finally:
            served.stop()
        served = Served(folder, pinned=False)
        try:
            rows += collecting(served, sessions)
        finally:
            served.stop()
        return rows


if __name__ == "__main__":
    from benchmarks.table import show

    show("The loop", run(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000))
