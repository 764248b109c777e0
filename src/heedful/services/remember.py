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


class Held(NamedTuple):
    """A snapshot: the last forgetting that was taken out of it, and the epoch in which it is sealed."""

    name: str
    erased: int
    epoch: int


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
    content = chunks(fold.key(), fold.cursor.offsets, fold.floor, fold.state(), erased=fold.erased)
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


def held(where: Snapshots) -> list[Held]:
    """Every snapshot that can be opened and read, the newest last. Raises KeyUnavailable."""
    found = []
    for name in where.folder.names(_PREFIX):
        sealed_in = epoch_of(where.folder, name)
        with suppress(Corrupt, KeyDestroyed, OSError), where.folder.where(name).open("rb") as file:
            opened = io.BufferedReader(where.files.open(file, name.encode()), CHUNK)
            found.append(Held(name, header_from(opened, name)[0].erased, sealed_in or 0))
    return found


def newest(where: Snapshots, *, epoch: int = 0) -> int:
    """The last forgetting that was taken out of a snapshot sealed in `epoch` or later, -1 without one."""
    return max((one.erased for one in held(where) if one.epoch >= epoch), default=-1)


def before(number: int, where: Snapshots) -> int:
    """How many snapshots are from before the forgetting of that number."""
    return sum(one.erased < number for one in held(where))


def destroy_before(number: int, where: Snapshots, *, epoch: int = 0) -> int:
    """Delete every snapshot from before the forgetting of that number, or sealed before `epoch`, and make their
    copies elsewhere unreadable for ever; returns how many were here. What cannot be read goes too: nobody can say
    whom it holds. Killed at any moment, do it again. Raises KeyUnavailable."""
    good = {one.name for one in held(where) if one.erased >= number and one.epoch >= epoch}
    gone = [name for name in where.folder.names(_PREFIX) if name not in good]
    for name in gone:
        where.folder.delete(name)
    where.files.destroy_before(epoch)
    return len(gone)


def load(fold: Fold, where: Snapshots, *, end: Cursor, erased: int = 0) -> str | None:
    """Bring an empty `fold` to its newest good snapshot; returns its name, or None when there is none.

    end: how far the log goes; a snapshot beyond it is of another log and is left alone. erased: the forgetting
    from which on a snapshot is good: what older ones hold cannot be taken out any more. Raises KeyUnavailable.
    """
    for name in reversed(where.folder.names(_PREFIX)):
        try:
            with where.folder.where(name).open("rb") as file:
                opened = io.BufferedReader(where.files.open(file, name.encode()), CHUNK)
                header, _ = header_from(opened, name)
                if header.key != fold.key():
                    _log.info("snapshot_of_other_settings", name=name)
                    continue
                if header.erased < erased:
                    _log.warning("snapshot_from_before_a_forgetting", name=name)
                    continue
                if not end.covers(Cursor(header.cursor)):
                    _log.warning("snapshot_beyond_the_log", name=name)
                    continue
                opened.seek(0)
                header, arrays = read_from(opened, name)
            fold.restore(Cursor(header.cursor), Instant(header.floor), arrays)
            fold.erased = header.erased
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
