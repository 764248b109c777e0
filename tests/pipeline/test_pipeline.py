"""The whole way of a slate over random shops: nothing disappears, order and reasons are what they claim."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.compose.pipelines import WEIGHTS, pipeline_of
from heedful.pipeline.context import Context
from heedful.pipeline.pipeline import Slate, Stage
from heedful.vocabulary.time import Instant
from tests.services.shop import Shop

PEOPLE = ("ada", "bo", "cy")
ITEMS = ("tent", "stove", "map", "boots", "lamp", "rope", "axe")
EVENTS = ("Product Viewed", "Product Viewed", "Product Added", "Order Completed", "hide", "dislike", "like")

DEEDS = st.lists(
    st.tuples(
        st.sampled_from(EVENTS),
        st.sampled_from(PEOPLE),
        st.sampled_from(ITEMS),
        st.sampled_from((0, 1, 40)),
    ),
    max_size=20,
)
SHELF = st.lists(
    st.fixed_dictionaries({
        "id": st.sampled_from((*ITEMS, "never seen")),
        "title": st.sampled_from(("", "A {0} “title”", "<b>%s</b>")),
        "categories": st.sampled_from(([], ["sleep"], ["cook", "sleep"])),
        "available": st.sampled_from((True, True, False)),
    }),
    max_size=5,
)  # fmt: skip
QUESTION = st.fixed_dictionaries(
    {"limit": st.sampled_from((1, 3, 100))},
    optional={
        "item_id": st.sampled_from((*ITEMS, "unheard of")),
        "exclude": st.lists(st.sampled_from(ITEMS), max_size=3),
        "filter": st.just({"field": "category", "op": "eq", "value": "sleep"}),
    },
)


def open_shop(deeds: list[tuple[str, str, str, int]], shelf: list[dict[str, Any]]) -> Shop:
    shop = Shop()
    shop.put_items(shelf)
    for event, who, item, minutes in deeds:
        shop.does(event, who, item)
        shop.wait(minutes)
    return shop


@settings(max_examples=120, deadline=None)
@given(DEEDS, SHELF, QUESTION, st.sampled_from((*PEOPLE, "dee", None)))
def test_at_every_stage_what_was_considered_is_kept_or_removed(
    deeds: list[tuple[str, str, str, int]],
    shelf: list[dict[str, Any]],
    question: dict[str, Any],
    who: str | None,
) -> None:
    shop = open_shop(deeds, shelf)
    answer = shop.recommend(who, explain=True, **question)
    assert answer.trace is not None
    stages = answer.trace["stages"]
    for stage in stages:
        assert stage["considered"] == stage["kept"] + stage["removed"]
    filters = [stage for stage in stages if stage["stage"] == "filter"]
    first = [stage["name"] for stage in filters if stage["name"] != "duplicate"]
    rounds = len(first) // (8 if "filter" in question else 7)
    assert first == first[: len(first) // rounds] * rounds
    names = [stage["name"] for stage in filters]
    assert names[-1] == "duplicate"
    for before, after in pairwise(filters):
        if after["name"] != names[0]:
            assert after["considered"] == before["kept"]
    for name, gone in answer.trace["removed"].items():
        assert len(set(gone)) == len(gone) == sum(one["removed"] for one in filters if one["name"] == name)
    assert stages[-1]["considered"] == len(answer.trace["candidates"]) == filters[-1]["kept"]
    assert stages[-1]["kept"] == len(answer.items) == min(question["limit"], filters[-1]["kept"])


@settings(max_examples=120, deadline=None)
@given(DEEDS, SHELF, QUESTION, st.sampled_from((*PEOPLE, "dee", None)))
def test_scores_are_the_weighted_sum_and_the_best_comes_first(
    deeds: list[tuple[str, str, str, int]],
    shelf: list[dict[str, Any]],
    question: dict[str, Any],
    who: str | None,
) -> None:
    answer = open_shop(deeds, shelf).recommend(who, explain=True, **question)
    assert answer.trace is not None
    scores = {one["itemId"]: one["score"] for one in answer.trace["candidates"]}
    for one in answer.trace["candidates"]:
        expected = sum(WEIGHTS[name] * value for name, value in one["sources"].items())
        assert abs(one["score"] - expected) < 1e-9
    shown = [item.item_id for item in answer.items]
    assert len(set(shown)) == len(shown)
    assert all(abs(item.score - scores[item.item_id]) < 1e-5 for item in answer.items)
    ranked = sorted(scores.values(), reverse=True)
    assert [scores[item] for item in shown] == ranked[: len(shown)]


FAMILIES = {
    "viewed_together": ("vstan", "sessions"), "viewed_next": ("next",), "bought_together": ("together",),
    "similar": ("similar",), "new_similar": ("fresh",), "popular_in_category": ("category_7d",),
    "popular": ("trending",), "new": ("newest",), "buy_again": ("again",),
    "seen_before": ("vstan", "sessions", "next", "together", "similar"),
}  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(DEEDS, SHELF, QUESTION, st.sampled_from((*PEOPLE, "dee", None)))
def test_reasons_are_true_and_name_items_and_nothing_else(
    deeds: list[tuple[str, str, str, int]],
    shelf: list[dict[str, Any]],
    question: dict[str, Any],
    who: str | None,
) -> None:
    shop = open_shop(deeds, shelf)
    answer = shop.recommend(who, explain=True, **question)
    assert answer.trace is not None
    sources = {one["itemId"]: one["sources"] for one in answer.trace["candidates"]}
    mine = {item for _, person, item, _ in deeds if person == who}
    for shown in answer.items:
        families = FAMILIES[shown.reason.code]
        said = sources[shown.item_id]
        shares = {name: WEIGHTS[name] * value for name, value in said.items()}
        strongest = max(shares.values())
        assert any(name.startswith(families) and share == strongest for name, share in shares.items())
        assert set(shown.reason.because) <= mine | {question.get("item_id")}
        assert set(shown.reason.because) <= set(answer.trace["trail"])
        assert shown.item_id not in shown.reason.because
        alone = {"popular", "new", "buy_again", "seen_before"}
        assert bool(shown.reason.because) == (shown.reason.code not in alone)
        if shown.reason.code in {"buy_again", "seen_before"}:
            assert shown.item_id in mine
        if not shown.reason.because:
            continue
        (because,) = shown.reason.because
        described = shop.item(because)
        assert f"“{described.title if described and described.title else because}”" in shown.reason.text
        others = set(PEOPLE) - {because}
        assert not any(name in shown.reason.text.split() for name in others)


def test_bought_together_is_said_of_things_that_were_bought() -> None:
    shop = Shop()
    shop.buys("bo", "tent", "stove", order="o1")
    shop.wait(90)
    together = shop.sources(item_id="tent")
    assert together["stove"]["together"] == 1.0
    for number in range(3):
        shop.views(f"p{number}", "tent", "lamp")
    assert "together" not in shop.sources(item_id="tent")["lamp"]


def test_no_reason_speaks_of_others_where_there_are_none() -> None:
    shop = Shop()
    shop.views("ada", "tent", "stove")
    (shown,) = shop.recommend("ada").items
    assert shown.reason.code == "viewed_together"
    assert "thers" not in shown.reason.text


def test_what_was_only_put_into_a_basket_is_not_said_to_be_bought() -> None:
    shop = Shop()
    shop.does("Product Added", "bo", "tent", "stove")
    together = pipeline_of(shop.engine.fold).names.index("together")
    reason = shop.engine.recommending._built_in.reasons.reason(together, shop.engine.fold.items.find("tent"))
    assert reason.text == "Often bought or put into the basket in the same visit as “tent”"


def test_a_new_title_is_in_the_next_reason() -> None:
    shop = Shop()
    shop.views("bo", "tent", "stove")
    for title in ("Tent", "Big tent"):
        shop.put_item("tent", title=title)
        (shown,) = (one for one in shop.recommend(item_id="tent").items if one.item_id == "stove")
        assert shown.reason.text == f"Looked at in the same visits as “{title}”"
    shop.delete_item("tent")
    (shown,) = (one for one in shop.recommend(item_id="tent").items if one.item_id == "stove")
    assert shown.reason.text == "Looked at in the same visits as “tent”"


def test_a_refused_item_makes_room_for_the_fallback() -> None:
    shop = Shop()
    shop.put_items([{"id": f"new{n}", "published": f"2026-01-0{n}T00:00:00Z"} for n in range(1, 4)])
    shop.views("bo", "tent", "stove")
    answer = shop.recommend(item_id="tent", limit=3)
    assert [item.item_id for item in answer.items] == ["stove", "new3", "new2"]
    assert [item.reason.code for item in answer.items] == ["viewed_together", "new", "new"]


def test_the_pipeline_asks_the_fallback_only_when_it_must() -> None:
    shop = Shop()
    shop.views("bo", "tent", "stove", "map")
    fold = shop.engine.fold
    pipeline = pipeline_of(fold)
    none = np.empty(0, dtype=np.int32)
    context = Context(-1, none, 0, none, none, none, Instant(shop.clock.at), 2)
    asked = [stage.name for stage in sources_of(pipeline.run(context, seed=1))]
    assert asked == list(pipeline.names[: len(pipeline.sources)])
    asked = [stage.name for stage in sources_of(pipeline.run(context._replace(limit=4), seed=1))]
    assert asked == list(pipeline.names)


def sources_of(slate: Slate) -> list[Stage]:
    return [stage for stage in slate.stages if stage.stage == "source"]
