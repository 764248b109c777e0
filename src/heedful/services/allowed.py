"""A log as far as people allow it to be used: for fits and replays, which go by the log and not by the views."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from heedful.log.cursor import Cursor
from heedful.log.log import LogReader
from heedful.vocabulary.event import Record, Stored


class Allowed:
    """Reads `log` without the records that are not `usable` (`Fold.usable`, of a fold that has caught up with it).

    Closing it leaves the log open.
    """

    def __init__(self, log: LogReader, usable: Callable[[Record], bool]) -> None:
        self._log = log
        self._usable = usable

    def read(self, after: Cursor, *, limit: int) -> Sequence[Stored]:
        """See `LogReader.read`."""
        while batch := self._log.read(after, limit=limit):
            found = [one for one in batch if self._usable(one.record)]
            if found:
                return found
            for one in batch:
                after = after.advanced(one.position)
        return []

    def end(self) -> Cursor:
        """See `LogReader.end`."""
        return self._log.end()

    def close(self) -> None:
        """See `LogReader.close`."""
