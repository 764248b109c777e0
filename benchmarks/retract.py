"""Taking people of 1,000 events out of a large fold, and refusing them, without log, keys and faces.

HEEDFUL_BENCH_RETRACT_EVENTS clicks of `shopfloor` (1,000,000 when unset) stand in a fold in memory. Between them
stand people with one long session and people with many short ones, everybody with some purchases; each of them is
taken out by `Fold.retract`, and others withdraw their consent by an event. Wall time, and the processor's beside.
HEEDFUL_BENCH_PARTS=1 also shows the time of each view.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import islice

import msgspec
import numpy as np

from benchmarks.shopfloor import START, clicks
from benchmarks.table import Row
from heedful.log.claims import Claims
from heedful.log.codec import decode, encode
from heedful.privacy.judge import Rules
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.views.rows import Rows
from heedful.vocabulary.consent import CONSENT, PrivacySettings
from heedful.vocabulary.event import Event, Line, Position, Record, Stored, position
from heedful.vocabulary.ids import EventId, SubjectId
from heedful.vocabulary.time import MINUTE, SECOND, Instant

EVENTS = int(os.environ.get("HEEDFUL_BENCH_RETRACT_EVENTS", "1000000"))
PEOPLE = int(os.environ.get("HEEDFUL_BENCH_RETRACT_PEOPLE", "50"))
ITEMS = 100_000
LONG = 1_000
NAMES = Pseudonyms(b"k" * 32)
_BATCH = 5_000


class Bodies:
    """Keeps the bodies that are asked for again."""

    def __init__(self) -> None:
        self.held: dict[int, Stored] = {}

    def fetch(self, positions: Sequence[Position]) -> Sequence[Stored]:
        return [self.held[place] for place in positions if place in self.held]


def run() -> list[Row]:
    """Milliseconds."""
    bodies = Bodies()
    fold = Fold(
        pseudonyms=NAMES, claims=Claims(), bodies=bodies, decode=decode,
        judge=Rules(PrivacySettings(consent="elsewhere")),
    )  # fmt: skip
    span = fill(fold, EVENTS)
    place = EVENTS
    groups: dict[tuple[str, str], list[list[Stored]]] = defaultdict(list)
    weights = 1.0 / np.arange(1, ITEMS + 1) ** 0.9
    share, random = np.cumsum(weights / weights.sum()), np.random.default_rng(11)
    for number in range(PEOPLE):
        for shape in ("one long session", "200 short sessions"):
            for deed in ("taken out", "withdrawn"):
                drawn = np.searchsorted(share, random.random(LONG))
                at = int(START + random.integers(0, max(1, span - LONG * 20 * SECOND)))
                gap = max(3 * 60 * MINUTE, span // 210)
                records = []
                for n in range(LONG):
                    when = at + n * 20 * SECOND
                    if shape != "one long session":
                        when = int(START) + n // 5 * gap + n % 5 * 20 * SECOND + number
                    records.append(_record(f"{shape}-{deed}-{number}", n, int(drawn[n]), Instant(when)))
                stored = [Stored(position(0, place + n), one) for n, one in enumerate(records, 1)]
                place += LONG
                bodies.held.update((one.position, one) for one in stored)
                fold.apply(stored)
                groups[shape, deed].append(stored)
    _warm(fold, groups)
    fold.trends.top("7d", 1)
    parts: dict[str, list[float]] = defaultdict(list)
    if os.environ.get("HEEDFUL_BENCH_PARTS"):
        _watch(fold, parts)
    rows = []
    for (shape, deed), people in groups.items():
        parts.clear()
        walls, works = [], []
        for stored in people:
            given = stored
            if deed == "withdrawn":
                place += 1
                given = [Stored(position(0, place), _refusal(stored[0].record.subject, place))]
            change = fold.apply if deed == "withdrawn" else fold.retract
            wall, work = time.perf_counter(), time.process_time()
            change(given)
            works.append((time.process_time() - work) * 1e3)
            walls.append((time.perf_counter() - wall) * 1e3)
            fold.trends.top("7d", 1)
        for what, times in (("", walls), (", work", works)):
            p50, p99 = np.percentile(times, (50, 99))
            name = f"{deed}, {shape}{what}"
            rows += [Row(f"{name}, p50", float(p50), "ms", ""), Row("… p99", float(p99), "ms", "50"),
                     Row("… at most", max(times), "ms", "")]  # fmt: skip
        for part, times in sorted(parts.items(), key=lambda one: -max(one[1])):
            rows.append(Row(f"    {part}, p50", float(np.median(times)), "ms", ""))
            rows.append(Row(f"    {part}, most", max(times), "ms", ""))
    return rows


def _warm(fold: Fold, groups: dict[tuple[str, str], list[list[Stored]]]) -> None:
    """Load the kernels on the first of each group, as `heedful serve` does before it answers."""
    for number, ((_, deed), people) in enumerate(groups.items()):
        first = people.pop(0)
        if deed == "taken out":
            fold.retract(first)
        else:
            fold.apply([Stored(position(1, number + 1), _refusal(first[0].record.subject, number))])


def fill(fold: Fold, events: int, *, seed: int = 7) -> int:
    """Count clicks in, by the rows they come to; returns the microseconds that they span."""
    items = np.array([fold.items.code(f"item-{item:06d}") for item in range(ITEMS)], dtype=np.int32)
    view, random, made = fold.kinds.code("view"), np.random.default_rng(seed), clicks(events, ITEMS)
    names = random.bytes(16 * (events + 1))
    last = int(START)
    for begin in range(0, events, _BATCH):
        count = min(_BATCH, events - begin)
        flat = np.fromiter((x for one in islice(made, count) for x in one), dtype=np.int64, count=3 * count)
        session, item, at = flat.reshape(-1, 3).T
        prints = random.integers(0, 2**64, count, dtype=np.uint64)
        fold.claims.put_many(prints, np.arange(begin + 1, begin + count + 1, dtype=np.int64))
        rows = Rows(
            subject=fold.subjects.codes([SubjectId(names[16 * s : 16 * s + 16]) for s in session.tolist()]),
            item=items[item], kind=np.full(count, view, dtype=np.uint16), at=at.copy(), fingerprint=prints,
            line=np.zeros(count, dtype=np.uint16), quantity=np.ones(count, dtype=np.int32),
        )  # fmt: skip
        fold._feed.tell("apply", rows)  # what a batch of a log comes to; reading it is measured elsewhere
        last = int(at.max())
    fold.catalogue.ensure(len(fold.items))
    fold.cursor = fold.cursor.advanced(position(0, events))
    return last - int(START)


def _record(name: str, n: int, item: int, at: Instant) -> Record:
    bought = n % 50 == 49
    event = Event(
        "purchase" if bought else "cart" if n % 10 == 9 else "view",
        (Line(f"item-{item:06d}", 1, 1_999, f"item-{item:06d}"),), currency="EUR",
        order=f"{name}-{n}" if bought else "", anonymous=name,
    )  # fmt: skip
    return Record(EventId(f"web:{name}:{n}"), NAMES.anonymous(name), at, at, at, at, encode(event))


def _refusal(subject: SubjectId, number: int) -> Record:
    said = msgspec.json.encode({"choices": {"*": False}})
    when = START
    return Record(
        EventId(f"web:no{number}"), subject, when, when, when, when, encode(Event(CONSENT, properties=said))
    )


def _watch(fold: Fold, parts: dict[str, list[float]]) -> None:
    """Note the time of everything that a change calls."""
    watched: list[tuple[object, str, str]] = [
        (view, verb, f"{view.name}.{verb}") for view in fold.views for verb in ("apply", "retract")
    ]
    watched += [(fold._interpreter, "share", "share"), (fold._interpreter, "rows", "rows")]
    watched += [
        (fold.orders, "retract", "orders.retract"),
        (fold, "_winner", "winner"),
        (fold, "records_of", "records_of"),
    ]
    watched += [
        (fold.claims, "remove", "claims.remove"),
        (fold.trends, "top", "top"),
        (fold, "_change", "change"),
    ]
    watched += [(fold._feed, "rejudge", "rejudge"), (fold.history, "purposes_of", "purposes_of")]
    watched += [
        (fold.sessions, "_reserve", "sessions._reserve"),
        (fold.history, "_reserve", "history._reserve"),
        (fold.lawful, "judged", "judged"),
        (fold.outcomes, "retract_facts", "retract_facts"),
    ]

    for owner, name, called in watched:
        inner = getattr(owner, name)

        def timed(
            *given: object, inner: Callable[..., object] = inner, called: str = called, **named: object
        ) -> object:
            began = time.perf_counter()
            try:
                return inner(*given, **named)
            finally:
                parts[called].append((time.perf_counter() - began) * 1e3)

        setattr(owner, name, timed)
