"""What rankers are fitted to: questions that were once answered, with their candidates and what came of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heedful.vocabulary.errors import Invalid


@dataclass(frozen=True, slots=True)
class Examples:
    """g groups, each a question, of n rows together, each a candidate with f columns.

    features: the columns' names. table: float32 (n, f), groups end to end, missing values NaN.
    gains: float64 (n,), at least 0: what came of the row, as the placement weighs it (0 nothing).
    sizes: int64 (g,), rows of each group, at least 1. times: int64 (g,), when it was asked, microseconds UTC.
    weights: float64 (g,), what each group counts for, above 0; None for 1 each.
    examined: float64 (n,), in (0, 1]: the chance that the row was looked at where it stood (`positions`);
        None where nothing was shown, as in a replay: then every row counts as looked at.
    """

    features: tuple[str, ...]
    table: NDArray[np.float32]
    gains: NDArray[np.float64]
    sizes: NDArray[np.int64]
    times: NDArray[np.int64]
    weights: NDArray[np.float64] | None = None
    examined: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Raises Invalid, saying which column is not what it must be."""
        rows, groups = len(self.gains), len(self.sizes)
        wrong = {
            "table": self.table.shape != (rows, len(self.features)) or self.table.dtype != np.float32,
            "features": len(set(self.features)) != len(self.features) or not self.features,
            "gains": not np.all(np.isfinite(self.gains)) or np.any(self.gains < 0),
            "sizes": np.any(self.sizes < 1) or int(self.sizes.sum()) != rows,
            "times": len(self.times) != groups,
            "weights": self.weights is not None and not _positive(self.weights, groups, np.inf),
            "examined": self.examined is not None and not _positive(self.examined, rows, 1.0),
        }
        for name, is_wrong in wrong.items():
            if is_wrong:
                raise Invalid(
                    "examples_invalid", f"the examples' {name} are not what they must be", path=name
                )

    def __len__(self) -> int:
        """How many groups there are."""
        return len(self.sizes)

    def take(self, groups: NDArray[np.int64]) -> Examples:
        """The examples of these groups, by number and in this order; a view where they follow one another."""
        sizes = self.sizes[groups]
        before = np.cumsum(self.sizes) - self.sizes
        rows: slice | NDArray[np.int64]
        if len(groups) and np.array_equal(groups, np.arange(groups[0], groups[0] + len(groups))):
            first = int(before[groups[0]])
            rows = slice(first, first + int(sizes.sum()))  # the table may be large: a view does
        else:
            rows = np.arange(sizes.sum()) + np.repeat(before[groups] - (np.cumsum(sizes) - sizes), sizes)
        return replace(
            self,
            table=np.ascontiguousarray(self.table[rows]),
            gains=self.gains[rows],
            sizes=sizes,
            times=self.times[groups],
            weights=None if self.weights is None else self.weights[groups],
            examined=None if self.examined is None else self.examined[rows],
        )

    def tells(self) -> NDArray[np.bool_]:
        """Which groups teach an order, because some row did better than another: bool (g,)."""
        if not len(self):
            return np.zeros(0, dtype=np.bool_)
        starts = np.cumsum(self.sizes) - self.sizes
        best, worst = np.maximum.reduceat(self.gains, starts), np.minimum.reduceat(self.gains, starts)
        return np.asarray(best > worst)

    def telling(self) -> Examples:
        """The groups that teach an order, in order of time."""
        order = np.argsort(self.times, kind="stable")
        return self.take(order[self.tells()[order]])

    def split(self, share: float) -> tuple[Examples, Examples]:
        """The older groups, and the newest `share` (in [0, 1)) of them; the same moment is never on both sides."""
        order = np.argsort(self.times, kind="stable")
        cut = len(order) - int(len(order) * share)
        while 0 < cut < len(order) and self.times[order[cut - 1]] == self.times[order[cut]]:
            cut += 1
        return self.take(order[:cut]), self.take(order[cut:])

    def joined(self, other: Examples) -> Examples:
        """These groups and those of `other`, which has the same features and, like these, no `examined`.

        Raises Invalid otherwise: correct for places first (`unbiased`).
        """
        if self.features != other.features or self.examined is not None or other.examined is not None:
            raise Invalid("examples_differ", "only corrected examples of the same features can be joined")
        return Examples(
            features=self.features,
            table=np.concatenate((self.table, other.table)),
            gains=np.concatenate((self.gains, other.gains)),
            sizes=np.concatenate((self.sizes, other.sizes)),
            times=np.concatenate((self.times, other.times)),
            weights=np.concatenate([
                np.ones(len(one)) if one.weights is None else one.weights for one in (self, other)
            ]),
        )  # fmt: skip

    def unbiased(self, most: float = 10.0) -> Examples:
        """The examples as they would be had every row been looked at; without `examined`, themselves.

        Every row of some gain becomes a group of its own, with the rows of less gain as nothing, and counts
        1 / examined, at most `most`. Then what a pair of rows adds to the loss is, in expectation over what
        was looked at, what it would add if everything had been: the propensity-weighted empirical risk of
        Joachims, Swaminathan and Schnabel, "Unbiased learning-to-rank with biased feedback", WSDM 2017.
        Clipping trades bias for variance.
        """
        if self.examined is None:
            return self
        weights = np.ones(len(self)) if self.weights is None else self.weights
        rows, gains, sizes, times, counts = [], [], [], [], []
        start = 0
        for group, size in enumerate(self.sizes):
            own = self.gains[start : start + size]
            for better in np.flatnonzero(own > 0):
                kept = np.flatnonzero((own < own[better]) | (np.arange(size) == better))
                rows.append(start + kept)
                gains.append(np.where(kept == better, own[better], 0.0))
                sizes.append(len(kept))
                times.append(self.times[group])
                counts.append(weights[group] * min(most, 1.0 / float(self.examined[start + better])))
            start += int(size)
        if not rows:
            return self.take(np.zeros(0, dtype=np.int64))
        return Examples(
            features=self.features,
            table=np.ascontiguousarray(self.table[np.concatenate(rows)]),
            gains=np.concatenate(gains),
            sizes=np.array(sizes, dtype=np.int64),
            times=np.array(times, dtype=np.int64),
            weights=np.array(counts),
        )


def _positive(values: NDArray[np.float64], count: int, most: float) -> bool:
    return (
        len(values) == count and bool(np.all(values > 0)) and bool(np.all(values <= most))
        and bool(np.all(np.isfinite(values)))
    )  # fmt: skip
