"""A log as a broker gives it, in memory: partitions by subject, no order between them, some records twice.

It stands in for Kafka in tests. There is no unique index: a repeat of an id is stored again and accepted, and
the fold sees to it that nothing counts twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from types import TracebackType
from zlib import crc32

from heedful.log import frame
from heedful.log.cursor import Cursor
from heedful.vocabulary.event import Position, Record, Stored, offset_of, partition_of, position
from heedful.vocabulary.receipt import Receipt, Status


class PartitionedLog:
    """`partitions` lists of records. The same `seed` and calls give the same interleavings and repeats.

    repeats: the share of reads, 0 to 1, in which a record is given a second time.
    """

    def __init__(self, partitions: int = 4, *, seed: int = 0, repeats: float = 0.1) -> None:
        self._random = Random(seed)  # noqa: S311 - reproducible, not secret
        self._repeats = repeats
        self._partitions: list[list[Record | None]] = [[] for _ in range(partitions)]
        self._committed = [0] * partitions

    def append(self, records: Sequence[Record]) -> Sequence[Receipt]:
        """See `Log.append`. Every record is accepted."""
        receipts = self.begin(records)
        self.commit()
        return receipts

    def begin(self, records: Sequence[Record]) -> list[Receipt]:
        """Take `records` in, not to be read before `commit`. Raises Invalid as `MemoryLog.begin` does."""
        for record in records:
            frame.to_row(0, record)
        return [self._take(record) for record in records]

    def commit(self) -> None:
        """Let everything begun be read."""
        self._committed = [len(records) for records in self._partitions]

    def read(self, after: Cursor, *, limit: int) -> Sequence[Stored]:
        """See `Log.read`. Never a record before its predecessor in the partition; at times one twice."""
        found: list[Stored] = []
        next_offsets = [after.offset(p) + 1 for p in range(len(self._partitions))]
        waiting = [p for p, offset in enumerate(next_offsets) if offset <= self._committed[p]]
        while waiting and len(found) < limit:
            partition = self._random.choice(waiting)
            offset = next_offsets[partition]
            next_offsets[partition] = offset + 1
            if offset == self._committed[partition]:
                waiting.remove(partition)
            record = self._partitions[partition][offset - 1]
            if record is None:
                continue
            times = 2 if self._random.random() < self._repeats and len(found) + 2 <= limit else 1
            found += [Stored(position(partition, offset), record)] * times
        return found

    def end(self) -> Cursor:
        """See `Log.end`."""
        return Cursor(tuple(self._committed)) if any(self._committed) else Cursor()

    def fetch(self, positions: Sequence[Position]) -> Sequence[Stored]:
        """See `Bodies.fetch`."""
        found = ((place, self._find(place)) for place in positions)
        return [Stored(place, record) for place, record in found if record is not None]

    def purge(self, positions: Sequence[Position]) -> int:
        """See `Bodies.purge`."""
        there = {place for place in positions if self._find(place) is not None}
        for place in there:
            self._partitions[partition_of(place)][offset_of(place) - 1] = None
        return len(there)

    def close(self) -> None:
        """See `Log.close`."""

    def __enter__(self) -> PartitionedLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, record: Record) -> Receipt:
        partition = crc32(record.subject or record.id.encode()) % len(self._partitions)
        self._partitions[partition].append(record)
        return Receipt(Status.ACCEPTED, position(partition, len(self._partitions[partition])))

    def _find(self, place: Position) -> Record | None:
        partition, offset = partition_of(place), offset_of(place)
        if partition >= len(self._partitions) or not 0 < offset <= self._committed[partition]:
            return None
        return self._partitions[partition][offset - 1]
