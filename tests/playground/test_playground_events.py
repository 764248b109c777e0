"""What the shop's website would have sent: valid, in order of time, the same when drawn again."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import islice, pairwise
from typing import Any

import msgspec
import pytest

from heedful.playground.calls import NAMES
from heedful.playground.world import OPENED, World
from heedful.vocabulary.time import DAY, Instant, instant

Call = dict[str, Any]
DAYS = 6


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=7, items=400, shoppers=120)


@pytest.fixture(scope="module")
def calls(world: World) -> list[Call]:
    return list(world.events(OPENED, DAYS))


def when(call: Call) -> Instant:
    return instant(datetime.fromisoformat(call["timestamp"]))


def products(call: Call) -> list[Call]:
    properties = call.get("properties", {})
    listed: list[Call] = properties.get("products", [properties] if "product_id" in properties else [])
    return listed


def test_the_same_seed_sends_the_same_bytes_and_another_seed_others(world: World, calls: list[Call]) -> None:
    sent = msgspec.json.encode(calls)
    assert msgspec.json.encode(list(World(7, 400, 120).events(OPENED, DAYS))) == sent
    assert msgspec.json.encode(list(world.events(OPENED, DAYS))) == sent
    assert msgspec.json.encode(list(World(8, 400, 120).events(OPENED, DAYS))) != sent


def test_fewer_days_are_the_beginning_of_more_days(world: World, calls: list[Call]) -> None:
    some = list(world.events(OPENED, 2.4))
    assert 0 < len(some) < len(calls)
    assert calls[: len(some)] == some
    assert list(islice(world.events(OPENED), len(calls))) == calls


def test_times_only_rise_and_lie_within_the_days_asked_for(calls: list[Call]) -> None:
    times = [when(call) for call in calls]
    assert all(earlier < later for earlier, later in pairwise(times))
    assert times[0] >= OPENED
    assert times[-1] < OPENED + DAYS * DAY


def test_message_ids_are_unique_within_a_run_and_between_runs(world: World, calls: list[Call]) -> None:
    ids = {call["messageId"] for call in calls}
    later = {call["messageId"] for call in world.events(Instant(OPENED + DAY), 1)}
    elsewhere = {call["messageId"] for call in World(7, 400, 120, Instant(OPENED - DAY)).events(OPENED, 1)}
    assert len(ids) == len(calls)
    assert not ids & later
    assert not ids & elsewhere
    assert max(map(len, ids)) <= 100


def test_every_call_is_a_call_of_the_segment_protocol(world: World, calls: list[Call]) -> None:
    devices = {shopper.device: shopper for shopper in world.shoppers()}
    for call in calls:
        shopper = devices[call["anonymousId"]]
        assert call.get("userId") == (shopper.id if shopper.signed_in else None)
        assert call["context"]["library"]["name"] == "heedful-playground"
        assert len(msgspec.json.encode(call)) < 32_000
        if call["type"] == "track":
            assert call["event"] in NAMES.values()
        elif call["type"] == "identify":
            assert call["traits"]["email"].endswith("@mail.example")
        else:
            assert call["type"] == "page"
            assert call["properties"]["path"] == "/"


def test_products_carry_the_catalogue_and_are_for_sale_when_seen(world: World, calls: list[Call]) -> None:
    items = {item.id: item for item in world.items()}
    seen = 0
    for call in calls:
        for product in products(call):
            item = items[product["product_id"]]
            assert item.price is not None and item.published is not None
            assert product["name"] == item.title
            assert product["category"] == item.categories[0]
            assert round(product["price"] * 100) == item.price.minor
            assert item.available and instant(item.published) <= when(call)
            seen += 1
    assert seen > 1_000


def test_all_sorts_of_things_happen_in_believable_proportions(world: World) -> None:
    names = Counter(call.get("event", call["type"]) for call in world.events(OPENED, 20))
    assert set(names) == set(NAMES.values()) | {"page", "identify"}
    assert names["Product Viewed"] > 3 * names["Product Added"] > 3 * names["Order Completed"]
    assert 0 < names["Order Refunded"] < 0.1 * names["Order Completed"]
    assert names["identify"] <= sum(shopper.signed_in for shopper in world.shoppers())


def test_orders_add_up_and_a_refund_takes_back_lines_of_an_earlier_order(world: World) -> None:
    orders: dict[str, Call] = {}
    refunds = 0
    for call in world.events(OPENED, 20):
        order = call.get("properties", {})
        if call.get("event") == "Order Completed":
            goods = sum(round(line["price"] * 100) * line["quantity"] for line in order["products"])
            assert round(order["value"] * 100) == goods
            assert round(order["total"] * 100) == goods + round((order["shipping"] + order["tax"]) * 100)
            assert order["order_id"] not in orders
            orders[order["order_id"]] = call
        elif call.get("event") == "Order Refunded":
            bought = orders[order["order_id"]]
            lines = [(line["product_id"], line["quantity"]) for line in bought["properties"]["products"]]
            assert {(line["product_id"], line["quantity"]) for line in order["products"]} <= set(lines)
            assert call["anonymousId"] == bought["anonymousId"]
            assert 2 * DAY <= when(call) - when(bought) <= 10 * DAY
            refunds += 1
    assert refunds > 3


def test_nobody_buys_the_same_item_twice(world: World) -> None:
    bought: set[tuple[str, str]] = set()
    for call in world.events(OPENED, 20):
        if call.get("event") == "Order Completed":
            pairs = {(call["anonymousId"], line["product_id"]) for line in call["properties"]["products"]}
            assert not pairs & bought
            bought |= pairs


def test_the_next_view_is_mostly_of_the_same_category_or_of_one_that_goes_with_it(calls: list[Call]) -> None:
    last: dict[str, tuple[Instant, str]] = {}
    same = moved = 0
    for call in calls:
        if call.get("event") != "Product Viewed":
            continue
        who, category = call["anonymousId"], call["properties"]["category"]
        if who in last and when(call) - last[who][0] < 10 * 60 * 1_000_000:
            same += last[who][1] == category
            moved += last[who][1] != category
        last[who] = when(call), category
    assert same > 2 * moved
    assert moved > 0.05 * same


def test_popularity_is_skewed_but_most_items_are_seen(world: World) -> None:
    views = Counter(
        call["properties"]["product_id"]
        for call in world.events(OPENED, 20)
        if call.get("event") == "Product Viewed"
    )
    top = sum(count for _, count in views.most_common(40))
    assert 0.25 < top / views.total() < 0.75
    assert len(views) > 300


def test_a_history_that_starts_within_a_day_begins_at_its_start(world: World) -> None:
    start = Instant(OPENED + DAY // 2 + 123)
    calls = list(world.events(start, 1))
    assert when(calls[0]) >= start
    assert when(calls[-1]) < start + DAY


def test_visits_are_the_arrivals_behind_the_events(world: World, calls: list[Call]) -> None:
    pages = Counter(call.get("userId", call["anonymousId"]) for call in calls if call["type"] == "page")
    assert Counter(who for _, who, _ in world.visits(OPENED, DAYS)) == pages
