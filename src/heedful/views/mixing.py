"""How digests of views are made: every element is mixed to 128 bits, and the elements are added up.

A sum does not ask for an order, so two views that hold the same elements in different places of memory
have the same digest. The mixer is the finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable
Pseudorandom Number Generators, OOPSLA 2014; constants of Stafford's variant 13). Two lanes with different
seeds absorb the same words. It protects against chance, not against somebody who picks the elements.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.views.compiled import compiled

LANES: NDArray[np.uint64] = np.array([0x243F6A8885A308D3, 0x13198A2E03707344], dtype=np.uint64)
"""Where the two lanes of an element start: the first 128 bits of the fraction of pi."""

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_30, _27, _31 = np.uint64(30), np.uint64(27), np.uint64(31)


def mixed(words: Any) -> Any:
    """A bijection of 64 bits: every bit of `words` (uint64, any shape) moves every bit of the result."""
    words = words + _STEP
    words = (words ^ (words >> _30)) * _FIRST
    words = (words ^ (words >> _27)) * _SECOND
    return words ^ (words >> _31)


mix = compiled(mixed)
"""`mixed` for one uint64, inside kernels."""


@compiled
def absorb(lane: np.uint64, word: np.uint64) -> np.uint64:
    """The lane after one more word, both uint64. The order of words within an element matters."""
    mingled: np.uint64 = mix(lane ^ word)
    return mingled


def digest_of(sums: NDArray[np.uint64]) -> bytes:
    """The 16 bytes of a pair of lane sums, shape (2,), little-endian whatever the machine."""
    return sums.astype("<u8").tobytes()
