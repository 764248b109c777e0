"""What JSON we take, decided before anything is made of it.

RFC 8259, without what parsers disagree about: a body that does not parse or is nested deeper than 32 is no
body at all (`Invalid`); NUL, lone surrogates, numbers out of range and repeated keys spoil only the event
they stand in (`problem_in`).

This is the exact reading, in plain Python. It is only needed where `json_scan` doubts.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

from heedful.services.collect.json_scan import MAX_DEPTH
from heedful.vocabulary.errors import Invalid

INTEGER_LIMIT = 2**63
"""Integers are within [-2**63, 2**63 - 1]."""


class Problem(NamedTuple):
    """What is wrong with one event, and where: `properties.products[2].price`."""

    code: str
    path: str
    message: str


class _Pairs(list[tuple[str, Any]]):
    """An object with its keys as they came."""


_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_OUT_OF_RANGE = INTEGER_LIMIT


def _integer(digits: str) -> int:
    """The number that `digits` say, or another out of range where they are too many to be worth reading."""
    return int(digits) if len(digits) <= 20 else _OUT_OF_RANGE


_exact = json.JSONDecoder(object_pairs_hook=_Pairs, parse_int=_integer, parse_constant=_no_constant)
_rough = json.JSONDecoder(parse_int=float, parse_constant=_no_constant)


def _decoded(decoder: json.JSONDecoder, text: str) -> Any:
    try:
        return decoder.decode(text)
    except RecursionError as error:
        raise too_deep() from error
    except ValueError as error:
        raise malformed("the body is not JSON") from error


def malformed(message: str) -> Invalid:
    return Invalid("json_invalid", message)


def too_deep() -> Invalid:
    return Invalid("json_too_deep", f"arrays and objects may be nested {MAX_DEPTH} deep, not deeper")


def members(text: str) -> Iterator[tuple[str, str]]:
    """The keys of the object that `text` is, and each value's text as it stands. `text` must be JSON."""
    i = _skip(text, _skip(text, 0) + 1)
    while text[i] != "}":
        key, i = _rough.raw_decode(text, i)
        i = _skip(text, _skip(text, i) + 1)
        end = _rough.raw_decode(text, i)[1]
        yield key, text[i:end]
        i = _skip(text, end)
        if text[i] == ",":
            i = _skip(text, i + 1)


def elements(text: str) -> Iterator[str]:
    """Each element's text as it stands in the array that `text` is. `text` must be JSON."""
    i = _skip(text, _skip(text, 0) + 1)
    while text[i] != "]":
        end = _rough.raw_decode(text, i)[1]
        yield text[i:end]
        i = _skip(text, end)
        if text[i] == ",":
            i = _skip(text, i + 1)


def _skip(text: str, i: int) -> int:
    """Past the white space at `i`."""
    while i < len(text) and text[i] in " \t\n\r":
        i += 1
    return i


def parsed(body: bytes) -> str:
    """`body` as text, one JSON value. Raises Invalid unless it is; the depth must be known to be fine."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise malformed("the body is not UTF-8") from error
    _decoded(_rough, text)
    return text


def problem_in(item: str) -> Problem | None:
    """The first thing in this JSON text that spoils it for us, in the order of the text; None if it is fine.

    Raises Invalid (`json_invalid`) where it is no JSON at all.
    """
    return _problem(_decoded(_exact, item))


def message_id_in(item: str) -> str:
    """The message id of an event that has a problem, to name it in the answer; "" if it is part of that."""
    tree = _decoded(_exact, item)
    ids = [value for key, value in tree if key == "messageId"] if isinstance(tree, _Pairs) else []
    only = ids[0] if len(ids) == 1 else None
    return str(only) if type(only) in (str, int) and _problem(only) is None else ""


def _problem(value: Any) -> Problem | None:
    kind = type(value)
    if kind is str:
        return _string_problem(value)
    if kind is int:
        if -INTEGER_LIMIT <= value < INTEGER_LIMIT:
            return None
        return Problem("json_number_range", "", "integers must fit 64 bits; send longer ones as strings")
    if kind is float:
        if math.isfinite(value):
            return None
        return Problem("json_number_range", "", "numbers must be within the range of a double")
    if kind is _Pairs:
        return _object_problem(value)
    if kind is list:
        for place, element in enumerate(value):
            if problem := _problem(element):
                return _within(f"[{place}]", problem)
    return None


def _string_problem(text: str) -> Problem | None:
    if "\0" in text:
        return Problem("json_nul", "", "strings must not contain NUL")
    if not text.isascii() and _LONE_SURROGATE.search(text):
        return Problem("json_surrogate", "", "surrogates must come in pairs")
    return None


def _object_problem(pairs: _Pairs) -> Problem | None:
    seen: set[str] = set()
    for key, value in pairs:
        if problem := _string_problem(key):
            return problem  # the key itself cannot be named
        if key in seen:
            return Problem("json_duplicate_key", key, "a key may stand only once in an object")
        seen.add(key)
        if problem := _problem(value):
            return _within(key, problem)
    return None


def _within(outer: str, problem: Problem) -> Problem:
    inner = problem.path
    path = outer + inner if not inner or inner.startswith("[") else f"{outer}.{inner}"
    return problem._replace(path=path[:200])
