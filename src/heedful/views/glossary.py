"""Which items use which word, both ways round, and the kernels that compare items by it.

An entry is packed into 32 bits: the item (or the word) in the high 28 and the weight in the low 4. The lists
have no order: what is read from them are sums of integers. Likeness is the cosine of TF-IDF vectors (Salton
and Buckley 1988) with weights w * idf, where idf = round(16 ln(1 + N / df)) is an integer and 0 for a word
that only one item uses, so that the same descriptions give the same bits whatever came first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from heedful.views.arena import Column, give, size_for, take
from heedful.views.compiled import compiled
from heedful.views.handles import Handle, int32_at, int64_at, uint64_at
from heedful.views.reading import Sheet, arrange, offer

WEIGHT_BITS = 4
WEIGHT_MASK = (1 << WEIGHT_BITS) - 1
MILLIONTHS = 1_000_000
"""A likeness is told in millionths: 1,000,000 is the same description."""


class Glossary(NamedTuple):
    """The arrays, as kernels take them.

    users_at, users: int32 per word, where its list is and how many items it holds. user: int32, the lists.
    words_at, words: int32 per item, likewise. word: int32, the lists.
    idf: int32 per word. key: uint64 per word, which decides ties.
    norm, told: int64 and int32 per item: the square of the length of its vector, as of `epoch` told.
    score, seen: int32 per item, room to work in; score is zero between readings.
    best, points: int32 and int64, the answer. keys: uint64 per item. epoch: int32 (1,).
    """

    users_at: Column
    users: Column
    user: Column
    words_at: Column
    words: Column
    word: Column
    idf: Column
    key: Column
    norm: Column
    told: Column
    score: Column
    seen: Column
    best: Column
    points: Column
    keys: Column
    epoch: Column


@compiled
def glossary_of(table: Handle) -> Glossary:
    """The arrays behind a handle."""
    return Glossary(
        int32_at(table, 0), int32_at(table, 1), int32_at(table, 2), int32_at(table, 3), int32_at(table, 4),
        int32_at(table, 5), int32_at(table, 6), uint64_at(table, 7), int64_at(table, 8), int32_at(table, 9),
        int32_at(table, 10), int32_at(table, 11), int32_at(table, 12), int64_at(table, 13),
        uint64_at(table, 14), int32_at(table, 15),
    )  # fmt: skip


@compiled
def room_for(held: Column, owners: Column) -> int:
    """Entries that one more in each of the lists of `owners` may take."""
    room = 0
    for owner in owners:
        room += size_for(int(held[owner]) + 1)
    return room


@compiled
def put(at: Column, held: Column, block: Column, book: Column, owner: int, entry: int) -> None:
    """Add `entry` to the list of `owner`. The caller has seen to the room."""
    start, count = int(at[owner]), int(held[owner])
    if size_for(count) == count:
        moved = take(book, block, count + 1)
        for i in range(count):
            block[moved + i] = block[start + i]
        if count > 0:
            block[start : start + count] = 0
            give(book, block, start, count)
        at[owner] = moved
        start = moved
    block[start + count] = entry
    held[owner] = count + 1


@compiled
def drop(at: Column, held: Column, block: Column, book: Column, owner: int, other: int) -> None:
    """Take the entry of `other` out of the list of `owner`; the room that is no longer needed is given back."""
    start, count = int(at[owner]), int(held[owner])
    place = start
    while block[place] >> WEIGHT_BITS != other:
        place += 1
    left = count - 1
    block[place] = block[start + left]
    block[start + left] = 0
    held[owner] = left
    if size_for(left) != size_for(count):
        moved = 0
        if left > 0:
            moved = take(book, block, left)
            for i in range(left):
                block[moved + i] = block[start + i]
            block[start : start + left] = 0
        give(book, block, start, count)
        at[owner] = moved


@compiled
def insert(
    users_at: Column, users: Column, user: Column, user_book: Column,
    words_at: Column, words: Column, word: Column, word_book: Column,
    item: int, entries: Column,
) -> None:  # fmt: skip
    """Give `item`, which has none, the words `entries` (packed). The caller has seen to the room."""
    for entry in entries:
        put(users_at, users, user, user_book, entry >> WEIGHT_BITS, item << WEIGHT_BITS | entry & WEIGHT_MASK)
        put(words_at, words, word, word_book, item, entry)


@compiled
def remove(
    users_at: Column, users: Column, user: Column, user_book: Column,
    words_at: Column, words: Column, word: Column, word_book: Column,
    item: int,
) -> None:  # fmt: skip
    """Take all words from `item`. The caller has seen to the room."""
    start, count = int(words_at[item]), int(words[item])
    for place in range(start, start + count):
        drop(users_at, users, user, user_book, word[place] >> WEIGHT_BITS, item)
    if count > 0:
        word[start : start + count] = 0
        give(word_book, word, start, count)
    words_at[item], words[item] = 0, 0


@compiled
def _norm(it: Glossary, item: int) -> int:
    """The square of the length of `item`'s vector, kept until the descriptions change."""
    if it.told[item] == it.epoch[0]:
        return int(it.norm[item])
    start, total = int(it.words_at[item]), 0
    for place in range(start, start + it.words[item]):
        entry = int(it.word[place])
        part = (entry & WEIGHT_MASK) * int(it.idf[entry >> WEIGHT_BITS])
        total += part * part
    it.norm[item], it.told[item] = total, it.epoch[0]
    return total


@compiled
def _rarest_first(it: Glossary, start: int, count: int) -> Column:
    """The places of an item's words, those that fewest items use first, ties by the word's key."""
    order = np.empty(count, dtype=np.int32)
    for i in range(count):
        word = it.word[start + i] >> WEIGHT_BITS
        place = i
        while place > 0:
            other = it.word[order[place - 1]] >> WEIGHT_BITS
            if it.users[other] < it.users[word]:
                break
            if it.users[other] == it.users[word] and it.key[other] <= it.key[word]:
                break
            order[place] = order[place - 1]
            place -= 1
        order[place] = start + i
    return order


@compiled
def read_like(table: Handle, asked: int, how_many: int, budget: int, row: Column) -> int:
    """Find the `how_many` items most like `asked` by their words; returns how many there are.

    budget: entries of lists that are read, rarest words first; a word that does not fit is left out of the
    sum, and the first is read whatever it costs. row: int32 by item, or empty; items with 0 or more are
    passed over, because something better than words tells how like they are.
    """
    it = glossary_of(table)
    count = int(it.words[asked]) if asked < len(it.words) else 0
    order = _rarest_first(it, int(it.words_at[asked]), count)
    seen, read = 0, 0
    for i in range(count):
        entry = int(it.word[order[i]])
        word = entry >> WEIGHT_BITS
        users = int(it.users[word])
        if read > 0 and read + users > budget:
            break
        read += users
        idf = int(it.idf[word])
        share = (entry & WEIGHT_MASK) * idf * idf
        if share == 0:
            continue
        start = int(it.users_at[word])
        for place in range(start, start + users):
            packed = int(it.user[place])
            other = packed >> WEIGHT_BITS
            it.seen[seen] = other
            seen += it.score[other] == 0
            it.score[other] += share * (packed & WEIGHT_MASK)
    sheet = Sheet(it.score, it.score[:0], it.seen, it.best, it.points, it.keys)
    own = _norm(it, asked) if count > 0 else 0
    size = 0
    for i in range(seen):
        other = it.seen[i]
        dot = int(it.score[other])
        it.score[other] = 0
        if other != asked and not (other < len(row) and row[other] >= 0):
            points = int(MILLIONTHS * dot / np.sqrt(float(own) * float(_norm(it, other))))
            size = offer(sheet, size, how_many, other, points)
    arrange(sheet, size)
    return size


@compiled
def compare(table: Handle, asked: int, others: Column, weight: Column, likeness: Column) -> None:
    """Write how like `asked` each of `others` is by words, in millionths, into `likeness`.

    weight: int32 by word, all zero before and after.
    """
    it = glossary_of(table)
    count = int(it.words[asked]) if asked < len(it.words) else 0
    first = int(it.words_at[asked]) if count > 0 else 0
    for place in range(first, first + count):
        entry = int(it.word[place])
        idf = int(it.idf[entry >> WEIGHT_BITS])
        weight[entry >> WEIGHT_BITS] = (entry & WEIGHT_MASK) * idf * idf
    own = float(_norm(it, asked)) if count > 0 else 0.0
    for i in range(len(others)):
        other = others[i]
        dot, start = 0, int(it.words_at[other])
        for place in range(start, start + it.words[other]):
            entry = int(it.word[place])
            dot += int(weight[entry >> WEIGHT_BITS]) * (entry & WEIGHT_MASK)
        likeness[i] = 0 if dot == 0 else int(MILLIONTHS * dot / np.sqrt(own * float(_norm(it, other))))
    for place in range(first, first + count):
        weight[it.word[place] >> WEIGHT_BITS] = 0


@compiled
def choose(table: Handle, among: Column, told: Column, trail: Column, how_many: int, because: Column) -> int:
    """Find the `how_many` of `among` with the highest of `told`, int64 (asked, n), above 0; returns how many.

    because: int32 (how_many,), takes for each the one of `trail` that told it, ties to the first.
    """
    it = glossary_of(table)
    sheet = Sheet(it.score, it.score[:0], it.seen, it.best, it.points, it.keys)
    size = 0
    for i in range(len(among)):
        most = 0
        for asked in range(len(trail)):
            most = max(most, told[asked, i])
        it.score[among[i]] = i  # where it stands, for the answer below
        if most > 0:
            size = offer(sheet, size, how_many, int(among[i]), most)
    arrange(sheet, size)
    for place in range(size):
        i, asked = it.score[it.best[place]], 0
        while told[asked, i] != it.points[place]:
            asked += 1
        because[place] = trail[asked]
    for i in range(len(among)):
        it.score[among[i]] = 0
    return size
