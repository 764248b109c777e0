"""By when a request must be answered, in dates.

GDPR Article 12(3): one month, and two more where the request is complex and the person is told why within the
first. A month ends on the day of the same number, or the last of a shorter month (Regulation 1182/71, article
3); that a holiday would put the end off is not used. CCPA: 11 CCR 7021 (receipt confirmed within 10 business
days, answered within 45 calendar days from receipt, verifying does not stop the clock, 45 more with notice)
and 7026 and 7027 (opt-outs and limits within 15 business days). Business days are those that are no Saturday,
Sunday or federal holiday (5 U.S.C. 6103). All days are UTC. This is no legal advice.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from functools import cache
from typing import NamedTuple

from heedful.vocabulary.rights import Regulation, Verb
from heedful.vocabulary.time import DAY, Instant

CONFIRM_DAYS, OPT_OUT_DAYS = 10, 15
ANSWER_DAYS = 45
KEPT_MONTHS = 24
"""How long the log of requests is kept: 11 CCR 7101."""
NO_ASKING = 12
"""Months after an opt-out in which nobody asks the person to take it back: Cal. Civ. Code 1798.135(c)(4)."""

_ONE_DAY = timedelta(days=1)


class Deadlines(NamedTuple):
    """The last days. confirm: None where receipt need not be confirmed. extended: None where it cannot be put
    off."""

    confirm: date | None
    due: date
    extended: date | None


def deadlines(regulation: Regulation, verb: Verb, received: date) -> Deadlines:
    """The deadlines of a request that was received on a day."""
    if regulation == "gdpr":
        return Deadlines(None, months_after(received, 1), months_after(received, 3))
    if verb in ("opt_out", "limit", "object", "restrict"):
        return Deadlines(None, business_days_after(received, OPT_OUT_DAYS), None)
    due = received + timedelta(days=ANSWER_DAYS)
    return Deadlines(business_days_after(received, CONFIRM_DAYS), due, due + timedelta(days=ANSWER_DAYS))


def months_after(day: date, months: int) -> date:
    """The day of the same number so many months later, or the last one of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def business_days_after(day: date, count: int) -> date:
    """The `count`-th business day after `day`."""
    while count:
        day += _ONE_DAY
        count -= is_business_day(day)
    return day


def is_business_day(day: date) -> bool:
    """Neither weekend nor federal holiday."""
    return day.weekday() < 5 and day not in federal_holidays(day.year)


@cache
def federal_holidays(year: int) -> frozenset[date]:
    """The days of `year` on which federal holidays are observed: a Saturday's the day before, a Sunday's the day
    after, so New Year's Day may be observed on the last day of the year before."""
    fixed = [date(year, 1, 1), date(year + 1, 1, 1), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25)]
    if year >= 2021:
        fixed.append(date(year, 6, 19))
    floating = [_nth(year, 1, 0, 3), _nth(year, 2, 0, 3), _nth(year, 5, 0, -1), _nth(year, 9, 0, 1),
                _nth(year, 10, 0, 2), _nth(year, 11, 3, 4)]  # fmt: skip
    return frozenset(day for day in (*map(_observed, fixed), *floating) if day.year == year)


def end_of(day: date) -> Instant:
    """The first moment after `day`."""
    return Instant(((day - date(1970, 1, 1)).days + 1) * DAY)


def day_of(at: Instant) -> date:
    """The day of a moment."""
    return date(1970, 1, 1) + timedelta(days=at // DAY)


def _nth(year: int, month: int, weekday: int, nth: int) -> date:
    """The nth such weekday (0 is Monday) of a month; -1 for the last."""
    if nth < 0:
        last = date(year, month, monthrange(year, month)[1])
        return last - timedelta(days=(last.weekday() - weekday) % 7)
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _observed(day: date) -> date:
    if day.weekday() == 5:
        return day - _ONE_DAY
    return day + _ONE_DAY if day.weekday() == 6 else day
