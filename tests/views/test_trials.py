"""What experiments come to: equal to a plain count over the events that are there, to the last digit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.log.codec import decode, encode
from heedful.views.fold import Fold
from heedful.views.trial_sums import PAIRS, Cell, Standing
from heedful.vocabulary.decision import Decision, encode_decision, outline_of
from heedful.vocabulary.event import Event, Line, Record, Stored
from heedful.vocabulary.ids import NOBODY, EventId
from heedful.vocabulary.kinds import CLICK, DECISION, EXPOSURE, PAGE, PURCHASE, TRIAL, VIEW
from heedful.vocabulary.time import DAY, HOUR, Instant
from heedful.vocabulary.trial import LARGEST, Aggregate, Measure, Trial
from tests.views.test_fold import NAMES, PEOPLE, folded, stored

MEASURES = (
    Measure("views", (VIEW, CLICK), hours=3, per=(PAGE,)),
    Measure("anything", (VIEW,), Aggregate.ANY, hours=24),
    Measure("units", (PURCHASE,), Aggregate.UNITS, hours=48, cap=300),
    Measure("paid", (PURCHASE,), Aggregate.AMOUNT, hours=6, currency="EUR"),
    Measure("others", ("waved",), hours=6, per=(VIEW,)),
)
Row = tuple[str, int, int, int, list[list[int]]]


def twin(records: Sequence[Record], key: str) -> tuple[dict[bytes, Row], int] | None:
    """Rows by subject and how many saw both arms, in plain Python."""
    changes = sorted(
        (one.at, NAMES.fingerprint(one.id), msgspec.json.decode(decode(one.body).properties, type=Trial))
        for one in records
        if decode(one.body).kind == TRIAL
    )
    mine = [change for change in changes if change[2].key == key]
    running = [change for change in mine if change[2].running]
    if not running:
        return None
    since, _, trial = running[0]
    until: int = 1 << 62 if mine[-1][2].running else mine[-1][0]
    weights, turns = trial.weights, []
    for at, _, change in mine:
        if at > since and change.weights != weights:
            weights = change.weights
            turns.append(at)
    seen: dict[bytes, list[tuple[int, str]]] = defaultdict(list)
    for one in records:
        event = decode(one.body)
        if event.kind == DECISION:
            arms: Any = outline_of(event.properties).arms
        elif event.kind == EXPOSURE:
            arms = msgspec.json.decode(event.properties)
        else:
            continue
        if since <= one.at < until:
            seen[one.subject] += [(one.at, arm) for name, arm in arms if name == key and arm in trial.arms]
    rows: dict[bytes, Row] = {}
    crossed = 0
    for subject, shown in seen.items():
        arms = {arm for _, arm in shown}
        crossed += len(arms) > 1
        if len(arms) == 1:
            first = min(when for when, _ in shown)
            past = [(one.at, decode(one.body)) for one in records if one.subject == subject]
            fresh = all(when >= first - DAY for when, _ in past)
            figures = [figures_of(one, past, first, trial.before_days * DAY) for one in trial.measures]
            rows[subject] = (arms.pop(), sum(turn <= first for turn in turns), first, int(fresh), figures)
    return rows, crossed


def figures_of(measure: Measure, past: list[tuple[Instant, Event]], at: int, before: int) -> list[int]:
    found = []
    for since, until in ((at, at + measure.hours * HOUR), (at - before, at)):
        mine = [event for when, event in past if since <= when < until]
        counted = [event for event in mine if event.kind in measure.kinds]
        if measure.aggregate is Aggregate.UNITS:
            value = sum(line.quantity for event in counted for line in event.lines)
        elif measure.aggregate is Aggregate.AMOUNT:
            lines = [line for event in counted if event.currency == measure.currency for line in event.lines]
            value = sum(line.amount for line in lines)
        else:
            value = len(counted)
        if measure.aggregate is Aggregate.ANY:
            value = min(value, 1)
        found += [min(value, measure.cap or LARGEST), sum(event.kind in measure.per for event in mine)]
    return found


def rows_of(fold: Fold, standing: Standing) -> dict[bytes, Row]:
    found: dict[bytes, Row] = {}
    codes = {int(fold.subjects.find(NAMES.user(name))): NAMES.user(name) for name in PEOPLE}
    for place in range(standing.count):
        arm = int(standing.rows.arm[place])
        if arm >= 0:
            found[codes[int(standing.whose[place])]] = (
                standing.trial.arms[arm], int(standing.rows.epoch[place]), int(standing.rows.at[place]),
                int(standing.rows.fresh[place]), standing.rows.figures[place].tolist(),
            )  # fmt: skip
    return found


def check(fold: Fold, records: Sequence[Record]) -> None:
    for key in ("e", "f"):
        standing, plain = fold.trials.standing(key), twin(records, key)
        assert (standing is None) == (plain is None)
        if standing is None or plain is None:
            continue
        rows, crossed = plain
        assert rows_of(fold, standing) == rows
        assert standing.crossed == crossed
        sums: dict[Cell, list[list[int]]] = {}
        for arm, epoch, at, fresh, figures in rows.values():
            cell = Cell(epoch, standing.trial.arms.index(arm), at // DAY, fresh)
            moments = [[*one, *(one[a] * one[b] for a, b in PAIRS)] for one in figures]
            known = sums.get(cell)
            sums[cell] = (
                moments
                if known is None
                else [[a + b for a, b in zip(x, y, strict=True)] for x, y in zip(known, moments, strict=True)]
            )
        assert {cell: one.moments.tolist() for cell, one in standing.cells.items()} == sums
        assert sum(one.units for one in standing.totals.values()) == len(rows)


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    """Few people over a few days, and two experiments that come and go."""
    made = []
    for number in range(draw(st.integers(1, 16))):
        at = Instant(20 * DAY + draw(st.integers(0, 30)) * 3 * HOUR)
        subject = NAMES.user(draw(st.sampled_from(PEOPLE)))
        sort = draw(st.integers(0, 7))
        if sort <= 1:
            subject = NOBODY
            trial = Trial(
                draw(st.sampled_from("ef")), ("a", "b"), draw(st.sampled_from(((1, 1), (1, 3)))), MEASURES,
                draw(st.integers(0, 3)) > 0, before_days=draw(st.integers(0, 2)),
            )  # fmt: skip
            event = Event(kind=TRIAL, properties=msgspec.json.encode(trial))
        elif sort <= 3:
            arms = draw(st.sampled_from(((("e", "a"),), (("e", "b"), ("f", "a")), (("f", "gone"),))))
            name = f"{number:x}"
            event = Event(kind=EXPOSURE, decision=f"x{name}", properties=msgspec.json.encode(arms))
            if sort == 3:
                answer = Decision("home", [], 1, [], arms=arms)
                event = Event(kind=DECISION, decision=name, properties=encode_decision(answer))
        elif sort == 4:
            amount = draw(st.sampled_from((0, 500, LARGEST)))
            lines = (
                Line("tent", draw(st.sampled_from((1, 255, 256, 1_000))), amount, "tent"),
                Line("map", 1, 5, "map"),
            )
            event = Event(
                kind=PURCHASE, lines=lines, order=f"o{number}", currency=draw(st.sampled_from(("EUR", "USD")))
            )
        else:
            kind = draw(st.sampled_from((VIEW, CLICK, PAGE, "waved")))
            looked = (Line("tent"), Line("map"))[: draw(st.integers(1, 2))] if kind in (VIEW, CLICK) else ()
            event = Event(kind=kind, lines=looked)
        made.append(Record(EventId(f"s:{number}"), subject, at, at, Instant(0), at, encode(event)))
    return made


@settings(max_examples=200, deadline=None)
@given(histories(), st.data())
def test_figures_and_sums_are_those_of_a_plain_count(history: list[Record], data: st.DataObject) -> None:
    records = stored(history)
    cut = data.draw(st.integers(0, len(records)))
    fold = folded([records[:cut]])
    check(fold, history[:cut])
    for one in records[cut:]:
        fold.apply([one])
        if data.draw(st.booleans()):
            fold.trials.refresh()
    check(fold, history)


@settings(max_examples=150, deadline=None)
@given(histories(), st.sets(st.integers(0, 15)))
def test_what_is_taken_back_was_never_counted(history: list[Record], places: set[int]) -> None:
    records = stored(history)
    fold = folded([records])
    fold.trials.refresh()
    gone: list[Stored] = [one for place, one in enumerate(records) if place in places]
    fold.retract(gone)
    left = [one.record for one in records if one not in gone]
    check(fold, left)
    assert fold.digests() == folded([[one for one in records if one not in gone]]).digests()


@settings(max_examples=60, deadline=None)
@given(histories())
def test_a_snapshot_brings_back_every_figure(history: list[Record]) -> None:
    fold = folded([stored(history)])
    again = folded([stored(history)])
    state = {name: array.copy() for name, array in fold.trials.state().items()}
    fresh = type(again.trials)(again.history, again.outcomes, again.subjects, again.kinds)
    fresh.restore(state)
    assert fresh.digest() == fold.trials.digest()


def test_the_arm_of_a_unit_is_that_of_its_first_exposure() -> None:
    def shown(number: int, at: int, arm: str) -> Record:
        event = Event(kind=EXPOSURE, decision=f"x{number}", properties=msgspec.json.encode([("e", arm)]))
        when = Instant(at)
        return Record(EventId(f"s:{number}"), NAMES.user("ada"), when, when, Instant(0), when, encode(event))

    records = stored([shown(1, 5 * DAY, "b"), shown(2, 4 * DAY, "a")])
    fold = folded([records])
    ada = fold.subjects.find(NAMES.user("ada"))
    assert fold.trials.arm_of("e", ada) == "a"
    fold.retract(records[1:])
    assert fold.trials.arm_of("e", ada) == "b"
    assert fold.trials.arm_of("f", ada) is None
    assert fold.trials.arm_of("e", 99) is None
