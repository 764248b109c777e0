"""How fast the history and the session index learn, forget and answer, on a synthetic shop.

1M sessions of 250,000 people with 4.5M events on 200,000 items (Zipf 0.9). 95% of the events come in order in
batches, 5% late; then 1% of the sessions are cut again and 1% of the people forgotten; only then it is asked.
Run as `python -m benchmarks.sessions`; one core.
"""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.dictionary import Items, Kinds, Subjects
from heedful.views.history import History
from heedful.views.neighbours import Neighbours
from heedful.views.reading import Desk
from heedful.views.rows import Rows
from heedful.views.rules import Rules
from heedful.views.sessions import Sessions
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.kinds import VIEW
from heedful.vocabulary.time import DAY, MINUTE, SECOND

Table = list[tuple[str, float, str, str]]
SPAN = 30 * DAY
BATCH = 10_000


class Shop(NamedTuple):
    """A synthetic shop: its views, all its rows in order of time, and the session of each row."""

    items: Items
    subjects: Subjects
    history: History
    sessions: Sessions
    rows: Rows
    session: NDArray[np.int64]


def lengths(chance: np.random.Generator, n: int) -> NDArray[np.int64]:
    """Session lengths like real ones: mean 4.5, many of 2 and 3, a long tail, at most 50."""
    drawn = 1 + np.floor(chance.lognormal(mean=0.85, sigma=0.85, size=n)).astype(np.int64)
    return np.minimum(drawn + (chance.random(n) < 0.65), 50)


def zipf(chance: np.random.Generator, items: int, n: int) -> NDArray[np.int32]:
    """n items with probability proportional to rank^-0.9, ranks shuffled over the codes."""
    weights = np.cumsum(np.arange(1, items + 1) ** -0.9)
    ranks = np.searchsorted(weights, chance.random(n) * weights[-1])
    drawn: NDArray[np.int32] = chance.permutation(items).astype(np.int32)[ranks]
    return drawn


def shop(sessions: int = 1_000_000, items: int = 200_000, people: int = 250_000) -> Shop:
    """An empty shop with the rows it will see."""
    chance = np.random.default_rng(1)
    known, subjects, kinds = Items(Pseudonyms(bytes(32))), Subjects(), Kinds()
    for n in range(items):
        known.code(f"item-{n}")
    raw = chance.bytes(16 * people)
    subjects.codes([SubjectId(raw[n : n + 16]) for n in range(0, len(raw), 16)])
    size = lengths(chance, sessions)
    session = np.repeat(np.arange(sessions), size)
    n = len(session)
    gaps = np.minimum(chance.exponential(60, n), 25 * 60)
    firsts = np.cumsum(size) - size
    gaps[firsts] = 0
    inside = np.cumsum(gaps)
    at = chance.random(sessions)[session] * SPAN + (inside - inside[firsts][session]) * SECOND
    order = np.argsort(at, kind="stable")
    rows = Rows(
        subject=chance.integers(0, people, sessions)[session][order].astype(np.int32),
        item=zipf(chance, items, n),
        kind=np.full(n, kinds.code(VIEW), dtype=np.uint16),
        at=at[order].astype(np.int64),
        fingerprint=chance.integers(0, 2**64, n, dtype=np.uint64),
        line=np.zeros(n, dtype=np.uint16),
        quantity=np.ones(n, dtype=np.int32),
    )
    history = History(subjects, known, kinds)
    joins = np.array([kind == VIEW for kind in kinds.names])
    view = Sessions(history, known, subjects, kinds, joins, idle=30 * MINUTE)
    return Shop(known, subjects, history, view, rows, session[order])


def part(rows: Rows, which: NDArray[np.int64]) -> Rows:
    """The rows at `which`."""
    return Rows(
        rows.subject[which], rows.item[which], rows.kind[which], rows.at[which], rows.fingerprint[which],
        rows.line[which], rows.quantity[which],
    )  # fmt: skip


def in_order(place: Shop, which: NDArray[np.int64]) -> tuple[float, float]:
    """Apply rows in batches; microseconds an event in the history and in the sessions."""
    batches = [part(place.rows, which[start : start + BATCH]) for start in range(0, len(which), BATCH)]
    history = sessions = 0
    for rows in batches:
        begun = time.perf_counter_ns()
        place.history.apply(rows)
        between = time.perf_counter_ns()
        place.sessions.apply(rows)
        history += between - begun
        sessions += time.perf_counter_ns() - between
    return history / len(which) / 1e3, sessions / len(which) / 1e3


def one_by_one(place: Shop, groups: list[Rows], *, retract: bool) -> NDArray[np.float64]:
    """Apply or retract each group of rows by itself, through both views; microseconds each."""
    taken = np.empty(len(groups))
    for n, rows in enumerate(groups):
        begun = time.perf_counter_ns()
        if retract:
            place.history.retract(rows)
            place.sessions.retract(rows)
        else:
            place.history.apply(rows)
            place.sessions.apply(rows)
        taken[n] = (time.perf_counter_ns() - begun) / 1e3
    return taken


def questions(place: Shop, n: int) -> list[NDArray[np.int32]]:
    """Current items of people in the middle of a session: distinct, newest first, at most 9."""
    chance = np.random.default_rng(2)
    asked = []
    for length in np.minimum(lengths(chance, 4 * n), 9):
        items = zipf_like(place, chance, int(chance.integers(1, length + 1)))
        asked.append(items)
    return asked[:n]


def zipf_like(place: Shop, chance: np.random.Generator, length: int) -> NDArray[np.int32]:
    """`length` distinct items drawn as the shop's own events were."""
    drawn = place.rows.item[chance.integers(0, len(place.rows), length)]
    return np.array(list(dict.fromkeys(drawn.tolist())), dtype=np.int32)


def answers(place: Shop, m: int, k: int, n: int = 4_000) -> NDArray[np.float64]:
    """Microseconds of each answer, measured from Python."""
    reader = Neighbours(Desk(place.sessions, place.items))
    asked = questions(place, n)
    for current in asked[:200]:
        reader.read(current, 20, m=m, k=k)
    taken = np.empty(n)
    for i, current in enumerate(asked):
        begun = time.perf_counter_ns()
        reader.read(current, 20, m=m, k=k)
        taken[i] = (time.perf_counter_ns() - begun) / 1e3
    return taken


def churn(place: Shop, late: NDArray[np.int64], table: Table) -> int:
    """Late rows, sessions cut again, people forgotten; returns how many events are left."""
    chance = np.random.default_rng(3)
    chance.shuffle(late)
    singles = late[:20_000]
    taken = one_by_one(place, [part(place.rows, late[i : i + 1]) for i in range(len(singles))], retract=False)
    table.append(("late insert p50", float(np.median(taken)), "us", ""))
    table.append(("late insert p99", float(np.quantile(taken, 0.99)), "us", "100"))
    rest = late[len(singles) :]
    history, sessions = in_order(place, rest)
    table.append(("late insert in bulk, history + sessions", history + sessions, "us/event", ""))
    cut = chance.choice(len(place.rows), 10_000, replace=False)
    groups = [part(place.rows, cut[i : i + 1]) for i in range(len(cut))]
    taken = one_by_one(place, groups, retract=True) + one_by_one(place, groups, retract=False)
    table.append(("one event taken back and given again p50", float(np.median(taken)), "us", ""))
    table.append(("one event taken back and given again p99", float(np.quantile(taken, 0.99)), "us", ""))
    gone = np.sort(chance.choice(len(place.subjects), len(place.subjects) // 100, replace=False))
    own = np.flatnonzero(np.isin(place.rows.subject, gone))
    own = own[np.argsort(place.rows.subject[own], kind="stable")]
    starts = np.searchsorted(place.rows.subject[own], np.append(gone, 2**31 - 1))
    people = [part(place.rows, own[a:b]) for a, b in pairwise(starts) if b > a]
    taken = one_by_one(place, people, retract=True)
    table.append(("forget a person p50", float(np.median(taken)), "us", ""))
    table.append(("forget a person p99", float(np.quantile(taken, 0.99)), "us", ""))
    return len(place.rows) - len(own)


def run(sessions: int = 1_000_000) -> Table:
    """Rows of (name, value, unit, goal)."""
    table: Table = []
    place = shop(sessions, max(1_000, sessions // 5), sessions // 4)
    n = len(place.rows)
    table.append(("events", n, "", ""))
    warm = shop(2_000, 500, 500)
    in_order(warm, np.random.default_rng(5).permutation(len(warm.rows)))
    one_by_one(warm, [part(warm.rows, np.arange(10))], retract=True)
    Rules(Desk(warm.sessions, warm.items)).read(np.zeros(1, dtype=np.int32), 5)
    late = np.flatnonzero(np.random.default_rng(4).random(n) < 0.05)
    on_time = np.setdiff1d(np.arange(n), late)
    history, index = in_order(place, on_time)
    table.append(("insert in order, history", history, "us/event", "0.7"))
    table.append(("insert in order, sessions", index, "us/event", "1.5"))
    left = churn(place, late, table)
    table.append(("memory, history", place.history.nbytes / left, "B/event", "30"))
    table.append(("memory, sessions", place.sessions.nbytes / left, "B/event", "21"))
    for m, k, goal in ((500, 100, "30"), (1_000, 500, "100")):
        taken = answers(place, m, k)
        for share, aim in ((0.5, goal), (0.9, ""), (0.99, "")):
            name = f"answer m={m} k={k} p{share * 100:.0f}"
            table.append((name, float(np.quantile(taken, share)), "us", aim))
    return table


if __name__ == "__main__":
    for name, value, unit, goal in run(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000):
        print(f"{name:44} {value:12.2f} {unit:9} {'goal ' + goal if goal else ''}")
