"""Which records somebody means: a person's, a stretch of a person's time, or all that one sender sent."""

from __future__ import annotations

import msgspec

from heedful.log.cursor import Cursor
from heedful.vocabulary.event import Position, Record, offset_of, partition_of
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import Instant

BEGINNING, END = Instant(-(1 << 63)), Instant((1 << 63) - 1)


class Selection(msgspec.Struct, frozen=True):
    """Records that have all of what is said. Without subjects and source it holds none.

    subjects: pseudonyms; empty for everybody. source: whose message ids begin the event ids; "" for every sender.
    since, until: event time, since inclusive, until exclusive.
    """

    subjects: frozenset[SubjectId] = frozenset()
    source: str = ""
    since: Instant = BEGINNING
    until: Instant = END

    @property
    def whole(self) -> bool:
        """Whether it is all there is of its subjects."""
        return not self.source and (self.since, self.until) == (BEGINNING, END)

    def holds(self, record: Record) -> bool:
        """Whether `record` is meant. A record about nobody never is with a subject."""
        if not self.subjects and not self.source:
            return False
        return (
            (not self.subjects or record.subject in self.subjects)
            and (not self.source or record.id.startswith(self.source + ":"))
            and self.since <= record.at < self.until
        )


def within(place: Position, end: Cursor) -> bool:
    """Whether a record lies at or before `end`."""
    return offset_of(place) <= end.offset(partition_of(place))
