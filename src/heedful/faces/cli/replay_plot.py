"""Draws a replay: how systems fared over time, or side by side with their intervals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from heedful.services.evaluate.report import Report, Table
from heedful.vocabulary.errors import Invalid, SettingsError
from heedful.vocabulary.time import Instant, moment

ENDINGS = (".png", ".svg")
_BARS = ("hit_rate", "mrr", "ndcg")


def plotter(file: Path) -> Callable[[Report], None]:
    """What draws a report into `file`; asked for before the work, so that nobody replays for nothing.

    Raises Invalid (`plot_invalid`) for another ending, SettingsError where matplotlib is not installed.
    """
    if file.suffix.lower() not in ENDINGS:
        raise Invalid("plot_invalid", f"--plot draws {' or '.join(ENDINGS)} files, not {file.name}")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SettingsError("--plot needs matplotlib: pip install 'heedful[plot]'") from error

    def draw(report: Report) -> None:
        tables = [table for table in report.tables if table.rows]
        figure = Figure(figsize=(6.4 * max(1, len(tables)), 4.8), layout="constrained")
        figure.suptitle(f"{report.source}, {report.protocol}, {report.events:,} events, at {report.k}")
        for place, table in enumerate(tables, start=1):
            axes = figure.add_subplot(1, len(tables), place)
            axes.set_title(f"repeats {table.repeats}")
            if table.courses:
                _lines(axes, table)
            else:
                _bars(axes, table)
            axes.set_ylim(bottom=0)
            axes.legend()
        figure.savefig(file)

    return draw


def _lines(axes: Any, table: Table) -> None:
    for course in table.courses:
        times = [moment(Instant(at)) for at in course.at]
        axes.plot(times, course.hit_rate, label=f"{course.system}, {course.update}")
    axes.set_ylabel(f"hit rate over the last {table.courses[0].questions:,} questions")
    axes.tick_params(axis="x", rotation=30)


def _bars(axes: Any, table: Table) -> None:
    width = 0.8 / len(table.rows)
    for place, row in enumerate(table.rows):
        figures = [row.figures[name] for name in _BARS]
        heights = [figure.value or 0.0 for figure in figures]
        reach = [0.0 if one.high is None else one.high - (one.value or 0.0) for one in figures]
        where = [number + place * width for number in range(len(_BARS))]
        axes.bar(where, heights, width, yerr=reach, label=f"{row.system}, {row.update}")
    axes.set_xticks([number + 0.4 - width / 2 for number in range(len(_BARS))], _BARS)
