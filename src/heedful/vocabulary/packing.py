"""Ids in few bytes: those of letters, digits, `-` and `_` take six bits a character."""

from __future__ import annotations

from base64 import b64encode
from binascii import Error as NotPackable
from binascii import a2b_base64
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from heedful.vocabulary.errors import Corrupt

_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/!!!")
_FROM_BASE64 = bytes.maketrans(b"+/", b"-_")
_PADDING = ("", "AAA", "AA", "A")

Ids = list[str] | bytes


def packed(ids: Sequence[str]) -> Ids:
    """Ids as their number, their lengths and six bits a character; as they are where that cannot be."""
    text = "".join(ids)
    try:
        letters = (text + _PADDING[len(text) & 3]).encode("ascii").translate(_TO_BASE64)
        lengths = bytes([len(ids), *map(len, ids)])
        return lengths + a2b_base64(letters, strict_mode=True)
    except (NotPackable, ValueError):  # another character, or a length above 255
        return list(ids)


def unpacked(ids: Ids) -> list[Any]:
    """The ids in what `packed` gave. Raises Corrupt."""
    if isinstance(ids, list):
        return ids
    count = ids[0] if ids else 0
    lengths = ids[1 : 1 + count]
    text = b64encode(ids[1 + count :]).translate(_FROM_BASE64).decode("ascii")
    ends = list(accumulate(lengths))
    size = ends[-1] if ends else 0
    if not ids or len(lengths) != count or (size + 3) // 4 * 3 != len(ids) - 1 - count:
        raise Corrupt("the decision's ids do not fit their lengths")
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]
