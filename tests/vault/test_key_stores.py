"""The stores of keys keep the contract, and the one on disk keeps it when the power fails, byte by byte."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from heedful.vault.key_database import SqliteKeyStore
from heedful.vault.key_store import KeyStore, MemoryKeyStore, WrappedKey
from heedful.vocabulary.errors import Corrupt, HeedfulError, KeyUnavailable, SettingsError
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import Instant
from tests.contracts.key_store_contract import (
    ANN,
    BOB,
    HistoriesContract,
    KeyStoreContract,
    add_wrapping,
    key,
)
from tests.log.disk import Disk

CUTS = int(os.environ.get("HEEDFUL_CUTS", "1"))


class TestMemoryKeyStore(KeyStoreContract):
    @pytest.fixture
    def store(self) -> KeyStore:
        return MemoryKeyStore()


class TestSqliteKeyStore(KeyStoreContract, HistoriesContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[KeyStore]:
        made = SqliteKeyStore(tmp_path / "vault.sqlite3")
        yield made
        made.close()

    def made(self) -> KeyStore:
        return SqliteKeyStore(Path(tempfile.mkdtemp()) / "vault.sqlite3")


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def test_what_is_destroyed_or_replaced_is_in_no_byte_of_the_files(tmp_path: Path) -> None:
    dice = random.Random(4)
    store = SqliteKeyStore(tmp_path / "vault.sqlite3")
    store.add_wrapping_key(0, "local:1", dice.randbytes(60), Instant(1))
    store.add_wrapping_key(1, "local:2", dice.randbytes(200), Instant(1))
    kept: dict[SubjectId, WrappedKey] = {}
    gone: list[bytes] = []
    for _ in range(8):
        fresh = [
            WrappedKey(SubjectId(dice.randbytes(16)), 1, 1, dice.randbytes(60), Instant(1))
            for _ in range(120)
        ]
        store.put(fresh)
        kept |= {one.subject: one for one in fresh}
        chosen = dice.sample(sorted(kept), 60)
        gone += [kept[subject].wrapped for subject in chosen]
        old = [kept.pop(subject) for subject in chosen[:20]]
        new = [WrappedKey(one.subject, 1, 2, dice.randbytes(60), Instant(1)) for one in old]
        assert store.rewrap(list(zip(old, new, strict=True))) == 20
        kept |= {one.subject: one for one in new}
        for some in (chosen[20:21], chosen[21:]):
            assert len(store.destroy(some, Instant(2))) == len([kept.pop(subject) for subject in some])
    assert store.wipe()
    files = bytes_of(tmp_path)
    assert all(one.wrapped in files for one in kept.values()), "the search finds what is there"
    assert not [found for found in gone if found in files or found[:16] in files or found[-16:] in files]
    store.close()


def test_a_retired_wrapping_key_is_in_no_byte_of_the_files(tmp_path: Path) -> None:
    store = SqliteKeyStore(tmp_path / "vault.sqlite3")
    first = random.Random(1).randbytes(180)
    store.add_wrapping_key(0, "local:1", first, Instant(1))
    add_wrapping(store, 1)
    assert first in bytes_of(tmp_path)
    store.retire(1)
    assert first[:20] not in bytes_of(tmp_path)
    store.close()


def test_a_start_wipes_what_a_process_left_that_died_after_destroying(tmp_path: Path) -> None:
    path, canary = tmp_path / "vault.sqlite3", bytes(range(60))
    store = SqliteKeyStore(path)
    add_wrapping(store)
    store.put([WrappedKey(ANN, 1, 1, canary, Instant(1))])
    reader = apsw.Connection(str(path))  # holds the write-ahead log back, as a backup would
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM keys").fetchall()
    store._connection.set_busy_timeout(1)
    store.destroy([ANN], Instant(2))
    assert not store.wipe()
    assert canary in bytes_of(tmp_path)
    reader.close()
    again = SqliteKeyStore(path)
    assert canary[:16] not in bytes_of(tmp_path)
    again.close()
    store.close()


def test_keys_are_there_in_another_process_and_after_closing(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite3"
    first, second = SqliteKeyStore(path), SqliteKeyStore(path)
    add_wrapping(first)
    first.put([key()])
    assert second.find([ANN])[ANN].keys == (key(),)
    revision = second.revision()
    first.destroy([ANN], Instant(3))
    assert second.revision() != revision
    first.close()
    second.close()
    third = SqliteKeyStore(path)
    assert third.put([key()]) == [None]
    third.close()


def test_the_file_is_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite3"
    store = SqliteKeyStore(path)
    add_wrapping(store)
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}
    store.close()
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        SqliteKeyStore(path)


def test_another_programs_file_a_newer_one_and_no_file_at_all_are_refused(tmp_path: Path) -> None:
    other, newer, text = (tmp_path / name for name in ("other", "newer", "text"))
    for path, statement in ((other, "CREATE TABLE a (b)"), (newer, "PRAGMA user_version = 9")):
        with sqlite3.connect(path) as connection:
            connection.execute(statement)
        connection.close()
    text.write_bytes(b"this is no database" * 100)
    for path in (other, newer, text):
        path.chmod(0o600)
    with pytest.raises(SettingsError, match="another program"):
        SqliteKeyStore(other)
    with pytest.raises(SettingsError, match="schema 9"):
        SqliteKeyStore(newer)
    with pytest.raises(Corrupt):
        SqliteKeyStore(text)
    with pytest.raises(SettingsError):
        SqliteKeyStore(tmp_path / "nowhere" / "vault.sqlite3")


# Faults


FIRST = {ANN: key(ANN, fill=7), BOB: key(BOB, fill=8)}
SECOND = {ANN: key(ANN, wrapping=2, fill=9), BOB: key(BOB, wrapping=2, fill=10)}


def play(store: KeyStore) -> Iterator[str]:
    """A short life of keys; the word after each step that was answered."""
    add_wrapping(store)
    yield "ready"
    store.put([*FIRST.values()])
    yield "put"
    add_wrapping(store, 1)
    yield "begun"
    store.rewrap([(FIRST[who], SECOND[who]) for who in (ANN, BOB)])
    yield "rewrapped"
    store.destroy([ANN], Instant(9))
    yield "destroyed"
    store.retire(1)
    yield "retired"


def live(folder: Path, disk: Disk) -> set[str]:
    """What was answered until the fault."""
    answered: set[str] = set()
    try:
        store = SqliteKeyStore(folder / "vault.sqlite3", vfs=disk.name)
    except HeedfulError:
        return answered
    try:
        for word in play(store):
            answered.add(word)
    except HeedfulError:
        pass
    finally:
        disk.space = True
        store.close()
    return answered


def check(folder: Path, answered: set[str]) -> None:
    """What was answered holds, and what was not is whole or not there."""
    store = SqliteKeyStore(folder / "vault.sqlite3")
    rings = store.find([ANN, BOB])
    numbers = [one.number for one in store.wrapping_keys()]
    if "put" in answered:
        assert len(rings[BOB].keys) == 1
    if "rewrapped" in answered:
        assert rings[BOB].keys == (SECOND[BOB],)
    if "destroyed" in answered:
        assert rings[ANN].tombstone is not None
    if "retired" in answered:
        assert numbers == [2]
    for who, ring in rings.items():
        assert all(one in (FIRST[who], SECOND[who]) for one in ring.keys)
        assert all(one.wrapping in numbers for one in ring.keys), "a key under no wrapping key"
    if rings[ANN].tombstone is not None:
        assert rings[ANN].keys == (), "half destroyed"
        assert store.put([SECOND[ANN]]) == [None]
        files = bytes_of(folder)
        assert not [one for one in (FIRST[ANN], SECOND[ANN]) if one.wrapped[:8] in files]
    store.close()


def counted(fault: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        disk = Disk(f"keys-{fault}-count", fault, 0)
        assert "retired" in live(Path(folder), disk)
        disk.unregister()
        return disk.count


def test_a_power_cut_at_any_operation_takes_back_nothing_that_was_answered(tmp_path: Path) -> None:
    count = counted("cut")
    assert count > 30
    for at in range(1, count + 1):
        folder = tmp_path / str(at)
        folder.mkdir()
        disk = Disk(f"keys-cut-{at}", "cut", at)
        answered = live(folder, disk)
        for seed in range(CUTS):
            left = tmp_path / f"{at}-{seed}"
            left.mkdir()
            disk.left_after_a_cut(at * 1_000 + seed, left)
            for path in left.iterdir():
                path.chmod(0o600)
            check(left, answered)
        disk.unregister()


def test_after_a_failed_sync_the_store_stops(tmp_path: Path) -> None:
    for at in range(1, counted("eio") + 1):
        folder = tmp_path / str(at)
        folder.mkdir()
        disk = Disk(f"keys-eio-{at}", "eio", at)
        try:
            store = SqliteKeyStore(folder / "vault.sqlite3", vfs=disk.name)
        except HeedfulError:
            disk.unregister()
            continue
        try:
            with pytest.raises(KeyUnavailable):
                for _ in play(store):
                    pass
            with pytest.raises(KeyUnavailable) as refused:
                store.find([ANN])
            assert refused.value.retry_after is None
        finally:
            store.close()
            disk.unregister()


def test_a_full_disk_refuses_and_nothing_is_lost_when_there_is_space_again(tmp_path: Path) -> None:
    for at in range(1, counted("full") + 1):
        folder = tmp_path / str(at)
        folder.mkdir()
        disk = Disk(f"keys-full-{at}", "full", at)
        answered = live(folder, disk)
        disk.unregister()
        check(folder, answered)
