"""The log in memory: for `:memory:`, for tests, and the plainest statement of what a log does."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from heedful.log import frame
from heedful.log.cursor import Cursor
from heedful.log.selection import Selection
from heedful.vocabulary.event import Position, Record, Stored, offset_of, partition_of
from heedful.vocabulary.ids import EventId, SubjectId
from heedful.vocabulary.receipt import Receipt, Status
from heedful.vocabulary.time import Instant

_BLANK = Record(EventId(""), frame.PURGED, Instant(0), Instant(0), Instant(0), Instant(0), b"")


class MemoryLog:
    """One partition in a list. Nothing survives the process."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._purged: set[int] = set()
        self._notes: dict[str, str] = {}
        self._places: dict[str, int] = {}
        self._committed = 0

    def append(self, records: Sequence[Record]) -> Sequence[Receipt]:
        """See `Log.append`."""
        receipts = self.begin(records)
        self.commit()
        return receipts

    def begin(self, records: Sequence[Record]) -> list[Receipt]:
        """Take `records` in, not to be read before `commit`. Raises Invalid, and takes none, for a record
        that no log could keep."""
        for record in records:
            frame.to_row(0, record)
        return [self._take(record) for record in records]

    def commit(self) -> None:
        """Let everything begun be read."""
        self._committed = len(self._records)

    def read(self, after: Cursor, *, limit: int) -> Sequence[Stored]:
        """See `Log.read`."""
        found: list[Stored] = []
        for offset in range(after.offset(0) + 1, self._committed + 1):
            if len(found) == limit:
                break
            if offset not in self._purged:
                found.append(Stored(Position(offset), self._records[offset - 1]))
        return found

    def end(self) -> Cursor:
        """See `Log.end`."""
        return Cursor((self._committed,)) if self._committed else Cursor()

    def fetch(self, positions: Sequence[Position]) -> Sequence[Stored]:
        """See `Bodies.fetch`."""
        return [
            Stored(place, self._records[offset_of(place) - 1]) for place in positions if self._holds(place)
        ]

    def places_of(self, subjects: Sequence[SubjectId]) -> list[Position]:
        """See `SqliteReader.places_of`."""
        mine = frozenset(subjects)
        return [
            Position(offset)
            for offset, record in enumerate(self._records[: self._committed], start=1)
            if record.subject in mine and offset not in self._purged
        ]

    def purge(self, positions: Sequence[Position]) -> int:
        """See `Bodies.purge`."""
        there = {offset_of(place) for place in positions if self._holds(place)}
        for offset in there:
            self._records[offset - 1] = _BLANK
        self._purged |= there
        return len(there)

    def places(self, selection: Selection, after: int, span: int) -> list[Position]:
        """See `Finder.places`."""
        looked_at = range(after + 1, min(after + span, self._committed) + 1)
        return [Position(one) for one in looked_at if selection.holds(self._records[one - 1])]

    def note(self, name: str, value: str) -> None:
        """See `Finder.note`."""
        self._notes[name] = value

    def noted(self, name: str) -> str | None:
        """See `Finder.noted`."""
        return self._notes.get(name)

    def close(self) -> None:
        """See `Log.close`."""

    def __enter__(self) -> MemoryLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, record: Record) -> Receipt:
        offset = self._places.get(record.id)
        if offset is None:
            self._records.append(record)
            self._places[record.id] = len(self._records)
            return Receipt(Status.ACCEPTED, Position(len(self._records)))
        same = offset in self._purged or self._records[offset - 1].content() == record.content()
        return Receipt(Status.DUPLICATE if same else Status.REFUSED, Position(offset))

    def _holds(self, place: Position) -> bool:
        offset = offset_of(place)
        return partition_of(place) == 0 and 0 < offset <= self._committed and offset not in self._purged
