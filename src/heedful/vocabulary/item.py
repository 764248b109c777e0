"""An item of the catalogue, as its owner describes it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

from heedful.vocabulary.ids import ItemId

MOST_NUMBERS = 2_048
"""How long an item's vector may be."""


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An amount in minor units of an ISO 4217 currency."""

    minor: int
    currency: str = "USD"


class Item(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, rename="camel"):
    """What the catalogue says of one item. Everything but the id may be left out."""

    id: ItemId
    title: str = ""
    categories: tuple[str, ...] = ()
    price: Price | None = None
    available: bool = True
    published: datetime | None = None
    image: str = ""
    url: str = ""
    properties: dict[str, Any] = {}
    vector: Annotated[tuple[float, ...], msgspec.Meta(max_length=MOST_NUMBERS)] = ()
    """An embedding of the owner's own making, of the same length for all items: what is alike points alike."""
