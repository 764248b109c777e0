"""API keys: who may write, and who may ask.

Only SHA-256 hashes are kept. That is enough for a random key of 192 bits, which nobody can search for
(ASVS 6.5.2 asks for 112); keys brought from outside must pass `records.strength`. The file stands in the
data folder, mode 0600, and is replaced whole. Several processes may share it: a key that one revokes stops
working in the others within a second.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import msgspec

from heedful.records.durable import PRIVATE, replace_file
from heedful.records.strength import LONGEST, impossibility, weakness
from heedful.vocabulary.errors import Corrupt, NotFound, SettingsError
from heedful.vocabulary.time import Clock, SystemClock, iso

RANDOM_BITS = 192
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LENGTH = 33  # 62**33 > 2**192
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}")
_LOOK_AGAIN = 1.0  # seconds between looks at the file


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
    """

    id: str
    kind: KeyKind
    hash: str
    shown: str
    label: str
    created: str
    revoked: str = ""
    guessable: bool = False

    @property
    def source(self) -> str:
        """The source of events sent with this key."""
        return self.label


class _File(msgspec.Struct, frozen=True):
    version: int
    keys: tuple[Key, ...]


class Keys:
    """The keys of one data folder."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        """Read `path`; a missing file means no keys yet.

        Raises SettingsError if others may read the file, Corrupt if it is not what we write.
        """
        self._path = path
        self._clock = clock or SystemClock()
        self._keys: tuple[Key, ...] = ()
        self._live: dict[bytes, tuple[bytes, Key]] = {}
        self._seen: tuple[int, int, int] | None = None
        self._next_look = 0.0
        self._load()

    def check(self, presented: str) -> Key | None:
        """The working key that `presented` is, or None. Takes as long for a near miss as for a far one."""
        if time.monotonic() >= self._next_look:
            self._look()
        if len(presented) > LONGEST:
            return None
        digest = hashlib.sha256(presented.encode("utf-8", "replace")).digest()
        # The table is searched by a part of the hash, which tells nobody anything about a key.
        found = self._live.get(digest[:8])
        if found is None or not hmac.compare_digest(found[0], digest):
            return None
        return found[1]

    def create(self, kind: KeyKind, label: str = "") -> str:
        """Make a key and return it. This is the only time that it can be seen.

        Raises SettingsError if the label is not 1 to 40 letters, digits, spaces, dots, dashes, underscores.
        """
        number = secrets.randbits(RANDOM_BITS)
        digits = [""] * _LENGTH
        for place in range(_LENGTH - 1, -1, -1):
            number, digit = divmod(number, 62)
            digits[place] = _DIGITS[digit]
        raw = _PREFIX[kind] + "".join(digits)
        with self._changing():
            self._add(kind, label, raw)
        return raw

    def adopt(self, kind: KeyKind, raw: str, label: str = "") -> Key:
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
        with self._changing():
            known = next((key for key in self._keys if key.hash == digest), None)
            if known is None:
                return self._add(kind, label, raw)
        if known.kind is not kind:
            raise SettingsError(
                f"the {kind} key given is the {known.kind} key: a write key is public, so they must differ"
            )
        if known.revoked:
            raise SettingsError(f"the {kind} key given ({known.shown}) was revoked; give another")
        return known

    def list(self) -> Sequence[Key]:
        """Every key, revoked ones too, oldest first."""
        self._look()
        return self._keys

    def revoke(self, key_id: str) -> Key:
        """Stop a key from working, at once here and within a second elsewhere. Raises NotFound."""
        with self._changing():
            for place, key in enumerate(self._keys):
                if key.id == key_id and not key.revoked:
                    revoked = msgspec.structs.replace(key, revoked=iso(self._clock.now()))
                    self._save((*self._keys[:place], revoked, *self._keys[place + 1 :]))
                    return revoked
                if key.id == key_id:
                    return key
        raise NotFound(f"no key has the id {key_id}")

    def _add(self, kind: KeyKind, label: str, raw: str) -> Key:
        label = label or kind.value
        if not _LABEL.fullmatch(label):
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
        )
        self._save((*self._keys, key))
        return key

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Alone with the file, and with its newest content."""
        lock = self._path.with_name(f".{self._path.name}.lock")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.fdopen(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, PRIVATE), "wb")
        except OSError as error:
            raise SettingsError(f"cannot write beside {self._path}: {error.strerror}") from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._load()
            yield

    def _save(self, keys: tuple[Key, ...]) -> None:
        content = msgspec.json.format(msgspec.json.encode(_File(1, keys)), indent=2)
        try:
            replace_file(self._path, content + b"\n")
        except OSError as error:
            raise SettingsError(f"cannot write {self._path}: {error.strerror}") from error
        self._load()

    def _look(self) -> None:
        """Take over what another process wrote. While the file cannot be read, what we know goes on."""
        self._next_look = time.monotonic() + _LOOK_AGAIN
        try:
            if self._mark() != self._seen:
                self._load()
        except (SettingsError, Corrupt):
            return

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SettingsError(f"cannot read {self._path}: {error.strerror}") from error
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise SettingsError(f"others may read {self._path}; run: chmod 600 {self._path}")
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _load(self) -> None:
        mark = self._mark()
        if mark is None:
            self._take((), None)
            return
        try:
            file = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except OSError as error:
            raise SettingsError(f"cannot read {self._path}: {error.strerror}") from error
        except (msgspec.MsgspecError, ValueError) as error:
            raise Corrupt(f"{self._path} is not a file of keys: {error}") from error
        if file.version != 1:
            raise Corrupt(f"{self._path} has version {file.version}; this program reads version 1")
        self._take(file.keys, mark)

    def _take(self, keys: tuple[Key, ...], mark: tuple[int, int, int] | None) -> None:
        try:
            live = {bytes.fromhex(key.hash): key for key in keys if not key.revoked}
        except ValueError as error:
            raise Corrupt(f"{self._path} holds a hash that is not hexadecimal") from error
        self._live = {digest[:8]: (digest, key) for digest, key in live.items()}
        self._keys, self._seen = keys, mark
