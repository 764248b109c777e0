"""Every filter: what it takes out, what it leaves, and that it looks at this moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heedful.pipeline.candidates import KEPT, Candidates
from heedful.pipeline.context import Context
from heedful.pipeline.filters import Filter, Holds, NotExcluded, NotHidden, NotOwned, NotThisPage, Servable
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.catalogue import Catalogue, ItemChange
from heedful.views.dictionary import Items
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.time import Instant

NAMES = ("tent", "stove", "map", "boots")


def codes(*found: int) -> NDArray[np.int32]:
    return np.array(found, dtype=np.int32)


def question(**known: Any) -> Context:
    bare = Context(
        subject=0, trail=codes(), personal=0, owned=codes(), hidden=codes(), excluded=codes(),
        as_of=Instant(0), limit=10,
    )  # fmt: skip
    return bare._replace(**known)


def left(filter_: Filter, context: Context, *items: int) -> list[int]:
    candidates = Candidates(1, lambda: 100)
    candidates.add(0, codes(*items), np.ones(len(items)), codes(-1))
    removed = filter_.remove(context, candidates, 3)
    kept: list[int] = candidates.items[candidates.reasons == KEPT].tolist()
    assert len(kept) + removed == len(items)
    assert filter_.remove(context, candidates, 3) == 0
    return kept


class Shelf:
    """A catalogue of a few items, in the order of NAMES."""

    def __init__(self, *, required: bool = False) -> None:
        self.items = Items(Pseudonyms(b"k" * 32))
        self.catalogue = Catalogue(self.items, required=required)
        self._said = 0
        for name in NAMES:
            self.items.code(name)
        self.catalogue.ensure(len(NAMES))

    def say(self, name: str, **fields: Any) -> None:
        self._change(name, Item(ItemId(name), **fields))

    def delete(self, name: str) -> None:
        self._change(name, None)

    def _change(self, name: str, item: Item | None) -> None:
        self._said += 1
        self.catalogue.apply([ItemChange(self.items.code(name), Instant(self._said), self._said, item)])


def test_what_is_deleted_or_not_available_goes() -> None:
    shelf = Shelf()
    servable = Servable(shelf.catalogue)
    assert left(servable, question(), 0, 1, 2) == [0, 1, 2]
    shelf.say("tent", available=False)
    shelf.say("stove")
    shelf.delete("map")
    assert left(servable, question(), 0, 1, 2, 3) == [1, 3]
    shelf.say("tent")
    shelf.say("map")
    assert left(servable, question(), 0, 1, 2, 3) == [0, 1, 2, 3]


def test_where_a_catalogue_is_required_only_described_items_stay() -> None:
    shelf = Shelf(required=True)
    servable = Servable(shelf.catalogue)
    assert left(servable, question(), 0, 1) == []
    shelf.say("stove")
    assert left(servable, question(), 0, 1) == [1]


def test_the_item_that_is_looked_at_goes_and_older_ones_stay() -> None:
    assert left(NotThisPage(), question(trail=codes(2, 1)), 0, 1, 2) == [0, 1]
    assert left(NotThisPage(), question(), 0, 1, 2) == [0, 1, 2]


@pytest.mark.parametrize(
    ("filter_", "field"), [(NotExcluded(), "excluded"), (NotOwned(), "owned"), (NotHidden(), "hidden")]
)
@settings(max_examples=60, deadline=None)
@given(items=st.lists(st.integers(0, 40), max_size=20, unique=True), banned=st.lists(st.integers(0, 40)))
def test_what_is_banned_goes_and_all_else_stays(
    filter_: Filter, field: str, items: list[int], banned: list[int]
) -> None:
    context = question(**{field: codes(*banned)})
    assert left(filter_, context, *items) == [item for item in items if item not in banned]


def test_a_condition_is_asked_of_each_item_as_it_stands() -> None:
    shelf = Shelf()
    asked: list[tuple[Item | None, str]] = []

    def titled(item: Item | None, name: str) -> bool:
        asked.append((item, name))
        return item is not None and item.title == "T"

    holds = Holds(titled, shelf.catalogue, shelf.items)
    shelf.say("tent", title="T")
    assert left(holds, question(), 0, 1) == [0]
    assert [(item is None, name) for item, name in asked][:2] == [(False, "tent"), (True, "stove")]
    shelf.say("tent", title="U")
    assert left(holds, question(), 0, 1) == []
    assert left(holds, question()) == []
