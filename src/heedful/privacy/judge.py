"""The pure decision about consent as the fold and the services ask it: one installation's rules, ready to use."""

from __future__ import annotations

from collections.abc import Sequence

from heedful.privacy.changes import SEGMENT, UNOMI, changes_of
from heedful.privacy.lawfulness import NO_SIGNALS, Policy, counts_from, judged
from heedful.privacy.purposes import Purposes
from heedful.privacy.signals import signals_of
from heedful.views.lawful import Carried, Stand
from heedful.vocabulary.consent import (
    BITS,
    BUILT_IN,
    FOREVER,
    Age,
    ConsentChange,
    PrivacySettings,
    Signals,
    Verdict,
)
from heedful.vocabulary.event import Event
from heedful.vocabulary.time import Instant


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

    def changes(self, event: Event, at: Instant, received: Instant) -> Sequence[ConsentChange]:
        """The choices in an event; () where it makes none."""
        return changes_of(event, at, received, self.purposes)

    def carried(self, context: bytes) -> Signals | None:
        """What an event's context says for that event alone; None where it says nothing."""
        signals = signals_of(context, self.purposes)
        return None if signals == NO_SIGNALS else signals

    def spans(self, stand: Stand) -> Sequence[Instant]:
        """From when on what somebody did may be used, by the purposes of `BUILT_IN`; FOREVER for never."""
        return [
            counts_from(self.verdict(name, stand, NO_SIGNALS, Instant(0), happened=FOREVER))
            for name in BUILT_IN
        ]

    def bits(self, stand: Stand, carried: Carried, happened: Instant) -> int:
        """What one event may be used for that brought consent of its own. Its strings count as of its arrival."""
        found = 0
        for name in BUILT_IN:
            verdict = self.verdict(name, stand, carried.signals, carried.received, happened=happened)
            found |= BITS[name] if verdict.allowed else 0
        return found

    def verdict(
        self, purpose: str, stand: Stand, signals: Signals, at: Instant, *, happened: Instant | None = None
    ) -> Verdict:
        """Whether `purpose` is allowed at `at` for what `happened` (None: now)."""
        age: Age = "unknown"
        return judged(
            self.policy, purpose, self.jurisdiction, age, stand(purpose), signals, at, happened=happened
        )
