"""Whose records are where, kept by the fold: the history view says which events a person has, the claims say
where the log keeps them. The same for every log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from heedful.log.claims import Claims
from heedful.log.log import Bodies, BodyStore
from heedful.views.dictionary import MISSING, Subjects
from heedful.views.history import History
from heedful.vocabulary.event import Position, Stored
from heedful.vocabulary.ids import SubjectId


class FoldIndex:
    """`log.SubjectIndex` over a fold's history and claims."""

    def __init__(self, subjects: Subjects, history: History, claims: Claims, bodies: Bodies) -> None:
        self._subjects = subjects
        self._history = history
        self._claims = claims
        self._bodies = bodies

    def history(self, subject: SubjectId) -> Iterator[Stored]:
        """Every record of `subject` that the log still holds, in event time, ties by event id."""
        mine = [one for one in self._bodies.fetch(self.positions(subject)) if one.record.subject == subject]
        yield from sorted(mine, key=lambda one: (one.record.at, one.record.id))

    def purge(self, subject: SubjectId) -> int:
        """Destroy the bodies of `subject`'s records for good; returns how many there were. Over a `BodyStore`."""
        return cast(BodyStore, self._bodies).purge([stored.position for stored in self.history(subject)])

    def positions(self, subject: SubjectId) -> list[Position]:
        """Where the log keeps `subject`'s events. A 64-bit collision may add a stranger's: check the body."""
        code = self._subjects.find(subject)
        if code == MISSING:
            return []
        unique = sorted({int(fingerprint) for fingerprint in self._history.fingerprints(code)})
        return [place for fingerprint in unique for place in self._claims.holders(fingerprint)]
