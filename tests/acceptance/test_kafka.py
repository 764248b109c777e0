"""The loop through a real broker: one process collects, another one answers, and they meet only in the log."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heedful.compose import engine_over
from heedful.compose.vaults import vault_of
from heedful.log.cursor import Cursor
from heedful.log.kafka import KafkaLog
from heedful.services.verify import catch_up
from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.event import Record, Stored
from heedful.vocabulary.ids import EventId, SubjectId
from heedful.vocabulary.receipt import Status
from heedful.vocabulary.settings import VaultSettings
from heedful.vocabulary.time import Instant, SystemClock
from tests.acceptance.broker import broker

SECRET = bytes(range(32))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with broker(tmp_path_factory.mktemp("broker")) as address:
        yield address


def view(who: str, item: str, number: int) -> dict[str, Any]:
    return {
        "type": "track", "event": "Product Viewed", "userId": who, "messageId": f"{who}-{item}-{number}",
        "properties": {"product_id": item},
    }  # fmt: skip


class Collector:
    """A process that only collects: no question is ever put to it."""

    def __init__(self, servers: str, topic: str, folder: Path) -> None:
        self.log = KafkaLog(servers, topic, partitions=3)
        self.vault = vault_of(folder, VaultSettings(), SystemClock(), create=True)
        self.engine = engine_over(self.log, self.vault, SECRET)

    def collect(self, events: list[dict[str, Any]]) -> CollectAnswer:
        answers: list[Any] = []
        self.engine.collect("batch", json.dumps({"batch": events}).encode(), "shop", answers.append)
        assert isinstance(answers[0], CollectAnswer)
        return answers[0]


class Answerer:
    """The other process."""

    def __init__(self, servers: str, topic: str, folder: Path) -> None:
        command = [
            sys.executable, "-m", "tests.acceptance.kafka_answerer", servers, topic, SECRET.hex(), str(folder)
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, who: str) -> tuple[list[str], str, dict[str, str]]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"userId": who, "limit": 5}) + "\n")
        self.process.stdin.flush()
        items, position, digests = json.loads(self.process.stdout.readline())
        return items, position, digests

    def close(self) -> None:
        self.process.communicate(timeout=30)
        assert self.process.returncode == 0


def test_what_one_process_collects_changes_what_another_one_answers(servers: str, tmp_path: Path) -> None:
    collector, answerer = Collector(servers, "loop", tmp_path), Answerer(servers, "loop", tmp_path)
    try:
        for number, who in enumerate(("ann", "ben", "cem", "dor")):
            answer = collector.collect([view(who, item, number) for item in ("tent", "stove", "lamp")])
            assert [fate.status for fate in answer.events] == ["accepted"] * 3
        collector.collect([view("eva", "tent", 0)])
        before, _, _ = answerer.ask("eva")
        assert set(before) == {"stove", "lamp"}
        collector.collect([view("fay", item, 0) for item in ("tent", "rope", "rope")])
        collector.collect([view("gil", item, 0) for item in ("tent", "rope")])
        after, position, digests = answerer.ask("eva")
        assert set(after) == {"stove", "lamp", "rope"}
        assert position.startswith("v1.")

        # The state is what the log adds up to, whichever process folds it and in whatever interleaving.
        fresh = engine_over(collector.log, collector.vault, SECRET)
        catch_up(fresh.fold, fresh.log)
        assert fresh.fold.digests() == digests
    finally:
        answerer.close()
        collector.engine.close()


def test_records_come_back_in_order_and_by_place(servers: str) -> None:
    log = KafkaLog(servers, "order", partitions=4)
    records = [
        Record(
            EventId(f"e{number}"), SubjectId((number % 3 + 1).to_bytes(16, "big")), Instant(number), Instant(0),
            Instant(0), Instant(number), b"body %d" % number,
        )
        for number in range(300)
    ]  # fmt: skip
    receipts = log.append(records)
    assert {receipt.status for receipt in receipts} == {Status.ACCEPTED}
    cursor = Cursor()
    found: list[Stored] = []
    while batch := log.read(cursor, limit=70):
        found += batch
        for stored in batch:
            cursor = cursor.advanced(stored.position)
    assert cursor == log.end() and not log.read(cursor, limit=10)
    places = {receipt.position: record for receipt, record in zip(receipts, records, strict=True)}
    assert {stored.position: stored.record for stored in found} == places
    for subject in range(1, 4):
        mine = [
            stored.record.at
            for stored in found
            if stored.record.subject == SubjectId(subject.to_bytes(16, "big"))
        ]
        assert mine == sorted(mine)
    wanted = [receipts[250].position, receipts[3].position]
    assert [stored.record for stored in log.fetch(wanted)] == [records[250], records[3]]
    log.close()
