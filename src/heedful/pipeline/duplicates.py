"""One item of a kind: what is the same thing under several ids is shown once, as its best candidate."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from heedful.pipeline.candidates import Candidates, best_rows, columns_of
from heedful.pipeline.context import Context
from heedful.pipeline.kinship import Kinship, kin_of, laid_sketches
from heedful.views.arena import Column
from heedful.views.compiled import compiled
from heedful.views.dictionary import Items
from heedful.views.handles import Handle
from heedful.views.vectors import LANES, PLANES, ones

_COMPARED = 120
"""The best candidates whose vectors are compared with one another; a list has at most 100 places."""


class NotTwice:
    """Out goes what a better candidate already stands for: the same `properties.group`, the same title (words
    and case folded), or vectors that differ in next to nothing.

    It is a filter (`pipeline/filters.py`) that must run after the ranker, because the best one stays. alike:
    the cosine from which two vectors are one thing, judged by their sketches, whose error is about 0.02 at
    the default; above 1, vectors are not looked at. titles: whether the same title means the same thing.
    """

    name = "duplicate"

    def __init__(self, kinship: Kinship, items: Items, *, titles: bool = True, alike: float = 0.995) -> None:
        self._kinship, self._items, self._titles = kinship, items, titles
        self._bits = -1 if alike > 1.0 else round(PLANES * math.acos(alike) / math.pi)

    def remove(self, context: Context, candidates: Candidates, reason: int) -> int:
        del context
        if not (self._titles or self._kinship.has_groups() or self._kinship.has_vectors()):
            return 0
        return int(_collapse(
            candidates.handle, self._kinship.open(), self._items.keys, reason, self._titles, self._bits
        ))  # fmt: skip


@compiled
def _place(table: Column, name: int) -> int:
    """Where `name`, which is not 0, stands or would stand in a table of names that is at most half full."""
    mask = len(table) - 1
    place = np.int64(name) & mask
    while table[place] != 0 and table[place] != name:
        place = (place + 1) & mask
    return int(place)


@compiled
def _collapse(
    table: Handle, relations: Handle, keys: NDArray[np.uint64], reason: int, titles: bool, bits: int
) -> int:
    columns, kin = columns_of(table), kin_of(relations)
    rows = best_rows(columns, keys, int(columns.meta[0]))
    item, reasons, title, group = columns.item, columns.reason, kin.title, kin.group
    _, has, laid = laid_sketches(kin, item, rows[:_COMPARED])
    room = 4
    while room < 2 * len(rows) + 2:
        room *= 2
    titled, grouped = np.zeros(room, dtype=np.uint64), np.zeros(room, dtype=np.uint64)
    placed, stay, removed = np.empty(_COMPARED, dtype=np.int64), 0, 0
    for i in range(len(rows)):
        code = item[rows[i]]
        known = code < len(title)
        twin, title_place, group_place = False, -1, -1
        if known and titles and title[code] != 0:
            title_place = _place(titled, title[code])
            twin = titled[title_place] != 0
        if known and group[code] != 0:
            group_place = _place(grouped, group[code])
            twin = twin or grouped[group_place] != 0
        if not twin and i < len(laid) and has[i]:
            for j in range(stay):
                differ = 0
                for lane in range(LANES):
                    differ += ones(laid[i, lane] ^ laid[placed[j], lane])
                twin = twin or differ <= bits
            if not twin:
                placed[stay] = i
                stay += 1
        if twin:
            reasons[rows[i]] = reason
            removed += 1
            continue
        if title_place >= 0:
            titled[title_place] = title[code]
        if group_place >= 0:
            grouped[group_place] = group[code]
    return removed
