"""Items that say something about a person that nobody should conclude: flagged `sensitive` by their owner.

What somebody did with such an item is kept, and is theirs to read and to erase; but no answer goes by it, and
no such item is proposed to anybody because of what others did. So nothing is learned from it that an answer
could show.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heedful.pipeline.candidates import Candidates
from heedful.pipeline.context import Context
from heedful.views.catalogue import Catalogue

FLAG = "sensitive"
"""The property of an item that says so, when true."""


class SensitiveItems:
    """Which items are flagged now, kept up as the catalogue changes."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._changed = catalogue.follow()
        self._flagged: set[int] = set()

    @property
    def codes(self) -> set[int]:
        """The dense items that are flagged."""
        while self._changed:
            code = self._changed.pop()
            item = self._catalogue.get(code)
            if item is not None and item.properties.get(FLAG) is True:
                self._flagged.add(code)
            else:
                self._flagged.discard(code)
        return self._flagged

    def without(self, items: NDArray[np.int32]) -> NDArray[np.int32]:
        """`items` less those that are flagged, in order."""
        codes = self.codes
        if not codes or not len(items):
            return items
        return items[[code not in codes for code in items.tolist()]]


class NotSensitive:
    """Out go items that are flagged."""

    name = FLAG

    def __init__(self, sensitive: SensitiveItems) -> None:
        self._sensitive = sensitive

    def remove(self, context: Context, candidates: Candidates, reason: int) -> int:
        """See `Filter`. Costs nothing where nothing is flagged."""
        del context
        codes = self._sensitive.codes
        if not codes:
            return 0
        return candidates.remove_rows(np.isin(candidates.items, np.fromiter(codes, dtype=np.int32)), reason)
