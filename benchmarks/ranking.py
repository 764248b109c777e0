"""Next-item quality of fitted rankers on the click sessions published with Serenade.

Protocol: everything before the test is learned and nothing of the test; in each test session every next item is
asked for after the session's own events so far, the current item is no candidate, the target is the immediate next
item. Rankers are fitted to a replay of the train file alone. Everything that was chosen was chosen on `valid`
(`python -m benchmarks.ranking serenade_example_valid`); `test` only says what came of it. Gains are over the
session model with its published settings, paired, clustered by session.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality import data_folder
from benchmarks.table import Row
from heedful.compose.pipelines import WEIGHTS, Pipelines
from heedful.faces.cli.files import opened
from heedful.models import lambdamart, linear
from heedful.models.kinds import Fitted
from heedful.models.lambdamart import FitSettings
from heedful.models.metrics.intervals import Estimate, difference, per_user
from heedful.models.metrics.ranking import Ranking, judge
from heedful.pipeline.pipeline import Pipeline
from heedful.pipeline.ranker import Learned
from heedful.pipeline.sources import SessionNeighbours
from heedful.services.evaluate.datasets import load
from heedful.services.evaluate.evaluate import Plan, Systems, answers
from heedful.services.evaluate.protocols import Protocol
from heedful.services.evaluate.systems import Repeats
from heedful.services.fit.gather import Gatherer, GatherSettings
from heedful.services.fit.refit import worth_of
from heedful.services.fit.taste import refitted
from heedful.views.fold import Fold
from heedful.views.neighbours import Neighbours
from heedful.views.reading import Desk
from heedful.vocabulary.placement import Placement
from heedful.vocabulary.settings import Settings

SEEDS = (1, 2, 3, 4, 5)
PUBLISHED = "sessions, as published"
ALONE = ("vstan", "sessions", "next", "together", "trending_7d")

Maker = Callable[[Fold], Pipeline]


def default(fold: Fold, model: Fitted | None = None, taste: float = 0.0) -> Pipeline:
    """The pipeline that serves, with a model in force; and with long-term taste beside it, of such a weight."""
    sources = {**WEIGHTS, "taste": taste} if taste else None
    pipeline = Pipelines(fold, taste=refitted(fold)).of(Placement(name="default", sources=sources))
    if model is not None and isinstance(pipeline.ranker, Learned):
        pipeline.ranker.adopt("fitted", model)
        if pipeline.ranker.model is None:
            raise ValueError("the model was fitted to other features than the pipeline has")
    return pipeline


def alone(source: str) -> Maker:
    """One source, nothing else."""
    sources = {source: 1.0}
    return lambda fold: Pipelines(fold, taste=refitted(fold)).of(Placement(name="default", sources=sources))


def published(fold: Fold) -> Pipeline:
    """Session neighbours with the settings that Serenade was published with."""
    pipeline = Pipelines(fold).of(Placement(name="default", sources={"sessions": 1.0}))
    neighbours = SessionNeighbours(
        Neighbours(Desk(fold.sessions, fold.items)), newest=1_502, count=288, trail=4
    )
    # The columns' names stay, so that source and weights go on fitting.
    object.__setattr__(pipeline, "sources", (neighbours, *pipeline.sources[1:]))
    return pipeline


def measured(dataset: str = "serenade_example") -> tuple[dict[str, Ranking], NDArray[np.int32]]:
    """What each system reaches question by question, and whose question each is."""
    stream = load(dataset, data_folder().parent, opened)
    if stream.tested is None:
        raise ValueError(f"{dataset} does not say what is for testing")
    settings = Settings()
    how = GatherSettings(judged=0.0, questions=60_000)
    gathered = Gatherer(stream.only(~stream.tested), default, settings, worth_of(settings), how).gather()
    models: dict[str, Fitted] = {
        f"lambdamart {seed}": lambdamart.fit(gathered.examples, FitSettings(seed=seed)).forest
        for seed in SEEDS
    }
    models["linear"] = linear.learned(gathered.examples).solve()
    systems: dict[str, Maker] = {
        PUBLISHED: published,
        **{source: alone(source) for source in ALONE},
        "blend": default,
    }
    for name, model in models.items():
        systems[name] = partial(default, model=model)
    plan = Plan(systems=tuple(systems), protocol=Protocol.NEXT_ITEM, repeats=(Repeats.REMOVED,))
    sheets, _ = answers(stream, plan, Systems(systems, {}), settings)
    sheet = sheets[Repeats.REMOVED]
    return {one.name: judge(lists, sheet.targets, 20) for one, lists in sheet.lists.items()}, sheet.subject


def run(dataset: str = "serenade_example") -> list[Row]:
    """Rows for the table."""
    found, subject = measured(dataset)
    fitted = [found[f"lambdamart {seed}"] for seed in SEEDS]
    mean = Ranking(*(np.mean([getattr(one, field) for one in fitted], axis=0) for field in Ranking._fields))
    rows = []
    for name in (PUBLISHED, *ALONE, "blend", "linear"):
        rows += _rows(name, found[name], "")
    rows += _rows("all with LambdaMART, mean of five seeds", mean, "≥ 0.39; HR ≥ 0.67")
    rows += [
        Row(f"  seed {seed} MRR@20", float(one.mrr.mean()), "", "")
        for seed, one in zip(SEEDS, fitted, strict=True)
    ]
    gain = difference(per_user(subject, mean.mrr), per_user(subject, found[PUBLISHED].mrr))
    if isinstance(gain, Estimate):
        rows += [
            Row("gain over the session model, MRR@20", gain.value, "", "> 0"),
            Row("  95% from", gain.low, "", "> 0"), Row("  to", gain.high, "", ""),
        ]  # fmt: skip
    rows.append(Row("questions", float(len(subject)), "", "931"))
    return rows


def _rows(name: str, ranking: Ranking, goal: str) -> list[Row]:
    return [
        Row(f"{name} MRR@20", float(ranking.mrr.mean()), "", goal),
        Row(f"{name} HR@20", float(ranking.hit_rate.mean()), "", ""),
    ]


def tasted(dataset: str, *, weight: float, seeds: int, questions: int) -> list[Row]:
    """What long-term taste would do beside the default sources: why it is not among them."""
    stream, settings = load(dataset, data_folder().parent, opened), Settings()
    if stream.tested is None:
        raise ValueError(f"{dataset} does not say what is for testing")
    how, train = GatherSettings(judged=0.0, questions=questions), stream.only(~stream.tested)
    systems: dict[str, Maker] = {}
    for name, taste in (("without taste", 0.0), (f"taste {weight}", weight)):
        make = partial(default, taste=taste)
        examples = Gatherer(train, make, settings, worth_of(settings), how).gather().examples
        systems[f"{name}, blended"] = make
        for seed in SEEDS[:seeds]:
            forest = lambdamart.fit(examples, FitSettings(seed=seed)).forest
            systems[f"{name}, LambdaMART {seed}"] = partial(make, model=forest)
    plan = Plan(systems=tuple(systems), protocol=Protocol.NEXT_ITEM, repeats=(Repeats.REMOVED,))
    sheet = answers(stream, plan, Systems(systems, {}), settings)[0][Repeats.REMOVED]
    found = {one.name: judge(lists, sheet.targets, 20) for one, lists in sheet.lists.items()}
    rows = [row for name, ranking in found.items() for row in _rows(name, ranking, "")]
    means = [
        per_user(
            sheet.subject,
            np.mean([found[f"{name}, LambdaMART {seed}"].mrr for seed in SEEDS[:seeds]], axis=0),
        )
        for name in (f"taste {weight}", "without taste")
    ]
    gain = difference(*means)
    if isinstance(gain, Estimate):
        told = f"{gain.low:+.4f} to {gain.high:+.4f}"
        rows.append(Row("gain by taste, LambdaMART, MRR@20", gain.value, told, ""))
    return rows


if __name__ == "__main__":
    from benchmarks.table import show

    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranking", description=__doc__)
    parser.add_argument("dataset", nargs="?", default="serenade_example")
    parser.add_argument("--taste", type=float, default=0.0, help="only what taste of this weight would do")
    parser.add_argument("--seeds", type=int, default=2, help="of the fits, with --taste")
    parser.add_argument("--questions", type=int, default=20_000, help="to learn from, with --taste")
    given = parser.parse_args()
    if given.taste:
        rows = tasted(given.dataset, weight=given.taste, seeds=given.seeds, questions=given.questions)
        show("Taste beside the default sources", rows)
    else:
        show("Rankers", run(given.dataset))
