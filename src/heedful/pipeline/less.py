"""Less like this: categories that a person asked not to see. They stand in the person's history as hidden
items whose ids begin with a word of their own, so that they are kept, merged and forgotten as everything else
there is."""

from __future__ import annotations

import numpy as np

from heedful.pipeline.candidates import Candidates
from heedful.pipeline.context import Context
from heedful.views.catalogue import Catalogue
from heedful.views.dictionary import Items

CATEGORY = "category:"


class NotHiddenCategory:
    """Out go items of a category that the person asked not to see."""

    name = "hidden_category"

    def __init__(self, catalogue: Catalogue, items: Items) -> None:
        self._catalogue = catalogue
        self._items = items

    def remove(self, context: Context, candidates: Candidates, reason: int) -> int:
        """See `Filter`. Costs nothing for who hid nothing."""
        removed = 0
        for code in context.hidden.tolist():
            name = self._items.ids[code]
            if name.startswith(CATEGORY):
                members = self._catalogue.members(name.removeprefix(CATEGORY))
                removed += candidates.remove_rows(np.isin(candidates.items, members), reason)
        return removed
