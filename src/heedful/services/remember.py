"""Keep the fold's state in files, so that a second start is fast. The log stays the truth: a snapshot that is
missing, damaged or of other settings costs time and nothing else."""

from __future__ import annotations

import structlog

from heedful.log.cursor import Cursor
from heedful.objects.folder import Folder
from heedful.views.fold import Fold
from heedful.views.snapshot import chunks, read, read_header
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.time import Instant

KEEP = 2
_PREFIX = "fold-"

_log = structlog.get_logger(__name__)


def take(fold: Fold, folder: Folder) -> str:
    """Write a snapshot of `fold` and drop all but the newest two; returns its name. Raises OSError."""
    place = sum(fold.cursor.offsets)
    name = f"{_PREFIX}{place:020d}"
    folder.put(name, chunks(fold.key(), fold.cursor.offsets, fold.floor, fold.state(), erased=fold.erased))
    for old in folder.names(_PREFIX)[:-KEEP]:
        folder.delete(old)
    return name


def erased(folder: Folder) -> list[int]:
    """Of each snapshot that can be read, the last forgetting that was taken out of it; the newest last."""
    found = []
    for name in folder.names(_PREFIX):
        try:
            found.append(read_header(folder.where(name))[0].erased)
        except (Corrupt, OSError):
            continue
    return found


def oldest(folder: Folder) -> int | None:
    """The least of `erased`, None without snapshots."""
    return min(erased(folder), default=None)


def newest(folder: Folder) -> int:
    """The greatest of `erased`, -1 without snapshots."""
    return max(erased(folder), default=-1)


def before(number: int, folder: Folder) -> int:
    """How many snapshots are from before the forgetting of that number."""
    return sum(one < number for one in erased(folder))


def destroy_before(number: int, folder: Folder) -> int:
    """Delete every snapshot from before the forgetting of that number; returns how many. What cannot be read goes
    too: nobody can say whom it holds."""
    gone = 0
    for name in folder.names(_PREFIX):
        try:
            old = read_header(folder.where(name))[0].erased < number
        except (Corrupt, OSError):
            old = True
        if old:
            folder.delete(name)
            gone += 1
    return gone


def load(fold: Fold, folder: Folder, *, end: Cursor, erased: int = 0) -> str | None:
    """Bring an empty `fold` to its newest good snapshot; returns its name, or None when there is none.

    end: how far the log goes; a snapshot beyond it is of another log and is left alone. erased: the forgetting
    from which on a snapshot is good: what older ones hold cannot be taken out any more.
    """
    for name in reversed(folder.names(_PREFIX)):
        try:
            header, _ = read_header(folder.where(name))
            if header.key != fold.key():
                _log.info("snapshot_of_other_settings", name=name)
                continue
            if header.erased < erased:
                _log.warning("snapshot_from_before_a_forgetting", name=name)
                continue
            if not end.covers(Cursor(header.cursor)):
                _log.warning("snapshot_beyond_the_log", name=name)
                continue
            header, arrays = read(folder.where(name))
            fold.restore(Cursor(header.cursor), Instant(header.floor), arrays)
            fold.erased = header.erased
        except (Corrupt, OSError) as error:
            _log.warning("snapshot_unusable", name=name, why=str(error))
            continue
        return name
    return None
