"""Long-term taste: which model is fitted to which catalogue, and how it is read again.

EASE where it can be inverted, factors above. Fitted on a schedule, from a bounded sample; folded in per question.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heedful.models.ease import Ease
from heedful.models.ials import Ials, Settings
from heedful.models.related import Proposal
from heedful.models.sample import Sample
from heedful.views.dictionary import Items
from heedful.vocabulary.errors import Corrupt

SMALL = 5_000
"""Up to so many items are fitted by EASE: a matrix of 100 MB, inverted in seconds on one core. A ranker's
replay fits taste a dozen times, and the time grows with the third power."""
LARGE = 50_000
"""At most so many items, the most touched, are fitted by factors: their relations grow with the square."""


class Factors(Protocol):
    """A fitted model of long-term taste: a function of its sample, settings and seed."""

    name: str

    def propose(self, items: NDArray[np.int32], weights: NDArray[np.float64], limit: int) -> Proposal:
        """The best `limit` items for someone with dense `items`, distinct, newest first, weighing `weights`."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Plain arrays that `restore` needs."""


def fit(
    sample: Sample, items: Items, *, seed: int = 0, ridge: float = 300.0, settings: Settings | None = None,
    small: int = SMALL, large: int = LARGE,
) -> Factors:  # fmt: skip
    """Fit EASE to at most `small` items, or factors to the `large` most touched."""
    if len(sample.keys) <= small:
        return Ease.fit(sample, items, ridge=ridge)
    return Ials.fit(cut(sample, large), items, settings, seed=seed)


def restore(kind: str, state: Mapping[str, NDArray[Any]], items: Items) -> Factors:
    """The model of `kind` (its `name`) that gave `state`. Raises Corrupt for an unknown kind or bad arrays."""
    if kind == Ease.name:
        return Ease.restore(state, items)
    if kind == Ials.name:
        return Ials.restore(state, items)
    raise Corrupt(f"no model of long-term taste is called {kind!r}")


def cut(sample: Sample, most: int) -> Sample:
    """The sample with its `most` most touched items alone. People may be left with fewer, or none."""
    if len(sample.keys) <= most:
        return sample
    kept = sample.items < most
    before = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(kept, dtype=np.int64)))
    return Sample(sample.keys[:most], before[sample.starts], sample.items[kept])
