"""What a question gets: for strangers, pages, short and long pasts; never what must not be shown."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.log.codec import decode
from heedful.log.cursor import Cursor
from heedful.log.sealed import SealedLog
from heedful.vocabulary.decision import REASONS, ROOM, Decision, decode_decision
from heedful.vocabulary.errors import HeedfulError, Invalid
from heedful.vocabulary.event import Event
from heedful.vocabulary.ids import NOBODY, SubjectId
from heedful.vocabulary.kinds import DECISION
from heedful.vocabulary.time import DAY, HOUR, MINUTE, Instant, iso
from tests.services.shop import OPENED, Shop, ids_of


def a_busy_shop() -> Shop:
    """Campers look at tents and stoves, walkers at boots and maps; tents are the most popular."""
    shop = Shop()
    for number in range(4):
        shop.views(f"camper{number}", "tent", "stove")
        shop.wait(60)
    for number in range(2):
        shop.views(f"walker{number}", "boots", "map")
        shop.wait(60)
    shop.views("looker", "tent")
    shop.wait(60)
    return shop


def test_a_stranger_gets_what_is_popular_and_nothing_personal() -> None:
    answer = a_busy_shop().recommend("nobody-knows-me")
    assert ids_of(answer)[0] == "tent"
    assert sorted(ids_of(answer)) == ["boots", "map", "stove", "tent"]
    assert not answer.personalized
    assert {item.reason.code for item in answer.items} == {"popular"}
    assert not answer.degraded
    assert not answer.behind


def test_a_question_for_nobody_in_particular_is_answered_too() -> None:
    answer = a_busy_shop().recommend()
    assert ids_of(answer)[0] == "tent"
    assert not answer.personalized


def test_an_empty_shop_answers_with_nothing() -> None:
    answer = Shop().recommend("ada")
    assert ids_of(answer) == []
    assert not answer.personalized


def test_a_page_alone_gives_its_neighbours_first() -> None:
    answer = a_busy_shop().recommend(item_id="boots")
    assert ids_of(answer)[0] == "map"
    assert "boots" not in ids_of(answer)
    assert answer.items[0].reason.because == ("boots",)
    assert not answer.personalized


def test_a_page_that_nobody_knows_is_like_no_page() -> None:
    shop = a_busy_shop()
    assert shop.ids(item_id="never-heard-of") == shop.ids()


def test_one_click_changes_the_next_answer_of_the_same_person() -> None:
    shop = a_busy_shop()
    assert shop.ids("ada")[0] == "tent"
    shop.views("ada", "boots")
    answer = shop.recommend("ada")
    assert ids_of(answer)[0] == "map"
    assert answer.personalized
    assert answer.items[0].reason.because == ("boots",)


def test_one_click_changes_the_next_answer_of_another_person() -> None:
    shop = a_busy_shop()
    shop.views("ada", "compass")
    assert shop.sources("bo", item_id="compass").keys() & {"lamp"} == set()
    shop.views("ada", "lamp")
    assert shop.sources("bo", item_id="compass")["lamp"]["sessions"] > 0
    assert shop.ids("bo", item_id="compass")[0] == "lamp"


def test_the_page_counts_more_than_what_was_seen_before() -> None:
    shop = a_busy_shop()
    shop.views("ada", "tent")
    assert shop.ids("ada", item_id="boots")[0] == "map"


def test_a_long_past_is_answered_like_a_short_one() -> None:
    shop = a_busy_shop()
    for _ in range(300):
        shop.does("Product Viewed", "ada", "stove", ago=100)
    shop.views("ada", "boots")
    answer = shop.recommend("ada")
    assert ids_of(answer)[0] == "map"
    assert answer.personalized


def test_an_anonymous_visitor_is_not_the_user_of_the_same_name() -> None:
    shop = a_busy_shop()
    shop.track("Product Viewed", anonymous_id="ada", properties={"product_id": "boots"})
    assert shop.recommend(anonymous_id="ada").personalized
    assert not shop.recommend("ada").personalized


@pytest.mark.parametrize("way", ["excluded", "hidden", "disliked", "owned", "deleted", "unavailable"])
def test_what_must_not_be_shown_is_gone_from_the_acknowledgement_on(way: str) -> None:
    shop = a_busy_shop()
    shop.views("ada", "tent")
    question: dict[str, Any] = {}
    assert "stove" in shop.ids("ada")
    match way:
        case "excluded":
            question = {"exclude": ["stove", "unheard-of"]}
        case "hidden":
            shop.does("hide", "ada", "stove")
        case "disliked":
            shop.does("dislike", "ada", "stove")
        case "owned":
            shop.buys("ada", "stove", order="o1")
        case "deleted":
            shop.put_item("stove")
            shop.delete_item("stove")
        case _:
            shop.put_item("stove", available=False)
    assert "stove" not in shop.ids("ada", **question)
    for_all = way in {"deleted", "unavailable"}
    assert ("stove" not in shop.ids("bo")) == for_all


def test_an_item_that_comes_back_is_shown_again() -> None:
    shop = a_busy_shop()
    shop.put_item("stove", available=False)
    assert "stove" not in shop.ids()
    shop.put_item("stove", available=True)
    assert "stove" in shop.ids()
    shop.delete_item("stove")
    assert "stove" not in shop.ids()
    shop.put_item("stove", title="Stove")
    assert "stove" in shop.ids()


def test_a_deleted_item_stays_away_when_people_still_look_at_it() -> None:
    shop = a_busy_shop()
    shop.put_item("stove")
    shop.delete_item("stove")
    shop.views("bo", "stove", "tent")
    assert "stove" not in shop.ids("ada")


@pytest.mark.parametrize("how", ["Order Refunded", "Order Cancelled"])
def test_what_goes_back_can_be_shown_again(how: str) -> None:
    shop = a_busy_shop()
    shop.buys("ada", "stove", "map", order="o1")
    assert not {"stove", "map"} & set(shop.ids("ada"))
    shop.wait(5)
    if how == "Order Refunded":
        shop.does(how, "ada", order_id="o1", products=[{"product_id": "stove"}])
        assert "stove" in shop.ids("ada")
        assert "map" not in shop.ids("ada")
    else:
        shop.does(how, "ada", order_id="o1")
        assert {"stove", "map"} <= set(shop.ids("ada"))


def test_one_of_two_that_goes_back_leaves_one_owned() -> None:
    shop = a_busy_shop()
    shop.does("Order Completed", "ada", order_id="o1", products=[{"product_id": "stove", "quantity": 2}])
    shop.views("ada", "boots")
    shop.does("Order Refunded", "ada", order_id="o1", products=[{"product_id": "stove"}])
    assert "stove" not in shop.ids("ada")
    shop.does("Order Refunded", "ada", order_id="o1", products=[{"product_id": "stove"}])
    assert "stove" in shop.ids("ada")


def test_a_filter_lets_through_only_what_it_says() -> None:
    shop = a_busy_shop()
    shop.put_items([
        {"id": "tent", "categories": ["sleep"], "price": {"minor": 20_000}},
        {"id": "stove", "categories": ["cook"], "price": {"minor": 4_000}},
        {"id": "map", "categories": ["find"], "price": {"minor": 900}},
    ])  # fmt: skip
    cheap = {"field": "price", "op": "lt", "value": 5_000}
    assert sorted(shop.ids(filter=cheap)) == ["map", "stove"]
    cook = {"field": "category", "op": "eq", "value": "cook"}
    assert shop.ids(filter={"all": [cheap, {"not": cook}]}) == ["map"]
    assert shop.ids(filter={"any": []}) == []
    assert len(shop.ids(filter={"all": []})) == 4


def test_a_filter_is_asked_of_the_items_of_this_moment() -> None:
    shop = a_busy_shop()
    dear = {"field": "price", "op": "ge", "value": 1_000}
    assert shop.ids(filter=dear) == []
    shop.put_item("map", price={"minor": 1_000})
    assert shop.ids(filter=dear) == ["map"]
    shop.put_item("map", price={"minor": 999})
    assert shop.ids(filter=dear) == []


@pytest.mark.parametrize(
    ("question", "path"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": -1}, "limit"),
        ({"exclude": [str(n) for n in range(1_001)]}, "exclude"),
        ({"filter": {"field": "price", "op": "like", "value": 3}}, "filter"),
        ({"filter": {}}, "filter"),
        ({"after": "yesterday"}, ""),
        ({"after": "v2.7"}, ""),
        ({"limit": "three"}, ""),
        ({"unheard_of": 1}, ""),
        ({"as_of": "tomorrow"}, ""),
        ({"anonymous_id": "x" * 201}, "anonymousId"),
        ({"placement": "x" * 201}, "placement"),
    ],
)
def test_a_question_out_of_bounds_is_refused_and_leaves_no_decision(
    question: dict[str, Any], path: str
) -> None:
    shop = a_busy_shop()
    with pytest.raises(Invalid) as refused:
        shop.recommend("ada", **question)
    assert path in refused.value.path
    assert shop.engine.recommending.decisions == 0


def test_an_id_longer_than_ids_are_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        Shop().recommend("x" * 201)
    assert (refused.value.code, refused.value.path) == ("id_too_long", "$.userId")


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_the_limit_is_kept(limit: int) -> None:
    shop = a_busy_shop()
    assert len(shop.ids(limit=limit)) == min(limit, 4)


def test_the_first_of_many_are_the_many_of_few() -> None:
    shop = a_busy_shop()
    assert shop.ids("ada", limit=2) == shop.ids("ada", limit=4)[:2]


def test_after_a_position_that_was_reached_the_answer_is_not_behind() -> None:
    shop = a_busy_shop()
    position = shop.does("Product Viewed", "ada", "boots").position
    answer = shop.recommend("ada", after=position)
    assert not answer.behind
    assert answer.position >= position


def test_after_a_position_that_is_not_reached_the_answer_is_behind() -> None:
    shop = a_busy_shop()
    answer = shop.recommend("ada", after="v1.100000")
    assert answer.behind
    assert ids_of(answer)[0] == "tent"
    assert shop.recommend("ada", after="v1.1.1").behind  # a partition that we do not have


def test_asked_about_the_past_trends_are_those_of_then() -> None:
    shop = Shop()
    shop.views("ada", "old")
    then = shop.clock.at
    shop.wait(3 * 24 * 60)
    for number in range(5):
        shop.views(f"p{number}", "new")
    assert shop.ids()[0] == "new"
    assert shop.ids(as_of=iso(Instant(then)))[0] == "old"


def test_an_event_of_a_clock_that_is_ahead_counts_at_once() -> None:
    shop = Shop()
    shop.put_items([{"id": "page", "categories": ["c"]}, {"id": "tent", "categories": ["c"]}])
    shop.clock.at = Instant(shop.clock.at // HOUR * HOUR + 58 * MINUTE)
    shop.does("Product Viewed", "ada", "tent", ago=-4)
    said = shop.sources("bo", item_id="page")["tent"]
    assert said["trending_1d"] == said["category_7d"] == 1.0


def test_trends_of_a_category_are_those_of_then_too() -> None:
    shop = Shop()
    shop.put_items([{"id": name, "categories": ["c"]} for name in ("page", "old", "new")])
    shop.views("ada", "old")
    then = shop.clock.at
    shop.wait(3 * 24 * 60)
    for number in range(5):
        shop.views(f"p{number}", "new")
    now = shop.sources(item_id="page")
    past = shop.sources(item_id="page", as_of=iso(Instant(then)))
    assert now["new"]["category_7d"] == 1.0
    assert past["old"]["category_7d"] == 1.0
    assert "category_7d" not in past.get("new", {})


def decisions_of(shop: Shop) -> list[tuple[SubjectId, Event, Decision]]:
    """Every decision that stands in the log."""
    shop.engine._commits.flush(1.0)
    log = shop.engine.log
    assert isinstance(log, SealedLog)
    found = []
    for stored in log.read(Cursor(), limit=10_000):
        event = decode(stored.record.body)
        if event.kind == DECISION:
            assert stored.record.id == f"heedful:{event.decision}"
            found.append((stored.record.subject, event, decode_decision(event.properties)))
    return found


def test_the_decision_is_in_the_log_as_it_was_shown() -> None:
    shop = a_busy_shop()
    shop.engine.recommending._keep._full_share = 0.0  # by the seed, one in a hundred keeps everything
    shop.views("ada", "boots")
    answer = shop.recommend("ada", placement="home", limit=3)
    (subject, event, kept) = decisions_of(shop)[-1]
    assert event.decision == answer.decision_id
    assert subject != NOBODY
    assert (event.user, event.name, kept.placement) == ("ada", "home", "home")
    assert kept.items == ids_of(answer)
    assert kept.scores == pytest.approx([item.score for item in answer.items], abs=1e-4)
    assert len(event.properties) <= ROOM
    assert set(kept.others).isdisjoint(kept.items)
    assert kept.propensities == [item.propensity for item in answer.items] == [1.0] * 3
    assert [REASONS[number] for number in kept.reasons] == [item.reason.code for item in answer.items]
    assert [(item,) if item else () for item in kept.because] == [i.reason.because for i in answer.items]
    assert kept.position == answer.position
    assert kept.personalized is answer.personalized is True


def test_every_answer_has_a_decision_of_its_own() -> None:
    shop = a_busy_shop()
    answers = [shop.recommend("ada").decision_id for _ in range(20)]
    assert len(set(answers)) == 20
    assert [event.decision for _, event, _ in decisions_of(shop)] == answers


def test_a_decision_for_nobody_does_not_touch_the_catalogue() -> None:
    shop = a_busy_shop()
    before = shop.engine.fold.digests()
    shop.recommend(item_id="tent")
    assert decisions_of(shop)[-1][0] == NOBODY
    assert shop.engine.fold.digests() == before
    assert shop.verify().agrees


def test_decisions_teach_nothing() -> None:
    shop = a_busy_shop()
    before = [(item.item_id, item.score) for item in shop.recommend("ada").items]
    for _ in range(50):
        shop.recommend("ada")
    decisions_of(shop)
    assert [(item.item_id, item.score) for item in shop.recommend("ada").items] == before


def test_the_trace_tells_the_whole_way() -> None:
    shop = a_busy_shop()
    shop.views("ada", "tent")
    shop.does("hide", "ada", "stove")
    answer = shop.recommend("ada", explain=True)
    assert answer.trace is not None
    assert answer.trace["subjectKnown"] is True
    assert answer.trace["trail"] == ["tent"]
    assert answer.trace["removed"] == {"current": ["tent"], "hidden": ["stove"]}
    for stage in answer.trace["stages"]:
        assert stage["considered"] == stage["kept"] + stage["removed"]
    assert shop.recommend("ada").trace is None


def test_an_item_of_the_future_does_not_stop_the_shop() -> None:
    shop = a_busy_shop()
    tomorrow = iso(Instant(OPENED + DAY))
    shop.track("Product Viewed", user_id="ada", properties={"product_id": "boots"}, timestamp=tomorrow)
    assert shop.ids("ada")[0] == "map"


def test_errors_are_of_our_own_kind() -> None:
    with pytest.raises(HeedfulError):
        Shop().recommend("\ud800")
