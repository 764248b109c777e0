"""Whether a condition of the typed tree (`vocabulary.conditions`) holds for an item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

from heedful.vocabulary.conditions import (
    ITEM,
    QUESTION,
    RULED,
    All,
    Condition,
    Fields,
    Not,
    Some,
    Where,
    matcher,
    mentions,
    parse,
)
from heedful.vocabulary.item import Item
from heedful.vocabulary.time import DAY, Instant, instant

__all__ = [
    "ITEM",
    "QUESTION",
    "RULED",
    "All",
    "Condition",
    "Fields",
    "Not",
    "Some",
    "Test",
    "Where",
    "compiled_condition",
    "matcher",
    "mentions",
    "parse",
]

Test: TypeAlias = Callable[[Item | None, str], bool]
"""Whether a condition holds for an item (None when it was never described) and its id."""

_NEVER = Instant(0)


def compiled_condition(condition: Condition, now: Instant = _NEVER) -> Test:
    """A function that says whether `condition` holds for an item. It reads nothing but the item and never fails.

    now: the moment that `age_days` counts up to.
    """
    if isinstance(condition, Where):
        return _where(condition, now)
    if isinstance(condition, Not):
        inner = compiled_condition(condition.condition, now)
        return lambda item, name: not inner(item, name)
    tests = tuple(compiled_condition(part, now) for part in condition.conditions)
    if isinstance(condition, All):
        return lambda item, name: all(test(item, name) for test in tests)
    return lambda item, name: any(test(item, name) for test in tests)


def _where(where: Where, now: Instant) -> Test:
    if where.field == "category" and where.op in ("eq", "in", "contains"):  # the commonest, and quick
        value = where.value
        wanted = frozenset(cast(tuple[str, ...], value if isinstance(value, tuple) else (value,)))
        return lambda item, _: item is not None and not wanted.isdisjoint(item.categories)
    read, matches = _reader(where.field, now), matcher(where.op, where.value)
    return lambda item, name: matches(read(item, name))


def _reader(field: str, now: Instant) -> Callable[[Item | None, str], Any]:
    """What a field holds: a scalar, a list, or None where it is missing."""
    if field.startswith(ITEM.prefix):
        name = field.removeprefix(ITEM.prefix)
        return lambda item, _: item.properties.get(name) if item is not None else None
    if field == "age_days":
        return lambda item, _: (
            (now - instant(item.published)) / DAY if item is not None and item.published is not None else None
        )
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
