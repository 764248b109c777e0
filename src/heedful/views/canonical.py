"""Digests that do not see order or memory: a sum over the content, each part mixed strongly.

Two lanes of 64 bits. A part (a row, a session, a place in a list) is absorbed word by word, and the results
are added modulo 2^64, so any order and any grouping give the same sum and the digest of nothing is zero. The
mixers are the finalisers of SplitMix64 (Steele, Lea and Flood 2014, section 3) and of MurmurHash3
(Appleby 2011, `fmix64`); the words of subjects, items and events are keyed hashes already.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from heedful.views.compiled import compiled

SEED_A = np.uint64(0x243F6A8885A308D3)  # the first 64 bits of the fraction of pi
SEED_B = np.uint64(0x13198A2E03707344)  # the next 64

_S30, _S27, _S31, _S33 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(33)
_SPLIT_1, _SPLIT_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_MURMUR_1, _MURMUR_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_STEP = np.uint64(0x9E3779B97F4A7C15)


@compiled
def absorb_a(state: np.uint64, word: np.uint64) -> np.uint64:
    """The first lane's `state` after `word`."""
    z = (state ^ word) + _STEP
    z = (z ^ (z >> _S30)) * _SPLIT_1
    z = (z ^ (z >> _S27)) * _SPLIT_2
    return z ^ (z >> _S31)


@compiled
def absorb_b(state: np.uint64, word: np.uint64) -> np.uint64:
    """The second lane's `state` after `word`."""
    z = (state ^ word) + _STEP
    z = (z ^ (z >> _S33)) * _MURMUR_1
    z = (z ^ (z >> _S33)) * _MURMUR_2
    return z ^ (z >> _S33)


def word_of(text: str) -> int:
    """64 bits that stand for a public word, such as the name of a kind."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def sealed(lanes: NDArray[np.uint64]) -> bytes:
    """The 16 bytes of a digest from its two sums, shape (2,), whatever the machine's byte order."""
    return lanes.astype("<u8").tobytes()
