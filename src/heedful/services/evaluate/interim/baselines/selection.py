"""The best k of many scored items, ties to the lower code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best(items: NDArray[np.int32], scores: NDArray[np.float64], k: int) -> NDArray[np.int32]:
    """The k items (distinct, any order) of highest score, best first: int32 (at most k,)."""
    if 0 < k < len(items):
        enough = scores >= np.partition(scores, len(scores) - k)[len(scores) - k]
        items, scores = items[enough], scores[enough]
    return items[np.lexsort((items, -scores))][:k].astype(np.int32)


def grown(column: NDArray[np.int32], size: int, fill: int = 0) -> NDArray[np.int32]:
    """The column with room for at least `size` entries, new ones `fill`; doubles, so that growing is rare."""
    if size <= len(column):
        return column
    larger = np.full(max(size, 2 * len(column)), fill, dtype=column.dtype)
    larger[: len(column)] = column
    return larger
