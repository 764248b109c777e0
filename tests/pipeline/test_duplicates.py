"""Of what is the same thing under several ids, the best candidate stays, and the others say why they went."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.pipeline.candidates import KEPT, Candidates
from heedful.pipeline.context import Context
from heedful.pipeline.duplicates import NotTwice
from heedful.pipeline.kinship import Kinship
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.catalogue import Catalogue, ItemChange
from heedful.views.content import Content
from heedful.views.dictionary import Items
from heedful.views.traits import Traits
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.time import Instant

NONE = np.empty(0, dtype=np.int32)
CONTEXT = Context(0, NONE, 0, NONE, NONE, NONE, None, 9)


class Shelf:
    def __init__(self, described: list[dict[str, Any]]) -> None:
        self.items = Items(Pseudonyms(b"k" * 32))
        self.catalogue = Catalogue(self.items)
        for number, fields in enumerate(described):
            item = Item(ItemId(f"i{number}"), **fields)
            self.catalogue.apply([ItemChange(self.items.code(item.id), Instant(1), number, item)])
        self.kinship = Kinship(Traits(self.catalogue, self.items), Content(self.catalogue, self.items))

    def left(self, totals: dict[int, float], gone: set[int] | None = None, **settings: Any) -> set[int]:
        candidates = Candidates(1, lambda: 1_000)
        candidates.clear()
        items = np.array(list(totals), dtype=np.int32)
        candidates.add(0, items, np.ones(len(items)), np.array([-1], dtype=np.int32))
        candidates.totals[:] = list(totals.values())
        candidates.remove_items(np.array(sorted(gone or ()), dtype=np.int32), 1)
        twice = NotTwice(self.kinship, self.items, **settings)
        considered = int((candidates.reasons == KEPT).sum())
        removed = twice.remove(CONTEXT, candidates, 7)
        kept = set(candidates.items[candidates.reasons == KEPT].tolist())
        assert removed == int((candidates.reasons == 7).sum())
        assert considered == len(kept) + removed
        assert twice.remove(CONTEXT, candidates, 8) == 0
        return kept


@settings(max_examples=150, deadline=None)
@given(
    described=st.lists(
        st.fixed_dictionaries(
            {
                "title": st.sampled_from(["", "Tea pot", "tea POT", "Lamp", "Chair"]),
                "properties": st.sampled_from([{}, {"group": "g"}, {"group": "h"}, {"group": 3}]),
            }
        ),
        max_size=12,
    ),
    totals=st.dictionaries(st.integers(0, 14), st.sampled_from([0.0, 1.0, 2.5, -1.0])),
    gone=st.sets(st.integers(0, 14), max_size=3),
    titles=st.booleans(),
)
def test_the_best_of_every_kind_stays(
    described: list[dict[str, Any]], totals: dict[int, float], gone: set[int], titles: bool
) -> None:
    shelf = Shelf(described)
    for code in range(len(described), 15):
        shelf.items.code(f"i{code}")
    stay: list[int] = []
    for item in sorted(totals, key=lambda item: (-totals[item], shelf.items.keys[item])):
        said = shelf.catalogue.get(item)
        mine = set() if said is None else {("group", str(said.properties.get("group", "")))}
        mine |= {("title", said.title.casefold())} if said and titles else set()
        theirs = set()
        for one in stay:
            other = shelf.catalogue.get(one)
            if other is not None:
                theirs |= {
                    ("group", str(other.properties.get("group", ""))),
                    ("title", other.title.casefold()),
                }
        if item not in gone and not {name for name in mine & theirs if name[1]}:
            stay.append(item)
    assert shelf.left(totals, gone, titles=titles) == set(stay)


def test_vectors_that_differ_in_next_to_nothing_are_one_thing() -> None:
    random = np.random.default_rng(8)
    vectors = random.standard_normal((30, 64))
    vectors[10:20] = vectors[:10] + 0.01 * random.standard_normal((10, 64))
    shelf = Shelf([{"title": f"thing {n}", "vector": tuple(row.tolist())} for n, row in enumerate(vectors)])
    totals = {item: float(item) for item in range(30)}
    assert shelf.left(totals) == set(range(10, 30))
    assert shelf.left(totals, {12}) == set(range(11, 30)) - {12} | {2, 10}
    assert shelf.left(totals, alike=1.01) == set(range(30))


def test_items_without_a_word_are_no_twins_of_each_other() -> None:
    shelf = Shelf([{}, {}, {"properties": {"group": ""}}, {"properties": {"group": True}}])
    assert shelf.left(dict.fromkeys(range(6), 1.0)) == set(range(6))
