"""What must hold, as a small typed tree of JSON: for `filter`, for rules, for targeting. Data, never code.

    {"all": [...]}   {"any": [...]}   {"not": ...}
    {"field": "price", "op": "lt", "value": 2500}

`all` of nothing holds and `any` of nothing does not. A field that the item does not have makes a condition
fail, except `ne` and `not_in`, which are the opposites of `eq` and `in`, and `exists`. An item that was never
described has no field but `id`. A field is missing when it is empty text, an empty list or null.

Fields of an item: `id`, `title` (text), `category` (a list of text), `price` (minor units), `available` (true
or false), `published` (RFC 3339 time), `properties.<name>` (any JSON), and for rules `age_days` (since it was
published). Fields of a question, for the `when` of a rule: `placement` (text), `hour` (UTC, 0 to 23), `weekday`
(1 is Monday), `page.id` and `page.category` (of the item on the page), `known` (whether the person has done
anything) and `context.<name>` (what the request says). Fields of a person, for flags and experiments: `segment`
(a list of text) and `attributes.<name>`.

A field that holds a list meets a condition when one of its members does. `contains` finds a member of a list,
or a part of a text (case counts). Values of different types never compare: 1 is not true, "1" is not 1.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias, TypeVar, cast, get_args

import msgspec

from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.time import instant

MOST_NODES = 100
MOST_DEPTH = 8
MOST_VALUES = 1_000
MOST_CHARACTERS = 1_000

Op = Literal["eq", "ne", "in", "not_in", "lt", "le", "gt", "ge", "exists", "contains"]
Scalar: TypeAlias = str | int | float | bool
T = TypeVar("T")


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

_EQUAL = ("eq", "ne", "in", "not_in", "exists")
_ORDERED = (*_EQUAL, "lt", "le", "gt", "ge")
_ANY = get_args(Op)


class Fields(msgspec.Struct, frozen=True):
    """What a condition may speak of. ops: by field. prefix: begins the names that are open. code: on refusal."""

    ops: Mapping[str, Sequence[str]]
    prefix: str
    code: str


ITEM = Fields(
    {
        "id": _EQUAL,
        "title": (*_EQUAL, "contains"),
        "category": (*_EQUAL, "contains"),
        "price": _ORDERED,
        "available": ("eq", "ne", "exists"),
        "published": _ORDERED,
    },
    "properties.",
    "filter_invalid",
)
"""An item, for the filter of a request."""

RULED = Fields({**ITEM.ops, "age_days": _ORDERED}, "properties.", "placement_invalid")
"""An item, for a rule of a placement."""

QUESTION = Fields(
    {
        "placement": _EQUAL,
        "hour": _ORDERED,
        "weekday": _ORDERED,
        "page.id": _EQUAL,
        "page.category": (*_EQUAL, "contains"),
        "known": ("eq", "ne"),
    },
    "context.",
    "placement_invalid",
)
"""A question, for the `when` of a rule."""

PERSON = Fields({"segment": (*_EQUAL, "contains")}, "attributes.", "targeting_invalid")
"""Somebody a flag or an experiment is evaluated for: their segments, and what the context says of them."""

_TEXTS = ("id", "title", "category", "placement", "page.id", "page.category")
_FLAGS = ("available", "known")
_WHOLE = {"price": "must be a whole number of minor units: 1999 for 19.99", "hour": "must be 0 to 23",
          "weekday": "must be 1 (Monday) to 7"}  # fmt: skip


def parse(tree: object, path: str = "filter", fields: Fields = ITEM) -> Condition:
    """Read a tree of plain JSON values (dict, list, str, int, float, bool).

    Raises Invalid (`fields.code`; `path` says where) unless it has the shape above, at most 100 nodes,
    8 levels, 1,000 values in a list and 1,000 characters in a text.
    """
    return _Parser(fields).parse(tree, path, 1)


class _Parser:
    """Reads one tree."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._nodes = 0

    def parse(self, tree: object, path: str, depth: int) -> Condition:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise self._invalid(path, f"a tree has at most {MOST_NODES} conditions")
        if depth > MOST_DEPTH:
            raise self._invalid(path, f"a tree is at most {MOST_DEPTH} levels deep")
        if not isinstance(tree, dict):
            raise self._invalid(path, 'a condition is an object with "all", "any", "not" or "field"')
        names = set(tree)
        if names in ({"all"}, {"any"}):
            (word,) = names
            parts = tree[word]
            if not isinstance(parts, (list, tuple)):
                raise self._invalid(f"{path}.{word}", "must be a list of conditions")
            conditions = tuple(
                self.parse(part, f"{path}.{word}[{i}]", depth + 1) for i, part in enumerate(parts)
            )
            return All(conditions) if word == "all" else Some(conditions)
        if names == {"not"}:
            return Not(self.parse(tree["not"], f"{path}.not", depth + 1))
        if "field" in names and names <= {"field", "op", "value"}:
            return self._where(tree, path)
        raise self._invalid(
            path, 'a condition has exactly "all", "any" or "not", or "field" with "op" and "value"'
        )

    def _where(self, tree: dict[str, object], path: str) -> Where:
        field, op = tree["field"], tree.get("op")
        ops, prefix = self._fields.ops, self._fields.prefix
        is_open = isinstance(field, str) and field.startswith(prefix) and len(prefix) < len(field) <= 200
        if not isinstance(field, str) or not (is_open or field in ops):
            raise self._invalid(f"{path}.field", f"must be one of {', '.join(ops)} or {prefix}<name>")
        kind, known = (prefix.rstrip("."), _ANY) if is_open else (field, ops[field])
        if not isinstance(op, str) or op not in known:
            raise self._invalid(f"{path}.op", f"for {kind} must be one of {', '.join(known)}")
        value = tree.get("value", True if op == "exists" else None)
        return Where(field, cast(Op, op), self._value(kind, op, value, f"{path}.value"))

    def _value(self, kind: str, op: str, value: object, path: str) -> Scalar | tuple[Scalar, ...]:
        if op == "exists":
            if not isinstance(value, bool):
                raise self._invalid(path, "must be true or false, or be left out")
            return value
        if op in ("in", "not_in"):
            if not isinstance(value, (list, tuple)) or len(value) > MOST_VALUES:
                raise self._invalid(path, f"must be a list of at most {MOST_VALUES} values")
            return tuple(self._scalar(kind, one, f"{path}[{i}]") for i, one in enumerate(value))
        scalar = self._scalar(kind, value, path)
        if op in ("lt", "le", "gt", "ge") and isinstance(scalar, bool):
            raise self._invalid(path, "must be a number or a text, to be compared by size")
        return scalar

    def _scalar(self, kind: str, value: object, path: str) -> Scalar:
        if isinstance(value, str) and len(value) > MOST_CHARACTERS:
            raise self._invalid(path, f"must have at most {MOST_CHARACTERS} characters")
        if kind in _WHOLE and (isinstance(value, bool) or not isinstance(value, int)):
            raise self._invalid(path, _WHOLE[kind])
        if kind in ("hour", "weekday") and value not in (range(24) if kind == "hour" else range(1, 8)):
            raise self._invalid(path, _WHOLE[kind])
        if kind in _FLAGS and not isinstance(value, bool):
            raise self._invalid(path, "must be true or false")
        if kind in _TEXTS and not isinstance(value, str):
            raise self._invalid(path, "must be a text")
        if kind == "age_days" and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise self._invalid(path, "must be a number of days")
        if kind == "published":
            return self._time(value, path)
        if not isinstance(value, (str, int, float)) or (
            isinstance(value, float) and not math.isfinite(value)
        ):
            raise self._invalid(path, "must be a text, a number, true or false")
        return value

    def _time(self, value: object, path: str) -> int:
        try:
            return instant(msgspec.convert(value, datetime))
        except (msgspec.ValidationError, OverflowError):
            raise self._invalid(path, "must be a time such as 2026-11-23T11:33:51Z") from None

    def _invalid(self, path: str, message: str) -> Invalid:
        return Invalid(self._fields.code, f"{path}: {message}", path=path)


def test_of(condition: Condition, reader: Callable[[str], Callable[[T], Any]]) -> Callable[[T], bool]:
    """A function that says whether `condition` holds for what `reader` reads fields from. It never fails.

    reader: for the name of a field, what reads it: a scalar, a list, or None where it is missing.
    """
    if isinstance(condition, Where):
        read, matches = reader(condition.field), matcher(condition.op, condition.value)
        return lambda held: matches(read(held))
    if isinstance(condition, Not):
        inner = test_of(condition.condition, reader)
        return lambda held: not inner(held)
    tests = tuple(test_of(part, reader) for part in condition.conditions)
    if isinstance(condition, All):
        return lambda held: all(test(held) for test in tests)
    return lambda held: any(test(held) for test in tests)


def mentions(condition: Condition, field: str) -> bool:
    """Whether `condition` speaks of `field` anywhere."""
    if isinstance(condition, Where):
        return condition.field == field
    parts = (condition.condition,) if isinstance(condition, Not) else condition.conditions
    return any(mentions(part, field) for part in parts)


def matcher(op: Op, value: Any) -> Callable[[Any], bool]:
    """Whether what a field holds (None where it is missing) meets `op` and `value`."""
    if op == "exists":
        return lambda held: (not _missing(held)) is value
    if op in ("ne", "not_in"):
        opposite = matcher("eq" if op == "ne" else "in", value)
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
