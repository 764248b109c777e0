"""What was shown teaches a ranker what is good, and not what stood first: the whole chain, on a known truth."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from heedful.compose import Heedful, fit_beside, log_beside, open_engine
from heedful.compose.pipelines import Pipelines
from heedful.log.memory import MemoryLog
from heedful.models import lambdamart, linear
from heedful.models.kinds import Fitted
from heedful.models.lambdamart import FitSettings
from heedful.models.linear import Linear
from heedful.models.positions import Examination
from heedful.models.shelf import Facts, Shelf
from heedful.objects.folder import Folder
from heedful.playground.truth import examination
from heedful.playground.world import World
from heedful.services.fit.exposures import (
    Exposure,
    Exposures,
    Parts,
    examinations,
    examples_of,
    gather,
    kept,
    looked_at,
    parted,
)
from heedful.services.fit.gather import GatherSettings
from heedful.services.fit.judgement import exposed, scorer
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vault.secret import installation_secret
from heedful.views.outcomes import CLICKS
from heedful.vocabulary.decision import (
    Decision,
    Everything,
    decode_everything,
    encode_decision,
    encode_everything,
)
from heedful.vocabulary.event import Event
from heedful.vocabulary.ids import EventId, ItemId
from heedful.vocabulary.kinds import BUILT_IN, CART, CLICK, DECISION, IMPRESSION, PURCHASE, VIEW
from heedful.vocabulary.placement import Placement
from heedful.vocabulary.settings import DecisionSettings, Settings
from heedful.vocabulary.time import DAY, SECOND, FixedClock, Instant, iso
from tests.views.test_outcomes import (
    NAMES,
    Deed,
    Shown,
    answer_lists,
    deed_lists,
    fold_of,
    record,
    records_of,
    stated,
)

BITS = range(64)


# What counts: the same as in the view of outcomes.


@settings(max_examples=80, deadline=None)
@given(answer_lists, deed_lists)
def test_what_is_credited_to_items_adds_up_to_what_the_figures_say(
    answers: list[Shown], deeds: list[Deed]
) -> None:
    answers = [one for one in answers if one.items]  # the figures of others count the answer itself
    fold = fold_of(records_of(answers, stated(deeds)))
    ids = [EventId(f"heedful:{one.name}") for one in answers]
    credited = fold.credited([*ids, EventId("heedful:never")])
    assert credited.pop() is None
    sums: dict[int, int] = {}
    for shown, marks in zip(answers, credited, strict=True):
        assert marks is not None and len(marks) == len(shown.items)
        for bits in marks.tolist():
            had = [kind for kind in BITS if bits >> kind & 1]
            clicked = any(BUILT_IN[kind] in {CLICK, VIEW} for kind in had)
            for measure in [*had, CLICKS] if clicked else had:
                sums[measure] = sums.get(measure, 0) + 1
    tallies = fold.outcomes.tallies()
    told: dict[int, int] = {}
    for measure, value in zip(tallies.measure.tolist(), tallies.value.tolist(), strict=True):
        if measure < 64:
            told[measure] = told.get(measure, 0) + value
    assert sums == told
    for one, marks in zip(ids, credited, strict=True):
        alone = fold.credited([one])[0]
        assert alone is not None and marks is not None
        assert alone.tolist() == marks.tolist(), "whom else one asks for changes nothing"


# What is taken, one case at a time.

FEATURES = ("match", "fame")
OBJECTIVE = {CLICK: 1.0, VIEW: 1.0, CART: 4.0, PURCHASE: 8.0}


def decided(name: str, who: str, at: int, *, names: tuple[str, ...] = FEATURES, **more: Any) -> Any:
    """A decision of tent and stove that keeps everything, in minutes."""
    items = [ItemId("tent"), ItemId("stove")]
    table = np.array([[1, 2], [3, 4], [5, 6]], dtype="<f4")
    chances = np.array([1.0, 0.25, 0.0], dtype="<f4")
    full = Everything([*items, ItemId("map")], list(names), table.tobytes(), chances.tobytes())
    decision = Decision(
        "home", items, 1, [1.0, 0.5], policy="greedy", model="m", window=60, purchase_window=120,
        full=encode_everything(full), **more,
    )  # fmt: skip
    event = Event(kind=DECISION, decision=name, properties=encode_decision(decision))
    return record(f"heedful:{name}", who, at, event)


def gathered(records: list[Any], **more: Any) -> Exposures:
    log = MemoryLog()
    log.append(records)
    return gather(log, lambda: fold_of(records), FEATURES, OBJECTIVE, **more)


def deeds_of(*deeds: Deed) -> list[Any]:
    return records_of([], list(deeds))


LATER = Deed("cy", 1_000, VIEW, ("map",))


def test_an_answer_is_taken_with_the_features_chances_and_gains_of_what_was_seen() -> None:
    clicks = deeds_of(
        Deed("ada", 110, CLICK, ("stove",)), Deed("ada", 111, VIEW, ("stove",)),
        Deed("ada", 112, CART, ("stove",)), LATER,
    )  # fmt: skip
    (one,) = gathered([decided("d", "ada", 100), *clicks]).settled
    assert one.table.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert one.gains.tolist() == [0.0, 5.0], "a click and a view of it are one"
    assert (one.place.tolist(), one.shown.tolist()) == ([0, 1], [1.0, 0.25])
    seen = Deed("ada", 101, IMPRESSION, ("stove",), "d")
    (one,) = gathered([decided("d", "ada", 100), *deeds_of(seen, LATER)]).settled
    assert one.place.tolist() == [1], "what impressions report replaces the answer"


def test_what_cannot_be_learned_from_is_counted_and_left_out() -> None:
    other = decided("d", "ada", 100, names=("match", "age"))
    assert gathered([other, *deeds_of(LATER)]).left_out == {"features": 1}
    unseen = gathered([decided("d", "ada", 100, counts_as_shown=False), *deeds_of(LATER)])
    assert (unseen.settled, unseen.left_out) == ([], {"unseen": 1})
    assert gathered([decided("d", "ada", 980), *deeds_of(LATER)]).left_out == {"unsettled": 1}
    early = Deed("ada", 990, CLICK, ("tent",))
    assert len(gathered([decided("d", "ada", 980), *deeds_of(early, LATER)]).settled) == 1
    assert len(gathered([decided("d", "ada", 100), *deeds_of(LATER)], placement="cart").settled) == 0


def test_nothing_is_folded_where_there_is_too_little() -> None:
    log = MemoryLog()
    log.append([decided("d", "ada", 100), *deeds_of(LATER)])
    assert gather(log, lambda: pytest.fail("folded"), FEATURES, OBJECTIVE, least=2).settled == []


def test_a_decision_that_was_taken_back_teaches_nothing() -> None:
    records = [decided("d", "ada", 100), *deeds_of(LATER)]
    log = MemoryLog()
    log.append(records)

    def without() -> Any:
        fold = fold_of(records)
        fold.retract(log.fetch([log.read(fold.cursor.__class__(), limit=1)[0].position]))
        return fold

    assert gather(log, without, FEATURES, OBJECTIVE).left_out == {"not held": 1}


# The chain: a world of known truth, places left to chance a little, clicks where people look.

PLACES = 5
ANSWERS = 4_000
KEEN = 10.0
"""People click so many times as readily as in the world, so that a small test has enough clicks."""


class Stage(NamedTuple):
    """A shop after some days, and what the world says of it."""

    where: Path
    world: World
    features: tuple[str, ...]
    settings: Settings

    def gathered(self) -> Exposures:
        with self.engine() as engine:
            return gather(engine.log, lambda: engine.fold, self.features, OBJECTIVE)

    def engine(self) -> Any:
        return closing(open_engine(self.where, clock=FixedClock(LATE), settings=self.settings))


OPEN = Instant(1_793_491_200_000_000)
LATE = Instant(OPEN + 6 * DAY)


def chance(world: World, who: str, item: str, at: Instant) -> float:
    return min(1.0, KEEN * world.click_probability(who, item, at))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Three days of a playground. Then a ranker is in force that puts what is dear first, and people click what
    they look at and like."""
    where = tmp_path_factory.mktemp("shop")
    (where / "pseudonym.key").touch(0o600)
    (where / "pseudonym.key").write_bytes(bytes(range(32)))
    world = World(seed=5, items=120, shoppers=150, opened=OPEN)
    features = Pipelines(open_engine().fold).of(Placement(name="home")).ranker.features.names  # type: ignore[attr-defined]  # a Learned
    dear = np.array([1.0 if name == "price" else 0.0 for name in features])
    ranker = Linear(features, dear, np.full(len(features), 64.0))
    shelf = Shelf(Folder(where / "models"))
    shelf.promote(shelf.add(Facts("linear", "", {}, 0, features), ranker.arrays()).id)
    kept = Settings(holdout=0.0, decisions=DecisionSettings(full_share=1.0))
    clock = FixedClock(Instant(OPEN + 3 * DAY))
    dice = Random(3)
    people, items = world.shoppers(), [item.id for item in world.items()]
    with Heedful(where, clock=clock, settings=kept) as shop:
        shop.engine.recommending._dice = Random(4)  # so that every run is this one
        shop.put_items(world.items())
        calls = list(world.events(OPEN, days=3))
        for start in range(0, len(calls), 400):
            shop.batch(calls[start : start + 400])
        shop.put_placement("home", exploration={"swaps": 0.5})
        clicks: list[dict[str, Any]] = []
        for number in range(ANSWERS):
            clock.at = Instant(clock.at + 40 * SECOND)
            who = dice.choice(people).id
            answer = shop.recommend(who, placement="home", limit=PLACES, exclude=dice.sample(items, 80))
            shown = [one.item_id for one in answer.items]
            for place, item in enumerate(shown):
                if dice.random() < examination(PLACES)[place] * chance(world, who, item, clock.at):
                    clicks.append({
                        "type": "track", "event": "Product Clicked", "userId": who,
                        "messageId": f"{number}-{place}", "timestamp": iso(Instant(clock.at + SECOND)),
                        "properties": {"product_id": item}, "context": {"decisionId": answer.decision_id},
                    })  # fmt: skip
            if len(clicks) > 300 or number == ANSWERS - 1:
                clock.at = Instant(clock.at + 2 * SECOND)
                shop.batch(clicks)
                clicks = []
    return Stage(where, world, features, kept)


def test_swaps_in_live_answers_tell_how_much_places_are_looked_at(stage: Stage) -> None:
    settled = stage.gathered().settled
    assert len(settled) > 3_000
    found = examinations(settled)["home"]
    assert "chance decided" in found.assumption
    np.testing.assert_allclose(found.by_position, examination(PLACES), atol=0.06)


def test_a_ranker_that_is_corrected_for_places_is_nearer_to_the_truth(stage: Stage) -> None:
    settled = stage.gathered().settled
    corrected = examples_of(stage.features, settled, examinations(settled))
    alike = Examination(np.ones(PLACES), "all places are looked at alike")
    raw = examples_of(stage.features, settled, {"home": alike})
    assert len(raw) == len(corrected), "the same clicks"
    questions = asked_of(stage)
    small = FitSettings(trees=40, leaves=8)
    for first, second in (
        (lambdamart.fit(corrected, small).forest, lambdamart.fit(raw, small).forest),
        (linear.learned(corrected).solve(), linear.learned(raw).solve()),
    ):
        assert ndcg(first, questions) > ndcg(second, questions) + 0.03


def asked_of(stage: Stage) -> list[tuple[NDArray[np.float32], NDArray[np.float64]]]:
    """Every fifth answer: all its candidates' features, and the chance of a click on each, were it looked at."""
    names = Pseudonyms(installation_secret(stage.where / "pseudonym.key", create=False))
    people = {names.user(one.id): one.id for one in stage.world.shoppers()}
    questions = []
    with log_beside(stage.where, stage.settings) as (log, _):
        for record, decision in ((stored.record, decision) for stored, decision in kept(log)):
            if decision is not None and decision.seed % 5 == 0:
                everything = decode_everything(decision.full)
                table = np.frombuffer(everything.features, dtype="<f4").reshape(-1, len(stage.features))
                truth = [
                    chance(stage.world, people[record.subject], item, record.at) for item in everything.items
                ]
                questions.append((table.astype(np.float32), np.array(truth)))
    return questions


def ndcg(model: Fitted, questions: list[tuple[NDArray[np.float32], NDArray[np.float64]]]) -> float:
    """Mean NDCG at 10 of the order that `model` gives, with the true chances as gains."""
    discounts = 1.0 / np.log2(np.arange(2, 12))
    values = []
    for table, truth in questions:
        got, best = truth[np.argsort(-scorer(model)(table))][:10], -np.sort(-truth)[:10]
        values.append((got @ discounts[: len(got)]) / (best @ discounts[: len(best)]))
    return float(np.mean(values))


def test_a_fit_learns_from_replay_and_from_what_was_shown_and_judges_by_both(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "heedful.compose.beside.GatherSettings", lambda seed: GatherSettings(questions=1_500, seed=seed)
    )
    verdict = fit_beside(stage.where, kind="linear")
    facts = verdict.version.facts
    assert set(verdict.figures) == set(verdict.exposed) == {"fitted", "in force", "blend"}
    assert facts.learned["groups"] and facts.settings["exposures"] == 500
    assert isinstance(facts.learned["exposures"], int) and facts.learned["exposures"] > 2_000
    assert isinstance(facts.learned["exposures_judged"], int) and facts.learned["exposures_judged"] >= 100
    assert "chance decided" in str(facts.learned["examination"])
    assert verdict.version.metrics["exposed_mrr"] > verdict.version.compared["exposed_mrr"]
    assert verdict.promoted


# How what was shown judges.


def exposure(at: int, clicked: int, *, shown: tuple[float, ...] = (1.0, 1.0)) -> Exposure:
    """Two items that were seen; the second has more of what the only column says."""
    gains = np.array([1.0 if place == clicked else 0.0 for place in range(2)])
    return Exposure(
        NAMES.user(f"p{at}"), at, "home", np.array([[0.0], [1.0]], dtype=np.float32), gains, gains > 0,
        np.arange(2), np.array(shown), np.full(2, -1), np.ones(2), np.arange(2, dtype=np.uint64),
    )  # fmt: skip


def more(table: NDArray[np.float32]) -> NDArray[np.float64]:
    return table[:, 0].astype(np.float64)


HALF = {"home": Examination(np.array([1.0, 0.25]), "")}


def test_a_click_counts_for_as_much_as_its_item_was_unlikely_to_be_looked_at() -> None:
    parts = Parts([], [exposure(1, 0), exposure(2, 1)], HALF, {})
    judged = exposed(parts, {"more": more, "less": lambda table: -more(table)})
    assert judged.value("more") == pytest.approx((1 * 0.5 + 4 * 1.0) / 5)
    assert judged.value("less") == pytest.approx((1 * 1.0 + 4 * 0.5) / 5)
    unlikely = exposure(3, 1, shown=(1.0, 0.001))
    assert examples_of(("f",), [unlikely], HALF).weights.tolist() == [10.0]  # type: ignore[union-attr]  # corrected: not None


def test_an_item_that_could_stand_in_two_places_was_looked_at_in_the_mean_of_both() -> None:
    swapped = exposure(1, 0)._replace(other=np.array([1, 0]), chance=np.array([0.8, 0.8]))
    np.testing.assert_allclose(looked_at(swapped, HALF["home"]), [0.8 + 0.2 * 0.25, 0.8 * 0.25 + 0.2])


def test_answers_from_when_the_judged_questions_began_are_not_learned_from() -> None:
    found = Exposures(("f",), [exposure(at, at % 3) for at in range(300)])
    parts = parted(found, 120, 300)
    assert [one.at for one in parts.learned] == [*range(120)]
    assert len(parts.judged) == 120, "two in three have a click"
    assert parted(found, 200, 300).judged == [], "too few judge nothing"
    few = parted(found, 120, 301)
    assert (few.learned, few.judged, few.examined) == ([], [], {})
    assert parted(None, 120, 1).counted()["exposures"] == 0
