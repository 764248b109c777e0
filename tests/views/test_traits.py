"""The columns that arranging needs, as the catalogue says now."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.catalogue import Catalogue, ItemChange
from heedful.views.dictionary import Items
from heedful.views.traits import NONE, UNBORN, WIDTH, Traits
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.time import Instant, instant

SPRING = datetime(2026, 4, 1, tzinfo=UTC)


class Shelf:
    def __init__(self) -> None:
        self.items = Items(Pseudonyms(bytes(32)))
        self.catalogue = Catalogue(self.items)
        self.traits = Traits(self.catalogue, self.items)
        self.said = 0

    def say(self, name: str, at: int = 1, gone: bool = False, **fields: object) -> ItemChange:
        self.said += 1
        item = None if gone else Item(ItemId(name), **fields)  # type: ignore[arg-type]  # words of a test
        change = ItemChange(self.items.code(name), Instant(at), self.said, item)
        self.catalogue.apply([change])
        self.traits.refresh()
        return change

    def categories(self, name: str) -> list[int]:
        code = self.items.find(name)
        row: list[int] = self.traits.categories[code * WIDTH : (code + 1) * WIDTH].tolist()
        assert row == sorted(set(row) - {NONE}) + [NONE] * row.count(NONE)
        return [code for code in row if code != NONE]


def test_categories_are_sets_and_go_with_the_description() -> None:
    shelf = Shelf()
    shelf.say("tea", categories=("b", "a", "b"))
    assert shelf.categories("tea") == sorted({shelf.traits.code("a"), shelf.traits.code("b")})
    shelf.say("tea", at=2, categories=tuple("cdefghijkl"))
    assert shelf.categories("tea") == sorted(shelf.traits.code(name) for name in "cdefghij")
    shelf.say("tea", at=3, gone=True)
    assert shelf.categories("tea") == []
    assert shelf.traits.code("nowhere") == NONE


def test_twins_share_their_title_or_their_group() -> None:
    shelf = Shelf()
    shelf.say("a", title="Tea Pot!", properties={"group": "g"})
    shelf.say("b", title="tea  pot", properties={"group": 7})
    shelf.say("c", properties={"group": "7"})
    shelf.say("d", properties={"group": "g"})
    shelf.say("e", properties={"group": ["g"]})
    title, group = shelf.traits.title.tolist(), shelf.traits.group.tolist()
    assert title[0] == title[1] != 0
    assert title[2:5] == [0, 0, 0]
    assert group[0] == group[3] != 0
    assert len({group[1], group[2], group[0], 0}) == 4
    assert group[4] == 0


def test_an_item_is_as_old_as_its_publication_or_its_first_description() -> None:
    shelf = Shelf()
    shelf.say("tea", at=50)
    late = shelf.say("tea", at=20, gone=False)
    shelf.say("tea", at=10, gone=True)
    assert shelf.traits.born[0] == 20
    shelf.catalogue.retract([late])
    shelf.traits.refresh()
    assert shelf.traits.born[0] == 50
    shelf.say("tea", at=60, published=SPRING)
    assert shelf.traits.born[0] == instant(SPRING)
    shelf.items.code("touched")
    shelf.traits.refresh()
    assert shelf.traits.born[1] == UNBORN


def test_the_youngest_come_first_and_ties_go_by_key() -> None:
    shelf = Shelf()
    for number in range(9):
        shelf.say(f"i{number}", at=number // 3 * 10)
    shelf.items.code("touched")
    keys = shelf.items.keys
    expected = sorted(range(3, 9), key=lambda code: (-(code // 3), keys[code]))
    assert shelf.traits.born_between(Instant(1), Instant(21), 99).tolist() == expected
    assert shelf.traits.born_between(Instant(1), Instant(20), 2).tolist() == expected[3:5]
    low = Instant(int(np.iinfo(np.int64).min))
    assert len(shelf.traits.born_between(low, Instant(99), 99)) == 9
