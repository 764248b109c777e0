"""Cells of a CSV file that no spreadsheet takes for a formula (OWASP, "CSV injection"; ASVS 1.2.10)."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Sequence

_STARTERS = frozenset("=+-@|%\t\r\n\0")
"""What a spreadsheet may take for the beginning of a formula, a command, or a cell of its own."""


def cell(value: object) -> str:
    """`value` as the text of a cell. What could be taken for a formula begins with an apostrophe instead.

    Full-width forms count as what they stand for (Unicode NFKC), and blanks before them do not hide them.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)  # a number's own minus sign is no formula
    text = str(value)
    bare = "".join(char for char in text[:64] if unicodedata.category(char) not in ("Cf", "Zs")) or text[:1]
    first = unicodedata.normalize("NFKC", bare[:1])[:1] if bare else ""
    text = text.replace("\0", "\ufffd")
    return f"'{text}" if first and first in _STARTERS else text


def line(values: Sequence[object]) -> bytes:
    """One line of CSV as RFC 4180 has it, in UTF-8."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([cell(value) for value in values])
    return out.getvalue().encode("utf-8", "replace")
