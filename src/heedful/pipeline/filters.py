"""What must not be shown. Each filter looks at the state of this moment, never at a cache, and says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from heedful.pipeline.again_source import DueNow
from heedful.pipeline.candidates import KEPT, Candidates
from heedful.pipeline.context import Context
from heedful.views.catalogue import Catalogue
from heedful.views.dictionary import Items
from heedful.vocabulary.item import Item


class Filter(Protocol):
    """A reason not to show an item. `name` is the reason."""

    name: str

    def remove(self, context: Context, candidates: Candidates, reason: int) -> int:
        """Remove what must go under the number `reason`; returns how many rows went."""


class Servable:
    """Out go items that are deleted, unavailable, or not in the catalogue where it is required."""

    name = "unavailable"

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def remove(self, context: Context, candidates: Candidates, reason: int) -> int:
        del context
        return candidates.remove_unless(self._catalogue.servable, reason)


class NotThisPage:
    """Out goes the item the person is looking at: the one on the page, or the last one touched."""

    name = "current"

    def remove(self, context: Context, candidates: Candidates, reason: int) -> int:
        return candidates.remove_items(context.trail[:1], reason) if len(context.trail) else 0


class NotExcluded:
    """Out go items that the request names."""

    name = "excluded"

    def remove(self, context: Context, candidates: Candidates, reason: int) -> int:
        return candidates.remove_items(context.excluded, reason) if len(context.excluded) else 0


class NotOwned:
    """Out go items the person is taken to have, unless one of them is due to be bought again.

    due: what is due for a question's person; without it nothing ever is.
    """

    name = "owned"

    def __init__(self, due: DueNow | None = None) -> None:
        self._due = due

    def remove(self, context: Context, candidates: Candidates, reason: int) -> int:
        owned = context.owned
        if not len(owned):
            return 0
        if self._due is not None:
            due = self._due.of(context).items
            if len(due):
                owned = owned[~np.isin(owned, due, kind="sort")]
        return candidates.remove_items(owned, reason)


class NotHidden:
    """Out go items the person asked not to see."""

    name = "hidden"

    def remove(self, context: Context, candidates: Candidates, reason: int) -> int:
        return candidates.remove_items(context.hidden, reason) if len(context.hidden) else 0


class Holds:
    """Out go items for which the request's condition does not hold."""

    name = "filter"

    def __init__(
        self, condition: Callable[[Item | None, str], bool], catalogue: Catalogue, items: Items
    ) -> None:
        self._condition = condition
        self._catalogue = catalogue
        self._items = items

    def remove(self, context: Context, candidates: Candidates, reason: int) -> int:
        del context
        get, ids, holds = self._catalogue.get, self._items.ids, self._condition
        failing = [
            kept == KEPT and not holds(get(code), ids[code])
            for code, kept in zip(candidates.items.tolist(), candidates.reasons.tolist(), strict=True)
        ]
        return candidates.remove_rows(np.array(failing, dtype=np.bool_), reason)
