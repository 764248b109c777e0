"""Tells a receiver of forgettings, until it has taken them; what was taken stands in the ledger."""

from __future__ import annotations

import time

import msgspec

from heedful.log.commit import GroupCommit
from heedful.services.forget.erasures import WEBHOOK, Erasure, Erasures
from heedful.services.forget.proof import shown
from heedful.services.forget.webhook import Courier
from heedful.vocabulary.time import Clock, iso

_POLL = 0.25
_FIRST, _LONGEST = 10.0, 3_600.0


class Telling:
    """One receiver, or none (`able` is False)."""

    def __init__(
        self, courier: Courier | None, erasures: Erasures, commits: GroupCommit, clock: Clock
    ) -> None:
        self.able = courier is not None
        self._courier, self._erasures, self._commits, self._clock = courier, erasures, commits, clock
        self._under_way: set[str] = set()

    def state(self, erasure: Erasure) -> str:
        """`none`, `pending`, or when it was delivered."""
        if not self.able:
            return "none"
        return "pending" if erasure.delivered is None else iso(erasure.delivered)

    def all(self) -> None:
        """Tell of everything that the receiver does not know yet."""
        for erasure in self._erasures.all:
            if "models" in erasure.steps:
                self.tell(erasure)

    def tell(self, erasure: Erasure, tries: int = 1) -> None:
        """Tell of one. Without a loop this waits for the answer, and does not try again."""
        if self._courier is None or erasure.delivered is not None or erasure.id in self._under_way:
            return
        said = erasure.accepted
        body = msgspec.json.encode({
            "type": "erasure", "subjectRequestId": erasure.id, "subjects": said.subjects, "source": said.source,
            "since": shown(said.since), "until": shown(said.until), "receivedTime": iso(erasure.at),
        })  # fmt: skip
        outcome: list[bool] = []
        self._under_way.add(erasure.id)
        self._courier.send(body, outcome.append)
        self._look(erasure, outcome, tries)

    def _look(self, erasure: Erasure, outcome: list[bool], tries: int) -> None:
        """Whether it was taken. Looked at in the owner's thread, which alone may write."""
        later = self._commits.later
        while not outcome and later is None:
            time.sleep(0.01)
        if not outcome and later is not None:
            later(_POLL, lambda: self._look(erasure, outcome, tries))
            return
        self._under_way.discard(erasure.id)
        if outcome[0]:
            self._erasures.write(erasure.id, WEBHOOK, self._clock.now(), {"tries": tries})
        elif later is not None:
            later(min(_LONGEST, _FIRST * 2**tries), lambda: self.tell(erasure, tries + 1))
