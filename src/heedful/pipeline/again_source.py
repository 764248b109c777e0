"""Repeat purchase: what a person had and is due to have again, proposed, and let through by the filter."""

from __future__ import annotations

import numpy as np

from heedful.pipeline.candidates import Candidates
from heedful.pipeline.context import Context
from heedful.views.replenish import Due, Replenishment

_THEMSELVES = np.full(1, -1, dtype=np.int32)


class DueNow:
    """What is due for a question's person, read once: the source proposes what the filter lets through."""

    def __init__(self, replenishment: Replenishment) -> None:
        self._replenishment = replenishment
        self._context: Context | None = None
        self._due: Due

    def of(self, context: Context) -> Due:
        """What is due at the question's moment, most likely first."""
        return self._due if context is self._context else self.anew(context)

    def anew(self, context: Context) -> Due:
        """The same, read from the state of this moment whatever was read before."""
        at = context.now if context.as_of is None else context.as_of
        self._due, self._context = self._replenishment.read(context.subject, at), context
        return self._due


class BuyAgain:
    """What the person had and is due to have again (Bhagat et al., KDD 2018; see `views.replenish`)."""

    name = "again"

    def __init__(self, due: DueNow) -> None:
        self._due = due

    def propose(self, context: Context, candidates: Candidates, column: int, *, limit: int) -> int:
        if not len(context.owned):
            return 0
        due = self._due.anew(context)
        candidates.add(column, due.items[:limit], due.scores[:limit], _THEMSELVES)
        return min(limit, len(due.items))
