"""Single values of an event, read strictly: ids, counts and money, each as senders really write them.

Every function takes the value as JSON gave it and the path it stood at, and raises Invalid with both.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.money import LIMIT, exponent, minor_units

MAX_ID = 200
"""Characters of a person's, an item's or an order's id."""

MAX_QUANTITY = 1_000_000

_EXACT_INTEGERS = 2**53
_PLAIN_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{0,18})?", re.ASCII)
_HUNDREDTHS = "USD"  # any currency with two digits after the point: ratings are kept in hundredths


def text_id(value: Any, path: str, limit: int = MAX_ID) -> str:
    """An id as a string of at most `limit` characters; "" when absent, null or empty. Numbers become text."""
    if type(value) is not str:
        if value is None:
            return ""
        if type(value) not in (int, float):
            raise Invalid("type_invalid", "an id must be a string", path=path)
        whole = abs(value) < _EXACT_INTEGERS and value == int(value)
        value = str(int(value)) if whole else str(value)
    if len(value) > limit:
        raise Invalid("id_too_long", f"an id has at most {limit} characters", path=path)
    return str(value)


def text(value: Any, path: str, limit: int = MAX_ID) -> str:
    """A string of at most `limit` characters; "" when absent or null."""
    if value is None:
        return ""
    if type(value) is not str:
        raise Invalid("type_invalid", "must be a string", path=path)
    if len(value) > limit:
        raise Invalid("text_too_long", f"must have at most {limit} characters", path=path)
    return value


def currency(value: Any, path: str) -> str:
    """An ISO 4217 code in capitals; "" when absent or empty."""
    if value is None or value == "":
        return ""
    if type(value) is str and len(value) == 3 and value.isascii() and value.isalpha():
        return value.upper()
    raise Invalid("currency_invalid", "a currency is three letters (ISO 4217)", path=path)


def quantity(value: Any, path: str) -> int:
    """A whole number from 1 to `MAX_QUANTITY`; 1 when absent or empty."""
    if value is None or value == "":
        return 1
    try:
        number = float(value) if type(value) in (int, float) or _is_plain(value) else 0.0
    except OverflowError:  # an integer beyond a double
        number = 0.0
    if not (1 <= number <= MAX_QUANTITY and number == int(number)):
        raise Invalid("quantity_invalid", f"a quantity is a whole number from 1 to {MAX_QUANTITY}", path=path)
    return int(number)


def money(value: Any, code: str, path: str, *, times: int = 1) -> int | None:
    """`value` x `times` in minor units of currency `code`, half to even; None when absent or empty."""
    if value is None or value == "":
        return None
    units = _whole_units(value, 10 ** exponent(code))
    try:
        if units is None and _is_number(value):
            exact = Decimal(repr(value) if type(value) is float else value)
            return minor_units(exact * times, code)
    except ValueError:  # too much of it
        units = None
    if units is None or abs(units * times) > LIMIT:
        raise Invalid("amount_invalid", "an amount is a plain decimal number of a sensible size", path=path)
    return units * times


def _whole_units(value: Any, scale: int) -> int | None:
    """`value` x `scale` where that is exactly whole, None where slower arithmetic has to tell.

    Where whole units divide back to the same double and have at most 15 digits, they are the double's
    shortest decimal text, which is what `minor_units` reads.
    """
    if type(value) is int:
        return value * scale
    if type(value) is float and -1e12 < value < 1e12:
        units = round(value * scale)
        if units / scale == value:
            return units
    return None


def rating(value: Any, path: str) -> int | None:
    """A rating in hundredths, half to even; None when absent or empty."""
    try:
        return money(value, _HUNDREDTHS, path)
    except Invalid as error:
        raise Invalid("rating_invalid", "a rating is a plain decimal number", path=path) from error


def _is_number(value: Any) -> bool:
    """Whether `value` is a number or a plain decimal text, small enough to be worth exact arithmetic."""
    if type(value) in (int, float):
        return bool(-LIMIT <= value <= LIMIT)
    return _is_plain(value)


def _is_plain(value: Any) -> bool:
    return type(value) is str and _PLAIN_NUMBER.fullmatch(value) is not None
