"""What sealing costs where it happens, with and without it in turn: `run()` gives (name, value, unit, goal).

People come as in the loop benchmark: 4.5 clicks a visit, and nearly every visit of so short a log is somebody's
first, so that every fifth event makes a key. "Without" is the same parts without the vault between log and disk.
Time of the processor is told beside throughput: it does not hang on what else the machine does, and sealing one
group while another commits, which only the sealed side does, saves none of it.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

import msgspec

from benchmarks.shopfloor import clicks, visitor
from heedful.compose.vaults import vault_of
from heedful.log.claims import Claims
from heedful.log.codec import decode
from heedful.log.commit import GroupCommit
from heedful.log.cursor import Cursor
from heedful.log.sealed import SealedLog
from heedful.log.sqlite import SqliteLog
from heedful.services.collect import Collect
from heedful.services.verify import catch_up
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vault.vault import Vault
from heedful.views.fold import Fold
from heedful.vocabulary.settings import VaultSettings
from heedful.vocabulary.time import SystemClock

Row = tuple[str, float, str, str]

ITEMS = 20_000
ROUNDS = 5
EVENTS = 12_000
"""Events of a round, one to a call."""
BATCH = 100
UNDER_WAY = 256
_NAMES = Pseudonyms(bytes(32))


class Spent(NamedTuple):
    """Seconds by the clock, and of the processor."""

    clock: float
    processor: float

    def each(self, events: int) -> Spent:
        return Spent(self.clock / events, self.processor / events)


class Side(NamedTuple):
    """One of the two that are compared."""

    log: SqliteLog | SealedLog
    commits: GroupCommit
    collect: Collect
    owner: SimpleQueue[Callable[[], None]]
    vault: Vault | None


def run(rounds: int = ROUNDS) -> list[Row]:
    """Measure over logs in a temporary folder: collecting as a server does, then folding what was collected."""
    singles, batches, folded = _calls(rounds * EVENTS), _batches(rounds * 4 * EVENTS), []
    with ExitStack() as stack:
        sides = [
            _side(Path(stack.enter_context(tempfile.TemporaryDirectory())), sealed=s) for s in (False, True)
        ]
        rates: dict[tuple[str, bool], list[Spent]] = {}
        for number in range(rounds):
            for sealed in (number % 2 == 1, number % 2 == 0):
                side = sides[sealed]
                for name, method, bodies, events in (
                    ("one event a call", "track", singles, EVENTS),
                    (f"{BATCH} events a call", "batch", batches, 4 * EVENTS),
                ):
                    share = len(bodies) // rounds
                    mine = bodies[number * share : (number + 1) * share]
                    rates.setdefault((name, sealed), []).append(_collected(side, method, mine).each(events))
        for number in range(3):
            for sealed in (number % 2 == 1, number % 2 == 0):
                folded.append((sealed, _folded(sides[sealed])))
        total = sum(sides[0].log.end().offsets)
        for side in sides:
            side.commits.close()
            side.log.close()
            if side.vault is not None:
                side.vault.close()
    return [*_told(rates), *_told_of_folds(folded, total)]


def _side(folder: Path, *, sealed: bool) -> Side:
    claims = Claims()
    inner = SqliteLog(folder / "log.sqlite3", _NAMES, claims)
    vault = vault_of(folder, VaultSettings(), SystemClock(), create=True) if sealed else None
    log = inner if vault is None else SealedLog(inner, vault.bodies)
    fold = Fold(pseudonyms=_NAMES, claims=claims, bodies=log, decode=decode)
    owner: SimpleQueue[Callable[[], None]] = SimpleQueue()
    seal = log.seal if isinstance(log, SealedLog) else None
    commits = GroupCommit(log, stored=fold.apply, post=owner.put, seal=seal)
    return Side(log, commits, Collect(commits, _NAMES, SystemClock(), lambda: ""), owner, vault)


def _events(count: int, tag: str) -> list[dict[str, object]]:
    return [
        {
            "type": "track", "event": "Product Viewed", "anonymousId": f"{tag}-{visitor(session)}",
            "messageId": f"{tag}-{number:012x}-0123-4567-89ab",
            "properties": {"product_id": f"item-{item:06d}", "name": "A product with a name", "price": 19.99,
                           "currency": "EUR"},
            "context": {"page": {"url": f"https://shop.example/p/{item}"}, "locale": "de-DE"},
        }
        for number, (session, item, _) in enumerate(islice(clicks(count, ITEMS), count))
    ]  # fmt: skip


def _calls(count: int) -> list[bytes]:
    return [msgspec.json.encode(event) for event in _events(count, "one")]


def _batches(count: int) -> list[bytes]:
    events = _events(count, "many")
    return [msgspec.json.encode({"batch": events[i : i + BATCH]}) for i in range(0, count, BATCH)]


def _collected(side: Side, method: str, bodies: Sequence[bytes]) -> Spent:
    """Until all of `bodies` are durable and folded, `UNDER_WAY` events under way."""
    answered = sent = 0
    most = max(1, UNDER_WAY if method == "track" else 8)

    def done(_: object) -> None:
        nonlocal answered
        answered += 1

    start, used = time.perf_counter(), time.process_time()
    while answered < len(bodies):
        while sent < len(bodies) and sent - answered < most:
            side.collect.call(method, bodies[sent], "web", done)
            sent += 1
        side.owner.get()()
    return Spent(time.perf_counter() - start, time.process_time() - used)


def _folded(side: Side) -> float:
    """Seconds of the processor to fold the log from zero, with no key held."""
    if side.vault is not None:
        side.vault.keys.forget()
    fold = Fold(pseudonyms=_NAMES, claims=Claims(), bodies=side.log, decode=decode)
    start = time.process_time()
    catch_up(fold, side.log)
    assert fold.cursor != Cursor()
    return time.process_time() - start


def _told(rates: dict[tuple[str, bool], list[Spent]]) -> list[Row]:
    rows: list[Row] = []
    for name in dict.fromkeys(name for name, _ in rates):
        without, sealed = rates[name, False], rates[name, True]
        lost = statistics.median(1 - a.clock / b.clock for a, b in zip(without, sealed, strict=True))
        worked = statistics.median(
            1 - a.processor / b.processor for a, b in zip(without, sealed, strict=True)
        )
        rows += [
            (
                f"collect, {name}, without",
                1 / statistics.median(one.clock for one in without),
                "events/s",
                "",
            ),
            (f"collect, {name}, sealed", 1 / statistics.median(one.clock for one in sealed), "events/s", ""),
            (f"collect, {name}: throughput lost to sealing", 100 * lost, "%", "≤ 35"),
            (f"collect, {name}, without", 1e6 * min(one.processor for one in without), "µs of CPU", ""),
            (f"collect, {name}, sealed", 1e6 * min(one.processor for one in sealed), "µs of CPU", ""),
            (f"collect, {name}: the same by CPU alone", 100 * worked, "%", ""),
        ]
    return rows


def _told_of_folds(folded: list[tuple[bool, float]], total: int) -> list[Row]:
    without = min(seconds for sealed, seconds in folded if not sealed) / total * 1e6
    opened = min(seconds for sealed, seconds in folded if sealed) / total * 1e6
    return [
        ("fold from zero, without", without, "µs/event", ""),
        ("fold from zero, opened", opened, "µs/event", ""),
        ("fold from zero: opening", opened - without, "µs/event", "≤ 3"),
    ]


if __name__ == "__main__":
    for name, value, unit, goal in run():
        print(f"{name:50} {value:12,.1f} {unit} {goal}")
