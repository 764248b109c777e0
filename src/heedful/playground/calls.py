"""Steps as calls of the Segment protocol, with the names and properties of its e-commerce specification,
version 2.

https://segment.com/docs/connections/spec/ecommerce/v2/ for track calls, /connections/spec/common/ for their
frame. `Hide` ("not for me") is a plain word of ours; that specification has no name for it.
"""

from __future__ import annotations

import hashlib
from typing import Any

from heedful.playground.catalogue import CURRENCY, Catalogue
from heedful.playground.shoppers import Crowd, Shopper
from heedful.playground.visits import Deed, Step
from heedful.vocabulary.time import DAY, HOUR, MINUTE, SECOND, Instant, moment

Call = dict[str, Any]

SHOP = "https://fernweh.example"
LIBRARY = {"name": "heedful-playground", "version": "1"}
AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 Chrome/141.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_6) AppleWebKit/605.1.15 Version/19.0 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0",
)

NAMES = {
    Deed.SEARCH: "Products Searched",
    Deed.LIST: "Product List Viewed",
    Deed.CLICK: "Product Clicked",
    Deed.VIEW: "Product Viewed",
    Deed.ADD: "Product Added",
    Deed.REMOVE: "Product Removed",
    Deed.WISH: "Product Added to Wishlist",
    Deed.HIDE: "Hide",
    Deed.CHECKOUT: "Checkout Started",
    Deed.BUY: "Order Completed",
    Deed.REFUND: "Order Refunded",
}


class Calls:
    """Writes the calls of one run. `run` is a short name that no other run has; message ids are
    `{run}-{n}`."""

    def __init__(self, catalogue: Catalogue, crowd: Crowd, run: str) -> None:
        self.crowd = crowd
        self.run = run
        self._count = 0
        self._day = -1
        self._date = ""
        self._products = [_product(catalogue, number) for number in range(len(catalogue))]
        self._minor = [item.price.minor if item.price else 0 for item in catalogue.items]

    def call(self, step: Step, at: int) -> Call:
        """The call for one step, as sent at `at`."""
        shopper = self.crowd.shoppers[step.who]
        self._count += 1
        call: Call = {
            "type": "track",
            "messageId": f"{self.run}-{self._count}",
            "timestamp": self._stamp(at),
            "anonymousId": step.guest or shopper.device,
            "context": {"library": LIBRARY, "locale": "en", "userAgent": AGENTS[step.who % len(AGENTS)]},
        }
        if shopper.signed_in and not step.guest:
            call["userId"] = shopper.id
        if step.deed is Deed.IDENTIFY:
            call["type"] = "identify"
            call["traits"] = _traits(shopper, step.who)
        elif step.deed is Deed.ARRIVE:
            call["type"] = "page"
            call["name"] = "Home"
            call["properties"] = {"path": "/", "url": f"{SHOP}/", "title": "Fernweh Supply", "referrer": ""}
        else:
            call["event"] = NAMES[step.deed]
            call["properties"] = self._properties(step)
        return call

    def _stamp(self, at: int) -> str:
        """RFC 3339 in UTC with milliseconds. The date is kept: most stamps are of the same day as the
        last."""
        day, rest = divmod(at, DAY)
        if day != self._day:
            self._day = day
            self._date = moment(Instant(day * DAY)).strftime("%Y-%m-%dT")
        hours, rest = divmod(rest, HOUR)
        minutes, rest = divmod(rest, MINUTE)
        seconds, rest = divmod(rest, SECOND)
        return f"{self._date}{hours:02d}:{minutes:02d}:{seconds:02d}.{rest // 1000:03d}Z"

    def _properties(self, step: Step) -> dict[str, Any]:
        deed = step.deed
        if deed is Deed.SEARCH:
            return {"query": step.word}
        if deed is Deed.LIST:
            products = [
                {**self._products[item], "position": place + 1} for place, item in enumerate(step.items)
            ]
            category = products[0]["category"]
            return {"list_id": category, "category": category, "products": products}
        if deed is Deed.BUY or deed is Deed.REFUND or deed is Deed.CHECKOUT:
            return self._order(step)
        product = self._products[step.items[0]].copy()
        if deed is Deed.VIEW:
            product["currency"] = CURRENCY
            product["value"] = product["price"]
        elif deed is Deed.CLICK:
            product["position"] = step.place
        elif deed is Deed.WISH:
            product["wishlist_id"] = f"wishlist-{step.who + 1}"
        elif deed is Deed.ADD or deed is Deed.REMOVE:
            product["cart_id"] = f"{self.run}-cart-{step.visit + 1}"
            product["quantity"] = self._quantity(step, step.items[0])
        return product

    def _quantity(self, step: Step, item: int) -> int:
        """Cheap things are sometimes bought by twos and fours; the same everywhere within a visit."""
        return (1, 1, 1, 2, 1, 4)[(step.visit * 7 + item) % 6] if self._minor[item] < 4000 else 1

    def _order(self, step: Step) -> dict[str, Any]:
        """An order, a refund of some of its lines, or a checkout; sums are exact in minor units."""
        products = []
        goods = 0
        for item in step.items:
            quantity = self._quantity(step, item)
            goods += self._minor[item] * quantity
            products.append({**self._products[item], "quantity": quantity})
        order: dict[str, Any] = {"order_id": f"{self.run}-order-{step.visit + 1}", "currency": CURRENCY}
        if step.deed is Deed.REFUND:
            order["total"] = goods / 100
        else:
            shipping = 0 if goods >= 10_000 else 690
            tax = goods * 8 // 100
            order |= {
                "affiliation": "Fernweh Supply",
                "value": goods / 100,
                "revenue": goods / 100,
                "shipping": shipping / 100,
                "tax": tax / 100,
            }
            if step.deed is Deed.BUY:
                order["total"] = (goods + shipping + tax) / 100
        order["products"] = products
        return order


def _product(catalogue: Catalogue, number: int) -> dict[str, Any]:
    """What every call says of an item."""
    item = catalogue.items[number]
    return {
        "product_id": item.id,
        "sku": item.id.upper(),
        "name": item.title,
        "category": item.categories[0],
        "brand": item.properties["brand"],
        "variant": item.properties["color"],
        "price": (item.price.minor if item.price else 0) / 100,
        "url": SHOP + item.url,
        "image_url": SHOP + item.image,
    }


def _traits(shopper: Shopper, who: int) -> dict[str, Any]:
    """What the shop was told by the person. The address is a reserved example and reaches nobody."""
    first, _, last = shopper.name.partition(" ")
    return {
        "name": shopper.name,
        "firstName": first,
        "lastName": last,
        "email": f"{first}.{last}.{who + 1}@mail.example".lower(),
        "address": {"city": shopper.city, "country": shopper.country},
    }


def run_name(*parts: object) -> str:
    """A short name for one run: the same for the same parts (world, start, purpose), and for no others."""
    text = "/".join(str(part) for part in parts)
    return "pg-" + hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
