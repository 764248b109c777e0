"""API keys: who may write, and who may ask.

Only SHA-256 hashes are kept. That is enough for a random key of 192 bits, which nobody can search for
(ASVS 6.5.2 asks for 112); keys brought from outside must pass `records.strength`. The file stands in the
data folder, mode 0600, and is replaced whole. Several processes may share it: a key that one revokes stops
working in the others within a second.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from heedful.records.last_use import LastUse
from heedful.records.shared_file import SharedFile, Tell
from heedful.records.strength import LONGEST, impossibility, weakness
from heedful.vocabulary.access import ALL_SCOPES, PUBLIC_SCOPES, Scope
from heedful.vocabulary.errors import Corrupt, NotFound, SettingsError
from heedful.vocabulary.time import Clock, SystemClock, iso

RANDOM_BITS = 192
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LENGTH = 33  # 62**33 > 2**192
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}")
_ORIGIN = re.compile(r"https?://([a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?")
_PLAIN, _RESTRICTED = 1, 2
"""Versions of the file. A program that does not know restrictions must not read a file that has some."""


class KeyKind(StrEnum):
    """What a key is for. A write key is public: it stands in web pages. A secret key is for servers."""

    WRITE = "write"
    SECRET = "secret"  # noqa: S105 (a kind, not a secret)


_PREFIX = {KeyKind.WRITE: "pk_", KeyKind.SECRET: "sk_"}


class Key(msgspec.Struct, frozen=True, omit_defaults=True):
    """One key, without the key itself.

    id: names it in lists and for revoking; 12 hexadecimal digits.
    hash: SHA-256 of the key, hexadecimal.
    shown: the prefix and the last four characters.
    label: where it is used. Events sent with it have the label as their source, so a successor with the
        same label goes on recognising repeats.
    created, revoked: RFC 3339 in UTC; revoked is "" while it works.
    guessable: whether it is too easy to guess to be used where other machines reach the server.
    scopes: what a secret key may do, by name; None is everything, as for every key made before there were
        scopes. A name that we do not know is kept and allows nothing.
    origins: the web origins, exactly, that browsers may use it from; none named is any.
    per_minute: most requests a minute; 0 is as many as the server's own limits let through.
    """

    id: str
    kind: KeyKind
    hash: str
    shown: str
    label: str
    created: str
    revoked: str = ""
    guessable: bool = False
    scopes: tuple[str, ...] | None = None
    origins: tuple[str, ...] = ()
    per_minute: int = 0

    @property
    def restricted(self) -> bool:
        """Whether it may do less than every key of its kind could before there were restrictions."""
        return self.scopes is not None or bool(self.origins) or self.per_minute > 0

    @property
    def allowed(self) -> frozenset[Scope]:
        """What it may do."""
        if self.kind is KeyKind.WRITE:
            return PUBLIC_SCOPES
        if self.scopes is None:
            return ALL_SCOPES
        return frozenset(scope for scope in ALL_SCOPES if scope in self.scopes)

    def told(self) -> dict[str, object]:
        """What may be shown, and what an audit digests: everything but the hash."""
        shown: dict[str, object] = {
            name: getattr(self, name) for name in self.__struct_fields__ if name != "hash"
        }
        return {**shown, "scopes": tuple(sorted(self.allowed))}

    @property
    def source(self) -> str:
        """The source of events sent with this key."""
        return self.label


class _File(msgspec.Struct, frozen=True):
    version: int
    keys: tuple[Key, ...]


class Restrictions(msgspec.Struct, frozen=True):
    """What a new key may not do. The fields are those of `Key`."""

    scopes: tuple[Scope, ...] | None = None
    origins: tuple[str, ...] = ()
    per_minute: int = 0


UNRESTRICTED = Restrictions()


class Keys:
    """The keys of one data folder. origins: all that working keys name."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        """Read `path`; a missing file means no keys yet.

        Raises SettingsError if others may read the file, Corrupt if it is not what we write.
        """
        self._clock = clock or SystemClock()
        self._live: dict[bytes, tuple[bytes, Key]] = {}
        self.origins: frozenset[str] = frozenset()
        self._uses = LastUse(path.with_name(f"{path.stem}-used.json"), self._clock)
        self._file = SharedFile(path, _File, _File(_PLAIN, ()), "keys", self._take)

    def check(self, presented: str) -> Key | None:
        """The working key that `presented` is, or None. Takes as long for a near miss as for a far one."""
        if self._file.due():
            self._file.look()
            self._uses.settle()
        if len(presented) > LONGEST:
            return None
        digest = hashlib.sha256(presented.encode("utf-8", "replace")).digest()
        # The table is searched by a part of the hash, which tells nobody anything about a key.
        found = self._live.get(digest[:8])
        if found is None or not hmac.compare_digest(found[0], digest):
            return None
        self._uses.note(found[1].id)
        return found[1]

    def last_used(self, key_id: str) -> str:
        """The hour in which `check` last found this key, RFC 3339 in UTC; "" if it never did."""
        return self._uses.of(key_id)

    def create(self, kind: KeyKind, label: str = "", limits: Restrictions = UNRESTRICTED) -> str:
        """Make a key and return it, as `make` does."""
        return self.make(kind, label, limits)[0]

    def make(
        self, kind: KeyKind, label: str = "", limits: Restrictions = UNRESTRICTED, tell: Tell | None = None
    ) -> tuple[str, Key]:
        """Make a key; returns it and what is kept of it. This is the only time that it can be seen.

        Raises SettingsError if the label is not 1 to 40 letters, digits, spaces, dots, dashes, underscores, or
        if the restrictions are not what they must be: scopes for secret keys only, origins as browsers send them.
        """
        _check(kind, limits)
        number = secrets.randbits(RANDOM_BITS)
        digits = [""] * _LENGTH
        for place in range(_LENGTH - 1, -1, -1):
            number, digit = divmod(number, 62)
            digits[place] = _DIGITS[digit]
        raw = _PREFIX[kind] + "".join(digits)
        with self._file.changing():
            return raw, self._add(kind, label, raw, limits, tell)

    def adopt(self, kind: KeyKind, raw: str, label: str = "", tell: Tell | None = None) -> Key:
        """Take a key that the operator brings. Doing it twice is harmless.

        One that is easy to guess is taken for trying things on this machine and marked so.
        Raises SettingsError if it cannot be a key or is a well-known one, is known under the other kind, or
        was revoked.
        """
        wrong = impossibility(raw)
        if wrong is not None:
            raise SettingsError(
                f"the {kind} key given {wrong}; leave it out and `heedful keys create --kind {kind}` makes "
                f"one, or give 32 or more random characters, as from `openssl rand -hex 24`"
            )
        digest = hashlib.sha256(raw.encode()).hexdigest()
        with self._file.changing():
            known = next((key for key in self._file.content.keys if key.hash == digest), None)
            if known is None:
                return self._add(kind, label, raw, tell=tell)
        if known.kind is not kind:
            raise SettingsError(
                f"the {kind} key given is the {known.kind} key: a write key is public, so they must differ"
            )
        if known.revoked:
            raise SettingsError(f"the {kind} key given ({known.shown}) was revoked; give another")
        return known

    def list(self) -> Sequence[Key]:
        """Every key, revoked ones too, oldest first."""
        self._file.look()
        return self._file.content.keys

    def revoke(self, key_id: str, tell: Tell | None = None) -> Key:
        """Stop a key from working, at once here and within a second elsewhere. Raises NotFound."""
        with self._file.changing():
            for place, key in enumerate(self._file.content.keys):
                if key.id == key_id and not key.revoked:
                    revoked = msgspec.structs.replace(key, revoked=iso(self._clock.now()))
                    keys = self._file.content.keys
                    self._save((*keys[:place], revoked, *keys[place + 1 :]), tell, key, revoked)
                    return revoked
                if key.id == key_id:
                    return key
        raise NotFound(f"no key has the id {key_id}")

    def _add(
        self,
        kind: KeyKind,
        label: str,
        raw: str,
        limits: Restrictions = UNRESTRICTED,
        tell: Tell | None = None,
    ) -> Key:
        label = label or kind.value
        if not LABEL.fullmatch(label):
            raise SettingsError("a label is 1 to 40 letters, digits, spaces, dots, dashes or underscores")
        prefix = _PREFIX[kind] if raw.startswith(_PREFIX[kind]) else ""
        key = Key(
            id=secrets.token_hex(6),
            kind=kind,
            hash=hashlib.sha256(raw.encode()).hexdigest(),
            shown=f"{prefix}…{raw[-4:]}",
            label=label,
            created=iso(self._clock.now()),
            guessable=weakness(raw) is not None,
            scopes=None if limits.scopes is None else tuple(sorted(set(limits.scopes))),
            origins=limits.origins,
            per_minute=limits.per_minute,
        )
        self._save((*self._file.content.keys, key), tell, None, key)
        return key

    def _save(self, keys: tuple[Key, ...], tell: Tell | None, before: Key | None, after: Key) -> None:
        version = _RESTRICTED if any(key.restricted for key in keys) else _PLAIN
        was = None if before is None else before.told()
        self._file.tell_and_save(tell, f"key:{after.id}", was, after.told(), _File(version, keys))

    def _take(self, file: _File) -> None:
        if file.version not in (_PLAIN, _RESTRICTED):
            raise Corrupt(
                f"the file of keys has version {file.version}; this program reads up to {_RESTRICTED}"
            )
        try:
            live = {bytes.fromhex(key.hash): key for key in file.keys if not key.revoked}
        except ValueError as error:
            raise Corrupt("the file of keys holds a hash that is not hexadecimal") from error
        self._live = {digest[:8]: (digest, key) for digest, key in live.items()}
        self.origins = frozenset(origin for key in live.values() for origin in key.origins)


def origin_problem(origins: Iterable[str]) -> str | None:
    """Which of `origins` is not one as browsers send it, as the end of a sentence; None if all are."""
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            return (
                f"{origin!r} is not an origin as a browser sends it: scheme, host and port, in lower case and "
                "with nothing after them, as `https://shop.example`"
            )
    return None


def _check(kind: KeyKind, limits: Restrictions) -> None:
    if limits.scopes is not None and kind is KeyKind.WRITE:
        raise SettingsError("a write key is public and may only send events: scopes are for secret keys")
    if limits.scopes is not None and not limits.scopes:
        raise SettingsError("a key without any scope could do nothing")
    wrong = origin_problem(limits.origins)
    if wrong is not None:
        raise SettingsError(wrong)
    if limits.per_minute < 0:
        raise SettingsError("a limit is a number of requests a minute, or 0 for none")
