"""Content similarity against its slow twin: whatever was said and taken back in whatever order."""

from __future__ import annotations

import math
from collections import Counter
from hashlib import blake2b
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.catalogue import Catalogue, ItemChange
from heedful.views.content import Content
from heedful.views.dictionary import Items
from heedful.views.vectors import rounded
from heedful.views.words import words_of
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.time import Instant

COUNT = 7
MANY = 100


def shop(count: int = COUNT) -> Items:
    items = Items(Pseudonyms(bytes(32)))
    for number in range(count):
        items.code(f"item-{number}")
    return items


def cosine(dot: int, one: int, other: int) -> int:
    return int(1_000_000 * dot / math.sqrt(float(one) * float(other)))


def twin(live: dict[int, Item], keys: Any, asked: int, budget: int = 10**9) -> list[tuple[int, int]]:
    """The slow twin: every other item that is like `asked`, with how much, best first."""
    words = {code: words_of(item) for code, item in live.items()}
    users = Counter(word for found in words.values() for word in found)
    described = sum(1 for found in words.values() if found)
    idf = {word: round(16 * math.log1p(described / n)) if n > 1 else 0 for word, n in users.items()}
    norm = {code: sum((w * idf[word]) ** 2 for word, w in found.items()) for code, found in words.items()}
    said: set[str] = set()
    for word in sorted(words.get(asked, {}), key=lambda word: (users[word], key_of(word))):
        if said and sum(users[one] for one in said) + users[word] > budget:
            break
        said.add(word)
    cells = {code: rounded(item.vector) for code, item in live.items() if item.vector}
    lengths = Counter(len(one) for one in cells.values() if one is not None)
    length = min(lengths, key=lambda one: (-lengths[one], one), default=0)
    whole = {c: v.astype(int) for c, v in cells.items() if v is not None and len(v) == length}
    found = {}
    for other in live:
        if other != asked and asked in whole and other in whole:
            dot = int(whole[asked] @ whole[other])
            sizes = int(whole[asked] @ whole[asked]), int(whole[other] @ whole[other])
            found[other] = cosine(dot, *sizes) if dot > 0 else 0
        elif other != asked and asked in live:
            shared = said & set(words[other])
            dot = sum(words[asked][word] * words[other][word] * idf[word] ** 2 for word in shared)
            found[other] = cosine(dot, norm[asked], norm[other]) if dot else 0
    ranked = sorted(found, key=lambda other: (-found[other], keys[other]))
    return [(other, found[other]) for other in ranked if found[other]]


def key_of(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")


def told(content: Content, asked: int, how_many: int = MANY) -> list[tuple[int, int]]:
    found = content.like(asked, how_many)
    return list(zip(found.items.tolist(), found.scores.tolist(), strict=True))


NUMBERS = st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.25])
described = st.builds(
    Item,
    id=st.just(ItemId("x")),
    title=st.lists(st.sampled_from(["red", "blue", "tea", "pot", "Lamp"]), max_size=4).map(" ".join),
    categories=st.lists(st.sampled_from(["Home", "Tea, all", "Light"]), max_size=2).map(tuple),
    properties=st.dictionaries(
        st.sampled_from(["brand", "text", "price"]),
        st.sampled_from([1, 2.5, True, "Acme", "a red lamp for the home", ["Acme", "Bolt"], None]),
        max_size=2,
    ),
    vector=st.one_of(
        st.just(()),
        st.tuples(NUMBERS, NUMBERS, NUMBERS),
        st.lists(NUMBERS, min_size=2, max_size=2).map(tuple),
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, COUNT - 1), st.one_of(st.none(), described)), max_size=16),
    order=st.randoms(use_true_random=False),
    budget=st.sampled_from([1, 4, 10_000]),
)
def test_likeness_is_what_the_set_of_descriptions_says(
    changes: list[tuple[int, Item | None]], order: Any, budget: int
) -> None:
    items = shop()
    catalogue = Catalogue(items)
    content = Content(catalogue, items, budget=budget)
    versions = [ItemChange(code, Instant(at), at, item) for at, (code, item) in enumerate(changes)]
    order.shuffle(versions)
    live: list[ItemChange] = []
    for change in versions:
        catalogue.apply([change])
        live.append(change)
        if order.random() < 0.3:
            back = order.choice(live)
            live.remove(back)
            catalogue.retract([back])
        if order.random() < 0.5:
            check(content, live, items, budget)
    check(content, live, items, budget)
    fresh = Content(catalogue, items, budget=budget)
    for asked in range(COUNT):
        assert told(fresh, asked) == told(content, asked)
    catalogue.retract(live)
    assert all(told(content, asked) == [] for asked in range(COUNT))
    assert not content._codes
    assert not content._users.any()
    assert not content._word.columns[0][1:].any() or content._free  # blocks are free and linked, or zero
    assert not content.vectors.cells.any()


def check(content: Content, live: list[ItemChange], items: Items, budget: int) -> None:
    last = {change.code: change.item for change in sorted(live, key=lambda one: one.at)}
    there = {code: item for code, item in last.items() if item is not None}
    for asked in range(COUNT):
        expected = twin(there, items.keys, asked, budget)
        assert told(content, asked) == expected
        assert told(content, asked, 2) == expected[:2]
        everyone = np.arange(COUNT, dtype=np.int32)
        whole = dict(twin(there, items.keys, asked))
        likeness = content.likeness(asked, everyone)
        assert [likeness[other] for other in range(COUNT) if other != asked] == [
            whole.get(other, 0) for other in range(COUNT) if other != asked
        ]


def test_the_nearest_of_a_trail_say_which_of_it_they_are_like() -> None:
    items = shop()
    catalogue = Catalogue(items)
    content = Content(catalogue, items)
    titles = ["red tea pot", "blue lamp", "red tea cup", "blue lamp shade", "chair", "red lamp"]
    for code, title in enumerate(titles):
        catalogue.apply([ItemChange(code, Instant(1), code, Item(ItemId("x"), title=title))])
    trail = np.array([0, 1], dtype=np.int32)
    among = np.array([5, 4, 3, 2], dtype=np.int32)
    near = content.nearest(trail, among, 3)
    assert near.items.tolist() == [2, 3, 5]
    expected = np.stack([content.likeness(0, near.items), content.likeness(1, near.items)])
    assert near.scores.tolist() == expected.max(axis=0).tolist()
    assert near.because.tolist() == [0, 1, 0] == trail[expected.argmax(axis=0)].tolist()
    assert content.nearest(trail, among, 1).items.tolist() == [2]
    assert content.nearest(trail[:0], among, 3).items.tolist() == []
    assert told(content, 4) == []  # and the scratch is clean again
    assert [item for item, _ in told(content, 0)] == [item for item, _ in twin(
        {c: Item(ItemId("x"), title=t) for c, t in enumerate(titles)}, items.keys, 0
    )]  # fmt: skip


def test_a_new_price_costs_nothing_and_a_new_title_counts_at_once() -> None:
    items = shop()
    catalogue = Catalogue(items)
    content = Content(catalogue, items)
    for code in range(3):
        catalogue.apply([ItemChange(code, Instant(1), code, Item(ItemId("x"), title="red lamp"))])
    before = content.like(0, 5)
    catalogue.apply([ItemChange(1, Instant(2), 9, Item(ItemId("x"), title="Red lamp!", available=False))])
    assert content.like(0, 5) is before
    catalogue.apply([ItemChange(1, Instant(3), 10, Item(ItemId("x"), title="chair"))])
    assert content.like(0, 5).items.tolist() == [2]
    catalogue.apply([ItemChange(2, Instant(3), 11, None)])
    assert content.like(0, 5).items.tolist() == []


def test_a_large_catalogue_answers_as_its_twin_does() -> None:
    random = np.random.default_rng(2)
    count = 900
    items = shop(count)
    catalogue = Catalogue(items)
    content = Content(catalogue, items, budget=400)
    live: dict[int, Item] = {}
    for said, code in enumerate([*range(count), *random.integers(0, count, 300).tolist()]):
        words = random.zipf(1.3, 6) % 400
        item = Item(ItemId("x"), title=" ".join(f"w{word}" for word in words))
        live[code] = item
        catalogue.apply([ItemChange(code, Instant(said), said, item)])
        if said % 400 == 0:
            content.like(code, 3)
    for asked in random.integers(0, count, 12).tolist():
        assert told(content, asked, 60) == twin(live, items.keys, asked, 400)[:60]


def test_vectors_find_their_neighbours_among_many() -> None:
    random = np.random.default_rng(6)
    count, length, kinds = 4_000, 48, 100
    items = shop(count)
    centres = random.standard_normal((kinds, length))
    given = {
        code: (centres[code % kinds] + 0.4 * random.standard_normal(length)).tolist() for code in range(count)
    }
    catalogue = Catalogue(items)
    content = Content(catalogue, items)
    for code, vector in given.items():
        catalogue.apply([ItemChange(code, Instant(1), code, Item(ItemId("x"), vector=tuple(vector)))])
    cells = np.array([rounded(given[code]) for code in range(count)], dtype=np.int64)
    right = 0
    for asked in range(0, count, 100):
        likeness = cells @ cells[asked] / np.sqrt((cells**2).sum(axis=1))
        likeness[asked] = -np.inf
        truth = set(np.argsort(-likeness)[:20].tolist())
        right += len(truth & set(content.like(asked, 20).items.tolist()))
    assert right / (20 * count / 100) > 0.97


def test_an_index_restored_from_a_catalogue_is_the_same() -> None:
    items = shop()
    catalogue = Catalogue(items)
    for code in range(COUNT):
        item = Item(ItemId("x"), title=f"red lamp {code % 3}", vector=(1.0, float(code)) if code > 3 else ())
        catalogue.apply([ItemChange(code, Instant(1), code, item)])
    content = Content(catalogue, items)
    again = Catalogue(items)
    follower = Content(again, items)
    again.restore(catalogue.state())
    assert [told(follower, code) for code in range(COUNT)] == [told(content, code) for code in range(COUNT)]
    empty = Catalogue(items)
    again.restore(empty.state())
    assert all(told(follower, code) == [] for code in range(COUNT))
