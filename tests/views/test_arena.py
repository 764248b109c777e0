"""Arenas give out blocks that never overlap, take them back, and use them again."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import settings as configured
from hypothesis import strategies as st

from heedful.views.arena import (
    TOP,
    Arena,
    give,
    grown,
    room_behind,
    shift_down,
    shift_up,
    size_class,
    size_for,
    spacious,
    take,
)  # fmt: skip


def test_sizes_grow_by_at_most_a_quarter_and_hold_what_they_should() -> None:
    sizes = sorted({size_for(n) for n in range(1, 5_000)})
    assert sizes[:12] == [1, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28]
    assert all(b <= a * 1.25 for a, b in pairwise(sizes[4:]))
    for n in range(1, 5_000):
        assert n <= size_for(n)
        assert sizes[size_class(n)] == size_for(n)


@configured(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=80))
def test_blocks_never_overlap_and_free_ones_are_used_again(steps: list[tuple[bool, int]]) -> None:
    arena = Arena(np.int32)
    held: list[tuple[int, int]] = []
    for giving, count in steps:
        if giving and held:
            offset, size = held.pop(count % len(held))
            give(arena.book, arena.columns[0], offset, size)
        else:
            offsets = np.array([offset for offset, _ in held], dtype=np.int64)
            arena.reserve(size_for(count), offsets, np.array([size for _, size in held], dtype=np.int64))
            held = [(int(offset), size) for offset, (_, size) in zip(offsets, held, strict=True)]
            held.append((take(arena.book, arena.columns[0], count), count))
        places = [place for offset, size in held for place in range(offset, offset + size_for(size))]
        assert len(places) == len(set(places))
        assert 0 not in places
        assert all(place < arena.book[TOP] for place in places)
    before = arena.used
    for offset, size in held:
        give(arena.book, arena.columns[0], offset, size)
    for _, size in held:
        take(arena.book, arena.columns[0], size)
    assert arena.used == before


@configured(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 99), min_size=1, max_size=20), st.data())
def test_shifts_move_rows_and_leave_zeros(values: list[int], data: st.DataObject) -> None:
    n = len(values)
    start = data.draw(st.integers(0, n))
    column = np.array([*values, 0], dtype=np.int16)
    shift_up(column, start, n)
    assert column.tolist()[:start] + column.tolist()[start + 1 :] == values
    by = data.draw(st.integers(0, start))
    column = np.array(values, dtype=np.uint64)
    shift_down(column, start, n, by)
    assert column.tolist() == values[: start - by] + values[start:] + [0] * by


def test_growing_lays_blocks_side_by_side_when_much_lies_free() -> None:
    arena = Arena(np.int32, np.uint16)
    offset, held = np.zeros(50, dtype=np.int32), np.zeros(50, dtype=np.int32)
    for count in range(1, 400):  # everyone grows in step, which leaves every smaller block behind
        for owner in range(50):
            arena.reserve(size_for(count), offset, held)
            place = take(arena.book, arena.columns[0], count)
            old, before = int(offset[owner]), int(held[owner])
            for column in arena.columns:
                column[place : place + before] = column[old : old + before]
                column[old : old + before] = 0
                column[place + before] = 1_000 + owner
            if before:
                give(arena.book, arena.columns[0], old, before)
            offset[owner], held[owner] = place, count
    for owner in range(50):
        for column in arena.columns:
            assert (column[offset[owner] : offset[owner] + held[owner]] == 1_000 + owner).all()
    assert arena.used < 50 * 400 * 2


def test_a_large_column_grows_where_it_lies_and_a_small_one_by_a_copy() -> None:
    small = spacious(1_000, np.int64)
    small[:] = 7
    assert room_behind(small) == 0
    assert grown(small, 2_000).tolist() == [7] * 1_000 + [0] * 1_000
    large = spacious(1 << 18, np.int64)
    large[:] = 7
    longer = grown(large, 1 << 20)
    assert np.shares_memory(large, longer)
    assert len(longer) == 1 << 20
    assert (longer[: 1 << 18] == 7).all()
    assert not longer[1 << 18 :].any()


def test_who_kept_the_shorter_column_gets_a_copy_of_it_and_not_what_others_wrote_behind() -> None:
    large = spacious(1 << 18, np.int64)
    longer = grown(large, 1 << 19)
    longer[:] = 7
    other = grown(large, 1 << 19)
    assert not np.shares_memory(other, longer)
    assert not other[1 << 18 :].any()
    assert room_behind(longer[:-1]) == room_behind(longer[1:]) == 0


def test_a_growing_arena_of_large_columns_keeps_what_is_in_it() -> None:
    arena, size = Arena(np.int64, np.uint8), 300_000
    offsets, held = np.zeros(6, dtype=np.int64), np.zeros(6, dtype=np.int64)
    for owner in range(6):
        arena.reserve(size_for(size), offsets, held)
        offsets[owner], held[owner] = take(arena.book, arena.columns[0], size), size
        for column in arena.columns:
            column[offsets[owner] : offsets[owner] + size] = owner + 1
    for owner in range(6):
        for column in arena.columns:
            assert (column[offsets[owner] : offsets[owner] + size] == owner + 1).all()
