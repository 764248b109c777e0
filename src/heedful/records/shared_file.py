"""A small file that several processes share: read whole, replaced whole, changed by one at a time.

Keys, people, sessions and verification keys are kept so: some dozens of entries, mode 0600, in the data folder.
What one process writes another sees within a second.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from heedful.records.durable import PRIVATE, replace_file
from heedful.vocabulary.errors import Corrupt, SettingsError

T = TypeVar("T")

Tell = Callable[[str, object, object], object]
"""Told of a change just before it is saved: of what, and what is before and after (no secret, no personal value).
If it raises, nothing is changed."""

LOOK_AGAIN = 1.0
"""Seconds between looks at the file."""


class SharedFile(Generic[T]):
    """The content of `path`, which is of the msgspec type `shape`, and `empty` while there is no file.

    taken: told every content that is taken over, the first one too; may raise Corrupt to refuse it.
    """

    def __init__(
        self, path: Path, shape: type[T], empty: T, what: str, taken: Callable[[T], None] | None = None
    ) -> None:
        """Read it. Raises SettingsError if others may read the file, Corrupt if it is not what we write."""
        self.path = path
        self._decoder = msgspec.json.Decoder(shape)
        self._empty = empty
        self._what = what
        self._taken = taken
        self._seen: tuple[int, int, int] | None = None
        self._next_look = 0.0
        self.content = empty
        self.load()

    def due(self) -> bool:
        """Whether the last look is a second ago."""
        return time.monotonic() >= self._next_look

    def look(self) -> None:
        """Take over what another process wrote. While the file cannot be read, what we know goes on."""
        self._next_look = time.monotonic() + LOOK_AGAIN
        try:
            if self._mark() != self._seen:
                self.load()
        except (SettingsError, Corrupt):
            return

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Alone with the file, and with its newest content. Raises SettingsError, Corrupt."""
        lock = self.path.with_name(f".{self.path.name}.lock")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.fdopen(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, PRIVATE), "wb")
        except OSError as error:
            raise SettingsError(f"cannot write beside {self.path}: {error.strerror}") from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.load()
            yield

    def tell_and_save(self, tell: Tell | None, what: str, before: object, after: object, content: T) -> None:
        """Tell of a change, then make it. Raises SettingsError, and what `tell` raises."""
        if tell is not None:
            tell(what, before, after)
        self.save(content)

    def save(self, content: T) -> None:
        """Replace the content; durable on return. Inside `changing`. Raises SettingsError."""
        text = msgspec.json.format(msgspec.json.encode(content), indent=2)
        try:
            replace_file(self.path, text + b"\n")
        except OSError as error:
            raise SettingsError(f"cannot write {self.path}: {error.strerror}") from error
        self.load()

    def load(self) -> None:
        """Read the file, whether it changed or not. Raises SettingsError, Corrupt; then nothing is taken over."""
        mark = self._mark()
        content = self._empty if mark is None else self._read()
        if self._taken is not None:
            self._taken(content)
        self.content, self._seen = content, mark

    def _read(self) -> T:
        try:
            return self._decoder.decode(self.path.read_bytes())
        except OSError as error:
            raise SettingsError(f"cannot read {self.path}: {error.strerror}") from error
        except (msgspec.MsgspecError, ValueError) as error:
            raise Corrupt(f"{self.path} is not a file of {self._what}: {error}") from error

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SettingsError(f"cannot read {self.path}: {error.strerror}") from error
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise SettingsError(f"others may read {self.path}; run: chmod 600 {self.path}")
        return status.st_ino, status.st_mtime_ns, status.st_size
