"""Chance that can be replayed: a draw from whole numbers, so that the probability written down is the one used.

Probabilities are whole multiples of 2^-32 that add up to 1. The draw compares 32 bits of the mixed seed with
their running sum, in integers, so that no rounding comes between what is logged and what is done.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

UNITS = 1 << 32
"""What the parts of a distribution add up to."""

_WORD = (1 << 64) - 1


def parts_of(weights: NDArray[np.float64], minimum: float = 0.0) -> list[int]:
    """Whole parts of `UNITS` in proportion to `weights`, float64 (k,), k >= 1, finite, at least 0, one above it.

    minimum: each part gets at least this share, up to 1 / k: the rest, 1 - k * minimum, follows the weights.
    With a minimum above 0 every part is above 0. What rounding leaves over goes to the greatest.
    """
    count = len(weights)
    floor = min(max(minimum, 0.0), 1.0 / count)
    shares = floor + (1.0 - count * floor) * (weights / weights.sum())
    parts = [max(int(share * UNITS), 1 if floor > 0 else 0) for share in shares.tolist()]
    greatest = parts.index(max(parts))
    parts[greatest] += UNITS - sum(parts)
    return parts


def probability(part: int) -> float:
    """What a part stands for; every part is exactly a float64."""
    return part / UNITS


def draw(seed: int, parts: Sequence[int]) -> int:
    """The place of the part that `seed` (64 bits) falls into. The same seed and parts give the same place."""
    ball = mixed_seed(seed) >> 32
    for place, part in enumerate(parts):
        if ball < part:
            return place
        ball -= part
    raise ValueError("the parts do not add up to 2^32")


def mixed_seed(seed: int, stream: int = 0) -> int:
    """64 bits from a seed and a number, so that one seed serves several independent draws.

    SplitMix64 (Steele, Lea, Flood 2014): the output of the generator at state `seed` + (`stream` + 1) steps.
    """
    word = (seed + (stream + 1) * 0x9E3779B97F4A7C15) & _WORD
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _WORD
    return word ^ (word >> 31)
