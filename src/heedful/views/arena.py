"""Room for many small arrays that grow and shrink, in a few large ones.

A block holds n entries and lies in room of `size_for(n)` entries, never more: sizes come four per octave, so
on average a tenth is slack. Free blocks wait in one list per size, linked through their own first entry, so
the books need no memory. Entry 0 is never given out: an offset of 0 means "no block".

Whoever gives entries back has set them to zero first, so nothing of a forgotten person stays in free memory.
"""

from __future__ import annotations

import mmap
import weakref
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from heedful.views.compiled import compiled
from heedful.views.handles import slide
from heedful.vocabulary.errors import Corrupt

Column = NDArray[Any]
"""An array as kernels see it; docstrings say which dtype."""

TOP = 0
"""Where in the book the first entry that was never given out stands. The free lists' heads follow."""

_CLASSES = 128
LIMIT = 2**31 - 1
"""Offsets are int32, so an arena holds at most this many entries."""


@compiled
def size_class(count: int) -> int:
    """The number of the smallest size that holds `count` (at least 1): 1, 2, 4, 6, 8, 10, 12, 14, 16, 20…"""
    if count <= 8:
        return (count + 1) // 2 if count > 1 else 0
    rest, octave = count - 1, 0
    while rest > 7:
        rest >>= 1
        octave += 1
    return 1 + octave * 4 + rest - 4


@compiled
def size_for(count: int) -> int:
    """How many entries are set aside for `count`; 0 for 0."""
    if count <= 8:
        return count if count < 2 else (count + 1) // 2 * 2
    rest, octave = count - 1, 0
    while rest > 7:
        rest >>= 1
        octave += 1
    return (rest + 1) << octave


@compiled
def take(book: Column, link: Column, count: int) -> int:
    """The offset of a block for `count` (at least 1) entries, all zero. The caller has seen to the room."""
    kind = 1 + size_class(count)
    offset = book[kind]
    if offset != 0:
        book[kind] = np.int64(link[offset])
        link[offset] = 0
        return int(offset)
    offset = book[TOP]
    book[TOP] += size_for(count)
    return int(offset)


@compiled
def give(book: Column, link: Column, offset: int, count: int) -> None:
    """Give the block at `offset`, which held `count` entries and is all zero, back."""
    kind = 1 + size_class(count)
    link[offset] = book[kind]
    book[kind] = offset


@compiled
def shift_up(column: Column, start: int, stop: int) -> None:
    """Move column[start:stop] one place up, which leaves `start` free."""
    slide(column, start, stop - start, start + 1)


@compiled
def shift_down(column: Column, start: int, stop: int, by: int) -> None:
    """Move column[start:stop] down by `by` and leave zeros behind."""
    slide(column, start, stop - start, start - by)
    for i in range(max(stop - by, start - by), stop):
        column[i] = 0


@compiled
def _live(held: Column) -> int:
    """Entries set aside for blocks in use."""
    total = 0
    for count in held:
        total += size_for(int(count))
    return total


@compiled
def _lay(held: Column, places: Column) -> int:
    """Places for all blocks side by side, 0 for empty ones; returns the first free place."""
    top = 1
    for owner in range(len(held)):
        if held[owner] > 0:
            places[owner] = top
            top += size_for(int(held[owner]))
    return top


@compiled
def _carry(column: Column, wider: Column, offset: Column, places: Column, held: Column) -> None:
    """Copy every block from its offset in `column` to its place in `wider`."""
    for owner in range(len(held)):
        for i in range(held[owner]):
            wider[places[owner] + i] = column[offset[owner] + i]


class Arena:
    """Parallel columns that share one division into blocks. The first one links the free blocks."""

    def __init__(self, *dtypes: DTypeLike, room: int = 1_024) -> None:
        self.columns: list[Column] = [np.zeros(room, dtype=dtype) for dtype in dtypes]
        self.book: Column = np.zeros(1 + _CLASSES, dtype=np.int64)
        self.book[TOP] = 1

    @property
    def used(self) -> int:
        """Entries ever given out: the height of the water, free blocks included."""
        return int(self.book[TOP])

    @property
    def nbytes(self) -> int:
        """Bytes of the entries ever given out."""
        return self.used * sum(column.itemsize for column in self.columns)

    def reserve(self, more: int, offset: Column, held: Column) -> None:
        """See to it that `more` entries can be taken. Raises MemoryError beyond `LIMIT` entries.

        offset, held: integers per owner, where its block is and how many entries it holds. Where more than a fifth
        lies free and growing copies everything anyway, or more than a third, the blocks are laid side by side, and
        `offset` is rewritten.
        """
        room = len(self.columns[0])
        if self.used + more <= room:
            return
        live = int(_live(held))
        spare = (
            live // 4 if room_behind(self.columns[0]) < more else live // 2
        )  # where growing copies nothing
        packing = self.used > live + spare + 1_024
        need = (live + 1 if packing else self.used) + more
        if need > LIMIT:
            raise MemoryError(f"an arena holds at most {LIMIT} entries; {need} are needed")
        if not packing:
            room = min(LIMIT, max(need, room + room // 2))
            self.columns = [grown(column, room) for column in self.columns]
            return
        room = min(LIMIT, need + need // 4)
        places = np.zeros(len(held), dtype=np.int64)
        self.book[:] = 0
        self.book[TOP] = _lay(held, places)
        columns = [spacious(room, column.dtype) for column in self.columns]
        for column, wider in zip(self.columns, columns, strict=True):
            _carry(column, wider, offset, places, held)
        self.columns = columns
        offset[:] = places

    def state(self) -> list[Column]:
        """The columns as far as they are used, live."""
        return [column[: self.used] for column in self.columns]

    def restore(self, book: Column, columns: list[Column]) -> None:
        """Take over what `book` and `state` were. Raises Corrupt if they do not fit each other."""
        fits = len(columns) == len(self.columns) and book.shape == self.book.shape and book[TOP] >= 1
        if not fits or any(len(column) != book[TOP] for column in columns):
            raise Corrupt("an arena's book and its columns do not fit each other")
        room = roomy(int(book[TOP]))
        self.book = book.astype(np.int64)
        mine = self.columns
        self.columns = [grown(new.astype(old.dtype), room) for new, old in zip(columns, mine, strict=True)]


def roomy(used: int) -> int:
    """Room for an array that is restored with `used` entries: the first events after a start must not copy it.

    What is not touched takes no memory.
    """
    return used + used // 2 + 1_024


_LARGE, _LEAST, _FAR = 1 << 20, 1 << 28, 16
"""Bytes from which on an array gets room behind it, how many at least, and how many times its own."""

_lengths: dict[int, int] = {}
"""Of each array with room behind what was given out, by its `id`: how much was."""


def spacious(size: int, dtype: DTypeLike) -> Column:
    """Zeros, shape (size,). A large array has room behind it, into which `grown` lets it grow without a copy.

    What was never touched takes no memory. Where a system promises no more than it has, there is no such room.
    """
    width = np.dtype(dtype).itemsize
    if size * width < _LARGE:
        return np.zeros(size, dtype=dtype)
    try:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        memory = mmap.mmap(-1, max(size * _FAR, _LEAST // width) * width, flags=flags)
    except (AttributeError, OSError, MemoryError):
        return np.zeros(size, dtype=dtype)
    with suppress(AttributeError, OSError):  # a system without huge pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(memory, dtype=dtype)
    _lengths[id(whole)] = size
    weakref.finalize(whole, _lengths.pop, id(whole), None).atexit = False
    return whole[:size]


def room_behind(array: Column) -> int:
    """How many entries `array` can grow by without a copy. None for a part of an array."""
    whole = array.base
    if whole is None or _lengths.get(id(whole)) != len(array) or whole.ctypes.data != array.ctypes.data:
        return 0
    return len(whole) - len(array)


def grown(array: Column, size: int) -> Column:
    """`array` with room for `size`, zero beyond what was there: a copy, or the same memory (`spacious`), so that
    the shorter array is to be let go of."""
    whole = array.base
    if whole is not None and 0 < size - len(array) <= room_behind(array):
        _lengths[id(whole)] = size
        return whole[:size]
    wider = spacious(size, array.dtype)
    wider[: len(array)] = array
    return wider
