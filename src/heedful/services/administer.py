"""What administrators do, from a page or a terminal alike: every change is told to the audit before it is made.

`actor` is who does it, as the audit names them: `person:ID`, `key:ID` or `terminal`. Several processes may work on
one folder; what one changes the others see within a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from heedful.records import passwords
from heedful.records.audit import TERMINAL, Audit, audit_of
from heedful.records.keys import UNRESTRICTED, Key, KeyKind, Keys, Restrictions
from heedful.records.people import People, Person
from heedful.records.sessions import Sessions
from heedful.records.signing import Signer, signer
from heedful.records.subject_keys import SubjectKey, SubjectKeys, SubjectTokens
from heedful.records.tickets import Tickets
from heedful.vault.anonymous import AnonymousIds
from heedful.vault.secret import installation_secret
from heedful.vocabulary.access import Role
from heedful.vocabulary.access_settings import AccessSettings
from heedful.vocabulary.errors import NotFound
from heedful.vocabulary.time import Clock, SystemClock

if TYPE_CHECKING:
    from heedful.records.ledger import Flaw, Head

__all__ = ["TERMINAL", "Administer", "new_password"]


class Administer:
    """The accounts of one data folder: keys, people, sessions, verification keys, and the audit of them all.

    Each file is opened when it is first asked for. keys, audit: to share with others of this process.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock | None = None,
        *,
        settings: AccessSettings | None = None,
        keys: Keys | None = None,
        audit: Audit | None = None,
    ) -> None:
        self.folder = folder
        self._clock = clock or SystemClock()
        self._settings = settings or AccessSettings()
        self.audit = audit or audit_of(folder, self._clock)
        if keys is not None:
            self.keys = keys

    @cached_property
    def keys(self) -> Keys:
        return Keys(self.folder / "keys.json", self._clock)

    @cached_property
    def people(self) -> People:
        return People(self.folder / "people.json", self._clock)

    @cached_property
    def sessions(self) -> Sessions:
        return Sessions(self.folder / "sessions.json", self.people, self._clock)

    @cached_property
    def subject_keys(self) -> SubjectKeys:
        return SubjectKeys(self.folder / "subject-keys.json", self._clock)

    @cached_property
    def tokens(self) -> SubjectTokens:
        """Checks subject tokens."""
        leeway = self._settings.leeway_seconds
        return SubjectTokens(self.subject_keys, self._clock, audience=self._settings.audience, leeway=leeway)

    @cached_property
    def anonymous(self) -> AnonymousIds:
        """Gives and checks anonymous ids. Raises SettingsError where the folder's secret is missing."""
        return AnonymousIds(self._secret)

    @cached_property
    def signer(self) -> Signer:
        """Signs heads of the audit. Raises SettingsError where the folder's secret is missing."""
        return signer(self._secret, "audit")

    @cached_property
    def tickets(self) -> Tickets:
        """Gives and reads tickets. Raises SettingsError where the folder's secret is missing."""
        return Tickets(self._secret)

    @cached_property
    def _secret(self) -> bytes:
        return installation_secret(self.folder / "pseudonym.key", create=False)

    def close(self) -> None:
        """Let go of the audit's file."""
        self.audit.close()

    # Keys

    def create_key(
        self, actor: str, kind: KeyKind, label: str = "", limits: Restrictions = UNRESTRICTED
    ) -> tuple[str, Key]:
        """Make a key; returns it, for this once, and what is kept of it. Raises SettingsError."""
        return self.keys.make(kind, label, limits, self.audit.of(actor, "key.create"))

    def adopt_key(self, actor: str, kind: KeyKind, raw: str, label: str = "") -> Key:
        """Take a key that the operator brings. Raises SettingsError."""
        return self.keys.adopt(kind, raw, label, self.audit.of(actor, "key.adopt"))

    def revoke_key(self, actor: str, key_id: str) -> Key:
        """Stop a key from working. Raises NotFound."""
        return self.keys.revoke(key_id, self.audit.of(actor, "key.revoke"))

    # People. A hash is one that `passwords.prepared` made, which takes 20 ms: beside the event loop.

    def add_person(self, actor: str, name: str, role: Role, hash_: str) -> Person:
        """Let somebody in. Raises Invalid, Conflict."""
        return self.people.enter(name, role, hash_, self.audit.of(actor, "person.add"))

    def set_role(self, actor: str, name: str, role: Role) -> Person:
        """Give somebody another role; they must log in again. Raises NotFound."""
        return self.people.set_role(name, role, self.audit.of(actor, "person.role"))[1]

    def set_password(self, actor: str, name: str, hash_: str) -> tuple[Person, int]:
        """Give somebody another password; returns them and how many sessions are over. Raises NotFound."""
        _, after = self.people.replace(name, hash_, self.audit.of(actor, "person.password"))
        return after, self.end_sessions(actor, after.id)

    def remove_person(self, actor: str, name: str) -> Person:
        """Let somebody in no more. Raises NotFound."""
        gone = self.people.remove(name, self.audit.of(actor, "person.remove"))
        self.end_sessions(actor, gone.id)
        return gone

    def person(self, person_id: str) -> Person:
        """The person with this id. Raises NotFound."""
        found = next((one for one in self.people.list() if one.id == person_id), None)
        if found is None:
            raise NotFound("there is nobody with this id")
        return found

    # Sessions

    def log_in(self, person: Person, replacing: str = "") -> str:
        """Begin a session for who has proven their password; returns its id.

        replacing: as `Sessions.open` has it. Raises SettingsError, RecordsUnavailable.
        """
        return self.sessions.open(person, replacing, self.audit.of(_actor(person), "session.login"))

    def refuse(self, person: Person | None) -> None:
        """Note a login that failed. person: whose name was given; None where nobody has it."""
        whom = "person:unknown" if person is None else _actor(person)
        self.audit.tell("anybody", "session.refuse", whom)

    def log_out(self, person: Person, session: str) -> None:
        """End one session."""
        self.sessions.close(session, self.audit.of(_actor(person), "session.logout"))

    def end_sessions(self, actor: str, person_id: str) -> int:
        """End every session of somebody; returns how many there were."""
        return self.sessions.close_all(person_id, self.audit.of(actor, "session.end"))

    # Verification keys of subject tokens

    def create_token_key(self, actor: str, kid: str = "") -> tuple[str, str]:
        """Make a shared secret; returns its name and, for this once, the secret. Raises SettingsError."""
        return self.subject_keys.create(kid, self.audit.of(actor, "token.create"))

    def add_token_key(self, actor: str, pem: str, kid: str = "") -> SubjectKey:
        """Take a public key in PEM. Raises SettingsError."""
        return self.subject_keys.add(pem, kid, self.audit.of(actor, "token.add"))

    def remove_token_key(self, actor: str, kid: str) -> None:
        """Take no more tokens of this key. Raises NotFound."""
        self.subject_keys.remove(kid, self.audit.of(actor, "token.remove"))

    # The audit

    def audit_head(self) -> Head:
        """The signed end of the audit, to be kept elsewhere. Raises SettingsError, RecordsUnavailable."""
        return self.audit.head(self.signer)

    def audit_flaw(self, heads: Sequence[Head] = ()) -> Flaw | None:
        """What is wrong with the audit, or None. Opens the file for itself, so any thread may call it.

        heads: exported earlier; their signatures are checked. Raises SettingsError, Corrupt, RecordsUnavailable.
        """
        own = audit_of(self.folder, self._clock)
        try:
            return own.verify(heads, self.signer if heads else None)
        finally:
            own.close()


def new_password(password: str, name: str) -> str:
    """What is kept of a new password. Takes 20 ms. Raises Invalid (`password_refused`)."""
    return passwords.prepared(password, name)


def _actor(person: Person) -> str:
    return f"person:{person.id}"
