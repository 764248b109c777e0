"""The session index is a function of the set of rows: order, batches and removals leave no trace."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as configured
from hypothesis import strategies as st

from heedful.views.postings import COUNT_MASK, ITEM_BITS, ITEM_MASK, NEXT_SLOT
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.kinds import CART, PURCHASE

from .world import Row, SlowSession, World, cut, histories

IDLE = 10


def fresh(rows: list[Row], idle: int = IDLE, cap: int = 200) -> World:
    """A world that was given exactly `rows`, sorted, in one batch."""
    world = World(idle, cap)
    world.apply(sorted(rows))
    return world


def indexed(world: World) -> list[SlowSession]:
    """Every session as the index has it, in words."""
    index, found = world.sessions.index, []
    names = {world.subject(name): name for name in ("s0", "s1", "s2", "s3", "late")}
    for slot in range(1, int(index.meta[NEXT_SLOT])):
        packed = int(index.block[slot])
        if packed:
            block = index.entries[packed >> 8 : (packed >> 8) + (packed & COUNT_MASK)]
            items = {str(world.items.ids[int(e) & ITEM_MASK]): int(e) >> ITEM_BITS for e in block}
            who = names[int(index.subject[slot])]
            found.append(SlowSession(int(index.last[slot]), who, int(index.first[slot]), items))
    return found


def check_against_twin(world: World, rows: list[Row], cap: int = 200) -> None:
    """Sessions, their items in order, every list and every chain are what the slow twin says."""
    slow = cut(rows, IDLE, cap)
    mine = indexed(world)
    assert sorted((s[:3], list(s.items.items())) for s in mine) == sorted(
        (s[:3], list(s.items.items())) for s in slow
    )
    index = world.sessions.index
    for item, code in world.items.codes.items():
        start, held = int(index.offset[code]), int(index.held[code]) if code < len(index.held) else 0
        slots = index.postings[start : start + held]
        listed = [(int(index.last[slot]), int(index.subject[slot])) for slot in slots]
        expected = sorted((s.last, world.subject_key(s.subject), s.subject) for s in slow if item in s.items)
        assert listed == [(last, world.subject(name)) for last, _, name in expected]
    for subject in {row.subject for row in rows}:
        slot, lasts = int(index.head[world.subject(subject)]), []
        while slot:
            lasts.append(int(index.last[slot]))
            slot = int(index.before[slot])
        assert lasts == sorted((s.last for s in slow if s.subject == subject), reverse=True)


@configured(max_examples=120, deadline=None)
@given(histories(), st.randoms(use_true_random=False), st.integers(1, 12), st.sampled_from([2, 3, 200]))
def test_any_order_and_batching_give_the_sessions_of_the_set(
    rows: list[Row], chance: random.Random, size: int, cap: int
) -> None:
    world = World(IDLE, cap)
    shuffled = list(rows)
    chance.shuffle(shuffled)
    for start in range(0, len(shuffled), size):
        world.apply(shuffled[start : start + size])
    check_against_twin(world, rows, cap)
    assert world.digests() == fresh(rows, cap=cap).digests()


@configured(max_examples=120, deadline=None)
@given(histories(), histories(), st.randoms(use_true_random=False), st.sampled_from([2, 200]))
def test_what_is_taken_back_was_never_there(
    kept: list[Row], gone: list[Row], chance: random.Random, cap: int
) -> None:
    taken = {row[1:4] for row in kept}
    gone = [row for row in gone if row[1:4] not in taken]
    world = World(IDLE, cap)
    together = kept + gone
    chance.shuffle(together)
    for start in range(0, len(together), 7):
        world.apply(together[start : start + 7])
    chance.shuffle(gone)
    for start in range(0, len(gone), 3):
        world.retract(gone[start : start + 3])
    check_against_twin(world, kept, cap)
    assert world.digests() == fresh(kept, cap=cap).digests()


@configured(max_examples=100, deadline=None)
@given(histories(), histories(), st.integers(-70, 70), st.integers(0, 40))
def test_what_is_before_the_floor_was_never_there(
    rows: list[Row], later: list[Row], floor: int, step: int
) -> None:
    taken = {row[1:4] for row in rows}
    later = [row for row in later if row[1:4] not in taken]
    world = World(IDLE)
    world.apply(rows)
    world.advance(floor)
    world.apply(later)
    world.advance(floor + step)
    world.advance(floor)  # never backwards
    live = [row for row in rows + later if row.at >= floor + step]
    check_against_twin(world, live)
    assert world.digests() == fresh(live).digests()


@configured(max_examples=60, deadline=None)
@given(histories(), histories(), st.randoms(use_true_random=False))
def test_a_restored_index_is_the_same_and_goes_on(
    rows: list[Row], later: list[Row], chance: random.Random
) -> None:
    taken = {row[1:4] for row in rows}
    later = [row for row in later if row[1:4] not in taken]
    world = World(IDLE)
    for row in rows:
        world.apply([row])
    gone = rows[: len(rows) // 3]
    world.retract(gone)
    states = [
        {name: array.copy() for name, array in view.state().items()}
        for view in (world.history, world.sessions)
    ]
    before = world.digests()
    world.history.restore(states[0])
    world.sessions.restore(states[1])
    assert world.digests() == before
    world.apply(later)
    live = rows[len(gone) :] + later
    check_against_twin(world, live)
    assert world.digests() == fresh(live).digests()


@configured(max_examples=60, deadline=None)
@given(histories(), st.integers(1, 9))
def test_rows_seen_twice_and_rows_the_history_holds_already_change_nothing(
    rows: list[Row], size: int
) -> None:
    world = World(IDLE)
    world.history.apply(world.rows(rows))  # everything, before the sessions see the first
    for start in range(0, len(rows), size):
        world.sessions.apply(world.rows(rows[start : start + size]))
    world.apply(rows[::-1])
    check_against_twin(world, rows)
    assert world.digests() == fresh(rows).digests()


def test_a_late_row_joins_two_sessions_and_taking_it_back_splits_them() -> None:
    world = World(IDLE)
    world.apply([Row(0, 1, 0, "s0", "a"), Row(16, 2, 0, "s0", "b")])
    assert len(world.sessions) == 2
    apart = world.digests()
    late = Row(8, 3, 0, "s0", "c", PURCHASE)
    world.apply([late])
    assert len(world.sessions) == 1
    assert world.names(world.sessions.current(world.subject("s0"), 5)[0]) == ["b", "c", "a"]
    world.retract([late])
    assert len(world.sessions) == 2
    assert world.digests() == apart


def test_an_item_seen_again_is_newest_and_keeps_all_that_was_done_with_it() -> None:
    world = World(IDLE)
    world.apply([Row(0, 1, 0, "s0", "a", CART), Row(1, 2, 0, "s0", "b"), Row(2, 3, 0, "s0", "a", PURCHASE)])
    (session,) = indexed(world)
    assert list(session.items.items()) == [("b", 4), ("a", 3)]


def test_a_subject_given_and_taken_back_again_and_again_takes_no_more_room() -> None:
    world = World(IDLE)
    chance = random.Random(7)
    keep = [Row(chance.randrange(5_000), n, 0, f"s{n % 4}", f"i{n % 40}") for n in range(800)]
    world.apply(keep)
    some = [Row(chance.randrange(5_000), 10_000 + n, 0, "late", f"i{n % 40}") for n in range(300)]
    world.apply(some)
    world.retract(some)
    digests, room = world.digests(), world.history.nbytes + world.sessions.nbytes
    for _ in range(20):
        chance.shuffle(some)
        world.apply(some)
        world.retract(some)
    assert world.digests() == digests
    assert world.history.nbytes + world.sessions.nbytes <= room * 1.1


def test_nothing_of_what_was_taken_back_stays_in_memory() -> None:
    world = World(IDLE)
    rows = [Row(7 * n, 2**40 + n, n % 3, f"s{n % 3}", f"i{n % 11}", CART, 300) for n in range(400)]
    world.apply(rows)
    world.retract(rows)
    history, sessions = world.history.state(), world.sessions.state()
    for name in ("at", "fingerprint", "kind", "line", "quantity", "count", "offset", "large"):
        assert not history[name].any(), name
    for name in ("slot_subject", "slot_last", "slot_first", "slot_block", "head", "offset", "held"):
        assert not sessions[name].any(), name
    assert world.history.digest() == world.sessions.digest() == bytes(16)


def test_many_sessions_and_rows_outgrow_every_array() -> None:
    world = World(IDLE)
    chance = random.Random(3)
    rows = [
        Row(
            chance.randrange(200_000),
            n,
            0,
            f"s{chance.randrange(4)}",
            f"i{int(chance.paretovariate(0.5)) % 3000}",
        )
        for n in range(6_000)
    ]
    world.apply(rows[:3_000])
    for start in range(3_000, 6_000, 100):
        world.apply(rows[start : start + 100])
    check_against_twin(world, rows)
    assert world.digests() == fresh(rows).digests()


def test_a_state_cut_by_other_settings_or_misshapen_is_refused() -> None:
    world = fresh([Row(0, 1, 0, "s0", "a")])
    state = world.sessions.state()
    with pytest.raises(Corrupt):
        World(IDLE + 1).sessions.restore(state)
    with pytest.raises(Corrupt):
        World(IDLE).sessions.restore({name: array for name, array in state.items() if name != "postings"})
    with pytest.raises(Corrupt):
        World(IDLE).sessions.restore({**state, "slot_last": np.zeros(99, dtype=np.int64)})
