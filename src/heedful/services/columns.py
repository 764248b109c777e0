"""Rows of a CSV file to Segment calls, through a mapping that names which column is what."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item, Price
from heedful.vocabulary.kinds import PURCHASE
from heedful.vocabulary.money import minor_units
from heedful.vocabulary.time import Instant, instant

FIELDS = (
    "user",
    "anonymous",
    "item",
    "order",
    "quantity",
    "price",
    "time",
    "title",
    "category",
    "event",
    "value",
)
"""What a column can be. `event` holds the event name of each row; `value` a rating."""

_ORDERS = {"Order Completed", PURCHASE}


class Columns(msgspec.Struct, frozen=True):
    """Which column holds which field, and what the rows are.

    names: field (one of FIELDS) to column name. event: the event name of every row, unless a column says it.
    time_format: a strptime format, `epoch` (seconds) or `epoch_ms`; ISO 8601 when empty.
    zone: IANA name of the zone of times without one. currency: ISO 4217.
    skip: by column name, the values whose rows are left out on purpose.
    """

    names: dict[str, str]
    event: str = "Product Viewed"
    time_format: str = ""
    zone: str = "UTC"
    currency: str = "USD"
    delimiter: str = ","
    skip: dict[str, tuple[str, ...]] = {}

    def __post_init__(self) -> None:
        for field in self.names:
            if field not in FIELDS:
                raise ValueError(f"{field!r} is not a field; a column can be one of {', '.join(FIELDS)}")
        if "item" not in self.names or not {"user", "anonymous"} & self.names.keys():
            raise ValueError("map a column to item, and one to user or anonymous")
        if len(self.delimiter) != 1 or self.delimiter in '"\r\n':
            raise ValueError(f"a delimiter is one character, not {self.delimiter!r}")
        if not (len(self.currency) == 3 and self.currency.isascii() and self.currency.isalpha()):
            raise ValueError(f"a currency is three letters (ISO 4217), not {self.currency!r}")


class Table:
    """Reads rows as Segment calls and remembers how each item was described last.

    A row of an order event with a negative quantity is a return: it becomes `Order Refunded` for that line.
    The same item twice in one order is two lines of it.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self._zone = _zone(columns.zone)
        self._repeats: dict[tuple[str, str], int] = {}
        self._described: dict[str, tuple[Instant, Item]] = {}

    def calls(self, lines: Iterable[str]) -> Iterator[tuple[int, bytes | Invalid | None, bytes]]:
        """(line number of the row from 1, the call, the row as it stood). Raises Invalid when a mapped column is
        missing. A row that cannot be read refuses itself: a quote that nobody closes hurts no other row."""
        delimiter = self.columns.delimiter
        file = _Lines(lines)
        head = next(csv.reader(file, delimiter=delimiter), None) or []
        places = {field: _place(head, column) for field, column in self.columns.names.items()}
        skips = [(_place(head, column), frozenset(values)) for column, values in self.columns.skip.items()]
        for number, row, text in _rows(file, delimiter):
            if isinstance(row, Invalid):
                yield number, row, text
                continue
            if not row or any(place < len(row) and row[place] in values for place, values in skips):
                yield number, None, text
                continue
            try:
                if any(row[len(head) :]):
                    raise Invalid("row_too_long", f"the row has {len(row)} cells under {len(head)} columns")
                cells = {field: row[place].strip() for field, place in places.items() if place < len(row)}
                yield number, self._call(cells), text
            except Invalid as error:
                yield number, error, text

    def items(self) -> list[tuple[Item, Instant]]:
        """How each described item stood in its latest row, and when that was."""
        return [(item, at) for at, item in self._described.values()]

    def _call(self, cells: dict[str, str]) -> bytes:
        item = cells.get("item", "")
        if not item:
            raise Invalid("item_missing", "the item column is empty")
        at = self._time(cells.get("time", ""))
        event = cells.get("event") or self.columns.event
        product: dict[str, Any] = {"product_id": item}
        properties: dict[str, Any] = product
        if event in _ORDERS:
            event, properties = self._order(event, cells, product)
        elif cells.get("value"):
            product["rating"] = cells["value"]
        price = self._price(cells.get("price", ""))
        if price is not None:
            product["price"] = price
        properties["currency"] = self.columns.currency
        call: dict[str, Any] = {"type": "track", "event": event, "properties": properties}
        for field, name in (("user", "userId"), ("anonymous", "anonymousId")):
            if cells.get(field):
                call[name] = cells[field]
        if at is not None:
            call["timestamp"] = at.isoformat()
        self._describe(item, cells, price, at)
        try:
            return msgspec.json.encode(call)
        except UnicodeEncodeError as error:
            raise Invalid("encoding_invalid", "the row is not UTF-8 text") from error

    def _order(
        self, event: str, cells: dict[str, str], product: dict[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        """The event name and properties of one line of an order."""
        try:
            quantity = int(cells.get("quantity") or "1")
        except ValueError as error:
            raise Invalid("quantity_invalid", f"not a whole number: {cells['quantity']!r}") from error
        if quantity == 0:
            raise Invalid("quantity_invalid", "the quantity is zero")
        order = cells.get("order", "")
        repeat = self._repeats.get((order, product["product_id"]), 0) + 1
        if order:
            self._repeats[order, product["product_id"]] = repeat
            if repeat > 1:
                product["line"] = str(repeat)
        product["quantity"] = abs(quantity)
        properties: dict[str, Any] = {"products": [product]}
        if order:
            properties["order_id"] = order
        return (event if quantity > 0 else "Order Refunded"), properties

    def _price(self, text: str) -> float | None:
        if not text:
            return None
        try:
            price = float(text)
            units = minor_units(price, self.columns.currency)
        except ValueError as error:
            raise Invalid("price_invalid", f"not a price: {text!r}") from error
        if units < 0:
            raise Invalid("price_invalid", f"the price is negative: {text}")
        return price

    def _describe(self, item: str, cells: dict[str, str], price: float | None, at: datetime | None) -> None:
        if not cells.get("title") and not cells.get("category"):
            return
        when = instant(at) if at is not None else Instant(0)
        known = self._described.get(item)
        if known is not None and known[0] > when:
            return
        self._described[item] = (
            when,
            Item(
                id=ItemId(item),
                title=cells.get("title", ""),
                categories=(cells["category"],) if cells.get("category") else (),
                price=None
                if not price
                else Price(minor_units(price, self.columns.currency), self.columns.currency),
            ),
        )

    def _time(self, text: str) -> datetime | None:
        if not text:
            if "time" in self.columns.names:
                raise Invalid("timestamp_invalid", "the time column is empty")
            return None
        form = self.columns.time_format
        try:
            if form in {"epoch", "epoch_ms"}:
                return datetime.fromtimestamp(float(text) / (1_000 if form == "epoch_ms" else 1), UTC)
            at = datetime.strptime(text, form) if form else datetime.fromisoformat(text)  # noqa: DTZ007
        except (ValueError, OverflowError, OSError) as error:
            raise Invalid("timestamp_invalid", f"not a time: {text!r}") from error
        return at.replace(tzinfo=self._zone) if at.tzinfo is None else at


class _Lines:
    """The lines of a file, which can be given back."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._again: deque[str] = deque()
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.number += 1
        self.taken.append(line)
        return line

    def give_back_all_but_one(self) -> None:
        self._again.extendleft(reversed(self.taken[1:]))
        self.number -= len(self.taken) - 1
        del self.taken[1:]


def _rows(file: _Lines, delimiter: str) -> Iterator[tuple[int, list[str] | Invalid, bytes]]:
    """The rows with the number of their first line. One that takes several lines must be quoted without
    fault; otherwise only its first line is at fault and the others are read again."""
    reader = csv.reader(file, delimiter=delimiter)
    while True:
        file.taken.clear()
        row: list[str] | Invalid
        try:
            row = next(reader)
            if len(file.taken) > 1:
                next(csv.reader(file.taken, delimiter=delimiter, strict=True))
        except StopIteration:
            return
        except csv.Error as error:
            file.give_back_all_but_one()
            row = Invalid("row_unreadable", f"not a row of a table: {error}")
        text = "".join(file.taken).rstrip("\r\n").encode(errors="surrogateescape")
        yield file.number - len(file.taken) + 1, row, text


def _place(head: list[str], column: str) -> int:
    try:
        return head.index(column)
    except ValueError:
        raise Invalid("column_missing", f"no column {column!r}; there are {', '.join(head)}") from None


def _zone(name: str) -> tzinfo:
    if name == "UTC":  # a machine may have no zone database
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Invalid(
            "zone_unknown", f"no time zone {name!r}; use an IANA name such as Europe/London"
        ) from error
