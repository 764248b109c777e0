"""The log's SQLite file: how it is opened, what is in it, who may write, and when it is checkpointed.

WAL with synchronous=EXTRA syncs the write-ahead log at every commit (sqlite.org, "PRAGMA synchronous").
Checkpoints never happen inside a commit, where they stall it by tens of milliseconds: a thread with its own
connection copies the bulk, and the commit that finds little left copies the rest.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from heedful.vocabulary.errors import Corrupt, InUse, LogUnavailable, NotFound, SettingsError

SCHEMA_VERSION = 1
CHECKPOINT_PAGES = 16_384
"""The write-ahead log is copied into the file once it has this many pages of 4 KiB (64 MiB)."""

BUSY_MILLISECONDS = 5_000
"""How long to wait for another process that holds the file."""

_SCHEMA = f"""
CREATE TABLE records (
  offset INTEGER PRIMARY KEY, id TEXT NOT NULL, subject BLOB NOT NULL, at INTEGER NOT NULL,
  client INTEGER NOT NULL, sent INTEGER NOT NULL, received INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB
) STRICT;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
PRAGMA user_version = {SCHEMA_VERSION};
"""

_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}
"""Errors of a write that end when there is space, or leave to write, again."""


class WriterLock:
    """The right to write, held by one process at a time through `flock` on a file beside the log."""

    def __init__(self, path: Path) -> None:
        """Raises SettingsError if another process has it, naming its pid, or if the folder takes no files."""
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SettingsError(f"cannot write the lock file {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise InUse(
                f"another process (pid {holder}) is writing to this log: {path}. "
                "Stop it first, or choose another data folder"
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let others write. Doing it twice is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def open_for_writing(path: Path, *, vfs: str | None = None) -> apsw.Connection:
    """A connection that may write, with the schema in place; the folder's entry of the file is durable.

    Raises SettingsError (another's file, a newer schema, no such folder), Corrupt, or LogUnavailable.
    """
    with _readable(path):
        connection = apsw.Connection(str(path), vfs=vfs)
        try:
            connection.set_busy_timeout(BUSY_MILLISECONDS)
            for name in ("fullfsync", "checkpoint_fullfsync", "secure_delete"):
                connection.pragma(name, True)
            connection.pragma("synchronous", "EXTRA")
            connection.pragma("cache_size", -65_536)
            new = version_of(connection, path) == 0
            connection.pragma("journal_mode", "WAL")
            connection.pragma("wal_autocheckpoint", 0)
            _refuse_if_commits_are_lost(connection, path)
            if new:
                with connection:
                    connection.execute(_SCHEMA)
                    connection.execute("INSERT INTO meta VALUES ('log_id', ?)", (secrets.token_hex(16),))
            sync_folder(path.parent)
        except BaseException:
            connection.close()
            raise
    return connection


def open_for_reading(path: Path, *, vfs: str | None = None) -> apsw.Connection:
    """A connection that only reads. Raises NotFound, or as `open_for_writing` does."""
    if not path.exists():
        raise NotFound(f"there is no log at {path}")
    with _readable(path):
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs)
        try:
            connection.set_busy_timeout(BUSY_MILLISECONDS)
            if version_of(connection, path) == 0:
                raise SettingsError(f"{path} is not a Heedful log yet: open it for writing first")
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """SQLite's errors on opening, in our words."""
    try:
        yield
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise Corrupt(f"{path} is not a readable log: {error}") from error
    except apsw.CantOpenError as error:
        raise SettingsError(f"the log {path} cannot be opened: {error}. Does its folder exist?") from error
    except (apsw.IOError, apsw.FullError, apsw.ReadOnlyError, apsw.BusyError) as error:
        raise LogUnavailable(f"the log {path} cannot be opened: {error}", retry_after=None) from error


def version_of(connection: apsw.Connection, path: Path) -> int:
    """The schema version, 0 for an empty file. Raises SettingsError for a newer or another's schema."""
    version = int(connection.pragma("user_version"))
    if version > SCHEMA_VERSION:
        raise SettingsError(
            f"the log {path} has schema {version}, this Heedful knows up to {SCHEMA_VERSION}: use a newer one"
        )
    if version == 0 and connection.execute("SELECT count(*) FROM sqlite_schema").get:
        raise SettingsError(f"{path} is the database of another program")
    return version


def _refuse_if_commits_are_lost(connection: apsw.Connection, path: Path) -> None:
    """Raise Corrupt if the write-ahead log holds commits behind the place where SQLite stopped reading it.

    SQLite takes a damaged frame for the torn end of a write that never finished, and drops what follows
    (sqlite.org/fileformat2.html, section 4.3). A torn end holds at most one commit, because each is synced
    before the next is written; so where two are found, at least one had been acknowledged.
    """
    taken, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
    try:
        with Path(f"{path}-wal").open("rb") as file:
            header = struct.unpack(">8I", file.read(32).ljust(32, b"\0"))
            frame = 24 + int(connection.pragma("page_size"))
            lost = 0
            for start in range(32 + taken * frame, os.fstat(file.fileno()).st_size - 23, frame):
                file.seek(start)
                _, commit, first_salt, second_salt = struct.unpack(">4I", file.read(16))
                lost += commit != 0 and (first_salt == header[4] or second_salt == header[5])
    except FileNotFoundError:
        return
    if lost > 1:
        forbid_checkpoint(connection)
        raise Corrupt(
            f"{path}-wal is damaged: at least {lost - 1} commits behind the damage cannot be read. Restore a "
            "backup, or move that file away to go on without them"
        )


def sync_folder(folder: Path) -> None:
    """Make new and deleted names in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def passes(error: apsw.Error, connection: apsw.Connection) -> bool:
    """Whether `error`, met while writing, ends by itself. A failed sync never does: what it did not write is
    lost even if the next sync succeeds (Rebello et al., "Can Applications Recover from fsync Failures?",
    2020).
    """
    if isinstance(error, apsw.FullError | apsw.ReadOnlyError | apsw.BusyError | apsw.LockedError):
        return True
    extended = getattr(error, "extendedresult", 0)
    return extended == apsw.SQLITE_IOERR_WRITE and connection.system_errno in _PASSING


class Checkpointer:
    """Copies the write-ahead log into the file in the background.

    failed: called, in the background thread, with an error that does not pass.
    """

    def __init__(
        self, path: Path, failed: Callable[[apsw.Error], None], *, pages: int, vfs: str | None
    ) -> None:
        self.nearly_done = False
        """Whether the bulk is copied, and the next commit should copy the rest."""
        self._failed = failed
        self._pages = self._next = pages
        self._size = 0
        self._due = threading.Event()
        self._closing = False
        self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
        self._connection.set_busy_timeout(BUSY_MILLISECONDS)
        self._connection.pragma("synchronous", "EXTRA")
        self._connection.pragma("checkpoint_fullfsync", True)
        self._connection.pragma("wal_autocheckpoint", 0)
        self._thread = threading.Thread(target=self._run, name="log-checkpoint", daemon=True)
        self._thread.start()

    def grown(self, pages: int) -> None:
        """Say how many pages the write-ahead log has after a commit. One round per `pages` more of them, so
        that a reader who holds the log back does not make every commit try again."""
        self._size = pages
        if pages <= self._pages:
            self._next = self._pages
        elif pages > self._next:
            self._next = pages + self._pages
            self._due.set()

    def close(self, *, checkpoint: bool) -> None:
        """Stop the thread and close its connection, which copies the log first unless `checkpoint` is off."""
        self._closing = True
        self._due.set()
        self._thread.join()
        if not checkpoint:
            forbid_checkpoint(self._connection)
        self._connection.close()

    def _run(self) -> None:
        while True:
            self._due.wait()
            if self._closing:
                return
            self._due.clear()
            try:
                self._copy()
                self.nearly_done = True
            except apsw.Error as error:
                if not passes(error, self._connection):
                    self._failed(error)
                    return

    def _copy(self) -> None:
        """Copy until little is left of what came meanwhile, at most eight times: the writer may be fast."""
        for _ in range(8):
            _, copied = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            if self._closing or self._size - copied <= self._pages // 16:
                return


def forbid_checkpoint(connection: apsw.Connection) -> None:
    """After a failed write, closing must not sync or copy anything: what is durable is there already."""
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
