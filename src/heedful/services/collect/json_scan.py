"""One pass over the bytes of a body, in compiled code: is it beyond doubt?

Reading every body twice in Python would cost more than everything else at the door. `looks` says CLEAN only
of bodies that are JSON (RFC 8259) with nothing in it that parsers disagree about; whatever it doubts is read
again exactly by `json_check`, its slow twin.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from heedful.views.compiled import compiled

MAX_DEPTH = 32
"""Arrays and objects within each other; `{}` is 1 deep."""


class Look(IntEnum):
    """What one pass over the bytes says. DOUBTFUL means no more than: read it slowly."""

    CLEAN = 0
    DOUBTFUL = 1
    TOO_DEEP = 2


_LOOKS = tuple(Look)


def looks(body: bytes, *, long: int) -> Look:
    """One pass over `body`. `long`: an array or object at depth 3 of more bytes than this is DOUBTFUL.

    (Depth 3 is where the events of a batch stand.) Any bytes are fine, nothing is raised. CLEAN promises
    UTF-8, the grammar of RFC 8259, a depth of at most 32, no repeated key within one object, no NUL, no lone
    surrogate, and only numbers that 64 bits hold.
    """
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            return Look.DOUBTFUL
    return _LOOKS[_scan(body, long)]


# What may come next.
_VALUE, _VALUE_OR_END, _KEY, _KEY_OR_END, _COLON, _AFTER = 0, 1, 2, 3, 4, 5

_MAX_KEYS = 128  # of one object; more of them are looked at slowly
_KEY_ROOM = 1024  # of all objects open at once

_FNV_OFFSET = np.uint64(0xCBF29CE484222325)  # FNV-1a, 64 bits (RFC 9923)
_FNV_PRIME = np.uint64(0x100000001B3)


@compiled
def _hex4(body: bytes, i: int) -> int:
    """The four hexadecimal digits at `i`, or -1."""
    if i + 4 > len(body):
        return -1
    value = 0
    for j in range(i, i + 4):
        c = int(body[j])
        if 48 <= c <= 57:
            digit = c - 48
        elif 97 <= (c | 32) <= 102:
            digit = (c | 32) - 87
        else:
            return -1
        value = value * 16 + digit
    return value


@compiled
def _escape(body: bytes, i: int) -> tuple[int, bool]:
    """Past the escape whose backslash stands at `i` (or -1), and whether it is doubtful."""
    n = len(body)
    if i + 1 >= n:
        return -1, True
    c = int(body[i + 1])
    if c != 117:  # not \u: one of " \ / b f n r t
        known = c in (34, 92, 47, 98, 102, 110, 114, 116)
        return (i + 2 if known else -1), not known
    unit = _hex4(body, i + 2)
    if unit < 0:
        return -1, True
    if unit == 0:
        return i + 6, True
    if unit < 0xD800 or unit > 0xDFFF:
        return i + 6, False
    if unit <= 0xDBFF and i + 7 < n and body[i + 6] == 92 and body[i + 7] == 117:
        low = _hex4(body, i + 8)
        if 0xDC00 <= low <= 0xDFFF:
            return i + 12, False
    return i + 6, True


@compiled
def _string(body: bytes, i: int) -> tuple[int, bool]:
    """Past the string whose content starts at `i` (or -1), and whether it is doubtful."""
    n = len(body)
    doubtful = False
    while i < n:
        c = body[i]
        if c == 34:
            return i + 1, doubtful
        if c == 92:
            i, odd = _escape(body, i)
            if i < 0:
                return -1, True
            doubtful = doubtful or odd
        elif c < 32:
            return -1, True
        else:
            i += 1
    return -1, True


@compiled
def _key(body: bytes, i: int) -> tuple[int, np.uint64, bool]:
    """As `_string`, with a hash of the key's bytes; a key with an escape is doubtful."""
    n = len(body)
    hashed = _FNV_OFFSET
    while i < n:
        c = body[i]
        if c == 34:
            return i + 1, hashed, False
        if c == 92:
            end, _ = _string(body, i)
            return end, hashed, True
        if c < 32:
            return -1, hashed, True
        hashed = (hashed ^ np.uint64(c)) * _FNV_PRIME
        i += 1
    return -1, hashed, True


@compiled
def _digits(body: bytes, i: int) -> int:
    """Past the digits that start at `i`."""
    while i < len(body) and 48 <= body[i] <= 57:
        i += 1
    return i


@compiled
def _number(body: bytes, i: int) -> tuple[int, bool]:
    """Past the number at `i` (or -1), and whether it is doubtful: 18 digits and exponents to 99 are fine."""
    n = len(body)
    start = i
    if body[i] == 45:
        i += 1
    end = _digits(body, i)
    whole = end - i
    if whole == 0 or (whole > 1 and body[i] == 48):
        return -1, True
    doubtful = whole > 18
    i = end
    if i < n and body[i] == 46:
        end = _digits(body, i + 1)
        if end == i + 1:
            return -1, True
        i = end
    if i < n and (body[i] | 32) == 101:
        i += 1
        if i < n and (body[i] == 43 or body[i] == 45):
            i += 1
        end = _digits(body, i)
        if end == i:
            return -1, True
        doubtful = doubtful or end - i > 2
        i = end
    return i, doubtful or i - start > 40


@compiled
def _literal(body: bytes, i: int) -> int:
    """Past `true`, `false` or `null` at `i`, or -1."""
    left = len(body) - i
    c = body[i]
    if c == 116 and left >= 4 and body[i + 1] == 114 and body[i + 2] == 117 and body[i + 3] == 101:
        return i + 4
    if c == 110 and left >= 4 and body[i + 1] == 117 and body[i + 2] == 108 and body[i + 3] == 108:
        return i + 4
    if c == 102 and left >= 5 and body[i + 1] == 97 and body[i + 2] == 108 and body[i + 3] == 115:
        return i + 5 if body[i + 4] == 101 else -1
    return -1


@compiled
def _scan(body: bytes, long: int) -> int:
    """The value of `Look` for UTF-8 `body`. Malformed is DOUBTFUL: it stops there, nothing deeper is read."""
    n = len(body)
    keys = np.empty(_KEY_ROOM, np.uint64)  # hashes of the keys of all open objects
    first = np.empty(MAX_DEPTH + 2, np.int64)  # where in `keys` those of each depth start
    opened = np.empty(MAX_DEPTH + 2, np.int64)  # where each depth started in the body
    is_object = np.empty(MAX_DEPTH + 2, np.bool_)
    depth, top, i, state = 0, 0, 0, _VALUE
    doubtful = False
    while i < n:
        c = body[i]
        if c in (32, 10, 13, 9):
            i += 1
        elif state in (_KEY, _KEY_OR_END) and c == 34:
            i, hashed, odd = _key(body, i + 1)
            if i < 0:
                return 1
            if top - first[depth] >= _MAX_KEYS or top >= _KEY_ROOM:
                odd = True
            else:
                for j in range(first[depth], top):
                    if keys[j] == hashed:
                        odd = True
                keys[top] = hashed
                top += 1
            doubtful = doubtful or odd
            state = _COLON
        elif state == _COLON:
            if c != 58:
                return 1
            i, state = i + 1, _VALUE
        elif state == _AFTER and c == 44 and depth > 0:
            i, state = i + 1, _KEY if is_object[depth] else _VALUE
        elif (
            depth > 0
            and ((c == 125 and is_object[depth]) or (c == 93 and not is_object[depth]))
            and (state in (_AFTER, _VALUE_OR_END, _KEY_OR_END))
        ):
            i, state = i + 1, _AFTER
            doubtful = doubtful or (depth == 3 and i - opened[depth] > long)
            top = first[depth]
            depth -= 1
        elif state not in (_VALUE, _VALUE_OR_END):
            return 1
        elif c in (123, 91):
            depth += 1
            if depth > MAX_DEPTH:
                return 2
            is_object[depth], first[depth], opened[depth] = c == 123, top, i
            i, state = i + 1, _KEY_OR_END if c == 123 else _VALUE_OR_END
        else:
            odd = False
            if c == 34:
                i, odd = _string(body, i + 1)
            elif c == 45 or 48 <= c <= 57:
                i, odd = _number(body, i)
            else:
                i = _literal(body, i)
            if i < 0:
                return 1
            doubtful = doubtful or odd
            state = _AFTER
    return 1 if doubtful or depth > 0 or state != _AFTER else 0
