"""Measure success: one figure for a selection of answers, with its interval, or why there is none.

People are the unit everywhere. A figure over fewer people than the smallest group, or than its definition asks
for, is not given. People who are held out are counted only where they are what is compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import msgspec

from heedful.models.measures.catalogue import definitions
from heedful.models.measures.intervals import LEVEL, Estimate, apart, mean, quantile, ratio, share
from heedful.privacy.groups import apart as apart_enough
from heedful.privacy.groups import shown
from heedful.services.selection import Selection, Sight
from heedful.views.fold import Fold
from heedful.views.outcomes import (
    ANSWERS,
    CLICKS,
    IMPRESSIONS,
    REVENUE,
    VISITOR_ORDERS,
    VISITOR_REVENUE,
)
from heedful.vocabulary.errors import Invalid, NotFound
from heedful.vocabulary.metric import MetricAnswer, MetricDefinition, MetricQuestion, Waits
from heedful.vocabulary.time import DAY, Clock, Instant, instant, iso

SEGMENTS = ("new", "returning")
MOST_DAYS = 365


class Measured:
    """What a method finds: the estimate, over how many people and events, and figures beside it."""

    def __init__(
        self,
        estimate: Estimate | float,
        people: int,
        events: int,
        *,
        currency: str | None = None,
        more: dict[str, float] | None = None,
    ) -> None:
        self.value = estimate if isinstance(estimate, float) else estimate.value
        self.bounds = None if isinstance(estimate, float) else (estimate.low, estimate.high)
        self.people, self.events, self.currency, self.more = people, events, currency, more or {}


class Missing(Exception):
    """There is no figure. people: how many there were."""

    def __init__(self, why: str, people: int = 0, events: int = 0) -> None:
        super().__init__(why)
        self.people, self.events = people, events


class Measure:
    """The service. smallest: no figure is shown over fewer people."""

    def __init__(self, *, fold: Fold, clock: Clock, smallest: int = 20) -> None:
        self._fold = fold
        self._clock = clock
        self._smallest = smallest
        self._methods: dict[str, Callable[[Selection, MetricQuestion, int], Measured]] = {
            "ctr": _ctr,
            "ctr_per_person": _ctr_per_person,
            "conversion": _conversion,
            "revenue_per_visitor": lambda one, asked, fewest: _revenue(one, asked, fewest, VISITOR_REVENUE),
            "attributed_revenue": lambda one, asked, fewest: _revenue(one, asked, fewest, REVENUE),
            "return_rate": self._return_rate,
            **{name: self._seen(name) for name in Sight.METRICS},
            **{
                f"incremental_{name}": self._incremental(name)
                for name in ("ctr", "conversion", "revenue_per_visitor")
            },
        }

    def definitions(self) -> list[MetricDefinition]:
        """Every metric."""
        return list(definitions().values())

    def measure(self, name: str, asked: MetricQuestion, waits: Waits | None = None) -> MetricAnswer:
        """The metric `name`. waits: what the face measured of its requests.

        Raises NotFound for a name that is none, Invalid for a question that cannot be answered.
        """
        definition = definitions().get(name)
        if definition is None:
            raise NotFound(f"there is no metric {name[:100]!r}; GET /v1/metrics lists them")
        days = _check(asked)
        fewest = max(definition.minimum, self._smallest)
        newest = None
        try:
            if name == "latency":
                found = _latency(waits, definition.minimum)
            else:
                selection = Selection(self._fold, asked, days, holdout=False)
                self._not_by_subtraction(selection, asked)
                newest = selection.newest
                found = self._methods[name](selection, asked, fewest)
        except Missing as missing:
            counts = missing.people, missing.events
            people, events = counts if shown(missing.people, self._smallest) else (0, 0)
            return self._answer(definition, None, people, events, str(missing), newest)
        return self._answer(definition, found, found.people, found.events, "", newest)

    def _answer(
        self,
        definition: MetricDefinition,
        found: Measured | None,
        people: int,
        events: int,
        why: str,
        newest: Instant | None,
    ) -> MetricAnswer:
        return MetricAnswer(
            name=definition.name,
            value=None if found is None else found.value,
            low=None if found is None or found.bounds is None else found.bounds[0],
            high=None if found is None or found.bounds is None else found.bounds[1],
            level=LEVEL,
            people=people,
            events=events,
            unit=definition.unit,
            why=why,
            position=self._fold.cursor.encode(),
            newest=None if newest is None else iso(newest),
            definition=definition,
            currency=None if found is None else found.currency,
            more={} if found is None else found.more,
        )

    def _not_by_subtraction(self, selection: Selection, asked: MetricQuestion) -> None:
        """Raise Missing for a segment whose counterpart is few people: the figure for all less this one would be
        theirs."""
        if asked.segment is None:
            return
        other = SEGMENTS[1 - SEGMENTS.index(asked.segment)]
        rest = Selection(
            self._fold, msgspec.structs.replace(asked, segment=other), selection.days, holdout=False
        )
        people = len(selection.people)
        if not apart_enough(people + len(rest.people), people, self._smallest):
            raise Missing(f"not shown: fewer than {self._smallest} people are {other}")

    def _return_rate(self, selection: Selection, asked: MetricQuestion, fewest: int) -> Measured:
        today = self._clock.now() // DAY
        people, first = selection.first_days()
        mature = first + asked.day < today
        people, first = people[mature], first[mature]
        _enough(len(people), fewest)
        back = selection.active_on(people, first + asked.day)
        return Measured(share(int(back.sum()), len(people)), len(people), len(people))

    def _seen(self, name: str) -> Callable[[Selection, MetricQuestion, int], Measured]:
        def measured(selection: Selection, asked: MetricQuestion, fewest: int) -> Measured:
            del asked
            sight = Sight(self._fold, selection)
            _enough(sight.people(name), fewest)
            found = sight.measure(name)
            if found is None:
                raise Missing("not enough data: nothing in the selection says it")
            _enough(found.people, fewest)
            return Measured(found.estimate, found.people, found.events)

        return measured

    def _incremental(self, name: str) -> Callable[[Selection, MetricQuestion, int], Measured]:
        def measured(selection: Selection, asked: MetricQuestion, fewest: int) -> Measured:
            held = Selection(self._fold, asked, selection.days, holdout=True)
            if asked.currency is None:
                money = selection.currency(VISITOR_REVENUE) or held.currency(VISITOR_REVENUE)
                asked = MetricQuestion(currency=money)
            method = self._methods[name]
            ours, theirs = method(selection, asked, fewest), method(held, asked, fewest)
            return Measured(
                apart(_estimate(ours), _estimate(theirs)),
                ours.people + theirs.people,
                ours.events + theirs.events,
                currency=ours.currency,
                more={"holdout": theirs.value, "holdoutPeople": float(theirs.people), "rest": ours.value},
            )

        return measured


def _estimate(found: Measured) -> Estimate:
    low, high = found.bounds or (found.value, found.value)
    return Estimate(found.value, low, high)


def _enough(people: int, fewest: int) -> None:
    if people < fewest:
        raise Missing(f"not enough data: fewer than {fewest} people", people)


def _ctr(selection: Selection, asked: MetricQuestion, fewest: int) -> Measured:
    del asked
    seen, clicks = selection.sums(IMPRESSIONS), selection.sums(CLICKS)
    people = int((seen > 0).sum())
    _enough(people, fewest)
    there = seen > 0
    return Measured(ratio(clicks[there], seen[there]), people, int(seen.sum()))


def _ctr_per_person(selection: Selection, asked: MetricQuestion, fewest: int) -> Measured:
    del asked
    seen, clicks = selection.sums(IMPRESSIONS), selection.sums(CLICKS)
    there = seen > 0
    _enough(int(there.sum()), fewest)
    return Measured(mean(clicks[there] / seen[there]), int(there.sum()), int(seen.sum()))


def _conversion(selection: Selection, asked: MetricQuestion, fewest: int) -> Measured:
    del asked
    people = len(selection.people)
    _enough(people, fewest)
    bought = int((selection.sums(VISITOR_ORDERS) > 0).sum())
    return Measured(share(bought, people), people, int(selection.sums(ANSWERS).sum()))


def _revenue(selection: Selection, asked: MetricQuestion, fewest: int, measure: int) -> Measured:
    people = len(selection.people)
    _enough(people, fewest)
    currency = asked.currency or selection.currency(measure)
    paid = selection.sums(measure, currency)
    return Measured(mean(paid), people, int(selection.sums(ANSWERS).sum()), currency=currency)


def _latency(waits: Waits | None, fewest: int) -> Measured:
    if waits is None:
        raise Missing("not enough data: only the server knows how long its requests took")
    requests = sum(waits.counts)
    if requests < fewest:
        raise Missing(f"not enough data: fewer than {fewest} requests", 0, requests)
    more = {f"p{q}": quantile(waits.bounds, waits.counts, q / 100).value for q in (95, 99)}
    return Measured(quantile(waits.bounds, waits.counts, 0.5), 0, requests, more=more)


def _check(asked: MetricQuestion) -> tuple[int, int]:
    """The days from and before which answers count. Raises Invalid."""
    if asked.segment is not None and asked.segment not in SEGMENTS:
        raise Invalid("segment_unknown", f"a segment is one of {', '.join(SEGMENTS)}", path="segment")
    if not 1 <= asked.day <= MOST_DAYS:
        raise Invalid("day_invalid", f"day must be 1 to {MOST_DAYS}, not {asked.day}", path="day")
    start = -(1 << 30) if asked.from_ is None else _day(asked.from_, "from", up=False)
    end = 1 << 30 if asked.to is None else _day(asked.to, "to", up=True)
    return start, end


def _day(text: str, path: str, *, up: bool) -> int:
    """The day (UTC, since 1970) of a date, or of a time, which reaches into the next one where `up`."""
    try:
        if len(text) == len("2026-11-23"):
            return (date.fromisoformat(text) - date(1970, 1, 1)) // timedelta(days=1)
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        return -(-instant(at) // DAY) if up else instant(at) // DAY
    except (ValueError, OverflowError) as error:
        raise Invalid("time_invalid", "a day is 2026-11-23, a time as in RFC 3339", path=path) from error
