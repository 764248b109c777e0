"""What is like what, by description: for items that nobody has touched yet.

The likeness of two items is the cosine of their owner's vectors where both have one, else of the TF-IDF
weights of their words. It is a view beside the catalogue and not a fitted model: a pure function of the set
of descriptions that hold, kept up word by word, so that a description that is taken back is gone at once. It
has no digest of its own, because it holds nothing that the catalogue's does not cover.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.arena import Arena, Column
from heedful.views.catalogue import Catalogue
from heedful.views.dictionary import Items
from heedful.views.glossary import (
    WEIGHT_BITS,
    Glossary,
    choose,
    compare,
    insert,
    read_like,
    remove,
    room_for,
)
from heedful.views.handles import Handle, handle
from heedful.views.reading import MOST, Ranked, Sheet
from heedful.views.vectors import Vectors
from heedful.views.words import words_of

BUDGET = 20_000
"""Entries of word lists that one reading goes through: what keeps it short in a catalogue of any size."""
_REMEMBERED = 4_096
_NONE = np.empty(0, dtype=np.int32)


class Near(NamedTuple):
    """Items with what they are like, best first, ties by the item's key, shape (n,) each.

    items: int32, dense. scores: int64, millionths of a cosine, above 0. because: int32, what each is like.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.int64]
    because: NDArray[np.int32]


class Content:
    """The view. One thread owns it. Every reading first looks at what the catalogue was told meanwhile.

    vectors: the owners' vectors.
    """

    def __init__(self, catalogue: Catalogue, items: Items, *, budget: int = BUDGET) -> None:
        self.vectors = Vectors()
        self._catalogue = catalogue
        self._items = items
        self._budget = budget
        self._stale = catalogue.follow()
        self._codes: dict[str, int] = {}
        self._texts: list[str] = []
        self._free: list[int] = []
        self._described = 0
        self._user, self._word = Arena(np.int32), Arena(np.int32)
        self._users_at, self._users, self._idf = _zeros(1_024), _zeros(1_024), _zeros(1_024)
        self._key = np.zeros(1_024, dtype=np.uint64)
        self._weight = _zeros(1_024)
        self._words_at, self._words, self._told = _zeros(1_024), _zeros(1_024), _zeros(1_024)
        self._norm = np.zeros(1_024, dtype=np.int64)
        self._epoch = np.ones(1, dtype=np.int32)
        self._best, self._points = _zeros(MOST), np.zeros(MOST, dtype=np.int64)
        self._glossary: Glossary | None = None
        self._handle: Handle = np.zeros(0, dtype=np.int64)
        self._sheet: Sheet
        self._remembered: dict[tuple[int, int], Ranked] = {}

    def like(self, item: int, how_many: int) -> Ranked:
        """The `how_many` (1 to MOST) items most like dense `item`, best first, ties by key; read-only.

        Scores are millionths of a cosine, above 0. An item without a description, or with one that nothing
        resembles, is like none. Whether an item may be shown is not asked.
        """
        self.refresh()
        found = self._remembered.get((item, how_many))
        if found is None:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            found = self._remembered[item, how_many] = self._like(item, min(how_many, MOST))
        return found

    def says_of(self, item: int) -> bool:
        """Whether anything is known of dense `item` that could be like something else's: words or a vector."""
        self.refresh()
        return bool(item < len(self._words) and self._words[item] > 0) or self.vectors.has(item)

    def likeness(self, asked: int, others: NDArray[np.int32]) -> NDArray[np.int64]:
        """How like `asked` each of `others`, shape (n,), is: millionths of the cosine, 0 to 1,000,000."""
        self.refresh()
        found = np.zeros(len(others), dtype=np.int64)
        known = others[others < len(self._words)]
        if len(known) == len(others):
            compare(self._open(), asked, others, self._weight, found)
            self.vectors.compare(asked, others, found)
        return found

    def nearest(self, trail: NDArray[np.int32], among: NDArray[np.int32], how_many: int) -> Near:
        """The `how_many` (1 to MOST) of `among` (distinct, at most MOST) that are most like one of `trail`."""
        told = np.zeros((len(trail), len(among)), dtype=np.int64)
        for i, asked in enumerate(trail.tolist()):
            told[i] = self.likeness(asked, among)
        because = np.empty(how_many, dtype=np.int32)
        self._open()
        count = int(choose(self._handle, among, told, trail, how_many, because)) if len(trail) else 0
        return Near(self._best[:count].copy(), self._points[:count].copy(), because[:count])

    def refresh(self) -> None:
        """Bring everything up to what the catalogue says now. Costs nothing where nothing changed."""
        if not self._stale:
            return
        self._reserve_items(max(len(self._items), max(self._stale) + 1))
        changed, vectors = False, {}
        for code in self._stale:
            item = self._catalogue.get(code)
            weights = {} if item is None else words_of(item)
            changed |= self._describe(code, weights)
            vectors[code] = () if item is None else item.vector
        self._stale.clear()
        if any(vectors.values()) or self.vectors.count:
            self.vectors.put(vectors)
            changed = True
        if changed:
            self._epoch[0] += 1
            self._remembered.clear()
            self._weigh()

    def _like(self, item: int, how_many: int) -> Ranked:
        table = self._open()
        by_vector = self.vectors.has(item)
        row = self.vectors.row if by_vector else _NONE
        count = int(read_like(table, item, how_many, self._budget, row))
        found = Ranked(self._best[:count], self._points[:count]).copied()
        if by_vector:
            count = self.vectors.read_like(item, how_many, self._sheet)
            codes = np.concatenate((found.items, self._best[:count]))
            scores = np.concatenate((found.scores, self._points[:count]))
            order = np.lexsort((self._items.keys[codes], -scores))[:how_many]
            found = Ranked(codes[order], scores[order])
        found.items.flags.writeable = found.scores.flags.writeable = False
        return found

    def _describe(self, code: int, weights: dict[str, int]) -> bool:
        """Let `code` have these words; returns whether that is a change."""
        start, count = int(self._words_at[code]), int(self._words[code])
        before = self._word.columns[0][start : start + count].copy()
        entries = np.array(
            [self._coded(word) << WEIGHT_BITS | weight for word, weight in weights.items()], dtype=np.int32
        )
        entries.sort()
        before.sort()
        if np.array_equal(before, entries):
            return False
        self._described += (len(entries) > 0) - (count > 0)
        user, word = self._user, self._word
        if count:
            user.reserve(int(room_for(self._users, before >> WEIGHT_BITS)), self._users_at, self._users)
            remove(
                self._users_at, self._users, user.columns[0], user.book,
                self._words_at, self._words, word.columns[0], word.book, code,
            )  # fmt: skip
        if len(entries):
            user.reserve(int(room_for(self._users, entries >> WEIGHT_BITS)), self._users_at, self._users)
            word.reserve(4 * len(entries), self._words_at, self._words)
            insert(
                self._users_at, self._users, user.columns[0], user.book,
                self._words_at, self._words, word.columns[0], word.book, code, entries,
            )  # fmt: skip
        self._forget((before >> WEIGHT_BITS).tolist())
        return True

    def _coded(self, word: str) -> int:
        code = self._codes.get(word)
        if code is None:
            if self._free:
                code = self._free.pop()
                self._texts[code] = word
            else:
                code = len(self._texts)
                self._texts.append(word)
                self._reserve_words(code + 1)
            self._codes[word] = code
            self._key[code] = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")
        return code

    def _forget(self, words: Sequence[int]) -> None:
        """Let go of the words that nothing uses any more."""
        for word in words:
            if not self._users[word]:
                self._free.append(word)
                del self._codes[self._texts[word]]
                self._texts[word] = ""
                self._key[word] = 0

    def _weigh(self) -> None:
        users = self._users[: len(self._texts)]
        weight = np.log1p(self._described / np.maximum(users, 1)) * 16
        self._idf[: len(users)] = np.where(users > 1, np.rint(weight), 0).astype(np.int32)

    def _reserve_words(self, count: int) -> None:
        if count > len(self._users):
            room = count + count // 2
            self._users_at, self._users = _wider(self._users_at, room), _wider(self._users, room)
            self._idf, self._key = _wider(self._idf, room), _wider(self._key, room)
            self._weight = _zeros(room)

    def _reserve_items(self, count: int) -> None:
        if count > len(self._words):
            room = count + count // 4
            self._words_at, self._words = _wider(self._words_at, room), _wider(self._words, room)
            self._told, self._norm = _wider(self._told, room), _wider(self._norm, room)

    def _open(self) -> Handle:
        """The handle of the arrays as they are now."""
        it = self._glossary
        user, word = self._user.columns[0], self._word.columns[0]
        if (
            it is None or it.users is not self._users or it.words is not self._words or it.user is not user
            or it.word is not word or it.keys is not self._items.keys
        ):  # fmt: skip
            room = len(self._words)
            it = self._glossary = Glossary(
                users_at=self._users_at, users=self._users, user=user, words_at=self._words_at,
                words=self._words, word=word, idf=self._idf, key=self._key, norm=self._norm, told=self._told,
                score=_zeros(room), seen=_zeros(room + 1), best=self._best, points=self._points,
                keys=self._items.keys, epoch=self._epoch,
            )  # fmt: skip
            self._handle = handle(it)
            self._sheet = Sheet(it.score, it.score[:0], it.seen, it.best, it.points, it.keys)
        return self._handle


def _zeros(count: int) -> NDArray[np.int32]:
    return np.zeros(count, dtype=np.int32)


def _wider(array: Column, size: int) -> Column:
    wider = np.zeros(size, dtype=array.dtype)
    wider[: len(array)] = array
    return wider
