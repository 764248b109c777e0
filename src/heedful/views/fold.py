"""Log to views: every record's share is added once, whatever is read twice, late or in another order.

State and cursor move together: `apply` counts a batch in and moves the cursor past it, and a snapshot holds
both. Nothing here waits, reads a clock or writes to the log.

Among records under one event id only one counts, the one of lowest rank (`Record.rank`), so that the state is
a function of the set of records. `claims` knows which positions stand under an id; bodies are read again only
where an id is contested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.log.claims import Claims
from heedful.log.cursor import Cursor
from heedful.log.log import Bodies
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.catalogue import Catalogue
from heedful.views.consents import ConsentFact
from heedful.views.dictionary import RELEASED, Items, Kinds, Subjects
from heedful.views.feed import Feed
from heedful.views.history import History
from heedful.views.interpret import Interpreter, Share
from heedful.views.lawful import OPEN, Judge, Lawful
from heedful.views.meanings import Meanings
from heedful.views.orders import OrderRow, Orders, columns
from heedful.views.outcomes import Outcomes
from heedful.views.repeats import Repeats
from heedful.views.sessions import Sessions
from heedful.views.trends import Trends
from heedful.views.trials import Trials
from heedful.views.variants import WINDOWS, Variants
from heedful.views.view import View
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.event import Event, Record, Stored, offset_of, partition_of, position
from heedful.vocabulary.ids import NOBODY, EventId
from heedful.vocabulary.kinds import Meaning
from heedful.vocabulary.time import DAY, MINUTE, Instant

NO_FLOOR = Instant(-(1 << 62))
_LOOKS = 32
"""How many records are compared, at the end and throughout, to tell a state of this log from another's."""


class Fold:
    """All views of one process, and how far they have come.

    idle: a session ends after this many microseconds without an event.
    catalogue_required: whether an item must be described before it can be recommended.
    windows: kinds that are outcomes of variants, and microseconds for which they count.
    chose: told of choices that now count, before they do; None where nobody needs to know.
    judge: says what each row may be used for; left out, nobody ever chooses and everything is allowed.
    erased: the number of the last forgetting that was taken out of this state.
    gone: positions that were forgotten and not purged yet.
    """

    def __init__(
        self,
        *,
        pseudonyms: Pseudonyms,
        claims: Claims,
        bodies: Bodies,
        decode: Callable[[bytes], Event],
        meanings: Mapping[str, Meaning] | None = None,
        idle: int = 30 * MINUTE,
        catalogue_required: bool = False,
        windows: Mapping[str, int] = WINDOWS,
        judge: Judge = OPEN,
    ) -> None:
        self.idle = idle
        self.items = Items(pseudonyms)
        self.kinds = Kinds()
        self.subjects = Subjects()
        self.meanings = Meanings(self.kinds, meanings)
        self.history = History(self.subjects, self.items, self.kinds)
        self.sessions = Sessions(
            self.history, self.items, self.subjects, self.kinds, self.meanings.joins, idle=idle
        )
        self.trends = Trends(self.items, self.meanings.weights)
        self.outcomes = Outcomes(self.history, self.items, self.subjects)
        self.repeats = Repeats(self.history, self.items, self.meanings.seen)
        self.catalogue = Catalogue(self.items, required=catalogue_required)
        self.orders = Orders(self.items, self.subjects)
        self.variants = Variants(self.history, self.subjects, self.kinds, windows)
        self.trials = Trials(self.history, self.outcomes, self.subjects, self.kinds)
        self.lawful = Lawful(self.subjects, judge)
        self.chose: Callable[[Sequence[ConsentFact]], None] | None = None
        self.cursor = Cursor()
        self.floor = NO_FLOOR
        self.floors: dict[str, Instant] = {}
        self.erased = 0
        self.gone: set[int] = set()
        self.claims = claims
        self._bodies = bodies
        self._fingerprint, self._fingerprints = pseudonyms.fingerprint, pseudonyms.fingerprints
        self._interpreter = Interpreter(self.items, self.kinds, self.subjects, pseudonyms, decode, judge)
        self._feed = Feed(
            self.views,
            self.history,
            self.outcomes,
            self.variants,
            self.trials,
            self.lawful,
            self._interpreter,
            self.records_of,
        )  # fmt: skip
        self._settings = (
            f"idle={idle} required={catalogue_required} meanings={sorted(self.meanings.by_name.items())} "
            f"windows={sorted(windows.items())} consent={judge.key}"
        )

    @property
    def views(self) -> tuple[View, ...]:
        """The views that count rows, in the order in which they must be told: others read the history."""
        return (
            self.history, self.sessions, self.trends, self.repeats, self.outcomes, self.variants, self.trials,
        )  # fmt: skip

    def apply(self, batch: Sequence[Stored]) -> None:
        """Count `batch` in, ascending within each partition. Records behind the cursor are left alone.

        Raises Corrupt if a body does not read; then nothing of the batch was counted.
        """
        fresh = self._beyond_the_cursor(batch)
        if not fresh:
            return
        records = [stored.record for stored in fresh]
        fingerprints = [self._fingerprint(record.id) for record in records]
        contested = self.claims.put_many(
            np.array(fingerprints, dtype=np.uint64),
            np.array([stored.position for stored in fresh], dtype=np.int64),
        )
        if contested.any():
            gained, lost = self._contest(fresh, fingerprints, contested)
        else:
            gained, lost = list(zip(records, fingerprints, strict=True)), []
        self._change(added=self._interpreter.share(gained), removed=self._interpreter.share(lost))
        for stored in fresh:
            self.cursor = self.cursor.advanced(stored.position)

    def reach(self, end: Cursor) -> None:
        """Move the cursor to `end`, where the caller has read everything that is left to read."""
        for partition, offset in enumerate(end.offsets):
            self.cursor = self.cursor.advanced(position(partition, offset))

    def retract(self, batch: Sequence[Stored]) -> None:
        """Take `batch` out, as if these records had never been: what they displaced counts again.

        Each must have been applied. The cursor stays. Raises Corrupt if a body does not read.
        """
        marks = self._marks([stored.record.id for stored in batch])
        places = np.array([stored.position for stored in batch], dtype=np.int64)
        alone = self.claims.alone(marks, places)
        if len(np.unique(places)) < len(places) or not self.gone.isdisjoint(places.tolist()):
            alone[:] = False  # a repeat, or one forgotten already, has nothing left to give back
        lost = [
            (stored.record, mark)
            for stored, mark, only in zip(batch, marks.tolist(), alone.tolist(), strict=True)
            if only
        ]
        shared = {
            stored.record.id: mark
            for stored, mark, only in zip(batch, marks.tolist(), alone.tolist(), strict=True)
            if not only
        }
        before = {event: self._winner(mark, event) for event, mark in shared.items()}
        self.claims.remove_many(marks, places)
        gained: list[tuple[Record, int]] = []
        for event, mark in shared.items():
            was, now = before[event], self._winner(mark, event)
            if was is None or (now is not None and now.position == was.position):
                continue
            lost.append((was.record, mark))
            if now is not None:
                gained.append((now.record, mark))
        self._change(added=self._interpreter.share(gained), removed=self._interpreter.share(lost))

    def forget(self, batch: Sequence[Stored]) -> None:
        """As `retract`, for good: the ids stay taken, and what lies under them in the log counts no more, though
        its body may still be there for a while."""
        self.retract(batch)
        self.gone.update(stored.position for stored in batch)
        marks = self._marks([stored.record.id for stored in batch])
        places = np.array([stored.position for stored in batch], dtype=np.int64)
        self.claims.put_many(marks, places)

    def find(self, event: EventId) -> Stored | None:
        """The record that counts under an event's id, or None: never folded, or its body is gone."""
        return self._winner(self._fingerprint(event), event)

    def credited(self, decisions: Sequence[EventId]) -> list[NDArray[np.int64] | None]:
        """What became of the items of each decision, by its event's id: see `Outcomes.credited`."""
        prints = [self._fingerprint(decision) for decision in decisions]
        return self.outcomes.credited(np.array(prints, dtype=np.uint64))

    def usable(self, purposes: int) -> Callable[[Record], bool]:
        """Tells whether a record of the log may be used for all of `purposes`, bits, as things stand now."""
        if not self.lawful.differing:
            return lambda _: True
        events, fingerprint = self.history.usable(purposes), self._fingerprint
        return lambda record: record.subject == NOBODY or fingerprint(record.id) in events

    def advance(self, floor: Instant) -> None:
        """Drop everything before the day (UTC) of `floor` and ignore such events from now on. Never backwards.

        Whole days, because trends are sums by the day and a day cannot be cut.
        """
        floor = Instant(floor // DAY * DAY)
        if floor <= self.floor:
            return
        self.floor = floor
        for view in self.views:
            view.advance(floor)
        moved = self.orders.advance(floor)  # what a dropped event kept from being live may be live now
        self._feed.tell("retract", self._feed.as_held(columns(moved.remove)))
        self._feed.tell("apply", self._feed.of_orders(columns(moved.add), {}))

    def lapse(self, now: Instant) -> None:
        """Take back what grants allowed that ran out by `now`. Never backwards; costs nothing until one does."""
        self._feed.rejudge(self.lawful.lapse(now))

    def advance_for(self, purpose: str, floor: Instant) -> None:
        """As `advance`, only in the views that serve `purpose`. The history serves personalization, whatever else
        it is needed for, and what reads it goes along: what is not in it cannot be cut or joined from it.
        """
        floor = Instant(floor // DAY * DAY)
        if floor <= self.floors.get(purpose, NO_FLOOR):
            return
        self.floors[purpose] = floor
        for view in self.views:
            reads = purpose == "personalization" and view is not self.trends
            if view.purpose == purpose or reads:
                view.advance(floor)

    def digests(self) -> dict[str, str]:
        """The digest of every view, by name, as hexadecimal text."""
        named = {view.name: view.digest() for view in self.views}
        named[self.catalogue.name] = self.catalogue.digest()
        named[self.orders.name] = self.orders.digest()
        named[self.lawful.name] = self.lawful.digest()
        return {name: digest.hex() for name, digest in sorted(named.items())}

    def key(self) -> str:
        """What a snapshot of this fold is of: settings and versions. Another key means another meaning."""
        versions = [f"{view.name}={view.version}" for view in self.views]
        versions += [f"{part.name}={part.version}" for part in (self.catalogue, self.orders, self.lawful)]
        return f"{self._settings} {' '.join(versions)}"

    def state(self) -> dict[str, NDArray[Any]]:
        """Every array that `restore` needs, under `view.array` names. They may be the live ones."""
        arrays: dict[str, NDArray[Any]] = {}
        arrays["items.text"], arrays["items.ends"] = _packed(self.items.ids)
        arrays["kinds.text"], arrays["kinds.ends"] = _packed(self.kinds.names)
        for name, part in self._parts():
            arrays.update({f"{name}.{array}": value for array, value in part.state().items()})
        return arrays

    def restore(self, cursor: Cursor, floor: Instant, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over a state that `state` gave. Only on a fold that has seen nothing.

        Raises Corrupt if an array is missing or misshapen, or if the state is of another log.
        """
        try:
            self._recognise(cursor, arrays["claims.positions"], arrays["claims.fingerprints"])
            self.items.restore(_unpacked(arrays["items.text"], arrays["items.ends"]))
            self.kinds.restore(_unpacked(arrays["kinds.text"], arrays["kinds.ends"]))
            for name, part in self._parts():
                prefix = name + "."
                part.restore(
                    {key[len(prefix) :]: value for key, value in arrays.items() if key.startswith(prefix)}
                )
        except KeyError as error:
            raise Corrupt(f"the snapshot has no array {error}") from error
        self.catalogue.ensure(len(self.items))
        self.catalogue.release([code for code, item in enumerate(self.items.ids) if item == RELEASED])
        self.cursor, self.floor = cursor, floor

    def _recognise(
        self, cursor: Cursor, positions: NDArray[np.int64], fingerprints: NDArray[np.uint64]
    ) -> None:
        """See whether our log holds the ids that a state claims: the newest of each partition, which differ
        first where two logs parted, and some of all. Raises Corrupt if it does not."""
        looked_at = np.zeros(len(positions), dtype=np.bool_)
        looked_at[:: max(1, len(positions) // _LOOKS)] = True
        for partition, offset in enumerate(cursor.offsets):
            looked_at |= (positions <= position(partition, offset)) & (
                positions > position(partition, max(0, offset - _LOOKS))
            )
        claimed = dict(zip(positions[looked_at].tolist(), fingerprints[looked_at].tolist(), strict=True))
        for stored in self._bodies.fetch([*claimed]):
            if self._fingerprint(stored.record.id) != claimed[stored.position]:
                raise Corrupt(f"the state is of another log: the record at {stored.position} is not its own")

    def _parts(self) -> list[tuple[str, Any]]:
        parts: list[tuple[str, Any]] = [("subjects", self.subjects), ("claims", self.claims)]
        parts += [(view.name, view) for view in self.views]
        others = (self.catalogue, self.orders, self.lawful)
        return parts + [(part.name, part) for part in others]

    def _marks(self, events: Iterable[EventId]) -> NDArray[np.uint64]:
        """The fingerprints of events, uint64 (n,)."""
        return np.frombuffer(self._fingerprints(events), dtype="<u8").astype(np.uint64)

    def _beyond_the_cursor(self, batch: Sequence[Stored]) -> list[Stored]:
        ends: dict[int, int] = {}
        fresh = []
        for stored in batch:
            partition, offset = partition_of(stored.position), offset_of(stored.position)
            if offset > ends.get(partition, self.cursor.offset(partition)):
                ends[partition] = offset
                fresh.append(stored)
        return fresh

    def _contest(
        self, fresh: Sequence[Stored], fingerprints: Sequence[int], contested: NDArray[np.bool_]
    ) -> tuple[list[tuple[Record, int]], list[tuple[Record, int]]]:
        """What a batch adds and takes away when some of its ids stood in the log before."""
        shared = {int(f) for f, again in zip(fingerprints, contested, strict=True) if again}
        gained = []
        lost = []
        settled: set[tuple[int, str]] = set()
        for stored, fingerprint in zip(fresh, fingerprints, strict=True):
            if fingerprint not in shared:
                gained.append((stored.record, fingerprint))
                continue
            if (fingerprint, stored.record.id) in settled:
                continue
            settled.add((fingerprint, stored.record.id))
            before = self._winner(fingerprint, stored.record.id)
            candidates = [one for one in fresh if one.record.id == stored.record.id]
            after = min(candidates if before is None else [before, *candidates], key=_rank)
            if before is None:
                gained.append((after.record, fingerprint))
            elif after.position != before.position:
                lost.append((before.record, fingerprint))
                gained.append((after.record, fingerprint))
        return gained, lost

    def _winner(self, fingerprint: int, event: str) -> Stored | None:
        """The record that counts under `event` among those the fold has seen, bodies read again."""
        places = [
            place
            for place in self.claims.holders(fingerprint)
            if offset_of(place) <= self.cursor.offset(partition_of(place)) and place not in self.gone
        ]
        same = [stored for stored in self._bodies.fetch(places) if stored.record.id == event]
        return min(same, key=_rank, default=None)

    def _change(self, *, added: Share, removed: Share) -> None:
        """Bring shares to the views: catalogue and orders first, then rows, taken before given. Between the two
        stand changes of consent, which judge what is held anew."""
        self.catalogue.retract(removed.changes)
        self.catalogue.apply(added.changes)
        given, taken = self._resolve_orders(added, removed)
        self.variants.unlearn(removed.shown, removed.reactions)
        self.trials.unlearn(removed.exposures, removed.trials)
        if removed.subjects:
            self._feed.tell("retract", self._feed.as_held(self._interpreter.rows(removed)))
        if taken:
            self._feed.tell("retract", self._feed.as_held(columns(taken)))
        if (taken_facts := self._interpreter.facts(removed, self.outcomes)) is not None:
            self.outcomes.retract_facts(taken_facts)
        if added.consents and self.chose is not None:
            self.chose(added.consents)
        if removed.said or added.said:
            self._feed.rejudge(self.lawful.change(removed.said, added.said))
        new = self._feed.judged(self._interpreter.rows(added), added.carried)
        bought = self._feed.of_orders(columns(given), added.carried) if given else None
        self.trials.learn((), added.trials)
        self._feed.learn(added, new)
        self._feed.tell("apply", new)
        if bought is not None:
            self._feed.tell("apply", bought)
        self.catalogue.ensure(len(self.items))

    def records_of(self, subject: int, fingerprints: NDArray[np.uint64]) -> list[tuple[Record, int]]:
        """The records that count under these events of one person, bodies read again."""
        places = [
            place
            for place in self.claims.places(fingerprints)
            if offset_of(place) <= self.cursor.offset(partition_of(place))
        ]
        winners: dict[str, Stored] = {}
        for stored in self._bodies.fetch(places):
            known = winners.get(stored.record.id)
            if known is None or _rank(stored) < _rank(known):
                winners[stored.record.id] = stored
        name = self.subjects.name(subject)
        mine = [one.record for one in winners.values() if one.record.subject == name]
        return list(zip(mine, self._marks([one.id for one in mine]).tolist(), strict=True))

    def _resolve_orders(self, added: Share, removed: Share) -> tuple[list[OrderRow], list[OrderRow]]:
        """The rows that order events give and take, with what cancels out left out."""
        net: dict[OrderRow, int] = {}
        deltas = [self.orders.retract(event) for event in removed.orders]
        deltas += [self.orders.apply(event) for event in added.orders]
        for delta in deltas:
            for row in delta.add:
                net[row] = net.get(row, 0) + 1
            for row in delta.remove:
                net[row] = net.get(row, 0) - 1
        return [row for row, sign in net.items() if sign > 0], [row for row, sign in net.items() if sign < 0]


def _rank(stored: Stored) -> tuple[Any, ...]:
    return (*stored.record.rank(), stored.position)


def _packed(names: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Texts as one array of UTF-8 bytes and the end of each."""
    encoded = [name.encode() for name in names]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), ends


def _unpacked(text: NDArray[np.uint8], ends: NDArray[np.int64]) -> list[str]:
    whole = text.tobytes()
    return [whole[start:end].decode() for start, end in zip([0, *ends.tolist()], ends.tolist(), strict=False)]
