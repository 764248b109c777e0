"""What was acknowledged survives: killed writers, power cuts, failing syncs and full disks.

The long tier sets HEEDFUL_KILLS (default 15) and HEEDFUL_CUTS, the seeds per operation (default 3).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heedful.log.claims import Claims
from heedful.log.cursor import Cursor
from heedful.log.sqlite import SqliteLog
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.errors import HeedfulError, LogUnavailable
from heedful.vocabulary.event import Position
from heedful.vocabulary.ids import EventId
from heedful.vocabulary.receipt import Status
from tests.contracts.log_contract import read_all, record
from tests.log.disk import Disk

PSEUDONYMS = Pseudonyms(bytes(32))
ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("HEEDFUL_KILLS", "15"))
CUTS = int(os.environ.get("HEEDFUL_CUTS", "3"))


def open_log(path: Path, vfs: str | None = None) -> SqliteLog:
    log = SqliteLog(path, PSEUDONYMS, Claims(), vfs=vfs)
    log.recover(Cursor())
    return log


@contextmanager
def disk(fault: str, at: int) -> Iterator[Disk]:
    made = Disk(f"disk-{fault}-{at}", fault, at)
    try:
        yield made
    finally:
        made.unregister()


class History:
    """One life of a log: what it was asked, and what it acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: dict[EventId, bytes] = {}
        self.purged: set[EventId] = set()
        self.perhaps_purged: set[EventId] = set()
        self.refused: list[LogUnavailable] = []

    def append(self, log: SqliteLog, name: str, size: int, count: int = 1) -> bool:
        batch = [record(f"{name}.{i}", body=bytes([i]) * size) for i in range(count)]
        try:
            log.append(batch)
        except LogUnavailable as error:
            self.refused.append(error)
            return False
        self.acknowledged |= {sent.id: sent.body for sent in batch}
        return True

    def purge(self, log: SqliteLog, place: Position) -> None:
        names = {stored.record.id for stored in log.fetch([place])}
        self.perhaps_purged |= names
        log.purge([place])
        self.purged |= names

    def live(self, path: Path, vfs: str) -> None:
        """Open twice, append small and large, purge, close: every path on which the log writes."""
        for turn in range(2):
            with open_log(path, vfs) as log:
                self.append(log, f"{turn}.small", 10)
                self.append(log, f"{turn}.large", 9_000)
                self.append(log, f"{turn}.many", 300, 30)
                self.purge(log, Position(log.end().offset(0) - 1))
                self.append(log, f"{turn}.last", 10)

    def must_stand_in(self, path: Path) -> None:
        """Everything acknowledged is there with its body, but for what was purged; and the log goes on."""
        with disk("cut", 0) as calm, open_log(path, calm.name) as log:
            found = {stored.record.id: stored.record.body for stored in read_all(log)}
            kept = {n: body for n, body in self.acknowledged.items() if n not in self.perhaps_purged}
            assert {name: found.get(name) for name in kept} == kept
            assert not self.purged & set(found)
            log.append([record("afterwards")])


def test_killed_writers_lose_nothing_acknowledged(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.log.killing", str(tmp_path), str(KILLS), "1"],
        cwd=ROOT, env={"PYTHONPATH": "src:."}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > KILLS


def test_a_power_cut_at_any_operation_loses_nothing_acknowledged(tmp_path: Path) -> None:
    at, cuts = 0, 0
    while True:
        at += 1
        folder = tmp_path / str(at)
        folder.mkdir()
        history = History()
        with disk("cut", at) as lossy:
            try:
                history.live(folder / "log.db", lossy.name)
            except HeedfulError:
                assert lossy.happened
            for seed in range(CUTS):
                left = tmp_path / f"{at}.{seed}"
                left.mkdir()
                lossy.left_after_a_cut(at * 1_000 + seed, left)
                history.must_stand_in(left / "log.db")
            if not lossy.happened:
                break
            cuts += 1
    assert cuts > 80


def test_after_a_failed_sync_nothing_is_ever_acknowledged_again(tmp_path: Path) -> None:
    at, stops = 0, 0
    while True:
        at += 1
        path, left = tmp_path / str(at) / "log.db", tmp_path / f"{at}.left"
        path.parent.mkdir()
        left.mkdir()
        history = History()
        with disk("eio", at) as failing:
            try:
                log = open_log(path, failing.name)
            except LogUnavailable:
                assert failing.happened  # it failed while the log was made: nothing was promised
                continue
            with log:
                stops += until_the_sync_fails(log, failing, history)
                failing.left_after_a_cut(at, left)  # the page cache is as good as gone
            history.must_stand_in(left / "log.db")
            if not failing.happened:
                break
    assert stops > 8


def until_the_sync_fails(log: SqliteLog, failing: Disk, history: History) -> bool:
    """Append and purge; once the sync failed, see that the log has stopped but can be read."""
    for turn in range(4):
        history.append(log, f"{turn}.a", 500, 5)
        if not failing.happened:
            try:
                history.purge(log, Position(turn * 5 + 1))
            except LogUnavailable as error:
                history.refused.append(error)
        if failing.happened:
            break
    else:
        return False
    assert log.stopped is not None
    assert "sync" in log.stopped
    known = dict(history.acknowledged)
    for turn in range(3):
        assert not history.append(log, f"later.{turn}", 10)
    with pytest.raises(LogUnavailable):
        log.purge([Position(1)])
    assert all(error.retry_after is None for error in history.refused)
    assert len(history.refused) >= 4
    found = {stored.record.id for stored in read_all(log)}
    assert set(known) - history.perhaps_purged <= found
    return True


def test_a_full_disk_refuses_for_a_while_and_loses_nothing(tmp_path: Path) -> None:
    at, refusals = 0, 0
    while True:
        at += 1
        path = tmp_path / str(at) / "log.db"
        path.parent.mkdir()
        history = History()
        with disk("full", at) as filling:
            try:
                log = open_log(path, filling.name)
            except LogUnavailable:
                assert filling.happened
                filling.space = True
                open_log(path, filling.name).close()
                continue
            with log:
                refusals += until_the_disk_is_full(log, filling, history)
                assert log.stopped is None
            history.must_stand_in(path)
            if not filling.happened:
                break
    assert refusals > 10


def until_the_disk_is_full(log: SqliteLog, filling: Disk, history: History) -> bool:
    """Append and purge; where there is no space, see that it says so, can be read, and goes on afterwards."""
    refused = False
    for turn in range(3):
        for name, size, count in ((f"{turn}.a", 500, 5), (f"{turn}.b", 9_000, 1)):
            if history.append(log, name, size, count):
                continue
            refused = True
            assert not history.append(log, f"{turn}.still", 10)
            assert [error.retry_after for error in history.refused[-2:]] == [5, 5]
            assert {stored.record.id for stored in read_all(log)} >= (
                set(history.acknowledged) - history.perhaps_purged
            )
            filling.space = True
            receipts = log.append([record(f"{name}.{i}", body=bytes([i]) * size) for i in range(count)])
            assert {receipt.status for receipt in receipts} == {Status.ACCEPTED}
            assert [receipt.position for receipt in receipts] == list(
                range(log.end().offset(0) - count + 1, log.end().offset(0) + 1)
            )
            history.acknowledged |= {record(f"{name}.{i}").id: bytes([i]) * size for i in range(count)}
        try:
            history.purge(log, Position(turn * 6 + 1))
        except LogUnavailable as error:
            assert error.retry_after == 5
        filling.space = True
    return refused


def test_a_write_beyond_the_file_limit_passes_once_the_limit_is_raised(tmp_path: Path) -> None:
    """A real short write and EFBIG from the kernel, as a quota gives EDQUOT."""
    script = """
import resource, sys
from pathlib import Path
from tests.contracts.log_contract import read_all, record
from tests.log.test_crash import LogUnavailable, open_log

log = open_log(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
kept = 0
try:
    while True:
        log.append([record(f"e{kept}", body=bytes(5_000))])
        kept += 1
except LogUnavailable as error:
    assert error.retry_after == 5, error
assert len(read_all(log)) == kept > 10
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert log.append([record(f"e{kept}")])[0].status == "accepted"
log.close()
log = open_log(Path(sys.argv[1]))
assert len(read_all(log)) == kept + 1
log.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "log.db")],
        cwd=ROOT, env={"PYTHONPATH": "src:."}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_failed_purge_is_heard_by_the_commit_it_took_along(tmp_path: Path) -> None:
    with disk("full", 0) as filling, open_log(tmp_path / "log.db", filling.name) as log:
        (receipt,) = log.append([record("a")])
        log.begin([record("b")])
        filling.space = False
        with pytest.raises(LogUnavailable):
            log.purge([receipt.position])
        with pytest.raises(LogUnavailable):
            log.commit()
        filling.space = True
        assert log.append([record("c")])[0].position == 2
        assert [stored.record.id for stored in read_all(log)] == ["a", "c"]


def test_what_was_rolled_back_leaves_no_claim(tmp_path: Path) -> None:
    claims = Claims()
    with (
        disk("full", 0) as filling,
        SqliteLog(tmp_path / "log.db", PSEUDONYMS, claims, vfs=filling.name) as log,
    ):
        log.append([record("a")])
        filling.space = False
        with pytest.raises(LogUnavailable):
            log.append([record("b"), record("c")])
        assert len(claims) == 1
        filling.space = True
        log.begin([record("b"), record("c")])
    assert len(claims) == 1


def test_a_failed_sync_of_the_background_stops_the_log(tmp_path: Path) -> None:
    """The checkpoint's own syncs come between those of the commits; one of them fails each time."""
    stopped = 0
    for at in range(10, 30):
        folder, left = tmp_path / str(at), tmp_path / f"{at}.left"
        folder.mkdir()
        left.mkdir()
        history = History()
        with disk("eio", at) as failing:
            with SqliteLog(
                folder / "log.db", PSEUDONYMS, Claims(), checkpoint_pages=8, vfs=failing.name
            ) as log:
                for turn in range(40):
                    history.append(log, str(turn), 3_000, 5)
                deadline = time.monotonic() + 10
                while failing.happened and log.stopped is None and time.monotonic() < deadline:
                    time.sleep(0.001)
                assert failing.happened == (log.stopped is not None)
                stopped += log.stopped is not None
            failing.left_after_a_cut(at, left)
        history.must_stand_in(left / "log.db")
    assert stopped > 10
