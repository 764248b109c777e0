"""What people turned to who share most of somebody's past: neighbours by person, where the session readers know
neighbours by visit. Where a visit is one thing (a rating, an order), only the longer past says who is alike.

User-based nearest neighbours (Herlocker, Konstan, Borchers and Riedl, SIGIR 1999, for yes-or-no data), with the
recency weights that VSTAN gives to sessions. The session index says who touched an item last, the history what
else they touched; nothing is kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.arena import Column
from heedful.views.compiled import compiled
from heedful.views.dictionary import Items, Subjects
from heedful.views.handles import Handle
from heedful.views.history import History
from heedful.views.meanings import Meanings
from heedful.views.postings import index_of
from heedful.views.sessions import Sessions
from heedful.views.timeline import timeline_of
from heedful.vocabulary.consent import LEARNING
from heedful.vocabulary.time import DAY, Instant

MOST_ASKED, MOST_PEOPLE, MOST_ANSWERED = 64, 256, 1_000
STEPS = 16
_STEP = 2.0 ** (-np.arange(STEPS) / STEPS)
_HALVES = 2.0 ** -np.arange(1_024.0)
_READ = 256
"""At most so many sessions of an item are read."""


class Companionship(NamedTuple):
    """Items best first, shape (n,) each: items int32, scores float64, because int32."""

    items: NDArray[np.int32]
    scores: NDArray[np.float64]
    because: NDArray[np.int32]


class _Room(NamedTuple):
    """Zero between two readings. By person: near, last, first. By item: score, most, who, mark. Others: lists."""

    near: NDArray[np.float64]
    last: NDArray[np.int32]
    first: NDArray[np.int32]
    people: NDArray[np.int32]
    top: NDArray[np.int32]
    score: NDArray[np.float64]
    most: NDArray[np.float64]
    who: NDArray[np.int32]
    mark: NDArray[np.int32]
    seen: NDArray[np.int32]
    best: NDArray[np.int32]
    points: NDArray[np.float64]
    because: NDArray[np.int32]


class Companions:
    """Reads who shares a past. Not for two threads at once."""

    def __init__(
        self, sessions: Sessions, history: History, items: Items, subjects: Subjects, meanings: Meanings
    ) -> None:
        self._sessions, self._history = sessions, history
        self._items, self._subjects, self._meanings = items, subjects, meanings
        self._room = _room(0, 0)

    def peek(
        self, asked: NDArray[np.int32], how_many: int, at: Instant, *, apart: int = -1, m: int = 50, k: int = 50,
        rows: int = 50, fading: float = 8.0, half_life: int = 30 * DAY,
    ) -> Companionship:  # fmt: skip
        """The `how_many` (1 to MOST_ANSWERED) items that the people most like the asker touched, none of `asked`.

        asked: the asker's distinct items, newest first, at most MOST_ASKED; number i counts e^(-i / fading).
        apart: the asker. m (at most 256): the newest sessions of each item that are read. k (at most MOST_PEOPLE):
        people who count, those who share most, ties by their key. rows: of each person's newest, what they
        touched; a touch counts what the person counts, halved every `half_life` microseconds of its age, in
        steps of a sixteenth. What is
        after `at` does not count. `because` is the newest asked item that the person who gave most shares.
        Views that the next reading overwrites.
        """
        people, things = len(self._subjects), len(self._items)
        if people > len(self._room.near) or things > len(self._room.score):
            self._room = _room(2 * people, 2 * things)
        size = _read(
            self._history.handle, self._sessions.handle, self._room, asked[:MOST_ASKED], self._items.keys,
            self._subjects.keys, self._meanings.joins, apart, at, min(how_many, MOST_ANSWERED), min(m, _READ),
            min(k, MOST_PEOPLE), rows, fading, half_life,
        )  # fmt: skip
        room = self._room
        return Companionship(room.best[:size], room.points[:size], room.because[:size])


def _room(people: int, things: int) -> _Room:
    return _Room(
        near=np.zeros(people), last=np.zeros(people, dtype=np.int32), first=np.zeros(people, dtype=np.int32),
        people=np.zeros(MOST_ASKED * _READ, dtype=np.int32), top=np.zeros(MOST_PEOPLE, dtype=np.int32),
        score=np.zeros(things), most=np.zeros(things), who=np.zeros(things, dtype=np.int32),
        mark=np.zeros(things, dtype=np.int32), seen=np.zeros(things, dtype=np.int32),
        best=np.zeros(MOST_ANSWERED, dtype=np.int32), points=np.zeros(MOST_ANSWERED),
        because=np.zeros(MOST_ANSWERED, dtype=np.int32),
    )  # fmt: skip


@compiled
def _read(
    past: Handle, sessions: Handle, room: _Room, asked: Column, keys: Column, people_keys: Column, joins: Column,
    apart: int, at: int, how_many: int, m: int, k: int, newest: int, fading: float, half_life: int,
) -> int:  # fmt: skip
    rows, index = timeline_of(past), index_of(sessions)
    met = 0
    for i in range(len(asked)):
        item = asked[i]
        if item < 0 or item >= len(index.held):
            continue
        weight = np.exp(-i / fading)
        held = int(index.held[item])
        stop = int(index.offset[item]) + held
        for place in range(stop - 1, stop - min(m, held) - 1, -1):
            slot = index.postings[place]
            person = index.subject[slot]
            if person == apart or index.first[slot] > at or room.last[person] == i + 1:
                continue
            if room.last[person] == 0:
                room.people[met], room.first[person] = person, item
                met += 1
            room.last[person] = i + 1
            room.near[person] += weight
    # The people who share most.
    size = 0
    for number in range(met):
        person = room.people[number]
        near = room.near[person]
        spot = size
        while spot > 0:
            other = room.top[spot - 1]
            if room.near[other] > near or (
                room.near[other] == near and people_keys[other] < people_keys[person]
            ):
                break
            spot -= 1
        if spot < k:
            size = min(size + 1, k)
            for moved in range(size - 1, spot, -1):
                room.top[moved] = room.top[moved - 1]
            room.top[spot] = person
    # What they touched.
    for i in range(len(asked)):
        if 0 <= asked[i] < len(room.mark):
            room.mark[asked[i]] = -1
    found = 0
    for number in range(size):
        person = room.top[number]
        start, near = int(rows.offset[person]), room.near[person]
        read = 0
        for place in range(start + int(rows.held[person]) - 1, start - 1, -1):
            item, when = rows.item[place], rows.at[place]
            if item < 0 or when > at or not joins[rows.kind[place]] or rows.purposes[place] & LEARNING == 0:
                continue
            if read == newest:
                break
            read += 1
            if room.mark[item] == -1 or room.mark[item] == number + 1:
                continue
            if room.mark[item] == 0:
                room.seen[found] = item
                found += 1
            room.mark[item] = number + 1
            steps = (at - when) * STEPS // half_life
            share = near * _STEP[steps % STEPS] * _HALVES[min(steps // STEPS, len(_HALVES) - 1)]
            room.score[item] += share
            if share > room.most[item]:
                room.most[item], room.who[item] = share, room.first[person]
    answered = 0
    for number in range(found):
        item = room.seen[number]
        score = room.score[item]
        spot = answered
        while spot > 0 and (
            room.points[spot - 1] < score
            or (room.points[spot - 1] == score and keys[room.best[spot - 1]] > keys[item])
        ):
            spot -= 1
        if spot < how_many:
            answered = min(answered + 1, how_many)
            for moved in range(answered - 1, spot, -1):
                room.best[moved], room.points[moved] = room.best[moved - 1], room.points[moved - 1]
            room.best[spot], room.points[spot] = item, score
    for number in range(answered):
        room.because[number] = room.who[room.best[number]]
    for number in range(found):
        item = room.seen[number]
        room.score[item], room.most[item], room.mark[item] = 0.0, 0.0, 0
    for i in range(len(asked)):
        if 0 <= asked[i] < len(room.mark):
            room.mark[asked[i]] = 0
    for number in range(met):
        person = room.people[number]
        room.near[person], room.last[person] = 0.0, 0
    return answered
