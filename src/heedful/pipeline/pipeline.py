"""The stages in their order: sources, filters, ranker, twins, arrangement, exploration.

The pipeline is a value that can be printed. It times and counts every stage, so that no component can forget
to; the components only compute. Nothing disappears: at every filter, considered = kept + removed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.pipeline.arrangement import Arrangement
from heedful.pipeline.candidates import KEPT, Candidates
from heedful.pipeline.context import Context
from heedful.pipeline.exploration import Exchange, Exploration, exchanged
from heedful.pipeline.filters import Filter
from heedful.pipeline.placing import PLAIN, Plan
from heedful.pipeline.policy import CERTAIN, Choice
from heedful.pipeline.ranker import Ranker
from heedful.pipeline.sources import Source
from heedful.views.dictionary import Items

WIDE = 2_000
"""What a fallback is asked for when the request has a condition of its own, which few items may meet."""


WITH_TASTE = "+taste:"
"""Between the two ids of what scored."""


class Stage(NamedTuple):
    """What one component did. considered = kept + removed.

    reason: for a filter, the number under which `Candidates.reasons` has the rows that it removed.
    """

    stage: str
    name: str
    nanoseconds: int
    considered: int
    kept: int
    reason: int = KEPT

    @property
    def removed(self) -> int:
        return self.considered - self.kept


class Slate(NamedTuple):
    """What is shown, best first, and how it came about. The arrays are views that the next question overwrites.

    rows: int64 (s,), of the candidates. items: int32 (s,). scores: float64 (s,). propensities: float64 (s,).
    source: int32 (s,), the source that gave most to each item's score. because: int32 (s,), or -1.
    policy: what put them there. stages: as they were run. exchange: where neighbours may have changed places.
    """

    rows: NDArray[np.int64]
    items: NDArray[np.int32]
    scores: NDArray[np.float64]
    propensities: NDArray[np.float64]
    source: NDArray[np.int32]
    because: NDArray[np.int32]
    policy: str
    stages: list[Stage]
    exchange: Exchange | None = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A way to make slates.

    sources: asked in order, each for at most `width` items or twice what is wanted. fallback: asked, in
    order, while fewer candidates than wanted are left.
    candidates: the columns of the last question, one per source and then per fallback.
    arrangements: puts the ranked in order, as the placement asks. twins: removes what a better one stands for.
    exploration: lets chance into as many places as the placement gives it, in such a share of answers.
    taste: the id of the model of long-term taste that a source answers from now, or "".
    """

    items: Items
    candidates: Candidates
    sources: tuple[Source, ...]
    fallback: tuple[Source, ...]
    filters: tuple[Filter, ...]
    ranker: Ranker
    arrangements: Callable[[float, float], Arrangement]
    twins: Filter
    exploration: Callable[[float], Exploration]
    width: int = 60
    taste: Callable[[], str] = str

    @property
    def model(self) -> str:
        """What scored, with its version: the ranker, and the taste beside it where there is one."""
        taste = self.taste()
        return f"{self.ranker.name}{WITH_TASTE}{taste}" if taste else self.ranker.name

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of `candidates`: sources, then fallback."""
        return tuple(source.name for source in (*self.sources, *self.fallback))

    def run(self, context: Context, *, seed: int, more: Sequence[Filter] = (), plan: Plan = PLAIN) -> Slate:
        """Answer one question. `plan` is the placement's; `more` are the request's own filters, applied last."""
        stages: list[Stage] = []
        more = (*plan.filters, *more)
        filters = (*self.filters, *more) if more else self.filters
        width = max(self.width, plan.width, 2 * context.limit)
        self.candidates.clear()
        for column, source in enumerate(self.sources):
            self._ask(source, column, context, width, stages)
        left = list(enumerate(self.fallback, start=len(self.sources)))
        while True:
            kept = self._filter(context, filters, 1, stages)
            if kept >= context.limit or not left:
                self._rank(context, plan, kept, stages)
                kept = self._filter(context, (self.twins,), len(filters) + 1, stages)
            if kept >= context.limit or not left:
                return self._choose(context, plan, seed, kept, stages)
            column, source = left.pop(0)
            self._ask(source, column, context, WIDE if more else 3 * width, stages)

    def _ask(self, source: Source, column: int, context: Context, limit: int, stages: list[Stage]) -> None:
        began = perf_counter_ns()
        count = source.propose(context, self.candidates, column, limit=limit)
        stages.append(Stage("source", source.name, perf_counter_ns() - began, count, count))

    def _filter(self, context: Context, filters: Sequence[Filter], first: int, stages: list[Stage]) -> int:
        """Apply `filters`, numbered from `first`, to the rows that are still there; returns how many stay."""
        candidates = self.candidates
        considered = candidates.kept
        began = perf_counter_ns()
        for number, filter_ in enumerate(filters, start=first):
            kept = considered - filter_.remove(context, candidates, number)
            done = perf_counter_ns()
            stages.append(Stage("filter", filter_.name, done - began, considered, kept, number))
            considered, began = kept, done
        candidates.kept = considered
        return considered

    def _rank(self, context: Context, plan: Plan, kept: int, stages: list[Stage]) -> None:
        began = perf_counter_ns()
        self.ranker.score(context, self.candidates)
        plan.boost(context, self.candidates)
        self.candidates.sort(self.items.keys)
        stages.append(Stage("ranker", self.ranker.name, perf_counter_ns() - began, kept, kept))

    def _choose(self, context: Context, plan: Plan, seed: int, kept: int, stages: list[Stage]) -> Slate:
        """Arrange, explore, and pin; what is pinned stays where it is, so it comes last."""
        began = perf_counter_ns()
        candidates, keys, size = self.candidates, self.items.keys, context.limit
        arrangement = self.arrangements(plan.diversity, plan.calibration)
        rows = arrangement.arrange(candidates, context, keys, size=size)
        arranged = perf_counter_ns()
        stages.append(Stage("arrangement", arrangement.name, arranged - began, kept, len(rows)))
        choice, policy = Choice(rows, CERTAIN[: len(rows)]), arrangement.name
        if plan.slots and plan.share > 0.0:
            exploration = self.exploration(plan.share)
            choice = exploration.explore(candidates, rows, keys, size=size, seed=seed, budget=plan.slots)
            explored = perf_counter_ns() - arranged
            stages.append(Stage("exploration", "slots", explored, len(rows), len(choice.rows)))
            policy = f"{policy}, slots"
        exchange = None
        if plan.swaps > 0.0 and not plan.pins:
            before = perf_counter_ns()
            exchange = exchanged(choice, plan.swaps, seed)
            choice = exchange.choice
            swapped = perf_counter_ns() - before
            stages.append(Stage("exploration", "swaps", swapped, len(choice.rows), len(choice.rows)))
            policy = f"{policy}, swaps"
        rows, propensities = plan.place(candidates, choice, size, self.names)
        item, total, carrier, because = candidates.describe(rows)
        return Slate(rows, item, total, propensities, carrier, because, policy, stages, exchange)
