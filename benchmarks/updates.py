"""What learning at once is worth: the pipeline that serves, told of events at once, once an hour, once a day.

`fitted` is the pipeline with a ranker fitted to the first half; `sessions` its session neighbours alone. Clicks of
Serenade, baskets of Online Retail, and the playground's news site, where articles live for hours
(`playground/news.py`). Prequential, the first half learned without questions, questions drawn by seed. Two rows
each: `own trail` gives the asker's newest items with the question, so that only what others did is late; without
it the asker's own visit is late too, as in a program that loads files once an hour.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from benchmarks.prequential import Case, earlier, fitted, piped
from benchmarks.quality import data_folder
from benchmarks.table import Row, show
from heedful.compose.pipelines import WEIGHTS
from heedful.faces.cli.files import opened
from heedful.models.lambdamart import FitSettings
from heedful.models.metrics.intervals import Estimate, difference, per_user, ratio
from heedful.models.metrics.ranking import judge
from heedful.pipeline.pipeline import Pipeline
from heedful.services.evaluate.datasets import load
from heedful.services.evaluate.evaluate import Plan, Systems, answers
from heedful.services.evaluate.protocols import Protocol
from heedful.services.evaluate.systems import Repeats, Update
from heedful.views.fold import Fold
from heedful.vocabulary.settings import Settings

SOURCES = {**WEIGHTS, "companions": 0.1, "trending_6h": 0.1}
CASES = {
    "serenade_example": (Protocol.PREQUENTIAL, 2_500),
    "online_retail": (Protocol.NEXT_BASKET, 1_500),
    "news": (Protocol.PREQUENTIAL, 2_500),
}
LEARNED = Case(Protocol.PREQUENTIAL, SOURCES, 12_000, 200, 0, FitSettings(trees=150, rate=0.05, leaves=8))


def run(*datasets: str) -> list[Row]:
    """Hit rates at 20 in percent, with what is lost against learning at once."""
    rows: list[Row] = []
    for dataset in datasets or tuple(CASES):
        protocol, sample = CASES[dataset]
        stream = load(dataset, data_folder().parent, opened)
        systems: dict[str, Callable[[Fold], Pipeline]] = {
            "default": piped,
            "sessions": partial(piped, sources={"sessions": 1.0}),
            "fitted": partial(piped, sources=SOURCES, model=fitted(earlier(stream, 0.5), LEARNED, 1)),
        }
        for own_trail in (True, False):
            plan = Plan(
                systems=tuple(systems), protocol=protocol, repeats=(Repeats.REMOVED,), updates=tuple(Update),
                sample=sample, warm_up=0.5, own_trail=own_trail,
            )  # fmt: skip
            sheet = answers(stream, plan, Systems(systems, {}), Settings())[0][Repeats.REMOVED]
            reached = {
                (one.name, one.update): per_user(sheet.subject, judge(lists, sheet.targets, 20).hit_rate)
                for one, lists in sheet.lists.items()
            }
            for (name, update), sums in sorted(reached.items(), key=lambda one: one[0][0]):
                lost = difference(sums, reached[name, Update.INSTANT])
                known = ", own trail" if own_trail else ""
                told = "" if update is Update.INSTANT else _told(lost, "+")
                value = ratio(sums)
                if isinstance(value, Estimate):
                    unit = f"% ({_told(value)})"
                    rows.append(
                        Row(f"{dataset}: {name} {update}{known} HR@20", 100 * value.value, unit, told)
                    )
            rows.append(Row(f"{dataset}: questions", float(len(sheet)), "", ""))
    return rows


def _told(figure: object, sign: str = "") -> str:
    if not isinstance(figure, Estimate):
        return "too few people"
    low, high = 100 * figure.low, 100 * figure.high
    return f"{100 * figure.value:+.1f}: {low:+.1f} to {high:+.1f}" if sign else f"{low:.1f} to {high:.1f}"


if __name__ == "__main__":
    show("At once, hourly, daily", run(*sys.argv[1:]))
