"""Data keys: made once, held for a while, destroyed for good, and rotated while everything goes on."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.vault.cipher import Cipher
from heedful.vault.key_database import SqliteKeyStore
from heedful.vault.key_services import AwsKey
from heedful.vault.key_store import KeyStore, MemoryKeyStore
from heedful.vault.keys import Rotation
from heedful.vocabulary.errors import Invalid, KeyDestroyed, KeyUnavailable, NotFound, SettingsError
from heedful.vocabulary.ids import NOBODY, EventId, SubjectId
from heedful.vocabulary.time import Instant
from tests.vault.rings import ANN, BOB, EVE, MASTER, OTHER, Died, DyingStore, Vault
from tests.vault.services import Aws, Hands

PEOPLE = [SubjectId(bytes([number]) * 16) for number in range(1, 8)]
EVENT = EventId("web:1")


def sealed_by(vault: Vault, people: list[SubjectId], body: bytes = b"body") -> dict[SubjectId, bytes]:
    cipher = Cipher(vault.keys)
    return {who: cipher.seal(EVENT, who, body) for who in people}


def test_a_subject_has_one_key_wherever_it_is_asked_for() -> None:
    store = MemoryKeyStore()
    one, two = Vault(store), Vault(store)
    sealed = sealed_by(one, PEOPLE)
    assert sealed_by(two, PEOPLE) == sealed
    assert len(store.page(None, 99)) == len(PEOPLE)
    assert len({key.wrapped for key in store.page(None, 99)}) == len(PEOPLE)


def test_missing_keys_of_a_batch_are_made_in_one_write() -> None:
    counting = DyingStore(MemoryKeyStore(), 0, after=False)
    Cipher(Vault(counting).keys).seal_many([(EVENT, who, b"body") for who in PEOPLE])
    assert counting.count == 2, "one wrapping key, and all data keys"


def test_no_more_keys_are_held_than_allowed_and_no_longer_than_allowed() -> None:
    vault = Vault(held=3, seconds=50.0)
    sealed = sealed_by(vault, PEOPLE)
    assert len(vault.keys) == 3
    cipher = Cipher(vault.keys)
    entries = [(EVENT, who, sealed[who]) for who in PEOPLE]
    assert cipher.open_many(entries) == [b"body"] * len(PEOPLE), "a batch may need more than are held"
    assert len(vault.keys) == 3
    before = vault.keys.opening(PEOPLE[-1:])[PEOPLE[-1]]
    vault.hands.seconds += 49
    assert vault.keys.opening(PEOPLE[-1:])[PEOPLE[-1]] is before
    vault.hands.seconds += 2
    assert vault.keys.opening(PEOPLE[-1:])[PEOPLE[-1]] is not before


def test_the_key_used_last_is_held_longest() -> None:
    vault = Vault(held=2)
    first = vault.keys.opening([ANN])[ANN]
    vault.keys.opening([BOB])
    vault.keys.opening([ANN])
    vault.keys.opening([EVE])
    assert vault.keys.opening([ANN])[ANN] is first


def test_no_opened_key_outlives_the_lease_of_its_wrapping_key() -> None:
    hands = Hands()
    service = Aws(hands)
    vault = Vault(master=AwsKey(Aws.arn, service), hands=hands, seconds=10_000.0)
    sealed = sealed_by(vault, [ANN])
    hands.seconds += 99
    service.enabled = False
    assert Cipher(vault.keys).open(EVENT, ANN, sealed[ANN]) == b"body"
    hands.seconds += 2
    with pytest.raises(KeyUnavailable):
        Cipher(vault.keys).open(EVENT, ANN, sealed[ANN])


def test_a_destroyed_subject_is_closed_in_every_process_at_once() -> None:
    store = MemoryKeyStore()
    one, two = Vault(store), Vault(store)
    sealed = sealed_by(one, [ANN, BOB])
    cipher = Cipher(two.keys)
    assert cipher.open(EVENT, ANN, sealed[ANN]) == b"body"
    (tombstone,) = one.keys.destroy([ANN])
    assert (tombstone.through, tombstone.at) == (1, one.clock.at)
    with pytest.raises(KeyDestroyed):
        cipher.open(EVENT, ANN, sealed[ANN])
    with pytest.raises(KeyDestroyed):
        cipher.seal(EVENT, ANN, b"late")
    assert cipher.open(EVENT, BOB, sealed[BOB]) == b"body"


def test_a_returning_person_gets_a_new_generation_and_never_the_old_key() -> None:
    vault = Vault()
    old = sealed_by(vault, [ANN])[ANN]
    vault.keys.destroy([ANN])
    with pytest.raises(KeyDestroyed):
        vault.keys.renew(ANN)
    assert vault.keys.renew(ANN, returning=True).generation == 2
    cipher = Cipher(vault.keys)
    new = cipher.seal(EVENT, ANN, b"body")
    assert cipher.open(EVENT, ANN, new) == b"body"
    assert cipher.open_many([(EVENT, ANN, old), (EVENT, ANN, new)]) == [None, b"body"]
    vault.keys.destroy([ANN])
    assert cipher.open_many([(EVENT, ANN, old), (EVENT, ANN, new)]) == [None, None]


def test_somebody_unknown_who_is_forgotten_gets_no_key_by_a_late_event() -> None:
    vault = Vault()
    vault.keys.destroy([ANN])
    with pytest.raises(KeyDestroyed):
        Cipher(vault.keys).seal(EVENT, ANN, b"late")


def test_what_is_about_nobody_cannot_be_destroyed_with_a_person() -> None:
    vault = Vault()
    sealed = sealed_by(vault, [NOBODY, ANN])
    with pytest.raises(Invalid):
        vault.keys.destroy([ANN, NOBODY])
    assert Cipher(vault.keys).open(EVENT, ANN, sealed[ANN]) == b"body"
    with pytest.raises(NotFound):
        vault.keys.destroy([ANN], through=5)


def test_a_renewed_key_seals_what_is_new_and_the_old_one_opens_what_is_old() -> None:
    vault = Vault()
    cipher = Cipher(vault.keys)
    first = cipher.seal(EVENT, ANN, b"one")
    assert vault.keys.renew(ANN).generation == 2
    second = cipher.seal(EVENT, ANN, b"two")
    assert (first[1:5], second[1:5]) == (b"\0\0\0\1", b"\0\0\0\2")
    assert cipher.open_many([(EVENT, ANN, first), (EVENT, ANN, second)]) == [b"one", b"two"]


def test_keys_older_than_a_moment_are_followed_when_next_used() -> None:
    vault = Vault()
    sealed_by(vault, [ANN])
    vault.clock.at = Instant(2_000_000)
    sealed_by(vault, [BOB])
    vault.keys.renew_before = Instant(1_500_000)
    keys = vault.keys.sealing([ANN, BOB])
    assert {who: key and key.generation for who, key in keys.items()} == {ANN: 2, BOB: 1}
    again = vault.keys.sealing([ANN])[ANN]
    assert again is not None
    assert again.generation == 2


def test_threads_and_a_rotation_at_once_agree_on_every_key(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite3"
    people = [SubjectId(bytes([number]) * 16) for number in range(40)]
    vaults = [Vault(SqliteKeyStore(path), held=10) for _ in range(2)]
    found: list[dict[SubjectId, bytes]] = []
    failed: list[BaseException] = []

    def work(vault: Vault, turn: int) -> None:
        try:
            mine = people[turn:] + people[:turn]
            found.append(
                {who: body for some in (mine[:20], mine[20:]) for who, body in sealed_by(vault, some).items()}
            )
            rotation = Rotation(vault.store, vault.wrapping, vault.clock)
            if turn == 0:
                rotation.begin()
                for _ in rotation.run(7):
                    pass
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(vaults[turn % 2], turn)) for turn in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(found) == 6
    assert all(one == found[0] for one in found)
    fresh = Vault(vaults[0].store)
    assert [Cipher(fresh.keys).open(EVENT, who, found[0][who]) for who in people] == [b"body"] * len(people)
    for vault in vaults:
        vault.store.close()


# Rotation


def rotated(store: KeyStore, *, begin: bool = True, limit: int = 2) -> None:
    vault = Vault(store, master=OTHER, older=(MASTER,))
    rotation = Rotation(vault.store, vault.wrapping, vault.clock)
    if begin:
        rotation.begin()
    for _ in rotation.run(limit):
        pass


def test_after_a_rotation_the_old_master_key_is_not_needed() -> None:
    store = MemoryKeyStore()
    sealed = sealed_by(Vault(store), PEOPLE)
    rotated(store)
    new = Vault(store, master=OTHER)
    assert [Cipher(new.keys).open(EVENT, who, sealed[who]) for who in PEOPLE] == [b"body"] * len(PEOPLE)
    with pytest.raises(SettingsError, match="not configured"):
        Cipher(Vault(store, master=MASTER).keys).open(EVENT, ANN, sealed_by(new, [ANN])[ANN])


def test_a_rotation_is_due_when_another_master_key_is_in_use() -> None:
    store = MemoryKeyStore()
    for master, older, due in ((MASTER, (), False), (OTHER, (MASTER,), True)):
        vault = Vault(store, master=master, older=older)
        assert Rotation(store, vault.wrapping, vault.clock).due() == due
        sealed_by(vault, PEOPLE)
    rotated(store)
    assert not Rotation(store, vault.wrapping, vault.clock).due()


def test_a_start_with_the_wrong_master_key_is_refused_and_writes_nothing() -> None:
    store = MemoryKeyStore()
    sealed_by(Vault(store), PEOPLE)
    wrong = Vault(store, master=OTHER)
    with pytest.raises(SettingsError, match="not configured"):
        wrong.wrapping.renew()
    with pytest.raises(SettingsError, match="not configured"):
        sealed_by(wrong, [SubjectId(b"f" * 16)])
    assert len(store.page(None, 99)) == len(PEOPLE)


def test_while_a_rotation_runs_everybody_is_read_and_written() -> None:
    store = MemoryKeyStore()
    old = Vault(store)
    sealed = sealed_by(old, PEOPLE)
    new = Vault(store, master=OTHER, older=(MASTER,))
    rotation = Rotation(store, new.wrapping, new.clock)
    rotation.begin()
    steps = 0
    fresh = SubjectId(b"f" * 16)
    for _ in rotation.run(2):
        steps += 1
        for vault in (Vault(store, master=OTHER, older=(MASTER,)), new):
            cipher = Cipher(vault.keys)
            assert [cipher.open(EVENT, who, sealed[who]) for who in PEOPLE] == [b"body"] * len(PEOPLE)
            assert cipher.open(EVENT, fresh, cipher.seal(EVENT, fresh, b"new")) == b"new"
    assert steps >= len(PEOPLE) // 2
    assert not rotation.unfinished()


def test_a_process_that_knew_only_the_old_wrapping_key_goes_on_with_the_new() -> None:
    store = MemoryKeyStore()
    slow = Vault(store, older=(OTHER,))
    sealed = sealed_by(slow, PEOPLE)
    rotated(store)
    cipher = Cipher(slow.keys)
    assert [cipher.open(EVENT, who, sealed[who]) for who in PEOPLE] == [b"body"] * len(PEOPLE)
    fresh = SubjectId(b"f" * 16)
    assert cipher.open(EVENT, fresh, cipher.seal(EVENT, fresh, b"new")) == b"new"
    assert {key.wrapping for key in store.page(None, 99)} == {2}


def test_a_key_closed_late_under_the_old_wrapping_key_is_found_by_the_next_round() -> None:
    store = MemoryKeyStore()
    slow = Vault(store)
    sealed = sealed_by(slow, PEOPLE)
    vault = Vault(store, master=OTHER, older=(MASTER,))
    rotation = Rotation(store, vault.wrapping, vault.clock)
    rotation.begin()
    assert [rotation.step(3) for _ in range(3)] == [3, 3, 1]
    late = SubjectId(b"\0" * 16)  # before everybody in the order of pages
    lease = slow.wrapping.of(1)
    store.put([lease.close(b"k" * 32, late, 1, Instant(1))])
    for _ in rotation.run(3):
        pass
    assert {key.wrapping for key in store.page(None, 99)} == {2}
    assert len(store.page(None, 99)) == len(sealed) + 1


# A process that dies


def story(vault: Vault) -> None:
    """Everything that changes the store; BOB is destroyed, and the master key rotated before and after it."""
    sealed_by(vault, PEOPLE)
    rotation = Rotation(vault.store, vault.wrapping, vault.clock)
    rotation.begin()
    rotation.step(3)
    vault.keys.destroy([PEOPLE[1]])
    vault.keys.renew(PEOPLE[2])
    for _ in rotation.run(3):
        pass
    vault.keys.destroy([PEOPLE[3]])


def operations() -> int:
    counting = DyingStore(MemoryKeyStore(), 0, after=False)
    story(Vault(counting))
    return counting.count


@settings(max_examples=80, deadline=None)
@given(st.integers(1, operations()), st.booleans(), st.integers(1, 12), st.booleans())
def test_a_process_that_dies_anywhere_leaves_what_the_next_one_can_finish(
    at: int, after: bool, again: int, again_after: bool
) -> None:
    store = MemoryKeyStore()
    first = Vault(store)
    sealed = sealed_by(first, PEOPLE)
    wished: set[SubjectId] = set()
    for when, end in ((at, after), (again, again_after)):
        dying = Vault(DyingStore(store, when, after=end))
        with suppress(Died, KeyDestroyed):
            story(dying)
        gone = {who for who, ring in store.find(PEOPLE).items() if ring.tombstone is not None}
        assert wished <= gone, "what was destroyed came back"
        wished = gone
        assert gone <= {PEOPLE[1], PEOPLE[3]}
        bodies = Cipher(Vault(store).keys).open_many([(EVENT, who, sealed[who]) for who in PEOPLE])
        assert bodies == [None if who in gone else b"body" for who in PEOPLE]
    vault = Vault(store)
    for _ in Rotation(store, vault.wrapping, vault.clock).run(2):
        pass
    vault.keys.destroy([PEOPLE[1], PEOPLE[3]])
    assert len(store.wrapping_keys()) == 1
    bodies = Cipher(vault.keys).open_many([(EVENT, who, sealed[who]) for who in PEOPLE])
    assert [who for who, body in zip(PEOPLE, bodies, strict=True) if body is None] == [PEOPLE[1], PEOPLE[3]]


def test_after_destroying_no_canary_is_in_any_byte_on_disk(tmp_path: Path) -> None:
    store = SqliteKeyStore(tmp_path / "vault.sqlite3")
    vault = Vault(store)
    canaries = {who: b"canary-" + who[:1] * 3 for who in PEOPLE}
    cipher = Cipher(vault.keys)
    log = tmp_path / "log"
    log.write_bytes(b"".join(cipher.seal(EVENT, who, canaries[who]) for who in PEOPLE))
    secrets = {key.subject: vault.wrapping.of(1).open(key) for key in store.page(None, 99)}
    wrapped = {key.subject: key.wrapped for key in store.page(None, 99)}
    rotation = Rotation(store, vault.wrapping, vault.clock)
    rotation.begin()
    for _ in rotation.run(3):
        pass
    wrapped_anew = {key.subject: key.wrapped for key in store.page(None, 99)}
    vault.keys.destroy(PEOPLE[:4])
    assert vault.keys.wipe()
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for who in PEOPLE:
        assert canaries[who] not in files
        assert secrets[who] not in files
        assert wrapped[who][:12] not in files, "what was wrapped under the retired key"
        assert (wrapped_anew[who] in files) == (who not in PEOPLE[:4])
    store.close()
