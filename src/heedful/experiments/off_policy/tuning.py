"""How far to shrink or to clip, chosen from the data: SLOPE (Su, Srinath, Krishnamurthy, ICML 2020).

Estimators stand in order from the least biased, which spreads most, to the most biased. One goes down the
list for as long as each interval could still hold what those before it say: as soon as one could not, its
bias shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from heedful.experiments.off_policy.intervals import standard_error, student_quantile
from heedful.experiments.off_policy.logs import Floats, Integers

_SLACK = math.sqrt(6) - 1


def slope(candidates: Sequence[Floats], units: Integers | None = None, delta: float = 0.05) -> int:
    """Which of `candidates` to take; each is a column of terms, the least biased first. At least one is needed.

    The i-th goes on if |value_i - value_j| <= c_i + (sqrt 6 - 1) c_j for all before it, with c the half-width
    of the interval at 1 - delta.
    """
    kept: list[tuple[float, float]] = []
    for terms in candidates:
        value = float(terms.mean())
        half = student_quantile(1 - delta / 2, len(terms) - 1) * standard_error(terms, units)
        if any(abs(value - other) > half + _SLACK * others for other, others in kept):
            break
        kept.append((value, half))
    return max(len(kept) - 1, 0)
