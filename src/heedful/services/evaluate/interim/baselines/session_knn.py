"""Sessions like this one, and what stands in them: VS-kNN and VSTAN, the strongest simple session models.

Both are one computation with other settings. The distinct items of the running session stand at the positions of
their last touch, 1 to L. Sessions of the past that share an item with it are candidates; the `m` with the newest
last event stay. The similarity of one is

    sum over shared items i of match(i)  [/ (|match| sqrt(distinct items of it))]  exp(-age / fading)

and the `k` most similar, ties to the newer, are the neighbours. An item of a neighbour gets

    similarity * exp(-|distance to the neighbour's last shared item| / reach) * fade(p) * (1 + rarity idf(item))

where p is the position of the newest shared item in the running session, and idf is the natural logarithm of
sessions / events of the item.

- VS-kNN: match(i) = position (published as position / L, which orders alike), fade(p) = 1 / (L - p + 1); no
  factor in brackets, no exponential.
  Source: Ludewig and Jannach, "Evaluation of session-based recommendation algorithms", 2018, section 3.3.
- VSTAN: match(i) = exp((position - L) / recency), fade(p) = exp((p - L) / recency of the match), and all factors.
  Source: Ludewig, Mauro, Latifi and Jannach, "Empirical analysis of session-based recommendation algorithms",
  2020.

As in the published code, the last position of a repeated item counts, idf divides by events and not by
sessions, and the similarity of VSTAN is always the cosine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.services.evaluate.interim.baselines.baseline import IDLE, NOBODY
from heedful.services.evaluate.interim.baselines.past_sessions import PastSessions
from heedful.services.evaluate.interim.baselines.selection import best
from heedful.services.evaluate.interim.baselines.similar_sessions import add_up, share

DAY = 24 * 3_600 * 1_000_000
Weights = Callable[[NDArray[np.float64], int], NDArray[np.float64]]


class _Room(NamedTuple):
    """What one question works with: see `similar_sessions`."""

    similarity: NDArray[np.float64]
    place: NDArray[np.int32]
    touched: NDArray[np.int32]
    score: NDArray[np.float64]
    mark: NDArray[np.int32]
    found: NDArray[np.int32]


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
        self._room = _room(1, 1)

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
        items = np.array([item for _, item in current], dtype=np.int32)
        room, past = self._room_now(), self._past.past
        near, values = self._neighbours(items, self._match(positions, len(recent)), at, subject)
        values *= self._fade(positions, len(recent))[room.place[near]]
        many = add_up(past, items, near, values, 1 / self._reach, room.score, room.mark, room.found)
        found = room.found[:many].copy()
        scores = room.score[found] * (1 + self._rarity * np.log(self._past.sessions / past.events[found]))
        room.score[found] = 0
        return found, scores

    def _neighbours(
        self, items: NDArray[np.int32], match: NDArray[np.float64], at: int, subject: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """The nearest sessions, and how similar each is."""
        room, past = self._room_now(), self._past.past
        own = self._past.running(subject, at)
        touched = room.touched[: share(past, items, match, own, room.similarity, room.place, room.touched)]
        candidates = newest(touched, past.last, self._m)
        values = room.similarity[candidates]
        room.similarity[touched] = 0
        if self._cosine:
            values /= np.sqrt((match**2).sum() * past.distinct[candidates])
        values *= np.exp((past.last[candidates] - at) / self._fading)
        if len(candidates) <= self._k:
            return candidates, values
        boundary = np.partition(values, len(values) - self._k)[len(values) - self._k]
        above = values > boundary
        ties = newest(candidates[values == boundary], past.last, self._k - int(above.sum()))
        return (
            np.concatenate([candidates[above], ties]),
            np.concatenate([values[above], np.full(len(ties), boundary)]),
        )

    def _room_now(self) -> _Room:
        sessions, items = self._past.sessions, self._past.items
        if len(self._room.touched) < sessions or len(self._room.mark) < items:
            self._room = _room(2 * sessions, items)
        return self._room


def newest(sessions: NDArray[np.int32], last: NDArray[np.int64], wanted: int) -> NDArray[np.int32]:
    """The `wanted` sessions whose last event is newest, ties to the one that began later."""
    if len(sessions) <= wanted:
        return sessions
    times = last[sessions]
    boundary = np.partition(times, len(times) - wanted)[len(times) - wanted]
    after, ties = sessions[times > boundary], np.sort(sessions[times == boundary])
    return np.concatenate([after, ties[len(ties) - (wanted - len(after)) :]])


def _room(sessions: int, items: int) -> _Room:
    return _Room(
        np.zeros(sessions), np.zeros(sessions, dtype=np.int32), np.zeros(sessions, dtype=np.int32),
        np.zeros(items), np.zeros(items, dtype=np.int32), np.zeros(items, dtype=np.int32),
    )  # fmt: skip


class VsKnn(SessionKnn):
    """VS-kNN. m: newest candidate sessions. k: neighbours. longest: events of the running session that count."""

    def __init__(
        self, m: int = 1_000, k: int = 100, *, longest: int = 20, rarity: float = 1.0, idle: int = IDLE
    ) -> None:
        super().__init__(
            lambda position, _length: position,
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
