"""A disk under SQLite that loses what was not synced, tears and reorders writes, fails a sync, or runs full.

A VFS of SQLite in Python (apsw). It writes through to real files but never syncs them; beside them it keeps
what a power cut would leave: for each file the bytes of its last sync and the operations since, of which a
cut keeps any part.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any

import apsw

SECTOR = 512
Operation = tuple[int, bytes | None]
"""A write of bytes at an offset, or a truncation to a length."""


class Disk(apsw.VFS):
    """The VFS named `name`; `fault` says what befalls the `at`-th operation (from 1) that it concerns.

    fault: `cut` (the power fails at any write, truncation, deletion or sync, and nothing works any more),
      `eio` (a sync fails) or `full` (a write finds no space, and so do all until `space` is True). Never if
      `at` is 0.
    """

    def __init__(self, name: str, fault: str, at: int) -> None:
        super().__init__(name, "unix")
        self.name, self.fault, self.at = name, fault, at
        self.count = 0
        self.happened = False
        self.space = True
        self.synced: dict[str, bytes] = {}
        self.pending: dict[str, list[Operation]] = defaultdict(list)
        self.deleted: set[str] = set()

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return DiskFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self.before("delete")
        super().xDelete(filename, syncdir)
        if syncdir:
            self.synced.pop(filename, None)
        elif filename in self.synced:
            self.deleted.add(filename)
        self.pending.pop(filename, None)

    def excepthook(self, *_: Any) -> bool:
        """SQLite goes on after some failures, and there is nobody to raise them to."""
        return True

    def before(self, operation: str) -> None:
        """Count an operation, and let the fault happen."""
        if self.fault == "cut" and self.happened:
            raise apsw.IOError("the power is off")
        if not {"cut": True, "eio": operation == "sync", "full": operation == "write"}[self.fault]:
            return
        self.count += 1
        if self.count == self.at:
            self.happened, self.space = True, self.fault != "full"
            if self.fault == "cut":
                raise apsw.IOError("the power fails")
            if self.fault == "eio":
                error = apsw.IOError("the sync fails")
                error.extendedresult = apsw.SQLITE_IOERR_FSYNC  # type: ignore[attr-defined]  # apsw reads it
                raise error
        if self.fault == "full" and not self.space:
            raise apsw.FullError("no space left")

    def left_after_a_cut(self, seed: int, folder: Path) -> None:
        """Write to `folder` what a power cut now could leave; another `seed`, another chance."""
        random = Random(seed)
        for filename in {*self.synced, *self.pending}:
            if filename in self.deleted and random.random() < 0.5:
                continue
            if filename not in self.synced and random.random() < 0.5:
                continue
            content = bytearray(self.synced.get(filename, b""))
            share = random.choice([0.0, 0.3, 0.7, 1.0])
            for place, data in self.pending.get(filename, []):
                if data is None:
                    if random.random() < share:
                        del content[place:]
                    continue
                for start in range(0, len(data), SECTOR):
                    if random.random() < share:
                        piece = data[start : start + SECTOR]
                        content.extend(bytes(max(0, place + start + len(piece) - len(content))))
                        content[place + start : place + start + len(piece)] = piece
            (folder / Path(filename).name).write_bytes(content)


class DiskFile(apsw.VFSFile):
    """A file on the disk."""

    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self.disk = disk
        self.filename = name.filename() if isinstance(name, apsw.URIFilename) else str(name)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self.disk.before("write")
        super().xWrite(data, offset)
        self.disk.pending[self.filename].append((offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self.disk.before("truncate")
        super().xTruncate(newsize)
        self.disk.pending[self.filename].append((newsize, None))

    def xSync(self, flags: int) -> None:  # noqa: N802
        self.disk.before("sync")
        self.disk.synced[self.filename] = Path(self.filename).read_bytes()
        self.disk.pending[self.filename].clear()
        self.disk.deleted.discard(self.filename)

    def excepthook(self, *_: Any) -> bool:
        """As for the disk."""
        return True
