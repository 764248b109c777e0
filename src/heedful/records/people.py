"""People who may log in, each with one role.

There is nobody at first and no password that comes with the program: the operator adds the first person at a
terminal. Only argon2id hashes are kept, in a file of mode 0600 that several processes may share.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import msgspec

from heedful.records import passwords
from heedful.records.shared_file import SharedFile
from heedful.vocabulary.access import GRANTS, Role, Scope
from heedful.vocabulary.errors import Conflict, Corrupt, Invalid, NotFound, SettingsError
from heedful.vocabulary.time import Clock, SystemClock, iso

_NAME = re.compile(r"[\w.@+-]{1,100}")


class Person(msgspec.Struct, frozen=True):
    """Somebody who may log in.

    id: 12 hexadecimal digits; stays when everything else changes. name: what they log in with.
    hash: of the password, never shown. created: RFC 3339 in UTC.
    turn: grows with every new role or password; sessions of an earlier turn are over.
    """

    id: str
    name: str
    role: Role
    hash: str
    created: str
    turn: int = 1

    @property
    def allowed(self) -> frozenset[Scope]:
        """What their role lets them do."""
        return GRANTS[self.role]

    def told(self) -> dict[str, object]:
        """What may be shown, and what an audit digests: everything but the hash."""
        return {
            "id": self.id, "name": self.name, "role": self.role.value, "created": self.created,
            "turn": self.turn,
        }  # fmt: skip


class _File(msgspec.Struct, frozen=True):
    version: int
    people: tuple[Person, ...]


class People:
    """The people of one data folder."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        """Read `path`; a missing file means nobody yet.

        Raises SettingsError if others may read the file, Corrupt if it is not what we write.
        """
        self._clock = clock or SystemClock()
        self._file = SharedFile(path, _File, _File(1, ()), "people", _check_version)

    def list(self) -> Sequence[Person]:
        """Everybody, oldest first."""
        self._file.look()
        return self._file.content.people

    def find(self, person_id: str) -> Person | None:
        """The person with this id, or None."""
        if self._file.due():
            self._file.look()
        return next((one for one in self._file.content.people if one.id == person_id), None)

    def check(self, name: str, password: str) -> Person | None:
        """The person who has this name and password, or None.

        Takes as long for an unknown name as for a known one: about 20 ms of CPU and 19 MiB, so call it beside
        the event loop, few at a time, and behind `records.logins`.
        """
        self._file.look()
        wanted = _folded(name)
        found = next((one for one in self._file.content.people if _folded(one.name) == wanted), None)
        right = passwords.matches(passwords.nobodys() if found is None else found.hash, password)
        if found is None or not right:
            return None
        if passwords.stale(found.hash):
            return self._renewed(found, password)
        return found

    def add(self, name: str, role: Role, password: str) -> Person:
        """Let somebody in. Raises Invalid (`name_invalid`, `password_refused`), Conflict for a name in use."""
        name = unicodedata.normalize("NFKC", name)
        if not _NAME.fullmatch(name):
            raise Invalid(
                "name_invalid", "a name is 1 to 100 letters, digits or any of . @ + - _", path="name"
            )
        passwords.check(password, name)
        person = Person(secrets.token_hex(6), name, role, passwords.hashed(password), iso(self._clock.now()))
        with self._file.changing():
            people = self._file.content.people
            if any(_folded(one.name) == _folded(name) for one in people):
                raise Conflict(f"there is somebody called {name} already")
            self._file.save(_File(1, (*people, person)))
        return person

    def set_role(self, name: str, role: Role) -> tuple[Person, Person]:
        """Give somebody another role; they must log in again. Returns them before and after. Raises NotFound."""
        return self._change(name, role=role)

    def reset(self, name: str, password: str) -> tuple[Person, Person]:
        """Give somebody another password; their sessions are over. Returns them before and after.

        Raises NotFound, Invalid (`password_refused`).
        """
        passwords.check(password, name)
        return self._change(name, hash=passwords.hashed(password))

    def remove(self, name: str) -> Person:
        """Let somebody in no more, at once here and within a second elsewhere. Raises NotFound."""
        with self._file.changing():
            gone = self._named(name)
            rest = tuple(one for one in self._file.content.people if one is not gone)
            self._file.save(_File(1, rest))
        return gone

    def _change(self, name: str, **changed: object) -> tuple[Person, Person]:
        with self._file.changing():
            before = self._named(name)
            after = msgspec.structs.replace(before, turn=before.turn + 1, **changed)
            self._put(before, after)
        return before, after

    def _renewed(self, person: Person, password: str) -> Person:
        """The same password under today's parameters. A file that cannot be written keeps nobody out."""
        try:
            with self._file.changing():
                if person not in self._file.content.people:
                    return person
                renewed = msgspec.structs.replace(person, hash=passwords.hashed(password))
                self._put(person, renewed)
                return renewed
        except (SettingsError, Corrupt):
            return person

    def _put(self, before: Person, after: Person) -> None:
        people = self._file.content.people
        self._file.save(_File(1, tuple(after if one == before else one for one in people)))

    def _named(self, name: str) -> Person:
        wanted = _folded(name)
        for one in self._file.content.people:
            if _folded(one.name) == wanted:
                return one
        raise NotFound(f"there is nobody called {name}")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _check_version(file: _File) -> None:
    if file.version != 1:
        raise Corrupt(f"the file of people has version {file.version}; this program reads version 1")
