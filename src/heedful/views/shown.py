"""What a person was shown lately, read from their own history.

A row says that an item was shown when it is an impression, or a decision with the item as its line (a decision
has lines where its placement says that an answer counts as shown).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heedful.views.history import History
from heedful.vocabulary.consent import PERSONALIZATION
from heedful.vocabulary.kinds import BUILT_IN, DECISION, IMPRESSION
from heedful.vocabulary.time import Instant

_IMPRESSION, _DECISION = BUILT_IN.index(IMPRESSION), BUILT_IN.index(DECISION)
_NONE = np.empty(0, dtype=np.int32)


class Shown:
    """Reads histories."""

    def __init__(self, history: History) -> None:
        self._history = history

    def since(self, subject: int, at: Instant) -> NDArray[np.int32]:
        """The dense items of every showing to dense `subject` at or after `at`, in order of time, int32 (n,)."""
        count = self._history.count(subject)
        if not count:
            return _NONE
        rows = self._history.arrays
        start = int(rows.offset[subject])
        first = start + int(np.searchsorted(rows.at[start : start + count], at))
        block = slice(first, start + count)
        kinds, items = rows.kind[block], rows.item[block]
        shown: NDArray[np.int32] = items[
            ((kinds == _IMPRESSION) | (kinds == _DECISION))
            & (items >= 0)
            & (rows.purposes[block] & PERSONALIZATION != 0)
        ]
        return shown
