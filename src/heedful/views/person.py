"""What one person's own past says to an answer: what they touched last, what they have, what they hid."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.compiled import compiled
from heedful.views.history import History, Past
from heedful.views.meanings import Meanings
from heedful.views.rows import NO_ITEM
from heedful.views.timeline import Timeline
from heedful.vocabulary.consent import PERSONALIZATION
from heedful.vocabulary.kinds import BUILT_IN, DISLIKE, HIDE, REFUND

LOOK_BACK = 20_000
"""How many of a person's newest rows are searched for items they touched: answers given to them are rows too, and
somebody who was asked for a thousand times since their last click is still the same person."""

_HIDE, _DISLIKE, _REFUND = (BUILT_IN.index(kind) for kind in (HIDE, DISLIKE, REFUND))
_NONE = np.empty(0, dtype=np.int32)


class Bearing(NamedTuple):
    """int32 arrays of dense items. touched: distinct, newest first. owned, hidden: in no order, may repeat."""

    touched: NDArray[np.int32]
    owned: NDArray[np.int32]
    hidden: NDArray[np.int32]


STRANGER = Bearing(_NONE, _NONE, _NONE)


class Person:
    """Reads people. Owned is what was bought more often than it went back; hidden includes disliked."""

    def __init__(self, history: History, meanings: Meanings) -> None:
        self._history = history
        self._meanings = meanings

    def read(self, subject: int, limit: int) -> Bearing:
        """The bearing of dense `subject`, with at most `limit` touched items."""
        count = self._history.count(subject)
        if not count:
            return STRANGER
        meanings = self._meanings
        touched, owned, hidden, refunded = _read(
            self._history.arrays, subject, limit, meanings.joins, meanings.seen
        )
        if refunded:
            owned = still_owned(self._history.rows(subject, PERSONALIZATION), meanings.seen)
        return Bearing(touched, owned, hidden)


def still_owned(past: Past, seen: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Items of `past` whose bought quantity exceeds what went back."""
    net: dict[int, int] = {}
    for item, kind, quantity in zip(
        past.item.tolist(), past.kind.tolist(), past.quantity.tolist(), strict=True
    ):
        if item != NO_ITEM and (seen[kind] or kind == _REFUND):
            net[item] = net.get(item, 0) + (-quantity if kind == _REFUND else quantity)
    return np.array([item for item, quantity in net.items() if quantity > 0], dtype=np.int32)


@compiled
def _read(
    history: Timeline, subject: int, limit: int, joins: NDArray[np.bool_], seen: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], bool]:
    start = int(history.offset[subject])
    stop = start + int(history.held[subject])
    touched = np.empty(limit, dtype=np.int32)
    count = 0
    for place in range(stop - 1, max(start, stop - LOOK_BACK) - 1, -1):
        item = history.item[place]
        if item < 0 or not joins[history.kind[place]] or history.purposes[place] & PERSONALIZATION == 0:
            continue
        known = False
        for i in range(count):
            known = known or touched[i] == item
        if not known:
            touched[count] = item
            count += 1
            if count == limit:
                break
    owned_count, hidden_count, refunded = 0, 0, False
    for place in range(start, stop):
        kind = history.kind[place]
        if history.item[place] >= 0 and history.purposes[place] & PERSONALIZATION != 0:
            owned_count += seen[kind]
            hidden_count += kind in (_HIDE, _DISLIKE)
            refunded = refunded or kind == _REFUND
    owned = np.empty(owned_count, dtype=np.int32)
    hidden = np.empty(hidden_count, dtype=np.int32)
    if owned_count or hidden_count:
        owned_count, hidden_count = 0, 0
        for place in range(start, stop):
            kind, item = history.kind[place], history.item[place]
            if item < 0 or history.purposes[place] & PERSONALIZATION == 0:
                continue
            if seen[kind]:
                owned[owned_count] = item
                owned_count += 1
            if kind in (_HIDE, _DISLIKE):
                hidden[hidden_count] = item
                hidden_count += 1
    return touched[:count], owned, hidden, refunded
