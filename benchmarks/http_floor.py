"""What the HTTP face costs by itself: CPU per request above a route that does nothing.

The engine answers at once with a constant, so that what remains is the face: the key, the body, the answer.
`python -m benchmarks.http_floor` needs `wrk` and two cores: the server on one, wrk on the other.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from heedful.faces.engine import Done, EngineStatus
from heedful.faces.http import logs
from heedful.faces.http.app import hot_routes
from heedful.faces.http.authorization import Guard
from heedful.faces.http.dispatch import Dispatcher, HotRoute
from heedful.faces.http.exchange import JSON, Headers, Receive, Reply, Scope, Send, read_body
from heedful.faces.http.gate import Gate
from heedful.faces.http.metrics import Meters
from heedful.faces.http.serve import Server, ServeSettings
from heedful.records.audit import Audit
from heedful.records.keys import KeyKind, Keys
from heedful.records.memory import MemoryRecords
from heedful.services.experiments import Experiments, Results
from heedful.services.flags import EvaluateFlags, Flags
from heedful.services.placements import Placements, Preview
from heedful.services.rights.rights import Rights
from heedful.vocabulary.collection import CollectAnswer, EventFate
from heedful.vocabulary.consent_answer import ConsentAnswer
from heedful.vocabulary.erasure import ErasureStatus, ForgetRequest
from heedful.vocabulary.errors import NotFound
from heedful.vocabulary.ids import DecisionId, ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.metric import MetricAnswer, MetricDefinition, MetricQuestion, Waits
from heedful.vocabulary.recall import RecalledDecision
from heedful.vocabulary.receipt import Status
from heedful.vocabulary.recommendation import Reason, RecommendAnswer, RecommendedItem, RecommendRequest
from heedful.vocabulary.time import SystemClock
from heedful.vocabulary.variants import DecideAnswer, DecideRequest

SECONDS = 2
ROUNDS = 3
CONNECTIONS = 48

_TRACK = {
    "userId": "u-123456", "messageId": "0190f1c2-aaaa-7bbb-8ccc-0123456789ab", "event": "Product Viewed",
    "properties": {"product_id": "p-1234", "category": "kitchen", "price": 19.9, "currency": "EUR"},
    "context": {"library": {"name": "analytics-python", "version": "2.4.0"}},
    "timestamp": "2026-11-23T11:33:51.000Z", "sentAt": "2026-11-23T11:33:51.100Z",
}  # fmt: skip
_QUESTION = {"userId": "u-123456", "placement": "home", "limit": 20, "context": {"itemId": "p-1234"}}


class ConstantEngine:
    """Answers at once, always the same."""

    audit: Audit | None = None

    rights: Rights
    experiments: Experiments
    results: Results
    flags: Flags
    evaluating: EvaluateFlags

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.placements = Placements(MemoryRecords(), SystemClock())
        self._collected = CollectAnswer(True, "v1.1", (EventFate("m-1", Status.ACCEPTED),))
        slate = [
            RecommendedItem(
                ItemId(f"p-{place}"),
                1.0 / (place + 1),
                Reason("viewed_together", "Often viewed with p-1234"),
                1.0,
            )
            for place in range(20)
        ]
        self._answer = RecommendAnswer(DecisionId("d-1"), slate, True, "v1.1", False)

    def consent(self, user: str, anonymous: str) -> ConsentAnswer:
        return ConsentAnswer([], {}, [])

    def collect(
        self, method: str, body: bytes, source: str, done: Done[CollectAnswer], *, gpc: bool = False
    ) -> None:
        done(self._collected)

    def decide(self, request: DecideRequest, done: Done[DecideAnswer]) -> None:
        raise NotImplementedError

    def recommend(self, request: RecommendRequest, done: Done[RecommendAnswer]) -> None:
        done(self._answer)

    def preview(self, request: RecommendRequest, draft: object) -> Preview:
        return Preview(self._answer, self._answer, 0)

    def put_items(self, items: Sequence[Item], done: Done[CollectAnswer]) -> None:
        done(self._collected)

    def delete_item(self, item: ItemId, done: Done[CollectAnswer]) -> None:
        done(self._collected)

    def item(self, item: ItemId) -> Item | None:
        return None

    def decision(self, decision: DecisionId, done: Done[RecalledDecision]) -> None:
        done(NotFound("constant"))

    def forget(self, request: ForgetRequest, done: Done[ErasureStatus], *, actor: str = "terminal") -> None:
        done(NotFound("constant"))

    def erasure(self, erasure: str) -> ErasureStatus:
        raise NotFound("constant")

    def erasures(self) -> list[ErasureStatus]:
        return []

    def metrics(self) -> list[MetricDefinition]:
        return []

    def metric(self, name: str, asked: MetricQuestion, waits: Waits | None = None) -> MetricAnswer:
        raise NotFound("constant")

    def status(self) -> EngineStatus:
        return EngineStatus(True, "", "v1.1", None, {})


_GATE = Gate()


async def _nothing(_: Scope, headers: Headers, receive: Receive) -> Reply:
    await read_body(receive, headers, 1 << 20, _GATE)
    return Reply(200, [JSON, (b"content-length", b"2")], b"{}")


async def _bare(_: Scope, receive: Receive, send: Send) -> None:
    """Less than that is not ASGI: the floor."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [JSON, (b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


def serve(folder: Path) -> None:
    """The server of one measurement; prints its address."""
    logs.configure(level=logging.ERROR)
    engine = ConstantEngine(Keys(folder / "keys.json"))
    meters = Meters(engine)
    routes = hot_routes(engine, _GATE, meters, Guard(lambda: engine.keys))
    routes["/noop"] = HotRoute("/noop", {"POST": _nothing}, meters.route("/noop"))
    app = Dispatcher(routes, _bare, meters)

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        await (_bare if scope["path"] == "/bare" else app)(scope, receive, send)

    os.sched_setaffinity(0, {0})
    Server(front, engine.keys, ServeSettings(port=0)).run(lambda address: print(address, flush=True))


@dataclass(frozen=True)
class Figure:
    """Requests a second, their 99th percentile in milliseconds, and CPU in microseconds a request."""

    rate: float
    p99: float
    cpu: float


def measure(address: str, pid: int, path: str, body: object, key: str) -> Figure:
    """One round of wrk."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(
            f"wrk.method='POST'\nwrk.body=[==[{msgspec.json.encode(body).decode()}]==]\n"
            f"wrk.headers['Authorization']='Bearer {key}'\nwrk.headers['Content-Type']='application/json'\n"
            "function done(summary, latency)\n"
            "  local e = summary.errors\n"
            "  io.write(string.format('FIGURES %d %d %d %d\\n', summary.requests, summary.duration,"
            " latency:percentile(99), e.status + e.read + e.connect + e.timeout))\nend\n"
        )
        script.flush()
        before = _cpu(pid)
        wrk = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", script.name, address + path]
        said = subprocess.run(["taskset", "-c", "1", *wrk], capture_output=True, text=True, check=True).stdout
        used = _cpu(pid) - before
    found = re.search(r"FIGURES (\d+) (\d+) (\d+) (\d+)", said)
    assert found is not None, said
    requests, microseconds, p99, errors = map(int, found.groups())
    assert errors == 0, said
    return Figure(requests / microseconds * 1e6, p99 / 1e3, used / requests * 1e6)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print a table."""
    if shutil.which("wrk") is None or (os.cpu_count() or 1) < 2:
        sys.exit("this needs wrk (apt-get install wrk) and two cores")
    with tempfile.TemporaryDirectory() as folder:
        key = Keys(Path(folder) / "keys.json").create(KeyKind.SECRET)
        server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.http_floor", folder], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            rows = [
                ("bare ASGI", "/bare", {}), ("no-op route", "/noop", {}),
                ("track", "/v1/track", _TRACK), ("recommend", "/v1/recommend", _QUESTION),
                ("batch of 50", "/v1/batch", {"batch": [{"type": "track", **_TRACK}] * 50}),
            ]  # fmt: skip
            figures: dict[str, list[Figure]] = {name: [] for name, _, _ in rows}
            for _ in range(ROUNDS):
                for name, path, body in rows:
                    figures[name].append(measure(address, server.pid, path, body, key))
        finally:
            server.terminate()
            server.wait(30)
    floor = min(figure.cpu for figure in figures["bare ASGI"])
    print(f"Python {sys.version.split()[0]}, server on core 0, wrk on core 1, {CONNECTIONS} connections")
    for name, found in figures.items():
        cpu = min(figure.cpu for figure in found)
        rate = statistics.median(figure.rate for figure in found)
        p99 = statistics.median(figure.p99 for figure in found)
        print(f"{name:12} {rate:8.0f} req/s  p99 {p99:5.2f} ms  CPU {cpu:5.1f} µs, {cpu - floor:5.1f} above")


if __name__ == "__main__":
    serve(Path(sys.argv[1])) if len(sys.argv) > 1 else main()
