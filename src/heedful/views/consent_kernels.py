"""The table behind `views.consents`: a person's changes as a list in order of arrival, and the walk along it.

The lists are kept in order, so that telling what holds is one walk, however the changes came. Within one arrival
what denies comes last: it is the stricter and wins.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.views.compiled import compiled

ENTRY: Any = np.dtype(
    [
        ("event", "u8"), ("received", "i8"), ("at", "i8"), ("expires", "i8"), ("purposes", "u8"),
        ("subject", "i4"), ("next", "i4"), ("notice", "u2"), ("state", "u1"), ("flags", "u1"),
    ],
    align=True,
)  # fmt: skip
"""purposes: bits, the lowest for all of them. state: a code of `STATES`, 0 where the entry is free.
flags: 1 explicit, 2 by a guardian."""

USED, FREE, HELD = 0, 1, 2
"""Places in `meta`: entries ever used, the first free one, entries held."""

NONE = -1
NEVER = -(1 << 62)
_EXPIRED = 3


@compiled
def _link(entries: NDArray[Any], heads: NDArray[np.int32], subject: int, slot: int) -> None:
    """Put an entry into its person's list, after what arrived before it or is less strict."""
    received, state = entries[slot].received, entries[slot].state
    before, after = NONE, heads[subject]
    while after != NONE and (
        entries[after].received < received
        or (entries[after].received == received and entries[after].state <= state)
    ):
        before, after = after, entries[after].next
    entries[slot].next = after
    if before == NONE:
        heads[subject] = slot
    else:
        entries[before].next = slot


@compiled
def put(
    entries: NDArray[Any], heads: NDArray[np.int32], meta: NDArray[np.int64], subject: int, event: np.uint64,
    purposes: np.uint64, received: int, at: int, expires: int, notice: int, state: int, flags: int,
) -> None:  # fmt: skip
    slot = meta[FREE]
    if slot == NONE:
        slot = meta[USED]
        meta[USED] += 1
    else:
        meta[FREE] = entries[slot].next
    meta[HELD] += 1
    e = entries[slot]
    e.event, e.received, e.at, e.expires, e.purposes = event, received, at, expires, purposes
    e.subject, e.notice, e.state, e.flags = subject, notice, state, flags
    _link(entries, heads, subject, slot)


@compiled
def put_all(
    entries: NDArray[Any], heads: NDArray[np.int32], meta: NDArray[np.int64], events: NDArray[np.uint64],
    received: NDArray[np.int64], ats: NDArray[np.int64], expires: NDArray[np.int64],
    purposes: NDArray[np.uint64], subjects: NDArray[np.int32], notices: NDArray[np.uint16],
    states: NDArray[np.uint8], flags: NDArray[np.uint8],
) -> None:  # fmt: skip
    for i in range(len(events)):
        put(
            entries, heads, meta, int(np.int64(subjects[i])), events[i], purposes[i], received[i], ats[i],
            expires[i], int(np.int64(notices[i])), int(np.int64(states[i])), int(np.int64(flags[i])),
        )  # fmt: skip


@compiled
def take(
    entries: NDArray[Any], heads: NDArray[np.int32], meta: NDArray[np.int64], subject: int, event: np.uint64
) -> None:
    """Take every entry of an event out of its person's list."""
    before, slot = NONE, heads[subject]
    while slot != NONE:
        after = entries[slot].next
        if entries[slot].event == event:
            if before == NONE:
                heads[subject] = after
            else:
                entries[before].next = after
            e = entries[slot]
            e.event, e.received, e.at, e.expires, e.purposes = 0, 0, 0, 0, 0
            e.subject, e.notice, e.state, e.flags = 0, 0, 0, 0
            e.next = meta[FREE]
            meta[FREE] = slot
            meta[HELD] -= 1
        else:
            before = slot
        slot = after


@compiled
def stand(
    entries: NDArray[Any], heads: NDArray[np.int32], subject: int, mask: np.uint64, now: int
) -> tuple[int, int, int, int, int, int, int]:
    """The same as `vocabulary.consent.standing_of`, for one person: state, floor, since, and the terms."""
    state, floor, since, last = 0, NEVER, NEVER, NEVER
    expires, notice, flags = 0, 0, 0
    slot = heads[subject]
    while slot != NONE:
        e = entries[slot]
        if e.received > now:
            break
        if (e.purposes & mask) != 0:
            together = e.received == last
            granted = 0 < state < _EXPIRED
            if granted and expires != 0 and expires <= e.received and not together:
                floor, state, granted = max(floor, expires), _EXPIRED, False
            if e.state >= _EXPIRED:
                floor = int(max(floor, e.received))
            else:
                made = int(np.int64(e.at))
                since = max(floor, min(since, made) if granted else made)
                said, marks = int(np.int64(e.notice)), int(np.int64(e.flags))
                if together:
                    expires = min(expires, e.expires) if expires and e.expires else expires + e.expires
                    notice, flags = min(notice, said), flags & marks
                else:
                    expires, notice, flags = e.expires, said, marks
            state, last = int(np.int64(e.state)), e.received
        slot = e.next
    if 0 < state < _EXPIRED and expires != 0 and expires <= now:
        floor, state = max(floor, expires), _EXPIRED
    if state >= _EXPIRED:
        return state, floor, floor, 0, 0, 0, 0
    return state, floor, since, expires, notice, flags & 1, flags >> 1
