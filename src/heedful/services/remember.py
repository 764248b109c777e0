"""Keep the fold's state in files, so that a second start is fast. The log stays the truth: a snapshot that is
missing, damaged, closed for good or of other settings costs time and nothing else.

A snapshot holds everybody, so it is sealed under the key of an epoch that ends soon (`vault.sealed_files`).
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import NamedTuple

import structlog

from heedful.log.cursor import Cursor
from heedful.objects.folder import Folder
from heedful.vault.sealed_files import CHUNK, SealedFiles, generation_of
from heedful.views.fold import Fold
from heedful.views.snapshot import chunks, header_from, read_from
from heedful.vocabulary.errors import Corrupt, KeyDestroyed
from heedful.vocabulary.time import Instant

KEEP = 2
_PREFIX = "fold-"
_START = 32
"""Bytes that tell whether a file is sealed, and in which epoch."""

_log = structlog.get_logger(__name__)


class Snapshots(NamedTuple):
    """Where snapshots lie, and what seals them."""

    folder: Folder
    files: SealedFiles


def take(fold: Fold, where: Snapshots, *, epoch: int | None = None) -> str:
    """Write a snapshot of `fold`, drop all but the newest two and end the epochs before theirs; returns its name.

    epoch: `where.files.epoch()` of before the first record was read, for a fold that does not hear of a forgetting
    meanwhile: its snapshot then ends with that epoch. Raises OSError, KeyUnavailable, KeyDestroyed.
    """
    place = sum(fold.cursor.offsets)
    name = f"{_PREFIX}{place:020d}"
    content = chunks(fold.key(), fold.cursor.offsets, fold.floor, fold.state())
    where.folder.put(name, where.files.seal(content, name.encode(), epoch=epoch))
    epochs = []
    for number, old in enumerate(reversed(where.folder.names(_PREFIX))):
        sealed_in = epoch_of(where.folder, old)
        if number >= KEEP or sealed_in is None:
            where.folder.delete(old)
        else:
            epochs.append(sealed_in)
    where.files.destroy_before(min(epochs))
    return name


def replace(fold: Fold, where: Snapshots) -> str:
    """Begin a new epoch with a snapshot of `fold` as it stands, and make every older one unreadable for ever,
    also its copies elsewhere. For a forgetting, once every view has given the person back. Returns its name.

    Killed at any moment, do it again. Raises OSError, KeyUnavailable.
    """
    epoch = where.files.turn()
    name = take(fold, where)
    for old in where.folder.names(_PREFIX):
        if old != name:
            where.folder.delete(old)
    where.files.destroy_before(epoch)
    return name


def load(fold: Fold, where: Snapshots, *, end: Cursor) -> str | None:
    """Bring an empty `fold` to its newest good snapshot; returns its name, or None when there is none.

    end: how far the log goes; a snapshot beyond it is of another log and is left alone. Raises KeyUnavailable.
    """
    for name in reversed(where.folder.names(_PREFIX)):
        try:
            with where.folder.where(name).open("rb") as file:
                opened = io.BufferedReader(where.files.open(file, name.encode()), CHUNK)
                header, _ = header_from(opened, name)
                if header.key != fold.key():
                    _log.info("snapshot_of_other_settings", name=name)
                    continue
                if not end.covers(Cursor(header.cursor)):
                    _log.warning("snapshot_beyond_the_log", name=name)
                    continue
                opened.seek(0)
                header, arrays = read_from(opened, name)
            fold.restore(Cursor(header.cursor), Instant(header.floor), arrays)
        except (Corrupt, KeyDestroyed, OSError) as error:
            _log.warning("snapshot_unusable", name=name, why=str(error))
            continue
        return name
    return None


def epoch_of(folder: Folder, name: str) -> int | None:
    """The epoch in which a file is sealed; None for one that is gone, or in the clear from an earlier version."""
    with suppress(Corrupt, FileNotFoundError), folder.where(name).open("rb") as file:
        return generation_of(file.read(_START))
    return None
