"""The state is a function of the set of events: order, batching, repeats, partitions leave no trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.log.claims import Claims
from heedful.log.codec import decode, encode
from heedful.log.cursor import Cursor
from heedful.log.memory import MemoryLog
from heedful.log.partitioned import PartitionedLog
from heedful.services.verify import catch_up
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.views.index import FoldIndex
from heedful.vocabulary.decision import Decision, encode_decision
from heedful.vocabulary.event import Event, Line, Record, Stored, position
from heedful.vocabulary.ids import NOBODY, EventId, ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.kinds import (
    CANCEL,
    CART,
    DECISION,
    HIDE,
    IMPRESSION,
    ITEM,
    ITEM_DELETED,
    PAGE,
    PURCHASE,
    REFUND,
    TRIAL,
    VIEW,
)
from heedful.vocabulary.time import DAY, MINUTE, SECOND, Instant
from heedful.vocabulary.trial import Aggregate, Measure, Trial

NAMES = Pseudonyms(b"k" * 32)
PEOPLE = ("ada", "bo", "cy")
ITEMS = ("tent", "stove", "map")


@dataclass
class Kept:
    """Bodies for a fold that is fed by hand."""

    records: dict[int, Stored]

    def fetch(self, positions: Sequence[int]) -> list[Stored]:
        return [self.records[place] for place in positions]

    def purge(self, positions: Sequence[int]) -> int:
        return sum(self.records.pop(place, None) is not None for place in positions)


def empty_fold(bodies: object) -> Fold:
    return Fold(pseudonyms=NAMES, claims=Claims(), bodies=bodies, decode=decode, idle=30 * MINUTE)  # type: ignore[arg-type]


@st.composite
def records(draw: st.DrawFn) -> list[Record]:
    """A short history with few people, items, ids and times, so that everything collides."""
    made = []
    for _ in range(draw(st.integers(0, 14))):
        kind = draw(
            st.sampled_from(
                (VIEW, VIEW, VIEW, CART, IMPRESSION, PURCHASE, REFUND, CANCEL, HIDE, PAGE, ITEM, ITEM_DELETED)
            )
        )
        at = Instant(
            draw(st.integers(0, 1)) * DAY
            + draw(st.integers(0, 8)) * 10 * MINUTE
            + draw(st.integers(0, 1)) * SECOND
        )
        lines = tuple(
            Line(item, draw(st.integers(1, 2)), draw(st.sampled_from((0, 5))), item)
            for item in draw(st.lists(st.sampled_from(ITEMS), min_size=1, max_size=2, unique=True))
        )
        order = draw(st.sampled_from(("", "o1", "o2"))) if kind in {PURCHASE, REFUND, CANCEL} else ""
        event = Event(kind=kind, lines=lines, order=order, currency="EUR")
        subject = NAMES.user(draw(st.sampled_from(PEOPLE)))
        if kind == PAGE or (kind in {REFUND, CANCEL} and draw(st.booleans())):
            event = Event(kind=kind, order=order)
        if kind in {ITEM, ITEM_DELETED}:
            item = Item(
                ItemId(lines[0].item), title=draw(st.sampled_from("AB")), available=draw(st.booleans())
            )
            event = Event(kind=kind, name=item.id, properties=msgspec.json.encode(item))
            subject = NOBODY
        identity = EventId(f"s:{draw(st.integers(0, 9))}")
        if subject != NOBODY and draw(st.booleans()):
            event = msgspec.structs.replace(event, decision=draw(st.sampled_from(("d1", "d2", "d3"))))
        if subject != NOBODY and draw(st.integers(0, 3)) == 0:
            shown = draw(st.lists(st.sampled_from(ITEMS), max_size=3, unique=True))
            answer = Decision(
                draw(st.sampled_from(("home", "cart"))), [ItemId(item) for item in shown], 1, [1.0] * len(shown),
                holdout=draw(st.booleans()), counts_as_shown=draw(st.booleans()),
                arms=draw(st.sampled_from(((), (), (("e", "a"),), (("e", "b"),), (("e", "a"), ("f", "x"))))),
            )  # fmt: skip
            name = draw(st.sampled_from(("d1", "d2", "d3")))
            identity = EventId(f"heedful:{name}")
            event = Event(kind=DECISION, decision=name, properties=encode_decision(answer))
        elif draw(st.integers(0, 7)) == 0:
            subject, event = NOBODY, Event(kind=TRIAL, properties=msgspec.json.encode(draw(trials())))
        received = Instant(at + draw(st.integers(0, 2)))
        made.append(Record(identity, subject, at, at, Instant(0), received, encode(event)))
    return made


@st.composite
def trials(draw: st.DrawFn) -> Trial:
    """How one of two experiments stands."""
    measures = (
        Measure("views", (VIEW,), hours=1, per=(PAGE,)), Measure("any", (VIEW, CART), Aggregate.ANY),
        Measure("units", (PURCHASE,), Aggregate.UNITS, cap=2),
        Measure("paid", (PURCHASE,), Aggregate.AMOUNT, currency="EUR"),
    )  # fmt: skip
    return Trial(
        draw(st.sampled_from("ef")), ("a", "b"), draw(st.sampled_from(((1, 1), (1, 3)))),
        measures[: draw(st.integers(1, 4))], draw(st.booleans()), before_days=draw(st.integers(0, 1)),
    )  # fmt: skip


def folded(batches: Sequence[Sequence[Stored]]) -> Fold:
    bodies = Kept({stored.position: stored for batch in batches for stored in batch})
    fold = empty_fold(bodies)
    for batch in batches:
        fold.apply(batch)
    return fold


def stored(history: Sequence[Record]) -> list[Stored]:
    return [Stored(position(0, place), record) for place, record in enumerate(history, start=1)]


@settings(max_examples=120, deadline=None)
@given(records(), st.randoms(use_true_random=False))
def test_arrival_order_and_batching_leave_no_trace(history: list[Record], random: object) -> None:
    shuffled = list(history)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = folded([stored(history)])
    other = folded([[record] for record in stored(shuffled)])
    assert one.digests() == other.digests()


@settings(max_examples=60, deadline=None)
@given(records(), st.integers(0, 1 << 30))
def test_a_partitioned_log_that_reorders_and_repeats_gives_the_same_state(
    history: list[Record], seed: int
) -> None:
    plain = folded([stored(history)])
    log = PartitionedLog(partitions=3, seed=seed)
    for record in history:
        log.append([record])
    fold = empty_fold(log)
    catch_up(fold, log, batch=4)
    assert fold.digests() == plain.digests()
    assert fold.cursor.covers(log.end())


@settings(max_examples=120, deadline=None)
@given(records(), st.sampled_from(PEOPLE))
def test_what_is_taken_back_was_never_there(history: list[Record], person: str) -> None:
    gone = NAMES.user(person)
    everything = stored(history)
    fold = folded([everything])
    fold.retract([one for one in everything if one.record.subject == gone])
    without = folded([[one for one in everything if one.record.subject != gone]])
    assert fold.digests() == without.digests()


@settings(max_examples=60, deadline=None)
@given(records(), st.integers(0, 14))
def test_a_restored_fold_goes_on_where_it_stood(history: list[Record], cut: int) -> None:
    everything = stored(history)
    bodies = Kept({one.position: one for one in everything})
    first = empty_fold(bodies)
    first.apply(everything[:cut])
    second = empty_fold(bodies)
    second.restore(first.cursor, first.floor, {name: array.copy() for name, array in first.state().items()})
    assert second.digests() == first.digests()
    second.apply(everything[cut:])
    assert second.digests() == folded([everything]).digests()


@settings(max_examples=60, deadline=None)
@given(records(), st.integers(0, 14), st.integers(0, 2))
def test_the_floor_is_the_same_before_and_after(history: list[Record], cut: int, day: int) -> None:
    everything = stored(history)
    floor = Instant(day * DAY + MINUTE)
    early = folded([everything[:cut]])
    early.advance(floor)
    early._bodies = Kept({one.position: one for one in everything})
    early.apply(everything[cut:])
    late = folded([everything])
    late.advance(floor)
    assert early.digests() == late.digests()


@settings(max_examples=60, deadline=None)
@given(records(), st.sampled_from(PEOPLE))
def test_the_index_finds_every_record_of_a_person(history: list[Record], person: str) -> None:
    log = MemoryLog()
    kept = [
        record
        for record in history
        if log.append([record])[0].status == "accepted" and record.subject == NAMES.user(person)
    ]
    fold = empty_fold(log)
    catch_up(fold, log)
    index = FoldIndex(fold.subjects, fold.history, fold.claims, log)
    found = [one.record for one in index.history(NAMES.user(person))]
    assert sorted(found, key=lambda one: (one.at, one.id)) == found
    assert sorted(found, key=lambda one: one.id) == sorted(kept, key=lambda one: one.id)
    assert index.purge(NAMES.user(person)) == len(kept)
    assert list(index.history(NAMES.user(person))) == []


def test_a_cursor_reads_what_it_wrote() -> None:
    from heedful.log.cursor import decode_cursor

    for cursor in (Cursor(), Cursor((7,)), Cursor((0, 3, 12))):
        assert decode_cursor(cursor.encode()) == cursor
