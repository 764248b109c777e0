"""Long-term taste: what fits everything the person turned to, the newest most, not only this visit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from heedful.models.factors import Factors
from heedful.pipeline.candidates import Candidates
from heedful.pipeline.context import Context
from heedful.views.pasts import Pasts
from heedful.vocabulary.time import DAY, Instant


class Taste:
    """What a fitted model of long-term taste says of the person's past, folded in anew for every question.

    fitted: the model in force at a moment; none is silence. newest: items of the past that count.
    half_life: microseconds. touched: whether what the person touched already may be proposed again.
    """

    name = "taste"

    def __init__(
        self, pasts: Pasts, fitted: Callable[[Instant], Factors | None], *, newest: int = 64,
        half_life: int = 90 * DAY, touched: bool = False,
    ) -> None:  # fmt: skip
        self._pasts, self._fitted = pasts, fitted
        self._newest, self._half_life, self._touched = newest, half_life, touched

    def propose(self, context: Context, candidates: Candidates, column: int, *, limit: int) -> int:
        if context.subject < 0:
            return 0
        at = context.now if context.as_of is None else context.as_of
        model = self._fitted(at)
        if model is None:
            return 0
        past = self._pasts.read(context.subject, limit=self._newest, at=at, half_life=self._half_life)
        most = past.weight.max(initial=0.0)
        if most <= 0:
            return 0
        more = 0 if self._touched else len(past.item)
        found = model.propose(past.item, past.weight / most, limit + more)
        items, scores, because = found
        if more:
            fresh = ~_among(items, past.item)
            items, scores, because = items[fresh][:limit], scores[fresh][:limit], because[fresh][:limit]
        candidates.add(column, items, scores, because)
        return len(items)


def _among(items: NDArray[np.int32], touched: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which of `items` are among `touched`, both short."""
    same: NDArray[np.bool_] = (items[:, None] == touched[None, :]).any(axis=1)
    return same
