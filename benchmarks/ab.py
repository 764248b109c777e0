"""A/B experiments whose truth is known: how often the interval holds it, and what asking for a result costs.

The playground's shop, "popular" (control) against what the engine answers by itself ("learned"), through the
real engine: every visitor of an experiment is a stranger who looks at one to three things, asks for a list, is
given an arm, is exposed by the answer, and clicks or does not, by chances that only the playground knows. 200
experiments of 600 visitors, each with its own people and its own lot, on a shop with two days of history;
within an experiment both arms teach the engine. The truth is what those chances come to for the lists that were
shown, exactly and without dice, over 120 more experiments of the same kind with other seeds.
HEEDFUL_BENCH_AB_RUNS sets how many are run, about a second each.

Then a result of 20 metrics in 4 arms over a log of a million events (HEEDFUL_BENCH_AB_EVENTS), asked for again
and again. Run as `python -m benchmarks ab`.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

import msgspec
import numpy as np

from benchmarks.shopfloor import START
from benchmarks.table import Row, show
from heedful.compose.assembly import Stores, engine_of
from heedful.compose.vaults import memory_vault
from heedful.experiments.inference.answers import Estimate, Method
from heedful.faces.client import Client
from heedful.log.claims import Claims
from heedful.log.codec import encode
from heedful.log.cursor import Cursor
from heedful.log.memory import MemoryLog
from heedful.playground.catalogue import DEPARTMENT_NUMBER
from heedful.playground.truth import examination
from heedful.playground.wares import DEPARTMENTS
from heedful.playground.world import OPENED, World
from heedful.records.memory import MemoryRecords
from heedful.services.verify import catch_up
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vault.vault import Vault
from heedful.vocabulary.event import Event, Line, Position, Record, Stored
from heedful.vocabulary.ids import EventId
from heedful.vocabulary.kinds import CART, CLICK, EXPOSURE, PAGE, PURCHASE, VIEW
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import DAY, MINUTE, FixedClock, Instant

RUNS = int(os.environ.get("HEEDFUL_BENCH_AB_RUNS", "200"))
EVENTS = int(os.environ.get("HEEDFUL_BENCH_AB_EVENTS", "1000000"))
TRUTH_RUNS, VISITORS, AT_ONCE, PLACES = 120, 600, 50, 6
METRICS = ("clicked", "clicks")
ARMS = ("popular", "learned")
DAYS = 2
NAMES = Pseudonyms(bytes(range(32)))
DRAFT: dict[str, Any] = {
    "on": {"kind": "placement", "name": "home"},
    "arms": [{"key": "popular", "value": {"policy": "popular"}}, {"key": "learned"}],
    "metrics": METRICS,
    "statistics": {"kind": "sequential", "units": VISITORS},
}


class Found(NamedTuple):
    """Of one experiment. chances: by metric and arm, Σ of what was to be expected of each visitor, and how many.

    answers: by metric and method.
    """

    chances: dict[tuple[str, str], tuple[float, int]]
    answers: dict[tuple[str, Method], Any]


class Shop:
    """The world, and a log of its first days that every experiment begins with."""

    def __init__(self) -> None:
        self.world = World(seed=11, items=240, shoppers=300)
        self.clock = FixedClock(Instant(OPENED + DAYS * DAY))
        self.vault: Vault = memory_vault(self.clock)
        self.history: list[Record] = []
        log = MemoryLog()
        client = self.opened(log)
        client.put_items(self.world.items())
        calls = list(self.world.events(OPENED, days=DAYS))
        for start in range(0, len(calls), 400):
            client.batch(calls[start : start + 400])
        self.history = [stored.record for stored in log.read(Cursor(), limit=10**9)]
        departments = self.world.catalogue.department
        self._shelves = [np.flatnonzero(departments == number) for number in range(len(DEPARTMENTS))]

    def opened(self, log: MemoryLog) -> Client:
        """A client over a log that begins with the history."""
        log.append(self.history)
        stores = Stores(log, self.vault, Claims(), MemoryRecords(), None, None)
        engine = engine_of(stores, NAMES, Settings(holdout=0.0), self.clock, None)
        catch_up(engine.fold, engine.log)
        engine.refresh()
        return Client(engine)

    def experiment(self, seed: int) -> Found:
        """One experiment, from its start to its result."""
        self.clock.at = Instant(OPENED + DAYS * DAY)
        dice, client = Random(seed), self.opened(MemoryLog())
        key = f"ab-{seed}"
        client.put_experiment(key, **DRAFT)
        client.start_experiment(key)
        chances: dict[tuple[str, str], tuple[float, int]] = {
            (m, arm): (0.0, 0) for m in METRICS for arm in ARMS
        }
        for start in range(0, VISITORS, AT_ONCE):
            people = [self._visitor(seed, start + n, dice) for n in range(AT_ONCE)]
            client.batch([_call("Product Viewed", who.id, item) for who in people for item in who.seen])
            self.clock.at = Instant(self.clock.at + MINUTE)
            calls = []
            for who in people:
                answer = client.recommend(anonymous_id=who.id, placement="home", limit=PLACES)
                arm = dict(answer.arms)[key]
                shown = [item.item_id for item in answer.items]
                for metric, chance in zip(METRICS, self._expected(who, shown), strict=True):
                    total, count = chances[metric, arm]
                    chances[metric, arm] = total + chance, count + 1
                response = self.world.respond(who.like, shown, self.clock.at, dice, who.goal)
                calls += [
                    _call("Product Clicked", who.id, item, answer.decision_id) for item in response.clicked
                ]
            self.clock.at = Instant(self.clock.at + MINUTE)
            if calls:
                client.batch(calls)
        answers: dict[tuple[str, Method], Any] = {}
        for method in (Method.SEQUENTIAL, Method.FIXED):
            told = client.experiment_results(key, method=method)
            answers |= {(row.metric, method): row.answer for row in told.rows}
        client.close()
        return Found(chances, answers)

    def _visitor(self, seed: int, number: int, dice: Random) -> _Visitor:
        """A stranger who is like somebody of the crowd, and what they looked at before."""
        who = dice.randrange(len(self.world.crowd))
        chances = self.world.truth.goal_chances(who, self.clock.at // DAY)
        goal = dice.choices(range(len(DEPARTMENTS)), chances.tolist())[0]
        shelf = self._shelves[goal]
        odds = self.world.truth.odds(who, self.clock.at, goal).click[shelf]
        seen = dice.choices(shelf.tolist(), odds.tolist(), k=dice.randint(1, 3))
        like = self.world.crowd.shoppers[who].id
        items = self.world.catalogue.items
        return _Visitor(
            f"v-{seed}-{number}", like, DEPARTMENTS[goal].name, tuple(items[one].id for one in seen)
        )

    def _expected(self, who: _Visitor, shown: Sequence[str]) -> tuple[float, float]:
        """The chance that somebody clicks at all, and how many clicks are to be expected."""
        numbers = [self.world.catalogue.number[item] for item in shown]
        like, goal = self.world.crowd.number[who.like], DEPARTMENT_NUMBER[who.goal]
        odds = self.world.truth.odds(like, self.clock.at, goal).click[numbers]
        each = examination(len(shown)) * odds
        return float(1.0 - np.prod(1.0 - each)), float(each.sum())


class _Visitor(NamedTuple):
    id: str
    like: str
    goal: str
    seen: tuple[str, ...]


def _call(event: str, who: str, item: str, decision: str = "") -> dict[str, object]:
    context = {"context": {"decisionId": decision}} if decision else {}
    return {
        "type": "track",
        "event": event,
        "anonymousId": who,
        "properties": {"product_id": item},
        **context,
    }


def truth(found: Sequence[Found], metric: str) -> tuple[float, float]:
    """The relative effect that the chances come to, and its standard error over experiments (jackknife)."""

    def effect(some: Sequence[Found]) -> float:
        means = []
        for arm in ARMS:
            parts = [one.chances[metric, arm] for one in some]
            means.append(sum(total for total, _ in parts) / sum(count for _, count in parts))
        return means[1] / means[0] - 1.0

    parts = [effect([*found[:n], *found[n + 1 :]]) for n in range(len(found))]
    spread = statistics.pvariance(parts) * (len(found) - 1)
    return effect(found), spread**0.5


def coverage(runs: int = RUNS, truth_runs: int = TRUTH_RUNS) -> list[Row]:
    """How often the interval holds the truth."""
    shop = Shop()
    known = [shop.experiment(1_000_000 + n) for n in range(truth_runs)]
    found = [shop.experiment(n) for n in range(runs)]
    rows = []
    for metric in METRICS:
        true, error = truth(known, metric)
        rows.append(Row(f"true effect on {metric}, relative", 100 * true, "%", f"± {100 * error:.1f} (s.e.)"))
        for method in (Method.SEQUENTIAL, Method.FIXED):
            answers = [one.answers[metric, method] for one in found]
            told = [one for one in answers if isinstance(one, Estimate)]
            held = sum((one.low or 0.0) <= true <= (one.high or 0.0) for one in told)
            claimed = sum((one.low or 0.0) > 0 for one in told)
            name = f"{metric}, {method.value}"
            rows += [
                Row(f"{name}: truth in the interval", 100 * held / runs, "%", "≥ 93 %"),
                Row(f"{name}: effect found", 100 * claimed / runs, "%", ""),
                Row(f"{name}: mean estimate", 100 * statistics.mean(one.value for one in told), "%", ""),
                Row(f"{name}: refused", len(answers) - len(told), "runs", ""),
            ]
    return rows


def records(events: int, arms: int) -> Iterator[Record]:
    """A log of people who come ten times in ten days; the third time they are exposed."""
    random = np.random.default_rng(5)
    people = events // 10
    subjects = [NAMES.anonymous(f"p-{n}") for n in range(people)]
    lot = random.integers(0, arms, people)
    kinds = (PAGE, VIEW, VIEW, VIEW, CLICK, CLICK, CART, PURCHASE)
    drawn = random.integers(0, len(kinds), events)
    items = random.integers(0, 1_000, events)
    for number in range(events):
        who = number % people
        at = Instant(START + (number * 10 * DAY) // events + who % 1_000)
        if number // people == 2:
            said = f'[["page","arm {lot[who]}"]]'.encode()
            event = Event(kind=EXPOSURE, decision=f"x{who:x}", properties=said)
        else:
            name = f"item-{items[number]}"
            event = Event(
                kind=kinds[drawn[number]], lines=(Line(name, 1, 1_999, name),), currency="EUR", name="",
                order=f"o{number}" if kinds[drawn[number]] == PURCHASE else "",
            )  # fmt: skip
        yield Record(EventId(f"{number:x}"), subjects[who], at, at, at, at, encode(event))


def asking(events: int = EVENTS, arms: int = 4, metrics: int = 20) -> list[Row]:
    """What a result costs over a log: with nothing new, and after a hundred events more."""
    clock = FixedClock(START)
    stores = Stores(MemoryLog(), memory_vault(clock), Claims(), MemoryRecords(), None, None)
    client = Client(engine_of(stores, NAMES, Settings(holdout=0.0), clock, None))
    known = [name for name in client.engine.experiments.goals() if name != "click_rate"]
    own = [f"clicks-{hours}" for hours in range(2, 2 + metrics - len(known))]
    for name in own:
        body = {"kinds": ["click"], "hours": int(name.split("-")[1]) * 24}
        client.engine.experiments.put_goal(name, body, author="bench")
    named = [{"key": f"arm {n}"} for n in range(arms)]
    goals = [*known, *own]
    on = {"kind": "placement", "name": "home"}
    guards = [{"metric": name} for name in goals[-3:]]
    client.put_experiment("page", on=on, arms=named, metrics=goals[:-3], guardrails=guards)
    client.start_experiment("page")
    fold, offset = client.engine.fold, client.engine.log.end().offset(0)
    began, batch = time.perf_counter(), []
    for number, record in enumerate(records(events, arms), start=1):
        batch.append(Stored(Position(offset + number), record))
        if len(batch) == 5_000 or number == events:
            fold.apply(batch)
            batch = []
    folded = time.perf_counter() - began
    clock.at = Instant(START + 40 * DAY)
    began = time.perf_counter()
    fold.trials.refresh()
    first = time.perf_counter() - began
    asked, moved = [], []
    more = iter(records(20_000, arms))
    for look in range(60):
        asked.append(_timed(lambda: client.experiment_results("page")))
        part = [next(more) for _ in range(100)]
        stored = [
            Stored(
                Position(offset + events + look * 100 + n),
                msgspec.structs.replace(one, id=EventId(f"more-{look}-{n}")),
            )
            for n, one in enumerate(part, start=1)
        ]
        fold.apply(stored)
        moved.append(_timed(fold.trials.refresh))
    told = client.experiment_results("page")
    units = sum(one.units or 0 for one in told.arms)
    page = f"{metrics} metrics, {arms} arms, {events:,} events"
    return [
        Row(f"{page}: a result, median", statistics.median(asked), "ms", "≤ 5 ms"),
        Row("  the least", min(asked), "ms", ""),
        Row("  the sums after 100 events more", statistics.median(moved), "ms", ""),
        Row("  the sums of everybody, from nothing", first * 1000, "ms", ""),
        Row("  units", units, "", ""),
        Row("  rows with an estimate", sum(isinstance(row.answer, Estimate) for row in told.rows), "", ""),
        Row("  events folded", events / folded, "/s", ""),
    ]


def _again(record: Record, name: str) -> Record:
    return msgspec.structs.replace(record, id=EventId(name))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1_000


def run() -> list[Row]:
    return [*asking(), *coverage()]


if __name__ == "__main__":
    show("A/B experiments with a known truth", run())
