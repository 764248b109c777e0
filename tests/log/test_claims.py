"""Claims agree with their slow twin, a dictionary of sets."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heedful.log.claims import Claims
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.event import Position, position

fingerprints = st.one_of(
    st.integers(0, 5),  # all at home in the first slot
    st.integers((1 << 64) - 4, (1 << 64) - 1),  # at home in the last one: runs wrap around
    st.integers(0, (1 << 64) - 1),
)
places = st.one_of(st.integers(1, 4), st.builds(position, st.integers(0, 3), st.integers(1, 1 << 40)))
pairs = st.lists(st.tuples(fingerprints, places), max_size=40)


def put(claims: Claims, wanted: list[tuple[int, int]]) -> list[bool]:
    taken = claims.put_many(
        np.array([fingerprint for fingerprint, _ in wanted], dtype=np.uint64),
        np.array([place for _, place in wanted], dtype=np.int64),
    )
    return [bool(flag) for flag in taken]


class Twin:
    """What `Claims` means, said slowly."""

    def __init__(self) -> None:
        self.holders: dict[int, set[int]] = defaultdict(set)

    def put(self, fingerprint: int, place: int) -> bool:
        taken = bool(self.holders[fingerprint] - {place})
        self.holders[fingerprint].add(place)
        return taken

    def remove(self, fingerprint: int, place: int) -> bool:
        there = place in self.holders[fingerprint]
        self.holders[fingerprint].discard(place)
        return there

    def __len__(self) -> int:
        return sum(map(len, self.holders.values()))


def agree(claims: Claims, twin: Twin, asked: set[int]) -> None:
    assert len(claims) == len(twin)
    for fingerprint in asked:
        assert claims.holders(fingerprint) == sorted(twin.holders[fingerprint])
    many = np.array(sorted(asked), dtype=np.uint64)
    assert claims.places(many) == [place for one in sorted(asked) for place in sorted(twin.holders[one])]
    pairs = [(one, place) for one in sorted(asked) for place in sorted(twin.holders[one] | {9, 99})]
    marks, places = (np.array([pair[n] for pair in pairs], dtype=kind) for n, kind in enumerate(("u8", "i8")))
    assert claims.alone(marks, places).tolist() == [twin.holders[one] == {place} for one, place in pairs]
    known = claims.known(np.array(sorted(asked), dtype=np.uint64))
    assert known.tolist() == [bool(twin.holders[fingerprint]) for fingerprint in sorted(asked)]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(pairs, pairs), max_size=6), st.sampled_from([1, 1_000_000]), st.integers(0, 720))
def test_any_series_of_puts_and_removals_agrees_with_a_dictionary(
    series: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]], chain_from: int, others: int
) -> None:
    """Some `others` come first, so that the table is near its limit: it grows, or a further one is opened."""
    claims, twin = Claims(chain_from=chain_from), Twin()
    for number in range(others):
        put(claims, [(number * 7_919 << 40, 9)])
        twin.put(number * 7_919 << 40, 9)
    asked = {fingerprint for added, removed in series for fingerprint, _ in added + removed}
    for added, removed in series:
        assert put(claims, added) == [twin.put(*pair) for pair in added]
        agree(claims, twin, asked)
        for fingerprint, place in [*removed, *added[::3]]:
            assert claims.remove(fingerprint, Position(place)) is twin.remove(fingerprint, place)
        agree(claims, twin, asked)
        gone = [*removed, *added[::2], *removed[:1]]
        marks, places = (
            np.array([pair[n] for pair in gone], dtype=kind) for n, kind in enumerate(("u8", "i8"))
        )
        claims.remove_many(marks, places)
        for pair in gone:
            twin.remove(*pair)
        agree(claims, twin, asked)
    restored = Claims()
    restored.restore(claims.state())
    agree(restored, twin, asked)


@pytest.mark.parametrize("chain_from", [1, 5_000, 1_000_000])
def test_growing_keeps_every_pair(chain_from: int) -> None:
    random = np.random.default_rng(3)
    wanted = random.integers(0, 1 << 64, 50_000, dtype=np.uint64, endpoint=False)
    offsets = np.arange(1, 50_001, dtype=np.int64)
    claims = Claims(chain_from=chain_from)
    for start in range(0, 50_000, 997):
        claims.put_many(wanted[start : start + 997], offsets[start : start + 997])
    assert len(claims) == 50_000
    assert claims.known(wanted).all()
    assert not claims.known(random.integers(0, 1 << 64, 1_000, dtype=np.uint64)).any()
    assert all(claims.holders(int(wanted[i])) == [i + 1] for i in range(0, 50_000, 1_001))


def test_removing_leaves_others_of_the_same_run_in_reach() -> None:
    claims = Claims()
    run = [(fingerprint, fingerprint + 1) for fingerprint in range(600)]  # one home slot for all
    put(claims, run)
    for fingerprint, place in run[::2]:
        assert claims.remove(fingerprint, Position(place))
    assert all(claims.holders(f) == ([] if f % 2 == 0 else [f + 1]) for f in range(600))


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"fingerprints": np.zeros(2, np.uint64)},
        {"fingerprints": np.zeros(2, np.uint64), "positions": np.ones(3, np.int64)},
        {"fingerprints": np.zeros(2, np.int64), "positions": np.ones(2, np.int64)},
        {"fingerprints": np.zeros(2, np.uint64), "positions": np.zeros(2, np.int64)},
        {"fingerprints": np.zeros((1, 2), np.uint64), "positions": np.ones((1, 2), np.int64)},
    ],
)
def test_a_misshapen_state_is_corrupt(state: dict[str, NDArray[Any]]) -> None:
    claims = Claims()
    put(claims, [(1, 1)])
    with pytest.raises(Corrupt, match="claims"):
        claims.restore(state)
    assert claims.holders(1) == [1]
