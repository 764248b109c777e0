"""What a question says besides who asks: what the `when` of a rule may go by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from heedful.vocabulary.conditions import QUESTION, Condition, test_of
from heedful.vocabulary.item import Item
from heedful.vocabulary.time import DAY, HOUR, Instant

_THURSDAY = 3
"""1970-01-01 was a Thursday, three days after a Monday."""


class Surroundings(NamedTuple):
    """now: the moment the answer is for. page: the id of the item on the page, or ""; item: its description.

    known: whether the person has done anything. said: what the request says in its context, by name.
    """

    placement: str
    now: Instant
    page: str = ""
    item: Item | None = None
    known: bool = False
    said: Mapping[str, Any] = {}


When: TypeAlias = Callable[[Surroundings], bool]


def compiled_when(condition: Condition) -> When:
    """A function that says whether `condition` holds for a question. It never fails."""
    return test_of(condition, _reader)


def _reader(field: str) -> Callable[[Surroundings], Any]:
    """What a field holds: a scalar, a list, or None where it is missing."""
    if field.startswith(QUESTION.prefix):
        name = field.removeprefix(QUESTION.prefix)
        return lambda around: around.said.get(name)
    return _READERS[field]


_READERS: Mapping[str, Callable[[Surroundings], Any]] = {
    "placement": lambda around: around.placement,
    "hour": lambda around: around.now // HOUR % 24,
    "weekday": lambda around: (around.now // DAY + _THURSDAY) % 7 + 1,
    "page.id": lambda around: around.page or None,
    "page.category": lambda around: around.item.categories if around.item is not None else None,
    "known": lambda around: around.known,
}
