"""Visitors in real time, without end: what makes a demo server a living shop.

Who comes, what for and what they do is drawn from the world's seed; only the moment comes from the clock.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from random import Random
from threading import Event as Flag

from heedful.playground.calls import Call, Calls
from heedful.playground.truth import day_of
from heedful.playground.visits import Diary, Shelves, Step, Visit, goal_of
from heedful.playground.world import World
from heedful.vocabulary.time import DAY, MILLISECOND, SECOND, Clock, Instant

PATIENCE = 30 * SECOND
"""After a longer silence (a laptop that slept) what was missed is skipped and not made up for."""


class Live:
    """Sends the calls of visitors as they happen.

    world: whose people come. send: takes one call; what it raises ends `run`. clock: where the present comes
    from. visitors_per_second: mean of the Poisson process of arrivals, above 0. guests: the share of
    visitors, 0 to 1, that the shop has never seen: like somebody of the crowd, but anonymous and new each
    time. Raises ValueError for a figure out of range.
    """

    def __init__(
        self,
        world: World,
        send: Callable[[Call], object],
        clock: Clock,
        *,
        visitors_per_second: float = 1.0,
        guests: float = 0.7,
    ) -> None:
        if not visitors_per_second > 0:
            raise ValueError(f"visitors_per_second must be above 0, not {visitors_per_second}")
        if not 0 <= guests <= 1:
            raise ValueError(f"guests must be 0 to 1, not {guests}")
        self.world = world
        self.send = send
        self.clock = clock
        self.visitors_per_second = visitors_per_second
        self.guests = guests
        self._seen = clock.now()
        run = world.run_name("live", self._seen)
        self._dice = Random(run)  # noqa: S311 - a simulation, replayed from its seed
        self._diary = Diary(world.truth, self._dice)
        self._calls = Calls(world.catalogue, world.crowd, run)
        self._cumulative = list(accumulate(world.crowd.visits_per_day.tolist()))
        self._shelves: tuple[int, Shelves] | None = None
        self._pending: list[tuple[int, int, Step]] = []
        self._count = 0
        self._last: int = self._seen
        self._next = self._after(self._seen)

    def run(self, stop: Flag, every: float = 0.2) -> None:
        """Sends what is due, looking at the clock every so many seconds, until `stop` is set."""
        while not stop.wait(every):
            for call in self.due(self.clock.now()):
                if stop.is_set():
                    return
                self.send(call)

    def due(self, now: Instant) -> list[Call]:
        """The calls since the last time up to `now`, in order of time. How often one asks changes nothing."""
        if now - self._seen > PATIENCE:
            self._skip(now)
        self._seen = max(self._seen, now)
        while self._next <= now:
            self._arrive(Instant(self._next))
            self._next = self._after(self._next)
        calls = []
        while self._pending and self._pending[0][0] <= now:
            at, _, step = heapq.heappop(self._pending)
            self._last = max(at // MILLISECOND * MILLISECOND, self._last + MILLISECOND)
            calls.append(self._calls.call(step, self._last))
        return calls

    def _after(self, at: int) -> int:
        """The arrival after one at `at`."""
        return at + 1 + int(self._dice.expovariate(self.visitors_per_second) * SECOND)

    def _arrive(self, at: Instant) -> None:
        """Somebody comes: their whole visit is drawn now and sent as its time comes."""
        dice = self._dice
        who = bisect_right(self._cumulative, dice.random() * self._cumulative[-1])
        who = min(who, len(self._cumulative) - 1)
        day = day_of(at)
        goal = goal_of(self.world.truth, who, day, dice.random())
        guest = f"guest-{self._calls.run}-{self._diary.count + 1}" if dice.random() < self.guests else ""
        if self._shelves is None or self._shelves[0] != day:
            self._shelves = day, Shelves(self.world.truth, Instant(day * DAY))
        for step in self._diary.steps(Visit(who, at, goal, guest), self._shelves[1]):
            heapq.heappush(self._pending, (step.at, self._count, step))
            self._count += 1

    def _skip(self, now: Instant) -> None:
        """Forgets what should have happened during a silence; what lies ahead stays."""
        self._pending = [entry for entry in self._pending if entry[0] >= now]
        heapq.heapify(self._pending)
        self._next = max(self._next, now)
