"""Reading the SQLite log, in the process that writes it or in any other."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import apsw

from heedful.log import frame
from heedful.log.cursor import Cursor
from heedful.log.database import open_for_reading
from heedful.log.selection import Selection
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.event import Position, Stored, offset_of, partition_of
from heedful.vocabulary.ids import SubjectId

_SELECT = "SELECT offset, id, subject, at, client, sent, received, body, crc FROM records WHERE "  # frame.Row
_AFTER = _SELECT + "offset > ? ORDER BY offset LIMIT ?"
AT = _SELECT + "offset = ?"
UNREADABLE = (apsw.CorruptError, apsw.NotADBError, apsw.IOError, UnicodeDecodeError)


class SqliteReader:
    """Reads a log that this or another process writes. `id` is the log's own, 32 hexadecimal digits."""

    def __init__(self, path: Path, *, vfs: str | None = None) -> None:
        """Raises NotFound, SettingsError (another's file, a newer schema) or Corrupt."""
        self._reading = threading.Lock()
        self._path, self._vfs = path, vfs
        self._reader = open_for_reading(path, vfs=vfs)
        try:
            self.id = str(self._reader.execute("SELECT value FROM meta WHERE name = 'log_id'").get)
        except UNREADABLE as error:
            self._reader.close()
            raise Corrupt(f"{path} is not a readable log: {error}") from error

    def read(self, after: Cursor, *, limit: int) -> Sequence[Stored]:
        """See `Log.read`. A missing record is Corrupt too: offsets have no gaps."""
        offset = after.offset(0)
        while True:
            try:
                with self._reading:
                    rows = cast(list[frame.Row], self._reader.execute(_AFTER, (offset, limit)).fetchall())
            except UNREADABLE as error:
                raise Corrupt(f"the record at position {self.first_unreadable(offset)}: {error}") from error
            found = frame.from_rows(rows, offset + 1)
            if found or not rows:
                return found
            offset = rows[-1][0]  # all of these were purged, and an empty answer would mean the end

    def end(self) -> Cursor:
        """See `Log.end`."""
        last = self.last()
        return Cursor((last,)) if last else Cursor()

    def last(self) -> int:
        """The last offset, 0 if there is none. Raises Corrupt if the file cannot be read."""
        try:
            with self._reading:
                return int(self._reader.execute("SELECT max(offset) FROM records").get or 0)
        except UNREADABLE as error:
            raise Corrupt(f"the end of the log cannot be read: {error}") from error

    def fetch(self, positions: Sequence[Position]) -> Sequence[Stored]:
        """See `Bodies.fetch`. Raises Corrupt, naming the position, as `read` does."""
        wanted = [(offset_of(place),) for place in positions if partition_of(place) == 0]
        try:
            with self._reading:
                rows = cast(list[frame.Row], self._reader.executemany(AT, wanted).fetchall())
        except UNREADABLE as error:
            raise Corrupt(f"one of the records {positions[:10]} cannot be read: {error}") from error
        return [stored for row in rows if (stored := frame.from_row(row)) is not None]

    def places_of(self, subjects: Sequence[SubjectId]) -> list[Position]:
        """Every place of these subjects that still has a body, ascending, by a look at every envelope.

        On a connection of its own, so that any thread may ask and nobody waits meanwhile. Raises Corrupt.
        """
        marks = ", ".join("?" * len(subjects))
        query = f"SELECT offset FROM records WHERE subject IN ({marks}) AND body IS NOT NULL ORDER BY offset"  # noqa: S608 - only marks
        connection = open_for_reading(self._path, vfs=self._vfs)
        try:
            return [Position(offset) for (offset,) in connection.execute(query, tuple(subjects))]
        except UNREADABLE as error:
            raise Corrupt(f"the log cannot be searched: {error}") from error
        finally:
            connection.close()

    def places(self, selection: Selection, after: int, span: int) -> list[Position]:
        """See `log.Finder.places`. Reads envelopes only."""
        chosen = ",".join("?" * len(selection.subjects))
        conditions = "".join((
            f" AND subject IN ({chosen})" if selection.subjects else " AND length(subject) <> 1",
            " AND substr(id, 1, ?) = ?" if selection.source else "",
        ))  # fmt: skip
        prefix = selection.source + ":"
        values = (
            after, after + span, selection.since, selection.until, *sorted(selection.subjects),
            *((len(prefix), prefix) if selection.source else ()),
        )  # fmt: skip
        if not selection.subjects and not selection.source:
            return []
        query = (
            "SELECT offset FROM records WHERE offset > ? AND offset <= ? AND at >= ? AND at < ?"  # noqa: S608
            + conditions  # our own words and question marks
        )
        try:
            with self._reading:
                found = self._reader.execute(query, values).fetchall()
        except UNREADABLE as error:
            raise Corrupt(f"a record beyond position {after} cannot be read: {error}") from error
        return [Position(cast(int, offset)) for (offset,) in found]

    def noted(self, name: str) -> str | None:
        """What the writer noted under `name` (`SqliteLog.note`), or None."""
        with self._reading:
            found = self._reader.execute("SELECT value FROM meta WHERE name = ?", (name,)).get
        return None if found is None else str(found)

    def close(self) -> None:
        """See `Log.close`."""
        with self._reading:
            self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def first_unreadable(self, after: int) -> int:
        """The first offset beyond `after` that cannot be read, found one by one."""
        while True:
            try:
                with self._reading:
                    if not self._reader.execute(_AFTER, (after, 1)).fetchall():
                        return after + 1
            except UNREADABLE:
                return after + 1
            after += 1
