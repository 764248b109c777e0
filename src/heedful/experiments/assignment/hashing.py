"""Where in [0, 1) somebody falls: the same in a browser, in Node and here.

Versions 1 and 2 are GrowthBook's: FNV-1a with 32 bits over the UTF-16 code units of a text, which is what a
browser's `charCodeAt` reads. Over UTF-8 bytes everybody with an accent in their id would change arms. Version
1 gives thousandths and is biased; it is there for namespaces and for experiments that came with it. Version 2
gives ten-thousandths. Version 3 is ours, for shares that ten-thousandths cannot express: FNV-1a with 64 bits
over `seed`, a NUL and `value`, finished by SplitMix64's mixer, of which the top 53 bits count.

Sources: Fowler, Noll, Vo, "The FNV Non-Cryptographic Hash Algorithm" (IETF draft); GrowthBook's SDK
specification, "hash"; Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Literal, TypeAlias

Version: TypeAlias = Literal[1, 2, 3]

_START_32, _PRIME_32, _MASK_32 = 0x811C9DC5, 0x01000193, 0xFFFFFFFF
_START_64, _PRIME_64, _MASK_64 = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF
_SAFE = 1 << 53
"""Beyond this a whole number of JSON is not exact in a browser, and so not here."""


def code_units(text: str) -> Iterable[int]:
    """The UTF-16 code units of `text`, each 0 to 65535; a lone surrogate counts as itself."""
    if text.isascii():
        return text.encode("ascii")
    return memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")


def fnv32(text: str, state: int = _START_32) -> int:
    """FNV-1a, 32 bits, over code units, going on from `state`."""
    for unit in code_units(text):
        state = (state ^ unit) * _PRIME_32 & _MASK_32
    return state


def fnv64(text: str, state: int = _START_64) -> int:
    """FNV-1a, 64 bits, over code units, going on from `state`."""
    for unit in code_units(text):
        state = (state ^ unit) * _PRIME_64 & _MASK_64
    return state


@lru_cache(maxsize=4096)
def _seeded_32(seed: str) -> int:
    return fnv32(seed)


@lru_cache(maxsize=4096)
def _seeded_64(seed: str) -> int:
    return fnv64(seed + "\x00")


def bucket(seed: str, value: str, version: int = 2) -> float | None:
    """Where `value` falls in [0, 1) under `seed`; None for a version that nobody knows.

    Steps: 1/1000 in version 1, 1/10000 in version 2, 2**-53 in version 3.
    """
    if version == 2:
        return fnv32(str(fnv32(value, _seeded_32(seed)))) % 10_000 / 10_000
    if version == 3:
        return (_mixed(fnv64(value, _seeded_64(seed))) >> 11) / _SAFE
    if version == 1:
        return fnv32(value + seed) % 1_000 / 1_000
    return None


def _mixed(state: int) -> int:
    """SplitMix64's finaliser."""
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK_64
    state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK_64
    return state ^ state >> 31


def unit_text(value: object) -> str:
    """An id as it is hashed, "" where there is none: numbers and booleans as JavaScript writes them.

    Nobody, with "", are null, "", 0, false and NaN, as in GrowthBook, and also lists and objects.
    """
    if isinstance(value, str):
        return value
    return number_text(value) if isinstance(value, (int, float)) and value and not math.isnan(value) else ""


def number_text(value: float) -> str:
    """A number or a boolean as JavaScript writes it (ECMA-262, Number::toString): 1.0 is "1", true is "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and -_SAFE <= value <= _SAFE:
        return str(value)
    try:
        value = float(value)
    except OverflowError:
        value = math.inf if value > 0 else -math.inf
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    written, point = "".join(map(str, digits)), len(digits) + int(exponent)
    if 0 < point <= 21:
        whole = written[:point].ljust(point, "0")
        text = f"{whole}.{written[point:]}" if len(written) > point else whole
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{written}"
    else:
        rest = f".{written[1:]}" if len(written) > 1 else ""
        text = f"{written[0]}{rest}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return f"-{text}" if sign else text
