"""The interface of a view, and the law that makes it one.

Law: after any apply, retract and advance, in any order and any batching, `digest()` equals that of a view
that was given exactly the live rows at or after the floor, once each, in any order. Arrays may lie
differently in memory; the canonical content may not differ in a bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heedful.views.rows import Rows
from heedful.vocabulary.time import Instant

Arrays = Mapping[str, NDArray[Any]]
"""A view's state as named plain arrays (no object dtype), for snapshots."""


class View(Protocol):
    """A running answer to one question about the log, which can take anything back."""

    name: str
    version: int
    """Part of a snapshot's key: a change of meaning rebuilds the state."""
    purpose: str
    """The purpose this view serves: from part 3 on the fold feeds it only what subjects allow for it."""

    def apply(self, rows: Rows) -> None:
        """Count `rows` in. The fold gives each row once."""

    def retract(self, rows: Rows) -> None:
        """Take `rows` out, leaving no trace. Each was applied before; one below the floor is left alone."""

    def advance(self, floor: Instant) -> None:
        """Drop every row before `floor` and ignore such rows from now on. Never backwards."""

    def digest(self) -> bytes:
        """16 bytes over the canonical content: external ids only, no dense number, no memory layout."""

    def state(self) -> Arrays:
        """The arrays that `restore` needs. They may be the live ones: write them before the next apply."""

    def restore(self, state: Arrays) -> None:
        """Take over a state that `state` gave. Raises Corrupt if an array is missing or misshapen."""


def zeros() -> NDArray[np.uint64]:
    """The digest of nothing, as the pair of 64-bit sums that digests are made of, shape (2,)."""
    return np.zeros(2, dtype=np.uint64)
