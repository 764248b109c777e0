"""Vectors at the door: what is kept reads again, what is wrong refuses only its item."""

from __future__ import annotations

import math
from typing import Any

import pytest

from heedful.faces.client import Client
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from tests.services.shop import Shop


def fates(shop: Client, *items: Any) -> list[tuple[str, str, str]]:
    answer = shop.put_items(items)
    return [(str(fate.status), fate.code or "", fate.path or "") for fate in answer.events]


GOOD = ("accepted", "", "")
BAD = ("refused", "vector_invalid", "$.vector")


def test_a_vector_is_read_back_and_survives_a_fold_from_zero() -> None:
    shop = Shop()
    assert fates(shop, {"id": "tent", "vector": [0.25, -1, 3e-3]}) == [GOOD]
    found = shop.item("tent")
    assert found is not None
    assert found.vector == (0.25, -1.0, 0.003)
    assert shop.verify().agrees
    shop.put_item("tent", title="Tent")
    assert shop.engine.fold.catalogue.vector_length() == 0


@pytest.mark.parametrize(
    "vector",
    [(math.nan, 1.0), (math.inf,), (10**400,), (0.0, 0.0), ("a",), (1.0,) * 2_049],
    ids=["nan", "infinite", "huge", "zero", "text", "long"],
)
def test_a_vector_that_is_none_refuses_only_its_item(vector: Any) -> None:
    shop = Shop()
    bad = Item(ItemId("bad"), vector=vector)
    assert fates(shop, bad, Item(ItemId("good"), vector=(1.0, 2.0))) == [BAD, GOOD]
    assert shop.item("bad") is None


def test_all_vectors_have_the_length_of_those_that_are_there() -> None:
    shop = Shop()
    one, two = {"id": "a", "vector": [1.0]}, {"id": "b", "vector": [1.0, 2.0]}
    assert fates(shop, one, two, {"id": "c"}) == [GOOD, BAD, GOOD]
    assert fates(shop, two) == [BAD]
    assert fates(shop, {"id": "a"}) == [GOOD]
    assert fates(shop, two) == [GOOD]
    shop.delete_item("b")
    assert fates(shop, one) == [GOOD]


@pytest.mark.parametrize("vector", [["a"], [None], [True], "1 2", [1.0] * 2_049])
def test_json_of_another_type_is_no_vector(vector: Any) -> None:
    with pytest.raises(Invalid):
        Shop().put_items([{"id": "bad", "vector": vector}])
