"""How soon somebody may try a password again: guessing becomes slow, and nobody can be locked out by a stranger.

A count per name alone would let anybody keep anybody out. So failures count for the pair of name and place first,
where a place is an address or the prefix of one; then for the place over all names; and for the name over all
places only where that person never logged in from before. Counts are in memory, bounded, and lost at a restart.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

from heedful.vocabulary.time import HOUR, MINUTE, SECOND, Clock, Instant

FREE = 5
"""Failures of one name from one place that cost nothing: people mistype."""
_FREE_PLACE = 20
_FREE_NAME = 50
_LONGEST = 15 * MINUTE
_FORGET = 1 * HOUR
"""A count is halved for each of these that passes without a failure."""


class Logins:
    """Counts failures. size: most pairs, places and names remembered each; the oldest failure gives way."""

    def __init__(self, clock: Clock, size: int = 10_000) -> None:
        self._clock = clock
        self._pairs = _Failures(FREE, _LONGEST, size)
        self._places = _Failures(_FREE_PLACE, _LONGEST, size)
        self._names = _Failures(_FREE_NAME, MINUTE, size)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._size = size

    def wait(self, name: str, place: str) -> int:
        """Microseconds until this name may be tried from this place; 0 is now. Ask before checking a password."""
        now = self._clock.now()
        pair, place_, name_ = _pair(name, place), _one("place", place), _one("name", name)
        longest = self._pairs.wait(pair, now)
        if pair not in self._known:
            longest = max(longest, self._places.wait(place_, now), self._names.wait(name_, now))
        return longest

    def failed(self, name: str, place: str) -> None:
        """The password was wrong, or nobody has the name."""
        now = self._clock.now()
        self._pairs.add(_pair(name, place), now)
        self._places.add(_one("place", place), now)
        self._names.add(_one("name", name), now)

    def succeeded(self, name: str, place: str) -> None:
        """The password was right: this place is known for this name from now on."""
        pair = _pair(name, place)
        self._pairs.drop(pair)
        self._known[pair] = None
        self._known.move_to_end(pair)
        if len(self._known) > self._size:
            self._known.popitem(last=False)


class _Failures:
    """By what failed: how often, and when last. `free` failures cost nothing, each further one doubles the wait,
    up to `longest` microseconds."""

    def __init__(self, free: int, longest: int, size: int) -> None:
        self._free = free
        self._longest = longest
        self._size = size
        self._table: OrderedDict[bytes, tuple[int, Instant]] = OrderedDict()

    def wait(self, key: bytes, now: Instant) -> int:
        count, last = self._standing(key, now)
        if count < self._free:
            return 0
        pause = min(self._longest, SECOND << min(count - self._free, 20))
        return max(0, last + pause - now)

    def add(self, key: bytes, now: Instant) -> None:
        count, _ = self._standing(key, now)
        self._table[key] = (count + 1, now)
        self._table.move_to_end(key)
        if len(self._table) > self._size:
            self._table.popitem(last=False)

    def drop(self, key: bytes) -> None:
        self._table.pop(key, None)

    def _standing(self, key: bytes, now: Instant) -> tuple[int, Instant]:
        count, last = self._table.get(key, (0, now))
        return count >> min(max(0, now - last) // _FORGET, 60), last


def _pair(name: str, place: str) -> bytes:
    return blake2b(
        name.casefold().encode("utf-8", "replace") + b"\0" + place.encode(), digest_size=16
    ).digest()


def _one(kind: str, value: str) -> bytes:
    return blake2b(f"{kind}\0{value.casefold()}".encode("utf-8", "replace"), digest_size=16).digest()
