"""What every store of keys keeps: each promise of `KeyStore`, as tests.

A test class per implementation inherits `KeyStoreContract` and gives the fixture `store`.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heedful.vault.key_store import KeyStore, MemoryKeyStore, Ring, Tombstone, WrappedKey
from heedful.vocabulary.errors import Conflict, NotFound
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import Instant

ANN, BOB = SubjectId(b"a" * 16), SubjectId(b"b" * 16)


def key(
    subject: SubjectId = ANN, generation: int = 1, wrapping: int = 1, fill: int = 7, at: int = 5
) -> WrappedKey:
    return WrappedKey(subject, generation, wrapping, bytes([fill]) * 60, Instant(at))


def add_wrapping(store: KeyStore, after: int = 0) -> None:
    store.add_wrapping_key(after, "local:1", bytes([after + 1]) * 60, Instant(1))


class KeyStoreContract:
    @pytest.fixture
    def store(self) -> KeyStore:
        raise NotImplementedError

    def test_a_key_is_there_as_it_was_put(self, store: KeyStore) -> None:
        add_wrapping(store)
        assert store.put([key(), key(BOB, fill=8)]) == [key(), key(BOB, fill=8)]
        assert store.find([ANN, BOB]) == {ANN: Ring((key(),)), BOB: Ring((key(BOB, fill=8),))}

    def test_of_a_stranger_nothing_is_known(self, store: KeyStore) -> None:
        assert store.find([ANN]) == {ANN: Ring()}
        assert store.page(None, 10) == []
        assert store.wrapping_keys() == []

    def test_the_first_key_of_a_generation_stays(self, store: KeyStore) -> None:
        add_wrapping(store)
        store.put([key(fill=1)])
        assert store.put([key(fill=2), key(generation=2, fill=3)]) == [key(fill=1), key(generation=2, fill=3)]
        assert store.find([ANN])[ANN].keys == (key(fill=1), key(generation=2, fill=3))

    def test_a_key_under_a_wrapping_key_that_is_not_there_is_refused(self, store: KeyStore) -> None:
        add_wrapping(store)
        with pytest.raises(Conflict):
            store.put([key(), key(BOB, wrapping=2)])
        assert store.find([ANN])[ANN] == Ring()

    def test_a_destroyed_key_is_gone_and_its_generation_never_taken_again(self, store: KeyStore) -> None:
        add_wrapping(store)
        store.put([key(), key(generation=2), key(BOB)])
        tomb = Tombstone(ANN, 2, Instant(9))
        assert store.destroy([ANN], Instant(9)) == [tomb]
        assert store.find([ANN])[ANN] == Ring((), tomb)
        assert store.put([key(), key(generation=2, fill=3)]) == [None, None]
        assert store.find([ANN])[ANN] == Ring((), tomb)
        assert store.find([BOB])[BOB].keys == (key(BOB),)

    def test_destroying_twice_keeps_the_first_time(self, store: KeyStore) -> None:
        add_wrapping(store)
        store.put([key()])
        first = store.destroy([ANN], Instant(9))
        revision = store.revision()
        assert store.destroy([ANN], Instant(10)) == first
        assert store.revision() == revision

    def test_somebody_without_a_key_is_destroyed_before_the_first(self, store: KeyStore) -> None:
        add_wrapping(store)
        assert store.destroy([ANN], Instant(9)) == [Tombstone(ANN, 1, Instant(9))]
        assert store.put([key()]) == [None]

    def test_the_next_generation_may_live_after_a_destroying(self, store: KeyStore) -> None:
        add_wrapping(store)
        store.put([key()])
        store.destroy([ANN], Instant(9))
        assert store.put([key(generation=2)]) == [key(generation=2)]
        assert store.find([ANN])[ANN] == Ring((key(generation=2),), Tombstone(ANN, 1, Instant(9)))
        assert store.destroy([ANN], Instant(11)) == [Tombstone(ANN, 2, Instant(11))]
        assert store.find([ANN])[ANN].keys == ()

    def test_older_generations_can_go_alone(self, store: KeyStore) -> None:
        add_wrapping(store)
        store.put([key(generation=number) for number in (1, 2, 3)])
        assert store.destroy([ANN], Instant(9), through=2) == [Tombstone(ANN, 2, Instant(9))]
        assert [one.generation for one in store.find([ANN])[ANN].keys] == [3]
        assert store.destroy([ANN], Instant(12), through=1) == [Tombstone(ANN, 2, Instant(9))]

    def test_a_generation_of_the_future_cannot_be_destroyed(self, store: KeyStore) -> None:
        add_wrapping(store)
        store.put([key()])
        with pytest.raises(NotFound):
            store.destroy([BOB, ANN], Instant(9), through=2)
        assert store.find([ANN])[ANN] == Ring((key(),))

    def test_pages_give_every_living_key_once(self, store: KeyStore) -> None:
        add_wrapping(store)
        kept = [key(who, number) for who in (ANN, BOB) for number in (1, 2, 3)]
        store.put(kept)
        store.destroy([BOB], Instant(9), through=1)
        found: list[WrappedKey] = []
        while page := store.page((found[-1].subject, found[-1].generation) if found else None, 2):
            found += page
        assert found == [one for one in kept if one != key(BOB)]

    def test_a_key_wrapped_anew_takes_the_place_of_the_old(self, store: KeyStore) -> None:
        add_wrapping(store)
        store.put([key()])
        add_wrapping(store, 1)
        assert store.rewrap([(key(), key(wrapping=2, fill=9))]) == 1
        assert store.find([ANN])[ANN].keys == (key(wrapping=2, fill=9),)

    def test_wrapping_anew_brings_no_destroyed_key_back(self, store: KeyStore) -> None:
        add_wrapping(store)
        store.put([key(), key(BOB)])
        add_wrapping(store, 1)
        store.destroy([ANN], Instant(9))
        changes = [(key(who), key(who, wrapping=2, fill=9)) for who in (ANN, BOB)]
        assert store.rewrap(changes) == 1
        assert store.find([ANN])[ANN].keys == ()
        assert store.rewrap(changes) == 0, "Bob's key is not any more what is to be replaced"

    def test_the_last_wrapping_key_is_added_by_one_of_two(self, store: KeyStore) -> None:
        add_wrapping(store)
        with pytest.raises(Conflict):
            add_wrapping(store)
        add_wrapping(store, 1)
        assert [one.number for one in store.wrapping_keys()] == [1, 2]

    def test_a_wrapping_key_is_retired_when_nothing_lies_under_it(self, store: KeyStore) -> None:
        add_wrapping(store)
        store.put([key()])
        with pytest.raises(Conflict):
            store.retire(1)
        add_wrapping(store, 1)
        with pytest.raises(Conflict):
            store.retire(1)
        store.rewrap([(key(), key(wrapping=2))])
        store.retire(1)
        assert [one.number for one in store.wrapping_keys()] == [2]
        with pytest.raises(Conflict):
            store.put([key(BOB)])
        with pytest.raises(NotFound):
            store.retire(1)

    def test_a_key_that_is_closed_anew_stays_as_old_as_it_is(self, store: KeyStore) -> None:
        add_wrapping(store)
        store.put([key(at=5)])
        assert store.rewrap([(key(at=5), key(fill=8, at=9))]) == 1
        (found,) = store.page(None, 9)
        assert (found.wrapped, found.created) == (bytes([8]) * 60, 5)

    def test_the_revision_turns_when_something_ends_or_begins(self, store: KeyStore) -> None:
        seen = [store.revision()]

        def turned() -> bool:
            seen.append(store.revision())
            return seen[-1] != seen[-2]

        add_wrapping(store)
        assert turned()
        store.put([key()])
        assert not turned()
        store.destroy([ANN], Instant(9))
        assert turned()

    def test_nothing_is_left_to_wipe_when_nobody_reads(self, store: KeyStore) -> None:
        assert store.wipe()


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["put", "destroy", "through", "rewrap", "add", "retire"]),
        st.sampled_from([ANN, BOB]),
        st.integers(1, 3),
        st.integers(1, 3),
    ),
    max_size=30,
)


def perform(store: KeyStore, step: tuple[str, SubjectId, int, int], at: int) -> object:
    """What one operation answers or how it refuses: two stores that agree give the same."""
    name, subject, generation, wrapping = step
    made = key(subject, generation, wrapping, at % 251, at)
    try:
        if name == "put":
            return store.put([made])
        if name in {"destroy", "through"}:
            return store.destroy([subject], Instant(at), through=generation if name == "through" else 0)
        if name == "rewrap":
            found = [old for old in store.page(None, 99) if old.subject == subject]
            return store.rewrap(
                [(old, key(subject, old.generation, wrapping, at % 251, at)) for old in found]
            )
        if name == "add":
            return store.add_wrapping_key(wrapping - 1, "local:1", bytes([at % 251]) * 60, Instant(at))
        store.retire(wrapping)
        return None
    except (Conflict, NotFound) as error:
        return type(error)


class HistoriesContract:
    """For stores that can be made anew: every history gives what the one in memory gives."""

    def made(self) -> KeyStore:
        raise NotImplementedError

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(OPERATIONS)
    def test_every_history_is_as_in_memory(self, steps: list[tuple[str, SubjectId, int, int]]) -> None:
        store, twin = self.made(), MemoryKeyStore()
        try:
            for at, step in enumerate(steps, 10):
                assert perform(store, step, at) == perform(twin, step, at), step
            subjects = [ANN, BOB]
            assert store.find(subjects) == twin.find(subjects)
            assert store.page(None, 99) == twin.page(None, 99)
            assert store.wrapping_keys() == twin.wrapping_keys()
        finally:
            store.close()
