"""Fixed shares: what an operator asks for, or an even split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def in_shares(shares: Sequence[float]) -> NDArray[np.float64]:
    """The probability of each variant, in proportion to `shares`, each at least 0; even where all are 0."""
    weights = np.array(shares, dtype=np.float64)
    if not weights.sum() > 0:
        weights[:] = 1.0
    chances: NDArray[np.float64] = weights / weights.sum()
    return chances
