"""Describing items: the last word counts, a bad item refuses itself, limits are said."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from heedful.services.describe import MAX_BYTES, MAX_ITEMS
from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.errors import HeedfulError, Invalid, NotFound
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.receipt import Status
from heedful.vocabulary.time import MINUTE, Instant
from tests.services.shop import Shop


def title(shop: Shop, item: str = "tent") -> str | None:
    found = shop.item(item)
    return None if found is None else found.title


def test_what_was_described_is_read_back_whole() -> None:
    shop = Shop()
    tent: dict[str, Any] = {
        "id": "tent", "title": "Tent", "categories": ["sleep", "camp"],
        "price": {"minor": 9_900, "currency": "EUR"},
        "available": False, "published": "2026-01-02T03:04:05Z", "image": "https://x/t",
        "url": "https://x/t",
        "properties": {"colour": "red", "sizes": [1, 2.5], "none": None},
    }  # fmt: skip
    shop.put_items([tent])
    assert msgspec.json.decode(msgspec.json.encode(shop.item("tent"))) == tent
    assert shop.item("stove") is None


def test_the_last_word_counts_even_within_a_call_and_a_moment() -> None:
    shop = Shop()
    shop.put_items([{"id": "tent", "title": "A"}, {"id": "tent", "title": "B"}])
    assert title(shop) == "B"
    shop.put_item("tent", title="C")
    assert title(shop) == "C"


def test_a_description_of_then_does_not_replace_one_of_now() -> None:
    shop = Shop()
    shop.put_item("tent", title="now")
    told: list[CollectAnswer | HeedfulError] = []
    then = Instant(shop.clock.at - MINUTE)
    shop.engine.describing.put_as_of([(Item(ItemId("tent"), title="then"), then, "import:1")], told.append)
    assert isinstance(told[0], CollectAnswer)
    assert title(shop) == "now"


def test_a_description_replaces_all_that_was_said_before() -> None:
    shop = Shop()
    shop.put_item("tent", title="Tent", categories=["sleep"], available=False)
    shop.put_item("tent", title="Tent")
    found = shop.item("tent")
    assert found == Item(ItemId("tent"), title="Tent")


def test_a_clock_that_was_set_back_does_not_bring_the_past_back() -> None:
    shop = Shop()
    shop.put_item("tent", title="first")
    shop.clock.at = Instant(shop.clock.at - 60 * MINUTE)
    shop.put_item("tent", title="second")
    assert title(shop) == "second"
    shop.delete_item("tent")
    assert title(shop) is None
    shop.put_item("tent", title="third")
    assert title(shop) == "third"


def test_deleting_twice_or_what_is_unknown_is_not_found() -> None:
    shop = Shop()
    with pytest.raises(NotFound):
        shop.delete_item("tent")
    shop.put_item("tent")
    shop.delete_item("tent")
    with pytest.raises(NotFound):
        shop.delete_item("tent")


def test_an_item_known_only_from_events_can_be_deleted() -> None:
    shop = Shop()
    shop.views("ada", "tent")
    shop.delete_item("tent")
    assert "tent" not in shop.ids("bo")


def test_a_bad_item_refuses_itself_and_no_other() -> None:
    shop = Shop()
    answer = shop.put_items([
        Item(ItemId("a")), Item(ItemId("")), Item(ItemId("x" * 201)), Item(ItemId("big"), title="x" * MAX_BYTES),
        Item(ItemId("y" * 200)), Item(ItemId("b")),
    ])  # fmt: skip
    fates = [(fate.message_id[:3], str(fate.status), fate.code) for fate in answer.events]
    assert fates == [
        ("a", "accepted", ""), ("", "refused", "item_id_invalid"), ("xxx", "refused", "item_id_invalid"),
        ("big", "refused", "item_too_large"), ("yyy", "accepted", ""), ("b", "accepted", ""),
    ]  # fmt: skip
    assert shop.ids() == shop.ids(filter={"field": "id", "op": "in", "value": ["a", "b", "y" * 200]})
    assert shop.item("big") is None


def test_a_call_of_bad_items_only_is_answered() -> None:
    answer = Shop().put_items([Item(ItemId(""))])
    assert [fate.status for fate in answer.events] == [Status.REFUSED]
    assert Shop().put_items([]).events == ()


def test_ten_thousand_items_are_taken_and_one_more_is_not() -> None:
    shop = Shop()
    items = [Item(ItemId(f"i{number}")) for number in range(MAX_ITEMS + 1)]
    with pytest.raises(Invalid) as refused:
        shop.put_items(items)
    assert refused.value.code == "too_many_items"
    assert shop.item("i0") is None
    answer = shop.put_items(items[:MAX_ITEMS])
    assert {fate.status for fate in answer.events} == {Status.ACCEPTED}
    assert shop.item(f"i{MAX_ITEMS - 1}") is not None


@pytest.mark.parametrize(
    "wire",
    [
        {"id": "a", "price": 3},
        {"id": "a", "price": {"minor": 1.5}},
        {"id": "a", "colour": "red"},
        {"title": "no id"},
        {"id": "a", "published": "soon"},
        {"id": 7},
    ],
)
def test_what_is_not_an_item_is_refused_with_a_reason(wire: dict[str, Any]) -> None:
    shop = Shop()
    with pytest.raises(Invalid) as refused:
        shop.put_items([wire])
    assert refused.value.code
    shop.put_item("a", title="still well")
    assert title(shop, "a") == "still well"
    assert shop.verify().agrees


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "\ud800"},
        {"properties": {"huge": 10**5_000}},
        {"properties": {"not json": object()}},
        {"properties": {"deep": json.loads("[" * 40 + "]" * 40)}},
        {"properties": {"deep": json.loads("[" * 900 + "]" * 900)}},
    ],
)
def test_what_cannot_be_kept_refuses_itself(fields: dict[str, Any]) -> None:
    shop = Shop()
    answer = shop.put_items([Item(ItemId("a"), **fields), Item(ItemId("b"))])
    assert [fate.status for fate in answer.events] == [Status.REFUSED, Status.ACCEPTED]
    assert answer.events[0].code in {"item_invalid", "json_too_deep"}
    assert shop.item("a") is None
    assert shop.item("b") is not None
    assert shop.verify().agrees
