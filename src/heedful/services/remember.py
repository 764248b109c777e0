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
    folder.put(name, chunks(fold.key(), fold.cursor.offsets, fold.floor, fold.state()))
    for old in folder.names(_PREFIX)[:-KEEP]:
        folder.delete(old)
    return name


def load(fold: Fold, folder: Folder, *, end: Cursor) -> str | None:
    """Bring an empty `fold` to its newest good snapshot; returns its name, or None when there is none.

    end: how far the log goes; a snapshot beyond it is of another log and is left alone.
    """
    for name in reversed(folder.names(_PREFIX)):
        try:
            header, _ = read_header(folder.where(name))
            if header.key != fold.key():
                _log.info("snapshot_of_other_settings", name=name)
                continue
            if not end.covers(Cursor(header.cursor)):
                _log.warning("snapshot_beyond_the_log", name=name)
                continue
            header, arrays = read(folder.where(name))
            fold.restore(Cursor(header.cursor), Instant(header.floor), arrays)
        except (Corrupt, OSError) as error:
            _log.warning("snapshot_unusable", name=name, why=str(error))
            continue
        return name
    return None
