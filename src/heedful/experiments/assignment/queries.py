"""Whom a flag or an experiment is for, as GrowthBook writes it: `{"country": {"$in": ["US", "CA"]}, "age":
{"$gt": 17}}`.

The meaning is that of GrowthBook's SDKs, with JavaScript's ideas of equality and order, so that a definition
brought from there decides for the same people. Our own tree (`vocabulary.conditions`) is stricter and to be
preferred. What is refused: an operator that does not exist, a regular expression that is not linear
(`patterns`), and a condition over the limits. A condition is bounded when it is read, and the steps of an
evaluation are counted; one that would take more than `MOST_STEPS` raises TooCostly, and nobody is meant by it.

Unlike JavaScript, names that objects inherit (`toString`) are not attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from heedful.experiments.assignment.javascript import (
    compared,
    is_equal_json,
    is_same,
    is_truthy,
    key,
    order,
    to_number,
    to_text,
    type_of,
)
from heedful.experiments.assignment.patterns import Refused, pattern
from heedful.experiments.assignment.versions import padded
from heedful.vocabulary.conditions import MOST_CHARACTERS, MOST_DEPTH, MOST_NODES, MOST_VALUES
from heedful.vocabulary.errors import HeedfulError, Invalid

MOST_STEPS = 20_000
"""Comparisons of one evaluation: some milliseconds."""


class TooCostly(HeedfulError):
    """An evaluation would take more steps than one may."""

    code = "context_too_large"


class _Over(Invalid):
    """Over a limit, which nothing excuses."""


class Group:
    """A saved list of ids, for `$inGroup`; type counts: 1 is not "1"."""

    def __init__(self, members: Sequence[Any]) -> None:
        self._keys = frozenset(map(key, members))

    def has(self, value: Any) -> bool:
        """Whether `value` is a member, or one of its members is."""
        values = value if isinstance(value, list) else (value,)
        return any(key(one) in self._keys for one in values)


Groups: TypeAlias = Mapping[str, Group]
NO_GROUPS: Groups = {}


class _Run:
    """One evaluation: what groups there are, and how many steps are left."""

    __slots__ = ("groups", "left")

    def __init__(self, groups: Groups) -> None:
        self.groups = groups
        self.left = MOST_STEPS

    def spend(self, steps: int = 1) -> None:
        self.left -= steps
        if self.left < 0:
            raise TooCostly(f"a condition takes more than {MOST_STEPS} comparisons with this context")


_Test: TypeAlias = Callable[[Any, _Run], bool]


class Query:
    """A condition that was read. tree: as it was written."""

    def __init__(
        self,
        tree: Mapping[str, Any],
        path: str = "condition",
        code: str = "targeting_invalid",
        *,
        forgiving: bool = False,
    ) -> None:
        """Raises Invalid (`code`; `path` says where) for what is refused.

        forgiving: an operator that cannot be read holds for nobody instead, as in GrowthBook's SDKs. The limits
        hold all the same.
        """
        self.tree = tree
        self._test = _Reader(code, forgiving).condition(tree, path, 1)

    def matches(self, attributes: Mapping[str, Any], groups: Groups = NO_GROUPS) -> bool:
        """Whether `attributes` (plain JSON) meet the condition. Raises TooCostly."""
        return self._test(attributes, _Run(groups))


def path_of(attributes: Any, path: str) -> Any:
    """What stands at the dotted `path`, None where nothing does."""
    held = attributes
    for part in path.split("."):
        if isinstance(held, Mapping):
            if part not in held:
                return None
            held = held[part]
        elif isinstance(held, list):
            if part == "length":
                held = len(held)
            elif part.isascii() and part.isdigit() and len(part) < 7 and int(part) < len(held):
                held = held[int(part)]
            else:
                return None
        else:
            return None
    return held


def _is_operators(tree: Any) -> bool:
    return isinstance(tree, Mapping) and bool(tree) and all(name.startswith("$") for name in tree)


class _Reader:
    """Reads one condition into a test, and counts what it is made of."""

    def __init__(self, code: str, forgiving: bool) -> None:
        self._code = code
        self._forgiving = forgiving
        self._nodes = 0

    def _invalid(self, path: str, message: str) -> Invalid:
        return Invalid(self._code, f"{path}: {message}", path=path)

    def _count(self, path: str, depth: int) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise self._over(path, f"a condition has at most {MOST_NODES} parts")
        if depth > MOST_DEPTH:
            raise self._over(path, f"a condition is at most {MOST_DEPTH} levels deep")

    def _over(self, path: str, message: str) -> Invalid:
        return _Over(self._code, f"{path}: {message}", path=path)

    def condition(self, tree: Any, path: str, depth: int) -> _Test:
        """A test of attributes."""
        self._count(path, depth)
        if not isinstance(tree, Mapping):
            raise self._invalid(path, 'a condition is an object such as {"country": "US"}')
        tests = tuple(self._entry(name, value, f"{path}.{name}", depth) for name, value in tree.items())
        return lambda held, run: all(test(held, run) for test in tests)

    def _entry(self, name: str, value: Any, path: str, depth: int) -> _Test:
        if name == "$not":
            inner = self.condition(value, path, depth + 1)
            return lambda held, run: not inner(held, run)
        if name in ("$and", "$or", "$nor"):
            parts = self._list(value, path)
            tests = tuple(
                self.condition(part, f"{path}[{place}]", depth + 1) for place, part in enumerate(parts)
            )
            if name == "$and":
                return lambda held, run: all(test(held, run) for test in tests)
            is_or = name == "$or"
            return lambda held, run: (not tests or any(test(held, run) for test in tests)) is is_or
        test = self._value(value, path, depth + 1)

        def entry(held: Any, run: _Run) -> bool:
            run.spend()
            return test(path_of(held, name), run)

        return entry

    def _value(self, tree: Any, path: str, depth: int, insensitive: bool = False) -> _Test:
        """A test of one value, against a scalar, an exact list or object, or operators."""
        self._count(path, depth)
        if isinstance(tree, str):
            self._text(tree, path)
            if insensitive:
                lower = tree.lower()
                return lambda held, _: to_text(held).lower() == lower
            return lambda held, _: to_text(held) == tree
        if tree is None:
            return lambda held, _: held is None
        if isinstance(tree, bool):
            return lambda held, _: held is not None and is_truthy(held) == tree
        if isinstance(tree, (int, float)):
            return lambda held, _: to_number(held) == tree
        if not _is_operators(tree):
            size = self._size(tree, path, depth)

            def equal(held: Any, run: _Run) -> bool:
                run.spend(size)
                return is_equal_json(held, tree)

            return equal
        tests = tuple(self._forgiven(name, value, f"{path}.{name}", depth) for name, value in tree.items())
        return lambda held, run: all(test(held, run) for test in tests)

    def _forgiven(self, name: str, wanted: Any, path: str, depth: int) -> _Test:
        try:
            return self._operator(name, wanted, path, depth)
        except Invalid as error:
            if not self._forgiving or isinstance(error, _Over):
                raise
            return _nobody

    def _operator(self, name: str, wanted: Any, path: str, depth: int) -> _Test:
        self._count(path, depth)
        if name in _ORDERS:
            return _ordered(name, self._plain(wanted, path))
        if name in _VERSIONS:
            return _versioned(name, self._plain(wanted, path))
        if name in ("$in", "$nin", "$ini", "$nini"):
            return self._among(name, wanted, path)
        if name in ("$inGroup", "$notInGroup"):
            return _grouped(self._text(wanted, path), name == "$inGroup")
        if name in ("$regex", "$regexi"):
            return self._matching(wanted, path, name == "$regexi")
        if name in ("$all", "$alli"):
            return self._all(wanted, path, depth, name == "$alli")
        if name == "$not":
            inner = self._value(wanted, path, depth + 1)
            return lambda held, run: not inner(held, run)
        if name == "$size":
            counted = self._value(wanted, path, depth + 1)
            return lambda held, run: isinstance(held, list) and counted(len(held), run)
        if name == "$elemMatch":
            read = self._value if _is_operators(wanted) else self.condition
            return _some_element(read(wanted, path, depth + 1))
        if name == "$exists":
            is_wanted = is_truthy(wanted)
            return lambda held, _: (held is not None) is is_wanted
        if name == "$type":
            return lambda held, _: type_of(held) == wanted
        if name in ("$eq", "$ne"):
            is_eq = name == "$eq"
            plain = self._plain(wanted, path)
            return lambda held, _: is_same(held, plain) is is_eq
        raise self._invalid(path, f"there is no operator {name[:60]!r}")

    def _among(self, name: str, wanted: Any, path: str) -> _Test:
        is_folded, is_in = name in ("$ini", "$nini"), name in ("$in", "$ini")
        fold = _folded if is_folded else key
        keys = frozenset(fold(self._plain(one, path)) for one in self._list(wanted, path))

        def among(held: Any, run: _Run) -> bool:
            values = held if isinstance(held, list) else (held,)
            run.spend(len(values))
            return any(fold(one) in keys for one in values) is is_in

        return among

    def _all(self, wanted: Any, path: str, depth: int, insensitive: bool) -> _Test:
        tests = tuple(
            self._value(one, f"{path}[{place}]", depth + 1, insensitive)
            for place, one in enumerate(self._list(wanted, path))
        )

        def holds_all(held: Any, run: _Run) -> bool:
            if not isinstance(held, list):
                return False
            for test in tests:
                run.spend(len(held) + 1)
                if not any(test(one, run) for one in held):
                    return False
            return True

        return holds_all

    def _matching(self, wanted: Any, path: str, insensitive: bool) -> _Test:
        try:
            found = pattern(self._text(wanted, path), insensitive).found
        except Refused as error:
            raise self._invalid(path, f"this regular expression is refused: {error}") from None

        def matching(held: Any, run: _Run) -> bool:
            text = to_text(held)
            run.spend(1 + len(text) // 8)
            return found(text)

        return matching

    def _text(self, value: Any, path: str) -> str:
        if not isinstance(value, str) or len(value) > MOST_CHARACTERS:
            raise self._invalid(path, f"must be a text of at most {MOST_CHARACTERS} characters")
        return value

    def _plain(self, value: Any, path: str) -> Any:
        """A scalar; a list or an object equals nothing and is before nothing, so that nobody can have meant it."""
        if isinstance(value, str):
            return self._text(value, path)
        if value is not None and not isinstance(value, (bool, int, float)):
            raise self._invalid(path, "must be a text, a number, true, false or null")
        return value

    def _list(self, value: Any, path: str) -> Sequence[Any]:
        if not isinstance(value, (list, tuple)) or len(value) > MOST_VALUES:
            raise self._invalid(path, f"must be a list of at most {MOST_VALUES} values")
        return value

    def _size(self, value: Any, path: str, depth: int) -> int:
        """How many values an exact list or object is made of."""
        if depth > 2 * MOST_DEPTH:
            raise self._over(path, "this value is too deep")
        if isinstance(value, str):
            self._text(value, path)
        if not isinstance(value, (list, Mapping)):
            return 1
        members = value if isinstance(value, list) else value.values()
        total = 1 + sum(self._size(one, path, depth + 1) for one in members)
        if total > MOST_VALUES:
            raise self._over(path, f"a value is made of at most {MOST_VALUES}")
        return total


_ORDERS: Mapping[str, tuple[int, ...]] = {"$lt": (-1,), "$lte": (-1, 0), "$gt": (1,), "$gte": (1, 0)}
_VERSIONS: Mapping[str, tuple[int, ...]] = {
    "$veq": (0,),
    "$vne": (-1, 1),
    "$vlt": (-1,),
    "$vlte": (-1, 0),
    "$vgt": (1,),
    "$vgte": (1, 0),
}


def _nobody(_: Any, __: _Run) -> bool:
    return False


def _ordered(name: str, wanted: Any) -> _Test:
    signs = _ORDERS[name]
    return lambda held, _: compared(held, wanted) in signs


def _versioned(name: str, wanted: Any) -> _Test:
    signs, right = _VERSIONS[name], order(padded(wanted))

    def versioned(held: Any, run: _Run) -> bool:
        left = order(padded(held))
        run.spend(1 + len(left) // 16)
        return ((left > right) - (left < right)) in signs

    return versioned


def _grouped(name: str, is_in: bool) -> _Test:
    def grouped(held: Any, run: _Run) -> bool:
        run.spend(len(held) if isinstance(held, list) else 1)
        group = run.groups.get(name)
        return (group is not None and group.has(held)) is is_in

    return grouped


def _some_element(test: _Test) -> _Test:
    def some_element(held: Any, run: _Run) -> bool:
        if not isinstance(held, list):
            return False
        run.spend(len(held))
        return any(is_truthy(one) and test(one, run) for one in held)

    return some_element


def _folded(value: Any) -> tuple[str, Any]:
    return key(value.lower() if isinstance(value, str) else value)
