"""What arranging a list needs to know of items, as plain columns: categories, names to tell twins by, and age.

A pure function of the descriptions that hold, kept up as the catalogue changes.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from heedful.views.catalogue import UNPUBLISHED, Catalogue
from heedful.views.dictionary import Items
from heedful.views.words import pieces
from heedful.vocabulary.item import Item
from heedful.vocabulary.time import Instant

WIDTH = 8
"""Categories of one item that count: the first ones its owner names."""

NONE = -1
UNBORN = int(np.iinfo(np.int64).min)
"""The age of an item that was never described."""


class Traits:
    """The columns, indexed by dense item and as long as there were items when `refresh` was last called.

    categories: int32 (items * WIDTH,), by item: codes of its categories, ascending, then NONE. A code means
        nothing but itself.
    grouped: how many items have a group.
    title, group: uint64, a hash of the title's words and of `properties.group`; 0 where there is none.
    born: int64 Instant, when the item was published or else first described; UNBORN when neither is known.
    The arrays are replaced when they grow: do not keep them. changes: grows whenever anything in them changes.
    """

    def __init__(self, catalogue: Catalogue, items: Items) -> None:
        self._catalogue = catalogue
        self._items = items
        self._stale = catalogue.follow()
        self._codes: dict[str, int] = {}
        self.categories: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        self.title: NDArray[np.uint64] = np.zeros(0, dtype=np.uint64)
        self.group: NDArray[np.uint64] = np.zeros(0, dtype=np.uint64)
        self.born: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.grouped = 0
        self.changes = 0

    def refresh(self) -> None:
        """Bring the columns up to what the catalogue says now. Costs nothing where nothing changed."""
        if len(self._items) > len(self.born):
            self._grow(len(self._items) + len(self._items) // 4 + 64)
        if not self._stale:
            return
        for code in self._stale:
            self._describe(code, self._catalogue.get(code))
        self._stale.clear()
        self.changes += 1

    def code(self, category: str) -> int:
        """The code of `category`, or NONE when no item ever had it."""
        return self._codes.get(category, NONE)

    def born_between(self, first: Instant, stop: Instant, limit: int) -> NDArray[np.int32]:
        """The items born in [first, stop), the youngest first, ties by ascending key; at most `limit`.

        What was described and then deleted is among them.
        """
        self.refresh()
        found = np.flatnonzero((self.born >= max(first, UNBORN + 1)) & (self.born < stop)).astype(np.int32)
        return found[np.lexsort((self._items.keys[found], -self.born[found]))][:limit]

    def _describe(self, code: int, item: Item | None) -> None:
        row = self.categories[code * WIDTH : (code + 1) * WIDTH]
        row[:] = NONE
        if item is not None:
            named = sorted({self._coded(category) for category in item.categories[:WIDTH]})
            row[: len(named)] = named
        self.title[code] = 0 if item is None else _hashed(" ".join(pieces(item.title)))
        before = self.group[code]
        self.group[code] = 0 if item is None else _hashed(_group(item))
        self.grouped += int(self.group[code] != 0) - int(before != 0)
        published = int(self._catalogue.published[code])
        said = self._catalogue.first_said_at(code)
        self.born[code] = published if published != UNPUBLISHED else UNBORN if said is None else said

    def _coded(self, category: str) -> int:
        return self._codes.setdefault(category, len(self._codes))

    def _grow(self, room: int) -> None:
        more = room - len(self.born)
        self.categories = np.append(self.categories, np.full(more * WIDTH, NONE, dtype=np.int32))
        self.title = np.append(self.title, np.zeros(more, dtype=np.uint64))
        self.group = np.append(self.group, np.zeros(more, dtype=np.uint64))
        self.born = np.append(self.born, np.full(more, UNBORN, dtype=np.int64))


def _group(item: Item) -> str:
    """What the owner says the item is a variant of, or nothing."""
    group = item.properties.get("group")
    plain = isinstance(group, (str, int)) and not isinstance(group, bool)
    return f"{type(group).__name__} {group}" if plain and group != "" else ""


def _hashed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") if text else 0
