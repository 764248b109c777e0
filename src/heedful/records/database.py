"""Definitions in a database, through SQLAlchemy Core, so that one schema serves SQLite now and PostgreSQL later.

How SQLite runs stands in `records.sqlite`. A change takes the write lock before it reads what is current, so of
two that expect the same version one is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Row,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DatabaseError

from heedful.records.records import Change, Definition, Draft, Heard, check_expected
from heedful.records.sqlite import open_sqlite, reading, writing
from heedful.vocabulary.errors import Corrupt, RecordsUnavailable, SettingsError

SCHEMA_VERSION = 1
_WHAT = "the definitions"

_SCHEMA = MetaData()
_DEFINITIONS = Table(
    "definitions",
    _SCHEMA,
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("author", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    PrimaryKeyConstraint("kind", "name", "version"),
)
_CURRENT = Table(
    "current",
    _SCHEMA,
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    PrimaryKeyConstraint("kind", "name"),
)
_AUDIT = Table(
    "audit",
    _SCHEMA,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("author", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("before", Integer, nullable=False),
    Column("after", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Index("audit_by_name", "kind", "name", "number"),
)
_META = Table("meta", _SCHEMA, Column("schema", Integer, primary_key=True))


class DatabaseRecords:
    """`Records` over a database that `engine` connects to, with the schema in place."""

    def __init__(self, engine: Engine) -> None:
        """Make the schema where it is missing. Raises SettingsError for a newer one, RecordsUnavailable."""
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._seen: tuple[int, int] | None = None
        with self._writing() as connection:
            _SCHEMA.create_all(connection)
            version = connection.scalar(select(_META.c.schema))
            if version is None:
                connection.execute(insert(_META).values(schema=SCHEMA_VERSION))
        if version is not None and version > SCHEMA_VERSION:
            self.close()
            raise SettingsError(
                f"the definitions have schema {version}, this Heedful knows up to {SCHEMA_VERSION}: "
                "use a newer one"
            )

    def current(self, kind: str, name: str) -> Definition | None:
        with self._reading() as connection:
            last = _last(connection, kind, name)
        return None if last is None or last.deleted else last

    def list(self, kind: str) -> Sequence[Definition]:
        query = select(_DEFINITIONS).join(
            _CURRENT,
            (_DEFINITIONS.c.kind == _CURRENT.c.kind)
            & (_DEFINITIONS.c.name == _CURRENT.c.name)
            & (_DEFINITIONS.c.version == _CURRENT.c.version),
        )
        with self._reading() as connection:
            found = map(_definition, connection.execute(query.where(_DEFINITIONS.c.kind == kind)).all())
            # Sorted here: databases order text by their own locale.
            return sorted((one for one in found if not one.deleted), key=lambda one: one.name)

    def versions(
        self, kind: str, name: str, *, before: int | None = None, limit: int = 100
    ) -> Sequence[Definition]:
        query = _of(kind, name).order_by(_DEFINITIONS.c.version.desc()).limit(limit)
        if before is not None:
            query = query.where(_DEFINITIONS.c.version < before)
        with self._reading() as connection:
            return [*map(_definition, connection.execute(query).all())]

    def version(self, kind: str, name: str, version: int) -> Definition | None:
        with self._reading() as connection:
            row = connection.execute(_of(kind, name).where(_DEFINITIONS.c.version == version)).first()
        return None if row is None else _definition(row)

    def put(self, draft: Draft, *, expected: int | None = None, tell: Heard | None = None) -> Definition:
        with self._writing() as connection:
            last = _last(connection, draft.kind, draft.name)
            check_expected(last, expected, draft.name)
            made = Definition(
                draft.kind, draft.name, 1 if last is None else last.version + 1, draft.body, draft.author,
                draft.at, draft.note,
            )  # fmt: skip
            connection.execute(
                insert(_DEFINITIONS).values(
                    kind=made.kind, name=made.name, version=made.version, body=made.body,
                    author=made.author, created=made.created, note=made.note,
                )
            )  # fmt: skip
            here = (_CURRENT.c.kind == made.kind) & (_CURRENT.c.name == made.name)
            if last is None:
                connection.execute(
                    insert(_CURRENT).values(kind=made.kind, name=made.name, version=made.version)
                )
            else:
                connection.execute(update(_CURRENT).where(here).values(version=made.version))
            connection.execute(
                insert(_AUDIT).values(
                    at=draft.at, author=draft.author, action=draft.action, kind=draft.kind, name=draft.name,
                    before=0 if last is None or last.deleted else last.version, after=made.version,
                    note=draft.note,
                )
            )  # fmt: skip
            if tell is not None:
                tell(None if last is None or last.deleted else last, made)
        self._seen = None
        return made

    def audit(self, kind: str, name: str, *, limit: int = 100) -> Sequence[Change]:
        mine = (_AUDIT.c.kind == kind) & (_AUDIT.c.name == name)
        query = select(_AUDIT).where(mine).order_by(_AUDIT.c.number.desc()).limit(limit)
        with self._reading() as connection:
            return [Change(*row) for row in connection.execute(query).all()]

    def revision(self) -> int:
        with self._reading() as connection:
            # SQLite says without a query over tables whether another connection has written since.
            mark = int(connection.exec_driver_sql("PRAGMA data_version").scalar_one()) if self._sqlite else 0
            if self._sqlite and self._seen is not None and self._seen[0] == mark:
                return self._seen[1]
            revision = int(connection.scalar(select(func.max(_AUDIT.c.number))) or 0)
        self._seen = (mark, revision)
        return revision

    def close(self) -> None:
        self._engine.dispose()

    def _reading(self) -> AbstractContextManager[Connection]:
        return reading(self._engine, _WHAT)

    def _writing(self) -> AbstractContextManager[Connection]:
        return writing(self._engine, _WHAT)


def sqlite_records(path: Path) -> DatabaseRecords:
    """The definitions in the SQLite file `path`, made now, mode 0600, if it is not there.

    Raises SettingsError (no such folder, not ours), Corrupt (no database), RecordsUnavailable.
    """
    engine = open_sqlite(path)
    try:
        return DatabaseRecords(engine)
    except RecordsUnavailable as error:
        engine.dispose()
        if isinstance(error.__cause__, DatabaseError) and "not a database" in str(error.__cause__):
            raise Corrupt(f"{path} is not a database") from error
        raise


def _of(kind: str, name: str) -> Any:
    return select(_DEFINITIONS).where(_DEFINITIONS.c.kind == kind, _DEFINITIONS.c.name == name)


def _last(connection: Connection, kind: str, name: str) -> Definition | None:
    here = select(_CURRENT.c.version).where(_CURRENT.c.kind == kind, _CURRENT.c.name == name)
    row = connection.execute(_of(kind, name).where(_DEFINITIONS.c.version == here.scalar_subquery())).first()
    return None if row is None else _definition(row)


def _definition(row: Row[Any]) -> Definition:
    return Definition(row.kind, row.name, row.version, row.body, row.author, row.created, row.note)
