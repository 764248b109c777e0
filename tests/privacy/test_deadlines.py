"""By when requests are answered: dates checked against the calendar by hand, and a slow twin for business days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.privacy.deadlines import (
    business_days_after,
    day_of,
    deadlines,
    end_of,
    federal_holidays,
    is_business_day,
    months_after,
)
from heedful.vocabulary.rights import VERBS

OPM = {
    2026: "01-01 01-19 02-16 05-25 06-19 07-03 09-07 10-12 11-11 11-26 12-25",
    2027: "01-01 01-18 02-15 05-31 06-18 07-05 09-06 10-11 11-11 11-25 12-24 12-31",
    2028: "01-17 02-21 05-29 06-19 07-04 09-04 10-09 11-10 11-23 12-25",
    2025: "01-01 01-20 02-17 05-26 06-19 07-04 09-01 10-13 11-11 11-27 12-25",
}
"""Federal holidays as observed, from the lists of the U.S. Office of Personnel Management; New Year's Day 2028, a
Saturday, is observed on 2027-12-31."""


@pytest.mark.parametrize("year", OPM)
def test_the_holidays_are_those_that_were_announced(year: int) -> None:
    assert {f"{day:%m-%d}" for day in federal_holidays(year)} == set(OPM[year].split())


@pytest.mark.parametrize(
    ("start", "months", "expected"),
    [
        ("2026-01-31", 1, "2026-02-28"), ("2028-01-31", 1, "2028-02-29"), ("2026-03-31", 1, "2026-04-30"),
        ("2026-11-23", 1, "2026-12-23"), ("2026-12-15", 1, "2027-01-15"), ("2026-11-30", 3, "2027-02-28"),
        ("2026-02-28", 1, "2026-03-28"), ("2026-10-31", 24, "2028-10-31"),
    ],
)  # fmt: skip
def test_a_month_ends_on_the_same_number_or_the_last(start: str, months: int, expected: str) -> None:
    assert months_after(date.fromisoformat(start), months) == date.fromisoformat(expected)


@pytest.mark.parametrize(
    ("start", "days", "expected"),
    [
        ("2026-11-23", 10, "2026-12-08"),  # Thanksgiving between
        ("2026-12-18", 10, "2027-01-05"),  # Christmas and New Year
        ("2026-11-20", 15, "2026-12-14"),
        ("2026-11-21", 1, "2026-11-23"),  # received on a Saturday
        ("2027-12-30", 1, "2028-01-03"),  # New Year's Day observed the day before
    ],
)
def test_business_days_leave_out_weekends_and_holidays(start: str, days: int, expected: str) -> None:
    assert business_days_after(date.fromisoformat(start), days) == date.fromisoformat(expected)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 40))
def test_as_many_business_days_lie_between_as_were_counted(day: date, count: int) -> None:
    end = business_days_after(day, count)
    between = [day + timedelta(days=n) for n in range(1, (end - day).days + 1)]
    assert sum(map(is_business_day, between)) == count
    assert not between or is_business_day(between[-1])


@given(
    st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.sampled_from(["gdpr", "ccpa"]), st.sampled_from(VERBS)
)
def test_no_request_waits_longer_than_the_law_lets_it(day: date, regulation: str, verb: str) -> None:
    last = deadlines(regulation, verb, day)  # type: ignore[arg-type]  # drawn from the words
    assert day < last.due <= day + timedelta(days=31 if regulation == "gdpr" else 45)
    assert last.extended is None or last.due < last.extended <= day + timedelta(
        days=92 if regulation == "gdpr" else 90
    )
    assert last.confirm is None or day < last.confirm <= last.due


def test_a_day_ends_where_the_next_begins() -> None:
    assert day_of(end_of(date(2026, 11, 23))) == date(2026, 11, 24)
