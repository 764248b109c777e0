"""Who ranks better: the newest questions of a replay, and the newest answers that were shown, ranked again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.models.kinds import Fitted
from heedful.models.metrics.intervals import Figure, Refusal, Sums, difference, per_user, ratio
from heedful.services.fit.exposures import MOST, Parts, looked_at
from heedful.services.fit.gather import Judged

DEPTH = 20
"""How many places are judged."""

Scorer = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""From a table of features (n, f) to scores (n,)."""


class Judgement(NamedTuple):
    """MRR at DEPTH by who ranked. sums: by person; empty where nothing was judged. hits: the share of questions
    with any hit, by who ranked. questions: how many were judged."""

    sums: Mapping[str, Sums]
    hits: Mapping[str, float]
    questions: int

    def figures(self) -> dict[str, Figure]:
        """The figure of each, with its interval or why there is none."""
        return {name: ratio(sums) for name, sums in self.sums.items()}

    def value(self, name: str) -> float:
        """The figure of `name` without an interval."""
        sums = self.sums[name]
        return float(sums.numerator.sum() / sums.denominator.sum())

    def gain(self, rival: str) -> Figure:
        """What `fitted` has over `rival`, paired by person."""
        if not self.questions:
            return Refusal("nothing was judged", 0, 0)
        return difference(self.sums["fitted"], self.sums[rival])

    def plain(self, name: str, prefix: str = "") -> dict[str, float]:
        """The figures of `name` as a model's ledger keeps them."""
        if not self.questions:
            return {}
        told = {"mrr": self.value(name), "hit_rate": self.hits[name], "questions": float(self.questions)}
        return {prefix + figure: value for figure, value in told.items()}


NOTHING = Judgement({}, {}, 0)


def scorer(model: Fitted) -> Scorer:
    """The scores of a fitted model."""

    def scores(table: NDArray[np.float32]) -> NDArray[np.float64]:
        out = np.zeros(len(table))
        model.score(np.ascontiguousarray(table), out)
        return out

    return scores


def replayed(judged: Sequence[Judged], rankers: Mapping[str, Scorer]) -> Judgement:
    """1 / the best place of something that came next, by who ranked; 0 beyond DEPTH. Beside the `rankers`, `blend`
    is what ranked when it was asked."""
    if not judged:
        return NOTHING
    people = np.array([question.subject for question in judged], dtype=np.int64)
    sums, hits = {}, {}
    for name in ("blend", *rankers):
        values = np.zeros(len(judged))
        for number, question in enumerate(judged):
            scores = rankers[name](question.table) if name in rankers else question.blend
            places = np.flatnonzero(question.gains[_order(scores, question.keys)] > 0)
            values[number] = 1.0 / (places[0] + 1) if len(places) else 0.0
        sums[name], hits[name] = per_user(people, values), float((values > 0).mean())
    return Judgement(sums, hits, len(judged))


def exposed(parts: Parts, rankers: Mapping[str, Scorer]) -> Judgement:
    """As `replayed`, over held-out answers: 1 / the place at which each item that did something would stand among
    those that were seen, each counting 1 / (the chance that it was looked at), at most MOST.

    A self-normalised inverse-propensity estimate (Swaminathan and Joachims, "The self-normalized estimator for
    counterfactual learning", NIPS 2015): it judges by what would have been clicked had everything been seen, so
    that whoever put it there has no advantage.
    """
    if not parts.judged:
        return NOTHING
    _, people = np.unique(np.array([one.subject for one in parts.judged]), return_inverse=True)
    sums, hits = {}, {}
    for name, score in rankers.items():
        values, weights = np.zeros(len(parts.judged)), np.zeros(len(parts.judged))
        for number, one in enumerate(parts.judged):
            order = _order(score(one.table), one.keys)
            better = np.flatnonzero(one.gains[order] > 0)
            chances = looked_at(one, parts.examined[one.placement])[order][better]
            counts = np.minimum(MOST, 1.0 / chances)
            values[number], weights[number] = (counts / (better + 1)).sum(), counts.sum()
        sums[name], hits[name] = per_user(people, values, weights), float((values > 0).mean())
    return Judgement(sums, hits, len(parts.judged))


def _order(scores: NDArray[np.float64], keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    return np.lexsort((keys, -scores))[:DEPTH]
