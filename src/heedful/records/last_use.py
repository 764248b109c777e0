"""When each key was last used, to the hour: enough to find the ones that nobody needs, and nearly free.

A key costs one set look-up per request and one write of a small file per hour. The file is not synced: what a
power cut takes away, the next hour brings back.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

import msgspec

from heedful.records.durable import PRIVATE
from heedful.vocabulary.time import HOUR, Clock, Instant, iso


class LastUse:
    """The hours of last use, by key id, in `path`. Several processes may share it; the latest hour holds."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._hour = 0
        self._noted: set[str] = set()
        self._waiting: set[str] = set()

    def note(self, key_id: str) -> None:
        """This key was used now."""
        if key_id not in self._noted:
            self._noted.add(key_id)
            self._waiting.add(key_id)

    def settle(self) -> None:
        """Write what was noted, and begin a new hour when it is one. A file that cannot be written is no harm."""
        hour = self._clock.now() // HOUR
        if self._waiting:
            hours = self._read()
            for key_id in self._waiting:
                hours[key_id] = max(hour, hours.get(key_id, hour))
            self._waiting.clear()
            with contextlib.suppress(OSError):
                self._write(hours)
        if hour != self._hour:
            self._hour = hour
            self._noted.clear()

    def of(self, key_id: str) -> str:
        """The hour in which the key was last used, RFC 3339 in UTC; "" if it never was."""
        hour = self._read().get(key_id)
        if key_id in self._waiting:
            hour = max(self._clock.now() // HOUR, hour or 0)
        return "" if hour is None else iso(Instant(hour * HOUR))

    def _read(self) -> dict[str, int]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, int])
        except (OSError, msgspec.MsgspecError, ValueError):
            return {}  # it is only a convenience

    def _write(self, hours: dict[str, int]) -> None:
        fresh = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(hours))
        fresh.replace(self._path)
