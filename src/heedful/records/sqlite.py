"""How our SQLite files are opened: private, synced at every commit, one transaction at a time.

WAL mode with synchronous=FULL syncs the write-ahead log at every commit (sqlite.org, "PRAGMA synchronous"), so a
change that was answered survives a power cut.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from heedful.records.durable import PRIVATE, sync_folder
from heedful.vocabulary.errors import RecordsUnavailable, SettingsError

_BUSY_SECONDS = 5.0
_BEGIN = "heedful_begin"
"""The execution option that says how SQLite begins a transaction."""


def open_sqlite(path: Path) -> Engine:
    """An engine over the file `path`, made now, mode 0600, if it is not there.

    One connection for the store's one owner, so that PRAGMA data_version tells of the others.
    Raises SettingsError.
    """
    try:
        fresh = not path.exists()
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE))
        if fresh:
            sync_folder(path.parent)
    except OSError as error:
        raise SettingsError(f"cannot open {path}: {error.strerror}") from error
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=StaticPool,
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def reading(engine: Engine, what: str) -> Iterator[Connection]:
    """A connection to read with. Raises RecordsUnavailable, which names `what`."""
    with _in_our_words(what), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine, what: str) -> Iterator[Connection]:
    """A transaction that has SQLite's write lock from its begin on. Raises RecordsUnavailable."""
    with _in_our_words(what), engine.connect() as connection:
        alone = connection.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        with alone.begin():
            yield alone


def _configure(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "fullfsync=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))


@contextmanager
def _in_our_words(what: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        detail = getattr(error, "orig", None) or error
        raise RecordsUnavailable(f"{what} cannot be read or written: {detail}") from error
