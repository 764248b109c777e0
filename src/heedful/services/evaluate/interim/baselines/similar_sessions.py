"""The kernels of the session models: find the sessions that share something, and add up what stands in some."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heedful.services.evaluate.interim.baselines.past_sessions import Past
from heedful.views.compiled import compiled

Codes = NDArray[np.int32]
Floats = NDArray[np.float64]


@compiled
def share(
    past: Past, current: Codes, match: Floats, own: int, similarity: Floats, place: Codes, touched: Codes
) -> int:
    """Find all sessions with a current item but `own`; returns how many, at touched.

    current: distinct items by rising position, with their weights match, all above 0. similarity: zeros, per
    session; gets the sums of the weights. place: room per session; gets the index of the newest current item
    that each has. touched: room per session.
    """
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
                place[session] = i
            event = past.elsewhere[event]
    return seen


@compiled
def add_up(
    past: Past,
    current: Codes,
    sessions: Codes,
    values: Floats,
    near: float,
    score: Floats,
    mark: Codes,
    found: Codes,
) -> int:
    """Add each session's value to its items; returns how many items have a sum, at found and in score.

    An item counts once, at its last place. near: 1 over the events over which a value falls with the distance to
    the session's last current item. score, mark: zeros, per item; mark is zeros again afterwards. found: room
    per item.
    """
    seen = 0
    for number in range(1, len(sessions) + 1):
        newest, value = past.newest[sessions[number - 1]], values[number - 1]
        anchor = _distance_to_current(past, newest, current) if near > 0 else 0
        distance, event = 0, newest
        while event >= 0:
            item = past.item[event]
            if mark[item] != number:
                if mark[item] == 0:
                    found[seen] = item
                    seen += 1
                mark[item] = number
                score[item] += value * np.exp(-abs(distance - anchor) * near) if near > 0 else value
            distance += 1
            event = past.earlier[event]
    for i in range(seen):
        mark[found[i]] = 0
    return seen


@compiled
def _distance_to_current(past: Past, event: int, current: Codes) -> int:
    """How many events before a session's newest event its last one with a current item is."""
    distance = 0
    while event >= 0:
        for item in current:
            if item == past.item[event]:
                return distance
        distance += 1
        event = past.earlier[event]
    return 0
