"""SquareCB: a variant is chosen inversely to how far its estimate lies behind the best.

p_a = 1 / (K + gamma (y_best - y_a)) for all but the best, which gets the rest (Foster and Rakhlin: ICML 2020,
algorithm 1). gamma grows with the square root of the number of decisions, as there, in units of
the rewards' noise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heedful.models.variants.posterior import Beliefs

SCALE = 5.0
"""gamma is this times sqrt(decisions) / noise. Vowpal Wabbit's default, 10, supposes costs that reach from 0 to 1,
whose standard deviation is at most 1/2."""


def inverse_gaps(beliefs: Beliefs, scale: float = SCALE) -> NDArray[np.float64]:
    """The probability of each variant, float64 (k,), all above 0; adds up to 1 but for rounding."""
    means = beliefs.means
    best = int(means.argmax())
    gamma = scale * np.sqrt(max(beliefs.decisions, 0.0)) / max(beliefs.noise, 1e-12)
    chances: NDArray[np.float64] = 1.0 / (len(means) + gamma * (means[best] - means))
    chances[best] = 0.0
    chances[best] = 1.0 - chances.sum()
    return chances
