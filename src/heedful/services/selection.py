"""The answers that a question for a metric is about: whose they are, what came of them, how they look."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.models.measures.intervals import Estimate, median, ratio
from heedful.models.measures.slates import discounts, exposure_gini, miscalibration, varied
from heedful.pipeline.pipeline import WITH_TASTE
from heedful.views.catalogue import UNKNOWN, UNPUBLISHED
from heedful.views.fold import Fold
from heedful.views.outcomes import ANSWERS
from heedful.views.postings import ALIVE
from heedful.vocabulary.consent import ANALYTICS
from heedful.vocabulary.kinds import BUILT_IN, DECISION, IMPRESSION, PAGE, SCREEN
from heedful.vocabulary.metric import MetricQuestion
from heedful.vocabulary.time import DAY, MINUTE, SECOND, Instant

_NEWEST = 20_000
_CALIBRATED = 1_000
_DWELLING = 5_000
_RETURNING = 100_000
_LONGEST = 30 * MINUTE
_NOT_DONE = [BUILT_IN.index(kind) for kind in (DECISION, IMPRESSION)]
_PAGES = [BUILT_IN.index(kind) for kind in (PAGE, SCREEN)]

Ints = NDArray[np.int64]


class Selection:
    """Answers by group and day.

    people: int32 (n,), the dense subjects that were given one, ascending. newest: when the last was given.
    """

    def __init__(self, fold: Fold, asked: MetricQuestion, days: tuple[int, int], *, holdout: bool) -> None:
        self._fold = fold
        self.days = days
        outcomes = fold.outcomes
        tallies = outcomes.tallies()
        wanted = [
            group.holdout == holdout
            and asked.placement in (None, group.placement)
            and asked.policy in (None, group.policy, group.model, *group.model.split(WITH_TASTE))
            for group in outcomes.groups
        ]
        self.groups = np.array(wanted, dtype=np.bool_)
        kept = (tallies.day >= days[0]) & (tallies.day < days[1])
        if len(self.groups):
            kept &= self.groups[tallies.group]
        self._rows = tallies.only(kept)
        self.people = np.unique(self._rows.subject[self._rows.measure == ANSWERS])
        if asked.segment is not None:
            self._keep(asked.segment == "new")
        self.newest = self._newest()

    def sums(self, measure: int, currency: str | None = None) -> Ints:
        """Per person the sum of a measure, int64 (n,); of money in one currency."""
        rows = self._rows
        there = rows.measure == measure
        if currency is not None:
            codes = self._fold.outcomes.currencies
            there &= rows.currency == (codes.index(currency) if currency in codes else -2)
        sums = np.zeros(len(self.people), dtype=np.int64)
        np.add.at(sums, np.searchsorted(self.people, rows.subject[there]), rows.value[there])
        return sums

    def currency(self, measure: int) -> str | None:
        """The currency that most rows of `measure` are in, the first by name among equals."""
        used = self._rows.currency[self._rows.measure == measure]
        if not len(used):
            return None
        codes, counts = np.unique(used, return_counts=True)
        names = [self._fold.outcomes.currencies[code] for code in codes]
        pairs: list[tuple[int, str]] = list(zip((-counts).tolist(), names, strict=True))
        return min(pairs)[1]

    def first_days(self) -> tuple[NDArray[np.int32], Ints]:
        """People, at most 100,000 of them, and the day of the first answer of each."""
        rows = self._rows
        there = rows.measure == ANSWERS
        first = np.full(len(self.people), 1 << 40, dtype=np.int64)
        np.minimum.at(first, np.searchsorted(self.people, rows.subject[there]), rows.day[there])
        some = self._some(_RETURNING)
        return self.people[some], first[some]

    def active_on(self, people: NDArray[np.int32], days: Ints) -> NDArray[np.bool_]:
        """Whether each of `people` did anything on the day beside it."""
        rows, whose = self._rows_of(people)
        history = self._fold.history.arrays
        done = ~np.isin(history.kind[rows], _NOT_DONE) & (history.purposes[rows] & ANALYTICS != 0)
        on = done & (history.at[rows] // DAY == days[whose])
        active = np.zeros(len(people), dtype=np.bool_)
        active[whose[on]] = True
        return active

    def dwells(self) -> tuple[Ints, NDArray[np.int64]]:
        """Microseconds from pages to the next thing their person did, and whose each is."""
        rows, whose = self._rows_of(self.people[self._some(_DWELLING)])
        history = self._fold.history.arrays
        done = ~np.isin(history.kind[rows], _NOT_DONE) & (history.purposes[rows] & ANALYTICS != 0)
        rows, whose = rows[done], whose[done]
        at, page = history.at[rows], np.isin(history.kind[rows], _PAGES)
        gap = at[1:] - at[:-1]
        day = at[:-1] // DAY
        counts = page[:-1] & (whose[1:] == whose[:-1]) & (gap <= _LONGEST) & (gap > 0)
        counts &= (day >= self.days[0]) & (day < self.days[1])
        return gap[counts], whose[:-1][counts]

    def _rows_of(self, people: NDArray[np.int32]) -> tuple[Ints, Ints]:
        """Places in the history of all rows of `people`, and whose each is by place in `people`."""
        history = self._fold.history.arrays
        held = history.held[people].astype(np.int64)
        ends = np.cumsum(held)
        within = np.arange(int(held.sum())) - np.repeat(ends - held, held)
        rows = np.repeat(history.offset[people].astype(np.int64), held) + within
        return rows, np.repeat(np.arange(len(people)), held)

    def _some(self, most: int) -> Ints:
        """At most so many people, by their keys: the same ones whatever came first."""
        if len(self.people) <= most:
            return np.arange(len(self.people))
        return np.sort(np.argsort(self._fold.subjects.keys[self.people], kind="stable")[:most])

    def _keep(self, new: bool) -> None:
        """Keep people whose history begins at most a day before the day of their first answer, or the others."""
        rows = self._rows
        there = rows.measure == ANSWERS
        first = np.full(len(self.people), 1 << 40, dtype=np.int64)
        np.minimum.at(first, np.searchsorted(self.people, rows.subject[there]), rows.day[there])
        history, (places, whose) = self._fold.history.arrays, self._rows_of(self.people)
        counted = history.purposes[places] & ANALYTICS != 0
        began = np.full(len(self.people), 1 << 40, dtype=np.int64)
        np.minimum.at(began, whose[counted], history.at[places[counted]] // DAY)
        self.people = self.people[(began >= first - 1) == new]
        kept = np.isin(rows.subject, self.people)
        self._rows = rows.only(kept)

    def _newest(self) -> Instant | None:
        answers = self._fold.outcomes.answers()
        at = answers.at[self.of(answers.group, answers.at, answers.subject)]
        return Instant(int(at.max())) if len(at) else None

    def of(self, group: NDArray[np.int32], at: Ints, subject: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which of these answers are in the selection."""
        if not len(self.groups):
            return np.zeros(len(group), dtype=np.bool_)
        day = at // DAY
        inside: NDArray[np.bool_] = self.groups[group] & (day >= self.days[0]) & (day < self.days[1])
        return inside & np.isin(subject, self.people)


class Seen(NamedTuple):
    """A figure of `Sight`: with an interval, or without."""

    estimate: Estimate | float
    people: int
    events: int


class Sight:
    """What the newest answers of a selection look like."""

    METRICS = ("dwell", "coverage", "gini", "novelty", "diversity", "calibration", "freshness")

    def __init__(self, fold: Fold, selection: Selection) -> None:
        self._fold = fold
        self._selection = selection
        answers = fold.outcomes.answers()
        inside = np.flatnonzero(selection.of(answers.group, answers.at, answers.subject))
        newest = np.lexsort((fold.subjects.keys[answers.subject[inside]], answers.at[inside]))[-_NEWEST:]
        chosen = inside[newest]
        ends = answers.ends[chosen]
        counts = ends - np.where(chosen > 0, answers.ends[chosen - 1], 0)
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        self._items = answers.items[np.repeat(ends - counts, counts) + within]
        self._answer = np.repeat(np.arange(len(chosen)), counts)
        self._subject = answers.subject[chosen]
        self._at = answers.at[chosen]
        self._servable = fold.catalogue.servable[: len(fold.items)]

    def people(self, name: str) -> int:
        """Of how many people the figure would speak."""
        return len(self._selection.people) if name == "dwell" else len(np.unique(self._subject))

    def measure(self, name: str) -> Seen | None:
        """The metric, None where nothing can be said."""
        found: Seen | None = getattr(self, "_" + name)()
        return found

    def _dwell(self) -> Seen | None:
        gaps, whose = self._selection.dwells()
        if not len(gaps):
            return None
        return Seen(median(gaps / SECOND, whose), len(np.unique(whose)), len(gaps))

    def _coverage(self) -> Seen | None:
        servable = int(self._servable.sum())
        if not len(self._items) or not servable:
            return None
        shown = np.unique(self._items)
        return self._whole(float(self._servable[shown].sum()) / servable)

    def _gini(self) -> Seen | None:
        if not len(self._items) or not self._servable.any():
            return None
        return self._whole(exposure_gini(self._items, self._answer, self._servable))

    def _novelty(self) -> Seen | None:
        if not len(self._items):
            return None
        index = self._fold.sessions.index
        visits = np.zeros(len(self._items), dtype=np.int64)
        known = self._items < len(index.held)
        visits[known] = index.held[self._items[known]]
        bits = -np.log2((visits + 1) / (int(index.meta[ALIVE]) + 1))
        return self._by_person(bits, np.ones(len(bits)), self._subject[self._answer])

    def _diversity(self) -> Seen | None:
        categories = self._fold.catalogue.category[self._items]
        shares, has = varied(categories, self._answer, len(self._subject))
        return self._by_person(shares[has], np.ones(int(has.sum())), self._subject[has])

    def _calibration(self) -> Seen | None:
        category, history = self._fold.catalogue.category, self._fold.history
        joins = self._fold.meanings.joins
        weights, kinds = discounts(self._answer), category[self._items]
        off, whose = [], []
        for answer in range(max(0, len(self._subject) - _CALIBRATED), len(self._subject)):
            start, stop = np.searchsorted(self._answer, (answer, answer + 1))
            past = history.rows(int(self._subject[answer]), ANALYTICS)
            own = category[past.item[(past.item >= 0) & joins[past.kind]]]
            shown, own = kinds[start:stop], own[own != UNKNOWN]
            known = shown != UNKNOWN
            if len(own) and known.any():
                off.append(miscalibration(own, shown[known], weights[start:stop][known]))
                whose.append(int(self._subject[answer]))
        return self._by_person(np.array(off), np.ones(len(off)), np.array(whose, dtype=np.int64))

    def _freshness(self) -> Seen | None:
        published = self._fold.catalogue.published[self._items]
        said = published != UNPUBLISHED
        if not said.any():
            return None
        whose = self._subject[self._answer[said]]
        ages = (self._at[self._answer[said]] - published[said]) / DAY
        return Seen(median(ages, whose), len(np.unique(whose)), len(ages))

    def _whole(self, value: float) -> Seen:
        return Seen(value, len(np.unique(self._subject)), len(self._subject))

    def _by_person(
        self, values: NDArray[np.float64], ones: NDArray[np.float64], person: NDArray[Any]
    ) -> Seen | None:
        """The mean of `values`, clustered by person."""
        if not len(values):
            return None
        people, place = np.unique(person, return_inverse=True)
        return Seen(ratio(np.bincount(place, values), np.bincount(place, ones)), len(people), len(values))
