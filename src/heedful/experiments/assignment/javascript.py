"""What JavaScript makes of values of JSON: text, number, order. Targeting must mean the same in a browser.

A value is None, bool, int, float, str, list or dict. Names are those of ECMA-262.
"""

from __future__ import annotations

import math
import re
from typing import Any

from heedful.experiments.assignment.hashing import number_text

_DECIMAL = re.compile(r"[+-]?(?:Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_BASED = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")
_BLANK = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)


def to_text(value: Any) -> str:
    """`value + ""`."""
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, list):
        return ",".join("" if one is None else to_text(one) for one in value)
    return "[object Object]"


def to_number(value: Any) -> float:
    """`value * 1`; NaN where there is no number in it."""
    if value is None:
        return 0.0
    if isinstance(value, (int, float)):
        return _float(value)
    text = to_text(value).strip(_BLANK)
    if not text:
        return 0.0
    if _DECIMAL.fullmatch(text):
        return float(text)
    if _BASED.fullmatch(text):
        return _float(int(text, 0))
    return math.nan


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def is_truthy(value: Any) -> bool:
    """`!!value`: empty lists and objects are true."""
    if isinstance(value, float) and math.isnan(value):
        return False
    return isinstance(value, (list, dict)) or bool(value)


def is_same(a: Any, b: Any) -> bool:
    """`a === b` for two values that were read apart: lists and objects equal nothing."""
    if isinstance(a, (list, dict)) or isinstance(b, (list, dict)):
        return False
    return key(a) == key(b)


def key(value: Any) -> tuple[str, Any]:
    """What `is_same` goes by, for a set of values; for lists and objects one that equals no other's."""
    if value is None:
        return "null", None
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, (int, float)):
        return "number", _float(value)
    if isinstance(value, str):
        return "string", value
    return "object", id(value)


def order(text: str) -> bytes:
    """What two texts are ordered by: their UTF-16 code units."""
    return text.encode("utf-16-be", "surrogatepass")


def compared(a: Any, b: Any) -> int | None:
    """-1, 0 or 1 for `a < b`, neither, `a > b`; None where one of them is no number and one no text."""
    a, b = _primitive(a), _primitive(b)
    if isinstance(a, str) and isinstance(b, str):
        left, right = order(a), order(b)
        return (left > right) - (left < right)
    x, y = to_number(a), to_number(b)
    return None if math.isnan(x) or math.isnan(y) else (x > y) - (x < y)


def _primitive(value: Any) -> Any:
    return to_text(value) if isinstance(value, (list, dict)) else value


def is_equal_json(a: Any, b: Any) -> bool:
    """`JSON.stringify(a) === JSON.stringify(b)`: the order of names counts."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(is_equal_json, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        names = _names(a)
        return names == _names(b) and all(is_equal_json(a[name], b[name]) for name in names)
    return is_same(a, b)


def _names(value: dict[str, Any]) -> list[str]:
    """In the order that JavaScript keeps: whole numbers first and by size, then as they were set."""
    whole = [name for name in value if _is_index(name)]
    return sorted(whole, key=int) + [name for name in value if not _is_index(name)]


def _is_index(name: str) -> bool:
    is_whole = len(name) <= 10 and name.isascii() and name.isdigit()
    return is_whole and (name == "0" or name[0] != "0") and int(name) < 2**32 - 1


def type_of(value: Any) -> str:
    """null, boolean, number, string, array or object."""
    if isinstance(value, list):
        return "array"
    return key(value)[0]
