"""Bodies through the vault: every log keeps its contract sealed, and a repeat stays a repeat."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import apsw
import pytest

from heedful.log import frame
from heedful.log.claims import Claims
from heedful.log.commit import GroupCommit
from heedful.log.cursor import Cursor
from heedful.log.memory import MemoryLog
from heedful.log.partitioned import PartitionedLog
from heedful.log.sealed import OpenedLog, SealedLog, StoringLog
from heedful.log.sqlite import SqliteLog
from heedful.vault.cipher import Cipher, is_sealed
from heedful.vault.key_services import AwsKey
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.errors import Corrupt, HeedfulError, KeyUnavailable
from heedful.vocabulary.event import Record, Stored
from heedful.vocabulary.receipt import KEY_DESTROYED, NOWHERE, Receipt, Status
from tests.contracts.log_contract import AnyLog, LogContract, record
from tests.vault.rings import Vault
from tests.vault.services import Aws, Hands

Made = Callable[[], StoringLog]


class Sealing(SealedLog):
    """`begin` in one step, as the suite has it."""

    def begin(self, records: Sequence[Record]) -> list[Receipt]:
        return super().begin([one if is_sealed(one.body) else self.sealed(one) for one in records])

    def sealed(self, one: Record) -> Record:
        (closed,) = self.seal([one])
        assert closed is not None
        return closed


class TestSealedMemoryLog(LogContract):
    @pytest.fixture
    def log(self) -> AnyLog:
        return Sealing(MemoryLog(), vault().bodies)


class TestSealedPartitionedLog(LogContract):
    exact = False

    @pytest.fixture
    def log(self) -> AnyLog:
        return Sealing(PartitionedLog(3, seed=7, repeats=0.3), vault().bodies)


class TestSealedSqliteLog(LogContract):
    @pytest.fixture
    def log(self, tmp_path: Path) -> AnyLog:
        return Sealing(opened(tmp_path), vault().bodies)


class Bodies(Vault):
    """A vault, and the cipher of bodies over it."""

    @property
    def bodies(self) -> Cipher:
        return Cipher(self.keys)


def vault() -> Bodies:
    return Bodies()


def opened(folder: Path) -> SqliteLog:
    log = SqliteLog(folder / "log.db", Pseudonyms(bytes(32)), Claims())
    log.recover(Cursor())
    return log


@pytest.fixture(params=["memory", "sqlite"])
def inner(request: pytest.FixtureRequest, tmp_path: Path) -> StoringLog:
    return MemoryLog() if request.param == "memory" else opened(tmp_path)


def test_nothing_is_stored_in_the_clear(inner: StoringLog) -> None:
    log = SealedLog(inner, vault().bodies)
    log.append([record("a", body=b"secret of ann"), record("n", subject=0, body=b"a tent for all")])
    for stored in inner.read(Cursor(), limit=10):
        assert is_sealed(stored.record.body)
        assert b"secret" not in stored.record.body and b"tent" not in stored.record.body
    with pytest.raises(ValueError, match="clear"):
        log.begin([record("b")])


def test_a_repeat_is_known_across_generations_and_across_the_change_to_sealing(inner: StoringLog) -> None:
    keys = vault()
    inner.append([record("old", body=b"\x01from before")])
    log = SealedLog(inner, keys.bodies)
    log.append([record("a", body=b"\x01one")])
    keys.keys.renew(record("a").subject)
    again = log.append(
        [
            record("old", body=b"\x01from before"), record("a", body=b"\x01one"), record("b", body=b"\x01two"),
            record("old", body=b"\x01other"), record("a", body=b"\x01other"),
            record("a", subject=2, body=b"\x01one"),
        ]
    )  # fmt: skip
    assert [receipt.status.value for receipt in again] == [
        "duplicate", "duplicate", "accepted", "refused", "refused", "refused",
    ]  # fmt: skip
    assert [stored.record.body for stored in log.read(Cursor(), limit=10)] == [
        b"\x01from before", b"\x01one", b"\x01two",
    ]  # fmt: skip


def test_a_body_whose_key_was_destroyed_counts_as_purged(inner: StoringLog) -> None:
    keys = vault()
    log = SealedLog(inner, keys.bodies)
    places = [r.position for r in log.append([record(f"e{i}", subject=1 + i % 2) for i in range(20)])]
    keys.keys.destroy([record("", subject=1).subject])
    left = [f"e{i}" for i in range(1, 20, 2)]
    assert [stored.record.id for stored in log.read(Cursor(), limit=20)] == left
    assert [stored.record.id for stored in log.fetch(places)] == left
    receipts = log.append([record("late", subject=1), record("fine", subject=2), record("e0", subject=1)])
    assert [receipt.status.value for receipt in receipts] == ["refused", "accepted", "refused"]
    assert receipts[0] == Receipt(Status.REFUSED, NOWHERE, KEY_DESTROYED)
    keys.keys.destroy([record("", subject=2).subject])
    assert not log.read(Cursor(), limit=3)  # over many batches of nothing, to the end


def test_keys_destroyed_and_bodies_purged_read_alike(inner: StoringLog) -> None:
    keys = vault()
    log = SealedLog(inner, keys.bodies)
    places = [r.position for r in log.append([record(f"e{i}", subject=1 + i % 3) for i in range(30)])]
    mine = places[::3]
    assert log.purge(mine) == 10
    before = list(log.read(Cursor(), limit=30))
    keys.keys.destroy([record("", subject=1).subject])
    assert list(log.read(Cursor(), limit=30)) == before
    assert log.append([record("e1", subject=2)])[0].status is Status.DUPLICATE


def test_a_changed_body_is_corrupt_and_its_place_is_named(tmp_path: Path) -> None:
    keys = vault()
    with opened(tmp_path) as inner:
        SealedLog(inner, keys.bodies).append([record(f"e{i}", body=b"\x01body") for i in range(9)])
    connection = apsw.Connection(str(tmp_path / "log.db"))
    row = connection.execute(
        "SELECT offset, id, subject, at, client, sent, received, body, crc FROM records WHERE offset = 4"
    ).fetchone()
    assert row is not None
    body = bytearray(row[7])
    body[-1] ^= 1
    kept = Record(row[1], row[2], row[3], row[4], row[5], row[6], bytes(body))
    connection.execute("UPDATE records SET body = ?, crc = ? WHERE offset = 4", frame.to_row(4, kept)[7:])
    connection.close()
    with SqliteLog.reader(tmp_path / "log.db") as reader, pytest.raises(Corrupt, match=r"position 4\b"):
        OpenedLog(reader, keys.bodies).read(Cursor(), limit=20)


def test_without_keys_a_group_is_answered_and_nothing_of_it_is_stored() -> None:
    hands = Hands()
    service = Aws(hands)
    keys = Bodies(master=AwsKey(Aws.arn, service), hands=hands)
    inner, fed, answers = MemoryLog(), list[Stored](), list[object]()
    log = SealedLog(inner, keys.bodies)
    owner: list[Callable[[], None]] = []
    commit = GroupCommit(log, stored=fed.extend, post=owner.append, seal=log.seal)
    commit.submit([record("a", body=b"\x01a")], answers.append)
    assert commit.flush(5)
    service.enabled = False
    hands.seconds += 1_000
    for number in range(3):
        commit.submit([record(f"b{number}", body=b"\x01b")], answers.append)
    commit.defer([record("decision", body=b"\x01b")], commit.unwatched)
    assert commit.flush(5)
    assert [type(answer).__name__ for answer in answers[1:]] == ["KeyUnavailable"] * 3
    assert isinstance(answers[1], KeyUnavailable) and answers[1].retry_after
    assert inner.end() == Cursor((1,))
    assert commit.dropped == 1
    service.enabled = True
    hands.seconds += 2
    commit.submit([record("b0", body=b"\x01b")], answers.append)
    assert commit.close()
    assert [one.record for one in fed] == [record("a", body=b"\x01a"), record("b0", body=b"\x01b")]
    assert [one.record for one in log.read(Cursor(), limit=9)] == [one.record for one in fed]


@pytest.mark.parametrize("beside", [True, False])
def test_one_submission_at_fault_does_not_spoil_its_group(beside: bool) -> None:
    keys = vault()
    log = SealedLog(MemoryLog(), keys.bodies)
    gone = record("", subject=2).subject
    log.append([record("x", subject=2)])
    keys.keys.destroy([gone])
    owner: list[Callable[[], None]] = []
    answers: dict[str, object] = {}
    commit = GroupCommit(
        log, stored=lambda _: None, post=owner.append if beside else None, seal=log.seal, group=100
    )
    first = [record("a"), record("y", subject=2), record("b")]
    commit.submit(first, lambda answer: answers.update(first=answer))
    commit.submit([record("\ud800")], lambda answer: answers.update(bad=answer))
    commit.submit([record("c")], lambda answer: answers.update(last=answer))
    assert commit.close()
    told = answers["first"]
    assert isinstance(told, Sequence)
    assert [receipt.status.value for receipt in told] == ["accepted", "refused", "accepted"]
    assert isinstance(answers["bad"], HeedfulError)
    assert isinstance(answers["last"], Sequence)
    assert {stored.record.id for stored in log.read(Cursor(), limit=9)} == {"a", "b", "c"}


class Slow(MemoryLog):
    """Its commits wait until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Semaphore(0)

    def commit(self) -> None:
        assert self.go.acquire(timeout=10)
        super().commit()


def test_a_group_is_sealed_while_the_one_before_it_commits() -> None:
    inner, keys = Slow(), vault()
    log = SealedLog(inner, keys.bodies)
    owner: SimpleQueue[Callable[[], None]] = SimpleQueue()
    answered: list[str] = []
    sealed: list[int] = []

    def seal(records: Sequence[Record]) -> list[Record | None]:
        sealed.append(len(records))
        return log.seal(records)

    commit = GroupCommit(log, stored=lambda _: None, post=owner.put, seal=seal)
    for name in "abcde":
        commit.submit([record(name)], lambda _, name=name: answered.append(name))  # type: ignore[misc]  # a default
        if name == "a":
            owner.get(timeout=10)()  # sealed, and with the thread that commits
    owner.get(timeout=10)()  # b is sealed, while a waits for the disk
    owner.get(timeout=10)()  # so are c, d and e
    assert (sealed, answered) == ([1, 1, 3], [])
    for _ in range(2):
        inner.go.release()
        owner.get(timeout=10)()
    assert answered == list("abcde")
    assert [stored.record.id for stored in log.read(Cursor(), limit=9)] == list("abcde")
    assert commit.idle
    assert commit.close()


def test_many_submissions_are_fed_in_order_and_answered_once(tmp_path: Path) -> None:
    inner, keys = opened(tmp_path), vault()
    log = SealedLog(inner, keys.bodies)
    owner: SimpleQueue[Callable[[], None]] = SimpleQueue()
    fed: list[Stored] = []
    answers: dict[int, list[Status]] = {}
    commit = GroupCommit(log, stored=fed.extend, post=owner.put, seal=log.seal, group=50)

    def done(number: int, answer: object) -> None:
        assert isinstance(answer, Sequence) and number not in answers
        answers[number] = [receipt.status for receipt in answer]

    for number in range(300):
        mine = [record(f"e{number}.{i}", subject=1 + number % 40, body=b"\x01x") for i in range(number % 4)]
        commit.submit([*mine, record("same", body=b"\x01x")], partial(done, number))
        while number % 7 == 0 and len(answers) < number - 30:
            owner.get(timeout=10)()
    assert commit.close()
    assert len(answers) == 300
    statuses = [status for number in range(300) for status in answers[number]]
    assert statuses.count(Status.DUPLICATE) == 299
    assert [stored.position for stored in fed] == list(range(1, len(statuses) - 299 + 1))
    assert list(log.read(Cursor(), limit=1_000)) == fed
    log.close()
