"""Interactions as columns: what one batch of records says, in dense numbers, ready for kernels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from heedful.vocabulary.consent import EVERY

NO_ITEM = -1
_UNSAID: NDArray[np.uint8] = np.empty(0, dtype=np.uint8)
_ALL: NDArray[np.uint8] = np.full(1 << 14, EVERY, dtype=np.uint8)
"""What rows without a word about purposes share; never written to."""


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
    purposes: uint8 (n,), what the row may be used for: bits of `vocabulary.consent.BITS`, and `CARRIES`. Left out:
        everything.
    """

    subject: NDArray[np.int32]
    item: NDArray[np.int32]
    kind: NDArray[np.uint16]
    at: NDArray[np.int64]
    fingerprint: NDArray[np.uint64]
    line: NDArray[np.uint16]
    quantity: NDArray[np.int32]
    purposes: NDArray[np.uint8] = field(default_factory=lambda: _UNSAID)

    def __post_init__(self) -> None:
        if self.purposes is _UNSAID:
            n = len(self.at)
            every = _ALL[:n] if n <= len(_ALL) else np.full(n, EVERY, dtype=np.uint8)
            object.__setattr__(self, "purposes", every)

    @property
    def common(self) -> int:
        """The bits that all of the rows have; all for no rows."""
        return EVERY if self.purposes.base is _ALL else int(np.bitwise_and.reduce(self.purposes))

    def under(self, purposes: NDArray[np.uint8]) -> Rows:
        """The same rows with other `purposes`, uint8 (n,)."""
        return replace(self, purposes=purposes)

    def only(self, kept: NDArray[np.bool_]) -> Rows:
        """The rows where `kept`, bool (n,)."""
        return Rows(
            self.subject[kept], self.item[kept], self.kind[kept], self.at[kept], self.fingerprint[kept],
            self.line[kept], self.quantity[kept], self.purposes[kept],
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.at)
