"""The words that an item's description is made of, and what each weighs: what content similarity compares.

A pure function of the description. A word of the title weighs more than one of a long text, and a whole
category or a short property is one word, so that "Red Bull" is no kind of red. Numbers say nothing here:
that two items cost or weigh the same does not make them alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from heedful.vocabulary.item import Item

MOST_WORDS = 64
"""Words of one item that count; the heaviest, and among equals the first by code point."""

HEAVIEST = 15
"""No word of an item weighs more."""

_TITLE, _CATEGORY, _PROPERTY, _TEXT = 3, 4, 2, 1
_MOST_OF_TEXT = 3
_SHORT = 3
"""A property of at most this many words is one word by itself; a longer one is a text."""
_MOST_CHARACTERS = 4_000
_REPEATED = 40
"""Characters up to which a text, such as a category, is worth remembering: it comes again."""
_NO_SPACES = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_PIECES = re.compile(rf"[{_NO_SPACES}]+|[^\W_{_NO_SPACES}]+")
_IS_UNSPACED = re.compile(rf"[{_NO_SPACES}]")


def words_of(item: Item) -> dict[str, int]:
    """Every word of `item` with its weight, 1 to HEAVIEST; at most MOST_WORDS. Id, price and URLs say nothing.

    title: 3 a word. category: 4, whole. A short property: 2, whole, under its name. A long one: 1 a word, at
    most 3. Lists count by member; numbers, objects and web addresses do not count.
    """
    weights: dict[str, int] = {}
    for word in pieces(item.title):
        weights[word] = weights.get(word, 0) + _TITLE
    for category in dict.fromkeys(item.categories):
        name = " ".join(pieces(category))
        if name:
            weights[f"category={name}"] = _CATEGORY
    texts: dict[str, int] = {}
    for name, value in item.properties.items():
        for text in _texts(value):
            found = pieces(text)
            if 0 < len(found) <= _SHORT:
                weights[f"{name.casefold()}={' '.join(found)}"] = _PROPERTY
            elif found:
                for word in found:
                    texts[word] = min(texts.get(word, 0) + _TEXT, _MOST_OF_TEXT)
    for word, weight in texts.items():
        weights[word] = weights.get(word, 0) + weight
    heaviest = sorted(weights.items(), key=lambda one: (-one[1], one[0]))[:MOST_WORDS]
    return {word: min(weight, HEAVIEST) for word, weight in heaviest}


def pieces(text: str) -> tuple[str, ...]:
    """The words of `text`: runs of letters and digits in any script, case folded (Unicode NFKC).

    Scripts written without spaces between words (Chinese, Japanese, Korean) give every pair of neighbours.
    """
    return _remembered(text) if len(text) <= _REPEATED else _pieces(text)


def _pieces(text: str) -> tuple[str, ...]:
    found: list[str] = []
    for piece in _PIECES.findall(unicodedata.normalize("NFKC", text[:_MOST_CHARACTERS]).casefold()):
        if len(piece) > 1 and _IS_UNSPACED.match(piece):
            found += [piece[i : i + 2] for i in range(len(piece) - 1)]
        else:
            found.append(piece)
    return tuple(found)


_remembered = lru_cache(maxsize=10_000)(_pieces)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, bool):
        yield "yes" if value else "no"
    elif isinstance(value, str):
        if "://" not in value:
            yield value
    elif isinstance(value, (list, tuple)):
        for one in value[:100]:
            if isinstance(one, (str, bool)):
                yield from _texts(one)
