"""All sessions of the past, so that a kernel can find those that are like one at hand.

One row per event, in the order of learning, and two chains through them: from an event to the one before it in its
session, and from an item's first event in a session to its first event in the session before. Nothing is
ever moved, so learning costs a few writes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.services.evaluate.interim.baselines.selection import grown
from heedful.services.evaluate.interim.baselines.standings import Clock

Codes = NDArray[np.int32]
END = -1


class Past(NamedTuple):
    """Columns; each may be longer than what is in use.

    Per event, int32: item, session; earlier, the event before it in the session; elsewhere, for an item's first
    event in a session that of the session before it with the item (END at the end of a chain). Per session:
    newest, int32, its newest event; distinct, int32, how many items it has; last, int64, when its newest event
    was. Per item, int32: head, its newest first event; events, how many it had.
    """

    item: Codes
    session: Codes
    earlier: Codes
    elsewhere: Codes
    newest: Codes
    distinct: Codes
    last: NDArray[np.int64]
    head: Codes
    events: Codes


class _Open(NamedTuple):
    session: int
    items: set[int]


class PastSessions:
    """Takes in events and cuts them into sessions where a person made a pause above `idle` microseconds."""

    def __init__(self, idle: int) -> None:
        self._idle = idle
        self._clock = Clock()
        self._open: dict[int, _Open] = {}
        self._item, self._session, self._earlier, self._elsewhere = (_column() for _ in range(4))
        self._newest, self._distinct, self._head, self._events = (_column() for _ in range(4))
        self._last = np.zeros(1_024, dtype=np.int64)
        self._head[:] = END
        self._learned = 0
        self.sessions = 0

    @property
    def past(self) -> Past:
        """The columns as they are now; valid until the next event."""
        return Past(
            self._item, self._session, self._earlier, self._elsewhere,
            self._newest, self._distinct, self._last, self._head, self._events,
        )  # fmt: skip

    @property
    def items(self) -> int:
        """Room for items: every learned code is below it."""
        return len(self._head)

    def running(self, subject: int, at: int) -> int:
        """The session of the person that has not ended at `at`, or -1."""
        held = self._open.get(subject)
        if held is None or at - int(self._last[held.session]) > self._idle:
            return -1
        return held.session

    def learn(self, subject: int, item: int, at: int) -> None:
        """Take in an event. Raises ValueError if it is before an earlier one."""
        self._clock.tick(at)
        session = self.running(subject, at)
        if session < 0:
            session = self._begin(subject)
        event = self._learned
        self._make_room(event, item)
        self._learned += 1
        self._item[event] = item
        self._session[event] = session
        self._earlier[event] = self._newest[session]
        self._newest[session] = event
        self._last[session] = at
        self._events[item] += 1
        known = self._open[subject].items
        if item not in known:
            known.add(item)
            self._distinct[session] += 1
            self._elsewhere[event] = self._head[item]
            self._head[item] = event

    def _begin(self, subject: int) -> int:
        session = self.sessions
        self.sessions += 1
        if session == len(self._last):
            self._last = np.concatenate([self._last, np.zeros_like(self._last)])
            self._newest, self._distinct = (
                grown(column, len(self._last)) for column in (self._newest, self._distinct)
            )
        self._newest[session] = END
        self._open[subject] = _Open(session, set())
        return session

    def _make_room(self, event: int, item: int) -> None:
        if event >= len(self._item):
            self._item, self._session, self._earlier, self._elsewhere = (
                grown(column, event + 1)
                for column in (self._item, self._session, self._earlier, self._elsewhere)
            )
        if item >= len(self._head):
            self._head, self._events = grown(self._head, item + 1, END), grown(self._events, item + 1)


def _column() -> Codes:
    return np.zeros(1_024, dtype=np.int32)
