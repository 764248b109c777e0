"""Digest lanes differ from each other, and see every word and its place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from heedful.views.canonical import SEED_A, SEED_B, absorb_a, absorb_b, sealed, word_of
from heedful.views.view import zeros

Lane = Callable[[np.uint64, np.uint64], np.uint64]


def test_nothing_has_the_digest_of_zeros() -> None:
    assert sealed(zeros()) == bytes(16)


def after(lane: Lane, seed: np.uint64, *words: int) -> np.uint64:
    """The lane's state after `words`."""
    for word in words:
        seed = np.uint64(lane(np.uint64(seed), np.uint64(word)))
    return seed


def test_lanes_see_every_bit_and_the_order_of_words() -> None:
    lanes: tuple[tuple[Lane, np.uint64], ...] = ((absorb_a, SEED_A), (absorb_b, SEED_B))
    for lane, seed in lanes:
        plain = int(after(lane, seed, 0, 0))
        flips = [bin(plain ^ int(after(lane, seed, 1 << bit, 0))).count("1") for bit in range(64)]
        assert min(flips) > 12
        assert 28 < sum(flips) / 64 < 36
        assert after(lane, seed, 1, 2) != after(lane, seed, 2, 1)
    assert after(absorb_a, SEED_A, 1) != after(absorb_b, SEED_A, 1)


def test_the_words_of_names_are_fixed_for_ever() -> None:
    assert word_of("view") == 0xAFF343D0F12A622C
