"""Fit a ranker to the log, judge it beside the one that answers, and put it in force when it is not worse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from heedful.models import lambdamart, linear
from heedful.models.kinds import Fitted, ranker_in_force
from heedful.models.metrics.intervals import Estimate, Refusal, difference, per_user, ratio
from heedful.models.shelf import Facts, Shelf, Version
from heedful.pipeline.pipeline import Pipeline
from heedful.services.evaluate.streams import Stream
from heedful.services.fit.gather import Gathered, Gatherer, GatherSettings, Judged
from heedful.views.fold import Fold
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.kinds import DEFAULT_MEANINGS, VIEW
from heedful.vocabulary.settings import Settings

DEPTH = 20
"""How many places are judged."""

Told = Callable[[str, int, int], None]


class Verdict(NamedTuple):
    """version: what was fitted. promoted: whether it answers now. figures: MRR at DEPTH by who ranked, over the
    judged questions: `fitted`, `blend`, and `in force` where there was a model with the same features.
    gain: over whoever answered before, clustered by person, or why there is none."""

    version: Version
    promoted: bool
    figures: Mapping[str, Estimate | Refusal]
    gain: Estimate | Refusal


def refit(
    stream: Stream,
    position: str,
    shelf: Shelf,
    pipeline_of: Callable[[Fold], Pipeline],
    settings: Settings,
    *,
    objective: Mapping[str, float],
    kind: str = "lambdamart",
    place: str = "ranker",
    how: GatherSettings | None = None,
    era: str | None = None,
    force: bool = False,
    told: Told | None = None,
) -> Verdict:
    """Fit a model of `kind` (`lambdamart` or `linear`) for `place` to `stream`, everything up to `position`.

    era: of the shelf before the stream was read. force: promote even a worse one.
    Raises Invalid where there is too little to learn from, SettingsError without LightGBM.
    """
    how = how or GatherSettings()
    gatherer = Gatherer(stream, pipeline_of, settings, objective, how)
    gathered = gatherer.gather(None if told is None else lambda done, total: told("questions", done, total))
    if told is not None:
        told("fitting", 0, 0)
    model, learned = _fit(kind, gathered, how.seed)
    facts = Facts(
        kind=kind, position=position, settings=msgspec.to_builtins(how), seed=how.seed,
        features=gathered.examples.features, learned=learned, place=place,
    )  # fmt: skip
    version = shelf.add(facts, model.arrays(), era=era)
    before = ranker_in_force(shelf, place)
    rankers: dict[str, Callable[[Judged], NDArray[np.float64]]] = {
        "fitted": _scores(model),
        "blend": lambda question: question.blend,
    }
    if before.ranker is not None and before.ranker.features == model.features:
        rankers["in force"] = _scores(before.ranker)
    ranks = {name: ranks_of(gathered.judged, scores) for name, scores in rankers.items()}
    people = np.array([question.subject for question in gathered.judged], dtype=np.int64)
    figures = {name: ratio(per_user(people, values)) for name, values in ranks.items()}
    rival = "in force" if "in force" in ranks else "blend"
    gain = difference(per_user(people, ranks["fitted"]), per_user(people, ranks[rival]))
    better = bool(ranks["fitted"].mean() >= ranks[rival].mean()) if len(people) else False
    version = shelf.measured(
        version.id, _plain(ranks, "fitted"),
        against="" if before.version is None or rival == "blend" else before.version.id,
        compared=_plain(ranks, rival),
    )  # fmt: skip
    promoted = (better or force) and not version.stale
    if promoted:
        version = shelf.promote(version.id)
    shelf.prune()
    return Verdict(version, promoted, figures, gain)


def ranks_of(
    judged: Sequence[Judged], scores: Callable[[Judged], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """1 / the best place of something that came next, 0 beyond DEPTH: float64 (questions,)."""
    values = np.zeros(len(judged))
    for number, question in enumerate(judged):
        order = np.lexsort((question.keys, -scores(question)))[:DEPTH]
        hits = np.flatnonzero(question.gains[order] > 0)
        if len(hits):
            values[number] = 1.0 / (hits[0] + 1)
    return values


def _fit(
    kind: str, gathered: Gathered, seed: int
) -> tuple[Fitted, dict[str, str | int | float | bool | None]]:
    counted: dict[str, str | int | float | bool | None] = {
        "asked": gathered.asked, "missed": gathered.missed, "judged": len(gathered.judged),
        "groups": len(gathered.examples), "rows": len(gathered.examples.gains),
    }  # fmt: skip
    if kind == "lambdamart":
        fit = lambdamart.fit(gathered.examples, lambdamart.FitSettings(seed=seed))
        return fit.forest, {**counted, "trees": len(fit.forest), "ndcg": fit.ndcg}
    if kind == "linear":
        return linear.learned(gathered.examples).solve(), counted
    raise Invalid("kind_unknown", f"no kind {kind!r} of ranker: there are lambdamart and linear")


def _scores(model: Fitted) -> Callable[[Judged], NDArray[np.float64]]:
    def scores(question: Judged) -> NDArray[np.float64]:
        out = np.zeros(len(question.gains))
        model.score(np.ascontiguousarray(question.table), out)
        return out

    return scores


def _plain(ranks: Mapping[str, NDArray[np.float64]], name: str) -> dict[str, float]:
    values = ranks[name]
    if not len(values):
        return {}
    return {
        "mrr": float(values.mean()),
        "hit_rate": float((values > 0).mean()),
        "questions": float(len(values)),
    }


def worth_of(settings: Settings, objective: Mapping[str, float] | None = None) -> dict[str, float]:
    """What an interaction of each kind is worth to a ranker.

    Without an objective, what it weighs in trends. With one, what that says; looking at an item is what a click on
    it comes to, so a view is worth what a click is, unless the objective names it.
    """
    meanings = {**DEFAULT_MEANINGS, **settings.kinds}
    if objective is None:
        return {kind: float(meaning.weight) for kind, meaning in meanings.items() if meaning.joins_session}
    worth = {kind: weight for kind, weight in objective.items() if weight > 0}
    if "click" in worth:
        worth.setdefault(VIEW, worth["click"])
    return worth
