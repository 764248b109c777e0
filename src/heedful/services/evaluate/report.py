"""From answers to figures: a table of systems for each rule of repeats, never one for both.

Every figure has an interval over people, because the questions of one person are not independent; differences to
the reference are paired, person by person. What each figure means stands in `models.metrics.definitions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from heedful.models.metrics import variety
from heedful.models.metrics.intervals import (
    Figure,
    Refusal,
    difference,
    jackknife,
    per_user,
    ratio,
)
from heedful.models.metrics.ragged import Ragged
from heedful.models.metrics.ranking import Ranking, judge
from heedful.services.evaluate.replay import Sheet, System
from heedful.services.evaluate.streams import Stream
from heedful.services.evaluate.systems import Codes, Repeats

RANKING = ("hit_rate", "mrr", "ndcg", "recall", "precision", "map")
VARIETY = ("coverage", "gini", "novelty", "popularity", "top_1_percent", "diversity", "calibration")
WINDOW = 5_000
"""Questions in a window of the course of a prequential replay (Vinagre, Jorge, Gama, 2014)."""

_POINTS = 200
_GROUPS = 20


class Measured(msgspec.Struct, frozen=True, omit_defaults=True):
    """A figure with its 95% interval; without either, `why` says what it lacks."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    why: str = ""


class Row(msgspec.Struct, frozen=True):
    """What one system reached. difference: to the reference, paired; empty for the reference itself."""

    system: str
    update: str
    figures: dict[str, Measured]
    difference: dict[str, Measured]


class Course(msgspec.Struct, frozen=True):
    """A system's hit rate over sliding windows of `questions`, each with the time of its last question."""

    system: str
    update: str
    questions: int
    at: list[int]
    hit_rate: list[float]
    mrr: list[float]


class Table(msgspec.Struct, frozen=True):
    """Systems under one rule of repeats.

    left_out: questions that had no target left under it. several: whether any question has more than one target.
    """

    repeats: str
    questions: int
    left_out: int
    people: int
    several: bool
    rows: list[Row]
    courses: list[Course]


class Report(msgspec.Struct, frozen=True):
    """A whole replay. reference: the system that differences are to. k: the length of the lists."""

    source: str
    protocol: str
    events: int
    k: int
    sample: int
    seed: int
    reference: str
    left_out: Mapping[str, int]
    tables: list[Table]


def table(
    repeats: Repeats,
    sheet: Sheet,
    stream: Stream,
    codes: Codes,
    k: int,
    reference: System,
    *,
    course: bool,
    seed: int,
) -> Table:
    """Figures of all systems of `sheet`. course: whether to follow them over time. seed: deals people into groups
    where an interval leaves groups out."""
    if not len(sheet):
        return Table(repeats, 0, sheet.left_out, 0, False, [], [])
    ranked = {system: judge(lists, sheet.targets, k) for system, lists in sheet.lists.items()}
    described = _Catalogue(stream, codes)
    rows = []
    for system, ranking in ranked.items():
        figures = {name: _of_ratio(sheet, getattr(ranking, name)) for name in RANKING}
        figures |= _variety(sheet, sheet.lists[system], described, seed)
        gained = {} if system == reference else {
            name: _gain(sheet, getattr(ranking, name), getattr(ranked[reference], name)) for name in RANKING
        }  # fmt: skip
        rows.append(Row(system.name, system.update, figures, gained))
    courses = [_course(system, sheet, ranking) for system, ranking in ranked.items()] if course else []
    people, several = len(np.unique(sheet.subject)), bool((sheet.targets.lengths > 1).any())
    return Table(repeats, len(sheet), sheet.left_out, people, several, rows, courses)


class _Catalogue:
    """What is known of the items beside the answers: who touched them, and their categories."""

    def __init__(self, stream: Stream, codes: Codes) -> None:
        self.size = len(codes)
        subjects = np.repeat(stream.subject, np.diff(stream.start)).astype(np.int64)
        pairs = np.unique(subjects * self.size + stream.item)
        self.people = len(np.unique(subjects))
        self.touched = np.bincount(pairs % self.size, minlength=self.size).astype(np.int64)
        of: dict[int, tuple[str, ...]] = {}
        for described in stream.described:
            if described.item is not None:
                of[codes.of[described.name]] = described.item.categories
        known: dict[str, int] = {}
        rows = [
            [known.setdefault(name, len(known)) for name in dict.fromkeys(of.get(item, ()))]
            for item in range(self.size)
        ]
        self.categories, self.kinds = Ragged.of(rows), len(known)


def _variety(sheet: Sheet, lists: NDArray[np.int32], known: _Catalogue, seed: int) -> dict[str, Measured]:
    """How the lists are beyond being right. Without categories diversity and calibration are left out."""
    popularity = known.touched.astype(np.float64)
    head = variety.head(popularity, 0.01)
    figures = {
        "coverage": _of_groups(variety.coverage_of(lists, known.size), sheet, seed),
        "gini": _of_groups(variety.gini_of(lists, known.size), sheet, seed),
        "novelty": _of_ratio(sheet, variety.novelty(lists, known.touched, known.people)),
        "popularity": _of_ratio(sheet, variety.mean_popularity(lists, popularity)),
        "top_1_percent": _of_ratio(sheet, variety.share_of(lists, head)),
    }
    if known.kinds:
        wanted = variety.mix_of_histories(sheet.trails, known.categories, known.kinds)
        given = variety.mix_of_lists(lists, known.categories, known.kinds)
        figures["diversity"] = _of_ratio(sheet, variety.category_distance(lists, known.categories))
        figures["calibration"] = _of_ratio(sheet, variety.calibration(wanted, given))
    return figures


def _course(system: System, sheet: Sheet, ranking: Ranking) -> Course:
    n = len(sheet)
    width = min(WINDOW, n)
    ends = np.unique(np.linspace(width, n, min(_POINTS, n - width + 1)).astype(np.int64))

    def sliding(values: NDArray[np.float64]) -> list[float]:
        sums = np.concatenate((np.zeros(1), np.cumsum(values)))
        means: list[float] = ((sums[ends] - sums[ends - width]) / width).tolist()
        return means

    at = sheet.at[ends - 1].tolist()
    return Course(system.name, system.update, width, at, sliding(ranking.hit_rate), sliding(ranking.mrr))


def _of_ratio(sheet: Sheet, values: NDArray[np.float64]) -> Measured:
    return _measured(ratio(per_user(sheet.subject, values)), values)


def _gain(sheet: Sheet, values: NDArray[np.float64], others: NDArray[np.float64]) -> Measured:
    return _measured(
        difference(per_user(sheet.subject, values), per_user(sheet.subject, others)), values - others
    )


def _of_groups(statistic: Any, sheet: Sheet, seed: int) -> Measured:
    figure = jackknife(statistic, sheet.subject, seed=seed, groups=_GROUPS)
    if isinstance(figure, Refusal):
        return Measured(statistic(np.ones(len(sheet), dtype=np.bool_)), why=figure.reason)
    return _measured(figure, None)


def _measured(figure: Figure, values: NDArray[np.float64] | None) -> Measured:
    """The figure; with too few people for an interval the plain mean, and why there is none."""
    if isinstance(figure, Refusal):
        known = values is not None and not np.isnan(values).all()
        return Measured(
            float(np.nanmean(values)) if known and values is not None else None, why=figure.reason
        )
    return Measured(figure.value, figure.low, figure.high)


def columns(rows: Sequence[Row]) -> list[str]:
    """The names of the figures that any row has, in their order."""
    return [name for name in (*RANKING, *VARIETY) if any(name in row.figures for row in rows)]
