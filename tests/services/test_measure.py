"""Figures are what the events say, with the person as the unit, and none where there are too few people."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from heedful.models.measures.catalogue import definitions
from heedful.services.recommend import Recommend
from heedful.vocabulary.decision import Decision, encode_decision
from heedful.vocabulary.errors import Invalid, NotFound
from heedful.vocabulary.metric import MetricAnswer, MetricQuestion, Waits
from heedful.vocabulary.time import DAY, Instant, iso
from tests.services.shop import OPENED, Shop

PEOPLE = 30
HELD = 24


class Store(Shop):
    """A shop whose visitors are shown a list and react to it."""

    def open(self) -> Store:
        for number in range(12):
            self.put_item(
                f"i{number}",
                categories=["warm" if number % 2 else "cold"],
                published=iso(Instant(OPENED - DAY)),
            )
        for number in range(12):
            self.views("keeper", f"i{number}")
        return self

    def shown(self, who: str, placement: str = "home") -> tuple[str, list[str]]:
        answer = self.recommend(who, placement=placement, limit=4)
        return answer.decision_id, [item.item_id for item in answer.items]

    def figure(self, metric: str, **asked: Any) -> MetricAnswer:
        found = self.metric(metric, **asked)
        assert found.why == "", found.why
        assert found.value is not None
        return found


def a_store() -> Store:
    """Thirty visitors: all are shown four items, ten click the first, five of them buy it for 12.50."""
    store = Store().open()
    for number in range(PEOPLE):
        who = f"p{number}"
        decision, items = store.shown(who)
        if number < 10:
            store.does("Product Clicked", who, items[0], decision_id=decision)
            store.does("Product Viewed", who, items[0])
        if number < 5:
            products = [{"product_id": items[0], "price": 12.5}]
            store.does("Order Completed", who, order_id=f"o{number}", products=products, currency="EUR")
    return store


def test_rates_and_money_are_what_happened() -> None:
    store = a_store()
    assert store.figure("ctr").value == 10 / (4 * PEOPLE)
    assert store.figure("ctr_per_person").value == pytest.approx(10 / 4 / PEOPLE)
    assert store.figure("conversion").value == 5 / PEOPLE
    revenue = store.figure("revenue_per_visitor")
    assert (revenue.value, revenue.currency, revenue.people) == (5 * 1_250 / PEOPLE, "EUR", PEOPLE)
    assert store.figure("attributed_revenue").value == revenue.value
    assert store.figure("revenue_per_visitor", currency="USD").value == 0


def test_the_second_figure_knows_what_came_after_the_first() -> None:
    store = a_store()
    store.figure("ctr")
    decision, items = store.shown("p29")
    store.does("Product Clicked", "p29", items[1], decision_id=decision)
    assert store.figure("ctr").value == 11 / (4 * PEOPLE + 4)


def test_reported_impressions_are_what_was_seen() -> None:
    store = a_store()
    for number in range(PEOPLE):
        decision, items = store.shown(f"p{number}", "cart")
        store.does("Recommendation Viewed", f"p{number}", items[0], items[1], decision_id=decision)
    found = store.figure("ctr", placement="cart")
    assert (found.value, found.events) == (0.0, 2 * PEOPLE)


def test_a_selection_by_placement_policy_and_day_leaves_the_rest_out() -> None:
    store = a_store()
    today = iso(OPENED)[:10]
    assert store.figure("ctr", placement="home", policy="greedy", from_=today).events == 4 * PEOPLE
    assert store.figure("ctr", policy="blend").events == 4 * PEOPLE
    for asked in ({"placement": "x"}, {"policy": "x"}, {"to": today}, {"from_": "2099-01-01"}):
        found = store.metric("ctr", **asked)
        assert (found.value, found.people) == (None, 0)
        assert "not enough data" in found.why


def test_few_people_are_not_shown() -> None:
    store = Store().open()
    for number in range(19):
        store.shown(f"p{number}")
    for name in definitions():
        found = store.metric(name)
        assert (found.value, found.low, found.people) == (None, None, 0), name
        assert found.why
    store.shown("p19")
    assert store.figure("conversion").people == 20


def test_new_and_returning_people_are_told_apart() -> None:
    store = Store().open()
    for number in range(20):
        store.does("Product Viewed", f"old{number}", "i1", ago=60 * 24 * 9)
        store.shown(f"old{number}")
    for number in range(25):
        store.shown(f"new{number}")
    assert store.figure("conversion", segment="returning").people == 20
    assert store.figure("conversion", segment="new").people == 25


def test_the_holdout_is_what_the_rest_is_compared_with(monkeypatch: pytest.MonkeyPatch) -> None:
    store = a_store()

    def held_out(decision: Decision) -> bytes:
        return encode_decision(msgspec.structs.replace(decision, holdout=True))

    monkeypatch.setattr("heedful.services.keep.encode_decision", held_out)
    for number in range(HELD):
        store.shown(f"held{number}")
    monkeypatch.undo()
    assert isinstance(store.engine.recommending, Recommend)
    assert store.figure("ctr").people == PEOPLE
    lift = store.figure("incremental_ctr")
    assert (lift.value, lift.people) == (10 / (4 * PEOPLE), PEOPLE + HELD)
    assert lift.more == {"holdout": 0.0, "holdoutPeople": HELD, "rest": lift.value}
    worth = store.figure("incremental_revenue_per_visitor")
    assert (worth.value, worth.currency) == (5 * 1_250 / PEOPLE, "EUR")
    assert store.figure("incremental_conversion").value == 5 / PEOPLE


def test_answers_are_described() -> None:
    store = a_store()
    assert store.figure("coverage").value == pytest.approx(len(shown_items(store)) / 12)
    assert store.figure("freshness").value == pytest.approx(1.0, abs=0.01)
    gini = store.figure("gini").value
    assert gini is not None
    assert 0 < gini < 1
    assert store.figure("novelty").people == PEOPLE
    diversity = store.figure("diversity").value
    assert diversity is not None
    assert 0 <= diversity <= 1
    assert "nothing" in store.metric("calibration").why or store.metric("calibration").people < PEOPLE


def shown_items(store: Store) -> set[int]:
    return set(store.engine.fold.outcomes.answers().items.tolist())


def test_dwell_is_the_time_to_the_next_thing_and_the_last_page_is_left_out() -> None:
    store = a_store()
    for number in range(PEOPLE):
        for at in (50, 48, 47):
            store.page("x", user_id=f"p{number}", timestamp=iso(Instant(store.clock.at - at * 60_000_000)))
    found = store.figure("dwell")
    assert (found.unit, found.events) == ("seconds", 2 * PEOPLE + count_after(store))
    assert found.value is not None
    assert found.value >= 60


def count_after(store: Store) -> int:
    """Third pages that something followed within half an hour."""
    fold = store.engine.fold
    follows = 0
    for number in range(PEOPLE):
        past = fold.history.rows(fold.subjects.find(store.engine.recommending._pseudonyms.user(f"p{number}")))
        did = [
            (at, fold.kinds.names[kind])
            for at, kind in zip(past.at.tolist(), past.kind.tolist(), strict=True)
        ]
        did = [one for one in did if one[1] != "decision"]
        third = [place for place, one in enumerate(did) if one[1] == "page"][2]
        follows += third + 1 < len(did) and did[third + 1][0] - did[third][0] <= 30 * 60_000_000
    return follows


def test_only_people_whose_day_has_passed_can_have_returned() -> None:
    store = a_store()
    assert store.metric("return_rate").value is None
    store.wait(60 * 24 * 7)
    for number in range(3):
        store.views(f"p{number}", "i1")
    store.wait(60 * 24)
    assert store.figure("return_rate").value == 3 / PEOPLE
    assert store.figure("return_rate", day=1).value == 0


def test_latency_is_what_the_face_measured() -> None:
    store = Shop()
    assert "only the server" in store.metric("latency").why
    waits = Waits((0.001, 0.01, 0.1), (50, 100, 50, 0))
    found = store.engine.metric("latency", MetricQuestion(), waits)
    assert found.value == pytest.approx(0.0055)
    assert found.more["p95"] == pytest.approx(0.082)
    assert found.low is not None
    assert found.low < 0.0055
    few = store.engine.metric("latency", MetricQuestion(), Waits((0.1,), (99, 0)))
    assert (few.value, few.why) == (None, "not enough data: fewer than 100 requests")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"segment": "rich"}, "segment_unknown"),
        ({"day": 0}, "day_invalid"),
        ({"from_": "yesterday"}, "time_invalid"),
        ({"to": "2026-13-01"}, "time_invalid"),
        ({"colour": "red"}, "request_invalid"),
        ({"placement": 7}, "request_invalid"),
    ],
)
def test_a_question_that_means_nothing_is_refused(asked: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        Shop().metric("ctr", **asked)
    assert refused.value.code == code


def test_a_metric_that_is_none_is_not_found() -> None:
    with pytest.raises(NotFound):
        Shop().metric("happiness")


def test_an_empty_shop_has_no_figure_and_no_failure() -> None:
    shop = Shop()
    for definition in shop.metrics():
        assert shop.metric(definition.name).value is None
