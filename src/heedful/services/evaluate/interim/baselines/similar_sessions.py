"""The kernel of the session models: find the sessions that are like one at hand, add up what is in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heedful.services.evaluate.interim.baselines.past_sessions import Past
from heedful.views.compiled import compiled

Codes = NDArray[np.int32]
Floats = NDArray[np.float64]


@compiled
def score_items(
    past: Past,
    current: Codes,
    match: Floats,
    fade: Floats,
    similarity: Floats,
    shared: Codes,
    score: Floats,
    mark: Codes,
    own: int,
    at: int,
    m: int,
    k: int,
    cosine: bool,
    fading: float,
    near: float,
) -> Codes:
    """Leave every item's sum in `score`; returns the items that have one.

    current: the distinct items at hand, by rising position, with their weights match and fade. similarity,
    mark and score: zeros, per session, item and item; the first two are zeros again afterwards. shared: room per
    session. own: the session that is no candidate, or -1. fading: 1 over the microseconds, and near: 1 over the events, over
    which the exponentials fall.
    """
    touched = _touch(past, current, match, similarity, shared, own)
    candidates = _newest(touched, past.last, m)
    for session in candidates:
        if cosine:
            similarity[session] /= np.sqrt(past.distinct[session])
        if fading > 0:
            similarity[session] *= np.exp(-(at - past.last[session]) * fading)
    neighbours = _nearest(candidates, similarity, past.last, k)
    found = _add_up(past, current, neighbours, similarity, shared, fade, score, mark, near)
    for session in touched:
        similarity[session] = 0
    return found


@compiled
def _touch(past: Past, current: Codes, match: Floats, similarity: Floats, shared: Codes, own: int) -> Codes:
    """All sessions with an item at hand: the sum of matches in `similarity`, the newest's place in `shared`."""
    many = 0
    for i in range(len(current)):
        many += past.events[current[i]]
    touched = np.empty(many, dtype=np.int32)
    seen = 0
    for i in range(len(current)):
        event = past.head[current[i]]
        while event >= 0:
            session = past.session[event]
            if session != own:
                if similarity[session] == 0:
                    touched[seen] = session
                    seen += 1
                similarity[session] += match[i]
                shared[session] = i
            event = past.elsewhere[event]
    return touched[:seen]


@compiled
def _newest(sessions: Codes, last: NDArray[np.int64], wanted: int) -> Codes:
    """The `wanted` sessions whose last event is newest, ties to the one that began later."""
    n = len(sessions)
    if n <= wanted:
        return sessions.copy()
    boundary = np.partition(last[sessions], n - wanted)[n - wanted]
    kept, ties = np.empty(wanted, dtype=np.int32), np.empty(n, dtype=np.int32)
    size, tied = 0, 0
    for session in sessions:
        if last[session] > boundary:
            kept[size] = session
            size += 1
        elif last[session] == boundary:
            ties[tied] = session
            tied += 1
    kept[size:] = np.sort(ties[:tied])[tied - (wanted - size) :]
    return kept


@compiled
def _nearest(sessions: Codes, similarity: Floats, last: NDArray[np.int64], wanted: int) -> Codes:
    """The `wanted` most similar sessions, ties to the newest."""
    n = len(sessions)
    if n <= wanted:
        return sessions
    boundary = np.partition(similarity[sessions], n - wanted)[n - wanted]
    kept, ties = np.empty(wanted, dtype=np.int32), np.empty(n, dtype=np.int32)
    size, tied = 0, 0
    for session in sessions:
        if similarity[session] > boundary:
            kept[size] = session
            size += 1
        elif similarity[session] == boundary:
            ties[tied] = session
            tied += 1
    kept[size:] = _newest(ties[:tied], last, wanted - size)
    return kept


@compiled
def _add_up(
    past: Past,
    current: Codes,
    neighbours: Codes,
    similarity: Floats,
    shared: Codes,
    fade: Floats,
    score: Floats,
    mark: Codes,
    near: float,
) -> Codes:
    """Add every neighbour's value to its items. mark: which neighbour last counted an item, from 1."""
    found = np.empty(256, dtype=np.int32)
    seen = 0
    for number in range(1, len(neighbours) + 1):
        session = neighbours[number - 1]
        value = similarity[session] * fade[shared[session]]
        anchor = _distance_to_shared(past, session, current) if near > 0 else 0
        distance, event = 0, past.newest[session]
        while event >= 0:
            item = past.item[event]
            if mark[item] != number:
                if mark[item] == 0:
                    if seen == len(found):
                        found = np.concatenate((found, np.empty_like(found)))
                    found[seen] = item
                    seen += 1
                mark[item] = number
                score[item] += value * np.exp(-abs(distance - anchor) * near) if near > 0 else value
            distance += 1
            event = past.earlier[event]
    found = found[:seen]
    for item in found:
        mark[item] = 0
    return found


@compiled
def _distance_to_shared(past: Past, session: int, current: Codes) -> int:
    """How many events before the session's newest one its last event with an item at hand is."""
    distance, event = 0, past.newest[session]
    while event >= 0:
        for item in current:
            if item == past.item[event]:
                return distance
        distance += 1
        event = past.earlier[event]
    return 0
