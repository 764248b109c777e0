"""The kernels and the storage of `views.orders`: one packed record per line, found through one open table.

An entry is a claim of a purchase line, a line of a refund, or an event that takes a whole order back. All
entries under one (order, key, slot) form a list by `peer`, whose head is found through the table; among
purchase claims the head is the winner. All lines of an order form a list in both directions (`next`,
`before`), whose head is found through the table too. A table slot holds twice the head's place, plus 1 for
an order's list.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.views.compiled import compiled
from heedful.views.mixing import LANES, absorb, mix

PURCHASED, REFUNDED, WHOLE = 1, 2, 3
"""What an entry is: its slot."""
FREED = 4
"""Added to the slot of an entry that is no longer held, and may be used again."""

ENTRY: Any = np.dtype(
    [
        ("order", "u8"), ("key", "u8"), ("at", "i8"), ("fingerprint", "u8"),
        ("subject", "i4"), ("item", "i4"), ("quantity", "i4"),
        ("next", "i4"), ("before", "i4"), ("peer", "i4"), ("line", "u2"), ("slot", "u1"), ("wins", "u1"),
    ],
    align=True,
)  # fmt: skip
"""64 bytes. wins: whether the entry is a live row unless its order is taken back."""

NONE = -1
EMPTY, GONE = -1, -2
USED, FREE, HELD, TAKEN = 0, 1, 2, 3
"""Places in `meta`: entries ever used, first freed entry, entries held, table slots that are not EMPTY."""

_CLAIMS, _ORDER = 0, 1


@compiled
def _slot(
    entries: NDArray[Any], table: NDArray[np.int32], level: int, order: np.uint64, key: np.uint64, slot: int
) -> int:
    """Where the table holds a list; if it does not, -1 minus the place where it would go."""
    mask = len(table) - 1
    if level == _ORDER:
        place = int(np.int64(mix(order) & np.uint64(mask)))
    else:
        place = int(np.int64(absorb(absorb(np.uint64(slot), order), key) & np.uint64(mask)))
    vacant = -1
    while table[place] != EMPTY:
        held = table[place]
        if held == GONE:
            if vacant < 0:
                vacant = place
        elif (held & 1) == level and entries[held >> 1].order == order:
            head = held >> 1
            if level == _ORDER or (entries[head].key == key and entries[head].slot == slot):
                return place
        place = (place + 1) & mask
    return -1 - (vacant if vacant >= 0 else place)


@compiled
def _point(table: NDArray[np.int32], meta: NDArray[np.int64], place: int, head: int, level: int) -> None:
    """Let a table slot, as `_slot` gave it, lead to `head`; to nothing when `head` is NONE."""
    if place < 0:
        place = -1 - place
        if table[place] == EMPTY:
            meta[TAKEN] += 1
    table[place] = GONE if head == NONE else head * 2 + level


@compiled
def _taken_back(entries: NDArray[Any], table: NDArray[np.int32], order: np.uint64) -> bool:
    return bool(_slot(entries, table, _CLAIMS, order, np.uint64(0), WHOLE) >= 0)


@compiled
def _before(entries: NDArray[Any], one: int, other: int) -> bool:
    """Whether claim `one` ranks before `other`."""
    a, b = entries[one], entries[other]
    if a.at != b.at:
        return bool(a.at < b.at)
    if a.fingerprint != b.fingerprint:
        return bool(a.fingerprint < b.fingerprint)
    return bool(a.line < b.line)


@compiled
def _note_order(
    entries: NDArray[Any], table: NDArray[np.int32], order: np.uint64, moved: NDArray[np.int32], live: bool
) -> int:
    """Note all winning lines of an order as live now, or as live before."""
    place = _slot(entries, table, _ORDER, order, np.uint64(0), 0)
    count = 0
    entry = table[place] >> 1 if place >= 0 else NONE
    while entry != NONE:
        if entries[entry].wins:
            moved[count] = entry if live else ~entry
            count += 1
        entry = entries[entry].next
    return count


@compiled
def put(
    entries: NDArray[Any],
    table: NDArray[np.int32],
    meta: NDArray[np.int64],
    moved: NDArray[np.int32],
    order: np.uint64,
    key: np.uint64,
    slot: int,
    at: int,
    fingerprint: np.uint64,
    line: int,
    subject: int,
    item: int,
    quantity: int,
) -> int:
    """Hold one more entry. Room for it and two table slots is there. Returns how many rows it moved.

    moved: places of rows that are live now, and ~place of rows that were; as long as the order is for a
    WHOLE, 2 otherwise.
    """
    new = meta[FREE]
    if new == NONE:
        new = meta[USED]
        meta[USED] += 1
    else:
        meta[FREE] = entries[new].next
    meta[HELD] += 1
    e = entries[new]
    e.order, e.key, e.at, e.fingerprint, e.line = order, key, at, fingerprint, line
    e.subject, e.item, e.quantity, e.slot, e.wins = subject, item, quantity, slot, 0
    e.next, e.before, e.peer = NONE, NONE, NONE
    live = not _taken_back(entries, table, order)
    place = _slot(entries, table, _CLAIMS, order, key, slot)
    head = table[place] >> 1 if place >= 0 else NONE
    count = 0
    if slot == WHOLE and live:
        count = _note_order(entries, table, order, moved, False)
    if slot == REFUNDED or (slot == PURCHASED and (head == NONE or _before(entries, new, head))):
        e.wins = 1
        if slot == PURCHASED and head != NONE:
            entries[head].wins = 0
            if live:
                moved[count] = ~head
                count += 1
        if live:
            moved[count] = new
            count += 1
    if head == NONE or e.wins:
        e.peer = head
        _point(table, meta, place, new, _CLAIMS)
    else:
        e.peer = entries[head].peer
        entries[head].peer = new
    if slot != WHOLE:
        place = _slot(entries, table, _ORDER, order, np.uint64(0), 0)
        if place >= 0:
            following = table[place] >> 1
            e.next = following
            entries[following].before = new
        _point(table, meta, place, new, _ORDER)
    return count


@compiled
def take(
    entries: NDArray[Any],
    table: NDArray[np.int32],
    meta: NDArray[np.int64],
    moved: NDArray[np.int32],
    order: np.uint64,
    key: np.uint64,
    slot: int,
    at: int,
    fingerprint: np.uint64,
    line: int,
) -> int:
    """Let go of one entry, if it is held. Returns how many rows it moved, like `put`.

    An entry let go of keeps its content until the next `put`, so that its row can still be read.
    """
    place = _slot(entries, table, _CLAIMS, order, key, slot)
    if place < 0:
        return 0
    head = table[place] >> 1
    old, previous = head, NONE
    while old != NONE:
        e = entries[old]
        if e.at == at and e.fingerprint == fingerprint and e.line == line:
            break
        old, previous = e.peer, old
    if old == NONE:
        return 0
    e = entries[old]
    if previous != NONE:
        entries[previous].peer = e.peer
    else:
        head = _first(entries, e.peer) if slot == PURCHASED else e.peer
        _point(table, meta, place, head, _CLAIMS)
    count = 0
    live = not _taken_back(entries, table, order)
    if slot == WHOLE:
        count = _note_order(entries, table, order, moved, True) if live else 0
    else:
        if e.wins and live:
            moved[count] = ~old
            count += 1
        if e.wins and slot == PURCHASED and head != NONE:
            entries[head].wins = 1
            if live:
                moved[count] = head
                count += 1
        if e.next != NONE:
            entries[e.next].before = e.before
        if e.before != NONE:
            entries[e.before].next = e.next
        else:
            _point(table, meta, _slot(entries, table, _ORDER, order, np.uint64(0), 0), e.next, _ORDER)
    e.slot = slot + FREED
    e.next = meta[FREE]
    meta[FREE] = old
    meta[HELD] -= 1
    return count


@compiled
def _first(entries: NDArray[Any], start: int) -> int:
    """Bring the lowest claim of the list from `start` on to its front; returns it, or NONE."""
    if start == NONE:
        return NONE
    lowest, before_lowest, previous = start, NONE, start
    entry = entries[start].peer
    while entry != NONE:
        if _before(entries, entry, lowest):
            lowest, before_lowest = entry, previous
        entry, previous = entries[entry].peer, entry
    if before_lowest != NONE:
        entries[before_lowest].peer = entries[lowest].peer
        entries[lowest].peer = start
    return lowest


@compiled
def put_all(
    entries: NDArray[Any],
    table: NDArray[np.int32],
    meta: NDArray[np.int64],
    moved: NDArray[np.int32],
    orders: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    ats: NDArray[np.int64],
    fingerprints: NDArray[np.uint64],
    subjects: NDArray[np.int32],
    items: NDArray[np.int32],
    quantities: NDArray[np.int32],
    lines: NDArray[np.uint16],
    slots: NDArray[np.uint8],
) -> None:
    """`put` for many entries. Room for all of them is there; moved: as long as all of them."""
    for i in range(len(orders)):
        put(
            entries, table, meta, moved, orders[i], keys[i], int(np.int64(slots[i])), ats[i],
            fingerprints[i], int(np.int64(lines[i])), int(np.int64(subjects[i])), int(np.int64(items[i])),
            int(np.int64(quantities[i])),
        )  # fmt: skip


@compiled
def take_places(
    entries: NDArray[Any],
    table: NDArray[np.int32],
    meta: NDArray[np.int64],
    moved: NDArray[np.int32],
    places: NDArray[np.int64],
) -> int:
    """`take` for the entries at `places`. Returns how many rows moved; moved: twice as long as entries."""
    count = 0
    for place in places:
        e = entries[place]
        count += take(
            entries, table, meta, moved[count:], e.order, e.key, int(np.int64(e.slot)), e.at, e.fingerprint,
            int(np.int64(e.line)),
        )  # fmt: skip
    return count


@compiled
def rebuild(
    entries: NDArray[Any], table: NDArray[np.int32], wider: NDArray[np.int32], meta: NDArray[np.int64]
) -> None:
    """Move what `table` holds into the empty table `wider`."""
    meta[TAKEN] = 0
    for held in table:
        if held >= 0:
            e, level = entries[held >> 1], int(np.int64(held & 1))
            place = _slot(entries, wider, level, e.order, e.key, int(np.int64(e.slot)))
            _point(wider, meta, place, held >> 1, level)


@compiled
def live(
    entries: NDArray[Any], table: NDArray[np.int32], meta: NDArray[np.int64], found: NDArray[np.int32]
) -> int:
    """Write the places of all live rows; returns how many. found: as long as all entries."""
    count = 0
    for place in range(meta[USED]):
        e = entries[place]
        if e.slot < FREED and e.wins and not _taken_back(entries, table, e.order):
            found[count] = place
            count += 1
    return count


@compiled
def sums(
    entries: NDArray[Any],
    meta: NDArray[np.int64],
    item_keys: NDArray[np.uint64],
    subject_keys: NDArray[np.uint64],
) -> tuple[np.uint64, np.uint64]:
    """The two lane sums over the entries held."""
    first, second = np.uint64(0), np.uint64(0)
    for place in range(meta[USED]):
        if entries[place].slot < FREED:
            first += _lane(LANES[0], entries[place], item_keys, subject_keys)
            second += _lane(LANES[1], entries[place], item_keys, subject_keys)
    return first, second


@compiled
def _lane(
    lane: np.uint64, e: Any, item_keys: NDArray[np.uint64], subject_keys: NDArray[np.uint64]
) -> np.uint64:
    item = item_keys[e.item] if e.item >= 0 else np.uint64(0)
    subject = subject_keys[e.subject] if e.subject >= 0 else np.uint64(0)
    lane = absorb(absorb(absorb(absorb(lane, e.order), e.key), np.uint64(e.at)), e.fingerprint)
    lane = absorb(absorb(absorb(lane, subject), item), np.uint64(e.quantity))
    return absorb(lane, np.uint64(e.line) * np.uint64(8) + np.uint64(e.slot))
