"""The ranker that forgets exactly: least squares over pairs of candidates, from whole numbers only.

All it remembers of the examples is a matrix and a vector of sums of integers. What a group adds is a pure function
of the group, so it can be taken back to the last bit, in any order, and two machines' sums can be added.
Fractions arise only on reading, when the weights are solved for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.models.examples import Examples
from heedful.views.compiled import compiled
from heedful.vocabulary.errors import Corrupt, Invalid

FINE = 1 << 12
"""Steps from 0 to a feature's limit."""

GAIN_FINE, GAIN_MOST = 1 << 8, 1 << 8
"""Steps in a gain of 1, and the largest gain."""

MOST_ROWS, MOST_WEIGHT = 1 << 12, 16
"""Rows of a group, and what it may count for. With them nothing a group adds exceeds 2**61."""

_UNIT = 1 << 16
_LIMB = 62
"""Bits of the lower word of a sum."""


class Linear:
    """A weighted sum of columns, each cut to its limits. Scores like a `Forest`.

    features: the columns' names. weights: float64 (f,). limits: float64 (f,), above 0. base: always 0, the
    score of a row of zeros.
    """

    base = 0.0

    def __init__(
        self, features: Sequence[str], weights: NDArray[np.float64], limits: NDArray[np.float64]
    ) -> None:
        """Raises Corrupt if the numbers are not f finite ones, or a limit is not above 0."""
        self.features = tuple(features)
        shape = (len(self.features),)
        if weights.shape != shape or limits.shape != shape:
            raise Corrupt(f"a linear ranker over {shape[0]} columns needs as many weights and limits")
        if not np.all(np.isfinite(weights)) or not np.all(np.isfinite(limits)) or not np.all(limits > 0):
            raise Corrupt("a linear ranker's weights and limits are finite, and limits above 0")
        self.weights = np.ascontiguousarray(weights, dtype=np.float64)
        self.limits = np.ascontiguousarray(limits, dtype=np.float64)

    def score(self, table: NDArray[np.float32], out: NDArray[np.float64]) -> None:
        """Write the score of each row of `table`, float32 (n, f) C-contiguous, into `out`, float64 (n,).

        A missing value (NaN) counts as 0. Raises ValueError for another shape.
        """
        if table.shape != (len(out), len(self.features)) or table.dtype != np.float32:
            raise ValueError(f"scoring takes float32 (n, {len(self.features)}) into float64 (n,)")
        _score(table, out, self.weights, self.limits)

    def shares(self, row: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each column gives to the score of `row`, float32 (f,): float64 (f,), which sums to it exactly."""
        known = np.where(np.isnan(row), 0.0, row.astype(np.float64))
        return np.asarray(np.clip(known, -self.limits, self.limits) * self.weights)

    def importance(self) -> dict[str, float]:
        """The share of each column in the sum of weight times limit, in [0, 1]."""
        reach = np.abs(self.weights) * self.limits
        total = float(reach.sum())
        return {
            name: float(one) / total if total else 0.0 for name, one in zip(self.features, reach, strict=True)
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The ranker as plain arrays."""
        return {"weights": self.weights, "limits": self.limits}

    @classmethod
    def of(cls, features: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> Linear:
        """The ranker that `arrays` describe. Raises Corrupt if they describe none."""
        for name in ("weights", "limits"):
            if name not in arrays or arrays[name].dtype != np.float64:
                raise Corrupt(f"a linear ranker needs a column {name} of float64")
        return cls(features, arrays["weights"], arrays["limits"])


@compiled
def _score(
    table: NDArray[np.float32],
    out: NDArray[np.float64],
    weights: NDArray[np.float64],
    limits: NDArray[np.float64],
) -> None:
    for row in range(table.shape[0]):
        total = 0.0
        for column in range(table.shape[1]):
            value = np.float64(table[row, column])
            if not np.isnan(value):
                total += weights[column] * min(max(value, -limits[column]), limits[column])
        out[row] = total


class Moments:
    """What a linear ranker remembers of its examples: integer sums over f columns.

    A row x of whole numbers is its features over their limits, in steps of 1 / FINE and cut to [-1, 1]; y is
    its gain in steps of 1 / GAIN_FINE. A group of n rows adds, times the whole number next to 2**16 weight / n,

        A += n sum(x xT) - sum(x) sum(x)T        b += n sum(x y) - sum(x) sum(y)

    which are the sums of (x - x')(x - x')T and (x - x')(y - y') over all pairs of its rows: only differences
    within a question count, so nothing that all candidates of it share (the hour, the person) can matter. A
    sum is kept in two words, `high` times 2**62 plus `low` in [0, 2**62), which 2**60 groups do not fill.
    """

    def __init__(self, features: Sequence[str], limits: NDArray[np.float64]) -> None:
        """limits: float64 (f,), above 0, fixed for good: another limit is another state. Raises Invalid."""
        self.features = tuple(features)
        if limits.shape != (len(self.features),) or not np.all(np.isfinite(limits)) or not np.all(limits > 0):
            raise Invalid("limits_invalid", "every feature has a limit above 0", path="limits")
        self.limits = limits.astype(np.float64)
        columns = len(self.features)
        self._upper = np.triu_indices(columns)
        self._low = np.zeros(len(self._upper[0]) + columns + 1, dtype=np.int64)
        self._high = np.zeros_like(self._low)

    def add(self, table: NDArray[np.float32], gains: NDArray[np.float64], weight: float = 1.0) -> None:
        """Learn from a group: table (n, f), n up to MOST_ROWS, gains (n,) from 0 to GAIN_MOST, weight above 0 up
        to MOST_WEIGHT. Raises Invalid; then nothing was added."""
        self._move(self._sums(table, gains, weight), 1)

    def remove(self, table: NDArray[np.float32], gains: NDArray[np.float64], weight: float = 1.0) -> None:
        """Take back what `add` of the same arguments added, exactly. Raises Invalid."""
        self._move(self._sums(table, gains, weight), -1)

    def merge(self, other: Moments) -> None:
        """Add what another has seen. Raises Invalid if it speaks of other features or limits."""
        if other.features != self.features or not np.array_equal(other.limits, self.limits):
            raise Invalid("features_differ", "only sums over the same features and limits can be added")
        self._high += other._high
        self._move(other._low, 1)

    def state(self) -> bytes:
        """The state, byte-identical for the same set of groups whatever their order and what was taken back."""
        names = "\0".join(self.features).encode()
        return names + self.limits.tobytes() + self._low.tobytes() + self._high.tobytes()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The state as plain arrays."""
        return {"limits": self.limits, "low": self._low, "high": self._high}

    @classmethod
    def of(cls, features: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> Moments:
        """The state that `arrays` describe. Raises Corrupt if they describe none."""
        try:
            found = cls(features, arrays["limits"])
            low, high = arrays["low"], arrays["high"]
        except (KeyError, Invalid) as error:
            raise Corrupt(f"sums of a linear ranker lack something: {error}") from error
        if low.shape != found._low.shape or high.shape != low.shape or low.dtype != np.int64:
            raise Corrupt("sums of a linear ranker do not have the promised length")
        if high.dtype != np.int64 or np.any(low < 0) or np.any(low >> _LIMB):
            raise Corrupt("sums of a linear ranker are not as they are written")
        found._low, found._high = low.copy(), high.copy()
        return found

    @property
    def rows(self) -> int:
        """How many rows have been learned from."""
        return self._whole()[-1]

    def solve(self, ridge: float = 1e-4) -> Linear:
        """The weights w that minimise the squared error over all pairs plus ridge * rows * |w|**2.

        w counts in units of the features' limits, so that the ridge (above 0) means the same for each: it solves
        (A + ridge * rows) w = b (Hoerl and Kennard, "Ridge regression", 1970). Raises Invalid for a ridge
        of 0 or less.
        """
        if not ridge > 0:
            raise Invalid("ridge_invalid", "the ridge is above 0", path="ridge")
        columns, sums = len(self.features), self._whole()
        matrix = np.zeros((columns, columns))
        matrix[self._upper] = [one / (_UNIT * FINE * FINE) for one in sums[: len(self._upper[0])]]
        matrix.T[self._upper] = matrix[self._upper]
        cross = np.array([one / (_UNIT * FINE * GAIN_FINE) for one in sums[len(self._upper[0]) : -1]])
        matrix[np.diag_indices(columns)] += ridge * max(sums[-1], 1)
        return Linear(self.features, np.linalg.solve(matrix, cross) / self.limits, self.limits)

    def _sums(
        self, table: NDArray[np.float32], gains: NDArray[np.float64], weight: float
    ) -> NDArray[np.int64]:
        """What a group adds: int64, the upper triangle of A, then b, then how many rows."""
        rows = len(gains)
        if table.shape != (rows, len(self.features)) or not 1 <= rows <= MOST_ROWS:
            raise Invalid(
                "examples_invalid", f"a group is 1 to {MOST_ROWS} rows of {len(self.features)} columns"
            )
        if not np.all((gains >= 0) & (gains <= GAIN_MOST)):
            raise Invalid("examples_invalid", f"a gain is from 0 to {GAIN_MOST}")
        if not 0 < weight <= MOST_WEIGHT:
            raise Invalid("examples_invalid", f"a group's weight is above 0 and at most {MOST_WEIGHT}")
        x = _whole_of(table, self.limits)
        y = np.rint(gains * GAIN_FINE).astype(np.int64)
        total = x.sum(axis=0)
        # Dot products of whole numbers below 2**53 are exact in float64, and many times faster there.
        exact = x.astype(np.float64)
        gram = (exact.T @ exact).astype(np.int64) * rows - np.outer(total, total)
        cross = (exact.T @ y.astype(np.float64)).astype(np.int64) * rows - total * int(y.sum())
        scale = max(round(_UNIT * weight / rows), 1)
        return np.concatenate([gram[self._upper] * scale, cross * scale, [rows]])

    def _move(self, sums: NDArray[np.int64], sign: int) -> None:
        low = self._low + sums * sign
        self._high += low >> _LIMB  # the floor, also below 0
        self._low = low & ((1 << _LIMB) - 1)

    def _whole(self) -> list[int]:
        return [
            (high << _LIMB) + low for high, low in zip(self._high.tolist(), self._low.tolist(), strict=True)
        ]


def learned(examples: Examples, limits: NDArray[np.float64] | None = None, *, most: float = 10.0) -> Moments:
    """The sums over the groups of `examples` that teach an order, corrected for what was looked at
    (`Examples.unbiased`, `most`).

    limits: float64 (f,); without them `limits_of` the examples, which then are for good the state's own.
    Raises Invalid.
    """
    told = examples.unbiased(most)
    found = Moments(examples.features, limits_of(examples.table) if limits is None else limits)
    weights = np.ones(len(told)) if told.weights is None else told.weights
    start = 0
    for size, weight, tells in zip(told.sizes.tolist(), weights.tolist(), told.tells().tolist(), strict=True):
        if tells:
            found.add(told.table[start : start + size], told.gains[start : start + size], weight)
        start += size
    return found


def limits_of(table: NDArray[np.float32], share: float = 0.99) -> NDArray[np.float64]:
    """A limit for each column of `table` (n, f): the power of two not below that `share` of its sizes, or 1."""
    sizes = np.abs(np.nan_to_num(table.astype(np.float64), posinf=0.0, neginf=0.0))
    reach = np.quantile(sizes, share, axis=0) if len(sizes) else np.zeros(table.shape[1])
    top = sizes.max(axis=0, initial=0.0)
    reach = np.where(reach > 0, reach, top)  # a column that is mostly 0
    return np.where(reach > 0, np.exp2(np.ceil(np.log2(np.where(reach > 0, reach, 1.0)))), 1.0)


def _whole_of(table: NDArray[np.float32], limits: NDArray[np.float64]) -> NDArray[np.int64]:
    """Features in steps of limit / FINE, in [-FINE, FINE]; a missing value is 0."""
    scaled = np.clip(table.astype(np.float64) / limits, -1.0, 1.0) * FINE
    return np.rint(np.where(np.isnan(scaled), 0.0, scaled)).astype(np.int64)
