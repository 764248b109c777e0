"""The state of a data folder: its settings, its records, and a fold that is brought to the end of its log."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec

from heedful.log.claims import Claims
from heedful.log.codec import decode
from heedful.log.log import Bodies, LogReader
from heedful.privacy.judge import Rules
from heedful.records.records import Records
from heedful.services import remember
from heedful.services.remember import Snapshots
from heedful.services.verify import catch_up
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.views.trends import HORIZONS
from heedful.vocabulary.errors import SettingsError
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import MINUTE

Progress = Callable[[str, int, int], None]
"""Told of long work at the start: what, how much is done, how much there is."""


def read_settings(folder: Path) -> Settings:
    """`settings.toml` in the data folder, or the defaults. Raises SettingsError, naming what is wrong."""
    file = folder / "settings.toml"
    if not file.exists():
        return Settings()
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Settings)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from error


def catch_up_from_snapshot(
    fold: Fold, log: LogReader, snapshots: Snapshots | None, progress: Progress | None, *, erased: int = 0
) -> int:
    """Bring an empty fold to the end of its log: newest good snapshot, then the tail.

    erased: the last forgetting whose purge was begun in the log: what older snapshots hold of that person could
    not be taken out any more. Returns how many records the snapshot held.
    """
    if snapshots is not None:
        remember.load(fold, snapshots, end=log.end(), erased=erased)
    total, begun = sum(log.end().offsets), sum(fold.cursor.offsets)

    def told(count: int) -> None:
        if progress is not None:
            progress("folding the log", begun + count, total)

    catch_up(fold, log, progress=told)
    for horizon in HORIZONS:
        fold.trends.top(horizon, 1)  # so that the first question does not wait for every item's score
    return begun


def empty_fold(bodies: Bodies, claims: Claims, pseudonyms: Pseudonyms, settings: Settings) -> Fold:
    """A fold that has seen nothing, of what `settings` mean."""
    return Fold(
        pseudonyms=pseudonyms,
        claims=claims,
        bodies=bodies,
        decode=decode,
        meanings=settings.kinds,
        idle=int(settings.idle_minutes * MINUTE),
        catalogue_required=settings.catalogue.required,
        judge=Rules(settings.privacy),
    )


def records_of(folder: Path) -> Records:
    """The records of a data folder, made now if they are missing."""
    from heedful.records.database import sqlite_records  # who works in memory does not pay for the import

    return sqlite_records(folder / "records.sqlite3")
