"""The file that a person gets under Articles 15 and 20 GDPR and 11 CCR 7024: a zip, written as it is read.

Everything is read twice, once for JSON and once for CSV, from places that were found once; so memory holds a
page of records and the list of their places, whatever a person did. Nothing is looked up by anything but the
pseudonyms of the ids that were given, so nobody else can stand in it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

import msgspec

from heedful.log.log import Bodies
from heedful.privacy.changes import Reader
from heedful.privacy.purposes import Purposes, record_of_processing
from heedful.services.disclose import page
from heedful.services.disclose.cells import line
from heedful.services.disclose.facts import (
    CONSENT_HEAD,
    DECISION_HEAD,
    EVENT_HEAD,
    decision_fact,
    decision_rows,
    event_fact,
    event_row,
    is_decision,
)
from heedful.services.disclose.profile import Profiles
from heedful.services.recall import Recall
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.vocabulary.event import Event, Position, Record
from heedful.vocabulary.ids import ItemId, SubjectId
from heedful.vocabulary.rights import Someone
from heedful.vocabulary.time import Clock, iso

PAGE = 50
"""Records between two looks up: few enough that an answer to somebody else is not kept waiting."""


Places = Callable[[Sequence[SubjectId]], list[Position]]
"""Where the log keeps somebody's records: every place that still has a body, ascending. May take long; any
thread may ask."""


class Model(msgspec.Struct, frozen=True, rename="camel"):
    """A fitted model that had read something of the person when it was fitted."""

    id: str
    kind: str
    place: str
    created: str
    state: str


class Disclosed(msgspec.Struct, frozen=True, rename="camel"):
    """What stands in a file. made: RFC 3339."""

    made: str
    events: int
    decisions: int
    consents: int
    files: tuple[str, ...]


class Disclose:
    """The service.

    bodies: in clear. settle: waits for what is on its way into the log, where there is no loop that does.
    models: those fitted to everything up to a place in the log, or later; purposes: the registry. contact:
    who is responsible and how to reach them, in words.
    """

    def __init__(
        self,
        *,
        bodies: Bodies,
        find: Places,
        decode: Callable[[bytes], Event],
        fold: Fold,
        recall: Recall,
        pseudonyms: Pseudonyms,
        purposes: Purposes,
        changes: Reader,
        models: Callable[[Position], Sequence[Model]],
        clock: Clock,
        settle: Callable[[], None],
        contact: str = "",
    ) -> None:
        self._bodies = bodies
        self._find = find
        self._decode = decode
        self._fold = fold
        self._recall = recall
        self._pseudonyms = pseudonyms
        self._purposes = purposes
        self._changes = changes
        self._models = models
        self._clock = clock
        self._settle = settle
        self._contact = contact
        self._profiles = Profiles(fold)

    def subjects(self, who: Someone) -> tuple[SubjectId, ...]:
        """The pseudonyms of a person's ids."""
        user = [self._pseudonyms.user(who.user_id)] if who.user_id else []
        return tuple(dict.fromkeys([*user, *map(self._pseudonyms.anonymous, who.anonymous_ids)]))

    def places(self, subjects: Sequence[SubjectId]) -> list[Position]:
        """Where their records are. Any thread may ask."""
        self._settle()
        return self._find(subjects)

    def profile(self, subjects: Sequence[SubjectId]) -> dict[str, Any]:
        """What is derived from what they did, now."""
        return self._profiles.of(subjects)

    def recent(
        self, subjects: Sequence[SubjectId], places: Sequence[Position], most: int
    ) -> list[dict[str, Any]]:
        """The last `most` of their events, newest first, as the file has them."""
        found = [event_fact(record, event) for record, event in self._read(subjects, places[-most:])]
        return found[::-1]

    def write(self, subjects: Sequence[SubjectId], places: Sequence[Position], into: IO[bytes]) -> Writing:
        """Write the zip `into` a file, step by step, as the answer is iterated. Iterating raises Corrupt
        where a body does not read at all.
        """
        return Writing(self, subjects, places, into)

    def _read(
        self, subjects: Sequence[SubjectId], places: Sequence[Position]
    ) -> Iterator[tuple[Record, Event]]:
        mine = frozenset(subjects)
        for start in range(0, len(places), PAGE):
            for stored in self._bodies.fetch(places[start : start + PAGE]):
                if (
                    stored.record.subject in mine
                ):  # a place that was given to somebody else must not be believed
                    yield stored.record, self._decode(stored.record.body)

    def _title(self, item: str) -> str:
        code = self._fold.items.find(ItemId(item))
        known = None if code < 0 else self._fold.catalogue.get(code)
        return "" if known is None else known.title or ""


class Writing:
    """One file under way: iterate it to its end. Yields (records read, records to read); the last step ends
    the file.

    disclosed: what stands in it, once it is whole.
    """

    def __init__(
        self, service: Disclose, subjects: Sequence[SubjectId], places: Sequence[Position], into: IO[bytes]
    ) -> None:
        self._service = service
        self._subjects = subjects
        self._places = places
        self._zip = zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False)
        self._files: list[str] = []
        self._done = 0
        self._events = self._decisions = self._consents = 0
        self.disclosed = Disclosed("", 0, 0, 0, ())

    def __iter__(self) -> Iterator[tuple[int, int]]:
        passes = (
            ("events.jsonl", None, self._events_json), ("events.csv", EVENT_HEAD, self._events_csv),
            ("decisions.jsonl", None, self._decisions_json), ("decisions.csv", DECISION_HEAD, self._decisions_csv),
            ("consents.csv", CONSENT_HEAD, self._consents_csv),
        )  # fmt: skip
        total = len(passes) * len(self._places)
        with self._zip:
            for name, head, rows in passes:
                with self._zip.open(self._named(name), "w", force_zip64=True) as member:
                    if head is not None:
                        member.write(line(head))
                    for record, event in self._service._read(self._subjects, self._places):
                        for row in rows(record, event):
                            member.write(row)
                        self._done += 1
                        if self._done % PAGE == 0:
                            yield self._done, total
            self._rest()
        yield total, total

    def _events_json(self, record: Record, event: Event) -> Iterator[bytes]:
        if not is_decision(event):
            self._events += 1
            yield msgspec.json.encode(event_fact(record, event)) + b"\n"

    def _events_csv(self, record: Record, event: Event) -> Iterator[bytes]:
        if not is_decision(event):
            yield line(event_row(event_fact(record, event)))

    def _decisions_json(self, record: Record, event: Event) -> Iterator[bytes]:
        if is_decision(event):
            self._decisions += 1
            yield msgspec.json.encode(decision_fact(self._service._recall, record, event)) + b"\n"

    def _decisions_csv(self, record: Record, event: Event) -> Iterator[bytes]:
        if is_decision(event):
            fact = decision_fact(self._service._recall, record, event)
            titles = {one["itemId"]: self._service._title(one["itemId"]) for one in fact.get("items", ())}
            for row in decision_rows(fact, titles):
                yield line(row)

    def _consents_csv(self, record: Record, event: Event) -> Iterator[bytes]:
        for change in self._service._changes(event, record.at, record.received):
            self._consents += 1
            yield line([
                iso(change.at), iso(change.received), change.purpose, change.state,
                iso(change.expires) if change.expires else "", change.notice, change.explicit, change.guardian,
                record.id,
            ])  # fmt: skip

    def _rest(self) -> None:
        service = self._service
        models = service._models(self._places[0]) if self._places else ()
        profile = service.profile(self._subjects)
        registry = record_of_processing(service._purposes)
        self._put("profile.json", msgspec.json.encode(profile))
        self._put("models.json", msgspec.json.encode(models))
        self._put("purposes.json", msgspec.json.encode(registry))
        told = Disclosed(
            iso(service._clock.now()), self._events, self._decisions, self._consents,
            (*self._files, "index.html", "README.txt", "summary.json"),
        )  # fmt: skip
        whole = page.Contents(
            told, profile, tuple(msgspec.to_builtins(one) for one in models), registry, service._contact
        )
        self._put("index.html", page.html(whole).encode())
        self._put("README.txt", page.readme(whole).encode())
        self._put("summary.json", msgspec.json.encode(told))
        self.disclosed = told

    def _put(self, name: str, content: bytes) -> None:
        self._zip.writestr(self._named(name), content, zipfile.ZIP_DEFLATED)

    def _named(self, name: str) -> zipfile.ZipInfo:
        self._files.append(name)
        at = self._service._clock.now()
        stamp = iso(at)
        year = max(1980, int(stamp[:4]))
        info = zipfile.ZipInfo(
            name, (year, int(stamp[5:7]), int(stamp[8:10]), int(stamp[11:13]), int(stamp[14:16]), 0)
        )
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        return info
