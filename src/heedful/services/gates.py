"""What may be done for whom, now: the one place where serving and disclosing ask about consent.

A person is asked about under both of their ids, so that what they chose on a device before they logged in still
holds. What a request carries speaks for that request alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from heedful.privacy.judge import Rules
from heedful.privacy.lawfulness import NO_SIGNALS
from heedful.privacy.signals import signals_of
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.dictionary import MISSING
from heedful.views.fold import Fold
from heedful.views.lawful import unsaid
from heedful.views.who import ADULT, CHILD, NOBODY_SAID, TEEN, UNKNOWN, UNSAID, Who
from heedful.vocabulary.consent import BUILT_IN, Signals, Verdict
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import Clock

PERSONALIZATION, EXPERIMENTS = "personalization", "experiments"
_ANYBODY = Verdict(True, "nobody")


class Gate(NamedTuple):
    """What one question may use. carried: what the request said of consent, as an event's context, or b""."""

    personalization: Verdict
    experiments: Verdict
    carried: bytes = b""

    @property
    def withheld(self) -> str:
        """The purpose without which an answer has to do, or ""."""
        return "" if self.personalization.allowed else PERSONALIZATION

    @property
    def in_force(self) -> str:
        """What a decision keeps of it: "" where both are allowed, else what is, `-` for neither."""
        if self.personalization.allowed and self.experiments.allowed:
            return ""
        kept = [name for name, verdict in self._verdicts() if verdict.allowed]
        return ",".join(kept) or "-"

    def told(self) -> dict[str, Any]:
        """For the trace."""
        return {name: {"allowed": verdict.allowed, "why": verdict.why} for name, verdict in self._verdicts()}

    def _verdicts(self) -> tuple[tuple[str, Verdict], tuple[str, Verdict]]:
        return (PERSONALIZATION, self.personalization), (EXPERIMENTS, self.experiments)


OPEN = Gate(_ANYBODY, _ANYBODY)
"""A question for nobody in particular: there is nobody to ask."""


def _youth(age: int) -> int:
    """Years to order by; brackets by their oldest."""
    return {CHILD: 12, TEEN: 17, ADULT: 200}.get(age, age)


class Gates:
    """Asks. One thread owns it and the fold."""

    def __init__(self, fold: Fold, rules: Rules, pseudonyms: Pseudonyms, clock: Clock) -> None:
        self.rules = rules
        self._fold = fold
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._unknown = Gate(self._unsaid(PERSONALIZATION), self._unsaid(EXPERIMENTS))

    def question(self, user: str, anonymous: str, said: Any = None) -> Gate:
        """What a question for somebody may use. said: the consent object of its context, None for none."""
        if not user and not anonymous:
            return OPEN
        subjects = self.subjects(user, anonymous)
        if said is None and not subjects:
            return self._unknown
        carried = b"" if said is None else msgspec.json.encode({"consent": said})
        signals = signals_of(carried, self.rules.purposes) if carried else NO_SIGNALS
        return Gate(
            self._verdict(PERSONALIZATION, subjects, signals),
            self._verdict(EXPERIMENTS, subjects, signals),
            carried,
        )

    def allows(
        self, purpose: str, user: str = "", anonymous: str = "", signals: Signals = NO_SIGNALS
    ) -> Verdict:
        """Whether `purpose` is allowed now for somebody, and why: what every gate asks that is not the fold's.

        signals: what came with the request. A purpose that there is not is not allowed.
        """
        return self._verdict(purpose, self.subjects(user, anonymous), signals)

    def subjects(self, user: str, anonymous: str) -> list[int]:
        """The dense subjects of somebody who ever chose anything or is known by age or place, under either id."""
        ids = []
        if user:
            ids.append(self._pseudonyms.user(user))
        if anonymous:
            ids.append(self._pseudonyms.anonymous(anonymous))
        lawful = self._fold.lawful
        if not lawful.spoken:
            return []
        codes = (self._fold.subjects.find(one) for one in ids)
        return [code for code in codes if code != MISSING and lawful.knows(code)]

    def opted_out(self, subject: SubjectId) -> bool:
        """Whether all that Global Privacy Control opts out of is refused already."""
        code = self._fold.subjects.find(subject)
        if code == MISSING or not self._fold.lawful.consents.has(code):
            return False
        stand, policy = self._fold.lawful.stands((code,), self._clock.now()), self.rules.policy
        return all(
            stand(name).denied
            for name, one in self.rules.purposes.items()
            if one.discloses or (policy.strict_gpc and one.profiling)
        )

    def by_id(self, user: str, anonymous: str) -> dict[str, Verdict]:
        """Every purpose that there is with its verdict, ours first."""
        subjects = self.subjects(user, anonymous)
        names = [*BUILT_IN, *(name for name in self.rules.names if name not in BUILT_IN)]
        return {name: self._verdict(name, subjects, NO_SIGNALS) for name in names}

    def _verdict(self, purpose: str, subjects: Sequence[int], signals: Signals) -> Verdict:
        now, lawful = self._clock.now(), self._fold.lawful
        return self.rules.verdict(purpose, lawful.stands(subjects, now), self.who(subjects), signals, now)

    def who(self, subjects: Sequence[int]) -> Who:
        """How old somebody is and where: the youngest that is said under any of their ids, and the first place."""
        said = [self._fold.lawful.bearers.of(subject) for subject in subjects]
        ages = [one.age for one in said if one.age not in (UNSAID, UNKNOWN)]
        places = [one.place for one in said if one.place is not None]
        return Who(min(ages, key=_youth, default=UNSAID), places[0] if places else None)

    def _unsaid(self, purpose: str) -> Verdict:
        return self.rules.verdict(purpose, unsaid, NOBODY_SAID, NO_SIGNALS, self._clock.now())
