"""Exposures: that an arm was used, as an event in the log, once per unit, experiment and arm.

The event's id is made of the three, so that the log itself keeps a second one out, also after a restart and
between processes; what was written a moment ago or is in the fold already is not even tried again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import msgspec

from heedful.experiments.assignment import Assignment
from heedful.log.codec import encode
from heedful.log.commit import GroupCommit
from heedful.services.experiments import Assign
from heedful.services.flags.asked import Asked
from heedful.services.gates import Gate
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.event import Event, Record
from heedful.vocabulary.ids import NOBODY, DecisionId, EventId, SubjectId
from heedful.vocabulary.kinds import EXPOSURE
from heedful.vocabulary.receipt import Receipt
from heedful.vocabulary.time import Instant

MARK = "x"
"""What the id of an exposure begins with; those of answers begin otherwise."""

_REMEMBERED = 16_384
_UNSAID = Instant(0)


class Expose:
    """Writes down exposures. One thread owns it. exposures: how many were given to the log."""

    def __init__(self, commits: GroupCommit, assign: Assign) -> None:
        self._commits = commits
        self._assign = assign
        self._given: OrderedDict[str, None] = OrderedDict()
        self.exposures = 0

    def expose(
        self,
        flag: str,
        assignments: Iterable[Assignment],
        asked: Asked,
        subject: SubjectId,
        gate: Gate,
        now: Instant,
    ) -> None:
        """Give the arms of `assignments` that count to the log, without waiting for it. subject: whose they are;
        of nobody nothing is written."""
        if subject == NOBODY:
            return
        for one in assignments:
            if one.inside and not one.washing:
                self._one(flag, one, asked, subject, gate, now)

    def _one(
        self, flag: str, one: Assignment, asked: Asked, subject: SubjectId, gate: Gate, now: Instant
    ) -> None:
        identity = exposure_id(subject, one.experiment, one.arm)
        if identity in self._given or self._assign.exposed(one.experiment, subject) == one.arm:
            return
        self._given[identity] = None
        if len(self._given) > _REMEMBERED:
            self._given.popitem(last=False)
        event = Event(
            kind=EXPOSURE,
            user=asked.user,
            anonymous=asked.anonymous,
            name=flag,
            decision=identity,
            properties=msgspec.json.encode([[one.experiment, one.arm]]),
            context=gate.carried,
        )
        record = Record(EventId(f"heedful:{identity}"), subject, now, _UNSAID, _UNSAID, now, encode(event))

        def done(outcome: Sequence[Receipt] | HeedfulError) -> None:
            # Refused is what stands there already in other words, or is of somebody who was forgotten.
            if isinstance(outcome, HeedfulError):
                self._given.pop(identity, None)  # the next evaluation tries again
                self._commits.dropped += 1

        self.exposures += 1
        # Whoever was exposed keeps the arm, also where no loop comes back for what was put off.
        at_once = self._commits.later is None
        (self._commits.submit if at_once else self._commits.defer)((record,), done)


def exposure_id(subject: SubjectId, experiment: str, arm: str) -> DecisionId:
    """`x` and 32 hexadecimal digits: the same for the same three."""
    digest = blake2b(subject, digest_size=16, person=b"exposure")
    for part in (experiment, arm):
        digest.update(len(part).to_bytes(4, "big") + part.encode())
    return DecisionId(MARK + digest.hexdigest())
