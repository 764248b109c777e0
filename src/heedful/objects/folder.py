"""Files in a local folder, written so that a name either shows the whole new content or the old one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


class Folder:
    """Object storage for one machine. Names are plain file names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def put(self, name: str, chunks: Iterable[bytes | memoryview]) -> Path:
        """Write `chunks` under `name`, all or nothing: new file, sync, rename, sync of the folder.

        Raises OSError; then the old content, if any, still stands.
        """
        target = self.path / name
        draft = target.with_name(f".{name}.{os.getpid()}.draft")
        try:
            with draft.open("wb") as file:
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        folder = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return target

    def names(self, prefix: str = "") -> list[str]:
        """The names that start with `prefix`, ascending."""
        return sorted(
            entry.name for entry in self.path.iterdir() if entry.name.startswith(prefix) and entry.is_file()
        )

    def where(self, name: str) -> Path:
        """The file behind `name`, whether it exists or not."""
        return self.path / name

    def delete(self, name: str) -> None:
        """Remove `name`; nothing happens when it is not there."""
        (self.path / name).unlink(missing_ok=True)
