"""Sources that read what people did in the same visit, in visits close by, and over their whole past."""

from __future__ import annotations

import numpy as np

from heedful.pipeline.candidates import Candidates
from heedful.pipeline.context import Context
from heedful.views.baskets import Baskets
from heedful.views.companions import Companions
from heedful.views.pasts import Pasts
from heedful.views.vstan import Vstan


class TimedNeighbours:
    """Items of the sessions most like this one, the younger and the nearer to what is shared the more: VSTAN
    (Ludewig et al., UMUAI 2021) on the live index.

    newest: sessions read per item (m). count: sessions that count (k). trail: items of the trail that count.
    The person's own newest session is no neighbour: it is what is asked about. Where nothing but the page is asked
    about, the answer is a stranger's to the last digit, so that it may say that it is not personalized.
    """

    name = "vstan"

    def __init__(self, vstan: Vstan, *, newest: int = 200, count: int = 100, trail: int = 4) -> None:
        self._vstan, self._newest, self._count, self._trail = vstan, newest, count, trail

    def propose(self, context: Context, candidates: Candidates, column: int, *, limit: int) -> int:
        trail = context.trail[: self._trail]
        if not len(trail):
            return 0
        at = context.now if context.as_of is None else context.as_of
        apart = context.subject if context.personal else -1
        found = self._vstan.peek(trail, limit, at, m=self._newest, k=self._count, apart=apart)
        candidates.add(column, found.items, found.scores, found.because)
        return len(found.items)


class BoughtWith:
    """What people who bought the newest items of the trail bought with them, or within two weeks."""

    name = "bought_with"

    def __init__(self, baskets: Baskets, *, newest: int = 20, trail: int = 2) -> None:
        self._baskets, self._newest, self._trail = baskets, newest, trail

    def propose(self, context: Context, candidates: Candidates, column: int, *, limit: int) -> int:
        trail = context.trail[: self._trail]
        if not len(trail):
            return 0
        found = self._baskets.peek(trail, limit, m=self._newest)
        candidates.add(column, found.items, found.scores, found.because)
        return len(found.items)


class SharedPast:
    """What the people turned to who share most of the person's past, also where a visit is one thing.

    newest: items of the past that count. sessions: read per item. people: that count. rows: read of each.
    """

    name = "companions"

    def __init__(
        self, companions: Companions, pasts: Pasts, *, newest: int = 12, sessions: int = 30, people: int = 30,
        rows: int = 30,
    ) -> None:  # fmt: skip
        self._companions, self._pasts = companions, pasts
        self._newest, self._sessions, self._people, self._rows = newest, sessions, people, rows

    def propose(self, context: Context, candidates: Candidates, column: int, *, limit: int) -> int:
        at = context.now if context.as_of is None else context.as_of
        asked = context.trail
        if context.subject >= 0:
            asked = self._pasts.read(context.subject, limit=self._newest, at=at).item
            if context.page >= 0:
                asked = np.append(np.int32(context.page), asked[asked != context.page])
        if not len(asked):
            return 0
        found = self._companions.peek(
            asked, limit, at, apart=context.subject, m=self._sessions, k=self._people, rows=self._rows
        )
        candidates.add(column, found.items, found.scores, found.because)
        return len(found.items)
