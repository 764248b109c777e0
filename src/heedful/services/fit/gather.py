"""Examples for a ranker: a replay in which every next interaction is a positive among its candidates.

The questions are put to the pipeline that serves, at their own moment, over a fold that has learned what came
before and nothing else, and the features are those that it fills. So a model meets in service what it learned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from heedful.models.examples import Examples
from heedful.pipeline.candidates import KEPT
from heedful.pipeline.features import Features
from heedful.pipeline.pipeline import Pipeline
from heedful.pipeline.ranker import Blend, Learned
from heedful.services.asking import Asking
from heedful.services.evaluate.recording import Recorder, Shelf, empty_fold
from heedful.services.evaluate.streams import Stream
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import Instant

Progress = Callable[[int, int], None]

_BATCH = 5_000
_LIMIT = 20
_EVER = 2**63 - 1


class GatherSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much is looked at.

    events: the newest so many are replayed. questions: the newest so many of their interactions are asked for.
    rows: about so many candidates of a question that is learned from: every positive, however many there are, the
    best by the blend, and a draw of the rest. judged: the newest share of the questions, which only judge.
    seed: of the draw.
    exposures: answers that were shown are learned from too once so many are settled; 0 never.
    exposure_weight: what each counts for beside a question of the replay, above 0 to 1.
    """

    events: int = 2_000_000
    questions: int = 30_000
    rows: int = 80
    judged: float = 0.15
    seed: int = 7
    exposures: int = 500
    exposure_weight: float = 1.0


class Judged(NamedTuple):
    """A question that only judges: its asker, its moment, all its candidates, and what came of each.

    table: float32 (n, f). gains: float64 (n,), all 0 where what came next was no candidate. blend: float64 (n,),
    the score without a fitted ranker. keys: uint64 (n,), which break ties. subject: a number.
    """

    subject: int
    table: NDArray[np.float32]
    gains: NDArray[np.float64]
    blend: NDArray[np.float64]
    keys: NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Gathered:
    """examples: to learn from. judged: newer ones, to judge by. asked: questions asked. missed: of those to learn
    from, how many had what came next not among their candidates. until: the moment of the first question that
    only judges; nothing from then on is learned. blend: scores a table without a model."""

    examples: Examples
    judged: list[Judged]
    asked: int
    missed: int
    until: int
    blend: Callable[[NDArray[np.float32]], NDArray[np.float64]]


class Gatherer:
    """Walks one stream."""

    def __init__(
        self,
        stream: Stream,
        pipeline_of: Callable[[Fold], Pipeline],
        settings: Settings,
        objective: Mapping[str, float],
        how: GatherSettings,
    ) -> None:
        """objective: what an interaction of each kind is worth, above 0; other kinds are only learned."""
        self._stream, self._how = stream.newest(how.events), how
        self._shelf = Shelf()
        pseudonyms = Pseudonyms(bytes(32))
        self._fold = empty_fold(self._shelf, pseudonyms, settings, stream.idle)
        self._recorder = Recorder(self._stream, pseudonyms)
        self._asking = Asking(self._fold)
        self._pipeline = pipeline_of(self._fold)
        self._features = Features(self._fold, self._pipeline.names)
        ranker = self._pipeline.ranker
        self._blend = ranker.blend if isinstance(ranker, Learned) else Blend(self._pipeline.names, {})
        self._worth = np.array([objective.get(kind, 0.0) for kind in self._stream.names.kinds])
        self._random = np.random.default_rng(how.seed)
        self._described = 0

    def gather(self, progress: Progress | None = None) -> Gathered:
        """Replay and ask. Raises Invalid (`nothing_to_ask`) where there is nothing to learn from."""
        stream = self._stream
        asked = np.flatnonzero((self._worth[stream.kind] > 0) & (np.diff(stream.start) > 0))
        asked = asked[-self._how.questions :]
        if not len(asked):
            raise Invalid(
                "nothing_to_ask", f"{stream.source} has no interaction that a ranker could learn from"
            )
        first_judged = len(asked) - int(len(asked) * self._how.judged)
        learned = 0
        tables, gains, sizes, times = [], [], [], []
        judged: list[Judged] = []
        missed = 0
        for number, event in enumerate(asked.tolist()):
            learned = self._learn(learned, event)
            question = self._ask(event)
            if progress is not None and number % 100 == 0:
                progress(number, len(asked))
            if question is None:
                continue
            if number >= first_judged:
                judged.append(question)
            elif question.gains.any():
                rows = self._chosen(question)
                tables.append(question.table[rows])
                gains.append(question.gains[rows])
                sizes.append(len(rows))
                times.append(int(stream.at[event]))
            else:
                missed += 1
        if not tables:
            raise Invalid(
                "nothing_to_ask", "what people did next was never among the candidates: there is too little"
            )
        examples = Examples(
            self._features.names, np.concatenate(tables), np.concatenate(gains),
            np.array(sizes, dtype=np.int64), np.array(times, dtype=np.int64),
        )  # fmt: skip
        until = int(stream.at[asked[first_judged]]) if first_judged < len(asked) else _EVER
        return Gathered(examples, judged, len(asked), missed, until, self._blend.of)

    def _learn(self, done: int, until: int) -> int:
        """Fold everything from `done` up to and without `until`; returns `until`."""
        described, stream = self._stream.described, self._stream
        now = int(stream.at[until])
        told = []
        while self._described < len(described) and described[self._described].at <= now:
            told.append(self._recorder.description(self._described))
            self._described += 1
        records = [*told, *map(self._recorder.event, range(done, until))]
        for start in range(0, len(records), _BATCH):
            self._fold.apply(self._shelf.put(records[start : start + _BATCH]))
        return until

    def _ask(self, event: int) -> Judged | None:
        """The question before `event`; None when nothing is known to go by, or nothing can be answered."""
        stream, fold = self._stream, self._fold
        subject = int(stream.subject[event])
        context = self._asking.context(
            self._recorder.subjects[subject], limit=_LIMIT, now=Instant(int(stream.at[event]))
        )
        targets = {fold.items.find(stream.names.items[item]) for item in stream.items_of(event).tolist()}
        if len(context.trail) and targets <= {int(context.trail[0])}:
            return None  # the same again is no answer
        self._pipeline.run(context, seed=0)
        candidates = self._pipeline.candidates
        kept = candidates.reasons == KEPT
        if not kept.any():
            return None
        items = candidates.items[kept]
        blend = candidates.totals[kept].copy()
        table = self._features.fill(context, candidates)[kept]
        worth = float(self._worth[stream.kind[event]])
        gains = np.where(np.isin(items, [*targets]), worth, 0.0)
        return Judged(subject, table, gains, blend, fold.items.keys[items])

    def _chosen(self, question: Judged) -> NDArray[np.int64]:
        """The rows that are learned from, in their order."""
        most = self._how.rows
        if len(question.gains) <= most:
            return np.arange(len(question.gains))
        order = np.lexsort((question.keys, -question.blend, question.gains <= 0))
        first = max(most * 3 // 4, int(np.count_nonzero(question.gains > 0)))
        best, rest = order[:first], order[first:]
        drawn = self._random.choice(rest, max(0, most - first), replace=False)
        return np.sort(np.concatenate((best, drawn)))
