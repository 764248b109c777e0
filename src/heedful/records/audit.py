"""Who changed what in the administration, in a chain that shows every later change to it.

An entry holds digests of what was before and after, never the thing itself, so no secret and no personal value
stands in it. The chain is one of `records.ledger`, in a file of its own: taking out, adding, swapping or altering
an entry breaks it there, and a cut-off end shows against a signed head that was kept elsewhere.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from heedful.records.shared_file import Tell
from heedful.vocabulary.time import Clock, Instant, SystemClock, iso

if TYPE_CHECKING:
    from heedful.records.ledger import Entry, Flaw, Head, Ledger
    from heedful.records.signing import Signer

CHAIN = "audit"
"""The chain's name in the ledger."""
FILE = "audit.sqlite3"
TERMINAL = "terminal"
"""Who works at a command line of this machine."""


class Act(msgspec.Struct, frozen=True):
    """What an entry says. actor: who did it, as `person:3f2a90c1d4e5`, `key:3f2a90c1d4e5` or `terminal`.

    action: a noun and a verb, as `key.revoke`. object: what it was done to, as `key:3f2a90c1d4e5`.
    before, after: SHA-256 digests (`digest`) of its state, "" where there was none.
    """

    actor: str
    action: str
    object: str
    before: str = ""
    after: str = ""


class AuditEntry(msgspec.Struct, frozen=True):
    """One entry as it is shown. number: from 1, without gaps. at: RFC 3339 in UTC.

    previous, hash: of the chain, 64 hexadecimal digits; what `hash` covers stands in `records.ledger`. The rest is
    `Act`'s; an entry whose body cannot be read has the action `unreadable`.
    """

    number: int
    at: str
    actor: str
    action: str
    object: str
    before: str
    after: str
    previous: str
    hash: str


class Audit:
    """Writes acts into a ledger, and reads them. open_: makes the ledger when it is first needed."""

    def __init__(self, open_: Callable[[], Ledger], clock: Clock) -> None:
        self._open = open_
        self._clock = clock
        self._ledger: Ledger | None = None

    @property
    def ledger(self) -> Ledger:
        """The ledger behind it. Raises SettingsError, Corrupt, RecordsUnavailable if it cannot be opened."""
        if self._ledger is None:
            self._ledger = self._open()
        return self._ledger

    def tell(
        self, actor: str, action: str, object_: str, *, before: object = None, after: object = None
    ) -> Entry:
        """Keep one act, durably. `before` and `after` are anything that is JSON to msgspec.

        Raises RecordsUnavailable: an act that cannot be kept must not be done, so tell of it first.
        """
        from heedful.records.ledger import Draft  # who only looks at keys does not pay for a database

        act = Act(plain(actor), plain(action), plain(object_), digest(before), digest(after))
        (entry,) = self.ledger.append(CHAIN, [Draft(secrets.token_hex(16), self._clock.now(), act)])
        return entry

    def of(self, actor: str, action: str) -> Tell:
        """What the stores of `records` are given, to tell of a change before they make it."""

        def tell(object_: str, before: object, after: object) -> None:
            self.tell(actor, action, object_, before=before, after=after)

        return tell

    def entries(self, *, after: int = 0, limit: int) -> Sequence[AuditEntry]:
        """At most `limit` entries with a number above `after`, oldest first. Raises RecordsUnavailable."""
        return [_shown(entry) for entry in islice(self.ledger.entries(CHAIN, after=after), limit)]

    def last(self) -> AuditEntry | None:
        """The newest entry, or None. Raises RecordsUnavailable."""
        entry = self.ledger.last(CHAIN)
        return None if entry is None else _shown(entry)

    def head(self, signer: Signer) -> Head:
        """The signed end of the chain as it stands, to be kept elsewhere. Raises RecordsUnavailable."""
        return self.ledger.head(CHAIN, self._clock.now(), signer)

    def verify(self, heads: Sequence[Head] = (), signer: Signer | None = None) -> Flaw | None:
        """The first thing that is wrong with the chain, or None: `records.ledger.flaw_in`."""
        return self.ledger.verify(CHAIN, heads, signer)

    def close(self) -> None:
        """Let go of the file. Doing it twice is harmless."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None


def audit_of(folder: Path, clock: Clock | None = None) -> Audit:
    """The audit of a data folder, in `audit.sqlite3` there, which is made with the first entry."""

    def opened() -> Ledger:
        from heedful.records.ledger import sqlite_ledger

        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return sqlite_ledger(folder / FILE)

    return Audit(opened, clock or SystemClock())


def digest(value: object) -> str:
    """SHA-256 of `value` as JSON with sorted keys, in hexadecimal; "" of None."""
    if value is None:
        return ""
    return sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def plain(text: str) -> str:
    """`text` without control characters, at most 200 characters: one entry is one line wherever it is shown."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])


def _shown(entry: Entry) -> AuditEntry:
    try:
        act = msgspec.json.decode(entry.body, type=Act)
    except (msgspec.MsgspecError, ValueError, TypeError):
        act = Act("", "unreadable", "")
    try:
        at, previous, hash_ = iso(Instant(entry.at)), entry.prev.hex(), entry.hash.hex()
    except (OverflowError, TypeError, AttributeError):  # somebody wrote into the file; `verify` says where
        at, previous, hash_ = "", "", ""
    return AuditEntry(
        entry.number, at, act.actor, act.action, act.object, act.before, act.after, previous, hash_
    )
