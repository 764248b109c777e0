"""Rows of tables to calls: times, orders, returns, prices, and rows that are not what they should be."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.services.columns import Columns, Table
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.time import instant

NAMES = {"user": "who", "item": "what"}


def table(names: dict[str, str] | None = None, **fields: Any) -> Table:
    return Table(Columns(names={**NAMES, **(names or {})}, **fields))


def outcomes(made: Table, *lines: str) -> list[dict[str, Any] | str | None]:
    """What became of each row: the call, the code of the refusal, or None when skipped."""
    found: list[dict[str, Any] | str | None] = []
    for _, call, _ in made.calls(line + "\n" for line in lines):
        if isinstance(call, Invalid):
            found.append(call.code)
        else:
            found.append(None if call is None else msgspec.json.decode(call))
    return found


def one(made: Table, head: str, row: str) -> Any:
    (found,) = outcomes(made, head, row)
    return found


def test_a_row_becomes_a_call() -> None:
    call = one(table(), "who,what", "ada,tent")
    assert call == {
        "type": "track",
        "event": "Product Viewed",
        "userId": "ada",
        "properties": {"product_id": "tent", "currency": "USD"},
    }


def test_the_columns_may_stand_in_any_order_among_others() -> None:
    call = one(table(), "x,what,y,who", "1, tent ,2, ada ")
    assert (call["userId"], call["properties"]["product_id"]) == ("ada", "tent")


def test_the_event_may_stand_in_the_row() -> None:
    made = table({"event": "deed"})
    assert one(made, "who,what,deed", "ada,tent,Product Added")["event"] == "Product Added"
    assert one(made, "who,what,deed", "ada,tent,")["event"] == "Product Viewed"


@pytest.mark.parametrize(
    ("form", "zone", "text", "expected"),
    [
        ("", "UTC", "2011-12-09T12:50:00", datetime(2011, 12, 9, 12, 50, tzinfo=UTC)),
        ("", "UTC", "2011-12-09T12:50:00+02:00", datetime(2011, 12, 9, 10, 50, tzinfo=UTC)),
        ("", "Europe/London", "2011-07-09 12:50", datetime(2011, 7, 9, 11, 50, tzinfo=UTC)),
        ("", "Europe/London", "2011-12-09 12:50", datetime(2011, 12, 9, 12, 50, tzinfo=UTC)),
        ("", "Europe/London", "2011-07-09T12:50Z", datetime(2011, 7, 9, 12, 50, tzinfo=UTC)),
        ("%d/%m/%Y %H:%M", "Asia/Tokyo", "09/07/2011 12:50", datetime(2011, 7, 9, 3, 50, tzinfo=UTC)),
        ("%d/%m/%Y %H:%M %z", "Asia/Tokyo", "09/07/2011 12:50 +0000", datetime(2011, 7, 9, 12, 50, tzinfo=UTC)),
        ("epoch", "Asia/Tokyo", "1310212200", datetime(2011, 7, 9, 11, 50, tzinfo=UTC)),
        ("epoch_ms", "UTC", "1310212200500", datetime(2011, 7, 9, 11, 50, 0, 500_000, tzinfo=UTC)),
        ("", "UTC", "2011-07-09", datetime(2011, 7, 9, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_times_are_read_in_their_zone(form: str, zone: str, text: str, expected: datetime) -> None:
    call = one(table({"time": "at"}, time_format=form, zone=zone), "who,what,at", f"ada,tent,{text}")
    assert instant(datetime.fromisoformat(call["timestamp"])) == instant(expected)


@pytest.mark.parametrize("text", ["", "soon", "99/99/2011", "2011-13-01", "1e400", "nan", "-1e18"])
@pytest.mark.parametrize("form", ["", "epoch", "%Y-%m-%d"])
def test_what_is_no_time_refuses_the_row(form: str, text: str) -> None:
    made = table({"time": "at"}, time_format=form)
    assert one(made, "who,what,at", f"ada,tent,{text}") == "timestamp_invalid"


def order_table(**fields: Any) -> Table:
    return table({"order": "invoice", "quantity": "n", "price": "p"}, event="Order Completed", **fields)


HEAD = "who,what,invoice,n,p"


def test_a_negative_quantity_is_a_return() -> None:
    bought, returned = outcomes(order_table(), HEAD, "ada,tent,i1,3,2.50", "ada,tent,i2,-2,2.50")
    assert isinstance(bought, dict)
    assert isinstance(returned, dict)
    assert (bought["event"], returned["event"]) == ("Order Completed", "Order Refunded")
    (line,) = returned["properties"]["products"]
    assert line == {"product_id": "tent", "quantity": 2, "price": 2.5}
    assert returned["properties"]["order_id"] == "i2"


def test_the_same_item_twice_in_an_order_is_two_lines_of_it() -> None:
    found = outcomes(
        order_table(), HEAD, "ada,tent,i1,1,2", "ada,tent,i1,1,2", "ada,lamp,i1,1,2", "ada,tent,i2,1,2"
    )
    lines = [call["properties"]["products"][0].get("line") for call in found if isinstance(call, dict)]
    assert lines == [None, "2", None, None]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("ada,tent,i1,0,2", "quantity_invalid"),
        ("ada,tent,i1,two,2", "quantity_invalid"),
        ("ada,tent,i1,1.5,2", "quantity_invalid"),
        ("ada,tent,i1," + "9" * 5_000 + ",2", "quantity_invalid"),
        ("ada,tent,i1,1,free", "price_invalid"),
        ("ada,tent,i1,1,-2", "price_invalid"),
        ("ada,tent,i1,1,nan", "price_invalid"),
        ("ada,tent,i1,1,inf", "price_invalid"),
        ("ada,,i1,1,2", "item_missing"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_reason(row: str, code: str) -> None:
    assert one(order_table(), HEAD, row) == code


def test_a_row_with_more_cells_than_the_head_says_is_refused() -> None:
    found = outcomes(table(), "who,what", "ada,tent,with a comma", "ada,tent,", "ada,lamp")
    assert found[0] == "row_too_long"
    assert [call["properties"]["product_id"] for call in found[1:] if isinstance(call, dict)] == [
        "tent",
        "lamp",
    ]


def test_empty_rows_are_skipped() -> None:
    assert [type(found) for found in outcomes(table(), "who,what", "", "ada,tent", "")] == [
        type(None), dict, type(None),
    ]  # fmt: skip


def test_rows_may_be_left_out_on_purpose() -> None:
    made = table(skip={"what": ("POST", "M")})
    found = outcomes(made, "who,what", "ada,POST", "ada,tent", "ada,M", "ada,m")
    assert [call if call is None else call["properties"]["product_id"] for call in found] == [  # type: ignore[index]
        None, "tent", None, "m",
    ]  # fmt: skip


def test_a_quoted_cell_may_span_lines() -> None:
    made = table({"title": "t"})
    found = outcomes(made, "who,what,t", 'ada,tent,"two', 'lines, ""quoted"""', "bo,lamp,x")
    assert [call["userId"] for call in found if isinstance(call, dict)] == ["ada", "bo"]
    assert made.items()[0][0].title == 'two\nlines, "quoted"'


@pytest.mark.parametrize("bad", ['ada,"tent,x', '"ada,tent,x', 'ada,tent,"x', "x" * 200_000 + ",tent,x"])
@pytest.mark.parametrize("after", [2, 60])
def test_a_quote_that_nobody_closes_hurts_its_own_row_only(bad: str, after: int) -> None:
    good = [f"p{number},lamp,y" for number in range(after)]
    found = outcomes(table({"title": "t"}), "who,what,t", "bo,map,y", bad, *good)
    assert [call["userId"] for call in found if isinstance(call, dict)][-after - 1 :] == [
        "bo", *(f"p{number}" for number in range(after)),
    ]  # fmt: skip


def test_numbers_are_those_of_the_lines_of_the_file() -> None:
    made = table({"title": "t"})
    lines = ["who,what,t\n", "ada,tent,x\n", 'ada,tent,"a\n', 'b"\n', "ada,,x\n"]
    assert [number for number, _, _ in made.calls(lines)] == [2, 3, 5]


def test_items_are_described_by_their_latest_row() -> None:
    made = table({"time": "at", "title": "t", "category": "c", "price": "p"})
    outcomes(
        made,
        "who,what,at,t,c,p",
        "ada,tent,2011-01-02,newer,sleep,3.00",
        "ada,tent,2011-01-01,older,cook,4.00",
        "ada,lamp,2011-01-01,,,",
    )
    ((item, at),) = made.items()
    assert (item.title, item.categories) == ("newer", ("sleep",))
    assert item.price is not None
    assert (item.price.minor, item.price.currency) == (300, "USD")
    assert at == instant(datetime(2011, 1, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    "columns",
    [
        {"names": {"item": "what"}},
        {"names": {"user": "who"}},
        {"names": {**NAMES, "colour": "c"}},
        {"names": NAMES, "delimiter": ""},
        {"names": NAMES, "delimiter": ";;"},
        {"names": NAMES, "delimiter": "\n"},
        {"names": NAMES, "currency": "dollars"},
    ],
)
def test_a_mapping_that_cannot_work_is_refused(columns: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".{10}"):
        Columns(**columns)


def test_a_zone_that_does_not_exist_is_said() -> None:
    with pytest.raises(Invalid) as refused:
        table(zone="Europe/Atlantis")
    assert refused.value.code == "zone_unknown"


@pytest.mark.parametrize("lines", [[], ["who;what\n", "ada;tent\n"], ["\n"]])
def test_a_column_that_is_not_there_is_said(lines: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        list(table().calls(lines))
    assert refused.value.code == "column_missing"


@settings(max_examples=100, deadline=None)
@given(
    st.datetimes(datetime(1972, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001 (naive on purpose)
    st.sampled_from(("UTC", "Europe/London", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")),
)
def test_a_time_without_a_zone_is_the_wall_clock_of_its_zone(wall: datetime, zone: str) -> None:
    call = one(table({"time": "at"}, zone=zone), "who,what,at", f"ada,tent,{wall.isoformat()}")
    read = instant(datetime.fromisoformat(call["timestamp"]))
    assert read == instant(wall.replace(tzinfo=ZoneInfo(zone)))


CELL = st.text(st.sampled_from('abc,;"\n\r\t 0é\x00'), max_size=6) | st.text(max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(CELL, max_size=4).map(",".join), max_size=12))
def test_any_text_gives_each_row_one_outcome(rows: list[str]) -> None:
    lines: Iterable[str] = "".join(f"{row}\n" for row in ["who,what,t", *rows]).splitlines(keepends=True)
    numbers = []
    for number, call, text in table({"title": "t"}).calls(lines):
        numbers.append(number)
        assert call is None or isinstance(call, Invalid | bytes)
        assert isinstance(text, bytes)
    assert numbers == sorted(set(numbers))
