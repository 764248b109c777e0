"""What each row may be used for: a bit per purpose, from what its person chose and what its event carried.

Choices are the view `consents`. What they come to is a pure function of them (`Judge`), worked out once per person
and kept here as the times from which on each purpose is allowed, so that judging a row is seven comparisons.
Nothing of that is state: it follows from the set of changes and one clock, by which grants run out.

Where nobody ever chose anything and no event carried anything, every row has the same bits and costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from heedful.views.consents import ConsentFact, Consents
from heedful.views.dictionary import Subjects
from heedful.views.mixing import digest_of
from heedful.views.view import Arrays
from heedful.views.who import NOBODY_SAID, Bearers, Who, WhoFact
from heedful.vocabulary.consent import (
    BUILT_IN,
    CARRIES,
    EVERY,
    FOREVER,
    NEVER,
    ConsentChange,
    Signals,
    Standing,
)
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.event import Event
from heedful.vocabulary.time import Instant

Stand = Callable[[str], Standing]
"""What somebody's choices come to, by purpose."""


def unsaid(purpose: str) -> Standing:  # noqa: ARG001 - it is the same for all
    """What somebody's choices come to who made none."""
    return _NOTHING


_NOTHING = Standing()
_UNKNOWN = -1
"""In place of a person's line: they chose something, and what it comes to was not worked out yet."""


class Carried(NamedTuple):
    """Consent that an event brought, and when the event arrived."""

    signals: Signals
    received: Instant


class Said(NamedTuple):
    """What events say of consent and of who people are."""

    consents: Sequence[ConsentFact]
    bearers: Sequence[WhoFact]

    def __bool__(self) -> bool:
        return bool(self.consents or self.bearers)


class Judge(Protocol):
    """The decision about consent, as `privacy.judge` makes it of the settings.

    names: every purpose there is. key: what the rules mean: another key, another reading of the same events.
    choosing: names of events, besides the kind `consent`, that choose.
    """

    names: Sequence[str]
    key: str
    choosing: frozenset[str]

    def changes(self, event: Event, at: Instant, received: Instant) -> Sequence[ConsentChange]:
        """The choices in an event; () where it makes none."""

    def carried(self, context: bytes) -> Signals | None:
        """What an event's context says for that event alone; None where it says nothing."""

    def who(self, event: Event) -> Who:
        """What an event says of its person's age and place."""

    def spans(self, stand: Stand, who: Who) -> Sequence[Instant]:
        """From when on what somebody did may be used, by the purposes of `BUILT_IN`; FOREVER for never."""

    def bits(self, stand: Stand, who: Who, carried: Carried, happened: Instant) -> int:
        """What one event may be used for that brought consent of its own: bits of `BITS`."""


class _Open:
    """Nobody chooses, and everything is allowed: for folds that are no installation's."""

    names: Sequence[str] = ()
    key = "open"
    choosing: frozenset[str] = frozenset()

    def changes(self, event: Event, at: Instant, received: Instant) -> Sequence[ConsentChange]:  # noqa: ARG002
        return ()

    def carried(self, context: bytes) -> Signals | None:  # noqa: ARG002
        return None

    def who(self, event: Event) -> Who:  # noqa: ARG002
        return NOBODY_SAID

    def spans(self, stand: Stand, who: Who) -> Sequence[Instant]:  # noqa: ARG002
        return [NEVER] * len(BUILT_IN)

    def bits(self, stand: Stand, who: Who, carried: Carried, happened: Instant) -> int:  # noqa: ARG002
        return EVERY


OPEN: Judge = _Open()


class Lawful:
    """Judges rows. Dense subjects are those of `subjects`.

    clock: until when grants have run out. nothing_known: the bits of a row of whom nothing is known.
    """

    name = Consents.name
    version = Consents.version

    def __init__(self, subjects: Subjects, judge: Judge) -> None:
        self.judge = judge
        self.consents = Consents(subjects, judge.names)
        self.bearers = Bearers(subjects)
        self.clock = NEVER
        self._begin()
        self.nothing_known = self._packed(self._since[:1] == NEVER)[0]
        self._carried = self.nothing_known != EVERY

    def _begin(self) -> None:
        self._next = FOREVER
        self._lines: NDArray[np.int32] = np.zeros(1_024, dtype=np.int32)
        self._since: NDArray[np.int64] = np.zeros((64, len(BUILT_IN)), dtype=np.int64)
        self._since[0] = self.judge.spans(unsaid, NOBODY_SAID)
        self._used = 1
        self._free: list[int] = []

    @property
    def spoken(self) -> bool:
        """Whether anybody chose anything, or their age or place was told."""
        return len(self.consents) > 0 or len(self.bearers) > 0

    def knows(self, subject: int) -> bool:
        """Whether a dense subject chose anything, or their age or place was told."""
        return self.consents.has(subject) or subject in self.bearers

    @property
    def differing(self) -> bool:
        """Whether rows may be held under other bits than all of them."""
        return self._carried or self.spoken

    def judged(
        self,
        subjects: NDArray[np.int32],
        ats: NDArray[np.int64],
        fingerprints: NDArray[np.uint64],
        carried: Mapping[int, Carried],
    ) -> NDArray[np.uint8]:
        """What rows may be used for, uint8 (n,). carried: consent that their events brought, by fingerprint."""
        if self.spoken:
            lines = self._lines_of(subjects)
            purposes = self._packed(ats[:, None] >= self._since[lines])
        else:
            purposes = np.full(len(ats), self.nothing_known, dtype=np.uint8)
        if carried:
            self._carried = True
            said: dict[int, int] = {}
            for i, fingerprint in enumerate(fingerprints.tolist()):
                brought = carried.get(fingerprint)
                if brought is None:
                    continue
                if fingerprint not in said:
                    subject, at = int(subjects[i]), Instant(int(ats[i]))
                    bits = self.judge.bits(self._stand(subject), self.bearers.of(subject), brought, at)
                    said[fingerprint] = bits | CARRIES
                purposes[i] = said[fingerprint]
        return purposes

    def change(self, removed: Said, added: Said) -> list[int]:
        """Take what was said out and in. Returns whom it is about, dense: their rows are to be judged anew."""
        self.consents.retract(removed.consents)
        self.consents.apply(added.consents)
        self.bearers.retract(removed.bearers)
        self.bearers.apply(added.bearers)
        for fact in added.consents:
            for one in fact.changes:
                if one.expires > self.clock:
                    self._next = min(self._next, one.expires)
        return self._again(
            {
                fact.subject
                for said in (removed, added)
                for facts in (said.consents, said.bearers)
                for fact in facts
            }
        )

    def lapse(self, now: Instant) -> list[int]:
        """Move the clock to `now`. Returns whose grants ran out meanwhile."""
        if now <= self.clock:
            return []
        before, self.clock = self.clock, now
        if now < self._next:
            return []
        who, self._next = self.consents.running_out(before, now)
        return self._again(set(who.tolist()))

    def stands(self, subjects: Sequence[int], at: Instant) -> Stand:
        """What the choices of one person, under all their dense `subjects`, come to at `at`, by purpose."""
        return lambda purpose: self.consents.standing(subjects, purpose, at)

    def digest(self) -> bytes:
        """16 bytes over everything that was said. What rows may be used for is in the history's."""
        sums = np.frombuffer(self.consents.digest(), dtype=np.uint64) + self.bearers.sums()
        return digest_of(sums)

    def state(self) -> Arrays:
        """The changes; clock: int64 (2,), the clock and whether rows differ."""
        clock = np.array([self.clock, self._carried], dtype=np.int64)
        return {**self.consents.state(), **self.bearers.state(), "clock": clock}

    def restore(self, state: Arrays) -> None:
        """Take over a state. The subjects must be known already. Raises Corrupt."""
        clock = state.get("clock")
        if clock is None or clock.shape != (2,):
            raise Corrupt("consents: the clock is missing or misshapen")
        self.consents.restore(state)
        self.bearers.restore(state)
        self._begin()
        self.clock, self._carried = Instant(int(clock[0])), bool(clock[1])
        self._again({*self.consents.who().tolist(), *self.bearers.people()})
        _, self._next = self.consents.running_out(self.clock, self.clock)

    def _stand(self, subject: int) -> Stand:
        """What a person's choices come to by now: whatever is in the log has arrived."""
        if not self.consents.has(subject):
            return unsaid
        return self.stands((subject,), max(self.clock, self.consents.latest(subject)))

    def _again(self, subjects: set[int]) -> list[int]:
        """Have what the choices of these come to worked out anew when it is needed."""
        if not subjects:
            return []
        missing = max(subjects) + 1 - len(self._lines)
        if missing > 0:
            more = np.zeros(max(missing, len(self._lines) // 2), dtype=np.int32)
            self._lines = np.append(self._lines, more)
        who = sorted(subjects)
        for subject in who:
            if self._lines[subject] > 0:
                self._free.append(int(self._lines[subject]))
            self._lines[subject] = _UNKNOWN if self.knows(subject) else 0
        return who

    def _lines_of(self, subjects: NDArray[np.int32]) -> NDArray[np.int32]:
        """The line of each subject's times, worked out where it is not."""
        known = subjects < len(self._lines)
        lines = np.where(known, self._lines[np.where(known, subjects, 0)], 0)
        if (lines == _UNKNOWN).any():
            for subject in np.unique(subjects[lines == _UNKNOWN]).tolist():
                self._work_out(subject)
            return self._lines_of(subjects)
        return lines.astype(np.int32)

    def _work_out(self, subject: int) -> None:
        if self._free:
            line = self._free.pop()
        else:
            line = self._used
            self._used += 1
            if line == len(self._since):
                self._since = np.concatenate((self._since, np.zeros_like(self._since)))
        self._since[line] = self.judge.spans(self._stand(subject), self.bearers.of(subject))
        self._lines[subject] = line

    @staticmethod
    def _packed(allowed: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Bits of each row of `allowed`, bool (n, purposes)."""
        return np.packbits(allowed, axis=1, bitorder="little")[:, 0]
