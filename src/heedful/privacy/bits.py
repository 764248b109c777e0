"""Bits out of the base64 of IAB strings, read once from left to right and never past the end."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode

_WEBSAFE = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
LONGEST = 8_192
"""Characters of one string that are read at all. Real ones have a few hundred."""

_LARGEST_CODE = 24
"""Bits of the longest Fibonacci code that is read: numbers up to 75,024."""


class Garbled(ValueError):
    """The string is not what the specification says."""


class Bits:
    """A cursor over six bits a character. Every method raises Garbled at the end or on another digit."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise Garbled("it is too long")
        if not _WEBSAFE.fullmatch(text):
            raise Garbled("it holds a character that is not websafe base64")
        whole = int.from_bytes(urlsafe_b64decode(text + "A" * (-len(text) % 4)))
        width = 6 * (len(text) + -len(text) % 4)
        self._bits = f"{whole:0{width}b}"[: 6 * len(text)] if text else ""
        self._place = 0

    def __len__(self) -> int:
        """Bits that are left."""
        return len(self._bits) - self._place

    def number(self, width: int) -> int:
        """The next `width` bits as a whole number, the highest first."""
        if width > len(self):
            raise Garbled("it ends too early")
        start = self._place
        self._place += width
        return int(self._bits[start : self._place] or "0", 2)

    def flag(self) -> bool:
        return bool(self.number(1))

    def chosen(self, width: int) -> frozenset[int]:
        """The places, from 1, of the ones among the next `width` bits."""
        if width > len(self):
            raise Garbled("it ends too early")
        start = self._place
        self._place += width
        return frozenset(n for n in range(1, width + 1) if self._bits[start + n - 1] == "1")

    def fibonacci(self) -> int:
        """The next number in Fibonacci coding (IAB GPP, "Fibonacci Encoding"): it ends with two ones."""
        total, weight, following, before = 0, 1, 2, False
        for _ in range(_LARGEST_CODE):
            bit = self.flag()
            if bit and before:
                return total
            total += weight if bit else 0
            weight, following, before = following, weight + following, bit
        raise Garbled("a number in it does not end")

    def padding(self) -> None:
        """What is left must be zeros: they fill the last character or byte."""
        if "1" in self._bits[self._place :]:
            raise Garbled("something follows its end")
