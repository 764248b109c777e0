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
from heedful.records.shared_file import SharedFile, Tell
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
        """What may be shown: everything but the hash."""
        return {
            "id": self.id, "name": self.name, "role": self.role.value, "created": self.created,
            "turn": self.turn,
        }  # fmt: skip

    def kept(self) -> dict[str, object]:
        """What an audit digests: what may be shown, without the name, which could be guessed from a digest."""
        return {"id": self.id, "role": self.role.value, "created": self.created, "turn": self.turn}


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

    def named(self, name: str) -> Person | None:
        """The person whom this name lets in, or None. Names are compared as `folded` writes them."""
        self._file.look()
        wanted = folded(name)
        return next((one for one in self._file.content.people if folded(one.name) == wanted), None)

    def check(self, name: str, password: str) -> Person | None:
        """The person who has this name and password, or None.

        Takes as long for an unknown name as for a known one: about 20 ms of CPU and 19 MiB, so call it beside
        the event loop, few at a time, and behind `records.logins`.
        """
        found = self.named(name)
        right = passwords.right(None if found is None else found.hash, password)
        return self.renewed(found, password) if found is not None and right else None

    def renewed(self, person: Person, password: str) -> Person:
        """Who has just proven this password, with a hash under today's parameters if theirs was older."""
        return self._renewed(person, password) if passwords.stale(person.hash) else person

    def add(self, name: str, role: Role, password: str, tell: Tell | None = None) -> Person:
        """Let somebody in. Raises Invalid (`name_invalid`, `password_refused`), Conflict for a name in use."""
        return self.enter(name, role, passwords.prepared(password, name), tell)

    def enter(self, name: str, role: Role, hash_: str, tell: Tell | None = None) -> Person:
        """The same with a hash that `passwords.prepared` made. Raises Invalid (`name_invalid`), Conflict."""
        name = unicodedata.normalize("NFKC", name)
        if not _NAME.fullmatch(name):
            raise Invalid(
                "name_invalid", "a name is 1 to 100 letters, digits or any of . @ + - _", path="name"
            )
        person = Person(secrets.token_hex(6), name, role, hash_, iso(self._clock.now()))
        with self._file.changing():
            people = self._file.content.people
            if any(folded(one.name) == folded(name) for one in people):
                raise Conflict(f"there is somebody called {name} already")
            file = _File(1, (*people, person))
            self._file.tell_and_save(tell, _named(person), None, person.kept(), file)
        return person

    def set_role(self, name: str, role: Role, tell: Tell | None = None) -> tuple[Person, Person]:
        """Give somebody another role; they must log in again. Returns them before and after. Raises NotFound."""
        return self._change(name, tell, role=role)

    def reset(self, name: str, password: str, tell: Tell | None = None) -> tuple[Person, Person]:
        """Give somebody another password; their sessions are over. Returns them before and after.

        Raises NotFound, Invalid (`password_refused`).
        """
        return self.replace(name, passwords.prepared(password, name), tell)

    def replace(self, name: str, hash_: str, tell: Tell | None = None) -> tuple[Person, Person]:
        """The same with a hash that `passwords.prepared` made. Raises NotFound."""
        return self._change(name, tell, hash=hash_)

    def remove(self, name: str, tell: Tell | None = None) -> Person:
        """Let somebody in no more, at once here and within a second elsewhere. Raises NotFound."""
        with self._file.changing():
            gone = self._known(name)
            rest = tuple(one for one in self._file.content.people if one is not gone)
            self._file.tell_and_save(tell, _named(gone), gone.kept(), None, _File(1, rest))
        return gone

    def _change(self, name: str, tell: Tell | None, **changed: object) -> tuple[Person, Person]:
        with self._file.changing():
            before = self._known(name)
            after = msgspec.structs.replace(before, turn=before.turn + 1, **changed)
            self._put(before, after, tell)
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

    def _put(self, before: Person, after: Person, tell: Tell | None = None) -> None:
        people = self._file.content.people
        file = _File(1, tuple(after if one == before else one for one in people))
        self._file.tell_and_save(tell, _named(after), before.kept(), after.kept(), file)

    def _known(self, name: str) -> Person:
        wanted = folded(name)
        for one in self._file.content.people:
            if folded(one.name) == wanted:
                return one
        raise NotFound(f"there is nobody called {name}")


def _named(person: Person) -> str:
    return f"person:{person.id}"


def folded(name: str) -> str:
    """The one form of a name: names that look alike to Unicode (NFKC) or differ in case are one."""
    return unicodedata.normalize("NFKC", name).casefold()


def _check_version(file: _File) -> None:
    if file.version != 1:
        raise Corrupt(f"the file of people has version {file.version}; this program reads version 1")
