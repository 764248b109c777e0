"""The stages in their order: sources, gathering, filters, ranker, policy.

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

from heedful.pipeline.candidates import Candidates, Gatherer, Proposal
from heedful.pipeline.context import Context
from heedful.pipeline.filters import Filter
from heedful.pipeline.policy import Policy
from heedful.pipeline.ranker import Ranker
from heedful.pipeline.sources import NOTHING, Source
from heedful.views.dictionary import Items


class Stage(NamedTuple):
    """What one component did. considered = kept + removed.

    items: int32, the ones removed, by filters; what the policy leaves out is in `Slate.ranked`.
    """

    stage: str
    name: str
    nanoseconds: int
    considered: int
    kept: int
    items: NDArray[np.int32]

    @property
    def removed(self) -> int:
        return self.considered - self.kept


class Slate(NamedTuple):
    """What is shown, best first, and how it came about.

    items: int32 (s,). scores: float64 (s,). propensities: float64 (s,).
    source: int64 (s,), the source that gave most to each item's score. because: int32 (s,), or -1.
    ranked: every candidate that was scored, and scores: float64 (n,), for the trace.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.float64]
    propensities: NDArray[np.float64]
    source: NDArray[np.int64]
    because: NDArray[np.int32]
    ranked: Candidates
    ranked_scores: NDArray[np.float64]
    stages: tuple[Stage, ...]


_NONE = np.empty(0, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A way to make slates.

    sources: asked in order, each for at most `width` items or twice what is wanted. fallback: asked, in
    order, while fewer candidates than wanted have passed the filters.
    """

    items: Items
    gatherer: Gatherer
    sources: tuple[Source, ...]
    fallback: tuple[Source, ...]
    filters: tuple[Filter, ...]
    ranker: Ranker
    policy: Policy
    width: int = 60

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of every `Candidates`: sources, then fallback."""
        return tuple(source.name for source in (*self.sources, *self.fallback))

    def run(self, context: Context, *, seed: int, more: Sequence[Filter] = ()) -> Slate:
        """Answer one question. `more` are the request's own filters, applied after ours."""
        stages: list[Stage] = []
        filters = (*self.filters, *more)
        width = max(self.width, 2 * context.limit)
        proposals = [self._ask(source, context, width, stages) for source in self.sources]
        silent = [NOTHING] * len(self.fallback)
        candidates = self._filtered(self.gatherer.gather([*proposals, *silent]), context, filters, stages)
        for place, source in enumerate(self.fallback):
            if len(candidates.items) >= context.limit:
                break
            silent[place] = self._ask(source, context, 3 * width, stages)
            candidates = self._filtered(self.gatherer.gather([*proposals, *silent]), context, filters, stages)
        began = perf_counter_ns()
        scores = self.ranker.score(candidates)
        choice = self.policy.choose(scores, self.items.keys[candidates.items], size=context.limit, seed=seed)
        rows = choice.rows
        carrier = candidates.scores[rows].argmax(axis=1) if len(rows) else rows
        spent = perf_counter_ns() - began
        stages.append(Stage("policy", "choice", spent, len(scores), len(rows), _NONE))
        return Slate(
            items=candidates.items[rows],
            scores=scores[rows],
            propensities=choice.propensities,
            source=carrier,
            because=candidates.because[rows, carrier],
            ranked=candidates,
            ranked_scores=scores,
            stages=tuple(stages),
        )

    def _ask(self, source: Source, context: Context, limit: int, stages: list[Stage]) -> Proposal:
        began = perf_counter_ns()
        proposal = source.propose(context, limit=limit)
        count = len(proposal.items)
        stages.append(Stage("source", source.name, perf_counter_ns() - began, count, count, _NONE))
        return proposal

    def _filtered(
        self, candidates: Candidates, context: Context, filters: Sequence[Filter], stages: list[Stage]
    ) -> Candidates:
        for filter_ in filters:
            began = perf_counter_ns()
            considered, removed = len(candidates.items), _NONE
            kept = filter_.keeps(context, candidates.items)
            if kept is not None and not kept.all():
                removed = candidates.items[~kept]
                candidates = candidates.only(kept)
            spent, left = perf_counter_ns() - began, len(candidates.items)
            stages.append(Stage("filter", filter_.name, spent, considered, left, removed))
        return candidates
