"""Sessions like this one, and what stands in them: VS-kNN and VSTAN, the strongest simple session models.

Both are one computation with other settings. The distinct items of the running session stand at the positions of
their last touch, 1 to L. Sessions of the past that share an item with it are candidates; the `m` with the newest
last event stay. The similarity of one is

    sum over shared items i of match(i)  [/ (|match| sqrt(distinct items of it))]  exp(-age / fading)

and the `k` most similar, ties to the newer, are the neighbours. An item of a neighbour gets

    similarity * exp(-|distance to the neighbour's last shared item| / reach) * fade(p) * (1 + rarity idf(item))

where p is the position of the newest shared item in the running session, and idf is the natural logarithm of
sessions / events of the item.

- VS-kNN: match(i) = position / L, fade(p) = 1 / (L - p + 1); no factor in brackets, no exponential.
  Source: Ludewig and Jannach, "Evaluation of session-based recommendation algorithms", 2018, section 3.3.
- VSTAN: match(i) = exp((position - L) / recency), fade(p) = exp((p - L) / recency of the match), and all factors.
  Source: Ludewig, Mauro, Latifi and Jannach, "Empirical analysis of session-based recommendation algorithms",
  2020.

As in the published code, the last position of a repeated item counts, idf divides by events and not by
sessions, and the similarity of VSTAN is always the cosine.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from heedful.services.evaluate.interim.baselines.baseline import IDLE, NOBODY
from heedful.services.evaluate.interim.baselines.past_sessions import PastSessions
from heedful.services.evaluate.interim.baselines.selection import best, grown
from heedful.services.evaluate.interim.baselines.similar_sessions import score_items

DAY = 24 * 3_600 * 1_000_000
Weights = Callable[[NDArray[np.float64], int], NDArray[np.float64]]


class SessionKnn:
    """The computation that both share. match, fade: weights of positions (1..length) of the running session."""

    def __init__(
        self,
        match: Weights,
        fade: Weights,
        *,
        m: int,
        k: int,
        longest: int,
        rarity: float,
        cosine: bool = False,
        fading: float = np.inf,
        reach: float = np.inf,
        idle: int = IDLE,
    ) -> None:
        self._match = match
        self._fade = fade
        self._m, self._k, self._longest = m, k, longest
        self._rarity = rarity
        self._cosine = cosine
        self._fading, self._reach = fading, reach
        self._past = PastSessions(idle)
        self._similarity = np.zeros(0, dtype=np.float64)
        self._shared = np.zeros(0, dtype=np.int32)
        self._score = np.zeros(0, dtype=np.float64)
        self._mark = np.zeros(0, dtype=np.int32)

    def learn(self, subject: int, item: int, at: int) -> None:
        """See `Baseline.learn`."""
        self._past.learn(subject, item, at)

    def answer(self, session: NDArray[np.int32], at: int, k: int, subject: int = NOBODY) -> NDArray[np.int32]:
        """See `Baseline.answer`."""
        items, scores = self.scores(session, at, subject)
        return best(items, scores, k)

    def scores(
        self, session: NDArray[np.int32], at: int, subject: int = NOBODY
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Every item of the neighbours, in no order, and its score."""
        recent = session[-self._longest :]
        last = {item: position for position, item in enumerate(recent.tolist(), start=1)}
        current = sorted((position, item) for item, position in last.items() if item < self._past.items)
        if not current:
            return np.empty(0, dtype=np.int32), np.empty(0)
        positions = np.array([position for position, _ in current], dtype=np.float64)
        match = self._match(positions, len(recent))
        self._make_room()
        items = score_items(
            self._past.past,
            np.array([item for _, item in current], dtype=np.int32),
            match / np.sqrt((match**2).sum()) if self._cosine else match,
            self._fade(positions, len(recent)),
            self._similarity, self._shared, self._score, self._mark,
            self._past.running(subject, at), at, self._m, self._k, self._cosine, 1 / self._fading, 1 / self._reach,
        )  # fmt: skip
        idf = np.log(self._past.sessions / self._past.past.events[items])
        scores = self._score[items] * (1 + self._rarity * idf)
        self._score[items] = 0
        return items, scores

    def _make_room(self) -> None:
        self._shared = grown(self._shared, self._past.sessions)
        if len(self._similarity) < len(self._shared):
            self._similarity = np.zeros(len(self._shared), dtype=np.float64)
        self._mark = grown(self._mark, self._past.items)
        if len(self._score) < len(self._mark):
            self._score = np.zeros(len(self._mark), dtype=np.float64)


class VsKnn(SessionKnn):
    """VS-kNN. m: newest candidate sessions. k: neighbours. longest: events of the running session that count."""

    def __init__(
        self, m: int = 1_000, k: int = 100, *, longest: int = 20, rarity: float = 1.0, idle: int = IDLE
    ) -> None:
        super().__init__(
            lambda position, length: position / length,
            lambda position, length: 1 / (length - position + 1),
            m=m, k=k, longest=longest, rarity=rarity, idle=idle,
        )  # fmt: skip


class Vstan(SessionKnn):
    """VSTAN. recency, match_recency, reach: how far the three exponentials fall, in events; fading: in days.

    In the published settings' names: recency is lambda_spw, fading lambda_snh, reach lambda_inh, match_recency
    lambda_ipw, rarity lambda_idf.
    """

    def __init__(
        self,
        m: int = 2_500,
        k: int = 500,
        *,
        recency: float = 4.0,
        fading: float = 100.0,
        reach: float = 2.0,
        match_recency: float = 4.0,
        rarity: float = 1.0,
        longest: int = 20,
        idle: int = IDLE,
    ) -> None:
        super().__init__(
            lambda position, length: np.exp((position - length) / recency),
            lambda position, length: np.exp((position - length) / match_recency),
            m=m, k=k, longest=longest, rarity=rarity,
            cosine=True, fading=fading * DAY, reach=reach, idle=idle,
        )  # fmt: skip
