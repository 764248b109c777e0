"""Rules made ready agree with rules read off the page, and pins move nothing but what they must."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.pipeline.candidates import KEPT, Candidates
from heedful.pipeline.conditions import QUESTION, RULED, compiled_condition, parse
from heedful.pipeline.placing import Pinned, Plan, Spot
from heedful.pipeline.policy import Choice
from heedful.pipeline.rules import Lift, Verdicts
from heedful.pipeline.surroundings import Surroundings, compiled_when
from heedful.views.dictionary import Kinds, Subjects
from heedful.views.history import History
from heedful.views.shown import Shown
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.placement import placement_of
from heedful.vocabulary.time import DAY, HOUR, Instant, moment
from tests.pipeline.test_filters import NAMES, Shelf, codes, question

NOW = Instant(1_795_433_631_000_000)  # Monday, 2026-11-23T11:33:51Z


# Conditions of items, kept


LEAVES = st.sampled_from([
    {"field": "category", "op": "eq", "value": "a"},
    {"field": "price", "op": "lt", "value": 500},
    {"field": "properties.x", "op": "exists"},
    {"field": "id", "op": "in", "value": ["tent", "map"]},
    {"field": "age_days", "op": "ge", "value": 2},
    {"field": "age_days", "op": "exists", "value": False},
])  # fmt: skip
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"all": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(inner, max_size=3)}),
    ),
    max_leaves=5,
)
DESCRIPTIONS = st.fixed_dictionaries({
    "categories": st.sampled_from([(), ("a",), ("b", "a")]),
    "price": st.sampled_from([None, {"minor": 100}, {"minor": 900}]),
    "published": st.sampled_from([None, *(moment(Instant(NOW - days * DAY)) for days in (0, 1, 2, 3))]),
    "properties": st.sampled_from([{}, {"x": 1}]),
})  # fmt: skip
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from(NAMES), DESCRIPTIONS),
        st.tuples(st.just("delete"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("wait"), st.integers(0, 30), st.none()),
        st.tuples(st.just("ask"), st.lists(st.integers(0, 3), max_size=4), st.none()),
    ),
    max_size=12,
)


@settings(max_examples=120, deadline=None)
@given(tree=TREES, steps=STEPS)
def test_a_kept_verdict_is_the_one_that_would_be_found_now(tree: Any, steps: list[Any]) -> None:
    import msgspec

    shelf, now = Shelf(), NOW
    condition = parse(tree, "where", RULED)
    verdicts = Verdicts(condition, shelf.catalogue, shelf.items)
    for step, what, fields in [*steps, ("ask", [0, 1, 2, 3], None)]:
        if step == "say":
            item = msgspec.convert({"id": what, **fields}, Item)
            shelf._change(what, item)
        elif step == "delete":
            shelf.delete(what)
        elif step == "wait":
            now = Instant(now + what * HOUR)
        else:
            fresh = compiled_condition(condition, Instant(now // HOUR * HOUR))
            wanted = [fresh(shelf.catalogue.get(code), shelf.items.ids[code]) for code in what]
            assert verdicts.of(codes(*what), now).tolist() == wanted


def test_an_item_that_is_not_described_anew_is_not_looked_at_again() -> None:
    shelf = Shelf()
    shelf.say("tent", title="T")
    verdicts = Verdicts(
        parse({"field": "title", "op": "eq", "value": "T"}, "where", RULED), shelf.catalogue, shelf.items
    )
    asked: list[str] = []
    test = verdicts._test
    verdicts._test = lambda item, name: asked.append(name) or test(item, name)  # type: ignore[func-returns-value]  # append gives None
    for _ in range(3):
        assert verdicts.of(codes(0, 1), NOW).tolist() == [True, False]
    assert asked == ["tent", "stove"]
    shelf.say("stove", title="T")
    assert verdicts.of(codes(0, 1), NOW).tolist() == [True, True]
    assert asked == ["tent", "stove", "stove"]


# Conditions of questions


WHENS = st.recursive(
    st.sampled_from([
        {"field": "placement", "op": "eq", "value": "home"},
        {"field": "hour", "op": "ge", "value": 12},
        {"field": "weekday", "op": "in", "value": [1, 7]},
        {"field": "page.category", "op": "eq", "value": "a"},
        {"field": "known", "op": "eq", "value": True},
        {"field": "context.n", "op": "lt", "value": 3},
    ]),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"all": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(inner, max_size=3)}),
    ),
    max_leaves=6,
)  # fmt: skip


def holds(tree: dict[str, Any], around: Surroundings) -> bool:
    """The slow twin: read off the tree, with the calendar of the standard library."""
    if "all" in tree:
        return all(holds(part, around) for part in tree["all"])
    if "any" in tree:
        return any(holds(part, around) for part in tree["any"])
    if "not" in tree:
        return not holds(tree["not"], around)
    value, at = tree["value"], moment(around.now)
    return bool({
        "placement": around.placement == value,
        "hour": at.hour >= 12,
        "weekday": at.isoweekday() in (1, 7),
        "page.category": around.item is not None and "a" in around.item.categories,
        "known": around.known,
        "context.n": isinstance(around.said.get("n"), int) and around.said["n"] < 3,
    }[tree["field"]])  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    tree=WHENS,
    placement=st.sampled_from(["home", "away"]),
    hours=st.integers(-30_000, 300),
    categories=st.sampled_from([None, (), ("a",), ("b", "a")]),
    known=st.booleans(),
    said=st.sampled_from([{}, {"n": 2}, {"n": 3}, {"n": "2"}]),
)
def test_a_when_holds_as_its_tree_says(
    tree: Any, placement: str, hours: int, categories: Any, known: bool, said: Any
) -> None:
    item = None if categories is None else Item(ItemId("p"), categories=categories)
    around = Surroundings(placement, Instant(NOW + hours * HOUR), "p", item, known, said)
    assert compiled_when(parse(tree, "when", QUESTION))(around) is holds(tree, around)


def test_a_tree_too_large_is_refused_where_it_grows_too_large() -> None:
    leaf = {"field": "hour", "op": "eq", "value": 1}
    with pytest.raises(Invalid, match=r"rules\[0\]\.when\.all\[99\]") as refused:
        parse({"all": [leaf] * 101}, "rules[0].when", QUESTION)
    assert refused.value.code == "placement_invalid"


# Boosts and pins


def candidates_of(rows: int) -> Candidates:
    candidates = Candidates(2, lambda: 100)
    candidates.add(0, np.arange(rows, dtype=np.int32), np.ones(rows), codes(-1))
    return candidates


def test_a_boost_lifts_a_score_below_0_too() -> None:
    shelf = Shelf()
    candidates = candidates_of(4)
    candidates.totals[:] = [1.0, -1.0, 0.0, -3.0]
    all_of_it = Verdicts(parse({"all": []}, "where", RULED), shelf.catalogue, shelf.items)
    Plan(lifts=(Lift(all_of_it, 2.0),)).boost(question(), candidates)
    assert candidates.totals.tolist() == [2.0, -0.5, 0.0, -1.5]


def placed(chosen: list[int], pins: list[tuple[int, int]], kept: set[int], size: int) -> list[int]:
    """The slow twin of `Plan.place`: take the pins out, then give each its place, in their order."""
    at: dict[int, int] = {}
    for wanted, item in pins:
        place = next(free for free in count(wanted) if free not in at)
        if item in kept and place < size:
            at[place] = item
    rest = [item for item in chosen if item not in at.values()]
    slate: list[int] = []
    for place in range(size):  # a pin whose place is beyond the end of the rest comes right after it
        if place in at:
            slate.append(at[place])
        elif rest:
            slate.append(rest.pop(0))
    return slate


@settings(max_examples=300, deadline=None)
@given(
    many=st.integers(0, 8),
    gone=st.sets(st.integers(0, 7)),
    pins=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=4, unique_by=lambda pin: pin[1]),
    size=st.integers(1, 8),
)
def test_pins_stand_where_they_should_and_the_rest_keeps_its_order(
    many: int, gone: set[int], pins: list[tuple[int, int]], size: int
) -> None:
    candidates = candidates_of(many)
    for row in gone:
        if row < many:
            candidates.columns.reason[row] = 1
    kept = {row for row in range(many) if candidates.columns.reason[row] == KEPT}
    chosen = sorted(kept)[:size]
    choice = Choice(np.array(chosen, dtype=np.int64), np.full(len(chosen), 0.25))
    plan = Plan(pins=tuple(Pinned(*pin) for pin in pins))
    rows, propensities = plan.place(candidates, choice, size, ("sessions", "pins"))
    assert rows.tolist() == placed(chosen, pins, kept, size)
    assert len(set(rows.tolist())) == len(rows) >= len(chosen)
    fixed = {item for place, item in pins if item in kept}
    for row, propensity in zip(rows.tolist(), propensities.tolist(), strict=True):
        assert propensity == 0.25 or (propensity == 1.0 and row in fixed)


def test_a_spot_without_rules_asks_for_nothing_and_carries_its_strengths() -> None:
    shelf = Shelf()
    shown = Shown(History(Subjects(), shelf.items, Kinds()))
    placement = placement_of("home", {
        "diversity": 0.3, "calibration": 0.2, "exploration": {"slots": 2, "share": 0.1}, "objective": {"play": 3},
    })  # fmt: skip
    spot = Spot(placement, 4, catalogue=shelf.catalogue, items=shelf.items, shown=shown)
    plan = spot.plan(Surroundings("home", NOW))
    assert plan == Plan(objective={"play": 3.0}, diversity=0.3, calibration=0.2, slots=2, share=0.1)
    assert spot.version == 4
