"""A replay answers as the server would have, before it learns, and leaves nothing of a tested session behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace as changed
from functools import partial
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.quality import PUBLISHED_MRR, data_folder
from heedful.compose import Heedful
from heedful.compose.pipelines import pipeline_of
from heedful.faces.cli.files import opened
from heedful.models.metrics.ranking import judge
from heedful.pipeline.pipeline import Pipeline
from heedful.pipeline.ranker import Blend
from heedful.pipeline.sources import SessionNeighbours
from heedful.services.evaluate.datasets import load
from heedful.services.evaluate.evaluate import Plan, Systems, answers
from heedful.services.evaluate.protocols import GiveBack, Learn, Protocol, TakeIn, walk
from heedful.services.evaluate.replay import Sheet, System, replay
from heedful.services.evaluate.streams import Builder, Described, Stream
from heedful.services.evaluate.systems import Codes, Paced, Pipelines, Question, Repeats, Update
from heedful.views.fold import Fold
from heedful.views.neighbours import Neighbours
from heedful.views.reading import Desk
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.event import Line
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.kinds import PURCHASE, VIEW
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import DAY, HOUR, MINUTE, FixedClock, Instant, iso
from tests.services.evaluate.histories import orders, rules, views

ITEMS = "abcdef"
BEGUN = 1_795_392_000_000_000  # 2026-11-23, midnight

Events = list[tuple[str, str, float]]
histories = st.lists(
    st.tuples(st.sampled_from("xyz"), st.sampled_from(ITEMS), st.integers(0, 200)), min_size=1, max_size=40
).map(lambda events: sorted(events, key=lambda event: event[2]))


class Spy:
    """A learner that notes what it was told, and answers with what it learned last."""

    names = ("spy",)

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.learned: list[int] = []
        self.known: list[list[int]] = []

    def learn(self, events: Sequence[int]) -> None:
        self.learned += events

    def reach(self, at: int) -> None:
        del at

    def take_in(self, event: int) -> None:
        self.learned.append(event)

    def give_back(self) -> None:
        raise AssertionError("nothing was taken in")

    def answer(self, question: Question, k: int) -> list[NDArray[np.int32]]:
        self.known.append(self.learned.copy())
        seen = [int(item) for event in reversed(self.learned) for item in self.stream.items_of(event)]
        allowed = [item for item in dict.fromkeys(seen) if item not in question.barred]
        return [np.array(allowed[:k], dtype=np.int32)]


def slowly(events: Events, k: int) -> list[list[str]]:
    """The walk in ten lines: the newest distinct items, asked before each event is learned."""
    learned: list[str] = []
    people: set[str] = set()
    given = []
    for who, item, _ in events:
        if who in people:
            given.append([*dict.fromkeys(reversed(learned))][:k])
        learned.append(item)
        people.add(who)
    return given


def asked_for(events: Events) -> list[int]:
    """The events of people who did something before."""
    return [n for n, (who, _, _) in enumerate(events) if who in {one for one, _, _ in events[:n]}]


def lists_of(sheet: Sheet, names: Sequence[str], system: System) -> list[list[str]]:
    return [[names[item] for item in row if item >= 0] for row in sheet.lists[system].tolist()]


def spied(
    stream: Stream, update: Update = Update.INSTANT, **more: object
) -> tuple[Spy, dict[Repeats, Sheet]]:
    spy = Spy(stream)
    steps = partial(walk, Protocol.PREQUENTIAL, stream, rules(stream))
    sheets = replay(steps, [Paced(spy, update, stream.at)], k=3, **{"repeats": [Repeats.ALLOWED], **more})  # type: ignore[arg-type]  # each test names what it sets
    return spy, sheets


@settings(deadline=None, max_examples=60)
@given(histories)
def test_every_answer_is_that_of_a_slow_walk_which_answers_before_it_learns(events: Events) -> None:
    stream = views(*events)
    expected = slowly(events, 3)
    if not expected:
        with pytest.raises(Invalid, match="a second time"):
            spied(stream)
        return
    spy, sheets = spied(stream)
    assert lists_of(sheets[Repeats.ALLOWED], stream.names.items, System("spy", Update.INSTANT)) == expected
    assert spy.known == [list(range(event)) for event in asked_for(events)]


@settings(deadline=None, max_examples=30)
@given(histories, st.sampled_from([Update.HOURLY, Update.DAILY]))
def test_a_delayed_system_knows_what_came_before_the_last_full_hour_or_day(
    events: Events, update: Update
) -> None:
    stream = views(*[(who, item, 17 * minutes) for who, item, minutes in events])
    asked = asked_for(events)
    if asked:
        spy, _ = spied(stream, update)
        width = {Update.HOURLY: HOUR, Update.DAILY: DAY}[update]
        for event, known in zip(asked, spy.known, strict=True):
            assert known == [n for n in range(event) if stream.at[n] // width < stream.at[event] // width]


def test_without_repeats_the_current_item_is_neither_asked_for_nor_answered() -> None:
    stream = views(("x", "a", 0), ("x", "a", 1), ("x", "b", 2), ("x", "a", 3))
    _, sheets = spied(stream, repeats=[Repeats.ALLOWED, Repeats.REMOVED])
    system = System("spy", Update.INSTANT)
    names = stream.names.items
    assert lists_of(sheets[Repeats.ALLOWED], names, system) == [["a"], ["a"], ["b", "a"]]
    assert lists_of(sheets[Repeats.REMOVED], names, system) == [[], ["a"]]
    assert sheets[Repeats.REMOVED].targets.values.tolist() == [1, 0]
    assert (sheets[Repeats.ALLOWED].left_out, sheets[Repeats.REMOVED].left_out) == (0, 1)


def test_a_sample_is_drawn_by_the_seed_and_learns_as_much() -> None:
    stream = views(*[("x", ITEMS[n % 6], n) for n in range(100)])
    spy, sheets = spied(stream, sample=10, seed=4)
    again, _ = spied(stream, sample=10, seed=4)
    other, _ = spied(stream, sample=10, seed=5)
    assert len(sheets[Repeats.ALLOWED]) == 10
    assert spy.known == again.known != other.known
    assert all(known == list(range(len(known))) for known in spy.known)


def a_week(seed: int) -> Stream:
    """Visits to a small shop, with orders and a catalogue in which one item comes late and one is deleted."""
    dice, builder, at = Random(seed), Builder("week"), BEGUN
    for name in ITEMS:
        told = Item(ItemId(name), title=name, categories=(name.upper()[:1],))
        builder.described.append(Described(BEGUN + (40 * HOUR if name == "f" else 0), name, told))
    builder.described.append(Described(BEGUN + 60 * HOUR, "a", None))
    for number in range(80):
        at += round(dice.expovariate(1) * 80 * MINUTE) + 1
        who, item = dice.choice("xyz"), Line(dice.choice(ITEMS))
        if number % 9 == 8:
            builder.add(who, PURCHASE, at, (Line(item.item, 1, 0, item.item),), order=f"o{number}")
        else:
            builder.add(who, VIEW, at, (item,))
    return builder.stream()


def as_served(stream: Stream) -> list[list[str]]:
    """What a server gives that is told of each event in turn and asked before each."""
    clock = FixedClock(Instant(BEGUN))
    server = Heedful(clock=clock)
    given: list[list[str]] = []
    people: set[str] = set()
    described = list(stream.described)
    for event in range(len(stream)):
        clock.at = Instant(int(stream.at[event]))
        who = stream.names.subjects[stream.subject[event]]
        items = [stream.names.items[item] for item in stream.items_of(event)]
        while described and described[0].at <= clock.at:
            told = described.pop(0)
            if told.item is None:
                server.delete_item(told.name)
            else:
                server.put_items([told.item])
        if who in people:
            given.append([shown.item_id for shown in server.recommend(who, limit=5).items])
        people.add(who)
        properties: dict[str, object] = {"products": [{"product_id": item} for item in items]}
        name = "Product Viewed"
        if stream.order[event] >= 0:
            name, properties["order_id"] = "Order Completed", stream.names.orders[stream.order[event]]
        else:
            properties = {"product_id": items[0]}
        server.track(name, user_id=who, properties=properties, timestamp=iso(clock.at))
    server.close()
    return given


@pytest.mark.parametrize("seed", range(3))
def test_a_pipeline_answers_as_the_server_would_have(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heedful.compose.secrets.token_bytes", bytes)  # so that ties fall alike
    stream = a_week(seed)
    plan = Plan(systems=("default",), repeats=(Repeats.ALLOWED,), k=5, as_served=True)
    sheets, codes = answers(stream, plan, Systems({"default": pipeline_of}, {}), Settings())
    mine = lists_of(sheets[Repeats.ALLOWED], codes.names, System("default", Update.INSTANT))
    assert mine == as_served(stream)
    assert any(mine)


def digests_after(
    stream: Stream, protocol: Protocol, **more: object
) -> tuple[dict[str, str], dict[str, str]]:
    """Of a fold that went through tests, and of one that only learned."""
    found = []
    for tests in (True, False):
        pipelines = Pipelines(stream, Codes(stream), {"default": pipeline_of}, Settings())
        paced = Paced(pipelines, Update.INSTANT, stream.at)
        for step in walk(protocol, stream, rules(stream, **more)):
            match step:
                case Learn(event=event):
                    paced.learn(event)
                case TakeIn(event=event) if tests:
                    paced.take_in(event)
                case GiveBack() if tests:
                    pipelines.give_back()
                case _:
                    pass
        paced.catch_up(None)
        found.append(pipelines.fold.digests())
    return found[0], found[1]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("protocol", [Protocol.NEXT_ITEM, Protocol.STRONG])
def test_a_tested_session_leaves_no_trace(protocol: Protocol, seed: int) -> None:
    tested, learned = digests_after(a_week(seed), protocol, split=0.4, held_out=0.5, seed=seed)
    assert tested == learned


def test_an_item_that_was_bought_can_be_asked_for_unless_the_pipeline_is_as_served() -> None:
    stream = orders(("x", "o1", "ab", 0), ("y", "o2", "ab", 10), ("x", "o3", "ab", 20))
    shown = {}
    for served in (True, False):
        plan = Plan(systems=("default",), protocol=Protocol.NEXT_BASKET, k=5, as_served=served)
        sheets, codes = answers(stream, plan, Systems({"default": pipeline_of}, {}), Settings())
        shown[served] = lists_of(sheets[Repeats.ALLOWED], codes.names, System("default", Update.INSTANT))
        assert len(sheets[Repeats.REMOVED]) == 0
    assert shown == {True: [[]], False: [["a", "b"]]} or shown == {True: [[]], False: [["b", "a"]]}


def test_with_a_trail_of_its_own_a_question_knows_the_askers_newest_items_before_the_fold_does() -> None:
    stream = views(
        ("x", "a", 0), ("x", "b", 1), ("y", "a", 24 * 60), ("y", "b", 24 * 60 + 1), ("z", "c", 24 * 60 + 2)
    )  # fmt: skip
    given = {}
    for own in (True, False):
        plan = Plan(systems=("sessions",), updates=(Update.DAILY,), k=5, own_trail=own)
        sheets, codes = answers(stream, plan, Systems({"sessions": sessions_only}, {}), Settings())
        given[own] = lists_of(sheets[Repeats.ALLOWED], codes.names, System("sessions", Update.DAILY))
    assert given == {True: [[], ["b"]], False: [[], []]}


def sessions_only(fold: Fold, newest: int = 500, count: int = 100, trail: int = 4) -> Pipeline:
    """The session source alone."""
    source = SessionNeighbours(
        Neighbours(Desk(fold.sessions, fold.items)), newest=newest, count=count, trail=trail
    )
    ranker = Blend([source.name], {source.name: 1.0})
    return changed(pipeline_of(fold), sources=(source,), fallback=(), ranker=ranker)


@pytest.mark.skipif(
    not data_folder().is_dir(), reason="serenade_example is not there: set HEEDFUL_DATA to the data folder"
)
def test_next_item_reaches_the_published_quality_with_the_published_settings() -> None:
    stream = load("serenade_example", data_folder().parent, opened)
    published = partial(sessions_only, newest=1_502, count=288)
    plan = Plan(
        systems=("sessions",), protocol=Protocol.NEXT_ITEM, repeats=(Repeats.REMOVED,), own_trail=True
    )
    sheets, _ = answers(stream, plan, Systems({"sessions": published}, {}), Settings())
    sheet = sheets[Repeats.REMOVED]
    found = judge(sheet.lists[System("sessions", Update.INSTANT)], sheet.targets, 20)
    assert len(sheet) == 931
    assert abs(found.mrr.mean() - PUBLISHED_MRR) <= 0.003
