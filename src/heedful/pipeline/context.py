"""Everything a question depends on, fixed at the door: no stage reads a clock or looks anybody up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.vocabulary.time import Instant

_NO_PINS = np.empty(0, dtype=np.int32)


class Context(NamedTuple):
    """One question in dense numbers.

    subject: dense code, or -1 for nobody in particular.
    trail: int32 (t,), the distinct items that matter now, newest first: the item on the page, then what the
        person touched; empty for a stranger without a page.
    personal: how many of `trail` came from the person and not from the page.
    owned: int32 (o,), items the person is taken to have.
    hidden: int32 (h,), items the person asked not to see.
    excluded: int32 (x,), items the request forbids.
    as_of: the moment the answer is for; None is now, with everything that has come in.
    limit: how many items are wanted, 1 to 100.
    now: the moment of the question; what came after `as_of` is left aside where there is one.
    placement: the named spot in the product.
    page: the item on the page, or -1.
    pins: int32 (p,), items that the placement wants in fixed places.
    """

    subject: int
    trail: NDArray[np.int32]
    personal: int
    owned: NDArray[np.int32]
    hidden: NDArray[np.int32]
    excluded: NDArray[np.int32]
    as_of: Instant | None
    limit: int
    now: Instant = Instant(0)
    placement: str = "default"
    page: int = -1
    pins: NDArray[np.int32] = _NO_PINS

    @property
    def moment(self) -> Instant:
        """The moment the answer is for: `as_of`, or now."""
        return self.now if self.as_of is None else self.as_of
