"""The pure decision about consent as the fold and the services ask it: one installation's rules, ready to use."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from heedful.privacy.bearing import age_in, who_of
from heedful.privacy.changes import SEGMENT, UNOMI, changes_of
from heedful.privacy.lawfulness import NO_SIGNALS, Policy, counts_from, judged
from heedful.privacy.purposes import Purposes
from heedful.privacy.signals import signals_of
from heedful.views.lawful import Carried, Stand, unsaid
from heedful.views.who import NOBODY_SAID, Who
from heedful.vocabulary.consent import (
    BITS,
    BUILT_IN,
    FOREVER,
    ConsentChange,
    PrivacySettings,
    Signals,
    Verdict,
)
from heedful.vocabulary.event import Event
from heedful.vocabulary.time import Instant

_MOST_KNOWN = 1_024


class _Context(msgspec.Struct, frozen=True, gc=False):
    consent: msgspec.Raw = msgspec.Raw()


_read_context = msgspec.json.Decoder(_Context).decode


class Rules:
    """`views.lawful.Judge` of an installation, and the one place where its gates ask (`verdict`).

    declared: whether the operator said where consent is kept.
    """

    choosing = frozenset({SEGMENT, UNOMI})

    def __init__(self, settings: PrivacySettings) -> None:
        self.purposes = Purposes(settings.purposes)
        self.names: Sequence[str] = tuple(self.purposes)
        self.jurisdiction, self.declared = settings.jurisdiction, settings.declared
        self.policy = Policy(
            self.purposes, settings.strict_gpc, settings.directed_to_children, settings.elsewhere
        )
        self.key = (
            f"{self.purposes.key()} {settings.jurisdiction!r} {self.policy.strict_gpc:d}"
            f"{self.policy.directed_to_children:d}{self.policy.elsewhere:d}"
        )

        # Consent objects as they were read, and what they come to for somebody who never chose: sites send the
        # same few with every event. What is kept by its id is kept itself, so that the id stays its own.
        self._signals: dict[bytes, Signals] = {}
        self._bits: dict[int, tuple[Signals, int]] = {}

    def changes(self, event: Event, at: Instant, received: Instant) -> Sequence[ConsentChange]:
        """The choices in an event; () where it makes none."""
        return changes_of(event, at, received, self.purposes)

    def carried(self, context: bytes) -> Signals | None:
        """What an event's context says for that event alone; None where it says nothing."""
        try:
            said = bytes(_read_context(context).consent)
        except (msgspec.DecodeError, RecursionError):
            said = b"?"
        if not said:
            return None
        signals = self._signals.get(said)
        if signals is None:
            signals = signals_of(context, self.purposes)
            if len(self._signals) == _MOST_KNOWN:
                self._signals.clear()
                self._bits.clear()
            self._signals[said] = signals
        return None if signals == NO_SIGNALS else signals

    def who(self, event: Event) -> Who:
        """What an event says of its person's age and place."""
        return who_of(event)

    def spans(self, stand: Stand, who: Who) -> Sequence[Instant]:
        """From when on what somebody did may be used, by the purposes of `BUILT_IN`; FOREVER for never."""
        return [
            counts_from(self.verdict(name, stand, who, NO_SIGNALS, Instant(0), happened=FOREVER))
            for name in BUILT_IN
        ]

    def bits(self, stand: Stand, who: Who, carried: Carried, happened: Instant) -> int:
        """What one event may be used for that brought consent of its own. Its strings count as of its arrival."""
        signals = carried.signals
        # Of whom nothing else is known it is so for everybody, and always.
        alike = stand is unsaid and who is NOBODY_SAID and signals.tcf is None
        if alike and (before := self._bits.get(id(signals))) is not None:
            return before[1]
        found = 0
        for name in BUILT_IN:
            verdict = self.verdict(name, stand, who, signals, carried.received, happened=happened)
            found |= BITS[name] if verdict.allowed else 0
        if alike:
            self._bits[id(signals)] = signals, found
        return found

    def verdict(
        self,
        purpose: str,
        stand: Stand,
        who: Who,
        signals: Signals,
        at: Instant,
        *,
        happened: Instant | None = None,
    ) -> Verdict:
        """Whether `purpose` is allowed at `at` for what `happened` (None: now)."""
        place = self.place(who)
        return judged(
            self.policy, purpose, place, age_in(who, place), stand(purpose), signals, at, happened=happened
        )

    def place(self, who: Who) -> str:
        """Where somebody is."""
        return self.jurisdiction if who.place is None else who.place
