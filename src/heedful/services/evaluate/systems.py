"""What is compared: pipelines over a real fold, and baselines, all told the same and asked the same.

A learner that is up to date has been told everything that came before the question. With `hourly` or `daily` it
has been told what came before the last full hour or day (UTC) of event time: everybody's events wait, the asker's
own and the catalogue's too, unless `own_trail` gives the asker's newest items along with the question.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from heedful.models.baselines.baseline import Baseline
from heedful.pipeline.context import Context
from heedful.pipeline.filters import NotOwned, NotThisPage
from heedful.pipeline.pipeline import Pipeline
from heedful.services.asking import TRAIL, Asking
from heedful.services.evaluate.recording import Recorder, Shelf, empty_fold
from heedful.services.evaluate.streams import Stream
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.vocabulary.event import Stored
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import DAY, HOUR, Instant

_BATCH = 5_000
_MOST = 100
"""The longest list that a pipeline gives."""
_GOLDEN = 0x9E3779B97F4A7C15

Items = NDArray[np.int32]


class Update(StrEnum):
    """When what happened is learned, by event time."""

    INSTANT = "instant"
    HOURLY = "hourly"
    DAILY = "daily"

    @property
    def width(self) -> int:
        """Microseconds between two updates; 0 for none at all."""
        return {Update.INSTANT: 0, Update.HOURLY: HOUR, Update.DAILY: DAY}[self]


class Repeats(StrEnum):
    """ALLOWED: everything is asked for and may be answered. REMOVED: what a protocol calls a repeat is neither."""

    ALLOWED = "allowed"
    REMOVED = "removed"


class Question(NamedTuple):
    """One question in the stream's codes.

    trail: int32, the newest items of the asker, newest last, as they happened. barred: int32, distinct, items that
    are no candidates. number: counts questions; all chance of the answer comes from it.
    """

    number: int
    subject: int
    at: int
    trail: Items
    barred: Items
    repeats: Repeats


class Learner(Protocol):
    """One or several systems that learn together. `names`: theirs, in the order of `answer`."""

    names: tuple[str, ...]

    def learn(self, events: Sequence[int]) -> None:
        """Learn events of the stream, in order of time."""

    def reach(self, at: int) -> None:
        """Learn what the catalogue said up to `at`."""

    def take_in(self, event: int) -> None:
        """Take in an event of the asker, to be given back."""

    def give_back(self) -> None:
        """Undo every `take_in`, leaving no trace."""

    def answer(self, question: Question, k: int) -> list[Items]:
        """The items of each system, best first, in the stream's codes, at most k."""


class Codes:
    """The items of a stream and its catalogue as codes: the stream's own first."""

    def __init__(self, stream: Stream) -> None:
        self.of = {name: code for code, name in enumerate(stream.names.items)}
        for described in stream.described:
            self.of.setdefault(described.name, len(self.of))
        self.names = tuple(self.of)

    def __len__(self) -> int:
        return len(self.of)


class Pipelines:
    """Pipelines that share one fold.

    makers: by name, what builds a pipeline over a fold. as_served: keep the filters that forbid what the asker is
    looking at or has; otherwise the protocol alone says what is a repeat. own_trail: the asker's newest items are
    those of the question instead of those that were folded, and nothing is taken in.
    """

    def __init__(
        self,
        stream: Stream,
        codes: Codes,
        makers: Mapping[str, Callable[[Fold], Pipeline]],
        settings: Settings,
        *,
        as_served: bool = False,
        own_trail: bool = False,
        seed: int = 0,
    ) -> None:
        pseudonyms = Pseudonyms(bytes(32))
        self.names = tuple(makers)
        self._stream, self._codes, self._own_trail, self._seed = stream, codes, own_trail, seed
        self._shelf = Shelf()
        self.fold = empty_fold(self._shelf, pseudonyms, settings, stream.idle)
        self._recorder = Recorder(stream, pseudonyms)
        self._asking = Asking(self.fold)
        served = [maker(self.fold) for maker in makers.values()]
        self._pipelines = {
            Repeats.ALLOWED: served if as_served else [_open(pipeline) for pipeline in served],
            Repeats.REMOVED: served if as_served else [_unowned(pipeline) for pipeline in served],
        }
        self._described = 0
        self._taken: list[Stored] = []
        self._outward = np.empty(0, dtype=np.int32)

    def learn(self, events: Sequence[int]) -> None:
        for start in range(0, len(events), _BATCH):
            self.fold.apply(self._shelf.put(map(self._recorder.event, events[start : start + _BATCH])))

    def reach(self, at: int) -> None:
        described = self._stream.described
        while self._described < len(described) and described[self._described].at <= at:
            first, self._described = self._described, min(self._described + _BATCH, len(described))
            while described[self._described - 1].at > at:
                self._described -= 1
            told = range(first, self._described)
            self.fold.apply(self._shelf.put(map(self._recorder.description, told)))

    def take_in(self, event: int) -> None:
        if self._own_trail:
            return
        stored = self._shelf.put([self._recorder.event(event)])
        self.fold.apply(stored)
        self._taken += stored

    def give_back(self) -> None:
        self.fold.retract(self._taken)
        self._taken = []

    def answer(self, question: Question, k: int) -> list[Items]:
        context = self._context(question, k)
        seed = (self._seed + question.number * _GOLDEN) & ((1 << 64) - 1)
        answers = []
        for pipeline in self._pipelines[question.repeats]:
            found = pipeline.run(context, seed=seed).items
            answers.append(self._outwards(found))
        return answers

    def _context(self, question: Question, k: int) -> Context:
        names = self._codes.names
        context = self._asking.context(
            self._recorder.subjects[question.subject],
            limit=min(k, _MOST),
            now=Instant(question.at),
            exclude=[names[item] for item in question.barred.tolist()],
        )
        if not self._own_trail:
            return context
        newest = dict.fromkeys(reversed(question.trail.tolist()))
        known = [code for code in (self.fold.items.find(names[item]) for item in newest) if code >= 0]
        trail = np.array(known[:TRAIL], dtype=np.int32)
        return context._replace(trail=trail, personal=len(trail))

    def _outwards(self, items: Items) -> Items:
        """The stream's codes of the fold's."""
        known = len(self._outward)
        ids = self.fold.items.ids
        if len(ids) > known:
            more = [self._codes.of[item] for item in ids[known:]]
            self._outward = np.append(self._outward, np.array(more, dtype=np.int32))
        return self._outward[items]


def _open(pipeline: Pipeline) -> Pipeline:
    """`pipeline` without the filters that forbid what somebody is looking at or has."""
    kept = tuple(one for one in pipeline.filters if not isinstance(one, NotThisPage | NotOwned))
    return replace(pipeline, filters=kept)


def _unowned(pipeline: Pipeline) -> Pipeline:
    kept = tuple(one for one in pipeline.filters if not isinstance(one, NotOwned))
    return replace(pipeline, filters=kept)


class Rival:
    """A baseline. It learns the items of events of the kinds that are asked for. The asker's newest items come
    with the question, over all sessions as a pipeline sees them, so that it has nothing to give back."""

    def __init__(self, name: str, baseline: Baseline, stream: Stream, kinds: NDArray[np.bool_]) -> None:
        self.names: tuple[str, ...] = (name,)
        self._baseline, self._stream, self._kinds = baseline, stream, kinds

    def learn(self, events: Sequence[int]) -> None:
        stream, learn = self._stream, self._baseline.learn
        for event in events:
            if self._kinds[stream.kind[event]]:
                subject, at = int(stream.subject[event]), int(stream.at[event])
                for item in stream.items_of(event).tolist():
                    learn(subject, item, at)

    def reach(self, at: int) -> None:
        del at

    def take_in(self, event: int) -> None:
        del event

    def give_back(self) -> None:
        pass

    def answer(self, question: Question, k: int) -> list[Items]:
        barred = question.barred
        found = self._baseline.answer(question.trail, question.at, k + len(barred), question.subject)
        if len(barred):
            found = found[~np.isin(found, barred)]
        return [found[:k]]


class Paced:
    """A learner that is told of events when its update is due. at: when each event of the stream happened."""

    def __init__(self, learner: Learner, update: Update, at: NDArray[np.int64]) -> None:
        self.learner, self.update = learner, update
        self._at = at
        self._waiting: deque[int] = deque()

    def learn(self, event: int) -> None:
        """`event` has happened."""
        self._waiting.append(event)

    def take_in(self, event: int) -> None:
        """See `Learner.take_in`; everything that waits is learned first."""
        self.catch_up(None)
        self.learner.take_in(event)

    def answer(self, question: Question, k: int) -> list[Items]:
        """See `Learner.answer`."""
        self.catch_up(question.at)
        return self.learner.answer(question, k)

    def catch_up(self, now: int | None) -> None:
        """Learn what is due at `now`, or everything."""
        waiting, width = self._waiting, self.update.width
        if now is not None:
            self.learner.reach(now // width * width - 1 if width else now)
        if not waiting:
            return
        if now is None or not width:
            due = list(waiting)
            waiting.clear()
        else:
            due = []
            while waiting and self._at[waiting[0]] // width < now // width:
                due.append(waiting.popleft())
        if due:
            self.learner.learn(due)
