"""How like one another two candidates are, for arranging a list and for leaving twins out.

By the owner's vectors where both items have one (1 - 2 * angle / pi from their sketches, not below 0), else by
the cosine of their sets of categories. From 0, nothing in common or nothing known, to 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from heedful.views.arena import Column
from heedful.views.catalogue import Catalogue
from heedful.views.compiled import compiled
from heedful.views.content import Content
from heedful.views.dictionary import Items
from heedful.views.handles import Handle, handle, int32_at, uint64_at
from heedful.views.traits import WIDTH, Traits
from heedful.views.vectors import LANES, PLANES, ones


class Kin(NamedTuple):
    """The arrays, as kernels take them.

    categories: int32 (items * WIDTH,). title, group: uint64 per item (`Traits`).
    row: int32 per item, where its sketch is, or -1. sketches: uint64 (rows * LANES,) (`Vectors`).
    """

    categories: Column
    title: Column
    group: Column
    row: Column
    sketches: Column


class Kinship:
    """Holds the columns together. content: whose vectors are compared; without it only categories are."""

    def __init__(self, traits: Traits, content: Content | None = None) -> None:
        self.traits, self.content = traits, content
        self._kin: Kin | None = None
        self._handle: Handle = np.zeros(0, dtype=np.int64)
        self._none = (np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.uint64))

    def has_groups(self) -> bool:
        """Whether any item says what it is a variant of."""
        self.traits.refresh()
        return self.traits.grouped > 0

    def has_vectors(self) -> bool:
        """Whether any item has a vector."""
        if self.content is None:
            return False
        self.content.refresh()
        return self.content.vectors.count > 0

    def open(self) -> Handle:
        """The handle of the columns as they are now."""
        traits, content = self.traits, self.content
        traits.refresh()
        row, sketches = self._none
        if content is not None:
            content.refresh()
            row, sketches = content.vectors.row, content.vectors.sketches
        kin = self._kin
        if (
            kin is None or kin.categories is not traits.categories or kin.row is not row
            or kin.sketches is not sketches
        ):  # fmt: skip
            self._kin = Kin(traits.categories, traits.title, traits.group, row, sketches)
            self._handle = handle(self._kin)
        return self._handle


def kinship_of(catalogue: Catalogue, items: Items) -> Kinship:
    """Kinship by categories and vectors over a fold's catalogue and items; its `traits` and `content` serve
    the sources that go by description too, so that one process keeps each once."""
    return Kinship(Traits(catalogue, items), Content(catalogue, items))


@compiled
def kin_of(table: Handle) -> Kin:
    """The arrays behind a handle."""
    return Kin(
        int32_at(table, 0), uint64_at(table, 1), uint64_at(table, 2), int32_at(table, 3), uint64_at(table, 4)
    )


@compiled
def gathered(kin: Kin, item: Column, rows: Column) -> tuple[Column, Column]:
    """The categories of `rows` side by side, int32 (n * WIDTH,), and how many each has, int32 (n,)."""
    categories = kin.categories
    sets, sizes = np.empty(len(rows) * WIDTH, dtype=np.int32), np.zeros(len(rows), dtype=np.int32)
    for i in range(len(rows)):
        first, size = np.int64(item[rows[i]]) * WIDTH, 0
        while size < WIDTH and first < len(categories) and categories[first + size] >= 0:
            sets[i * WIDTH + size] = categories[first + size]
            size += 1
        sizes[i] = size
    return sets, sizes


@compiled
def masks_of(sets: Column, sizes: Column) -> Column:
    """The sets as bits, uint64 (words, n): a category is the same bit in every one of them."""
    count, room = 0, 64
    for size in sizes:
        count += size
    while room < 2 * count + 2:
        room *= 2
    code, bit = np.full(room, -1, dtype=np.int32), np.empty(room, dtype=np.int32)
    masks = np.zeros(((count >> 6) + 1, len(sizes)), dtype=np.uint64)
    known = 0
    for i in range(len(sizes)):
        for k in range(i * WIDTH, i * WIDTH + sizes[i]):
            place = sets[k] & (room - 1)
            while code[place] >= 0 and code[place] != sets[k]:
                place = (place + 1) & (room - 1)
            if code[place] < 0:
                code[place], bit[place] = sets[k], known
                known += 1
            masks[bit[place] >> 6, i] |= np.uint64(1) << np.uint64(bit[place] & 63)
    return masks[: max(1, (known + 63) >> 6)]


@compiled
def laid_sketches(kin: Kin, item: Column, rows: Column) -> tuple[int, Column, Column]:
    """How many of `rows` have a vector, which, uint8 (n,), and their sketches, uint64 (n, LANES), or
    (0, LANES) where none has one."""
    place, sketches = kin.row, kin.sketches
    has, some = np.zeros(len(rows), dtype=np.uint8), 0
    for i in range(len(rows)):
        if item[rows[i]] < len(place) and place[item[rows[i]]] >= 0:
            has[i] = 1
            some += 1
    laid = np.zeros((len(rows) if some > 0 else 0, LANES), dtype=np.uint64)
    for i in range(len(laid)):
        if has[i]:
            first = np.int64(place[item[rows[i]]]) * LANES
            for lane in range(LANES):
                laid[i, lane] = sketches[first + lane]
    return some, has, laid


@compiled
def liken(
    masks: Column, roots: Column, some: int, has: Column, laid: Column, one: int, alike: Column
) -> None:
    """Write how like `one` each candidate is into `alike`, float64 (n,), 0 to 1. roots: 1 / sqrt(categories)."""
    if some < len(alike):
        root = roots[one]
        alike[:] = 0.0
        for word in range(len(masks)):
            mine = masks[word, one]
            if mine != 0:
                line = masks[word]
                for i in range(len(alike)):
                    alike[i] += ones(mine & line[i])
        for i in range(len(alike)):
            alike[i] = min(1.0, alike[i] * root * roots[i])
    if some > 0 and has[one]:
        for i in range(len(alike)):
            if has[i]:
                bits = 0
                for lane in range(LANES):
                    bits += ones(laid[one, lane] ^ laid[i, lane])
                alike[i] = max(0.0, 1.0 - 2.0 * bits / PLANES)


@compiled
def roots_of(sizes: Column) -> Column:
    """1 / sqrt of how many categories each has, float64 (n,); 0 for none."""
    roots = np.zeros(len(sizes))
    for i in range(len(sizes)):
        if sizes[i] > 0:
            roots[i] = 1.0 / np.sqrt(float(sizes[i]))
    return roots
