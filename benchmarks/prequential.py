"""Next baskets of Online Retail and next ratings of MovieTweetings: our pipeline, the built-in baselines, and
other people's recommenders (`make peers`), on the same questions.

Protocol: events in order of time, answer first, then learn; repeats removed. The newest 20% of the events are the
test, and questions are drawn from them by seed. The ranker is fitted to a replay of what comes before them and to
nothing else. Sources and the ranker's settings were chosen on the 20% before that (`--valid`), the ranker being
fitted to the 60% before those; the test was looked at when that was done. Peers are fitted anew every day
(`peers/worker.py`).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import msgspec
import numpy as np

from benchmarks.peers.beside import Notebook, Played, lists_of
from benchmarks.quality import data_folder
from benchmarks.table import Row, show
from heedful.compose.pipelines import Pipelines
from heedful.faces.cli.files import opened
from heedful.models import lambdamart
from heedful.models.baselines.baseline import Baseline
from heedful.models.baselines.built_in import BUILT_IN
from heedful.models.kinds import Fitted
from heedful.models.lambdamart import FitSettings
from heedful.models.metrics.intervals import Estimate, difference, per_user, ratio
from heedful.models.metrics.ranking import Ranking, judge
from heedful.pipeline.filters import NotOwned
from heedful.pipeline.pipeline import Pipeline
from heedful.pipeline.ranker import Learned
from heedful.services.evaluate.datasets import load
from heedful.services.evaluate.evaluate import Plan, Systems, answers
from heedful.services.evaluate.protocols import Protocol
from heedful.services.evaluate.replay import Sheet
from heedful.services.evaluate.streams import Stream
from heedful.services.evaluate.systems import Repeats
from heedful.services.fit.gather import Gatherer, GatherSettings
from heedful.services.fit.refit import worth_of
from heedful.services.fit.taste import refitted
from heedful.views.fold import Fold
from heedful.vocabulary.placement import Placement
from heedful.vocabulary.settings import Settings

OURS = "fitted"
K = 20


class Case(NamedTuple):
    """sources: of the placement. questions: the newest so many are learned from. rows: at most so many candidates
    of each. sample: so many are asked in the test."""

    protocol: Protocol
    sources: Mapping[str, float]
    questions: int
    rows: int
    sample: int
    fitting: FitSettings


class Result(NamedTuple):
    """What each system reaches question by question."""

    sheet: Sheet
    reached: dict[str, Ranking]


SOURCES = {
    "taste": 1.0, "companions": 0.5, "vstan": 0.2, "sessions": 0.2, "together": 0.1, "bought_with": 0.1,
    "trending_1d": 0.1, "trending_7d": 0.1,
}  # fmt: skip
FILMS = {**SOURCES, "taste": 0.5, "companions": 1.0}
"""Chosen on the part before the test, as the leaves were."""

WIDE = FitSettings(trees=150, rate=0.05, leaves=16)
NARROW = FitSettings(trees=150, rate=0.05, leaves=8)
CASES = {
    "online_retail": Case(Protocol.NEXT_BASKET, SOURCES, 8_000, 200, 2_000, WIDE),
    "movietweetings": Case(Protocol.PREQUENTIAL, FILMS, 12_000, 200, 3_000, NARROW),
}


def piped(fold: Fold, sources: Mapping[str, float] | None = None, model: Fitted | None = None) -> Pipeline:
    """The pipeline of a placement with `sources`, ranked by `model` or by the blend."""
    chosen = None if sources is None else dict(sources)
    pipeline = Pipelines(fold, taste=refitted(fold)).of(Placement(name="default", sources=chosen))
    if model is not None and isinstance(pipeline.ranker, Learned):
        pipeline.ranker.adopt("fitted", model)
        if pipeline.ranker.model is None:
            raise ValueError("the model was fitted to other features than the pipeline has")
    return pipeline


def unrepeated(fold: Fold, sources: Mapping[str, float] | None = None) -> Pipeline:
    """The same, with nothing ever due to be bought again: a fit sees no repeat, as the questions do not."""
    pipeline = piped(fold, sources)
    filters = tuple(NotOwned() if isinstance(one, NotOwned) else one for one in pipeline.filters)
    return replace(pipeline, filters=filters)


def earlier(stream: Stream, share: float) -> Stream:
    """The first `share` of the events."""
    return stream.only(np.arange(len(stream)) < int(share * len(stream)))


def fitted(stream: Stream, case: Case, seed: int) -> Fitted:
    """A ranker fitted to a replay of `stream`."""
    settings = Settings()
    how = GatherSettings(judged=0.0, questions=case.questions, rows=case.rows)
    make = partial(unrepeated, sources=case.sources)
    gathered = Gatherer(stream, make, settings, worth_of(settings), how).gather()
    chosen = {name: getattr(case.fitting, name) for name in case.fitting.__struct_fields__}
    return lambdamart.fit(gathered.examples, FitSettings(**{**chosen, "seed": seed})).forest


def measured(
    dataset: str, *, valid: bool = False, seed: int = 1, peers: bool = True, case: Case | None = None
) -> Result:
    """Every system on the test, or on the part before it. case: in place of what was chosen."""
    case, whole = case or CASES[dataset], load(dataset, data_folder().parent, opened)
    begins = 0.6 if valid else 0.8
    stream = earlier(whole, 0.8) if valid else whole
    model = fitted(earlier(whole, begins), case, seed)
    plan = Plan(
        systems=(), protocol=case.protocol, repeats=(Repeats.REMOVED,), sample=case.sample,
        warm_up=int(begins * len(whole)) / len(stream), k=K,
    )  # fmt: skip
    pipelines: dict[str, Callable[[Fold], Pipeline]] = {
        OURS: partial(piped, sources=case.sources, model=model),
        "default": piped,
        "same sources, no ranker": partial(piped, sources=case.sources),
    }
    baselines: dict[str, Callable[[int], Baseline]] = {name: _rested(make) for name, make in BUILT_IN.items()}
    if peers:
        notebook = Notebook()
        _asked(stream, plan, {}, {"notebook": _rested(lambda: notebook)})
        for name, lists in lists_of(notebook.task()).items():
            baselines[name] = _rested(partial(Played, lists))
    sheet = _asked(stream, plan, pipelines, baselines)
    return Result(sheet, {one.name: judge(lists, sheet.targets, K) for one, lists in sheet.lists.items()})


def _rested(make: Callable[[], Baseline]) -> Callable[[int], Baseline]:
    """A baseline that does without being told when a visit ends: 30 minutes, as it stands in `BUILT_IN`."""
    return lambda _idle: make()


def _asked(
    stream: Stream,
    plan: Plan,
    pipelines: Mapping[str, Callable[[Fold], Pipeline]],
    baselines: Mapping[str, Callable[[int], Baseline]],
) -> Sheet:
    systems = Systems(pipelines, baselines)
    plan = Plan(**{name: getattr(plan, name) for name in plan.__struct_fields__} | {"systems": systems.names})
    return answers(stream, plan, systems, Settings())[0][Repeats.REMOVED]


def rows_of(
    dataset: str, result: Result, metrics: tuple[str, ...] = ("hit_rate", "ndcg", "recall")
) -> list[Row]:
    """Rows in percent with 95% intervals over people, and how much better ours is, paired."""
    subject, rows = result.sheet.subject, []
    for metric in metrics:
        ours = per_user(subject, getattr(result.reached[OURS], metric))
        for name, ranking in sorted(result.reached.items(), key=lambda one: -getattr(one[1], metric).mean()):
            sums = per_user(subject, getattr(ranking, metric))
            beaten = "" if name == OURS else f"ours {_told(difference(ours, sums), '+')}"
            value = 100 * float(getattr(ranking, metric).mean())
            rows.append(Row(f"{dataset}: {name} {metric}@{K}", value, f"% ({_told(ratio(sums))})", beaten))
    people = len(np.unique(subject))
    return [*rows, Row(f"{dataset}: questions", float(len(subject)), f"of {people:,} people", "")]


def _told(figure: object, sign: str = "") -> str:
    if not isinstance(figure, Estimate):
        return "too few people"
    low, high = 100 * figure.low, 100 * figure.high
    return f"{100 * figure.value:+.2f}: {low:+.2f} to {high:+.2f}" if sign else f"{low:.2f} to {high:.2f}"


def run(
    *datasets: str,
    valid: bool = False,
    seed: int = 1,
    peers: bool = True,
    sources: Mapping[str, float] | None = None,
    leaves: int = 0,
) -> list[Row]:
    """Rows for the table. sources, leaves: in place of those that were chosen."""
    rows = []
    for dataset in datasets or tuple(CASES):
        case = CASES[dataset]
        case = case._replace(sources=sources or case.sources)
        if leaves:
            case = case._replace(fitting=msgspec.structs.replace(case.fitting, leaves=leaves))
        found = measured(dataset, valid=valid, seed=seed, peers=peers, case=case)
        metrics = (
            ("hit_rate", "ndcg", "recall") if dataset == "online_retail" else ("hit_rate", "mrr", "ndcg")
        )
        rows += rows_of(dataset, found, metrics)
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prequential", description=__doc__)
    parser.add_argument("datasets", nargs="*", help=f"of {', '.join(CASES)}; both when left out")
    parser.add_argument(
        "--valid", action="store_true", help="on the part before the test, where all is chosen"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the fit")
    parser.add_argument("--no-peers", action="store_true", help="ours and the baselines alone")
    parser.add_argument(
        "--sources", default="", help="as taste=1,companions=0.5, to try others; with --valid"
    )
    parser.add_argument("--leaves", type=int, default=0, help="of the trees, to try others; with --valid")
    given = parser.parse_args()
    if not given.valid and (given.sources or given.leaves):
        parser.error("sources and leaves are chosen on --valid, and on nothing else")
    named = (one.split("=") for one in given.sources.split(",") if one)
    where = "the part before the test" if given.valid else "test"
    show(
        f"Prequential, {where}",
        run(
            *given.datasets,
            valid=given.valid,
            seed=given.seed,
            peers=not given.no_peers,
            sources={name: float(weight) for name, weight in named},
            leaves=given.leaves,
        ),
    )
