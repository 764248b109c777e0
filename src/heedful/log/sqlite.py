"""The log in one SQLite file: the default, durable store of everything that happened.

One process writes, any number read. Rows are inserted in the thread that calls `begin`, because inserting
from a second thread would hand the interpreter's lock over for each row; only `commit`, which waits for the
disk, may run elsewhere. A failed sync stops the log for good; a full disk does not.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NoReturn, cast

import apsw
import numpy as np
from numpy.typing import NDArray

from heedful.log import frame
from heedful.log.claims import Claims, Fingerprints, marked
from heedful.log.cursor import Cursor
from heedful.log.database import (
    BUSY_MILLISECONDS,
    CHECKPOINT_PAGES,
    Checkpointer,
    WriterLock,
    forbid_checkpoint,
    open_for_writing,
    passes,
)
from heedful.log.reader import AT, UNREADABLE, SqliteReader
from heedful.vocabulary.errors import Corrupt, Invalid, LogUnavailable, NotFound
from heedful.vocabulary.event import Position, Record, Stored, offset_of, partition_of
from heedful.vocabulary.ids import EventId
from heedful.vocabulary.receipt import Receipt, Status

_INSERT = """
INSERT INTO records (offset, id, subject, at, client, sent, received, body, crc)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_PURGE = """
UPDATE records SET id = ?, subject = ?, at = ?, client = ?, sent = ?, received = ?, body = ?, crc = ?
WHERE offset = ?
"""
_MARKS = "SELECT offset, id FROM records WHERE offset > ? AND offset <= ? AND length(subject) = 1"
_NOTE = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_IDS = "SELECT offset, id FROM records WHERE offset > ? ORDER BY offset LIMIT ?"
_RECOVER_AT_ONCE = 50_000


class SqliteLog(SqliteReader):
    """The one writer of the log at `path`, which is created unless `must_exist`.

    claims: where each id stands; complete once `recover` ran, kept up by `begin`.
    stopped: why nothing will ever be stored again by this object, or None.
    unwiped: whether the write-ahead log may still hold bytes of purged bodies.
    Raises SettingsError if another process writes (its pid is named), and as `SqliteReader` does.
    """

    def __init__(
        self,
        path: Path,
        pseudonyms: Fingerprints,
        claims: Claims,
        *,
        must_exist: bool = False,
        checkpoint_pages: int = CHECKPOINT_PAGES,
        vfs: str | None = None,
    ) -> None:
        self.stopped: str | None = None
        self.unwiped = False
        self._pseudonyms, self._claims = pseudonyms, claims
        self._writing = threading.RLock()
        self._begun: list[tuple[NDArray[np.uint64], int]] = []  # fingerprints, and where the first stands
        self._lost: LogUnavailable | None = None  # what the commit of rolled-back records must say
        self._closed = False
        if must_exist and not path.exists():
            raise NotFound(f"there is no log at {path}")
        with ExitStack() as undo:
            self._lock = WriterLock(path.with_name(path.name + ".lock"))
            undo.callback(self._lock.release)
            self._writer = open_for_writing(path, vfs=vfs)
            undo.callback(self._writer.close)
            super().__init__(path, vfs=vfs)
            undo.callback(super().close)
            self._end = self.last()
            self._next = self._end + 1
            self._checkpointer = Checkpointer(path, self._checkpoint_failed, pages=checkpoint_pages, vfs=vfs)
            self._writer.set_wal_hook(self._grown)
            undo.pop_all()

    @staticmethod
    def reader(path: Path) -> SqliteReader:
        """The log at `path` for reading only, also while another process writes it."""
        return SqliteReader(path)

    def append(self, records: Sequence[Record]) -> Sequence[Receipt]:
        """See `Log.append`."""
        with self._writing:
            receipts = self.begin(records)
            self.commit()
        return receipts

    def begin(self, records: Sequence[Record]) -> list[Receipt]:
        """Insert what is new among `records` into the open transaction; nothing is durable before `commit`.

        Returns as `Log.append` does; a repeat of a purged record is a duplicate. Raises LogUnavailable, and
        then everything begun since the last commit is gone; or Invalid, and then just `records` are not.
        """
        with self._writing:
            self._refuse_if_stopped()
            try:
                receipts, fresh, fingerprints = self._sort_out(records)
                rows = frame.to_rows(self._next, fresh)
            except apsw.Error as error:
                self._fail(error)
            except UnicodeEncodeError as error:
                raise Invalid("record_invalid", f"an event id is not valid text: {error.reason}") from error
            if rows:
                self._insert(rows, fingerprints)
            return receipts

    def commit(self) -> None:
        """Make everything begun durable. May run in another thread than `begin`.

        Raises LogUnavailable if it could not, also when a purge failed in between; nothing of it is stored.
        """
        with self._writing:
            if self._lost is not None:
                lost, self._lost = self._lost, None
                self._roll_back()
                raise lost
            self._refuse_if_stopped()
            try:
                self._commit()
            except apsw.Error as error:
                self._fail(error)

    def end(self) -> Cursor:
        """See `Log.end`."""
        return Cursor((self._end,)) if self._end else Cursor()

    def purge(self, positions: Sequence[Position]) -> int:
        """See `Bodies.purge`. The freed bytes are overwritten in the file and the write-ahead log is emptied;
        where an outside reader holds it, a later commit does that (`unwiped`). Commits what was begun.

        Raises LogUnavailable if nothing was purged.
        """
        with self._writing:
            self._refuse_if_stopped()
            wanted = sorted({(offset_of(place),) for place in positions if partition_of(place) == 0})
            try:
                self._open_transaction()
                rows = cast(list[frame.Row], self._writer.executemany(AT, wanted).fetchall())
                there = [
                    frame.purged(row, self._pseudonyms.mark(row[1]))
                    for row in rows
                    if not frame.is_purged(row)
                ]
                self._writer.executemany(_PURGE, [(*row[1:], row[0]) for row in there])
                self._commit()
                self.unwiped = not self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)
            except apsw.Error as error:
                self._fail(error, in_passing=True)
            return len(there)

    def note(self, name: str, value: str) -> None:
        """Keep a fact about this log in it, durably; it goes where the file goes. Commits what was begun.

        Raises LogUnavailable.
        """
        with self._writing:
            self._refuse_if_stopped()
            try:
                self._open_transaction()
                self._writer.execute(_NOTE, (name, value))
                self._commit()
            except apsw.Error as error:
                self._fail(error, in_passing=True)

    def recover(self, after: Cursor, *, purged_after: Cursor | None = None) -> int:
        """Claim the ids of every record beyond `after`; returns how many. For use before the first append,
        with claims that are complete up to `after`, but for records beyond `purged_after` that were purged.

        Raises Corrupt if the log ends before `after`: records were lost, or the cursor is another log's.
        """
        offset, count = after.offset(0), 0
        if offset > self._end:
            raise Corrupt(f"the log ends at position {self._end}, but position {offset} was read from it")
        self._claims.reserve(len(self._claims) + self._end - offset)
        self._claims.load()
        if purged_after is not None:
            self._recover_purged(purged_after.offset(0), offset)
        while True:
            try:
                with self._reading:
                    found = self._reader.execute(_IDS, (offset, _RECOVER_AT_ONCE)).fetchall()
                rows = cast(list[tuple[int, EventId]], found)
            except UNREADABLE as error:
                raise Corrupt(f"the record at position {self.first_unreadable(offset)}: {error}") from error
            if not rows:
                return count
            if rows[-1][0] != offset + len(rows):
                raise Corrupt(f"a record between the positions {offset} and {rows[-1][0]} is missing")
            fingerprints = self._fingerprints(event for _, event in rows).copy()
            for place, (_, event) in enumerate(rows):
                if event[0] == "~" and frame.MARK.fullmatch(event):
                    fingerprints[place] = marked(event)
            self._claims.put_many(fingerprints, np.arange(offset + 1, offset + 1 + len(rows), dtype=np.int64))
            offset, count = offset + len(rows), count + len(rows)

    def close(self) -> None:
        """See `Log.close`. What was begun and not committed is dropped; a stopped log syncs nothing more."""
        with self._writing:
            if self._closed:
                return
            self._closed = True
            self._roll_back()
            healthy = self.stopped is None
        self._checkpointer.close(checkpoint=healthy)
        super().close()
        if not healthy:
            forbid_checkpoint(self._writer)
        with suppress(apsw.Error):  # closing copies the write-ahead log; if it cannot, the next opening does
            self._writer.close()
        self._lock.release()

    def _recover_purged(self, after: int, until: int) -> None:
        with self._reading:
            rows = cast(list[tuple[int, str]], self._reader.execute(_MARKS, (after, until)).fetchall())
        marks = np.array([marked(event) for _, event in rows], dtype=np.uint64)
        self._claims.put_many(marks, np.array([offset for offset, _ in rows], dtype=np.int64))

    def _fingerprints(self, events: Iterable[EventId]) -> NDArray[np.uint64]:
        return np.frombuffer(self._pseudonyms.fingerprints(events), dtype="<u8").astype(np.uint64, copy=False)

    def _sort_out(
        self, records: Sequence[Record]
    ) -> tuple[list[Receipt], Sequence[Record], NDArray[np.uint64]]:
        """Receipts for all, and the new ones among `records` with their fingerprints."""
        fingerprints = self._fingerprints(record.id for record in records)
        marks: list[int] = fingerprints.tolist()
        known = self._claims.known(fingerprints)
        if not known.any() and len(set(marks)) == len(marks):
            accepted, first = Status.ACCEPTED, self._next
            places = range(first, first + len(records))
            return [Receipt(accepted, Position(place)) for place in places], records, fingerprints
        receipts: list[Receipt] = []
        fresh: list[Record] = []
        fresh_marks: list[int] = []
        within: dict[EventId, Stored] = {}
        for record, mark, suspected in zip(records, marks, known.tolist(), strict=True):
            held = within.get(record.id)
            row = self._stored_row(record.id, mark) if suspected and held is None else None
            if held is None and row is None:
                held = within[record.id] = Stored(Position(self._next + len(fresh)), record)
                fresh.append(record)
                fresh_marks.append(mark)
                receipts.append(Receipt(Status.ACCEPTED, held.position))
            elif held is not None:
                same = held.record.content() == record.content()
                receipts.append(_repeat(same, held.position))
            elif row is not None:
                kept = frame.from_row(row)
                same = kept is None or kept.record.content() == record.content()
                receipts.append(_repeat(same, Position(row[0])))
        return receipts, fresh, np.array(fresh_marks, dtype=np.uint64)

    def _insert(self, rows: list[frame.Row], fingerprints: NDArray[np.uint64]) -> None:
        try:
            self._open_transaction()
            self._begun.append((fingerprints, self._next))
            self._writer.executemany(_INSERT, rows)
            places = np.arange(self._next, self._next + len(rows), dtype=np.int64)
            self._claims.put_many(fingerprints, places)
            self._next += len(rows)
        except apsw.Error as error:
            self._fail(error)
        except BaseException as error:  # an interrupt: half of the rows must not ride along with a commit
            if len(self._begun) > 1:
                self._lost = LogUnavailable(f"taken back with others: {error!r}", retry_after=5)
            self._roll_back()
            raise

    def _stored_row(self, event: EventId, fingerprint: int) -> frame.Row | None:
        """The row that holds `event`, also one that is not committed yet."""
        names = (event, self._pseudonyms.mark(event))
        for place in self._claims.holders(fingerprint):
            row = cast(frame.Row | None, self._writer.execute(AT, (offset_of(place),)).fetchone())
            if row is not None and row[1] in names:
                return row
        return None

    def _open_transaction(self) -> None:
        if not self._writer.in_transaction:
            self._writer.execute("BEGIN IMMEDIATE")

    def _commit(self) -> None:
        if not self._writer.in_transaction:
            return
        self._writer.execute("COMMIT")
        self._begun.clear()
        self._end = self._next - 1
        if self.unwiped:
            self._writer.set_busy_timeout(0)
            self.unwiped = not self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._writer.set_busy_timeout(BUSY_MILLISECONDS)
        elif self._checkpointer.nearly_done:
            self._checkpointer.nearly_done = False
            self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE)

    def _checkpoint(self, mode: int) -> bool:
        """Copy the write-ahead log into the file; False if that must wait for a reader or for space."""
        try:
            self._writer.wal_checkpoint(mode=mode)
        except apsw.Error as error:
            if not passes(error, self._writer):
                raise
            return False
        return True

    def _fail(self, error: apsw.Error, *, in_passing: bool = False) -> NoReturn:
        """Take back what was begun and raise LogUnavailable; stop unless `error` passes by itself.

        in_passing: the failure is not the begun records' own, so that their commit must hear of it.
        """
        passing = passes(error, self._writer)
        what = f"{type(error).__name__}: {error}"
        waiting = in_passing and bool(self._begun)
        try:
            self._roll_back()
        except apsw.Error as worse:
            passing, what = False, f"{what}; then {type(worse).__name__}: {worse}"
        if not passing and self.stopped is None:
            self.stopped = what
        answer = LogUnavailable(
            f"the log takes no writes: {what}" + ("" if passing else ". It has stopped; restart the server"),
            retry_after=5 if passing else None,
        )
        self._lost = answer if waiting else None
        raise answer from error

    def _roll_back(self) -> None:
        for fingerprints, first in self._begun:
            for place, fingerprint in enumerate(fingerprints.tolist(), first):
                self._claims.remove(fingerprint, Position(place))
        self._begun.clear()
        self._next = self._end + 1
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    def _refuse_if_stopped(self) -> None:
        if self._closed:
            raise LogUnavailable("the log is closed", retry_after=None)
        if self.stopped is not None:
            raise LogUnavailable(f"the log has stopped: {self.stopped}", retry_after=None)

    def _grown(self, _connection: apsw.Connection, _schema: str, pages: int) -> int:
        self._checkpointer.grown(pages)
        return apsw.SQLITE_OK

    def _checkpoint_failed(self, error: apsw.Error) -> None:
        with self._writing:
            if not self._closed:
                try:
                    self._fail(error, in_passing=True)
                except LogUnavailable:
                    self.stopped = self.stopped or f"{type(error).__name__}: {error}"


def _repeat(same: bool, place: Position) -> Receipt:
    return Receipt(Status.DUPLICATE if same else Status.REFUSED, place)
