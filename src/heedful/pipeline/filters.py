"""What must not be shown. Each filter looks at the state of this moment, never at a cache, and says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from heedful.pipeline.context import Context
from heedful.views.catalogue import Catalogue
from heedful.views.compiled import compiled
from heedful.views.dictionary import Items
from heedful.vocabulary.item import Item

Mask = NDArray[np.bool_]


class Filter(Protocol):
    """A reason not to show an item. `name` is the reason."""

    name: str

    def keeps(self, context: Context, items: NDArray[np.int32]) -> Mask | None:
        """For each of `items`, shape (n,), whether it may stay; None where all may."""


class Servable:
    """Out go items that are deleted, unavailable, or not in the catalogue where it is required."""

    name = "unavailable"

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def keeps(self, context: Context, items: NDArray[np.int32]) -> Mask:
        del context
        mask: Mask = self._catalogue.servable[items]
        return mask


class NotExcluded:
    """Out go items that the request names."""

    name = "excluded"

    def keeps(self, context: Context, items: NDArray[np.int32]) -> Mask | None:
        return _absent(items, context.excluded) if len(context.excluded) else None


class NotThisPage:
    """Out goes the item the person is looking at: the one on the page, or the last one touched."""

    name = "current"

    def keeps(self, context: Context, items: NDArray[np.int32]) -> Mask | None:
        if not len(context.trail):
            return None
        mask: Mask = items != context.trail[0]
        return mask


class NotOwned:
    """Out go items the person is taken to have."""

    name = "owned"

    def keeps(self, context: Context, items: NDArray[np.int32]) -> Mask | None:
        return _absent(items, context.owned) if len(context.owned) else None


class NotHidden:
    """Out go items the person asked not to see."""

    name = "hidden"

    def keeps(self, context: Context, items: NDArray[np.int32]) -> Mask | None:
        return _absent(items, context.hidden) if len(context.hidden) else None


class Holds:
    """Out go items for which the request's condition does not hold."""

    name = "filter"

    def __init__(
        self, condition: Callable[[Item | None, str], bool], catalogue: Catalogue, items: Items
    ) -> None:
        self._condition = condition
        self._catalogue = catalogue
        self._items = items

    def keeps(self, context: Context, items: NDArray[np.int32]) -> Mask:
        del context
        get, ids, holds = self._catalogue.get, self._items.ids, self._condition
        return np.array([holds(get(code), ids[code]) for code in items.tolist()], dtype=np.bool_)


def _absent(items: NDArray[np.int32], banned: NDArray[np.int32]) -> Mask:
    """Whether each of `items` is not among `banned`."""
    mask: Mask = _search(items, np.sort(banned))
    return mask


@compiled
def _search(items: NDArray[np.int32], banned: NDArray[np.int32]) -> NDArray[np.bool_]:
    absent = np.empty(len(items), dtype=np.bool_)
    for i in range(len(items)):
        place = np.searchsorted(banned, items[i])
        absent[i] = place == len(banned) or banned[place] != items[i]
    return absent
