"""A small real log for the door's tests: it keeps records by id and tells duplicates from conflicts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from heedful.log import codec
from heedful.services.collect import Collect
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.errors import HeedfulError, LogUnavailable
from heedful.vocabulary.event import Event, Position, Record
from heedful.vocabulary.receipt import Receipt, Status
from heedful.vocabulary.time import FixedClock, Instant

NOW = Instant(1_795_433_631_000_000)  # 2026-11-23T11:33:51Z
PSEUDONYMS = Pseudonyms(bytes(range(32)))


class MemoryLog:
    """Answers at once, or when `release` is called if `held`."""

    def __init__(self, *, held: bool = False) -> None:
        self.records: dict[str, Record] = {}
        self.failure: LogUnavailable | None = None
        self._held = held
        self._waiting: list[Callable[[], None]] = []

    def submit(
        self, records: Sequence[Record], done: Callable[[Sequence[Receipt] | LogUnavailable], None]
    ) -> None:
        def store() -> None:
            done(self.failure or [self._store(record) for record in records])

        if self._held:
            self._waiting.append(store)
        else:
            store()

    def release(self) -> None:
        waiting, self._waiting = self._waiting, []
        for store in waiting:
            store()

    def position(self) -> str:
        return f"v1.{len(self.records)}"

    def _store(self, record: Record) -> Receipt:
        known = self.records.setdefault(record.id, record)
        place = Position(1 + list(self.records).index(record.id))
        if known is record:
            return Receipt(Status.ACCEPTED, place)
        same = known.content() == record.content()
        return Receipt(Status.DUPLICATE if same else Status.REFUSED, place)


class Door:
    """Collect with a log of its own and a clock that stands still."""

    def __init__(self, *, held: bool = False, meanings: Mapping[str, str] | None = None) -> None:
        self.log = MemoryLog(held=held)
        self.clock = FixedClock(NOW)
        self.answers: list[CollectAnswer | HeedfulError] = []
        self.collect = Collect(
            self.log, PSEUDONYMS, self.clock, self.log.position, meanings_of_names=meanings or {}
        )

    def send(self, method: str, body: Any, *, source: str = "web", imported: bool = False) -> CollectAnswer:
        """The answer to one call; `body` is bytes or will be JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        before = len(self.answers)
        self.collect.call(method, raw, source, self.answers.append, imported=imported)
        (answer,) = self.answers[before:]
        assert isinstance(answer, CollectAnswer)
        return answer

    def event(self, message_id: str, source: str = "web") -> Event:
        return codec.decode(self.log.records[f"{source}:{message_id}"].body)

    def track(self, name: str, properties: Mapping[str, Any], **more: Any) -> Event:
        """The event that a track call becomes. Fails where it is refused."""
        body = {"messageId": "m", "userId": "u", "event": name, "properties": properties, **more}
        (fate,) = self.send("track", body).events
        assert fate.status is Status.ACCEPTED, fate
        return self.event("m")

    def refusal(self, name: str, properties: Mapping[str, Any], **more: Any) -> tuple[str, str]:
        """The code and path with which a track call is refused."""
        body = {"messageId": "m", "userId": "u", "event": name, "properties": properties, **more}
        (fate,) = self.send("track", body).events
        assert fate.status is Status.REFUSED, fate
        return fate.code, fate.path
