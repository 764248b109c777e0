"""Choosing a variant: what is answered, what the log keeps, and what is learned from it."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from heedful.log.codec import decode
from heedful.models.variants.draw import probability
from heedful.services.decide import MAX_CONTEXT, replay
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.event import Record
from heedful.vocabulary.ids import NOBODY
from heedful.vocabulary.kinds import DECISION
from heedful.vocabulary.time import DAY
from heedful.vocabulary.variants import (
    MOST_VARIANTS,
    Algorithm,
    DecideAnswer,
    Variant,
    VariantDecision,
    VariantPlacement,
)
from tests.services.shop import Shop

BANNERS = ("spring", "sale", "plain")


def kept(shop: Shop) -> list[tuple[Record, VariantDecision]]:
    """What the log holds of decisions about variants."""
    found = []
    for stored in shop.engine.stored():
        event = decode(stored.record.body)
        if event.kind == DECISION:
            found.append((stored.record, msgspec.json.decode(event.properties, type=VariantDecision)))
    return found


def defined(shop: Shop, placement: VariantPlacement) -> None:
    """Give the shop's `hero` a definition."""
    shop.engine.deciding._definitions = {"hero": placement}.get


def teach(
    shop: Shop, best: str, *, rounds: int = 80, who: str = "teacher", **question: object
) -> DecideAnswer:
    """Let everybody click when they see `best`, and return one more answer."""
    for number in range(rounds):
        answer = shop.decide(f"{who}{number}", placement="hero", variants=BANNERS, **question)
        if answer.variant == best:
            shop.does("Product Clicked", f"{who}{number}", "tent", decision_id=answer.decision_id)
        else:
            shop.page("home", user_id=f"{who}{number}")  # an answer is kept with the next event
    return shop.decide("somebody", placement="hero", variants=BANNERS, **question)


def test_nothing_known_means_an_even_chance_and_no_personalization() -> None:
    answer = Shop().decide("ada", placement="hero", variants=BANNERS)
    assert answer.propensities == pytest.approx(dict.fromkeys(BANNERS, 1 / 3), abs=1e-6)
    assert sum(answer.propensities.values()) == 1.0
    assert answer.propensity == answer.propensities[answer.variant]
    assert not answer.personalized
    assert not answer.degraded


def test_what_is_clicked_is_shown_more() -> None:
    answer = teach(Shop(), "sale")
    assert answer.propensities["sale"] > 0.9
    assert min(answer.propensities.values()) > 0.001, "the minimum propensity of the default"


def test_a_segment_has_statistics_of_its_own() -> None:
    shop = Shop()
    teach(shop, "sale", context={"segment": "new"}, who="n")
    teach(shop, "plain", context={"segment": "old"}, who="o")
    chances = [
        shop.decide("ada", placement="hero", variants=BANNERS, context={"segment": segment}).propensities
        for segment in ("new", "old", "unheard of")
    ]
    assert chances[0]["sale"] > 0.9
    assert chances[1]["plain"] > 0.9
    assert chances[2] == pytest.approx(dict.fromkeys(BANNERS, 1 / 3), abs=1e-6)


@pytest.mark.parametrize("algorithm", ["thompson", "squarecb"])
def test_a_context_moves_the_choice(algorithm: str) -> None:
    shop = Shop()
    shop.engine.deciding._dice = Random(11)
    liked = {"phone": "sale", "desktop": "plain"}
    for turn in range(12):  # people with both devices come all the time
        for device, best in liked.items():
            context = {"device": device, "hour": 9}
            teach(shop, best, rounds=15, context=context, who=f"{device}{turn}-", algorithm=algorithm)
    for device, best in liked.items():
        answer = shop.decide(
            "ada",
            placement="hero",
            variants=BANNERS,
            context={"device": device, "hour": 9},
            algorithm=algorithm,
        )
        assert answer.personalized
        assert answer.propensities[best] > 0.6


def test_the_log_keeps_what_the_choice_is_replayed_from() -> None:
    shop = Shop()
    teach(shop, "sale", rounds=20, context={"device": "phone"})
    answers = {shop.decide("ada", placement="hero", variants=BANNERS).decision_id: 0 for _ in range(5)}
    shop.track("Product Viewed", user_id="ada", properties={"product_id": "tent"})
    found = kept(shop)
    assert len(found) == 26
    for record, decision in found:
        assert replay(decision) == decision.variant
        shares = [probability(part) for part in decision.parts]
        assert sum(shares) == 1.0
        assert record.id.startswith("heedful:v")
    assert answers.keys() <= {record.id.removeprefix("heedful:") for record, _ in found}
    assert shop.verify().agrees


def test_the_state_survives_a_restart(tmp_path: object) -> None:
    shop = Shop(tmp_path)
    before = teach(shop, "sale", rounds=30)
    shop.close()
    again = Shop(tmp_path)
    after = again.decide("somebody", placement="hero", variants=BANNERS)
    assert after.propensities == pytest.approx(before.propensities, abs=0.05)
    assert again.verify().agrees
    again.close()


def test_what_is_long_ago_fades() -> None:
    shop = Shop()
    sure = teach(shop, "sale", rounds=60)
    shop.wait(300 * DAY / 60_000_000)
    later = shop.decide("somebody", placement="hero", variants=BANNERS)
    assert later.propensities["sale"] < sure.propensities["sale"]


def test_a_question_for_nobody_is_answered_and_learned_from_by_id() -> None:
    shop = Shop()
    answer = shop.decide(placement="hero", variants=BANNERS)
    shop.track(
        "Product Clicked",
        user_id="ada",
        properties={"product_id": "x"},
        context={"decisionId": answer.decision_id},
    )
    ((record, _),) = kept(shop)
    assert record.subject == NOBODY
    told = shop.decide(placement="hero", variants=BANNERS, explain=True).trace
    assert told is not None
    assert told["decisions"] == 1.0
    assert told["expected"][answer.variant]["reward"] > max(
        belief["reward"] for name, belief in told["expected"].items() if name != answer.variant
    )


def test_a_definition_gives_variants_payloads_and_shares() -> None:
    shop = Shop()
    defined(shop, VariantPlacement(
        (Variant("a", {"image": "/a.jpg"}, 3.0), Variant("b", None, 1.0)), algorithm=Algorithm.FIXED
    ))  # fmt: skip
    answers = [shop.decide("ada", placement="hero") for _ in range(40)]
    assert {answer.propensities["a"] for answer in answers} == {0.75}
    assert {answer.variant for answer in answers} == {"a", "b"}
    assert all((answer.payload == {"image": "/a.jpg"}) == (answer.variant == "a") for answer in answers)
    only = shop.decide("ada", placement="hero", variants=["b"])
    assert (only.variant, only.propensity, only.payload) == ("b", 1.0, None)


def test_rewards_may_be_of_several_outcomes_and_revenue() -> None:
    shop = Shop()
    defined(shop, VariantPlacement((Variant("a"), Variant("b")), reward={"click": 1.0, "revenue": 0.01}))
    for number in range(60):
        answer = shop.decide(f"u{number}", placement="hero")
        if answer.variant == "b":
            shop.does(
                "Order Completed", f"u{number}", "tent", order_id=str(number), revenue=20, currency="EUR",
                decision_id=answer.decision_id,
            )  # fmt: skip
    assert shop.decide("ada", placement="hero").propensities["b"] > 0.9


@pytest.mark.parametrize(
    ("question", "code", "path"),
    [
        ({}, "variants_missing", "variants"),
        ({"variants": []}, "variants_invalid", "variants"),
        ({"variants": ["a", "a"]}, "variants_invalid", "variants[1]"),
        ({"variants": [""]}, "variants_invalid", "variants[0]"),
        ({"variants": [str(n) for n in range(MOST_VARIANTS + 1)]}, "variants_invalid", "variants"),
        (
            {"variants": ["a"], "context": {str(n): 1 for n in range(MAX_CONTEXT + 1)}},
            "context_invalid",
            "context",
        ),
        ({"variants": ["a"], "context": {"x": "y" * 201}}, "context_invalid", "context.x"),
        ({"variants": ["a"], "context": {"x": [1]}}, "request_invalid", ""),
        ({"variants": ["a"], "algorithm": "guess"}, "request_invalid", ""),
        ({"variants": ["a"], "user_id": "u" * 201}, "id_too_long", "userId"),
        ({"variants": ["a"], "colour": "red"}, "request_invalid", ""),
    ],
)
def test_a_question_out_of_range_says_where(question: dict[str, object], code: str, path: str) -> None:
    with pytest.raises(Invalid) as refused:
        Shop().decide(**question)  # type: ignore[arg-type]
    assert (refused.value.code, refused.value.path) == (code, path)


def test_a_variant_that_the_placement_does_not_have_is_named() -> None:
    shop = Shop()
    defined(shop, VariantPlacement((Variant("a"),)))
    with pytest.raises(Invalid) as refused:
        shop.decide(placement="hero", variants=["a", "z"])
    assert refused.value.path == "variants[1]"


def test_when_choosing_fails_the_first_variant_is_shown_and_it_is_said(
    capfd: pytest.CaptureFixture[str],
) -> None:
    shop = Shop()
    defined(shop, VariantPlacement((Variant("a"), Variant("b")), reward={"applause": 1.0}))
    answer = shop.decide("ada", placement="hero", context={"device": "phone"})
    assert (answer.variant, answer.propensity, answer.degraded) == ("a", 1.0, True)
    assert answer.propensities == {"a": 1.0, "b": 0.0}
    shop.views("ada", "tent")
    ((_, decision),) = kept(shop)
    assert decision.degraded
    assert shop.engine.status().counters["degraded_total"] == 1.0
    assert "decide_degraded" in capfd.readouterr().out


def test_every_choice_is_as_likely_as_it_was_said_to_be() -> None:
    shop, hits, expected = Shop(), 0, 0.0
    spread = 0.0
    for number in range(400):
        answer = shop.decide(f"u{number}", placement="hero", variants=BANNERS, algorithm="squarecb")
        if answer.variant == "sale":
            shop.does("Product Clicked", f"u{number}", "tent")
        chance = answer.propensities["sale"]
        hits, expected = hits + (answer.variant == "sale"), expected + chance
        spread += chance * (1 - chance)
    assert abs(hits - expected) < 4.5 * spread**0.5 + 1
