"""Outcomes are joined to answers as the rules say: a slow twin, and the rules one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.log.claims import Claims
from heedful.log.codec import decode, encode
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.views.outcomes import (
    ANSWERS,
    CLICKS,
    IMPRESSIONS,
    ORDERS,
    REVENUE,
    SHOWN,
    UNITS,
    VISITOR_ORDERS,
    VISITOR_REVENUE,
    VISITOR_UNITS,
)
from heedful.vocabulary.decision import Decision, encode_decision
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.event import Event, Line, Record, Stored, position
from heedful.vocabulary.ids import EventId, ItemId
from heedful.vocabulary.kinds import BUILT_IN, CANCEL, CART, CLICK, DECISION, IMPRESSION, PAGE, PURCHASE, VIEW
from heedful.vocabulary.time import DAY, MINUTE, Instant

NAMES = Pseudonyms(b"k" * 32)
ITEMS = ("tent", "stove", "map")
KINDS = (VIEW, CLICK, CART, PURCHASE, IMPRESSION)


class Shown(NamedTuple):
    """An answer, in minutes."""

    name: str
    who: str
    at: int
    items: tuple[str, ...]
    placement: str = "home"
    holdout: bool = False
    counts: bool = True
    window: int = 60
    buying: int = 120


class Deed(NamedTuple):
    """An event with items, in minutes. decision: the answer it names, or ""."""

    who: str
    at: int
    kind: str
    items: tuple[str, ...]
    decision: str = ""
    price: int = 0
    quantity: int = 1


def records_of(answers: Sequence[Shown], deeds: Sequence[Deed]) -> list[Record]:
    made = []
    for shown in answers:
        kept = Decision(
            shown.placement, [ItemId(item) for item in shown.items], 1, [1.0] * len(shown.items),
            policy="greedy", model="blend", holdout=shown.holdout, counts_as_shown=shown.counts,
            window=shown.window, purchase_window=shown.buying,
        )  # fmt: skip
        event = Event(kind=DECISION, decision=shown.name, properties=encode_decision(kept))
        made.append(record(f"heedful:{shown.name}", shown.who, shown.at, event))
    for number, deed in enumerate(deeds):
        lines = tuple(Line(item, deed.quantity, deed.price * deed.quantity, item) for item in deed.items)
        order = f"o{number}" if deed.kind == PURCHASE else ""
        event = Event(kind=deed.kind, lines=lines, order=order, currency="EUR", decision=deed.decision)
        made.append(record(f"s:{number}", deed.who, deed.at, event))
    return made


def record(identity: str, who: str, at: int, event: Event) -> Record:
    when = Instant(at * MINUTE)
    return Record(EventId(identity), NAMES.user(who), when, when, Instant(0), when, encode(event))


class Bodies:
    """What was stored, by its place."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.stored = [Stored(position(0, n), one) for n, one in enumerate(records, start=1)]

    def fetch(self, positions: Sequence[int]) -> list[Stored]:
        return [self.stored[place - 1] for place in positions]


def fold_of(records: Sequence[Record]) -> Fold:
    bodies = Bodies(records)
    fold = Fold(pseudonyms=NAMES, claims=Claims(), bodies=bodies, decode=decode)
    fold.apply(bodies.stored)
    return fold


Sums = dict[tuple[Any, ...], int]


def counted(fold: Fold) -> Sums:
    """The rows in words: (person, placement, holdout, day, measure) to value."""
    tallies = fold.outcomes.tallies()
    people = {NAMES.user(who): who for who in ("ada", "bo", "cy")}
    return {
        (
            people[fold.subjects.name(subject)],
            fold.outcomes.groups[group].placement,
            fold.outcomes.groups[group].holdout,
            day,
            measure,
        ): value
        for subject, group, day, measure, _, value in zip(*(c.tolist() for c in tallies), strict=True)
    }


def slowly(answers: Sequence[Shown], deeds: Sequence[Deed]) -> Sums:
    """The slow twin: every rule of `views.attribution`, one deed and one answer at a time."""
    order = sorted(answers, key=lambda one: (one.at, NAMES.fingerprint(EventId(f"heedful:{one.name}"))))
    kinds: dict[tuple[str, str], set[str]] = {(one.name, item): set() for one in order for item in one.items}
    whole: dict[str, set[str]] = {one.name: set() for one in order}
    named = {one.name: one for one in order}
    sums: Sums = {}

    def add(one: Shown, measure: int, value: int) -> None:
        key = (one.who, one.placement, one.holdout, one.at * MINUTE // DAY, measure)
        if value:
            sums[key] = sums.get(key, 0) + value

    def within(one: Shown, deed: Deed, early: int) -> bool:
        return -early <= deed.at - one.at <= (one.buying if deed.kind == PURCHASE else one.window)

    def sell(one: Shown, number: int, deed: Deed, shift: int) -> None:
        add(one, UNITS + shift, deed.quantity)
        add(one, REVENUE + shift, deed.price * deed.quantity)
        if (one.name, number, shift) not in ordered:
            ordered.add((one.name, number, shift))
            add(one, ORDERS + shift, 1)

    ordered: set[tuple[str, int, int]] = set()
    deeds = [deed for deed in deeds if deed.kind in KINDS]
    for number, deed in enumerate(deeds):
        one = named.get(deed.decision)
        if one is None or not within(one, deed, 5):
            continue
        if not deed.items and deed.kind != PURCHASE:
            whole[one.name].add(deed.kind)
        for item in deed.items:
            if item in one.items:
                kinds[one.name, item].add(deed.kind)
                if deed.kind == PURCHASE:
                    sell(one, number, deed, 0)
    for one in order:
        reported = IMPRESSION in whole[one.name] or any(IMPRESSION in kinds[one.name, i] for i in one.items)
        every = IMPRESSION in whole[one.name] or (not reported and one.counts)
        for item in one.items:
            if every or kinds[one.name, item]:
                kinds[one.name, item].add(IMPRESSION)
        if not one.items and (one.counts or whole[one.name]):
            whole[one.name].add(IMPRESSION)
    for number, deed in enumerate(deeds):
        before = [one for one in order if one.who == deed.who and one.at <= deed.at][::-1]
        for item in deed.items:
            if not deed.decision and deed.kind != IMPRESSION:
                for one in before:
                    if within(one, deed, 0) and item in one.items and IMPRESSION in kinds[one.name, item]:
                        kinds[one.name, item].add(deed.kind)
                        if deed.kind == PURCHASE:
                            sell(one, number, deed, 0)
                        break
            if deed.kind == PURCHASE:
                placements = set()
                for one in before:
                    if within(one, deed, 0) and one.placement not in placements:
                        placements.add(one.placement)
                        sell(one, number, deed, VISITOR_UNITS - UNITS)
    for one in order:
        add(one, ANSWERS, 1)
        add(one, SHOWN, len(one.items))
        for had in [kinds[one.name, item] for item in one.items] or [whole[one.name]]:
            add(one, CLICKS, bool(had & {CLICK, VIEW}))
            for kind in had:
                add(one, BUILT_IN.index(kind), 1)
    return sums


items = st.lists(st.sampled_from(ITEMS), max_size=3, unique=True).map(tuple)
people = st.sampled_from(("ada", "bo", "cy"))
minutes = st.one_of(st.integers(0, 200), st.integers(1430, 1450))
answer_lists = st.lists(
    st.tuples(people, minutes, items, st.sampled_from(("home", "cart")), st.booleans(), st.booleans()),
    max_size=6,
).map(lambda drawn: [Shown(f"d{n}", *one) for n, one in enumerate(drawn)])
deed_lists = st.lists(
    st.builds(
        Deed, people, minutes, st.sampled_from((*KINDS, PAGE)), items,
        st.sampled_from(("", "", "d0", "d1", "d9")), st.integers(0, 3), st.sampled_from((1, 2, 300)),
    ),
    max_size=12,
)  # fmt: skip


def stated(deeds: Sequence[Deed]) -> list[Deed]:
    """Pages have no items; purchases some, or they are no sale."""
    return [
        deed._replace(
            items=() if deed.kind == PAGE else deed.items or (ITEMS[:1] if deed.kind == PURCHASE else ())
        )
        for deed in deeds
    ]


@settings(max_examples=150, deadline=None)
@given(answer_lists, deed_lists, st.randoms(use_true_random=False))
def test_the_join_agrees_with_its_slow_twin_whatever_the_order(
    answers: list[Shown], deeds: list[Deed], random: Any
) -> None:
    deeds = stated(deeds)
    records = records_of(answers, deeds)
    random.shuffle(records)
    assert counted(fold_of(records)) == slowly(answers, deeds)


@settings(max_examples=60, deadline=None)
@given(answer_lists, deed_lists, st.data())
def test_joining_between_changes_gives_what_joining_once_gives(
    answers: list[Shown], deeds: list[Deed], data: st.DataObject
) -> None:
    records = records_of(answers, stated(deeds))
    bodies = Bodies(records)
    fold = Fold(pseudonyms=NAMES, claims=Claims(), bodies=bodies, decode=decode)
    for one in bodies.stored:
        fold.apply([one])
        fold.outcomes.tallies()
    gone = [one for one in bodies.stored if data.draw(st.booleans())]
    for one in gone:
        fold.retract([one])
        fold.outcomes.tallies()
    left = fold_of([one.record for one in bodies.stored if one not in gone])
    assert counted(fold) == counted(left)
    assert fold.outcomes.digest() == left.outcomes.digest()


def measured(answers: Sequence[Shown], deeds: Sequence[Deed], measure: int) -> int:
    sums = counted(fold_of(records_of(answers, deeds)))
    return sum(value for key, value in sums.items() if key[-1] == measure)


HOME = Shown("d0", "ada", 100, ("tent", "stove"))


def test_a_second_click_on_the_same_item_of_an_answer_adds_nothing() -> None:
    click = Deed("ada", 110, CLICK, ("tent",))
    assert measured([HOME], [click, click._replace(at=111), click._replace(kind=VIEW, at=112)], CLICKS) == 1


def test_the_last_answer_that_showed_the_item_gets_the_click() -> None:
    later = HOME._replace(name="d1", at=105, placement="cart")
    sums = counted(fold_of(records_of([HOME, later], [Deed("ada", 110, CLICK, ("tent",))])))
    assert sums["ada", "cart", False, 0, CLICKS] == 1
    assert ("ada", "home", False, 0, CLICKS) not in sums


def test_an_event_that_names_a_decision_counts_there_even_from_another_person() -> None:
    later = HOME._replace(name="d1", at=105, placement="cart")
    click = Deed("bo", 110, CLICK, ("tent",), "d0")
    sums = counted(fold_of(records_of([HOME, later], [click])))
    assert sums["ada", "home", False, 0, CLICKS] == 1


def test_reported_impressions_replace_the_answer_as_what_was_seen() -> None:
    seen = Deed("ada", 101, IMPRESSION, ("tent",), "d0")
    assert measured([HOME], [], IMPRESSIONS) == 2
    assert measured([HOME], [seen], IMPRESSIONS) == 1
    assert measured([HOME], [seen, Deed("ada", 102, CLICK, ("stove",))], CLICKS) == 0
    assert measured([HOME._replace(counts=False)], [], IMPRESSIONS) == 0
    assert measured([HOME._replace(counts=False)], [Deed("ada", 101, IMPRESSION, (), "d0")], IMPRESSIONS) == 2


def test_what_comes_after_the_window_is_not_credited_and_purchases_have_their_own() -> None:
    assert measured([HOME], [Deed("ada", 161, CLICK, ("tent",))], CLICKS) == 0
    assert measured([HOME], [Deed("ada", 161, PURCHASE, ("tent",))], ORDERS) == 1
    assert measured([HOME], [Deed("ada", 221, PURCHASE, ("tent",))], ORDERS) == 0


def test_a_decision_that_comes_after_its_outcome_still_gets_it() -> None:
    records = records_of([HOME], [Deed("ada", 110, PURCHASE, ("tent",), "d0", 7)])
    assert counted(fold_of(records)) == counted(fold_of(records[::-1]))
    assert measured([HOME], [Deed("ada", 110, PURCHASE, ("tent",), "d0", 7)], REVENUE) == 7


def test_whatever_a_visitor_buys_counts_for_the_visitor() -> None:
    deed = Deed("ada", 110, PURCHASE, ("map", "tent"), "", 5, 300)
    assert measured([HOME], [deed], VISITOR_REVENUE) == 3_000
    assert measured([HOME], [deed], VISITOR_ORDERS) == 1
    assert measured([HOME], [deed], UNITS) == 300


def test_an_order_that_is_sent_twice_counts_once_and_a_cancelled_one_not_at_all() -> None:
    lines = (Line("tent", 1, 900, "tent"),)
    bought = Event(kind=PURCHASE, lines=lines, order="o", currency="EUR")
    twice = [*records_of([HOME], []), record("s:1", "ada", 110, bought), record("s:2", "ada", 111, bought)]
    measures = {key[-1]: value for key, value in counted(fold_of(twice)).items()}
    assert (measures[REVENUE], measures[ORDERS], measures[VISITOR_REVENUE]) == (900, 1, 900)
    off = record("s:3", "ada", 112, Event(kind=CANCEL, order="o"))
    assert REVENUE not in {key[-1] for key in counted(fold_of([*twice, off]))}


def test_an_orders_value_is_shared_out_where_its_lines_say_nothing() -> None:
    lines = (Line("tent", 1, 0, "tent"), Line("map", 2, 0, "map"))
    bought = Event(kind=PURCHASE, lines=lines, order="o", currency="EUR", value=1_000)
    measures = {
        key[-1]: value
        for key, value in counted(
            fold_of([*records_of([HOME], []), record("s:1", "ada", 110, bought)])
        ).items()
    }
    assert (measures[REVENUE], measures[VISITOR_REVENUE]) == (334, 1_000)


def test_a_snapshot_with_a_number_that_means_nothing_is_corrupt() -> None:
    state = dict(fold_of(records_of([HOME], [Deed("ada", 110, CLICK, ("tent",), "d0")])).outcomes.state())
    for name in ("subjects", "items", "groups"):
        wrong = {**state, name: state[name] + 1_000}
        with pytest.raises(Corrupt):
            fold_of([]).outcomes.restore(wrong)
    with pytest.raises(Corrupt):
        fold_of([]).outcomes.restore({name: array for name, array in state.items() if name != "ends"})
    with pytest.raises(Corrupt):
        fold_of([]).outcomes.restore({**state, "ats": np.zeros(7, dtype=np.int64)})


def test_many_answers_grow_the_tables_and_go_again_without_a_trace() -> None:
    answers = [Shown(f"d{n}", ("ada", "bo", "cy")[n % 3], n, ITEMS[: n % 4], window=30) for n in range(3_000)]
    deeds = [Deed(("ada", "bo", "cy")[n % 3], n, CLICK, ("tent",), f"d{n}") for n in range(3_000)]
    records = records_of(answers, deeds)
    fold = fold_of(records)
    assert fold.outcomes.held() == (3_000, 3_000)
    assert counted(fold) == slowly_enough(answers, deeds)
    everything = Bodies(records).stored
    fold.retract(everything[500:])
    assert fold.outcomes.digest() == fold_of(records[:500]).outcomes.digest()
    fold.retract(everything[:500])
    assert fold.outcomes.digest() == fold_of([]).outcomes.digest()


def slowly_enough(answers: Sequence[Shown], deeds: Sequence[Deed]) -> Sums:
    """The twin, for deeds that all name an answer of the same minute."""
    sums: Sums = {}
    for one, deed in zip(answers, deeds, strict=True):
        for key, value in slowly([one], [deed]).items():
            sums[key] = sums.get(key, 0) + value
    return sums
