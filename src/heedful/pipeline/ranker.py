"""How good each candidate is for this question. Maps columns to one score a row; learns and drops nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from heedful.pipeline.candidates import Candidates


class Ranker(Protocol):
    """A guess at how well each row will do."""

    def score(self, candidates: Candidates) -> NDArray[np.float64]:
        """One finite score a row, shape (n,), higher is better; n = 0 included."""


class Blend:
    """A weighted sum of the sources' normalised scores: what ranks until a fitted ranker is in force.

    weights: by source name, at least 0; a source without a weight counts 0.
    """

    def __init__(self, sources: Sequence[str], weights: Mapping[str, float]) -> None:
        self._weights = np.array([weights.get(source, 0.0) for source in sources], dtype=np.float64)

    def score(self, candidates: Candidates) -> NDArray[np.float64]:
        return candidates.scores @ self._weights
