"""How often somebody may ask: token buckets per key and per address, in bounded memory.

A bucket is one number, the time at which it will be full again (the "generic cell rate algorithm", ITU-T I.371,
which is a token bucket): a request moves it on by the time that one token takes to drip, and is refused if that
would lie further ahead than the whole bucket takes.
"""

from __future__ import annotations

from collections import OrderedDict
from math import ceil
from time import monotonic

import msgspec

from heedful.faces.http.problem import Problem, retry_after


class Rate(msgspec.Struct, frozen=True):
    """per_minute: how many requests on the average, 0 for no limit. burst: how many at once, at least 1."""

    per_minute: float
    burst: int = 60


class LimitSettings(msgspec.Struct, frozen=True):
    """key: for a key without a limit of its own. place: for each address (IPv6: each /64) that uses a public key;
    with secret keys there is none, since all requests of a server come from one address.

    refused: how often an address may send credentials that are not taken. size: most buckets kept of each sort.
    """

    key: Rate = Rate(0)
    place: Rate = Rate(1_200, 200)
    refused: Rate = Rate(60, 30)
    size: int = 65_536


class Buckets:
    """Token buckets by name, at most `size` of them; when there are more, the one not asked for longest gives way.

    A flood of names therefore frees old buckets early, which lets through too much and never too little.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._full: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full)

    def take(self, name: str, rate: Rate, now: float) -> float:
        """Take a token at `now` (seconds, monotonic); returns 0, or the seconds until there is one."""
        if rate.per_minute <= 0:
            return 0.0
        drip = 60.0 / rate.per_minute
        full = max(self._full.get(name, now), now) + drip
        wait = full - now - max(rate.burst, 1) * drip
        if wait > 1e-9:
            return wait
        self._full[name] = full
        self._full.move_to_end(name)
        if len(self._full) > self._size:
            self._full.popitem(last=False)
        return 0.0


class Limits:
    """What the guard counts by."""

    def __init__(self, settings: LimitSettings | None = None) -> None:
        self._settings = settings or LimitSettings()
        size = self._settings.size
        self._keys, self._places, self._refused = Buckets(size), Buckets(size), Buckets(size)

    def key(self, key_id: str, per_minute: int) -> None:
        """A request with this key. per_minute: the key's own limit, or 0. Raises Problem (`rate_limited`)."""
        rate = Rate(per_minute, max(1, per_minute // 4)) if per_minute else self._settings.key
        _pass(self._keys.take(key_id, rate, monotonic()), "This key has asked too often.")

    def place(self, place: str) -> None:
        """A request from this address with a public key. Raises Problem (`rate_limited`)."""
        _pass(
            self._places.take(place, self._settings.place, monotonic()), "This address has asked too often."
        )

    def refused(self, place: str) -> None:
        """Credentials from this address were not taken. Raises Problem (`rate_limited`) when it was too often.

        Good ones go on being taken, so nobody can keep out whoever shares the address.
        """
        wait = self._refused.take(place, self._settings.refused, monotonic())
        _pass(wait, "Too many credentials from this address were not taken.")


def _pass(wait: float, detail: str) -> None:
    if wait > 0.0:
        raise Problem("rate_limited", detail, headers=retry_after(max(1, ceil(wait))))
