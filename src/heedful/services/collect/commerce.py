"""What the sender's event names mean to us, and which items and amounts an event speaks of.

The names are those of Segment's e-commerce specification, version 2, with its version 1 names beside them.
https://segment.com/docs/connections/spec/ecommerce/v2/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from heedful.services.collect import fields
from heedful.vocabulary import kinds
from heedful.vocabulary.errors import Invalid, SettingsError
from heedful.vocabulary.event import Line

NAMES: Mapping[str, str] = MappingProxyType({
    "Product Viewed": kinds.VIEW,
    "Product Clicked": kinds.CLICK,
    "Product Added": kinds.CART,
    "Product Removed": kinds.UNCART,
    "Wishlist Product Added to Cart": kinds.CART,
    "Product Added to Wishlist": kinds.WISHLIST,
    "Product Removed from Wishlist": kinds.UNWISHLIST,
    "Order Completed": kinds.PURCHASE,
    "Order Refunded": kinds.REFUND,
    "Order Cancelled": kinds.CANCEL,
    "Product Reviewed": kinds.RATE,
    "Product Shared": kinds.SHARE,
    "Products Searched": kinds.SEARCH,
    "Product List Viewed": kinds.IMPRESSION,
    "Promotion Viewed": kinds.IMPRESSION,
    "Recommendation Viewed": kinds.IMPRESSION,  # ours: what was shown of an answer
    # version 1
    "Viewed Product": kinds.VIEW,
    "Clicked Product": kinds.CLICK,
    "Added Product": kinds.CART,
    "Removed Product": kinds.UNCART,
    "Completed Order": kinds.PURCHASE,
    "Viewed Product Category": kinds.IMPRESSION,
    "Viewed Promotion": kinds.IMPRESSION,
})  # fmt: skip
"""Event names with a kind of ours. Case, spaces and underscores do not matter: `product_viewed` is one."""

KEPT: tuple[str, ...] = (
    "Product List Filtered", "Promotion Clicked", "Cart Viewed", "Cart Shared", "Checkout Started",
    "Checkout Step Viewed", "Checkout Step Completed", "Payment Info Entered", "Order Updated",
    "Coupon Entered", "Coupon Applied", "Coupon Denied", "Coupon Removed",
)  # fmt: skip
"""The other names of the specification: kept under their own name, as `order_updated`, with their items."""

NOT_FROM_OUTSIDE: frozenset[str] = frozenset({
    kinds.DECISION, kinds.ITEM, kinds.ITEM_DELETED, kinds.PAGE, kinds.SCREEN, kinds.IDENTIFY, kinds.GROUP,
    kinds.ALIAS, kinds.EXPOSURE,
})  # fmt: skip
"""Kinds that no event name may claim: only our own services or another call make them."""

PLAIN: frozenset[str] = frozenset(kinds.BUILT_IN) - NOT_FROM_OUTSIDE - {""}
"""Kinds that are also names: `track` with the event `like` is a like."""

NEEDS_ITEM: frozenset[str] = frozenset({
    kinds.VIEW, kinds.CLICK, kinds.CART, kinds.UNCART, kinds.WISHLIST, kinds.UNWISHLIST, kinds.RATE,
    kinds.LIKE, kinds.DISLIKE, kinds.HIDE,
})  # fmt: skip
"""Kinds that say nothing without an item."""

ORDERS: frozenset[str] = frozenset({kinds.PURCHASE, kinds.REFUND, kinds.CANCEL})

PAGES: frozenset[str] = frozenset({kinds.PAGE, kinds.SCREEN})
"""A page is about its own item or about none; the products it lists were merely there."""

MAX_KIND = 64
_REMEMBERED = 10_000

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_GAP = re.compile(r"[\W_]+")


def word(name: str) -> str:
    """`name` in snake case, at most 64 characters; "" when nothing of it is a letter or a digit."""
    return _GAP.sub("_", _HUMP.sub("_", name)).lower().strip("_")[:MAX_KIND].rstrip("_")


class Names:
    """From a sender's event name to a kind. `meanings`: the operator's own names, which win over ours."""

    def __init__(self, meanings: Mapping[str, str]) -> None:
        self._kinds = {word(name): kind for name, kind in NAMES.items()}
        self._kinds |= {name: f"{name}_event" for name in NOT_FROM_OUTSIDE}
        for name, kind in meanings.items():
            if kind != word(kind) or not kind or kind in NOT_FROM_OUTSIDE:
                raise SettingsError(
                    f"the event {name!r} cannot have the kind {kind!r}; take a word of your own"
                )
            self._kinds[word(name)] = kind
        self._known: dict[str, str] = {}

    def kind(self, name: str) -> str:
        """The kind of events called `name`: 1 to 64 characters. Raises Invalid when it has no word in it."""
        known = self._known.get(name)
        if known is None:
            snake = word(name)
            if not snake:
                raise Invalid("event_invalid", "an event's name needs a letter or a digit", path="event")
            known = self._kinds.get(snake, snake)
            if len(self._known) < _REMEMBERED:
                self._known[name] = known
        return known


class Product(msgspec.Struct, frozen=True, gc=False):
    """What we read of one product."""

    product_id: Any = None
    sku: Any = None
    item_id: Any = None
    item_id_camel: Any = msgspec.field(name="itemId", default=None)
    product_id_camel: Any = msgspec.field(name="productId", default=None)
    id: Any = None
    price: Any = None
    quantity: Any = None
    line: Any = None


class Properties(Product, frozen=True, gc=False):
    """What we read of an event's properties. Everything else stays in the bytes."""

    products: msgspec.Raw = msgspec.Raw()
    currency: Any = None
    revenue: Any = None
    total: Any = None
    value: Any = None
    rating: Any = None
    order_id: Any = None
    order_id_camel: Any = msgspec.field(name="orderId", default=None)
    decision_id: Any = None


class Deal(msgspec.Struct, frozen=True, gc=False):
    """The items and amounts of one event, as `Event` has them."""

    lines: tuple[Line, ...] = ()
    order: str = ""
    currency: str = ""
    value: int | None = None


NO_DEAL = Deal()
NO_PROPERTIES = Properties()

read_properties = msgspec.json.Decoder(Properties).decode
_read_products = msgspec.json.Decoder(list[Product]).decode


def read_deal(kind: str, given: Properties, message_id: str) -> Deal:
    """What an event of `kind` speaks of.

    Where the kind is ours, anything unreadable raises Invalid. Where the name is the sender's own, a field of
    the same name may mean something else: what cannot be read then says nothing.
    """
    if kind in PLAIN:
        return _strictly(kind, given, message_id)
    try:
        return _strictly(kind, given, message_id)
    except Invalid:
        return NO_DEAL


def _strictly(kind: str, given: Properties, message_id: str) -> Deal:
    said = fields.currency(given.currency, "properties.currency")
    code = said or "USD"
    lines = _lines(kind, given, code)
    order = fields.text_id(given.order_id, "properties.order_id") or fields.text_id(
        given.order_id_camel, "properties.orderId"
    )
    if not order and kind in ORDERS:
        if kind == kinds.PURCHASE:
            order = message_id
        elif not lines:
            raise Invalid("order_missing", "say which order, or which products", path="properties.order_id")
    if kind == kinds.RATE:
        value = fields.rating(given.rating, "properties.rating")
        priced = False
    else:
        value = _value(kind, given, code)
        priced = value is not None
    if not (said or priced or any(line.amount for line in lines)):
        code = ""  # no amount needs one
    return Deal(lines, order, code, value)


def _value(kind: str, given: Properties, code: str) -> int | None:
    """The event's revenue in minor units: the first said of `revenue`, an order's `total`, and `value`."""
    value = fields.money(given.revenue, code, "properties.revenue")
    if value is None and kind in ORDERS:
        value = fields.money(given.total, code, "properties.total")
    if value is None:
        value = fields.money(given.value, code, "properties.value")
    return value


def _lines(kind: str, given: Properties, code: str) -> tuple[Line, ...]:
    """The items concerned: the event's own, or those of `products`; orders have keys to tell lines apart."""
    needs = kind in NEEDS_ITEM
    own = _item(given, "properties", with_id=needs)
    products = [] if kind in PAGES or (own and needs) else _products(given)
    if products:
        repeats: dict[str, int] = {}
        return tuple([_listed(kind, product, code, repeats, at) for at, product in enumerate(products)])
    if own:
        line = _line(own, given, code, "properties")
        return (_keyed(line, given, {}, "properties") if kind in ORDERS else line,)
    if needs:
        raise Invalid("item_missing", "say which item", path="properties.product_id")
    return ()


def _products(given: Properties) -> list[Product]:
    raw = bytes(given.products)
    if raw in (b"", b"null"):
        return []
    try:
        return _read_products(raw)
    except msgspec.ValidationError as error:
        raise Invalid("type_invalid", "must be an array of objects", path="properties.products") from error


def _listed(kind: str, product: Product, code: str, repeats: dict[str, int], at: int) -> Line:
    """The line of the product at place `at` of `products`."""
    path = f"properties.products[{at}]"
    item = _item(product, path, with_id=True)
    if not item:
        raise Invalid("item_missing", "a product needs an id", path=f"{path}.product_id")
    line = _line(item, product, code, path)
    return _keyed(line, product, repeats, path) if kind in ORDERS else line


def _item(given: Product, path: str, *, with_id: bool) -> str:
    """The item's id under any of its names, "" where there is none. `id` counts only where nothing else can
    be meant by it."""
    return (
        fields.text_id(given.product_id, f"{path}.product_id")
        or fields.text_id(given.product_id_camel, f"{path}.productId")
        or fields.text_id(given.sku, f"{path}.sku")
        or fields.text_id(given.item_id, f"{path}.item_id")
        or fields.text_id(given.item_id_camel, f"{path}.itemId")
        or (fields.text_id(given.id, f"{path}.id") if with_id else "")
    )


def _line(item: str, given: Product, code: str, path: str) -> Line:
    count = fields.quantity(given.quantity, f"{path}.quantity")
    amount = fields.money(given.price, code, f"{path}.price", times=count) or 0
    if amount < 0:
        raise Invalid("amount_invalid", "a price is not negative", path=f"{path}.price")
    return Line(item, count, amount)


def _keyed(line: Line, given: Product, repeats: dict[str, int], path: str) -> Line:
    """`line` with a key that no other line of its order has: the item's id, then `#2`, `#3` for its repeats.

    A product's own `line` names its key instead, so that a refund can point at one of several.
    """
    own = fields.text_id(given.line, f"{path}.line", 64)
    base = f"{line.item}#{own}" if own else line.item
    nth = repeats.get(base, 0) + 1
    key = base if nth == 1 else f"{base}#{nth}"
    while key in repeats:  # another item's id may look like a key of ours
        nth += 1
        key = f"{base}#{nth}"
    repeats[base] = nth
    repeats.setdefault(key, 1)
    return msgspec.structs.replace(line, key=key)
