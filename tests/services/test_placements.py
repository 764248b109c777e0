"""Placements as people write them: what is refused and where, what counts from when, and what each rule does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from heedful.compose import Heedful
from heedful.records.memory import MemoryRecords
from heedful.records.records import Draft
from heedful.services.placements import KIND, Placements
from heedful.vocabulary.errors import Conflict, Invalid, NotFound, RecordsUnavailable
from heedful.vocabulary.placement import Placement, placement_of
from heedful.vocabulary.time import FixedClock
from tests.services.shop import OPENED, Shop, ids_of
from tests.services.test_recommend import decisions_of


def a_shop() -> Shop:
    """Tents, stoves, lamps and mugs, in that order of popularity, each described."""
    shop = Shop()
    for item, category, price in (
        ("tent", "sleep", 9_000), ("stove", "cook", 4_000), ("lamp", "light", 2_000), ("mug", "cook", 500),
    ):  # fmt: skip
        shop.put_item(item, title=item, categories=[category], price={"minor": price, "currency": "EUR"})
    for number, item in enumerate(("tent", "stove", "lamp", "mug")):
        for visitor in range(8 - 2 * number):
            shop.views(f"v{visitor}-{item}", item)
    return shop


def rule(kind: str, **fields: Any) -> dict[str, Any]:
    return {"rule": kind, "name": "r", **fields}


def where(field: str, op: str, value: object) -> dict[str, object]:
    return {"field": field, "op": op, "value": value}


POPULAR = ["tent", "stove", "lamp", "mug"]
COOK = where("category", "eq", "cook")


def shown(
    shop: Shop, *rules: Mapping[str, Any], who: str | None = None, reported: bool = False, **question: Any
) -> list[str]:
    """What `home` shows with these rules. reported: pages say themselves what was in view."""
    named = [{**one, "name": f"r{number}"} for number, one in enumerate(rules)]
    shop.put_placement("home", rules=named, shown=not reported)
    return shop.ids(who, placement="home", **question)


# What is refused, and where


@pytest.mark.parametrize(
    ("body", "path", "words"),
    [
        ([], "", "object"),
        ({"name": "other"}, "name", "other"),
        ({"colour": "red"}, "", "colour"),
        ({"kind": "flags"}, "kind", "flags"),
        ({"diversity": 1.5}, "diversity", "<= 1.0"),
        ({"calibration": -0.1}, "calibration", ">= 0.0"),
        ({"exploration": {"slots": 4}}, "exploration.slots", "<= 3"),
        ({"exploration": {"share": 2}}, "exploration.share", "<= 1.0"),
        ({"attribution": {"purchaseHours": 0}}, "attribution.purchaseHours", ">= 1"),
        ({"holdout": 0.6}, "holdout", "<= 0.5"),
        ({"objective": {"click": -1}}, "", "objective.click: a weight is 0 to 1000"),
        ({"objective": {"click": 0}}, "", "at least one kind of outcome"),
        ({"objective": {}}, "", "at least one kind of outcome"),
        ({"sources": {}}, "", "at least one source"),
        ({"sources": {"gut feeling": 1}}, "sources.gut feeling", "sessions"),
        ({"rules": [rule("dance")]}, "rules[0].rule", "dance"),
        ({"rules": [rule("boost", where=COOK, factor=11)]}, "rules[0].factor", "<= 10.0"),
        ({"rules": [rule("boost", where=COOK)]}, "rules[0]", "factor"),
        ({"rules": [rule("pin", item="tent", place=0)]}, "rules[0].place", ">= 1"),
        ({"rules": [rule("frequency_cap", most=0, hours=1)]}, "rules[0].most", ">= 1"),
        ({"rules": [rule("do_not_repeat", hours=10_000)]}, "rules[0].hours", "<= 2160"),
        ({"rules": [{**rule("do_not_repeat", hours=1), "name": "Aloud!"}]}, "rules[0]", "lower-case"),
        ({"rules": [rule("do_not_repeat", hours=1)] * 2}, "", "'r' stands there twice"),
        ({"rules": [rule("exclude", where=where("colour", "eq", 1))]}, "rules[0].where.field", "age_days"),
        ({"rules": [rule("exclude", where=where("hour", "eq", 1))]}, "rules[0].where.field", "properties."),
        ({"rules": [rule("exclude", where=where("age_days", "lt", "1"))]}, "rules[0].where.value", "days"),
        (
            {"rules": [rule("exclude", where=COOK, when={"all": [where("price", "lt", 1)]})]},
            "rules[0].when.all[0].field", "context.",
        ),
        (
            {"rules": [rule("exclude", where=COOK, when=where("hour", "eq", 24))]},
            "rules[0].when.value", "0 to 23",
        ),
        (
            {"rules": [rule("exclude", where=COOK, when=where("weekday", "in", [0]))]},
            "rules[0].when.value[0]", "Monday",
        ),
        ({"rules": [rule("exclude", where=COOK, when=where("known", "eq", 1))]}, "rules[0].when.value", "true"),
        ({"variants": [{"id": "a"}]}, "", "kind to 'variants'"),
        ({"kind": "variants", "variants": [{"id": "a"}]}, "", "at least 2"),
        ({"kind": "variants", "variants": [{"id": "a"}, {"id": "a"}]}, "", "twice"),
        (
            {"kind": "variants", "variants": [{"id": "a"}, {"id": "b"}], "minimumPropensity": 0.6},
            "", "at most 0.5000",
        ),
        ({"variants": [{"id": "a", "payload": {"x": "y" * 20_000}}]}, "variants[0]", "bytes"),
        ({"algorithm": "magic"}, "algorithm", "magic"),
        ({"halfLifeDays": 0}, "halfLifeDays", "> 0.0"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_its_path(body: Any, path: str, words: str) -> None:
    placements = Placements(MemoryRecords(), FixedClock(OPENED), sources=("sessions", "next"))
    with pytest.raises(Invalid) as refused:
        placements.put("home", body, author="ann")
    assert (refused.value.code, refused.value.path) == ("placement_invalid", path)
    assert words in str(refused.value)
    assert placements.list().placements == ()


@pytest.mark.parametrize("name", ["", "x" * 201, "a/b", "a\0"])
def test_a_name_is_1_to_200_characters_without_a_slash(name: str) -> None:
    with pytest.raises(Invalid, match="1 to 200"):
        placement_of(name, {})


def test_a_placement_reads_back_as_it_was_written() -> None:
    hero = placement_of("hero", {
        "kind": "variants", "algorithm": "squarecb", "minimumPropensity": 0.1, "reward": "purchase",
        "halfLifeDays": None, "variants": [{"id": "a", "payload": {"text": "Hi"}}, {"id": "b"}],
    })  # fmt: skip
    assert msgspec.json.decode(msgspec.json.encode(hero), type=Placement) == hero
    assert (hero.minimum_propensity, hero.half_life_days, hero.variants[0].payload) == (
        0.1,
        None,
        {"text": "Hi"},
    )
    plain = placement_of("home", {})
    assert plain == Placement(name="home")
    assert (plain.attribution.hours, plain.attribution.purchase_hours) == (24, 168)


# What counts, and from when


def test_a_name_that_nobody_defined_gets_what_is_built_in() -> None:
    shop = a_shop()
    assert shop.ids(placement="nowhere") == shop.ids() == POPULAR
    with pytest.raises(NotFound, match="built in"):
        shop.placement("nowhere")


def test_a_change_holds_for_the_next_answer_and_for_its_placement_alone() -> None:
    shop = a_shop()
    made = shop.put_placement("home", rules=[rule("exclude", where=COOK)], note="no pots")
    assert (made.version, made.author, made.note) == (1, "client", "no pots")
    assert shop.ids(placement="home") == ["tent", "lamp"]
    assert shop.ids(placement="basket") == POPULAR
    shop.put_placement("home")
    assert shop.ids(placement="home") == POPULAR


def test_versions_stay_and_one_can_be_brought_back() -> None:
    shop = a_shop()
    shop.put_placement("home", rules=[rule("exclude", where=COOK)])
    shop.put_placement("home")
    back = shop.rollback_placement("home", 1, note="better")
    assert shop.ids(placement="home") == ["tent", "lamp"]
    assert [one.version for one in shop.placement_versions("home")] == [3, 2, 1]
    assert back.placement == shop.placement_versions("home")[-1].placement
    with pytest.raises(NotFound, match="no version 9"):
        shop.rollback_placement("home", 9)


def test_a_deleted_placement_is_what_is_built_in_and_can_come_back() -> None:
    shop = a_shop()
    shop.put_placement("home", rules=[rule("exclude", where=COOK)])
    gone = shop.delete_placement("home")
    assert (gone.version, gone.deleted, gone.placement) == (2, True, None)
    assert shop.ids(placement="home") == POPULAR
    assert shop.placements() == ()
    with pytest.raises(NotFound):
        shop.delete_placement("home")
    with pytest.raises(Invalid, match="deletion"):
        shop.rollback_placement("home", 2)
    assert shop.rollback_placement("home", 1).version == 3
    assert shop.ids(placement="home") == ["tent", "lamp"]


def test_of_two_who_change_the_same_version_the_second_is_told() -> None:
    placements = Placements(MemoryRecords(), FixedClock(OPENED))
    placements.put("home", {}, author="ann", expected=0)
    placements.put("home", {"diversity": 0.1}, author="ann", expected=1)
    with pytest.raises(Conflict, match="version 2"):
        placements.put("home", {"diversity": 0.9}, author="bob", expected=1)
    standing = placements.standing("home")
    assert standing is not None
    assert standing.placement is not None
    assert (standing.version, standing.placement.diversity) == (2, 0.1)


def test_a_change_of_another_process_holds_within_a_second() -> None:
    records, seconds = MemoryRecords(), [0.0]
    mine = Placements(records, FixedClock(OPENED), ticks=lambda: seconds[0])
    Placements(records, FixedClock(OPENED)).put("home", {}, author="bob")
    seconds[0] = 0.9
    assert mine.standing("home") is None
    seconds[0] = 1.0
    standing = mine.standing("home")
    assert standing is not None
    assert standing.version == 1


def test_while_the_definitions_cannot_be_read_what_is_known_goes_on() -> None:
    class Breaking(MemoryRecords):
        broken = False

        def revision(self) -> int:
            if self.broken:
                raise RecordsUnavailable("no disk")
            return super().revision()

    records, seconds = Breaking(), [0.0]
    placements = Placements(records, FixedClock(OPENED), ticks=lambda: seconds[0])
    placements.put("home", {}, author="ann")
    records.broken, seconds[0] = True, 5.0
    assert placements.standing("home") is not None


def test_a_definition_that_this_program_cannot_read_degrades_and_does_not_fail() -> None:
    shop = a_shop()
    records = shop.engine.placements._records
    records.put(Draft(KIND, "home", b'{"name":"home","hologram":true}', "the future", OPENED))
    shop.put_placement("other")
    answer = shop.recommend(placement="home")
    assert answer.degraded
    assert ids_of(answer) == POPULAR
    assert not shop.recommend(placement="other").degraded
    assert {one.name: one.placement is None for one in shop.placements()} == {"home": True, "other": False}


def test_placements_are_there_after_closing_and_opening(tmp_path: Any) -> None:
    with Heedful(tmp_path) as client:
        client.put_placement("home", diversity=0.4)
    with Heedful(tmp_path) as client:
        placement = client.placement("home").placement
        assert placement is not None
        assert placement.diversity == 0.4
        standing = client.engine.placements.standing("home")
        assert standing is not None
        assert standing.version == 1


def test_a_placement_of_variants_is_not_asked_for_items() -> None:
    shop = a_shop()
    shop.put_placement("hero", kind="variants", variants=[{"id": "a"}, {"id": "b"}])
    with pytest.raises(Invalid, match="/v1/decide"):
        shop.recommend(placement="hero")


# What each rule does


def test_include_and_exclude_go_by_the_item_as_it_is_now() -> None:
    shop = a_shop()
    assert shown(shop, rule("include", where=COOK)) == ["stove", "mug"]
    assert shown(shop, rule("exclude", where=COOK)) == ["tent", "lamp"]
    assert shown(shop, rule("include", where=COOK), rule("exclude", where=where("price", "lt", 600))) == [
        "stove"
    ]
    shop.put_item("lamp", categories=["cook"])
    assert shop.ids(placement="home") == ["stove", "lamp"]
    shop.put_item("stove", categories=["sleep"])
    assert shop.ids(placement="home") == ["lamp"]


def test_removed_items_are_in_the_trace_under_the_rules_name() -> None:
    shop = a_shop()
    shop.put_placement("home", rules=[{**rule("exclude", where=COOK), "name": "no-pots"}])
    trace = shop.recommend(placement="home", explain=True).trace
    assert trace is not None
    assert sorted(trace["removed"]["rule:no-pots"]) == ["mug", "stove"]
    assert trace["placementVersion"] == 1
    assert all(stage["considered"] == stage["kept"] + stage["removed"] for stage in trace["stages"])


def test_a_boost_multiplies_the_score_of_what_it_names() -> None:
    shop = a_shop()
    before = {str(item.item_id): item.score for item in shop.recommend().items}
    assert shown(shop, rule("boost", where=where("id", "eq", "mug"), factor=10))[0] == "mug"
    after = {str(item.item_id): item.score for item in shop.recommend(placement="home").items}
    assert after == pytest.approx({**before, "mug": 10 * before["mug"]}, abs=1e-5)
    twice = [rule("boost", where=COOK, factor=2.0), rule("boost", where=where("id", "eq", "mug"), factor=0.1)]
    shown(shop, *twice)
    after = {str(item.item_id): item.score for item in shop.recommend(placement="home").items}
    assert after["stove"] == pytest.approx(2 * before["stove"], abs=1e-5)
    assert after["mug"] == pytest.approx(0.2 * before["mug"], abs=1e-5)


def test_a_pin_stands_in_its_place_and_the_rest_keeps_its_order() -> None:
    shop = a_shop()
    assert shown(shop, rule("pin", item="mug", place=1)) == ["mug", "tent", "stove", "lamp"]
    assert shown(shop, rule("pin", item="tent", place=3)) == ["stove", "lamp", "tent", "mug"]
    assert shown(shop, rule("pin", item="tent", place=50)) == ["stove", "lamp", "mug", "tent"]
    assert shown(shop, rule("pin", item="tent", place=50), limit=2) == ["tent", "stove"]
    assert shown(shop, rule("pin", item="mug", place=2), limit=2) == ["tent", "mug"]
    both = rule("pin", item="mug", place=1), rule("pin", item="lamp", place=1)
    assert shown(shop, *both) == ["mug", "lamp", "tent", "stove"]
    (first, *_) = shop.recommend(placement="home").items
    assert (first.propensity, first.reason.code) == (1.0, "picked")


def test_a_pin_reaches_an_item_that_no_source_proposes() -> None:
    shop = a_shop()
    shop.put_item("tarp", title="Tarp")
    assert shown(shop, rule("pin", item="tarp", place=2), limit=3) == ["tent", "tarp", "stove"]
    assert shown(shop, rule("pin", item="never heard of", place=1)) == [*POPULAR, "tarp"]


@pytest.mark.parametrize("way", ["unavailable", "hidden", "owned", "excluded", "ruled out"])
def test_a_pin_does_not_bring_back_what_must_not_be_shown(way: str) -> None:
    shop = a_shop()
    rules = [rule("pin", item="mug", place=1)]
    question: dict[str, Any] = {}
    match way:
        case "unavailable":
            shop.put_item("mug", available=False)
        case "hidden":
            shop.does("hide", "ada", "mug")
        case "owned":
            shop.buys("ada", "mug", order="o1")
        case "excluded":
            question = {"exclude": ["mug"]}
        case _:
            rules.append(rule("exclude", where=where("id", "eq", "mug")))
    assert sorted(shown(shop, *rules, who="ada", **question)) == ["lamp", "stove", "tent"]


@pytest.mark.parametrize(
    ("when", "question", "awake"),
    [
        (where("placement", "eq", "home"), {}, True),
        (where("placement", "in", ["basket"]), {}, False),
        (where("hour", "eq", 11), {}, True),
        (where("hour", "lt", 11), {}, False),
        (where("weekday", "eq", 1), {}, True),
        (where("weekday", "ge", 6), {}, False),
        (where("weekday", "eq", 7), {"as_of": "2026-11-22T10:00:00Z"}, True),
        (where("page.id", "eq", "stove"), {"item_id": "stove"}, True),
        (where("page.id", "eq", "stove"), {}, False),
        (where("page.category", "eq", "cook"), {"item_id": "stove"}, True),
        (where("page.category", "contains", "cook"), {"item_id": "tent"}, False),
        ({"field": "page.category", "op": "exists"}, {"item_id": "never seen"}, False),
        (where("known", "eq", True), {"who": "ada"}, True),
        (where("known", "eq", True), {"who": "bo"}, False),
        (where("context.device", "eq", "phone"), {"properties": {"device": "phone"}}, True),
        (where("context.device", "eq", "phone"), {"properties": {"device": "desk"}}, False),
        (where("context.basket", "gt", 100), {"properties": {"basket": 100.5}}, True),
        (where("context.basket", "gt", 100), {"properties": {"basket": "much"}}, False),
        ({"not": where("context.vip", "eq", True)}, {}, True),
        ({"all": [where("hour", "eq", 11), {"any": [where("weekday", "eq", 7)]}]}, {}, False),
    ],
)
def test_a_rule_sleeps_where_its_when_does_not_hold(
    when: dict[str, Any], question: dict[str, Any], awake: bool
) -> None:
    shop = a_shop()
    shop.does("search", "ada")
    items = shown(shop, rule("exclude", where=where("id", "eq", "lamp"), when=when), **question)
    assert ("lamp" not in items) is awake


def test_an_items_age_is_that_of_now_to_the_hour() -> None:
    shop = a_shop()
    shop.put_item("mug", published="2026-11-23T12:00:00Z")
    shop.put_item("tent", published="2026-11-01T00:00:00Z")
    fresh = rule("include", where=where("age_days", "le", 1))
    assert shown(shop, fresh) == ["mug"]
    shop.wait(24 * 60)
    assert shop.ids(placement="home") == ["mug"]
    shop.wait(120)
    assert shop.ids(placement="home") == []


def see(shop: Shop, who: str, *items: str, ago: float = 0) -> None:
    """`items` were in view of `who`, as a page reports it."""
    shop.does("Recommendation Viewed", who, *items, ago=ago)


def test_what_was_shown_lately_is_not_shown_again_to_the_same_person() -> None:
    shop = a_shop()
    see(shop, "ada", "tent", "mug", ago=30)
    see(shop, "ada", "lamp", ago=90)
    rest = rule("do_not_repeat", hours=1)
    assert shown(shop, rest, who="ada", reported=True) == ["stove", "lamp"]
    assert shop.ids("bo", placement="home") == shop.ids(placement="home") == POPULAR
    shop.wait(31)
    assert shop.ids("ada", placement="home") == POPULAR


def test_an_item_is_shown_so_often_and_no_more() -> None:
    shop = a_shop()
    cap = rule("frequency_cap", most=2, hours=24)
    see(shop, "ada", "tent", "mug")
    assert shown(shop, cap, who="ada", reported=True) == POPULAR
    see(shop, "ada", "tent", ago=60)  # late, and it counts all the same
    assert shop.ids("ada", placement="home") == ["stove", "lamp", "mug"]
    shop.wait(23 * 60 + 30)
    assert shop.ids("ada", placement="home") == POPULAR


def test_a_cap_can_be_for_some_items_only() -> None:
    shop = a_shop()
    see(shop, "ada", *POPULAR)
    assert shown(shop, rule("do_not_repeat", hours=1, where=COOK), who="ada") == ["tent", "lamp"]


def test_an_answer_counts_as_shown_unless_the_page_reports_what_was() -> None:
    shop = a_shop()
    rest = rule("do_not_repeat", hours=1)
    assert shown(shop, rest, who="ada", limit=2) == ["tent", "stove"]
    assert shop.ids("ada", placement="home", limit=2) == ["lamp", "mug"]
    assert shop.ids("ada", placement="home", limit=2) == []
    assert shop.ids("bo", placement="home") == shop.ids("ada", placement="elsewhere") == POPULAR
    shop.wait(61)
    for _ in range(3):
        assert shown(shop, rest, who="ada", reported=True) == POPULAR


def test_a_cap_counts_answers_too() -> None:
    shop = a_shop()
    see(shop, "ada", "tent")
    assert shown(shop, rule("frequency_cap", most=2, hours=24), who="ada") == POPULAR
    assert shop.ids("ada", placement="home") == POPULAR[1:]
    assert shop.ids("ada", placement="home") == []
    assert shop.verify().agrees


def test_only_placements_that_go_by_it_keep_what_was_shown_in_histories() -> None:
    shop = a_shop()
    shop.put_placement("home", rules=[rule("do_not_repeat", hours=1)])
    for placement in ("home", "elsewhere"):
        shop.recommend("ada", placement=placement)
    lines = {event.name: [line.item for line in event.lines] for _, event, _ in decisions_of(shop)}
    assert lines == {"home": POPULAR, "elsewhere": []}


def test_sources_can_be_chosen_and_weighed() -> None:
    shop = a_shop()
    shop.views("bo", "lamp", "mug")
    shop.put_placement("home", sources={"trending_1d": 2.0})
    trace = shop.recommend("ada", item_id="lamp", placement="home", explain=True, limit=2).trace
    assert trace is not None
    named = {stage["name"] for stage in trace["stages"] if stage["stage"] == "source"}
    assert "sessions" not in named
    scores = {one["itemId"]: one for one in trace["candidates"]}
    assert scores["tent"]["score"] == pytest.approx(2.0 * scores["tent"]["sources"]["trending_1d"])


# Trying a draft


def test_a_preview_shows_the_draft_beside_what_is_in_force_and_writes_nothing() -> None:
    shop = a_shop()
    shop.put_placement("home", rules=[rule("exclude", where=COOK)])
    preview = shop.preview_placement("home", {"rules": [rule("include", where=COOK)]}, "ada", limit=3)
    assert ids_of(preview.draft) == ["stove", "mug"]
    assert ids_of(preview.in_force) == ["tent", "lamp"]
    assert preview.version == 1
    assert preview.draft.trace is not None
    assert "rule:r" in preview.draft.trace["removed"]
    assert decisions_of(shop) == []
    assert shop.ids(placement="home") == ["tent", "lamp"]
    with pytest.raises(Invalid, match=r"rules\[0\]"):
        shop.preview_placement("home", {"rules": [rule("dance")]})


def test_a_preview_of_a_placement_that_is_not_defined_stands_beside_what_is_built_in() -> None:
    preview = a_shop().preview_placement("new", {"diversity": 0.2}, limit=2)
    assert preview.version == 0
    assert ids_of(preview.draft) == ids_of(preview.in_force) == ["tent", "stove"]


def test_the_decision_says_which_version_of_the_placement_made_it() -> None:
    shop = Shop()
    shop.put_placement("home")
    shop.put_placement("home")
    shop.recommend("ada", placement="home")
    shop.recommend("ada", placement="elsewhere")
    assert [kept.placement_version for _, _, kept in decisions_of(shop)] == [2, 0]
