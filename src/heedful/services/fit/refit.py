"""Fit a ranker to the log, judge it beside the one that answers, and put it in force when it is not worse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from heedful.models import lambdamart, linear
from heedful.models.kinds import Fitted, ranker_in_force
from heedful.models.metrics.intervals import Estimate, Refusal
from heedful.models.shelf import Facts, Shelf, Version
from heedful.pipeline.pipeline import Pipeline
from heedful.services.evaluate.streams import Stream
from heedful.services.fit.exposures import Exposures, Parts, examples_of, parted
from heedful.services.fit.gather import Gathered, Gatherer, GatherSettings
from heedful.services.fit.judgement import Scorer, exposed, replayed, scorer
from heedful.views.fold import Fold
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.kinds import DEFAULT_MEANINGS, VIEW
from heedful.vocabulary.settings import Settings

Told = Callable[[str, int, int], None]


class Verdict(NamedTuple):
    """version: what was fitted. promoted: whether it answers now. figures: MRR at DEPTH by who ranked, over the
    judged questions: `fitted`, `blend`, and `in force` where there was a model with the same features.
    gain: over whoever answered before, clustered by person, or why there is none.
    exposed: MRR by who ranked over held-out answers that were shown, corrected for places; empty where there are
    not enough of them."""

    version: Version
    promoted: bool
    figures: Mapping[str, Estimate | Refusal]
    gain: Estimate | Refusal
    exposed: Mapping[str, Estimate | Refusal] = {}


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
    exposures: Callable[[tuple[str, ...]], Exposures] | None = None,
    era: str | None = None,
    force: bool = False,
    told: Told | None = None,
) -> Verdict:
    """Fit a model of `kind` (`lambdamart` or `linear`) for `place` to `stream`, everything up to `position`.

    exposures: answers of the same log that were shown, for these features (`exposures.gather`). Once
    `how.exposures` are settled, those from before the judged questions are learned from, and newer ones judge too.
    era: of the shelf before the stream was read. force: promote even a worse one.
    Raises Invalid where there is too little to learn from, SettingsError without LightGBM.
    """
    how = how or GatherSettings()
    gatherer = Gatherer(stream, pipeline_of, settings, objective, how)
    gathered = gatherer.gather(None if told is None else lambda done, total: told("questions", done, total))
    if told is not None:
        told("exposures", 0, 0)
    found = exposures(gathered.examples.features) if exposures is not None and how.exposures else None
    shown = parted(found, gathered.until, how.exposures)
    if told is not None:
        told("fitting", 0, 0)
    model, learned = _fit(kind, gathered, shown, how)
    facts = Facts(
        kind=kind, position=position, settings=msgspec.to_builtins(how), seed=how.seed,
        features=gathered.examples.features, learned=learned, place=place,
    )  # fmt: skip
    version = shelf.add(facts, model.arrays(), era=era)
    before = ranker_in_force(shelf, place)
    rankers: dict[str, Scorer] = {"fitted": scorer(model)}
    if before.ranker is not None and before.ranker.features == model.features:
        rankers["in force"] = scorer(before.ranker)
    rival = "in force" if "in force" in rankers else "blend"
    asked = replayed(gathered.judged, rankers)
    seen = exposed(shown, {**rankers, "blend": gathered.blend})
    version = shelf.measured(
        version.id, {**asked.plain("fitted"), **seen.plain("fitted", "exposed_")},
        against="" if before.version is None or rival == "blend" else before.version.id,
        compared={**asked.plain(rival), **seen.plain(rival, "exposed_")},
    )  # fmt: skip
    better = asked.questions > 0 and all(
        one.value("fitted") >= one.value(rival) for one in (asked, seen) if one.questions
    )
    promoted = (better or force) and not version.stale
    if promoted:
        version = shelf.promote(version.id)
    shelf.prune()
    return Verdict(version, promoted, asked.figures(), asked.gain(rival), seen.figures())


def _fit(
    kind: str, gathered: Gathered, shown: Parts, how: GatherSettings
) -> tuple[Fitted, dict[str, str | int | float | bool | None]]:
    examples = gathered.examples
    counted: dict[str, str | int | float | bool | None] = {
        "asked": gathered.asked, "missed": gathered.missed, "judged": len(gathered.judged),
        "groups": len(examples), "rows": len(examples.gains), **shown.counted(),
    }  # fmt: skip
    if shown.learned:
        corrected = examples_of(
            examples.features, shown.learned, shown.examined, weight=how.exposure_weight
        ).telling()
        counted["exposed_groups"] = len(corrected)
        examples = examples.joined(corrected)
    if kind == "lambdamart":
        fit = lambdamart.fit(examples, lambdamart.FitSettings(seed=how.seed))
        return fit.forest, {**counted, "trees": len(fit.forest), "ndcg": fit.ndcg}
    if kind == "linear":
        return linear.learned(examples).solve(), counted
    raise Invalid("kind_unknown", f"no kind {kind!r} of ranker: there are lambdamart and linear")


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
