"""What must hold for an item, as a small typed tree of JSON: for `filter` and for rules. Data, never code.

    {"all": [...]}   {"any": [...]}   {"not": ...}
    {"field": "price", "op": "lt", "value": 2500}

`all` of nothing holds and `any` of nothing does not. A field that the item does not have makes a condition
fail, except `ne` and `not_in`, which are the opposites of `eq` and `in`, and `exists`. An item that was never
described has no field but `id`. A field is missing when it is empty text, an empty list or null.

Fields: `id`, `title` (text), `category` (a list of text), `price` (minor units), `available` (true or false),
`published` (RFC 3339 time) and `properties.<name>` (any JSON). A field that holds a list meets a condition
when one of its members does. `contains` finds a member of a list, or a part of a text (case counts). Values
of different types never compare: 1 is not true, "1" is not 1.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias, cast, get_args

import msgspec

from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.item import Item
from heedful.vocabulary.time import instant

MOST_NODES = 100
MOST_DEPTH = 8
MOST_VALUES = 1_000
MOST_CHARACTERS = 1_000

Op = Literal["eq", "ne", "in", "not_in", "lt", "le", "gt", "ge", "exists", "contains"]
Scalar: TypeAlias = str | int | float | bool


class All(msgspec.Struct, frozen=True):
    """Every one of `conditions` holds."""

    conditions: tuple[Condition, ...]


class Some(msgspec.Struct, frozen=True):
    """At least one of `conditions` holds."""

    conditions: tuple[Condition, ...]


class Not(msgspec.Struct, frozen=True):
    """`condition` does not hold."""

    condition: Condition


class Where(msgspec.Struct, frozen=True):
    """A field compared with a value.

    value: a tuple for `in` and `not_in`, a bool for `exists`, one scalar otherwise; a time is an Instant.
    """

    field: str
    op: Op
    value: Scalar | tuple[Scalar, ...]


Condition: TypeAlias = All | Some | Not | Where
Test: TypeAlias = Callable[[Item | None, str], bool]
"""Whether a condition holds for an item (None when it was never described) and its id."""

_EQUAL = ("eq", "ne", "in", "not_in", "exists")
_ORDERED = (*_EQUAL, "lt", "le", "gt", "ge")
_OPS: Mapping[str, Sequence[str]] = {
    "id": _EQUAL,
    "title": (*_EQUAL, "contains"),
    "category": (*_EQUAL, "contains"),
    "price": _ORDERED,
    "available": ("eq", "ne", "exists"),
    "published": _ORDERED,
    "properties": get_args(Op),
}
_PREFIX = "properties."


def parse(tree: object) -> Condition:
    """Read a tree of plain JSON values (dict, list, str, int, float, bool).

    Raises Invalid (`filter_invalid`; `path` says where) unless it has the shape above, at most 100 nodes,
    8 levels, 1,000 values in a list and 1,000 characters in a text.
    """
    return _parse(tree, "filter", 1, [0])


def _parse(tree: object, path: str, depth: int, nodes: list[int]) -> Condition:
    nodes[0] += 1
    if nodes[0] > MOST_NODES:
        raise _invalid(path, f"a filter has at most {MOST_NODES} conditions")
    if depth > MOST_DEPTH:
        raise _invalid(path, f"a filter is at most {MOST_DEPTH} levels deep")
    if not isinstance(tree, dict):
        raise _invalid(path, 'a condition is an object with "all", "any", "not" or "field"')
    names = set(tree)
    if names in ({"all"}, {"any"}):
        (word,) = names
        parts = tree[word]
        if not isinstance(parts, (list, tuple)):
            raise _invalid(f"{path}.{word}", "must be a list of conditions")
        conditions = tuple(
            _parse(part, f"{path}.{word}[{i}]", depth + 1, nodes) for i, part in enumerate(parts)
        )
        return All(conditions) if word == "all" else Some(conditions)
    if names == {"not"}:
        return Not(_parse(tree["not"], f"{path}.not", depth + 1, nodes))
    if "field" in names and names <= {"field", "op", "value"}:
        return _parse_where(tree, path)
    raise _invalid(path, 'a condition has exactly "all", "any" or "not", or "field" with "op" and "value"')


def _parse_where(tree: dict[str, object], path: str) -> Where:
    field, op = tree["field"], tree.get("op")
    known = isinstance(field, str) and (
        (field in _OPS and field != "properties")
        or (field.startswith(_PREFIX) and len(_PREFIX) < len(field) <= 200)
    )
    if not known:
        fields = ", ".join(name for name in _OPS if name != "properties")
        raise _invalid(f"{path}.field", f"must be one of {fields} or properties.<name>")
    field = cast(str, field)
    kind = "properties" if field.startswith(_PREFIX) else field
    if not isinstance(op, str) or op not in _OPS[kind]:
        raise _invalid(f"{path}.op", f"for {kind} must be one of {', '.join(_OPS[kind])}")
    value = _parse_value(kind, op, tree.get("value", True if op == "exists" else None), f"{path}.value")
    return Where(field, cast(Op, op), value)


def _parse_value(kind: str, op: str, value: object, path: str) -> Scalar | tuple[Scalar, ...]:
    if op == "exists":
        if not isinstance(value, bool):
            raise _invalid(path, "must be true or false, or be left out")
        return value
    if op in ("in", "not_in"):
        if not isinstance(value, (list, tuple)) or len(value) > MOST_VALUES:
            raise _invalid(path, f"must be a list of at most {MOST_VALUES} values")
        return tuple(_parse_scalar(kind, one, f"{path}[{i}]") for i, one in enumerate(value))
    scalar = _parse_scalar(kind, value, path)
    if op in ("lt", "le", "gt", "ge") and isinstance(scalar, bool):
        raise _invalid(path, "must be a number or a text, to be compared by size")
    return scalar


def _parse_scalar(kind: str, value: object, path: str) -> Scalar:
    if isinstance(value, str) and len(value) > MOST_CHARACTERS:
        raise _invalid(path, f"must have at most {MOST_CHARACTERS} characters")
    if kind == "price" and (isinstance(value, bool) or not isinstance(value, int)):
        raise _invalid(path, "must be a whole number of minor units: 1999 for 19.99")
    if kind == "available" and not isinstance(value, bool):
        raise _invalid(path, "must be true or false")
    if kind in ("id", "title", "category") and not isinstance(value, str):
        raise _invalid(path, "must be a text")
    if kind == "published":
        return _parse_time(value, path)
    if not isinstance(value, (str, int, float)) or (isinstance(value, float) and not math.isfinite(value)):
        raise _invalid(path, "must be a text, a number, true or false")
    return value


def _parse_time(value: object, path: str) -> int:
    try:
        return instant(msgspec.convert(value, datetime))
    except (msgspec.ValidationError, OverflowError):
        raise _invalid(path, "must be a time such as 2026-11-23T11:33:51Z") from None


def _invalid(path: str, message: str) -> Invalid:
    return Invalid("filter_invalid", f"{path}: {message}", path=path)


def compiled_condition(condition: Condition) -> Test:
    """A function that says whether `condition` holds. It reads nothing but the item and never fails."""
    if isinstance(condition, Where):
        return _where(condition)
    if isinstance(condition, Not):
        inner = compiled_condition(condition.condition)
        return lambda item, name: not inner(item, name)
    tests = tuple(compiled_condition(part) for part in condition.conditions)
    if isinstance(condition, All):
        return lambda item, name: all(test(item, name) for test in tests)
    return lambda item, name: any(test(item, name) for test in tests)


def _where(where: Where) -> Test:
    if where.field == "category" and where.op in ("eq", "in", "contains"):  # the commonest, and quick
        value = where.value
        wanted = frozenset(cast(tuple[str, ...], value if isinstance(value, tuple) else (value,)))
        return lambda item, _: item is not None and not wanted.isdisjoint(item.categories)
    read, matches = _reader(where.field), _matcher(where.op, where.value)
    return lambda item, name: matches(read(item, name))


def _reader(field: str) -> Callable[[Item | None, str], Any]:
    """What a field holds: a scalar, a list, or None where it is missing."""
    if field.startswith(_PREFIX):
        name = field.removeprefix(_PREFIX)
        return lambda item, _: item.properties.get(name) if item is not None else None
    return _READERS[field]


_READERS: Mapping[str, Callable[[Item | None, str], Any]] = {
    "id": lambda _, name: name,
    "title": lambda item, _: item.title if item is not None else None,
    "category": lambda item, _: item.categories if item is not None else None,
    "price": lambda item, _: item.price.minor if item is not None and item.price is not None else None,
    "available": lambda item, _: item.available if item is not None else None,
    "published": lambda item, _: (
        instant(item.published) if item is not None and item.published is not None else None
    ),
}


def _matcher(op: Op, value: Any) -> Callable[[Any], bool]:
    if op == "exists":
        return lambda held: (not _missing(held)) is value
    if op in ("ne", "not_in"):
        opposite = _matcher("eq" if op == "ne" else "in", value)
        return lambda held: not opposite(held)
    if op == "contains":
        member, text = _key(value), isinstance(value, str)

        def contains(held: Any) -> bool:
            if isinstance(held, (list, tuple)):
                return any(_key(one) == member for one in held)
            return text and isinstance(held, str) and bool(held) and value in held

        return contains
    if op in ("eq", "in"):
        keys = frozenset(map(_key, value if op == "in" else (value,)))
        return _any_member(lambda one: _key(one) in keys)
    compare = _COMPARE[op]
    if isinstance(value, str):
        return _any_member(lambda one: isinstance(one, str) and compare(one, value))
    return _any_member(
        lambda one: isinstance(one, (int, float)) and not isinstance(one, bool) and compare(one, value)
    )


def _any_member(matches: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """`matches` for what a field holds: for a list, whether it is true of one member; never when missing."""

    def any_member(held: Any) -> bool:
        if isinstance(held, (list, tuple)):
            return any(matches(one) for one in held)
        return held is not None and held != "" and matches(held)

    return any_member


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


def _missing(held: Any) -> bool:
    return held is None or held == "" or held in ((), [])


def _key(value: Any) -> tuple[str, Any]:
    """What equality of JSON goes by: true is not 1, and 1 is 1.0. Objects and lists equal nothing."""
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, (int, float)):
        return "number", value
    if isinstance(value, str):
        return "text", value
    return "other", None
