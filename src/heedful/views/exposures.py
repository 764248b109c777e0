"""Who was shown which arm of which experiment, and when: the facts, person by person.

One packed table with a free list. A person's exposures are a list by `next`, in no order; an entry is found again
by the fingerprint of its event, so that it can be taken out. What an event says (one arm each of one or more
experiments) is a number into `arms`, the distinct sayings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.compiled import compiled
from heedful.views.lookup import NONE, Lookup, drop, put, seek

EXPOSURE: Any = np.dtype(
    [("print", "u8"), ("at", "i8"), ("subject", "i4"), ("arms", "i4"), ("next", "i4")], align=True
)
_USED, _FREE, _HELD = 0, 1, 2

Arms = tuple[tuple[str, str], ...]
"""What one event says: an arm each of experiments, by key."""


class Exposed(NamedTuple):
    """A batch of exposures as columns, shape (n,): fingerprints uint64, times int64, dense subjects and numbers of
    arms int32."""

    prints: NDArray[np.uint64]
    ats: NDArray[np.int64]
    subjects: NDArray[np.int32]
    arms: NDArray[np.int32]


class Exposures:
    """The table. heads: int32 per dense subject, one of its entries or NONE. arms: the distinct sayings."""

    def __init__(self) -> None:
        self.entries: NDArray[Any] = np.zeros(64, dtype=EXPOSURE)
        self.heads: NDArray[np.int32] = np.full(1_024, NONE, dtype=np.int32)
        self.by_event = Lookup()
        self.meta = np.array([0, NONE, 0], dtype=np.int64)
        self.arms: list[Arms] = []
        self._numbers: dict[Arms, int] = {}

    def __len__(self) -> int:
        """How many exposures are held."""
        return int(self.meta[_HELD])

    def number(self, arms: Sequence[tuple[str, str]]) -> int:
        """The number of a saying, given now if it is new."""
        said = tuple(sorted((key, arm) for key, arm in arms))
        number = self._numbers.get(said)
        if number is None:
            number = self._numbers[said] = len(self.arms)
            self.arms.append(said)
        return number

    def cover(self, subjects: int) -> None:
        """Give the first `subjects` dense subjects a place."""
        missing = subjects - len(self.heads)
        if missing > 0:
            more = max(missing, len(self.heads) // 2)
            self.heads = np.append(self.heads, np.full(more, NONE, dtype=np.int32))

    def apply(self, batch: Exposed, floor: int) -> None:
        """Count in what is not before `floor`. An event that is there is left alone."""
        if not len(batch.prints):
            return
        self.cover(int(batch.subjects.max()) + 1)
        self.by_event.reserve(len(self), len(batch.prints))
        need = int(self.meta[_USED]) + len(batch.prints)
        if need > len(self.entries):
            wider = np.zeros(need + need // 2, dtype=EXPOSURE)
            wider[: len(self.entries)] = self.entries
            self.entries = wider
        _put(self.entries, self.heads, self.by_event.keys, self.by_event.values, self.meta, floor, *batch)

    def retract(self, prints: NDArray[np.uint64]) -> None:
        """Take exposures out by the fingerprints of their events. What is not there is left alone."""
        _take(self.entries, self.heads, self.by_event.keys, self.by_event.values, self.meta, prints)

    def held(self) -> NDArray[Any]:
        """Every entry, in no order: a copy."""
        used = self.entries[: int(self.meta[_USED])]
        kept: NDArray[Any] = used[used["subject"] != NONE]
        return kept


@compiled
def _put(
    entries: NDArray[Any], heads: NDArray[np.int32], keys: NDArray[np.uint64], values: NDArray[np.int32],
    meta: NDArray[np.int64], floor: int, prints: NDArray[np.uint64], ats: NDArray[np.int64],
    subjects: NDArray[np.int32], arms: NDArray[np.int32],
) -> None:  # fmt: skip
    for i in range(len(prints)):
        if ats[i] < floor or seek(keys, values, prints[i]) != NONE:
            continue
        slot = meta[_FREE]
        if slot != NONE:
            meta[_FREE] = entries[slot].next
        else:
            slot = meta[_USED]
            meta[_USED] += 1
        meta[_HELD] += 1
        put(keys, values, prints[i], slot)
        e = entries[slot]
        e.print, e.at, e.subject, e.arms, e.next = prints[i], ats[i], subjects[i], arms[i], heads[subjects[i]]
        heads[subjects[i]] = slot


@compiled
def _take(
    entries: NDArray[Any], heads: NDArray[np.int32], keys: NDArray[np.uint64], values: NDArray[np.int32],
    meta: NDArray[np.int64], prints: NDArray[np.uint64],
) -> None:  # fmt: skip
    for i in range(len(prints)):
        slot = seek(keys, values, prints[i])
        if slot == NONE:
            continue
        drop(keys, values, prints[i])
        e = entries[slot]
        if heads[e.subject] == slot:
            heads[e.subject] = e.next
        else:
            other = heads[e.subject]
            while entries[other].next != slot:
                other = entries[other].next
            entries[other].next = e.next
        e.print, e.at, e.subject, e.arms, e.next = 0, 0, NONE, 0, meta[_FREE]
        meta[_FREE] = slot
        meta[_HELD] -= 1
