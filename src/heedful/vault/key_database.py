"""Wrapped keys in an SQLite file of their own, so that destroying one destroys every byte of it.

SQLite moves rows from page to page as a table grows and shrinks, and what it leaves behind on a page is not
always overwritten, also under `secure_delete`. So wrapped keys lie in a table whose rows never move: each is
appended at the end, has one fixed length, and is overwritten in its place, by zeros or by the key wrapped
anew. The index over subjects holds the numbers of rows and no key. Afterwards the write-ahead log, which has
older pages, is emptied.

WAL with synchronous=EXTRA syncs at every commit, and the folder once the file is made (sqlite.org, "PRAGMA
synchronous"): under FULL a power cut could bring back the journal of the making, which undoes everything since.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from operator import attrgetter
from pathlib import Path
from typing import Any

import apsw

from heedful.vault.key_store import Count, Ring, Tombstone, WrappedKey, WrappingKey, buried
from heedful.vocabulary.errors import Conflict, Corrupt, KeyUnavailable, NotFound, SettingsError
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import Instant

SCHEMA_VERSION = 1
CHECKPOINT_PAGES = 8_192
"""The write-ahead log is copied into the file at this many pages of 4 KiB: keys of new people lie far apart, and
copying them costs two more syncs. Destroying a key copies at once."""

BUSY_MILLISECONDS = 5_000
"""How long to wait for another process that writes."""

_SCHEMA = """
CREATE TABLE closed (place INTEGER PRIMARY KEY, key BLOB NOT NULL) STRICT;
CREATE TABLE keys (
  subject BLOB NOT NULL, generation INTEGER NOT NULL, wrapping INTEGER NOT NULL, place INTEGER NOT NULL,
  created INTEGER NOT NULL, PRIMARY KEY (subject, generation)
) STRICT, WITHOUT ROWID;
CREATE TABLE tombstones (
  subject BLOB PRIMARY KEY, through INTEGER NOT NULL, at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE wrapping (
  number INTEGER PRIMARY KEY, source TEXT NOT NULL, place INTEGER, created INTEGER NOT NULL
) STRICT;
CREATE TABLE revision (number INTEGER NOT NULL, openings INTEGER NOT NULL, renewal INTEGER NOT NULL) STRICT;
INSERT INTO revision VALUES (0, 0, 0);
"""
_LIVING = "SELECT subject, generation, wrapping, key, created FROM keys JOIN closed USING (place)"
_GONE = "SELECT subject, through, at FROM tombstones"
_AT_ONCE = 512
"""Subjects that one query finds: far fewer steps than a query for each."""
_WRAPPING = "SELECT number, source, key, created FROM wrapping JOIN closed USING (place)"
_OVERWRITE = "UPDATE closed SET key = zeroblob(length(key)) WHERE place = ?"
_OPENING = "UPDATE revision SET openings = openings + 1"
"""Written at each opening, because SQLite builds the index of the write-ahead log (`-shm`) in memory that it
does not clear before the first frame: without one, bytes of this process's memory would stay in that file."""

_PASSING = (apsw.FullError, apsw.BusyError, apsw.LockedError, apsw.ReadOnlyError)
"""What ends by itself. A failed sync does not: what it did not write is lost even if the next one succeeds."""


class SqliteKeyStore:
    """`KeyStore` in the file at `path`, made with mode 0600 if there is none. Any number of processes share it.

    Raises SettingsError (another's file, a newer schema, no such folder, readable by others), Corrupt, or
    KeyUnavailable. After a failed sync every method raises KeyUnavailable for good: start again.
    """

    def __init__(self, path: Path, *, vfs: str | None = None) -> None:
        self._lock = threading.RLock()
        self._stopped: str | None = None
        self._path = path
        self._connection = _opened(path, vfs)
        try:
            with suppress(KeyUnavailable), self._writing() as connection:  # a full disk can be read
                connection.execute(_OPENING)
            self._refuse_if_stopped()
            self.wipe()  # also of what a process left that died between a destroying and this
        except BaseException:
            self.close()
            raise

    def find(self, subjects: Iterable[SubjectId]) -> dict[SubjectId, Ring]:
        with self._reading() as connection:
            return _rings(connection, subjects)

    def put(self, keys: Sequence[WrappedKey]) -> list[WrappedKey | None]:
        with self._writing() as connection:
            _check(connection, (key.wrapping for key in keys))
            return _put(connection, keys)

    def destroy(self, subjects: Iterable[SubjectId], at: Instant, *, through: int = 0) -> list[Tombstone]:
        with self._writing() as connection:
            made = [_destroy(connection, subject, at, through) for subject in subjects]
        self.wipe()
        return made

    def page(self, after: tuple[SubjectId, int] | None, limit: int) -> list[WrappedKey]:
        query, values = f"{_LIVING} ORDER BY subject, generation LIMIT ?", (limit,)
        if after is not None:
            query = f"{_LIVING} WHERE (subject, generation) > (?, ?) ORDER BY subject, generation LIMIT ?"
            values = (*after, limit)  # type: ignore[assignment]  # a longer tuple for a longer query
        with self._reading() as connection:
            return [WrappedKey(*row) for row in connection.execute(query, values)]

    def rewrap(self, changes: Sequence[tuple[WrappedKey, WrappedKey]]) -> int:
        with self._writing() as connection:
            _check(connection, (new.wrapping for _, new in changes))
            return sum(_rewrap(connection, old, new) for old, new in changes)

    def wrapping_keys(self) -> list[WrappingKey]:
        with self._reading() as connection:
            return [WrappingKey(*row) for row in connection.execute(f"{_WRAPPING} ORDER BY number")]

    def add_wrapping_key(self, after: int, source: str, wrapped: bytes, at: Instant) -> WrappingKey:
        with self._writing() as connection:
            last = connection.execute("SELECT ifnull(max(number), 0) FROM wrapping").get
            if last != after:
                raise Conflict(f"there is another wrapping key behind number {after}")
            made = WrappingKey(after + 1, source, wrapped, at)
            place = _close(connection, wrapped)
            connection.execute("INSERT INTO wrapping VALUES (?, ?, ?, ?)", (made.number, source, place, at))
            _turn(connection)
        return made

    def retire(self, number: int) -> None:
        with self._writing() as connection:
            place = connection.execute("SELECT place FROM wrapping WHERE number = ?", (number,)).get
            if place is None:
                raise NotFound(f"there is no wrapping key {number}")
            used = connection.execute("SELECT 1 FROM keys WHERE wrapping = ? LIMIT 1", (number,)).get
            if used or number == connection.execute("SELECT max(number) FROM wrapping").get:
                raise Conflict(f"wrapping key {number} is in use")
            connection.execute(_OVERWRITE, (place,))
            connection.execute("UPDATE wrapping SET place = NULL WHERE number = ?", (number,))
            _turn(connection)
        self.wipe()

    def renewal(self) -> Instant:
        with self._reading() as connection:
            return Instant(connection.execute("SELECT renewal FROM revision").get)

    def renew_before(self, at: Instant) -> None:
        with self._writing() as connection:
            connection.execute(
                "UPDATE revision SET renewal = ?1, number = number + 1 WHERE renewal < ?1", (at,)
            )

    def total(self) -> Count:
        with self._reading() as connection:
            return Count(
                int(connection.execute("SELECT count(*) FROM keys").get),
                int(connection.execute("SELECT count(*) FROM tombstones").get),
            )

    def revision(self) -> int:
        with self._reading() as connection:
            return int(connection.execute("SELECT number FROM revision").get)

    def wipe(self) -> bool:
        """See `KeyStore.wipe`. Not while another process reads an older state of the file."""
        with self._lock:
            if self._stopped:
                return False
            try:
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            except _PASSING:
                return False
            except apsw.Error as error:
                raise self._stop(error) from error
            return True

    def close(self) -> None:
        with self._lock:
            _close_connection(self._connection, copy=self._stopped is None)

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        with self._lock:
            self._refuse_if_stopped()
            try:
                yield self._connection
            except (apsw.CorruptError, apsw.NotADBError) as error:
                raise Corrupt(f"{self._path} is damaged: {error}") from error
            except apsw.Error as error:
                raise KeyUnavailable(f"the key store cannot be read: {error}", retry_after=1) from error

    @contextmanager
    def _writing(self) -> Iterator[apsw.Connection]:
        with self._lock:
            self._refuse_if_stopped()
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except apsw.Error as error:
                self._roll_back()
                if isinstance(error, _PASSING):
                    raise KeyUnavailable(f"the key store takes no writes: {error}", retry_after=1) from error
                raise self._stop(error) from error
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with suppress(apsw.Error):
                self._connection.execute("ROLLBACK")

    def _stop(self, error: apsw.Error) -> KeyUnavailable:
        self._stopped = f"the key store stopped: {error}. Start again"
        return KeyUnavailable(self._stopped, retry_after=None)

    def _refuse_if_stopped(self) -> None:
        if self._stopped:
            raise KeyUnavailable(self._stopped, retry_after=None)


def _rings(connection: apsw.Connection, subjects: Iterable[SubjectId]) -> dict[SubjectId, Ring]:
    wanted = sorted({*subjects})  # in the order of the file
    keys: dict[SubjectId, list[WrappedKey]] = {}
    gone: dict[SubjectId, Tombstone] = {}
    any_gone = connection.execute("SELECT 1 FROM tombstones LIMIT 1").get is not None
    row: Any
    for first in range(0, len(wanted), _AT_ONCE):
        some = wanted[first : first + _AT_ONCE]
        places = ",".join("?" * len(some))
        for row in connection.execute(f"{_LIVING} WHERE subject IN ({places})", some):
            keys.setdefault(row[0], []).append(WrappedKey(*row))
        if any_gone:
            for row in connection.execute(f"{_GONE} WHERE subject IN ({places})", some):
                gone[row[0]] = Tombstone(*row)
    for mine in keys.values():
        if len(mine) > 1:
            mine.sort(key=attrgetter("generation"))
    nothing = Ring()
    return {
        subject: Ring(tuple(keys[subject]), gone.get(subject))
        if subject in keys
        else Ring((), gone[subject])
        if subject in gone
        else nothing
        for subject in wanted
    }


def _put(connection: apsw.Connection, keys: Sequence[WrappedKey]) -> list[WrappedKey | None]:
    rings = _rings(connection, (key.subject for key in keys))
    standing = {(one.subject, one.generation): one for ring in rings.values() for one in ring.keys}
    fresh: list[WrappedKey] = []
    answers: list[WrappedKey | None] = []
    for key in keys:
        tombstone, place = rings[key.subject].tombstone, (key.subject, key.generation)
        if tombstone is not None and key.generation <= tombstone.through:
            answers.append(None)
            continue
        if place not in standing:
            standing[place] = key
            fresh.append(key)
        answers.append(standing[place])
    first = int(connection.execute("SELECT ifnull(max(place), 0) + 1 FROM closed").get)
    connection.executemany(
        "INSERT INTO closed VALUES (?, ?)", ((place, key.wrapped) for place, key in enumerate(fresh, first))
    )
    connection.executemany(
        "INSERT INTO keys VALUES (?, ?, ?, ?, ?)",
        (
            (key.subject, key.generation, key.wrapping, place, key.created)
            for place, key in enumerate(fresh, first)
        ),
    )
    return answers


def _destroy(connection: apsw.Connection, subject: SubjectId, at: Instant, through: int) -> Tombstone:
    ring = _rings(connection, [subject])[subject]
    made = buried(subject, ring, at, through)
    if made == ring.tombstone:
        return made
    mine = (subject, made.through)
    places = "SELECT place FROM keys WHERE subject = ? AND generation <= ?"
    for (place,) in connection.execute(places, mine).fetchall():
        connection.execute(_OVERWRITE, (place,))
    connection.execute("DELETE FROM keys WHERE subject = ? AND generation <= ?", mine)
    connection.execute("REPLACE INTO tombstones VALUES (?, ?, ?)", (subject, made.through, made.at))
    _turn(connection)
    return made


def _rewrap(connection: apsw.Connection, old: WrappedKey, new: WrappedKey) -> bool:
    here = (old.subject, old.generation)
    found = connection.execute(
        "SELECT place, key FROM keys JOIN closed USING (place) WHERE subject = ? AND generation = ?", here
    ).fetchone()
    if found is None or found[1] != old.wrapped:
        return False
    if len(new.wrapped) != len(old.wrapped):
        raise ValueError("a wrapped key of another length does not fit in the place of the old one")
    connection.execute("UPDATE closed SET key = ? WHERE place = ?", (new.wrapped, found[0]))
    connection.execute(
        "UPDATE keys SET wrapping = ? WHERE subject = ? AND generation = ?", (new.wrapping, *here)
    )
    return True


def _close(connection: apsw.Connection, wrapped: bytes) -> int:
    connection.execute("INSERT INTO closed (key) VALUES (?)", (wrapped,))
    return connection.last_insert_rowid()


def _check(connection: apsw.Connection, numbers: Iterable[int]) -> None:
    for number in {*numbers}:
        if not connection.execute("SELECT place FROM wrapping WHERE number = ?", (number,)).get:
            raise Conflict(f"wrapping key {number} is retired")


def _turn(connection: apsw.Connection) -> None:
    connection.execute("UPDATE revision SET number = number + 1")


def _close_connection(connection: apsw.Connection, *, copy: bool) -> None:
    """Close; after a failed sync without copying on what may never have been written."""
    if not copy:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    with suppress(apsw.Error):  # what was answered is durable, and the next start does the rest
        connection.close()


def _opened(path: Path, vfs: str | None) -> apsw.Connection:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"others may read {path}; run: chmod 600 {path}")
        connection = apsw.Connection(str(path), vfs=vfs)
        try:
            _prepare(connection, path)
        except BaseException:
            _close_connection(connection, copy=False)
            raise
    except OSError as error:
        raise SettingsError(f"cannot open {path}: {error.strerror}") from error
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise Corrupt(f"{path} is not a readable key store: {error}") from error
    except apsw.Error as error:
        raise KeyUnavailable(f"the key store {path} cannot be opened: {error}", retry_after=None) from error
    return connection


def _prepare(connection: apsw.Connection, path: Path) -> None:
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    settings: dict[str, Any] = {
        "fullfsync": True, "checkpoint_fullfsync": True, "secure_delete": True, "temp_store": "MEMORY",
        "synchronous": "EXTRA", "cache_size": -65_536,
        "wal_autocheckpoint": CHECKPOINT_PAGES,
    }  # fmt: skip
    for name, value in settings.items():
        connection.pragma(name, value)
    version = int(connection.pragma("user_version"))
    if version > SCHEMA_VERSION:
        raise SettingsError(f"{path} has schema {version}, this Heedful knows up to {SCHEMA_VERSION}")
    if version == 0 and connection.execute("SELECT count(*) FROM sqlite_schema").get:
        raise SettingsError(f"{path} is the database of another program")
    connection.pragma("journal_mode", "WAL")
    if version == 0:
        connection.execute("BEGIN IMMEDIATE")
        if int(connection.pragma("user_version")) == 0:  # nobody was faster
            connection.execute(_SCHEMA)
            connection.pragma("user_version", SCHEMA_VERSION)
        connection.execute("COMMIT")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
