"""Meanings by dense kind code: what the views look up for every row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from heedful.views.dictionary import Kinds
from heedful.vocabulary.kinds import DEFAULT_MEANINGS, Meaning

_CODES = 1 << 16


class Meanings:
    """Columns over kind codes, long enough for every code there can be, so that they never move.

    weights: int64 (65536,), share in trends. joins: bool (65536,), whether a row belongs to its session.
    seen: bool (65536,), whether the person is taken to have the item already.
    """

    def __init__(self, kinds: Kinds, meanings: Mapping[str, Meaning] | None = None) -> None:
        self.kinds = kinds
        self.by_name: dict[str, Meaning] = {**DEFAULT_MEANINGS, **(meanings or {})}
        self.weights: NDArray[np.int64] = np.zeros(_CODES, dtype=np.int64)
        self.joins: NDArray[np.bool_] = np.zeros(_CODES, dtype=np.bool_)
        self.seen: NDArray[np.bool_] = np.zeros(_CODES, dtype=np.bool_)
        for name, meaning in sorted(self.by_name.items()):
            code = kinds.code(name)
            self.weights[code] = meaning.weight
            self.joins[code] = meaning.joins_session
            self.seen[code] = meaning.counts_as_seen
