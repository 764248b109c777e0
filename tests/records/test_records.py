"""The stores of definitions keep the contract, and the one on disk survives what disks and neighbours do."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from heedful.records.database import DatabaseRecords, sqlite_records
from heedful.records.memory import MemoryRecords
from heedful.records.records import Definition, Records
from heedful.vocabulary.errors import Conflict, Corrupt, RecordsUnavailable, SettingsError
from heedful.vocabulary.time import Instant
from tests.contracts.records_contract import RecordsContract, draft


class TestMemoryRecords(RecordsContract):
    @pytest.fixture
    def records(self) -> Records:
        return MemoryRecords()


class TestSqliteRecords(RecordsContract):
    @pytest.fixture
    def records(self, tmp_path: Path) -> Iterator[Records]:
        store = sqlite_records(tmp_path / "records.sqlite3")
        yield store
        store.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DatabaseRecords]:
    made = sqlite_records(tmp_path / "records.sqlite3")
    yield made
    made.close()


def test_definitions_are_there_after_a_kill(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from heedful.records.database import sqlite_records\n"
        "from heedful.records.records import Draft\n"
        "sqlite_records(Path(sys.argv[1])).put(Draft('placement', 'home', b'{}', 'ann', 7))\n"
        "os._exit(9)\n"
    )
    path = tmp_path / "records.sqlite3"
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        check=False, timeout=60, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 9
    store = sqlite_records(path)
    assert store.current("placement", "home") == Definition("placement", "home", 1, b"{}", "ann", Instant(7))
    store.close()


def test_every_commit_is_synced_and_nobody_else_may_read_the_file(
    tmp_path: Path, store: DatabaseRecords
) -> None:
    with store._reading() as connection:
        assert connection.scalar(text("PRAGMA synchronous")) == 2
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
    assert stat.S_IMODE((tmp_path / "records.sqlite3").stat().st_mode) == 0o600


def test_a_change_of_another_process_shows_in_the_revision(tmp_path: Path, store: DatabaseRecords) -> None:
    beside = sqlite_records(tmp_path / "records.sqlite3")
    store.put(draft())
    before = store.revision()
    assert store.revision() == before == beside.revision()
    beside.put(draft(body=b"2"))
    assert store.revision() == before + 1
    assert store.current("placement", "home") == beside.current("placement", "home")
    beside.close()


def test_of_many_that_expect_the_same_version_exactly_one_gets_its_way(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    sqlite_records(path).close()
    outcomes: list[str] = []

    def change(number: int) -> None:
        mine = sqlite_records(path)
        try:
            mine.put(draft(body=b"%d" % number), expected=0)
            outcomes.append("made")
        except Conflict:
            outcomes.append("refused")
        finally:
            mine.close()

    threads = [threading.Thread(target=change, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made"] + ["refused"] * 5
    store = sqlite_records(path)
    assert [one.version for one in store.versions("placement", "home")] == [1]
    store.close()


def test_a_change_that_fails_half_way_leaves_nothing(store: DatabaseRecords) -> None:
    with store._writing() as connection:
        connection.execute(
            text("CREATE TRIGGER no BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no audit'); END")
        )
    with pytest.raises(RecordsUnavailable, match="no audit"):
        store.put(draft())
    assert store.current("placement", "home") is None
    assert store.versions("placement", "home") == []
    with store._writing() as connection:
        connection.execute(text("DROP TRIGGER no"))
    assert store.put(draft()).version == 1


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    sqlite_records(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE meta SET schema = 2")
    raw.close()
    with pytest.raises(SettingsError, match="use a newer one"):
        sqlite_records(path)


def test_a_file_that_is_no_database_is_corrupt_and_a_missing_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "records.sqlite3").write_bytes(b"not a database, but long enough to be looked at" * 20)
    with pytest.raises(Corrupt, match=r"records\.sqlite3"):
        sqlite_records(tmp_path / "records.sqlite3")
    with pytest.raises(SettingsError, match="nowhere"):
        sqlite_records(tmp_path / "nowhere" / "records.sqlite3")


def test_closing_twice_is_harmless(store: DatabaseRecords) -> None:
    store.close()
    store.close()
