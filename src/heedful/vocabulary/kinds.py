"""What happened, as a word, and what each word is worth.

A kind is a lower-case word. Kinds without a meaning are kept in the log and in people's history and teach
nothing, until the operator gives them a meaning in the settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

VIEW = "view"
CLICK = "click"
CART = "cart"
UNCART = "uncart"
WISHLIST = "wishlist"
UNWISHLIST = "unwishlist"
PURCHASE = "purchase"
REFUND = "refund"
CANCEL = "cancel"
RATE = "rate"
SHARE = "share"
LIKE = "like"
DISLIKE = "dislike"
HIDE = "hide"
IMPRESSION = "impression"
SEARCH = "search"
PAGE = "page"
SCREEN = "screen"
IDENTIFY = "identify"
GROUP = "group"
ALIAS = "alias"
DECISION = "decision"
ITEM = "item"
ITEM_DELETED = "item_deleted"
EXPOSURE = "exposure"
"""Our own word that somebody was shown an arm of an experiment, where no decision says it."""
TRIAL = "trial"
"""Our own word of how an experiment stands, about nobody."""

BUILT_IN: tuple[str, ...] = (
    "",  # code 0 stays free, so that an unset code is seen
    VIEW, CLICK, CART, UNCART, WISHLIST, UNWISHLIST, PURCHASE, REFUND, CANCEL, RATE, SHARE, LIKE, DISLIKE,
    HIDE, IMPRESSION, SEARCH, PAGE, SCREEN, IDENTIFY, GROUP, ALIAS, DECISION, ITEM, ITEM_DELETED,
)  # fmt: skip
"""Kinds with a fixed dense code, their place in this tuple. Only ever append."""


class Meaning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one interaction of a kind teaches.

    weight: its share in trends, an integer from 0 (teaches nothing) to 100.
    joins_session: whether its item belongs to the session it happened in.
    counts_as_seen: whether the person is taken to have the item already.
    """

    weight: int = 0
    joins_session: bool = False
    counts_as_seen: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 100:
            raise ValueError(f"weight must be 0 to 100, not {self.weight}")


DEFAULT_MEANINGS: Mapping[str, Meaning] = MappingProxyType({
    VIEW: Meaning(weight=1, joins_session=True),
    CLICK: Meaning(weight=1, joins_session=True),
    SHARE: Meaning(weight=3, joins_session=True),
    LIKE: Meaning(weight=3, joins_session=True),
    RATE: Meaning(weight=2, joins_session=True),
    WISHLIST: Meaning(weight=3, joins_session=True),
    CART: Meaning(weight=4, joins_session=True),
    PURCHASE: Meaning(weight=8, joins_session=True, counts_as_seen=True),
})  # fmt: skip
