"""What many questions and narrow conditions must not do to an answer."""

from __future__ import annotations

from tests.services.shop import Shop


def test_a_person_who_was_asked_for_often_is_still_the_same_person() -> None:
    shop = Shop()
    shop.views("bo", "tent", "stove")
    shop.views("ada", "tent")
    for _ in range(1_500):
        answer = shop.recommend("ada", limit=1)
    assert answer.personalized
    assert [item.item_id for item in answer.items] == ["stove"]


def test_a_condition_that_few_items_meet_finds_them_all() -> None:
    shop = Shop()
    shop.put_items([{"id": f"plain-{n:03d}", "categories": ["plain"]} for n in range(500)])
    shop.put_items([{"id": f"rare-{n}", "categories": ["rare"]} for n in range(3)])
    for n in range(400):
        shop.views(f"p{n}", f"plain-{n:03d}")
    shop.views("cy", "rare-1")
    answer = shop.recommend("ada", limit=10, filter={"field": "category", "op": "eq", "value": "rare"})
    assert sorted(item.item_id for item in answer.items) == ["rare-0", "rare-1", "rare-2"]
