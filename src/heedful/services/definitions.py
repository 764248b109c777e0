"""Definitions of one kind: read, changed, brought back; and what is in force, kept in memory.

A question costs no query. A change made here holds for the next answer; one made by another process is noticed
within a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import msgspec

from heedful.records.audit import TERMINAL, Audit
from heedful.records.records import Action, Definition, Draft, Heard, Records
from heedful.vocabulary.errors import HeedfulError, Invalid, NotFound
from heedful.vocabulary.time import Clock

T = TypeVar("T")

MOST_NOTE = 1_000
_LOOK_AGAIN = 1.0
"""Seconds between looks for what other processes changed."""


class Definitions(Generic[T]):
    """The definitions of one kind. One thread owns it.

    read: a name and plain JSON to what they define; raises Invalid. made: grows whenever what is in force changes.
    unread: the names of what is in force and this program cannot read, because a later one wrote it.
    """

    def __init__(
        self,
        kind: str,
        read: Callable[[str, object], T],
        records: Records,
        clock: Clock,
        *,
        audit: Audit | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """audit: told of every change before it is made. ticks: seconds, for looking again."""
        self._kind = kind
        self._read = read
        self._records = records
        self._clock = clock
        self._audit = audit
        self._ticks = ticks
        self._next_look = 0.0
        self._revision = -1
        self._versions: Mapping[str, int] = {}
        self._standing: Mapping[str, T] = {}
        self.unread: frozenset[str] = frozenset()
        self.made = 0
        self.look()

    def standing(self) -> Mapping[str, T]:
        """What is in force, by name, as of at most a second ago."""
        if self._ticks() >= self._next_look:
            self.look()
        return self._standing

    def list(self) -> tuple[Definition, ...]:
        """Every definition, by name."""
        return tuple(self._records.list(self._kind))

    def get(self, name: str) -> Definition:
        """The version in force. Raises NotFound."""
        found = self._records.current(self._kind, name)
        if found is None:
            raise self._missing(name)
        return found

    def versions(self, name: str, *, before: int | None = None) -> tuple[Definition, ...]:
        """The newest 100 versions below `before`, newest first, deletions too. Raises NotFound if none was."""
        found = self._records.versions(self._kind, name, before=before)
        if not found and before is None:
            raise self._missing(name)
        return tuple(found)

    def version(self, name: str, version: int) -> Definition:
        """A version that defines something. Raises NotFound, Invalid if it deletes."""
        found = self._records.version(self._kind, name, version)
        if found is None:
            raise NotFound(f"the {self._kind} {name!r} has no version {version}")
        if found.deleted:
            raise Invalid(
                "request_invalid", f"version {version} is a deletion; delete instead", path="version"
            )
        return found

    def change(
        self,
        name: str,
        body: bytes,
        action: Action,
        *,
        author: str,
        note: str = "",
        expected: int | None = None,
        actor: str = "",
    ) -> Definition:
        """Append a version; durable and in force on return. body: what `read` takes, as JSON.

        expected: as `Records.put` has it. actor: how the audit names the author, `terminal` when left out.
        Raises Invalid, Conflict, RecordsUnavailable.
        """
        if len(note) > MOST_NOTE:
            raise Invalid("request_invalid", f"a note has at most {MOST_NOTE} characters", path="note")
        draft = Draft(self._kind, name, body, author, self._clock.now(), note, action)
        made = self._records.put(draft, expected=expected, tell=self._telling(actor or TERMINAL, action))
        self.look()
        return made

    def look(self) -> None:
        """Take over what changed, now. While the records cannot be read, what we know goes on."""
        self._next_look = self._ticks() + _LOOK_AGAIN
        try:
            revision = self._records.revision()
            if revision == self._revision:
                return
            found = self._records.list(self._kind)
        except HeedfulError:
            return
        self._revision = revision
        versions = {one.name: one.version for one in found}
        if versions == self._versions and self.made:
            return
        standing, unread = {}, set()
        for one in found:
            if one.name in self._standing and self._versions.get(one.name) == one.version:
                standing[one.name] = self._standing[one.name]
                continue
            try:
                standing[one.name] = self._read(one.name, msgspec.json.decode(one.body))
            except (Invalid, msgspec.DecodeError):
                unread.add(one.name)
        self._standing, self._versions, self.unread = standing, versions, frozenset(unread)
        self.made += 1

    def _telling(self, actor: str, action: Action) -> Heard | None:
        audit, kind = self._audit, self._kind
        if audit is None:
            return None

        def tell(before: Definition | None, after: Definition) -> None:
            audit.tell(
                actor,
                f"{kind}.{action}",
                f"{kind}:{after.name}",
                before=None if before is None else (before.version, before.body),
                after=(after.version, after.body),
            )

        return tell

    def _missing(self, name: str) -> NotFound:
        return NotFound(f"there is no {self._kind} {name!r}")
