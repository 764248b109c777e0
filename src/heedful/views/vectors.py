"""Embeddings that owners give their items, small enough to be compared with every question.

Of each vector 8 bits a number are kept, and 256 bits of a sketch: on which side of 256 fixed random planes
it lies (Charikar, "Similarity Estimation Techniques from Rounding Algorithms", STOC 2002). A reading counts
differing bits over all sketches, and compares the nearest few hundred exactly. All sums are of integers, so
what is found depends on the vectors alone. Only vectors of one length are compared: the length that most
items have, ties to the shorter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # it ships no types
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from heedful.views.arena import Column, grown
from heedful.views.compiled import compiled
from heedful.views.glossary import MILLIONTHS
from heedful.views.reading import Sheet, arrange, offer

LANES = 4
"""64-bit words of a sketch."""
PLANES = LANES * 64
_PLANES_SEED = 2_002
_LOOKED_AT = 8
_AT_LEAST = 256


class Vectors:
    """The vectors of the items that have one.

    length: numbers of each vector that is compared, 0 when there is none.
    row: int32 by dense item, where its vector is, or -1. count: how many rows there are.
    cells: int8 (rows * length,). sketches: uint64 (rows * LANES,). item: int32 (rows,), whose each is.
    norm: int64 (rows,), the sum of the squares of the cells.
    """

    def __init__(self) -> None:
        self._all: dict[int, NDArray[np.int8]] = {}
        self._lengths: Counter[int] = Counter()
        self.row: NDArray[np.int32] = np.full(1_024, -1, dtype=np.int32)
        self._restart(0)

    def _restart(self, length: int) -> None:
        self.length, self.count = length, 0
        self.row[:] = -1
        self.cells: NDArray[np.int8] = np.zeros(0, dtype=np.int8)
        self.sketches: NDArray[np.uint64] = np.zeros(0, dtype=np.uint64)
        self.item: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        self.norm: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._planes = planes(length)

    def put(self, given: Mapping[int, Sequence[float]]) -> None:
        """Let the items have these vectors in place of those they had; an empty one, or one that is all zero
        or not finite, is none."""
        changed = []
        for code, numbers in given.items():
            cells, before = rounded(numbers), self._all.get(code)
            if cells is None or before is None:
                changes = cells is not before
            else:
                changes = bool((cells.shape != before.shape) or (cells != before).any())
            if changes:
                changed.append(code)
                self._forget(code)
                if cells is not None:
                    self._all[code] = cells
                    self._lengths[len(cells)] += 1
        length = min(self._lengths, key=lambda one: (-self._lengths[one], one), default=0)
        if length != self.length:
            self._restart(length)
            changed = [*self._all]
        self._lay([code for code in changed if len(self._all.get(code, ())) == length > 0])

    def _forget(self, code: int) -> None:
        cells = self._all.pop(code, None)
        if cells is None:
            return
        self._lengths[len(cells)] -= 1
        if not self._lengths[len(cells)]:
            del self._lengths[len(cells)]
        if code >= len(self.row) or self.row[code] < 0:
            return
        place, last, size = int(self.row[code]), self.count - 1, self.length
        moved = int(self.item[last])
        for column, width in ((self.cells, size), (self.sketches, LANES), (self.item, 1), (self.norm, 1)):
            column[place * width : (place + 1) * width] = column[last * width : (last + 1) * width]
            column[last * width : (last + 1) * width] = 0
        self.row[moved] = place
        self.row[code] = -1
        self.count = last

    def _lay(self, codes: Sequence[int]) -> None:
        """Give the items `codes` rows at the end."""
        if not codes:
            return
        first, stop = self.count, self.count + len(codes)
        if max(codes) >= len(self.row):
            self.row = np.append(self.row, np.full(max(codes) + 1, -1, dtype=np.int32))
        if stop > len(self.item):
            room = stop + stop // 4 + 64
            self.cells = grown(self.cells, room * self.length)
            self.sketches = grown(self.sketches, room * LANES)
            self.item, self.norm = grown(self.item, room), grown(self.norm, room)
        cells = np.stack([self._all[code] for code in codes])
        self.cells[first * self.length : stop * self.length] = cells.ravel()
        self.sketches[first * LANES : stop * LANES] = sketched(cells, self._planes).ravel()
        self.norm[first:stop] = (cells.astype(np.int64) ** 2).sum(axis=1)
        self.item[first:stop] = codes
        self.row[np.array(codes)] = np.arange(first, stop)
        self.count = stop

    def has(self, code: int) -> bool:
        """Whether `code` has a vector that is compared."""
        return code < len(self.row) and self.row[code] >= 0

    def read_like(self, asked: int, how_many: int, sheet: Sheet) -> int:
        """Find the `how_many` items that point most like `asked`, which has a vector, into `sheet`."""
        wide = max(_LOOKED_AT * how_many, _AT_LEAST)
        row = int(self.row[asked])
        return int(_nearest(
            self.cells, self.sketches, self.item, self.norm, self.length, self.count, row, wide, how_many,
            sheet,
        ))  # fmt: skip

    def compare(self, asked: int, others: NDArray[np.int32], likeness: NDArray[np.int64]) -> None:
        """Write into `likeness`, in millionths, how like `asked` each of `others` points, where both can tell."""
        if self.has(asked):
            _compare(self.cells, self.norm, self.length, self.row, asked, others, likeness)


def rounded(numbers: Sequence[float]) -> NDArray[np.int8] | None:
    """The direction of `numbers` with 8 bits each, the largest being 127; None for none, zero or not finite."""
    vector = np.asarray(numbers, dtype=np.float64)
    most = float(np.abs(vector).max(initial=0.0))
    if not (0.0 < most < np.inf):
        return None
    return np.rint(vector / most * 127.0).astype(np.int8)


def planes(length: int) -> NDArray[np.float32]:
    """The fixed planes, each of 1 and -1, float32 (length, PLANES)."""
    random = np.random.Generator(np.random.PCG64(_PLANES_SEED))
    return (random.integers(0, 2, (length, PLANES)) * 2 - 1).astype(np.float32)


def sketched(cells: NDArray[np.int8], sides: NDArray[np.float32]) -> NDArray[np.uint64]:
    """On which side of each plane each of `cells`, (n, length), lies: uint64 (n, LANES).

    The sums are whole numbers below 2^24, so that float32 holds them exactly in whatever order they are taken.
    """
    bits = (cells.astype(np.float32) @ sides) >= 0
    return np.packbits(bits, axis=1, bitorder="little").view(np.uint64)


def _ones_code(_typing: Any, word: Any) -> Any:
    """How many bits of a 64-bit word are set."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.ctpop(builder.bitcast(values[0], ir.IntType(64)))

    return types.int64(word), generate


ones: Any = intrinsic(_ones_code)
"""How many bits of a 64-bit word are set, inside a kernel."""


@compiled
def apart(sketches: Column, one: int, other: int) -> int:
    """In how many bits the sketches of two rows differ, 0 to PLANES."""
    total = 0
    for lane in range(LANES):
        total += ones(sketches[one * LANES + lane] ^ sketches[other * LANES + lane])
    return total


@compiled
def _dot(cells: Column, length: int, one: int, other: int) -> int:
    total = np.int32(0)
    first, second = one * length, other * length
    for i in range(length):
        total += np.int32(cells[first + i]) * np.int32(cells[second + i])
    return int(total)


@compiled
def _likeness(cells: Column, norm: Column, length: int, one: int, other: int) -> int:
    """The cosine in millionths, 0 where it is negative."""
    dot = _dot(cells, length, one, other)
    return 0 if dot <= 0 else int(MILLIONTHS * dot / np.sqrt(float(norm[one]) * float(norm[other])))


@compiled
def _nearest(
    cells: Column, sketches: Column, item: Column, norm: Column, length: int, count: int, row: int, wide: int,
    how_many: int, sheet: Sheet,
) -> int:  # fmt: skip
    """Compare `row` with the rows whose sketches differ least, all up to the difference that holds `wide`."""
    far = np.empty(count, dtype=np.int16)
    tally = np.zeros(PLANES + 1, dtype=np.int64)
    for other in range(count):
        bits = apart(sketches, row, other)
        far[other] = bits
        tally[bits] += 1
    limit, held = 0, tally[0]
    while held < wide and limit < PLANES:
        limit += 1
        held += tally[limit]
    size = 0
    for other in range(count):
        if far[other] <= limit and other != row:
            points = _likeness(cells, norm, length, row, other)
            if points > 0:
                size = offer(sheet, size, how_many, int(item[other]), points)
    arrange(sheet, size)
    return size


@compiled
def _compare(
    cells: Column, norm: Column, length: int, row: Column, asked: int, others: Column, likeness: Column
) -> None:
    for i in range(len(others)):
        if others[i] < len(row) and row[others[i]] >= 0:
            likeness[i] = _likeness(cells, norm, length, row[asked], row[others[i]])
