"""Interactions as columns: what one batch of records says, in dense numbers, ready for kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NO_ITEM = -1


@dataclass(frozen=True, slots=True)
class Rows:
    """n interactions, one per line of an event; an event without items gives one row with `NO_ITEM`.

    A row is itself by (fingerprint, line). Rows of a batch are in no particular order of time.

    subject: int32 (n,), dense.
    item: int32 (n,), dense, or NO_ITEM.
    kind: uint16 (n,), dense code of `views.dictionary.Kinds`.
    at: int64 (n,), event time in microseconds.
    fingerprint: uint64 (n,), keyed hash of the event id.
    line: uint16 (n,), place of the line in its event.
    quantity: int32 (n,), at least 1.
    """

    subject: NDArray[np.int32]
    item: NDArray[np.int32]
    kind: NDArray[np.uint16]
    at: NDArray[np.int64]
    fingerprint: NDArray[np.uint64]
    line: NDArray[np.uint16]
    quantity: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.at)
