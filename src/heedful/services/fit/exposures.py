"""Examples for a ranker from what was shown: answers of the sampled share, and what came of each of their items.

People click what they see first, and see what some ranker chose. So each click counts 1 / (the chance that the
item was shown, in a place where it was looked at): the answers say how likely they were to show what they showed,
and how much a place is looked at is estimated from them (`models.positions`), for each placement by itself. What
came of an item is what `views.outcomes` credits to it, by the same join.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.log.codec import decode
from heedful.log.cursor import Cursor
from heedful.log.log import LogReader
from heedful.models.examples import Examples
from heedful.models.positions import Examination, Impressions, from_rates, from_swaps
from heedful.views.fold import Fold
from heedful.views.variant_facts import is_about_variants
from heedful.vocabulary.decision import NO_OTHER, Decision, decode_decision, decode_everything
from heedful.vocabulary.event import Stored
from heedful.vocabulary.ids import NOBODY, EventId, ItemId, SubjectId
from heedful.vocabulary.kinds import BUILT_IN, CLICK, DECISION, IMPRESSION, VIEW
from heedful.vocabulary.time import MINUTE

MOST = 10.0
"""No click counts for more, however unlikely it was that its item was looked at."""

MOST_ANSWERS = 30_000
"""The newest so many are taken."""

SWAPPED = 50
"""From so many clicks on items that changed places on, swaps say where people look; before, click rates do."""

JUDGED = 100
"""Fewer held-out answers with anything done judge nothing."""

_BATCH = 5_000
_OURS = "heedful:"
_SEEN = 1 << BUILT_IN.index(IMPRESSION)
_CLICKS = 1 << BUILT_IN.index(CLICK) | 1 << BUILT_IN.index(VIEW)


class Exposure(NamedTuple):
    """One answer: whose, when, where, and the s items of it that were seen, as columns.

    table: float32 (s, f). gains: float64 (s,), what came of each. clicked: bool (s,). place: int64 (s,), from 0.
    shown: float64 (s,), in (0, 1], the probability that the item is shown at all. other: int64 (s,), the one other
    place where it might have stood, or -1; chance: float64 (s,), in (0, 1], of its own place rather than that.
    keys: uint64 (s,), which break ties.
    """

    subject: SubjectId
    at: int
    placement: str
    table: NDArray[np.float32]
    gains: NDArray[np.float64]
    clicked: NDArray[np.bool_]
    place: NDArray[np.int64]
    shown: NDArray[np.float64]
    other: NDArray[np.int64]
    chance: NDArray[np.float64]
    keys: NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Exposures:
    """settled: in order of time. left_out: answers with everything that were not taken, by reason:
    `features` (not those of this ranker), `nobody`, `unsettled`, `unseen`, `not held` (too old, or taken back)."""

    features: tuple[str, ...]
    settled: list[Exposure]
    left_out: Mapping[str, int] = field(default_factory=dict)


class Parts(NamedTuple):
    """learned: from before the questions that only judge. judged: newer ones, in each of which something was done;
    none where there are fewer than JUDGED. examined: by placement, from both. left_out: as in `Exposures`."""

    learned: list[Exposure]
    judged: list[Exposure]
    examined: Mapping[str, Examination]
    left_out: Mapping[str, int]

    def counted(self) -> dict[str, str | int | float | bool | None]:
        """What a model's facts say of them."""
        counted: dict[str, str | int | float | bool | None] = {
            "exposures": len(self.learned), "exposures_judged": len(self.judged),
            "exposures_left_out": sum(self.left_out.values()),
        }  # fmt: skip
        if self.examined:
            counted["examination"] = "; ".join(sorted({one.assumption for one in self.examined.values()}))
        return counted


def parted(found: Exposures | None, until: int, least: int) -> Parts:
    """What is learned from, and what judges; nothing of either below `least` settled answers, or without a log.

    until: answers from this moment on are not learned from, so that the questions that judge stay unseen. What was
    done after it in answer to an earlier one is, but for that, the same visit.
    """
    if found is None or not least or len(found.settled) < least:
        return Parts([], [], {}, {} if found is None else found.left_out)
    newer = [one for one in found.settled if one.at >= until and (one.gains > 0).any()]
    return Parts(
        [one for one in found.settled if one.at < until],
        newer if len(newer) >= JUDGED else [],
        examinations(found.settled),
        found.left_out,
    )


def gather(
    log: LogReader,
    fold_of: Callable[[], Fold],
    features: tuple[str, ...],
    objective: Mapping[str, float],
    *,
    placement: str | None = None,
    least: int = 1,
) -> Exposures:
    """The settled answers of a log that keep everything, with these `features`.

    An answer is settled when its window has passed at the log's newest record, or a click came. Only what was
    seen is taken, as `views.attribution` says: what impressions report, or else, where the placement says that
    answers count as shown, every item. A gain is the sum of what the kinds that came are worth in
    `objective`; a click and a view are one. placement: of this placement only. fold_of: a fold of the same log;
    it is not asked for where fewer than `least` answers could be taken. Raises Corrupt.
    """
    left_out: dict[str, int] = {}
    found: deque[_Answer] = deque(maxlen=MOST_ANSWERS)
    now = 0
    for stored, decision in kept(log):
        now = max(now, stored.record.received)
        if decision is None or placement not in {None, decision.placement}:
            continue
        if stored.record.subject == NOBODY:
            _count(left_out, "nobody")
            continue
        answer = _answer(stored, decision, features)
        if answer is None:
            _count(left_out, "features")
        else:
            found.append(answer)
    if len(found) < max(least, 1):
        return Exposures(features, [], left_out)
    fold = fold_of()
    settled: list[Exposure] = []
    ids: set[str] = set()
    for answer, bits in zip(found, fold.credited([one.id for one in found]), strict=True):
        standing = None if bits is None or answer.id in ids else fold.find(answer.id)
        if bits is None or standing is None or standing.position != answer.position:
            _count(left_out, "not held")
            continue
        ids.add(answer.id)
        if not (bits & _CLICKS).any() and now - answer.at <= answer.window:
            _count(left_out, "unsettled")
        elif not (bits & _SEEN).any():
            _count(left_out, "unseen")
        else:
            settled.append(_exposure(answer, bits, objective, fold))
    settled.sort(key=lambda one: (one.at, one.subject))
    return Exposures(features, settled, left_out)


def examinations(settled: Sequence[Exposure]) -> dict[str, Examination]:
    """How likely each place is to be looked at, for each placement: from swaps where at least SWAPPED clicks fell
    on items that had changed places, and otherwise from click rates, with what that assumes."""
    found: dict[str, Examination] = {}
    for placement in sorted({one.placement for one in settled}):
        own = [one for one in settled if one.placement == placement]
        shown = Impressions(
            np.concatenate([one.place for one in own]),
            np.concatenate([one.clicked for one in own]),
            np.concatenate([one.chance for one in own]),
            np.concatenate([one.other for one in own]),
        )
        places = int(shown.position.max()) + 1
        moved = shown.clicked & (shown.other >= 0) & (shown.chance <= 0.5)
        estimate = from_swaps if np.count_nonzero(moved) >= SWAPPED else from_rates
        found[placement] = estimate(shown, places)
    return found


def looked_at(one: Exposure, examination: Examination) -> NDArray[np.float64]:
    """The chance that each item of an answer was shown and looked at, over all that chance decided: float64 (s,).

    An item that stood in one of two places was looked at with the mean of both, as likely as it was to stand in
    each: weights that are true to the policy (Oosterhuis and de Rijke, "Policy-aware unbiased learning to rank for
    top-k rankings", SIGIR 2020).
    """
    here = examination.of(one.place)
    there = np.where(one.other >= 0, examination.of(np.maximum(one.other, 0)), here)
    chances: NDArray[np.float64] = one.shown * (one.chance * here + (1.0 - one.chance) * there)
    return chances


def examples_of(
    features: tuple[str, ...],
    settled: Sequence[Exposure],
    examined: Mapping[str, Examination],
    *,
    weight: float = 1.0,
) -> Examples:
    """The answers as examples, corrected for places and for other chance. Each counts `weight` times."""
    rows = [one.table for one in settled]
    return Examples(
        features=features,
        table=np.concatenate([np.zeros((0, len(features)), dtype=np.float32), *rows]),
        gains=np.concatenate([np.zeros(0), *(one.gains for one in settled)]),
        sizes=np.array([len(one.gains) for one in settled], dtype=np.int64),
        times=np.array([one.at for one in settled], dtype=np.int64),
        weights=np.full(len(settled), weight),
        examined=np.concatenate([np.zeros(0), *(looked_at(one, examined[one.placement]) for one in settled)]),
    ).unbiased(MOST)


def kept(log: LogReader) -> Iterator[tuple[Stored, Decision | None]]:
    """Every record; with its decision where it is an answer of items that keeps everything. Raises Corrupt."""
    cursor = Cursor()
    while batch := log.read(cursor, limit=_BATCH):
        for stored in batch:
            cursor = cursor.advanced(stored.position)
            decision = None
            if stored.record.id.startswith(_OURS):
                event = decode(stored.record.body)
                if event.kind == DECISION and not is_about_variants(event):
                    decision = decode_decision(event.properties)
            yield stored, decision if decision is not None and decision.full else None


class _Answer(NamedTuple):
    """An answer before its outcomes are known, with the columns of `Exposure` over all n items that it showed.

    window: microseconds."""

    id: EventId
    position: int
    subject: SubjectId
    at: int
    window: int
    placement: str
    items: Sequence[ItemId]
    table: NDArray[np.float32]
    shown: NDArray[np.float64]
    other: NDArray[np.int64]
    chance: NDArray[np.float64]


def _answer(stored: Stored, decision: Decision, features: tuple[str, ...]) -> _Answer | None:
    """What is needed of a decision that keeps everything; None where its features are others."""
    everything = decode_everything(decision.full)
    if tuple(everything.names) != features:
        return None
    rows = {item: row for row, item in enumerate(everything.items)}
    mine = np.array([rows[item] for item in decision.items], dtype=np.int64)
    table = np.frombuffer(everything.features, dtype="<f4").reshape(len(rows), len(features))
    shown = np.frombuffer(everything.propensities, dtype="<f4").astype(np.float64)[mine]
    other, chance = np.full(len(mine), -1, dtype=np.int64), np.ones(len(mine))
    if everything.others:
        other = np.frombuffer(everything.others, dtype=np.uint8).astype(np.int64)
        other[other == NO_OTHER] = -1
        chance = np.frombuffer(everything.chances, dtype="<f4").astype(np.float64)
    record = stored.record
    return _Answer(
        record.id, stored.position, record.subject, record.at, decision.window * MINUTE, decision.placement,
        decision.items, table[mine].astype(np.float32), shown, other, chance,
    )  # fmt: skip


def _exposure(
    answer: _Answer, bits: NDArray[np.int64], objective: Mapping[str, float], fold: Fold
) -> Exposure:
    """The items of an answer that were seen."""
    place = np.flatnonzero(bits & _SEEN)
    codes = [fold.items.find(answer.items[one]) for one in place.tolist()]
    return Exposure(
        subject=answer.subject,
        at=answer.at,
        placement=answer.placement,
        table=answer.table[place],
        gains=_gains(bits[place], objective),
        clicked=(bits[place] & _CLICKS) != 0,
        place=place.astype(np.int64),
        shown=answer.shown[place],
        other=answer.other[place],
        chance=answer.chance[place],
        keys=fold.items.keys[codes],
    )


def _gains(bits: NDArray[np.int64], objective: Mapping[str, float]) -> NDArray[np.float64]:
    click = max(objective.get(CLICK, 0.0), objective.get(VIEW, 0.0), 0.0)
    gains = click * ((bits & _CLICKS) != 0)
    for kind, worth in objective.items():
        if kind in BUILT_IN and kind not in {CLICK, VIEW, IMPRESSION} and worth > 0:
            gains = gains + worth * ((bits & 1 << BUILT_IN.index(kind)) != 0)
    return np.asarray(gains, dtype=np.float64)


def _count(counts: dict[str, int], reason: str) -> None:
    counts[reason] = counts.get(reason, 0) + 1
