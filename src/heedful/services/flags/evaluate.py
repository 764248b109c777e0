"""Evaluate flags: what each is for somebody now, with the experiments that run on it.

Who is in no experiment, because they do not allow it or are held out, gets what everybody outside gets: no lot is
drawn, and nothing that is kept about them is read. What was rolled out is for them too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from heedful.experiments.assignment import Documents, Subject
from heedful.experiments.flags import ErrorCode, Evaluation, Reason, entity_tag, stretches
from heedful.services.experiments import Assign
from heedful.services.flags.asked import Asked
from heedful.services.flags.expose import Expose
from heedful.services.flags.flags import Flags, Ready
from heedful.services.gates import Gate, Gates
from heedful.services.holdout import Holdout
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.vocabulary.ids import NOBODY, SubjectId
from heedful.vocabulary.time import Clock, Instant


class Whole(NamedTuple):
    """Every flag for somebody, by key, and the tag of that answer (RFC 9110, with its quotes)."""

    evaluations: tuple[Evaluation, ...]
    tag: str


class _Moment(NamedTuple):
    """What one question goes by. drawing: whether experiments draw for it."""

    ready: Ready
    subject: Subject
    whose: SubjectId
    gate: Gate
    drawing: bool
    now: Instant


class EvaluateFlags:
    """The service. One thread owns it and the fold."""

    def __init__(
        self,
        *,
        flags: Flags,
        fold: Fold,
        assign: Assign,
        gates: Gates,
        holdout: Holdout,
        expose: Expose,
        pseudonyms: Pseudonyms,
        clock: Clock,
    ) -> None:
        self.flags = flags
        self._fold = fold
        self._assign = assign
        self._gates = gates
        self._holdout = holdout
        self._expose = expose
        self._pseudonyms = pseudonyms
        self._clock = clock

    @property
    def configuration(self) -> str:
        """A name of what is in force: another one whenever definitions change, here or in another process."""
        return self.flags.ready().digest.hex()

    def one(self, key: str, asked: Asked) -> Evaluation:
        """The flag `key`, which counts as used: the arms it came from are exposures. What went wrong is its
        `error`."""
        moment = self._moment(asked)
        evaluators = moment.ready.drawing if moment.drawing else moment.ready.quiet
        found = self._seen(evaluators.evaluate(key, moment.subject))
        if found.error is None and moment.drawing:
            self._expose.expose(key, found.assignments, asked, moment.whose, moment.gate, moment.now)
        return found

    def all(self, asked: Asked, *, also: Any = None) -> Whole:
        """Every flag, none of which counts as used. also: what else the answer holds, for its tag; plain JSON."""
        moment = self._moment(asked)
        evaluators = moment.ready.drawing if moment.drawing else moment.ready.quiet
        found = tuple(map(self._seen, evaluators.evaluate_all(moment.subject)))
        lost = tuple(_unread(key) for key in sorted(self.flags.unread))
        said = [asked.context, moment.drawing, sorted(self.flags.unread), also]
        time = stretches(moment.ready.experiments.values(), moment.now)
        return Whole((*found, *lost), entity_tag(moment.ready.digest, said, moment.subject, time))

    def _moment(self, asked: Asked) -> _Moment:
        now, ready = self._clock.now(), self.flags.ready()
        self._fold.lapse(now)
        gate = self._gates.question(asked.user, asked.anonymous, asked.context.get("consent"))
        whose, attributes = self._whose(asked), asked.attributes
        drawing = gate.experiments.allowed and not self._holdout.holds(whose)
        kept: Documents = {}
        if drawing and asked.stored:
            kept = self._assign.kept(ready.experiments.values(), attributes, asked.user, asked.anonymous)
        return _Moment(ready, Subject(attributes, at=now, sticky=kept), whose, gate, drawing, now)

    def _whose(self, asked: Asked) -> SubjectId:
        if asked.user:
            return self._pseudonyms.user(asked.user)
        return self._pseudonyms.anonymous(asked.anonymous) if asked.anonymous else NOBODY

    def _seen(self, found: Evaluation) -> Evaluation:
        if found.error is ErrorCode.FLAG_NOT_FOUND and found.key in self.flags.unread:
            return _unread(found.key)
        if found.nameless and found.error is None:
            return _failed(
                found.key,
                ErrorCode.TARGETING_KEY_MISSING,
                "a lot is drawn for this flag: send a targetingKey, or the attribute that it goes by",
            )
        return found


def _unread(key: str) -> Evaluation:
    return _failed(
        key, ErrorCode.GENERAL, "this flag was written by a later version of the server than this one"
    )


def _failed(key: str, code: ErrorCode, details: str) -> Evaluation:
    return Evaluation(key=key, reason=Reason.ERROR, error=code, details=details)
