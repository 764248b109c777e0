"""The SQLite log keeps the contract, and what a file on disk adds to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import apsw
import numpy as np
import pytest

from heedful.log.claims import Claims
from heedful.log.cursor import Cursor
from heedful.log.sqlite import SqliteLog
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.errors import Corrupt, LogUnavailable, NotFound, SettingsError
from heedful.vocabulary.event import Position
from heedful.vocabulary.ids import EventId
from heedful.vocabulary.receipt import Status
from tests.contracts.log_contract import AnyLog, LogContract, read_all, record

PSEUDONYMS = Pseudonyms(bytes(32))


def open_log(path: Path) -> SqliteLog:
    log = SqliteLog(path, PSEUDONYMS, Claims())
    log.recover(Cursor())
    return log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


class TestSqliteLog(LogContract):
    @pytest.fixture
    def log(self, path: Path) -> Iterator[AnyLog]:
        with open_log(path) as log:
            yield log


def test_everything_is_there_after_reopening(path: Path) -> None:
    with open_log(path) as log:
        name = log.id
        places = [r.position for r in log.append([record(f"e{i}") for i in range(100)])]
        log.purge(places[:10])
    with open_log(path) as log:
        assert log.id == name
        assert [stored.record for stored in read_all(log)] == [record(f"e{i}") for i in range(10, 100)]
        assert log.end() == Cursor((100,))
        receipts = log.append([record("e3"), record("e50"), record("e50", body=b"x"), record("new")])
        assert [receipt.status.value for receipt in receipts] == [
            "duplicate", "duplicate", "refused", "accepted",
        ]  # fmt: skip
        assert [receipt.position for receipt in receipts] == [4, 51, 51, 101]


def test_one_sided_recovery_claims_only_what_lies_beyond(path: Path) -> None:
    with open_log(path) as log:
        log.append([record(f"e{i}") for i in range(30)])
    claims = Claims()
    with SqliteLog(path, PSEUDONYMS, claims) as log:
        assert log.recover(Cursor((10,))) == 20
        assert len(claims) == 20
        assert claims.holders(PSEUDONYMS.fingerprint(EventId("e29"))) == [30]
        assert claims.holders(PSEUDONYMS.fingerprint(EventId("e3"))) == []


def test_a_log_that_lost_its_tail_is_noticed(path: Path) -> None:
    with open_log(path) as log:
        log.append([record("a")])
        with pytest.raises(Corrupt, match="ends at position 1, but position 2"):
            log.recover(Cursor((2,)))


def test_ids_with_one_fingerprint_are_told_apart(path: Path) -> None:
    class Same:
        def fingerprints(self, events: Iterable[EventId]) -> bytes:
            return b"".join((7).to_bytes(8, "little") for _ in events)

        def mark(self, event: EventId) -> str:
            return f"~{7:016x}{event.encode().hex():>016}"

    with SqliteLog(path, Same(), Claims()) as log:
        log.append([record("a"), record("b"), record("a")])
        receipts = log.append([record("b"), record("c"), record("a", body=b"x"), record("c")])
        assert [(r.status.value, r.position) for r in receipts] == [
            ("duplicate", 2), ("accepted", 3), ("refused", 1), ("duplicate", 3),
        ]  # fmt: skip


def test_claims_on_places_that_hold_another_record_mislead_nobody(path: Path) -> None:
    claims = Claims()
    mark = PSEUDONYMS.fingerprint(EventId("a"))
    claims.put_many(np.array([mark, mark], np.uint64), np.array([1, 99], np.int64))
    with SqliteLog(path, PSEUDONYMS, claims) as log:
        log.append([record("b")])
        assert log.append([record("a")])[0].status is Status.ACCEPTED


def test_a_second_writer_is_turned_away_with_the_pid_of_the_first(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from heedful.log.claims import Claims;"
        "from heedful.log.sqlite import SqliteLog; from heedful.vault.pseudonyms import Pseudonyms;"
        "log = SqliteLog(Path(sys.argv[1]), Pseudonyms(bytes(32)), Claims());"
        "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": "src"},
        cwd=Path(__file__).parents[2],
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(SettingsError, match=f"pid {other.pid}"):
            open_log(path)
        other.stdin.close()
        other.wait()
    open_log(path).close()


def test_a_reader_follows_while_the_writer_runs(path: Path) -> None:
    with open_log(path) as log, SqliteLog.reader(path) as reader:
        assert reader.id == log.id
        assert reader.end() == Cursor()
        (receipt,) = log.append([record("a")])
        assert [stored.record.id for stored in read_all(reader)] == ["a"]
        assert reader.end() == log.end()
        log.begin([record("b")])
        assert reader.end() == Cursor((1,))
        log.commit()
        assert [stored.record.id for stored in reader.fetch([Position(2), receipt.position])] == ["b", "a"]
    with SqliteLog.reader(path) as reader:
        assert reader.end() == Cursor((2,))


def test_opening_says_what_is_wrong(path: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        SqliteLog(path, PSEUDONYMS, Claims(), must_exist=True)
    with pytest.raises(NotFound):
        SqliteLog.reader(path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SettingsError, match=r"folder|lock file"):
        open_log(tmp_path / "missing" / "log.db")
    text = tmp_path / "text.db"
    text.write_text("this is no database, but it is long enough to look like something " * 20)
    with pytest.raises(Corrupt, match=r"text\.db"):
        open_log(text)
    other = tmp_path / "other.db"
    apsw.Connection(str(other)).execute("CREATE TABLE theirs (x)")
    with pytest.raises(SettingsError, match="another program"):
        open_log(other)
    open_log(path).close()
    apsw.Connection(str(path)).pragma("user_version", 99)
    for attempt in (open_log, SqliteLog.reader):
        with pytest.raises(SettingsError, match="schema 99"):
            attempt(path)


def test_a_failed_opening_lets_go_of_the_lock(path: Path) -> None:
    path.write_bytes(b"no database" * 500)
    for _ in range(2):
        with pytest.raises(Corrupt):
            open_log(path)


def test_a_closed_log_takes_nothing(path: Path) -> None:
    log = open_log(path)
    log.begin([record("dropped")])
    log.close()
    with pytest.raises(LogUnavailable, match="closed"):
        log.append([record("a")])
    with open_log(path) as log:
        assert log.end() == Cursor()


def test_purged_bodies_are_in_no_file(path: Path) -> None:
    with open_log(path) as log:
        small, large = b"<small secret>", b"<large secret>" * 2_000
        places = [
            receipt.position
            for receipt in log.append([record("a", body=small), record("b", body=large), record("c")])
        ]
        log.append([record(f"e{i}") for i in range(100)])
        assert leaks(path, b"small secret", b"large secret") == 2
        assert log.purge(places[:2]) == 2
        assert not log.unwiped
        assert leaks(path, b"small secret", b"large secret") == 0
        assert len(read_all(log)) == 101


def test_a_reader_who_holds_the_log_back_delays_the_wiping(path: Path) -> None:
    with open_log(path) as log:
        (receipt,) = log.append([record("a", body=b"<secret>")])
        log._writer.set_busy_timeout(10)  # do not wait five seconds for the reader
        outside = apsw.Connection(str(path))
        outside.execute("BEGIN; SELECT * FROM records").fetchone()
        assert log.purge([receipt.position]) == 1
        while_held = log.unwiped
        outside.close()
        log.append([record("b")])
        assert (while_held, log.unwiped) == (True, False)
        assert leaks(path, b"<secret>") == 0


def test_a_purge_takes_what_was_begun_along(path: Path) -> None:
    with open_log(path) as log:
        (receipt,) = log.append([record("a")])
        log.begin([record("b")])
        assert log.purge([receipt.position]) == 1
        log.commit()
        assert [stored.record.id for stored in read_all(log)] == ["b"]


def test_checkpoints_keep_the_write_ahead_log_short(path: Path) -> None:
    with SqliteLog(path, PSEUDONYMS, Claims(), checkpoint_pages=50) as log:
        for i in range(150):
            log.append([record(f"e{i}.{j}", body=bytes(1_000)) for j in range(10)])
        written = Path(f"{path}-wal").stat().st_size
        assert path.stat().st_size > 500_000
        assert written < 4_000_000
        assert len(read_all(log)) == 1_500


def damage(path: Path, change: str) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("ignore_check_constraints", True)
    connection.execute(change)
    connection.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE records SET id = 'f5' WHERE offset = 5",
        "UPDATE records SET subject = x'00' WHERE offset = 5",
        "UPDATE records SET at = at + 1 WHERE offset = 5",
        "UPDATE records SET client = client + 1 WHERE offset = 5",
        "UPDATE records SET sent = sent + 1 WHERE offset = 5",
        "UPDATE records SET received = received + 1 WHERE offset = 5",
        "UPDATE records SET crc = crc + 1 WHERE offset = 5",
        "UPDATE records SET body = x'62' WHERE offset = 5",
        "UPDATE records SET body = NULL WHERE offset = 5",
        "DELETE FROM records WHERE offset = 5",
        "UPDATE records SET id = CAST(x'ff' AS TEXT) WHERE offset = 5",
    ],
)
def test_a_damaged_column_is_corrupt_and_its_position_named(path: Path, change: str) -> None:
    with open_log(path) as log:
        log.append([record(f"e{i}") for i in range(1, 9)])
    damage(path, change)
    with SqliteLog.reader(path) as reader:
        assert len(reader.read(Cursor(), limit=4)) == 4
        with pytest.raises(Corrupt, match=r"position 5\b"):
            reader.read(Cursor(), limit=10)
        assert len(reader.read(Cursor((5,)), limit=10)) == 3


def test_swapped_records_are_corrupt(path: Path) -> None:
    with open_log(path) as log:
        log.append([record(f"e{i}") for i in range(1, 9)])
    damage(path, "UPDATE records SET offset = 99 WHERE offset = 3")
    damage(path, "UPDATE records SET offset = 3 WHERE offset = 6")
    damage(path, "UPDATE records SET offset = 6 WHERE offset = 99")
    with SqliteLog.reader(path) as reader, pytest.raises(Corrupt, match=r"position 3\b"):
        reader.read(Cursor(), limit=10)


def test_bits_that_flip_in_the_file_are_never_read_as_records(path: Path) -> None:
    """Every record that comes back is one that was written, and none is missing without a word."""
    wanted = [record(f"event-{i}", body=bytes(range(200))) for i in range(60)]
    with open_log(path) as log:
        log.append(wanted)
    whole = path.read_bytes()
    random = np.random.default_rng(11)
    noticed = 0
    for _ in range(120):
        flipped = bytearray(whole)
        place = int(random.integers(4_096, len(whole)))
        flipped[place] ^= 1 << int(random.integers(8))
        path.write_bytes(flipped)
        try:
            with SqliteLog.reader(path) as reader:
                found = [stored.record for stored in reader.read(Cursor(), limit=10_000)]
        except Corrupt:
            noticed += 1
        else:
            assert found == wanted
    assert noticed > 60


def test_a_damaged_write_ahead_log_is_told_from_a_torn_one(path: Path, tmp_path: Path) -> None:
    """A flipped bit behind which acknowledged commits lie stops the opening; a torn end is cut off."""
    with open_log(path) as log:
        for i in range(12):
            log.append([record(f"e{i}", body=bytes(500))])
        copy_files(path, tmp_path / "crashed")
    whole = (tmp_path / "crashed" / "log.db-wal").read_bytes()
    random = np.random.default_rng(5)
    noticed = 0
    for turn in range(60):
        crashed = tmp_path / f"{turn}" / "log.db"
        copy_files(tmp_path / "crashed" / "log.db", crashed.parent)
        flipped = bytearray(whole)
        flipped[int(random.integers(len(whole)))] ^= 1 << int(random.integers(8))
        Path(f"{crashed}-wal").write_bytes(flipped)
        try:
            with open_log(crashed) as log:
                found = len(read_all(log))
        except Corrupt:
            noticed += 1
            with pytest.raises(Corrupt, match="wal is damaged"):
                open_log(crashed)  # trying again does not wipe the evidence
        else:
            assert found >= 11  # the last commit cannot be told from one that never finished
    assert noticed > 45
    for cut in range(1, len(whole), 1_501):
        torn = tmp_path / f"torn{cut}" / "log.db"
        copy_files(tmp_path / "crashed" / "log.db", torn.parent)
        Path(f"{torn}-wal").write_bytes(whole[:cut])
        open_log(torn).close()


def copy_files(path: Path, folder: Path) -> None:
    """The log's files as a crash leaves them, copied by another process (see `leaks`)."""
    folder.mkdir()
    for name in (path, Path(f"{path}-wal")):
        subprocess.run(["cp", str(name), str(folder)], check=True)


def leaks(path: Path, *secrets: bytes) -> int:
    """How many of `secrets` stand in any file of the log, looked up by another process: reading the file in
    this one and closing it would drop SQLite's locks."""
    script = (
        "import sys; from pathlib import Path;"
        "print(*[f.read_bytes().hex() for f in Path(sys.argv[1]).iterdir()])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path.parent)], capture_output=True, text=True, check=True
    )
    return sum(secret.hex() in done.stdout for secret in secrets)
