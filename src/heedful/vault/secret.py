"""The secret of one data folder: 32 random bytes from which everything keyed is made.

Made once, on the first start. Without it no pseudonym can be computed again, so a file that is missing,
readable by others or of another size is refused and never replaced.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from heedful.vocabulary.errors import SettingsError

SIZE = 32


def installation_secret(path: Path, *, create: bool = True) -> bytes:
    """The 32 bytes in `path`; made now, mode 0600, if there is no such file and `create` is True.

    Raises SettingsError if the file is missing and must not be made, is not a plain file, may be read or
    written by group or others, does not hold exactly 32 bytes, or cannot be read or written.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        if not create:
            raise SettingsError(
                f"{path} is missing. The data beside it cannot be used without it: restore it from a backup"
            ) from None
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    try:
        _make(path)
        return _read(path)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)  # of what was opened, not of what the name means by then
        if not stat.S_ISREG(status.st_mode):
            raise SettingsError(f"{path} is not a plain file")
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise SettingsError(f"others may read {path}; run: chmod 600 {path}")
        content = file.read(SIZE + 1)
    if len(content) != SIZE:
        raise SettingsError(f"{path} does not hold {SIZE} bytes: restore it from a backup")
    return content


def _make(path: Path) -> None:
    """A whole file appears under the name or none does: a start that was cut off leaves no half a secret."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)  # whatever the umask says
            file.write(secrets.token_bytes(SIZE))
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(fresh, path)  # refuses if another start was faster; then its secret counts
        except FileExistsError:
            return
    finally:
        fresh.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
