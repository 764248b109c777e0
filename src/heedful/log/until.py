"""A log as it stood at one moment, so that whoever reads it twice beside its writer reads the same twice."""

from __future__ import annotations

from collections.abc import Sequence

from heedful.log.cursor import Cursor
from heedful.log.log import LogReader
from heedful.vocabulary.event import Stored, offset_of, partition_of


class Until:
    """Reads `log` up to `end` and no further. Closing it leaves the log open."""

    def __init__(self, log: LogReader, end: Cursor) -> None:
        self._log = log
        self._end = end

    def read(self, after: Cursor, *, limit: int) -> Sequence[Stored]:
        """See `LogReader.read`."""
        while not after.covers(self._end):
            batch = self._log.read(after, limit=limit)
            found = [one for one in batch if self._holds(one)]
            if found or not batch:
                return found
            for one in batch:
                after = after.advanced(one.position)
        return []

    def end(self) -> Cursor:
        """See `LogReader.end`."""
        return self._end

    def close(self) -> None:
        """See `LogReader.close`."""

    def _holds(self, one: Stored) -> bool:
        return offset_of(one.position) <= self._end.offset(partition_of(one.position))
