"""Results as a table for other programs: a row per metric and arm."""

from __future__ import annotations

from heedful.experiments.inference.answers import Estimate
from heedful.services.experiments.results import Result
from heedful.services.experiments.unit_rows import Cell, Table

ROW = (
    "metric", "arm", "control_level", "arm_level", "effect", "low", "high", "p", "level", "scale", "method",
    "n_control", "n_arm", "corrected_low", "corrected_high", "corrected_p", "improved", "worsened", "harmed",
    "refusal", "why",
)  # fmt: skip
"""The columns of `table_of`. A figure that there is not is None."""


def table_of(result: Result) -> Table:
    """The effects of a result, a row each; columns as `ROW`."""
    levels = {(one.metric, one.arm): one.value for one in result.levels}
    control = result.arms[0].arm
    rows: list[list[Cell]] = []
    for row in result.rows:
        one, again = row.answer, row.corrected
        head: list[Cell] = [
            row.metric,
            row.arm,
            levels.get((row.metric, control)),
            levels.get((row.metric, row.arm)),
        ]
        if isinstance(one, Estimate):
            sides: list[Cell] = [one.units[0], one.units[-1]] if one.units else [None, None]
            figures: list[Cell] = [
                one.value, one.low, one.high, one.p, one.level, one.scale.value, one.method.value, *sides,
            ]  # fmt: skip
            refused: list[Cell] = [None, None]
        else:
            figures = [None, None, None, None, None, result.scale.value, result.method.value, None, None]
            refused = [one.code.value, one.why]
        corrected: list[Cell] = [None] * 3 if again is None else [again.low, again.high, again.p]
        rows.append([*head, *figures, *corrected, row.improved, row.worsened, row.harmed, *refused])
    return Table(ROW, rows)
