"""What event names mean, and which items and amounts an event speaks of."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.services.collect.commerce import KEPT, NAMES, NOT_FROM_OUTSIDE, PLAIN, Names, word
from heedful.services.collect.fields import money, quantity, text_id
from heedful.vocabulary import kinds
from heedful.vocabulary.errors import Invalid, SettingsError
from heedful.vocabulary.event import Line
from heedful.vocabulary.money import LIMIT, minor_units
from tests.services.collect.memory import Door

SEGMENT_V2 = """
Products Searched; Product List Viewed; Product List Filtered; Promotion Viewed; Promotion Clicked;
Product Clicked;
Product Viewed; Product Added; Product Removed; Cart Viewed; Checkout Started; Checkout Step Viewed;
Checkout Step Completed; Payment Info Entered; Order Updated; Order Completed; Order Refunded;
Order Cancelled;
Coupon Entered; Coupon Applied; Coupon Denied; Coupon Removed; Product Added to Wishlist;
Product Removed from Wishlist; Wishlist Product Added to Cart; Product Shared; Cart Shared; Product Reviewed
"""


def test_every_name_of_the_specification_has_its_place() -> None:
    names = {name.strip() for name in SEGMENT_V2.replace("\n", " ").split(";")}
    assert names <= NAMES.keys() | set(KEPT)
    assert not NAMES.keys() & set(KEPT)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Product Viewed", kinds.VIEW),
        ("product_viewed", kinds.VIEW),
        ("ProductViewed", kinds.VIEW),
        ("PRODUCT VIEWED", kinds.VIEW),
        ("Viewed Product", kinds.VIEW),
        ("Completed Order", kinds.PURCHASE),
        ("Wishlist Product Added to Cart", kinds.CART),
        ("Product Removed from Wishlist", kinds.UNWISHLIST),
        ("Order Updated", "order_updated"),
        ("Signed Up", "signed_up"),
        ("signedUp", "signed_up"),
        ("  Video -- Played!  ", "video_played"),
        ("商品 閲覧", "商品_閲覧"),
        ("x" * 100, "x" * 64),
        ("like", kinds.LIKE),
        ("Hide", kinds.HIDE),
        ("item", "item_event"),
        ("Item Deleted", "item_deleted_event"),
        ("decision", "decision_event"),
        ("Identify", "identify_event"),
    ],
)
def test_names_become_kinds(name: str, kind: str) -> None:
    assert Names({}).kind(name) == kind


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_a_kind_is_also_a_name(name: str) -> None:
    assert Names({}).kind(name) == name


@given(st.text(max_size=80))
@settings(max_examples=150, deadline=None)
def test_no_name_can_pass_for_something_of_our_own(name: str) -> None:
    try:
        kind = Names({}).kind(name)
    except Invalid as error:
        assert error.code == "event_invalid"
    else:
        assert kind not in NOT_FROM_OUTSIDE
        assert 1 <= len(kind) <= 64
        assert kind == kind.lower()


def test_the_operator_gives_names_a_kind() -> None:
    names = Names({"Video Watched": "view", "Product Clicked": "peek"})
    assert names.kind("video_watched") == "view"
    assert names.kind("Product Clicked") == "peek"


@pytest.mark.parametrize("kind", ["decision", "item", "Not A Word", ""])
def test_the_operator_cannot_make_our_own_kinds_from_outside(kind: str) -> None:
    with pytest.raises(SettingsError):
        Names({"Video Watched": kind})


def test_a_viewed_product_is_a_view_of_one_item() -> None:
    event = Door().track(
        "Product Viewed", {"product_id": "p", "price": 18.99, "quantity": 2, "currency": "eur"}
    )
    assert (event.kind, event.lines, event.currency) == (kinds.VIEW, (Line("p", 2, 3798),), "EUR")


def test_without_any_amount_there_is_no_currency() -> None:
    event = Door().track("Product Viewed", {"product_id": "p"})
    assert (event.lines, event.currency, event.value) == ((Line("p"),), "", None)


@pytest.mark.parametrize(
    ("properties", "item"),
    [
        ({"product_id": "p", "sku": "s", "item_id": "i"}, "p"),
        ({"sku": "s", "item_id": "i"}, "s"),
        ({"item_id": "i"}, "i"),
        ({"itemId": "i"}, "i"),
        ({"productId": "i"}, "i"),
        ({"id": "v1"}, "v1"),
        ({"product_id": None, "sku": ""}, ""),
        ({"product_id": 42}, "42"),
        ({"product_id": 42.0}, "42"),
        ({"product_id": 4.5}, "4.5"),
    ],
)
def test_an_item_goes_by_several_names(properties: dict[str, Any], item: str) -> None:
    if item:
        assert Door().track("Product Viewed", properties).lines[0].item == item
    else:
        assert Door().refusal("Product Viewed", properties) == ("item_missing", "properties.product_id")


def test_a_click_that_names_its_decision_needs_no_item() -> None:
    """What was clicked may be a banner: the variant that the decision chose."""
    assert Door().refusal("click", {}) == ("item_missing", "properties.product_id")
    assert Door().track("click", {"decision_id": "v1"}).decision == "v1"
    assert Door().refusal("Product Viewed", {"decision_id": "v1"}) == (
        "item_missing",
        "properties.product_id",
    )


def test_an_order_is_one_purchase_with_a_line_for_each_product() -> None:
    event = Door().track(
        "Order Completed",
        {
            "order_id": "o-1",
            "revenue": "39.98",
            "total": 45,
            "currency": "USD",
            "products": [
                {"product_id": "a", "price": 19.99, "quantity": 2},
                {"product_id": "b", "price": "0.335"},
                {"product_id": "a"},
                {"product_id": "a", "line": "gift"},
                {"product_id": "a", "line": 7},
                {"product_id": "a"},
            ],
        },
    )
    assert event.kind == kinds.PURCHASE
    assert (event.order, event.value, event.currency) == ("o-1", 3998, "USD")
    assert event.lines == (
        Line("a", 2, 3998, "a"),
        Line("b", 1, 34, "b"),
        Line("a", 1, 0, "a#2"),
        Line("a", 1, 0, "a#gift"),
        Line("a", 1, 0, "a#7"),
        Line("a", 1, 0, "a#3"),
    )


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "a#2", "a#2#2", "a#3", "b"]), st.sampled_from(["", "2", "3"])),
        max_size=9,
    )
)
@settings(max_examples=150, deadline=None)
def test_no_two_lines_of_an_order_share_a_key(products: list[tuple[str, str]]) -> None:
    sent = [{"product_id": item, "line": line} for item, line in products]
    lines = Door().track("Order Completed", {"products": sent}).lines
    assert [line.item for line in lines] == [item for item, _ in products]
    assert len({line.key for line in lines}) == len(lines)


def test_an_order_without_an_id_goes_by_its_message_id() -> None:
    assert Door().track("Completed Order", {"products": [{"id": "a"}]}).order == "m"


def test_a_plain_purchase_is_an_order_of_one_line() -> None:
    event = Door().track("purchase", {"item_id": "a", "price": 5, "currency": "JPY"})
    assert (event.order, event.lines) == ("m", (Line("a", 1, 5, "a"),))


def test_an_empty_list_of_products_leaves_the_events_own_item() -> None:
    assert Door().track("purchase", {"item_id": "a", "products": []}).lines == (Line("a", 1, 0, "a"),)
    assert Door().track("purchase", {"item_id": "a", "products": [{"sku": "b"}]}).lines == (
        Line("b", 1, 0, "b"),
    )
    assert Door().track("view", {"item_id": "a", "products": [{"sku": "b"}]}).lines == (Line("a"),)


def test_a_refund_takes_back_lines_or_the_whole_order() -> None:
    door = Door()
    assert door.track("Order Refunded", {"order_id": "o"}).lines == ()
    part = Door().track("Order Refunded", {"order_id": "o", "products": [{"product_id": "a", "quantity": 1}]})
    assert (part.kind, part.lines) == (kinds.REFUND, (Line("a", 1, 0, "a"),))
    assert Door().track("Order Cancelled", {"order_id": 12}).order == "12"


@pytest.mark.parametrize("name", ["Order Refunded", "Order Cancelled", "refund", "cancel"])
def test_taking_back_needs_an_order_or_products(name: str) -> None:
    assert Door().refusal(name, {}) == ("order_missing", "properties.order_id")
    assert Door().track(name, {"products": [{"sku": "a"}]}).lines == (Line("a", 1, 0, "a"),)


@pytest.mark.parametrize(("rating", "value"), [("4.5", 450), (4, 400), (4.35, 435), (None, None), ("", None)])
def test_a_rating_is_kept_in_hundredths(rating: Any, value: int | None) -> None:
    event = Door().track("Product Reviewed", {"product_id": "p", "rating": rating})
    assert (event.kind, event.value, event.currency) == (kinds.RATE, value, "")


def test_what_was_shown_is_an_impression_of_every_item() -> None:
    event = Door().track(
        "Recommendation Viewed", {"decision_id": "d-1", "products": [{"product_id": "a"}, {"item_id": "b"}]}
    )
    assert (event.kind, event.decision) == (kinds.IMPRESSION, "d-1")
    assert event.lines == (Line("a"), Line("b"))


def test_a_promotion_may_show_no_item() -> None:
    assert Door().track("Promotion Viewed", {"promotion_id": "x"}).lines == ()


def test_a_page_is_about_its_own_item_or_none() -> None:
    door = Door()
    door.send(
        "page", {"messageId": "1", "userId": "u", "name": "Home", "properties": {"products": [{"sku": "a"}]}}
    )
    door.send("screen", {"messageId": "2", "userId": "u", "name": "Item", "properties": {"product_id": "a"}})
    assert (door.event("1").kind, door.event("1").lines) == (kinds.PAGE, ())
    assert (door.event("2").kind, door.event("2").lines) == (kinds.SCREEN, (Line("a"),))


@pytest.mark.parametrize(
    ("properties", "code", "path"),
    [
        ({"products": [{"product_id": "a"}, {}]}, "item_missing", "properties.products[1].product_id"),
        ({"products": {"product_id": "a"}}, "type_invalid", "properties.products"),
        ({"products": ["a"]}, "type_invalid", "properties.products"),
        ({"products": [{"sku": True}]}, "type_invalid", "properties.products[0].sku"),
        ({"products": [{"sku": "x" * 201}]}, "id_too_long", "properties.products[0].sku"),
        ({"products": [{"sku": "a", "quantity": 0}]}, "quantity_invalid", "properties.products[0].quantity"),
        (
            {"products": [{"sku": "a", "quantity": "2.5"}]},
            "quantity_invalid",
            "properties.products[0].quantity",
        ),
        (
            {"products": [{"sku": "a", "quantity": 1_000_001}]},
            "quantity_invalid",
            "properties.products[0].quantity",
        ),
        ({"products": [{"sku": "a", "price": "$5"}]}, "amount_invalid", "properties.products[0].price"),
        ({"products": [{"sku": "a", "price": -5}]}, "amount_invalid", "properties.products[0].price"),
        ({"currency": "euro"}, "currency_invalid", "properties.currency"),
        ({"currency": 978}, "currency_invalid", "properties.currency"),
        ({"revenue": "1e999999"}, "amount_invalid", "properties.revenue"),
        ({"revenue": 10**16}, "amount_invalid", "properties.revenue"),
        ({"order_id": {}}, "type_invalid", "properties.order_id"),
        ({"decision_id": []}, "type_invalid", "properties.decision_id"),
    ],
)
def test_an_order_says_where_it_is_wrong(properties: dict[str, Any], code: str, path: str) -> None:
    assert Door().refusal("Order Completed", properties) == (code, path)


def test_a_senders_own_event_may_use_our_words_otherwise() -> None:
    event = Door().track("Form Sent", {"value": {"a": 1}, "product_id": "p", "decision_id": "d"})
    assert (event.kind, event.lines, event.value, event.decision) == ("form_sent", (), None, "d")


def test_a_senders_own_event_may_speak_of_items_and_money() -> None:
    event = Door().track("Trial Started", {"item_id": "p", "revenue": 9.5})
    assert (event.kind, event.lines, event.value, event.currency) == (
        "trial_started",
        (Line("p"),),
        950,
        "USD",
    )


@given(
    st.one_of(
        st.floats(allow_nan=False, allow_infinity=False),
        st.decimals(-(10**6), 10**6, places=3).map(float),
        st.integers(-(10**18), 10**18),
        st.decimals(-(10**9), 10**9, places=4).map(str),
    ),
    st.sampled_from(["USD", "JPY", "KWD"]),
    st.integers(1, 1_000_000),
)
@settings(max_examples=300, deadline=None)
def test_money_is_what_exact_arithmetic_says(value: float | int | str, code: str, times: int) -> None:
    exact = Decimal(repr(value) if isinstance(value, float) else value) * times
    try:
        expected = minor_units(exact, code)
    except ValueError:
        expected = None
    try:
        read = money(value, code, "p", times=times)
    except Invalid:
        assert expected is None or abs(Decimal(str(value))) > LIMIT
    else:
        assert read == expected


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 2_000_000).map(str))
@settings(max_examples=150, deadline=None)
def test_a_quantity_is_a_whole_number_in_range(value: Any) -> None:
    try:
        read = quantity(value, "q")
    except Invalid:
        assert not 1 <= float(value) <= 1_000_000 or float(value) != int(float(value))
    else:
        assert read == float(value)
        assert 1 <= read <= 1_000_000


@given(st.integers(-(2**53), 2**53))
@settings(max_examples=50, deadline=None)
def test_a_number_is_the_same_id_however_it_is_written(number: int) -> None:
    assert text_id(number, "id") == text_id(str(number), "id") == str(number)
    if abs(number) < 2**53:
        assert text_id(float(number), "id") == str(number)


def test_words_are_cut_at_64_characters_without_a_loose_end() -> None:
    assert word("a" * 63 + " b") == "a" * 63


def test_a_recommendation_viewed_says_which_items_of_which_answer_were_seen() -> None:
    products = [{"product_id": "p-1", "position": 1}, {"id": "p-2"}]
    event = Door().track("Recommendation Viewed", {"decision_id": "d-7", "products": products})
    assert (event.kind, event.decision) == (kinds.IMPRESSION, "d-7")
    assert [line.item for line in event.lines] == ["p-1", "p-2"]
    bare = Door().track("Recommendation Viewed", {"decision_id": "d-7"})
    assert (bare.kind, bare.decision, bare.lines) == (kinds.IMPRESSION, "d-7", ())
