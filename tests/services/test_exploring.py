"""Chance in the answers of a placement: where it may be, as likely as the log says, and replayed from the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from heedful.pipeline.pipeline import Slate
from heedful.vocabulary.decision import Decision
from heedful.vocabulary.recommendation import RecommendRequest
from tests.services.shop import Shop
from tests.services.test_recommend import decisions_of

KNOWN = tuple(f"known{number}" for number in range(6))
NEW = tuple(f"new{number}" for number in range(5))
SHARE = 0.4


def a_shop(**exploration: Any) -> Shop:
    """Six things that everybody knows, and five that hardly anybody has seen."""
    shop = Shop()
    for number, item in enumerate(KNOWN):
        for visitor in range(60 - 4 * number):
            shop.views(f"{item}-{visitor}", item)
    for number, item in enumerate(NEW):
        for visitor in range(number + 1):
            shop.views(f"{item}-{visitor}", item)
    shop.put_placement("home", exploration={"slots": 2, "share": SHARE, **exploration})
    return shop


def once_more(shop: Shop, kept: Decision, who: str) -> Slate:
    """The slate that the pipeline makes of the seed in the log."""
    service = shop.engine.recommending
    request = RecommendRequest(user_id=who, placement=kept.placement, limit=kept.limit)
    context = service._asking.context(
        service._asker(request).subject, limit=kept.limit, now=shop.clock.now(), placement=kept.placement
    )
    plan = service._course(kept.placement).spot.plan(service._around(request, context))
    return service.pipeline(kept.placement).run(context, seed=kept.seed, plan=plan)


def test_chances_are_logged_and_the_answer_is_replayed_from_the_seed_in_the_log() -> None:
    shop = a_shop()
    answers = [shop.recommend("ada", placement="home", limit=5) for _ in range(60)]
    for answer, (_, _, kept) in zip(answers, decisions_of(shop), strict=True):
        chances = [item.propensity for item in answer.items]
        assert kept.propensities == pytest.approx(chances, abs=1e-7)
        assert [place for place, chance in enumerate(chances) if chance < 1] == [2, 4]
        assert kept.policy == "greedy, slots"
        slate = once_more(shop, kept, "ada")
        assert [shop.engine.fold.items.ids[item] for item in slate.items.tolist()] == kept.items
        assert slate.propensities.tolist() == chances
    assert len({tuple(item.item_id for item in answer.items) for answer in answers}) > 5


def test_what_is_shown_is_as_likely_as_was_said() -> None:
    shop = a_shop()
    counts: dict[tuple[int, str], int] = {}
    said: dict[tuple[int, str], float] = {}
    answers = 400
    for _ in range(answers):
        for place, item in enumerate(shop.recommend("ada", placement="home", limit=5).items):
            key = place, str(item.item_id)
            counts[key] = counts.get(key, 0) + 1
            assert said.setdefault(key, item.propensity) == item.propensity
    for place in range(5):
        assert sum(chance for (one, _), chance in said.items() if one == place) == pytest.approx(
            1.0, abs=1e-6
        )
    for key, chance in said.items():
        assert abs(counts[key] - answers * chance) <= 4.5 * np.sqrt(answers * chance * (1 - chance)) + 1e-9
    explored = {item for (_, item), chance in said.items() if chance < 1} - set(KNOWN)
    assert explored == set(NEW), "every new thing gets a measured share"
    assert said[4, KNOWN[4]] == pytest.approx(1 - SHARE, abs=1e-6)


@pytest.mark.parametrize("exploration", [{"slots": 0}, {"share": 0.0}])
def test_without_a_budget_nothing_is_left_to_chance(exploration: Mapping[str, Any]) -> None:
    shop = a_shop(**exploration)
    answers = [shop.recommend("ada", placement="home", limit=5).items for _ in range(20)]
    assert all(answer == answers[0] for answer in answers)
    assert {item.propensity for item in answers[0]} == {1.0}
    shop.put_placement(
        "home", exploration=exploration, rules=[{"rule": "pin", "name": "pin", "item": "new1", "place": 1}]
    )
    shop.recommend("ada", placement="home")
    assert decisions_of(shop)[-1][2].policy == "greedy"


def test_what_may_not_be_shown_is_not_explored() -> None:
    shop = a_shop(slots=3, share=1.0)
    shop.does("hide", "ada", "new4")
    shop.put_item("new3", available=False)
    seen = {
        str(item.item_id)
        for _ in range(100)
        for item in shop.recommend("ada", placement="home", limit=5, exclude=["new2"]).items
    }
    assert seen & set(NEW) == {"new0", "new1"}


def test_pins_stand_where_they_are_whatever_chance_says() -> None:
    shop = a_shop(slots=3, share=1.0)
    shop.put_placement(
        "home", exploration={"slots": 3, "share": 1.0},
        rules=[{"rule": "pin", "name": "pin", "item": "new1", "place": 5}],
    )  # fmt: skip
    for _ in range(30):
        items = shop.recommend("ada", placement="home", limit=5).items
        assert (items[4].item_id, items[4].propensity) == ("new1", 1.0)
        assert decisions_of(shop)[-1][2].policy == "greedy, slots"
        assert len({item.item_id for item in items}) == 5
