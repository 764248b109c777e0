"""How good each candidate is for this question. Writes one score a row; learns and drops nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from heedful.pipeline.candidates import Candidates, columns_of
from heedful.pipeline.context import Context
from heedful.pipeline.features import Features, group_of
from heedful.views.compiled import compiled
from heedful.views.handles import Handle


class Model(Protocol):
    """Something fitted: a score for every row of a table of features."""

    features: tuple[str, ...]
    base: float
    """The columns it was fitted to, and the mean score."""

    def score(self, table: NDArray[np.float32], out: NDArray[np.float64]) -> None:
        """Write one finite score a row of `table`, float32 (n, features), to `out`, float64 (n,)."""

    def shares(self, row: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature gave to a row's score, float64 (features,); with `base` it sums to it."""


class Ranker(Protocol):
    """A guess at how well each row will do. `name` says which, and which version of it."""

    name: str

    def score(self, context: Context, candidates: Candidates) -> None:
        """Write `totals`, one finite score a row, higher is better, and the column that carried each."""


class Blend:
    """A weighted sum of the sources' normalised scores: what ranks until a fitted ranker is in force.

    weights: by source name, at least 0; a source without a weight counts 0.
    """

    name = "blend"

    def __init__(self, sources: Sequence[str], weights: Mapping[str, float]) -> None:
        self._weights = np.array([weights.get(source, 0.0) for source in sources], dtype=np.float64)

    def score(self, context: Context, candidates: Candidates) -> None:
        del context
        _blend(candidates.handle, self._weights)

    def of(self, table: NDArray[np.float32]) -> NDArray[np.float64]:
        """The same from a table of features, float32 (n, f), whose first columns are in pairs by source: (n,)."""
        scores: NDArray[np.float64] = (
            table[:, : 2 * len(self._weights) : 2].astype(np.float64) @ self._weights
        )
        return scores


class Learned:
    """A fitted model over the features, or the blend while there is none. What carried a row is in either case the
    source that speaks loudest for it in the blend."""

    def __init__(self, blend: Blend, features: Features) -> None:
        self.name = blend.name
        self.features = features
        self.model: Model | None = None
        self.blend = blend

    def adopt(self, name: str, model: Model) -> None:
        """Rank by `model` from now on, if it was fitted to our features; by the blend if it was not."""
        self.drop()
        if model.features == self.features.names:
            self.name, self.model = name, model

    def drop(self) -> None:
        """Rank by the blend from now on."""
        self.name, self.model = self.blend.name, None

    def score(self, context: Context, candidates: Candidates) -> None:
        self.blend.score(context, candidates)
        if self.model is not None:
            self.model.score(self.features.fill(context, candidates), candidates.totals)

    def tell(self, context: Context, candidates: Candidates) -> NDArray[np.float32]:
        """The features of every candidate once more, float32 (n, features)."""
        return self.features.fill(context, candidates)

    def shares(self, row: NDArray[np.float32]) -> dict[str, float]:
        """What each group of features gave to the score of `row`, and `base`, the mean score; they sum to it.

        Empty where there is no model.
        """
        if self.model is None:
            return {}
        told: dict[str, float] = {"base": self.model.base}
        for name, share in zip(self.features.names, self.model.shares(row).tolist(), strict=True):
            group = group_of(name)
            told[group] = told.get(group, 0.0) + share
        return told


@compiled
def _blend(table: Handle, weights: NDArray[np.float64]) -> None:
    columns = columns_of(table)
    width = columns.meta[1]
    for row in range(columns.meta[0]):
        total, most, carrier = 0.0, -1.0, 0
        for column in range(width):
            share = columns.score[row * width + column] * weights[column]
            total += share
            if share > most:
                most, carrier = share, column
        columns.total[row] = total
        columns.carrier[row] = carrier
