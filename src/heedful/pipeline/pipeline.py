"""The stages in their order: sources, filters, ranker, policy.

The pipeline is a value that can be printed. It times and counts every stage, so that no component can forget
to; the components only compute. Nothing disappears: at every filter, considered = kept + removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.pipeline.candidates import KEPT, Candidates
from heedful.pipeline.context import Context
from heedful.pipeline.filters import Filter
from heedful.pipeline.placing import PLAIN, Plan
from heedful.pipeline.policy import Policy
from heedful.pipeline.ranker import Ranker
from heedful.pipeline.sources import Source
from heedful.views.dictionary import Items

WIDE = 2_000
"""What a fallback is asked for when the request has a condition of its own, which few items may meet."""


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
    """What is shown, best first, and how it came about.

    items: int32 (s,). scores: float64 (s,). propensities: float64 (s,).
    source: int32 (s,), the source that gave most to each item's score. because: int32 (s,), or -1.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.float64]
    propensities: NDArray[np.float64]
    source: NDArray[np.int32]
    because: NDArray[np.int32]
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A way to make slates.

    sources: asked in order, each for at most `width` items or twice what is wanted. fallback: asked, in
    order, while fewer candidates than wanted have passed the filters.
    candidates: the columns of the last question, one per source and then per fallback.
    """

    items: Items
    candidates: Candidates
    sources: tuple[Source, ...]
    fallback: tuple[Source, ...]
    filters: tuple[Filter, ...]
    ranker: Ranker
    policy: Policy
    width: int = 60

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
        kept = self._filter(context, filters, stages)
        for column, source in enumerate(self.fallback, start=len(self.sources)):
            if kept >= context.limit:
                break
            self._ask(source, column, context, WIDE if more else 3 * width, stages)
            kept = self._filter(context, filters, stages)
        return self._choose(context, plan, seed, kept, stages)

    def _ask(self, source: Source, column: int, context: Context, limit: int, stages: list[Stage]) -> None:
        began = perf_counter_ns()
        count = source.propose(context, self.candidates, column, limit=limit)
        stages.append(Stage("source", source.name, perf_counter_ns() - began, count, count))

    def _filter(self, context: Context, filters: Sequence[Filter], stages: list[Stage]) -> int:
        """Apply `filters` to the rows that are still there; returns how many stay."""
        candidates = self.candidates
        considered = candidates.kept
        began = perf_counter_ns()
        for number, filter_ in enumerate(filters, start=1):
            kept = considered - filter_.remove(context, candidates, number)
            done = perf_counter_ns()
            stages.append(Stage("filter", filter_.name, done - began, considered, kept, number))
            considered, began = kept, done
        candidates.kept = considered
        return considered

    def _choose(self, context: Context, plan: Plan, seed: int, kept: int, stages: list[Stage]) -> Slate:
        began = perf_counter_ns()
        candidates = self.candidates
        self.ranker.score(candidates)
        plan.boost(context, candidates)
        choice = self.policy.choose(candidates, self.items.keys, size=context.limit, seed=seed)
        rows, propensities = plan.place(candidates, choice, context.limit, self.names)
        columns = candidates.columns
        carrier = columns.carrier[rows]
        return Slate(
            items=columns.item[rows],
            scores=columns.total[rows],
            propensities=propensities,
            source=carrier,
            because=columns.because[rows * candidates.sources + carrier],
            stages=(*stages, Stage("policy", "choice", perf_counter_ns() - began, kept, len(rows))),
        )
