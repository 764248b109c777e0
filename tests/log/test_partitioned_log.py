"""The log that stands in for a broker keeps the contract, and is as awkward as promised."""

from __future__ import annotations

import pytest

from heedful.log.cursor import Cursor
from heedful.log.partitioned import PartitionedLog
from heedful.vocabulary.event import partition_of
from tests.contracts.log_contract import AnyLog, LogContract, record


class TestPartitionedLog(LogContract):
    exact = False

    @pytest.fixture(params=[1, 3, 16])
    def log(self, request: pytest.FixtureRequest) -> AnyLog:
        return PartitionedLog(request.param, seed=7, repeats=0.3)


def test_it_interleaves_partitions_and_gives_some_records_twice() -> None:
    log = PartitionedLog(4, seed=1, repeats=0.2)
    log.append([record(f"e{i}", subject=i) for i in range(200)])
    places = [stored.position for stored in log.read(Cursor(), limit=10_000)]
    assert len(set(places)) == 200
    assert len(places) > 200
    partitions = [partition_of(place) for place in places]
    assert partitions != sorted(partitions)


def test_one_seed_gives_one_interleaving_and_another_gives_another() -> None:
    def places(seed: int) -> list[int]:
        log = PartitionedLog(4, seed=seed)
        log.append([record(f"e{i}", subject=i) for i in range(100)])
        return [stored.position for stored in log.read(Cursor(), limit=10_000)]

    assert places(1) == places(1)
    assert places(1) != places(2)


def test_a_subject_stays_in_its_partition() -> None:
    log = PartitionedLog(5)
    receipts = [log.append([record(f"e{i}", subject=9)])[0] for i in range(20)]
    assert len({partition_of(receipt.position) for receipt in receipts}) == 1
