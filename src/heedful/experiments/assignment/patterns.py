"""Regular expressions that cannot be made slow: the part of JavaScript's that needs no backtracking.

A condition is data that somebody wrote, and a text comes from a request, so matching must take time that is
linear in the text whatever both are. A pattern becomes a non-deterministic automaton, and its sets of states
are found as they are needed and kept (Thompson, "Regular Expression Search Algorithm", CACM 1968; the lazy
automaton of Cox, "Regular Expression Matching Can Be Simple And Fast", 2007). Matching goes over UTF-16 code
units.

Known: literals, `.`, classes, `\\d \\w \\s` and their opposites, `\\xHH`, `\\uHHHH`, `^ $ \\b \\B`, groups,
alternatives, and `* + ? {m} {m,} {m,n}`, greedy or lazy. Refused: what a linear engine cannot do (references
back, looking ahead and behind), `\\p`, `\\k`, `\\c`, a `{` that repeats nothing, more than 200 characters,
and more than 1,000 states.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from heedful.experiments.assignment.hashing import code_units

MOST_CHARACTERS = 200
MOST_STATES = 1_000
MOST_TEXT = 1_000
"""Code units; a longer text matches no pattern."""
_MOST_KEPT = 10_000

Takes: TypeAlias = Callable[[str], bool]

_DIGITS = frozenset("0123456789")
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_SPACE = frozenset(
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_LINE_ENDS = frozenset("\n\r\u2028\u2029")
_SETS = {"d": _DIGITS, "w": _WORD, "s": _SPACE}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_EDGE = ""
"""What stands before the first character and after the last."""


class Refused(ValueError):
    """The pattern is not one that JavaScript and we both know. The text says why."""


class _Take(NamedTuple):
    takes: Takes


class _Assert(NamedTuple):
    kind: str  # one of ^ $ b B


class _Chain(NamedTuple):
    parts: tuple[_Node, ...]


class _Either(NamedTuple):
    ways: tuple[_Node, ...]


class _Repeat(NamedTuple):
    part: _Node
    least: int
    most: int | None


_Node: TypeAlias = _Take | _Assert | _Chain | _Either | _Repeat


@lru_cache(maxsize=512)
def pattern(source: str, insensitive: bool = False) -> Pattern:
    """The pattern that `source` describes, made once. Raises Refused."""
    return Pattern(source, insensitive)


class Pattern:
    """One pattern. insensitive: case does not count."""

    def __init__(self, source: str, insensitive: bool = False) -> None:
        if len(source) > MOST_CHARACTERS:
            raise Refused(f"a pattern has at most {MOST_CHARACTERS} characters")
        self._program = _Program()
        self._start = self._program.add(_Parser(_units(source), insensitive).parsed(), self._program.match)
        self._steps: dict[tuple[frozenset[int], str, str], frozenset[int] | None] = {}

    def found(self, text: str) -> bool:
        """Whether the pattern matches somewhere in `text`, as `RegExp.test` says."""
        if len(text) > MOST_TEXT or len(units := _units(text)) > MOST_TEXT:
            return False
        if len(self._steps) > _MOST_KEPT:
            self._steps.clear()
        states: frozenset[int] = frozenset((self._start,))
        before = _EDGE
        for unit in (*units, _EDGE):
            key = states, before, unit
            try:
                after = self._steps[key]
            except KeyError:
                after = self._steps[key] = self._step(*key)
            if after is None:
                return True
            states, before = after, "w" if unit in _WORD and unit else "-"
        return False

    def _step(self, states: frozenset[int], before: str, unit: str) -> frozenset[int] | None:
        """The states after `unit`, None once the pattern has matched before it."""
        reached, waiting = set(states), list(states)
        program, after = self._program, set[int]()
        while waiting:
            state = waiting.pop()
            if state == program.match:
                return None
            takes, asserted, following = program.states[state]
            if takes is not None:
                if unit != _EDGE and takes(unit):
                    after.update(following)
            elif asserted is None or _holds(asserted, before, unit):
                waiting += [one for one in following if one not in reached]
                reached.update(following)
        after.add(self._start)
        return frozenset(after)


def _holds(kind: str, before: str, unit: str) -> bool:
    """before: "" at the start, "w" after a word character, "-" after another."""
    if kind == "^":
        return before == _EDGE
    if kind == "$":
        return unit == _EDGE
    is_edge = (before == "w") != (unit != _EDGE and unit in _WORD)
    return is_edge == (kind == "b")


def _units(text: str) -> str:
    return text if text.isascii() else "".join(map(chr, code_units(text)))


class _Program:
    """The automaton. A state takes a character, asserts something, or is passed freely (neither)."""

    match = 0

    def __init__(self) -> None:
        self.states: list[tuple[Takes | None, str | None, tuple[int, ...]]] = [(None, None, ())]

    def _new(self, takes: Takes | None, asserted: str | None, following: tuple[int, ...]) -> int:
        if len(self.states) >= MOST_STATES:
            raise Refused(f"a pattern has at most {MOST_STATES} states")
        self.states.append((takes, asserted, following))
        return len(self.states) - 1

    def add(self, node: _Node, then: int) -> int:
        """Where `node` begins if it goes on to `then`."""
        if isinstance(node, _Take):
            return self._new(node.takes, None, (then,))
        if isinstance(node, _Assert):
            return self._new(None, node.kind, (then,))
        if isinstance(node, _Chain):
            for part in reversed(node.parts):
                then = self.add(part, then)
            return then
        if isinstance(node, _Either):
            return self._new(None, None, tuple(self.add(way, then) for way in node.ways))
        return self._repeat(node, then)

    def _repeat(self, node: _Repeat, then: int) -> int:
        if node.most is None:
            loop = self._new(None, None, ())
            self.states[loop] = (None, None, (self.add(node.part, loop), then))
            then = loop
        else:
            end = then
            for _ in range(node.most - node.least):
                then = self._new(None, None, (self.add(node.part, then), end))
        for _ in range(node.least):
            before, then = then, self.add(node.part, then)
            if then == before:  # repeats of nothing are nothing
                break
        return then


class _Parser:
    """Reads one pattern."""

    def __init__(self, source: str, insensitive: bool) -> None:
        self._source = source
        self._at = 0
        self._insensitive = insensitive

    def parsed(self) -> _Node:
        node = self._either()
        if self._at < len(self._source):
            raise Refused("a ) that closes nothing")
        return node

    def _peek(self, text: str) -> bool:
        return self._source.startswith(text, self._at)

    def _eat(self, text: str) -> bool:
        if found := self._peek(text):
            self._at += len(text)
        return found

    def _next(self) -> str:
        if self._at >= len(self._source):
            raise Refused("it ends too early")
        self._at += 1
        return self._source[self._at - 1]

    def _either(self) -> _Node:
        ways = [self._chain()]
        while self._eat("|"):
            ways.append(self._chain())
        return ways[0] if len(ways) == 1 else _Either(tuple(ways))

    def _chain(self) -> _Node:
        parts = []
        while self._at < len(self._source) and not self._peek("|") and not self._peek(")"):
            parts.append(self._repeated(self._atom()))
        return _Chain(tuple(parts))

    def _repeated(self, node: _Node) -> _Node:
        if self._eat("*"):
            bounds: tuple[int, int | None] = (0, None)
        elif self._eat("+"):
            bounds = (1, None)
        elif self._eat("?"):
            bounds = (0, 1)
        elif self._eat("{"):
            bounds = self._bounds()
        else:
            return node
        if isinstance(node, _Assert):
            raise Refused("an anchor cannot be repeated")
        self._eat("?")  # lazy: what is found first differs, whether anything is found does not
        return _Repeat(node, *bounds)

    def _bounds(self) -> tuple[int, int | None]:
        inside, closed, rest = self._source[self._at :].partition("}")
        least, comma, most = inside.partition(",")
        if not closed or not _is_count(least) or not (most == "" or _is_count(most)):
            raise Refused("a { that repeats nothing: write \\{ for itself")
        self._at = len(self._source) - len(rest)
        upper = (int(most) if most else None) if comma else int(least)
        if upper is not None and upper < int(least):
            raise Refused("{m,n} with n below m")
        return int(least), upper

    def _atom(self) -> _Node:
        one = self._next()
        if one == "(":
            return self._group()
        if one == "[":
            return self._class()
        if one in "^$":
            return _Assert(one)
        if one == ".":
            return _Take(lambda unit: unit not in _LINE_ENDS)
        if one == "\\":
            if self._peek("b") or self._peek("B"):
                return _Assert(self._next())
            return self._take(self._escaped())
        if one in "*+?{":
            raise Refused(f"a {one} that repeats nothing")
        return self._take(frozenset(one))

    def _group(self) -> _Node:
        if self._eat("?"):
            if self._peek("<=") or self._peek("<!") or not (self._eat(":") or self._eat("<")):
                raise Refused("looking ahead or behind takes more than linear time")
            if self._source[self._at - 1] == "<":
                name, closed, rest = self._source[self._at :].partition(">")
                if not closed or not name.isidentifier():
                    raise Refused("a group's name")
                self._at = len(self._source) - len(rest)
        node = self._either()
        if not self._eat(")"):
            raise Refused("a ( that nothing closes")
        return node

    def _class(self) -> _Node:
        is_negated, members, spans = self._eat("^"), set[str](), []
        opposites: list[frozenset[str]] = []
        while not self._eat("]"):
            low = self._member(opposites)
            if not (self._peek("-") and not self._peek("-]")):
                members |= low
                continue
            self._eat("-")
            high = self._member(opposites)
            if len(low) != 1 or len(high) != 1:
                raise Refused("a range between sets of characters")
            (first,), (last,) = low, high
            if first > last:
                raise Refused("a range whose end lies before its start")
            spans.append((first, last))

        def has(unit: str) -> bool:
            return (
                unit in members
                or any(first <= unit <= last for first, last in spans)
                or any(unit not in each for each in opposites)
            )

        inside = self._folded(has)
        return _Take((lambda unit: not inside(unit)) if is_negated else inside)

    def _member(self, opposites: list[frozenset[str]]) -> frozenset[str]:
        one = self._next()
        if one != "\\":
            return frozenset(one)
        if self._eat("b"):
            return frozenset("\b")
        found = self._escaped()
        if isinstance(found, frozenset):
            return found
        opposites.append(found[0])
        return frozenset()

    def _escaped(self) -> frozenset[str] | tuple[frozenset[str]]:
        """What stands after a backslash: characters, or in a tuple those that it is not."""
        one = self._next()
        if one in _SETS:
            return _SETS[one]
        if one.lower() in _SETS:
            return (_SETS[one.lower()],)
        if one in "xu":
            length = 2 if one == "x" else 4
            digits = self._source[self._at : self._at + length]
            if len(digits) != length or not all(each in "0123456789abcdefABCDEF" for each in digits):
                raise Refused(f"\\{one} needs {length} hexadecimal digits")
            self._at += length
            return frozenset(chr(int(digits, 16)))
        if one == "0" and self._source[self._at : self._at + 1].isdigit():
            raise Refused("octal escapes")
        if one in _CONTROLS:
            return frozenset(_CONTROLS[one])
        if one.isalnum():
            raise Refused(f"\\{one} is not known, or would need more than linear time")
        return frozenset(one)

    def _take(self, found: frozenset[str] | tuple[frozenset[str]]) -> _Take:
        if isinstance(found, frozenset):
            return _Take(self._folded(found.__contains__))
        outside = self._folded(found[0].__contains__)
        return _Take(lambda unit: not outside(unit))

    def _folded(self, has: Callable[[str], bool]) -> Takes:
        if not self._insensitive:
            return has
        return lambda unit: any(map(has, _alike(unit)))


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4


def _alike(unit: str) -> set[str]:
    """The characters that differ from `unit` in case only (ECMA-262, Canonicalize, without the u flag)."""
    canonical = _canonical(unit)
    return {
        unit,
        *(one for one in (canonical, unit.lower(), canonical.lower()) if _canonical(one) == canonical),
    }


def _canonical(unit: str) -> str:
    upper = unit.upper()
    if len(upper) != 1 or (not unit.isascii() and upper.isascii()):
        return unit
    return upper
