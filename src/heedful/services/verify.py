"""Prove that the state is what the log adds up to: fold from zero and compare digests, view by view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from heedful.log.log import LogReader
from heedful.views.fold import Fold

_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Verification:
    """Digests of the live state and of a fold from zero, by view."""

    live: dict[str, str]
    rebuilt: dict[str, str]
    events: int

    @property
    def agrees(self) -> bool:
        return self.live == self.rebuilt


def catch_up(
    fold: Fold, log: LogReader, *, progress: Callable[[int], None] | None = None, batch: int = _BATCH
) -> int:
    """Fold everything the log holds beyond the fold's cursor; returns how many records were read.

    progress: told the number read so far after every batch. Raises Corrupt if a record does not read.
    """
    count = 0
    end = log.end()
    while batch_read := log.read(fold.cursor, limit=batch):
        fold.apply(batch_read)
        count += len(batch_read)
        if progress is not None:
            progress(count)
    fold.reach(end)  # records that were purged at the end are not read
    return count


def verify(
    live: Fold, fresh: Fold, log: LogReader, *, progress: Callable[[int], None] | None = None
) -> Verification:
    """Compare `live` with `fresh`, an empty fold that this fills from the log.

    Both must stand at the same place: nothing may be appended meanwhile beyond what `live` has folded.
    """
    events = catch_up(fresh, log, progress=progress)
    fresh.advance(live.floor)
    for purpose, floor in live.floors.items():
        fresh.advance_for(purpose, floor)
    fresh.lapse(live.lawful.clock)
    return Verification(live.digests(), fresh.digests(), events)
