"""A ledger: entries that are only ever added, each sealed with the hash of the one before.

What an entry's hash covers is its chain's name, number, time, key, the hash of its body and the hash before it
(SHA-256, each part with its length, so that no two entries have the same bytes under it). Who changes, takes out,
puts in or swaps an entry breaks the chain at that place. Who cuts the end off, or writes it anew with hashes that
fit, is found by a head that was exported before: it names a number and the hash that stood there, signed. What
comes after the last exported head is only as safe as the file: export heads often, to where nobody can reach who
can write the file.

The log is the truth; a ledger is the proof of what was decided on it. An entry has a key (the id of the event that
it comes from), and adding a key again changes nothing, so that the ledger can be brought up to the log after a
crash. Bodies enter the hash by their own hash, so that one day a body can be taken out and the chain still holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Row,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    select,
)

from heedful.records.canonical import canonical as canonical  # noqa: PLC0414 - others read it from here
from heedful.records.signing import Signer
from heedful.records.sqlite import open_sqlite, reading, writing
from heedful.vocabulary.errors import Conflict, Corrupt, RecordsUnavailable
from heedful.vocabulary.time import Instant

BEGINNING = bytes(32)
"""The hash before the first entry."""

_WHAT = "the ledger"
_PAGE = 1_000
_SCHEMA = MetaData()
_ENTRIES = Table(
    "ledger",
    _SCHEMA,
    Column("chain", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("prev", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("chain", "number"),
    UniqueConstraint("chain", "key"),
)


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One line. number: from 1, without gaps. body: canonical JSON. prev, hash: 32 bytes."""

    chain: str
    number: int
    at: Instant
    key: str
    body: bytes
    prev: bytes
    hash: bytes

    def sealed(self) -> bytes:
        """The hash that this entry must have."""
        parts = (
            self.chain.encode(),
            self.number.to_bytes(8, "big", signed=True),
            self.at.to_bytes(8, "big", signed=True),
            self.key.encode(),
            sha256(self.body).digest(),
            self.prev,
        )
        return sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


class Draft(msgspec.Struct, frozen=True, gc=False):
    """What somebody wants to add. key: at most 200 characters, its own in the chain. body: JSON-like."""

    key: str
    at: Instant
    body: Any


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a chain at a moment, to be kept elsewhere. number 0: an empty chain.

    hash, signature: hexadecimal.
    """

    chain: str
    number: int
    hash: str
    at: Instant
    algorithm: str
    key_id: str
    signature: str = ""

    def message(self) -> bytes:
        """What is signed: everything but the signature."""
        return canonical(msgspec.structs.replace(self, signature=""))


class Flaw(msgspec.Struct, frozen=True):
    """The first bad entry of a chain: its number as it must be, and what is wrong, in a word and for people."""

    number: int
    code: str
    message: str


def follow(last: Entry | None, chain: str, draft: Draft) -> Entry:
    """The entry that `draft` makes after `last`."""
    number, prev = (1, BEGINNING) if last is None else (last.number + 1, last.hash)
    entry = Entry(chain, number, draft.at, draft.key, canonical(draft.body), prev, b"")
    return msgspec.structs.replace(entry, hash=entry.sealed())


def sign_head(chain: str, last: Entry | None, at: Instant, signer: Signer) -> Head:
    """The signed head of a chain whose newest entry is `last`."""
    head = Head(
        chain=chain,
        number=0 if last is None else last.number,
        hash=(BEGINNING if last is None else last.hash).hex(),
        at=at,
        algorithm=signer.algorithm,
        key_id=signer.key_id,
    )
    return msgspec.structs.replace(head, signature=signer.sign(head.message()).hex())


def flaw_in(
    chain: str, entries: Iterable[Entry], heads: Sequence[Head] = (), signer: Signer | None = None
) -> Flaw | None:
    """The first thing that is wrong with `entries`, which should be all of `chain` in order; None for nothing.

    heads: exported earlier. Without any, an end that was cut off or written anew cannot be told. signer: to check
    the heads' signatures with; None leaves them unchecked.
    """
    for head in heads:
        if head.chain != chain:
            return Flaw(0, "head_foreign", f"the head is of the chain {head.chain!r}")
        if signer is not None and not _genuine(head, signer):
            return Flaw(head.number, "head_forged", "the signature of the head is not ours")
    expected = {head.number: head.hash for head in reversed(heads)}
    if expected.get(0, BEGINNING.hex()) != BEGINNING.hex():
        return Flaw(0, "head_differs", "the head of an empty chain names an entry")
    number, prev, keys = 0, BEGINNING, set()
    for entry in entries:
        number += 1
        flaw = _flaw(entry, chain, number, prev)
        if flaw is None and entry.key in keys:
            flaw = Flaw(number, "repeated", f"entry {number} has a key that stands before it")
        if flaw is None and expected.get(number, entry.hash.hex()) != entry.hash.hex():
            flaw = Flaw(number, "head_differs", f"entry {number} is not the one that was signed")
        if flaw is not None:
            return flaw
        keys.add(entry.key)
        prev = entry.hash
    missing = [head.number for head in heads if head.number > number]
    if missing:
        return Flaw(number + 1, "cut_off", f"entries {number + 1} to {max(missing)} are gone")
    return None


def _flaw(entry: Entry, chain: str, number: int, prev: bytes) -> Flaw | None:
    try:
        msgspec.convert(msgspec.structs.asdict(entry), Entry, strict=True)
    except msgspec.ValidationError:  # SQLite stores text in a column of bytes, if somebody puts it there
        return Flaw(number, "changed", f"entry {number} holds values of another kind than we write")
    if entry.chain != chain:
        return Flaw(number, "foreign", f"entry {number} is of another chain")
    if entry.number != number:
        return Flaw(number, "number", f"where entry {number} should be stands one numbered {entry.number}")
    if entry.prev != prev:
        return Flaw(number, "unlinked", f"entry {number} does not follow the one before it")
    if entry.sealed() != entry.hash:
        return Flaw(number, "changed", f"entry {number} is not what its hash says")
    return None


def _genuine(head: Head, signer: Signer) -> bool:
    try:
        signature = bytes.fromhex(head.signature)
    except ValueError:
        return False
    return (head.algorithm, head.key_id) == (signer.algorithm, signer.key_id) and signer.verifies(
        head.message(), signature
    )


class Ledger:
    """The chains in a database that `engine` connects to. One thread owns it; processes may share the file.

    Every method raises RecordsUnavailable when the database cannot be read or written.
    """

    def __init__(self, engine: Engine) -> None:
        """Make the schema where it is missing."""
        self._engine = engine
        with writing(engine, _WHAT) as connection:
            _SCHEMA.create_all(connection)

    def append(self, chain: str, drafts: Sequence[Draft]) -> list[Entry]:
        """Add entries, in order and all or none; durable on return. A key that is there gives its entry.

        Raises Conflict where a key is there with another body, and TypeError on a body that is no plain JSON.
        """
        made = []
        with writing(self._engine, _WHAT) as connection:
            last = _last(connection, chain)
            for draft in drafts:
                known = _keyed(connection, chain, draft.key)
                if known is None:
                    known = last = follow(last, chain, draft)
                    connection.execute(insert(_ENTRIES).values(**msgspec.structs.asdict(known)))
                elif known.body != canonical(draft.body):
                    raise Conflict(f"the ledger {chain} has {draft.key!r} already, and says something else")
                made.append(known)
        return made

    def get(self, chain: str, key: str) -> Entry | None:
        """The entry under a key, or None."""
        with reading(self._engine, _WHAT) as connection:
            return _keyed(connection, chain, key)

    def entries(self, chain: str, *, after: int = 0) -> Iterator[Entry]:
        """Every entry with a number above `after`, in order, read in pages."""
        while True:
            mine = (_ENTRIES.c.chain == chain) & (_ENTRIES.c.number > after)
            query = select(_ENTRIES).where(mine).order_by(_ENTRIES.c.number).limit(_PAGE)
            with reading(self._engine, _WHAT) as connection:
                page = [_entry(row) for row in connection.execute(query).all()]
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].number

    def keys(self, chain: str) -> list[str]:
        """The keys of all entries, in order."""
        query = select(_ENTRIES.c.key).where(_ENTRIES.c.chain == chain).order_by(_ENTRIES.c.number)
        with reading(self._engine, _WHAT) as connection:
            return list(connection.scalars(query))

    def head(self, chain: str, at: Instant, signer: Signer) -> Head:
        """The signed head of a chain as it stands, to be exported."""
        with reading(self._engine, _WHAT) as connection:
            last = _last(connection, chain)
        return sign_head(chain, last, at, signer)

    def verify(self, chain: str, heads: Sequence[Head] = (), signer: Signer | None = None) -> Flaw | None:
        """The first thing that is wrong with a chain: `flaw_in` over what is stored."""
        return flaw_in(chain, self.entries(chain), heads, signer)

    def count(self, chain: str) -> int:
        """How many entries a chain has."""
        query = select(func.count()).select_from(_ENTRIES).where(_ENTRIES.c.chain == chain)
        with reading(self._engine, _WHAT) as connection:
            return int(connection.scalar(query) or 0)

    def close(self) -> None:
        """Let go. Doing it twice is harmless."""
        self._engine.dispose()


def sqlite_ledger(path: Path) -> Ledger:
    """The ledger in the SQLite file `path`, made now, mode 0600, if it is not there.

    Raises SettingsError (no such folder, not ours), Corrupt (no database), RecordsUnavailable.
    """
    engine = open_sqlite(path)
    try:
        return Ledger(engine)
    except RecordsUnavailable as error:
        engine.dispose()
        if "not a database" in str(error):
            raise Corrupt(f"{path} is not a database") from error
        raise


def _last(connection: Connection, chain: str) -> Entry | None:
    mine = _ENTRIES.c.chain == chain
    row = connection.execute(select(_ENTRIES).where(mine).order_by(_ENTRIES.c.number.desc()).limit(1)).first()
    return None if row is None else _entry(row)


def _keyed(connection: Connection, chain: str, key: str) -> Entry | None:
    here = (_ENTRIES.c.chain == chain) & (_ENTRIES.c.key == key)
    row = connection.execute(select(_ENTRIES).where(here)).first()
    return None if row is None else _entry(row)


def _entry(row: Row[Any]) -> Entry:
    return Entry(row.chain, row.number, Instant(row.at), row.key, row.body, row.prev, row.hash)
