"""Every unit of an experiment as a row of a table, without saying whose it is.

Rows have no id, no time and no order of their own, and only groups that are large enough are given. Figures can
still be rare (one large order), so such a table is for people who may see the log.
"""

from __future__ import annotations

import msgspec
import numpy as np

from heedful.views.trial_kernels import FIGURES
from heedful.views.trial_sums import Standing

SEGMENTS = ("returning", "new")
"""By `Cell.fresh`."""

OF_UNIT = ("value", "denominator", "value_before", "denominator_before")
"""Of each metric, as columns `<metric>.<one of these>`: whole numbers, amounts in minor units."""

Cell = str | int | float | bool | None


class Table(msgspec.Struct, frozen=True, rename="camel"):
    """left_out: units of groups that are too small to be told."""

    columns: tuple[str, ...]
    rows: list[list[Cell]]
    left_out: int = 0


def units_of(standing: Standing, smallest: int) -> Table:
    """Every unit that counts: its arm, epoch and segment, and its figures, in an order that follows from them."""
    trial, shown = standing.trial, np.flatnonzero(standing.rows.arm[: standing.count] >= 0)
    rows = standing.rows
    names = [f"{one.name}.{figure}" for one in trial.measures for figure in OF_UNIT]
    table = np.column_stack((
        rows.arm[shown], rows.epoch[shown], rows.fresh[shown],
        rows.figures[shown].reshape(len(shown), len(trial.measures) * FIGURES),
    )).astype(np.int64)  # fmt: skip
    _, group, counts = np.unique(table[:, :3], axis=0, return_inverse=True, return_counts=True)
    told = table[counts[group.reshape(-1)] >= smallest]
    told = told[np.lexsort(told.T[::-1])]
    found: list[list[Cell]] = [
        [trial.arms[arm], epoch, SEGMENTS[fresh], *figures] for arm, epoch, fresh, *figures in told.tolist()
    ]
    return Table(("arm", "epoch", "segment", *names), found, len(table) - len(told))
