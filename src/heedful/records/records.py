"""Definitions that people write: placements, and later experiments, segments and surveys.

A definition is a name of some kind with a body of JSON. Every change appends a version and a line of the audit;
nothing is overwritten, so what was in force at any time can be read and brought back. Deleting appends a version
without a body.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import msgspec

from heedful.vocabulary.errors import Conflict
from heedful.vocabulary.time import Instant

ANY = -1
"""`expected`: whatever is there, as long as something is."""

Action = Literal["put", "delete", "rollback"]


class Definition(msgspec.Struct, frozen=True):
    """One version. version: from 1, counted per (kind, name) and never used again.

    body: JSON; b"" where this version says that there is no such thing any more.
    author: who made it, in words for people. note: why.
    """

    kind: str
    name: str
    version: int
    body: bytes
    author: str
    created: Instant
    note: str = ""

    @property
    def deleted(self) -> bool:
        return not self.body


class Change(msgspec.Struct, frozen=True):
    """One line of the audit: who did what to which definition. before: the version that was current, or 0."""

    number: int
    at: Instant
    author: str
    action: Action
    kind: str
    name: str
    before: int
    after: int
    note: str


class Draft(msgspec.Struct, frozen=True):
    """A change that somebody wants. action `delete` has no body."""

    kind: str
    name: str
    body: bytes
    author: str
    at: Instant
    note: str = ""
    action: Action = "put"


Heard = Callable[[Definition | None, Definition], object]
"""Told what was current and what will be, just before a change is made. If it raises, nothing is changed."""


class Records(Protocol):
    """The store. One thread owns it; several processes may share what is behind it.

    Every method raises RecordsUnavailable when what is behind it cannot be read or written.
    """

    def current(self, kind: str, name: str) -> Definition | None:
        """The last version; None where there is none or the last one says deleted."""

    def list(self, kind: str) -> Sequence[Definition]:
        """The current definitions of a kind, by name."""

    def versions(
        self, kind: str, name: str, *, before: int | None = None, limit: int = 100
    ) -> Sequence[Definition]:
        """The newest versions below `before`, newest first, deletions too."""

    def version(self, kind: str, name: str, version: int) -> Definition | None:
        """One version, or None."""

    def put(self, draft: Draft, *, expected: int | None = None, tell: Heard | None = None) -> Definition:
        """Append a version and make it current; durable on return.

        tell: heard first; if it raises, nothing is done.

        expected: the version that must be current, 0 for none, ANY for some; None takes whatever is there.
        Raises Conflict when something else is current; then nothing was changed.
        """

    def audit(self, kind: str, name: str, *, limit: int = 100) -> Sequence[Change]:
        """The newest changes of one definition, newest first."""

    def revision(self) -> int:
        """A number that grows with every change, whoever made it. Cheap enough to ask every second."""

    def close(self) -> None:
        """Let go. Doing it twice is harmless."""


def check_expected(last: Definition | None, expected: int | None, name: str) -> None:
    """Raise Conflict unless `last`, the newest version if any, is what `expected` names."""
    standing = 0 if last is None or last.deleted else last.version
    if expected is None or expected == standing or (expected == ANY and standing):
        return
    there = f"version {standing} is in force" if standing else "there is none"
    wanted = {0: "there should be none", ANY: "there should be one"}.get(expected, f"not version {expected}")
    raise Conflict(f"{name}: {there}, {wanted}. Read it again, and send your change for what is there now")
