"""Find what is to be forgotten, and take it out of the views; the same while serving, at a start, and beside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from heedful.log.codec import decode
from heedful.log.cursor import Cursor
from heedful.log.log import Bodies, BodyStore, Finder, LogReader, Notebook
from heedful.log.selection import Selection, within
from heedful.services.forget.erasures import Erasure
from heedful.views.fold import Fold
from heedful.views.index import FoldReader
from heedful.views.releasing import release
from heedful.vocabulary.decision import outline_of
from heedful.vocabulary.event import Position, Stored
from heedful.vocabulary.kinds import DECISION

ERASING, ERASED = "erasing", "erased"
"""What the log notes: the number of the last forgetting whose purge was begun, and of the last that is through."""

AT_ONCE = 2_000
"""Records taken out between two answers."""

SPAN = 50_000
"""Envelopes looked at between two answers."""


class Searched(Bodies, Finder, LogReader, Protocol):
    """A log that forgetting looks through."""


class Purged(BodyStore, Notebook, Searched, Protocol):
    """A log that forgetting works on."""


class Names:
    """What the forgotten records named: dense items and kinds, which nobody else may use any more."""

    def __init__(self) -> None:
        self.items: set[int] = set()
        self.kinds: set[int] = set()
        self.records = self.decisions = self.traits = 0

    def take(self, fold: Fold, batch: Sequence[Stored]) -> None:
        """Remember what `batch` names. After it was folded or taken out: names are not made here."""
        for stored in batch:
            event = decode(stored.record.body)
            named = [line.item for line in event.lines]
            if event.kind == DECISION and event.properties:
                self.decisions += 1
                named += _shown(event.properties)
            self.traits += bool(event.traits)
            self.items.update(code for code in map(fold.items.find, named) if code >= 0)
            if (kind := fold.kinds.codes.get(event.kind)) is not None:
                self.kinds.add(kind)
        self.records += len(batch)


def _shown(properties: bytes) -> list[str]:
    try:
        return [*outline_of(properties).items]
    except Exception:  # a decision about variants shows no items
        return []


def mark(log: Finder, name: str) -> int:
    """A number that the log notes, 0 for none."""
    return int(log.noted(name) or 0)


def counted(fold: Fold, log: Searched, selection: Selection, end: Cursor) -> Iterator[list[Stored]]:
    """What the views hold of `selection` at or before `end`, a part at a time. Take each part out before the next.

    By the index of people where people are meant; else by looking through the log.
    """
    if selection.subjects and not selection.source:
        index = FoldReader(fold.subjects, fold.history, fold.claims, log)
        places = [
            place
            for subject in sorted(selection.subjects)
            for place in index.positions(subject)
            if within(place, end)
        ]
        parts: Iterator[Sequence[Position]] = (
            places[i : i + AT_ONCE] for i in range(0, len(places), AT_ONCE)
        )
    else:
        known = Cursor((min(end.offset(0), fold.cursor.offset(0)),))
        parts = (
            part[i : i + AT_ONCE]
            for part in lying(log, selection, known)
            for i in range(0, len(part), AT_ONCE)
        )
    for part in parts:
        bodies = log.fetch([place for place in part if place not in fold.gone])
        yield [stored for stored in bodies if selection.holds(stored.record)]


def lying(log: Finder, selection: Selection, end: Cursor) -> Iterator[Sequence[Position]]:
    """Where the log still has records of `selection` at or before `end`, a part of the log at a time."""
    for after in range(0, end.offset(0), SPAN):
        yield [place for place in log.places(selection, after, SPAN) if within(place, end)]


def take_out(fold: Fold, log: Searched, erasure: Erasure, end: Cursor, names: Names) -> Iterator[None]:
    """Take an erasure out of `fold`, unless it is out; pauses between parts."""
    if fold.erased >= erasure.number:
        return
    selection = erasure.accepted.selection
    for batch in counted(fold, log, selection, end):
        fold.forget(batch)
        names.take(fold, batch)
        if len(batch) >= AT_ONCE:
            yield
    yield  # the views are through; the names can wait until others were answered
    release(fold, selection.subjects if selection.whole else (), names.items, names.kinds)
    fold.erased = erasure.number


def catch_up_with(fold: Fold, log: Searched, erasures: Sequence[Erasure]) -> None:
    """Bring a fold that was just read from a snapshot and the log to where every accepted forgetting is through.

    Until then nothing may be served. `erasures` were read before the end of the log was.
    """
    through = mark(log, ERASED)
    fold.erased = max(fold.erased, through)  # nothing of those is left in the log
    for erasure in erasures:
        if erasure.number > through:
            end = erasure.begun.end if erasure.begun else log.end()
            if fold.erased >= erasure.number:
                for places in lying(log, erasure.accepted.selection, end):
                    fold.gone.update(places)
            for _ in take_out(fold, log, erasure, end, Names()):
                pass
