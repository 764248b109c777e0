"""The small interfaces of the log's floor.

`Log` is what a broker can give: append, and read on from a cursor. `Bodies` finds a record again by its
place. `SubjectIndex` knows which records are whose and which ids are taken; the fold keeps it
(`views.index`), whatever the log is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from heedful.log.cursor import Cursor
from heedful.log.selection import Selection
from heedful.vocabulary.event import Position, Record, Stored
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.receipt import Receipt


class LogReader(Protocol):
    """Everything that happened, in order within each partition."""

    def read(self, after: Cursor, *, limit: int) -> Sequence[Stored]:
        """Up to `limit` (1 to 10_000) records beyond `after`, ascending within each partition.

        Between partitions any interleaving, and a record may come more than once. Empty at the end; never
        waits. Raises Corrupt, naming the position, if a record fails its checksum.
        """

    def end(self) -> Cursor:
        """The cursor of a reader who has read everything stored so far."""

    def close(self) -> None:
        """Finish what is under way and let go of the files. Doing it twice is harmless."""


class Log(LogReader, Protocol):
    """The log of its one writer, or of a writer among others on a broker."""

    def append(self, records: Sequence[Record]) -> Sequence[Receipt]:
        """Store `records`, all that are new or none, and return once they would survive a power cut.

        Returns one receipt per record, shape (len(records),), in order. A repeat of an id is a duplicate;
        a repeat with other content is refused; neither stores anything. On a log without a unique index
        (Kafka) these statuses are best effort and the fold sees to it that nothing counts twice.
        Raises LogUnavailable if nothing was stored.
        """


class Bodies(Protocol):
    """Records by their place."""

    def fetch(self, positions: Sequence[Position]) -> Sequence[Stored]:
        """The records at `positions` that still have a body, in the order asked; purged ones are left out."""


class BodyStore(Bodies, Protocol):
    """Records by their place, and the power to destroy them."""

    def purge(self, positions: Sequence[Position]) -> int:
        """Destroy these records' bodies for good; returns how many there were. Doing it twice returns 0.

        The envelope stays, so that reading goes on; `read` and `fetch` leave purged records out.
        """


class Finder(Protocol):
    """A log that can be searched by its envelopes, and says what was noted about it."""

    def places(self, selection: Selection, after: int, span: int) -> Sequence[Position]:
        """Where the records of `selection` lie that were not purged, among the `span` places beyond the offset
        `after` of the first partition. No body is read."""

    def noted(self, name: str) -> str | None:
        """What was noted under `name`, or None."""


class Notebook(Protocol):
    """A log that keeps notes about itself."""

    def note(self, name: str, value: str) -> None:
        """Keep a fact about this log in it, durably: it goes where the log goes, into copies too."""


class SubjectIndex(Protocol):
    """Whose records are where."""

    def history(self, subject: SubjectId) -> Iterator[Stored]:
        """Every record of `subject` that the log still holds, in event time, ties by event id."""

    def purge(self, subject: SubjectId) -> int:
        """Destroy the bodies of `subject`'s records; returns how many. Only `services.forget` calls this,
        after every view has given the person back, because a view needs the bodies to retract them."""
