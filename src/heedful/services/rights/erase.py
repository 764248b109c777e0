"""Forgetting for people's rights: a person, or one event of theirs, through the saga that proves it."""

from __future__ import annotations

from heedful.log.selection import BEGINNING, END
from heedful.services.forget.forget import Forget
from heedful.views.index import FoldReader
from heedful.vocabulary.erasure import ErasureStatus
from heedful.vocabulary.errors import HeedfulError, Invalid, NotFound
from heedful.vocabulary.ids import EventId
from heedful.vocabulary.outcome import Done
from heedful.vocabulary.rights import Selection
from heedful.vocabulary.time import Instant


class Erase:
    """`Forgets` over the saga."""

    def __init__(self, forgetting: Forget, index: FoldReader) -> None:
        self._forgetting = forgetting
        self._index = index

    def forget(self, selection: Selection, done: Done[str]) -> None:
        """See `Forgets.forget`. One event can be forgotten alone where nothing else of the person happened at the
        same moment."""
        since = BEGINNING if selection.since is None else selection.since
        until = END if selection.before is None else selection.before
        try:
            if selection.events:
                since, until = self._moment(selection)
            self._forgetting.forget_subjects(
                selection.subjects,
                lambda told: done(_id_of(told)),
                actor="rights",
                since=since,
                until=until,
            )
        except HeedfulError as error:
            done(error)

    def _moment(self, selection: Selection) -> tuple[Instant, Instant]:
        """The stretch of time that has the events and nothing else. Raises NotFound, Invalid."""
        wanted = {EventId(event) for event in selection.events}
        mine = [stored.record for subject in selection.subjects for stored in self._index.history(subject)]
        times = {record.at for record in mine if record.id in wanted}
        if not times:
            raise NotFound("there is no such event of this person")
        at = min(times)
        beside = [record for record in mine if record.at == at and record.id not in wanted]
        if len(times) > 1 or beside:
            raise Invalid(
                "event_not_alone",
                f"{len(beside)} other events happened at the same moment, and cannot be told apart by their time: "
                "forget a stretch of time instead",
                path="event",
            )
        return at, Instant(at + 1)


def _id_of(told: ErasureStatus | HeedfulError) -> str | HeedfulError:
    return told if isinstance(told, HeedfulError) else told.id
