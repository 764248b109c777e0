"""Group commit: one sync for all that wait, the fold before the answers, and an answer for everyone."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from heedful.log.claims import Claims
from heedful.log.commit import GroupCommit, Unstored
from heedful.log.memory import MemoryLog
from heedful.log.partitioned import PartitionedLog
from heedful.log.sqlite import SqliteLog
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.errors import HeedfulError, LogUnavailable
from heedful.vocabulary.event import Record, Stored
from heedful.vocabulary.receipt import Receipt, Status
from heedful.vocabulary.time import Instant
from tests.contracts.log_contract import read_all, record

Answer = Sequence[Receipt] | Unstored


class Owner:
    """The owner's thread as a queue of posted functions, run when the test says so."""

    def __init__(self) -> None:
        self.posted: deque[Callable[[], None]] = deque()
        self.arrived = threading.Semaphore(0)

    def post(self, function: Callable[[], None]) -> None:
        self.posted.append(function)
        self.arrived.release()

    def run_one(self) -> None:
        assert self.arrived.acquire(timeout=10)
        self.posted.popleft()()


class GatedLog(MemoryLog):
    """A log whose commits wait for `gate`, as a disk does, and fail when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Semaphore(0)
        self.begins: list[list[str]] = []
        self.failure: Exception | None = None
        self.committed_in: list[int] = []

    def begin(self, records: Sequence[Record]) -> list[Receipt]:
        receipts = super().begin(records)
        self.begins.append([record.id for record in records])
        return receipts

    def commit(self) -> None:
        assert self.gate.acquire(timeout=10)
        self.committed_in.append(threading.get_ident())
        if self.failure is not None:
            raise self.failure
        super().commit()


class Diary:
    """What was called, in order."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.answers: dict[str, Answer] = {}

    def stored(self, added: Sequence[Stored]) -> None:
        self.entries.append("stored " + " ".join(stored.record.id for stored in added))

    def done(self, name: str) -> Callable[[Answer], None]:
        def note(answer: Answer) -> None:
            self.entries.append(f"done {name}")
            self.answers[name] = answer

        return note

    def statuses(self, name: str) -> list[str]:
        answer = self.answers[name]
        assert not isinstance(answer, HeedfulError)
        return [receipt.status.value for receipt in answer]

    def refusal(self, name: str) -> LogUnavailable:
        answer = self.answers[name]
        assert isinstance(answer, LogUnavailable)
        return answer


def test_without_a_second_thread_everything_happens_within_submit() -> None:
    diary, log = Diary(), MemoryLog()
    commit = GroupCommit(log, stored=diary.stored)
    commit.submit([record("a"), record("b")], diary.done("first"))
    commit.submit([record("a"), record("c"), record("b", body=b"x")], diary.done("second"))
    commit.submit([record("a")], diary.done("third"))
    assert diary.entries == ["stored a b", "done first", "stored c", "done second", "done third"]
    assert diary.statuses("second") == ["duplicate", "accepted", "refused"]
    assert (commit.commits, commit.records, commit.idle) == (3, 3, True)


def test_what_queues_during_a_commit_goes_into_the_next_as_one_group() -> None:
    diary, log, owner = Diary(), GatedLog(), Owner()
    commit = GroupCommit(log, stored=diary.stored, post=owner.post)
    for name in "abcd":
        commit.submit([record(name), record(name + "2")], diary.done(name))
    assert diary.entries == []
    assert commit.waiting == 6
    log.gate.release()
    owner.run_one()
    assert diary.entries == ["stored a a2", "done a"]
    log.gate.release()
    owner.run_one()
    assert diary.entries[2:] == ["stored b b2 c c2 d d2", "done b", "done c", "done d"]
    assert log.begins == [["a", "a2"], ["b", "b2", "c", "c2", "d", "d2"]]
    assert len(set(log.committed_in)) == 1
    assert threading.get_ident() not in log.committed_in
    assert (commit.commits, commit.records, commit.waiting, commit.idle) == (2, 8, 0, True)
    assert commit.close()


def test_nobody_is_answered_before_the_disk_has_it() -> None:
    diary, log, owner = Diary(), GatedLog(), Owner()
    commit = GroupCommit(log, stored=diary.stored, post=owner.post)
    commit.submit([record("a")], diary.done("a"))
    assert not commit.flush(0.02)
    assert (diary.entries, commit.idle) == ([], False)
    log.gate.release()
    assert commit.flush(10)
    assert diary.entries == ["stored a", "done a"]
    owner.run_one()  # what was posted finds its work done
    assert diary.entries == ["stored a", "done a"]
    assert commit.close()


def test_a_failed_commit_is_told_to_all_of_its_group_and_the_next_goes_on() -> None:
    diary, log, owner = Diary(), GatedLog(), Owner()
    commit = GroupCommit(log, stored=diary.stored, post=owner.post)
    commit.submit([record("a")], diary.done("a"))
    commit.submit([record("b")], diary.done("b"))
    log.failure = LogUnavailable("full", retry_after=5)
    log.gate.release()
    owner.run_one()
    assert diary.refusal("a").retry_after == 5
    log.failure = None
    log.gate.release()
    owner.run_one()
    assert diary.entries == ["done a", "stored b", "done b"]
    log.failure = RuntimeError("unforeseen")
    commit.submit([record("c")], diary.done("c"))
    log.gate.release()
    owner.run_one()
    assert diary.refusal("c").retry_after is None
    assert commit.close()


def test_a_record_that_cannot_be_kept_fails_alone() -> None:
    diary, log, owner = Diary(), GatedLog(), Owner()
    commit = GroupCommit(log, stored=diary.stored, post=owner.post)
    bad = msgspec.structs.replace(record("bad"), at=Instant(1 << 70))
    commit.submit([record("a")], diary.done("a"))
    commit.submit([record("b")], diary.done("b"))
    commit.submit([record("c"), bad], diary.done("bad"))
    commit.submit([record("d")], diary.done("d"))
    log.gate.release(2)
    owner.run_one()
    owner.run_one()
    assert diary.entries == ["stored a", "done a", "done bad", "stored b d", "done b", "done d"]
    assert "cannot keep" in str(diary.refusal("bad"))
    assert {stored.record.id for stored in read_all(log)} == {"a", "b", "d"}
    assert commit.close()


def test_what_a_failing_log_took_back_is_never_acknowledged() -> None:
    """One submission is at fault, so they are begun one by one; then the disk is full at the third of them,
    and what was begun before it is gone with it."""

    class Failing(MemoryLog):
        def begin(self, records: Sequence[Record]) -> list[Receipt]:
            names = [record.id for record in records]
            if "bad" in names:
                raise ValueError("not to be kept")
            if names == ["c"]:
                raise LogUnavailable("full", retry_after=5)
            return super().begin(records)

    diary = Diary()
    commit = GroupCommit(Failing(), stored=diary.stored)

    def first(_: Answer) -> None:
        for name in ("a", "bad", "c", "d"):
            commit.submit([record(name)], diary.done(name))

    commit.submit([record("first")], first)
    assert [diary.refusal(name).retry_after for name in ("a", "bad", "c")] == [5, None, 5]
    assert diary.statuses("d") == ["accepted"]
    assert diary.entries == ["stored first", "done bad", "done a", "done c", "stored d", "done d"]
    assert commit.idle


def test_too_many_waiting_events_are_turned_away_at_once() -> None:
    diary, log, owner = Diary(), GatedLog(), Owner()
    commit = GroupCommit(log, stored=diary.stored, post=owner.post, limit=3)
    commit.submit([record("a")], diary.done("a"))
    commit.submit([record("b"), record("c")], diary.done("bc"))
    commit.submit([record("d"), record("e")], diary.done("de"))
    commit.submit([record("f")], diary.done("f"))
    assert diary.entries == ["done de"]
    assert diary.refusal("de").retry_after == 1
    log.gate.release(2)
    assert commit.flush(10)
    assert {stored.record.id for stored in read_all(log)} == {"a", "b", "c", "f"}
    assert commit.close()


def test_a_group_takes_no_more_than_its_share() -> None:
    diary, log, owner = Diary(), GatedLog(), Owner()
    commit = GroupCommit(log, stored=diary.stored, post=owner.post, group=3)
    for name in "abcdef":
        commit.submit([record(name), record(name * 2)], diary.done(name))
    log.gate.release(10)
    assert commit.flush(10)
    assert log.begins == [["a", "aa"], ["b", "bb", "c", "cc"], ["d", "dd", "e", "ee"], ["f", "ff"]]
    assert commit.close()


@pytest.mark.parametrize("inline", [True, False])
def test_submitting_from_a_callback_queues_behind_the_group(inline: bool) -> None:
    diary, log, owner = Diary(), GatedLog(), Owner()
    log.gate.release(1_000)
    commit = GroupCommit(log, stored=diary.stored, post=None if inline else owner.post)

    def again(answer: Answer) -> None:
        diary.entries.append("done a")
        for i in range(500):
            commit.submit([record(f"later{i}")], diary.done(f"later{i}"))
        diary.entries.append("submitted")

    commit.submit([record("a")], again)
    assert commit.flush(10)
    assert diary.entries[:3] == ["stored a", "done a", "submitted"]
    assert len(log.begins) == 2
    assert len(diary.answers) == 500
    assert commit.close()


def test_a_callback_that_raises_keeps_nobody_else_from_an_answer() -> None:
    diary, log = Diary(), MemoryLog()

    def failing(_: object) -> None:
        raise ValueError("the fold failed")

    commit = GroupCommit(log, stored=failing)
    with pytest.raises(ValueError, match="the fold failed"):
        commit.submit([record("a")], diary.done("a"))
    assert diary.statuses("a") == ["accepted"]
    assert commit.idle


def test_idle_is_announced_once() -> None:
    diary, log, owner = Diary(), GatedLog(), Owner()
    commit = GroupCommit(log, stored=diary.stored, post=owner.post)
    commit.when_idle(lambda: diary.entries.append("idle at once"))
    commit.submit([record("a")], diary.done("a"))
    commit.submit([record("b")], diary.done("b"))
    commit.when_idle(lambda: diary.entries.append("idle"))
    log.gate.release(2)
    owner.run_one()
    owner.run_one()
    assert diary.entries == ["idle at once", "stored a", "done a", "stored b", "done b", "idle"]
    assert commit.close()


def test_closing_answers_everyone_and_takes_nothing_more() -> None:
    diary, log, owner = Diary(), GatedLog(), Owner()
    commit = GroupCommit(log, stored=diary.stored, post=owner.post)
    commit.submit([record("a")], diary.done("a"))
    commit.submit([record("b")], diary.done("b"))
    assert not commit.close(0.01)
    log.gate.release(2)
    assert commit.close()
    assert commit.close()
    commit.submit([record("c")], diary.done("c"))
    assert diary.entries == ["stored a", "done a", "stored b", "done b", "done c"]
    assert diary.refusal("c").retry_after is not None


def test_what_partitions_took_is_folded_in_position_order() -> None:
    added: list[Stored] = []
    commit = GroupCommit(PartitionedLog(4), stored=added.extend)
    commit.submit([record(f"e{i}", subject=i) for i in range(40)], lambda _: None)
    assert len(added) == 40
    assert [s.position for s in added] == sorted(s.position for s in added)


def test_a_server_loop_over_sqlite_answers_everyone_and_keeps_everything(tmp_path: Path) -> None:
    folded: list[Stored] = []
    answers: list[Answer] = []

    async def serve(log: SqliteLog) -> GroupCommit:
        loop = asyncio.get_running_loop()
        commit = GroupCommit(log, stored=folded.extend, post=loop.call_soon_threadsafe)

        async def client(number: int) -> None:
            for i in range(20):
                answered: asyncio.Future[Answer] = loop.create_future()
                commit.submit([record(f"{number}.{i}"), record(f"shared.{i}")], answered.set_result)
                answers.append(await answered)

        await asyncio.gather(*(client(number) for number in range(20)))
        assert commit.close()
        return commit

    with SqliteLog(tmp_path / "log.db", Pseudonyms(bytes(32)), Claims()) as log:
        commit = asyncio.run(serve(log))
        stored = read_all(log)
    assert len(stored) == 20 * 20 + 20 == commit.records
    assert folded == stored
    assert commit.commits < 400
    receipts = [receipt for answer in answers if not isinstance(answer, HeedfulError) for receipt in answer]
    assert len(receipts) == 800
    assert sum(receipt.status is Status.ACCEPTED for receipt in receipts) == 420
