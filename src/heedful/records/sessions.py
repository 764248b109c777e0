"""Sessions of people who logged in: the server remembers them, the browser holds only a random number.

256 random bits, of which only a SHA-256 hash is kept, so the file lets nobody in. A session ends after an hour
without a request, twelve hours after the login, when it is closed, and when its person gets another role or
password or is removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from pathlib import Path

import msgspec

from heedful.records.people import People, Person
from heedful.records.shared_file import SharedFile, Tell
from heedful.vocabulary.errors import Corrupt, SettingsError
from heedful.vocabulary.time import HOUR, MINUTE, Clock, Instant, SystemClock

IDLE = 1 * HOUR
ABSOLUTE = 12 * HOUR
COARSE = 5 * MINUTE
"""How exactly the last request is kept, so that the file is written rarely. Ends come at most this much early."""
MOST = 20
"""Most sessions of one person; the one that rested longest gives way."""

_LONGEST = 100


class Session(msgspec.Struct, frozen=True):
    """hash: SHA-256 of the id, hexadecimal. person, turn: whose, and of which turn of theirs.

    began, seen: microseconds; seen is coarse.
    """

    hash: str
    person: str
    turn: int
    began: Instant
    seen: Instant

    @property
    def name(self) -> str:
        """How an audit names it: part of the hash, which lets nobody in."""
        return f"session:{self.hash[:12]}"

    def kept(self) -> dict[str, object]:
        """What an audit digests."""
        return {"person": self.person, "turn": self.turn, "began": self.began}

    def over(self, now: Instant) -> bool:
        """Whether its time is up."""
        return now - self.seen >= IDLE or now - self.began >= ABSOLUTE or now < self.began - COARSE


class _File(msgspec.Struct, frozen=True):
    version: int
    sessions: tuple[Session, ...]


class Sessions:
    """The sessions of one data folder."""

    def __init__(self, path: Path, people: People, clock: Clock | None = None) -> None:
        """Read `path`; a missing file means that nobody is logged in. Raises SettingsError, Corrupt."""
        self._people = people
        self._clock = clock or SystemClock()
        self._by_hash: dict[str, Session] = {}
        self._file = SharedFile(path, _File, _File(1, ()), "sessions", self._take)

    def open(self, person: Person, replacing: str = "", tell: Tell | None = None) -> str:
        """Begin a session and return its id, which is shown only now.

        replacing: the id that the browser came with, if any; that session is over (a login never goes on under an
        id that stood before it). Raises SettingsError.
        """
        raw, now = secrets.token_urlsafe(32), self._clock.now()
        session = Session(_hash(raw), person.id, person.turn, now, now)
        old = _hash(replacing)
        with self._file.changing():
            others = [one for one in self._living(now) if one.hash != old]
            own = sorted((one for one in others if one.person == person.id), key=lambda one: one.seen)
            given_up = {one.hash for one in own[: max(0, len(own) - MOST + 1)]}
            kept = [*(one for one in others if one.hash not in given_up), session]
            self._save(kept, tell, session.name, after=session.kept())
        return raw

    def check(self, raw: str) -> Person | None:
        """Whose session this is, or None. Takes as long for a near miss as for a far one."""
        if self._file.due():
            self._file.look()
        if len(raw) > _LONGEST:
            return None
        # Searched by the hash, which tells nobody anything about an id.
        session = self._by_hash.get(_hash(raw))
        now = self._clock.now()
        if session is None or session.over(now):
            return None
        person = self._people.find(session.person)
        if person is None or person.turn != session.turn:
            return None
        if now - session.seen >= COARSE:
            self._touch(session.hash, now)
        return person

    def of(self, person_id: str) -> list[Session]:
        """The sessions of somebody, longest at rest first."""
        self._file.look()
        own = [one for one in self._living(self._clock.now()) if one.person == person_id]
        return sorted(own, key=lambda one: (one.seen, one.hash))

    def close(self, raw: str, tell: Tell | None = None) -> None:
        """End one session. Raises SettingsError."""
        gone = self._by_hash.get(_hash(raw))
        if gone is not None:
            with self._file.changing():
                rest = [one for one in self._living(self._clock.now()) if one.hash != gone.hash]
                self._save(rest, tell, gone.name, before=gone.kept())

    def close_all(self, person_id: str, tell: Tell | None = None) -> int:
        """End every session of somebody; returns how many there were. Raises SettingsError."""
        with self._file.changing():
            living = self._living(self._clock.now())
            rest = [one for one in living if one.person != person_id]
            gone = [one.kept() for one in living if one.person == person_id]
            if gone:
                self._save(rest, tell, f"person:{person_id}", before=gone)
        return len(gone)

    def _touch(self, hash_: str, now: Instant) -> None:
        with contextlib.suppress(SettingsError, Corrupt), self._file.changing():
            self._save([
                msgspec.structs.replace(one, seen=now) if one.hash == hash_ else one
                for one in self._living(now)
            ])  # fmt: skip

    def _living(self, now: Instant) -> list[Session]:
        return [one for one in self._file.content.sessions if not one.over(now)]

    def _save(
        self,
        sessions: list[Session],
        tell: Tell | None = None,
        what: str = "",
        *,
        before: object = None,
        after: object = None,
    ) -> None:
        self._file.tell_and_save(tell, what, before, after, _File(1, tuple(sessions)))

    def _take(self, file: _File) -> None:
        if file.version != 1:
            raise Corrupt(f"the file of sessions has version {file.version}; this program reads version 1")
        self._by_hash = {one.hash: one for one in file.sessions}


def _hash(raw: str) -> str:
    return hashlib.sha256(raw.encode("utf-8", "replace")).hexdigest()
