"""What was shown teaches a ranker what is good, and not what stood first: the whole chain, on a known truth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from heedful.compose import Heedful, fit_beside, open_engine, read_settings
from heedful.log.memory import MemoryLog
from heedful.models import linear
from heedful.models.linear import Linear
from heedful.models.positions import from_rates
from heedful.models.shelf import Facts, Shelf
from heedful.objects.folder import Folder
from heedful.playground.truth import examination
from heedful.playground.world import World
from heedful.services.fit.exposures import Exposures, examinations, examples_of, gather, looked_at, parted
from heedful.services.fit.judgement import exposed, scorer
from heedful.views.outcomes import CLICKS
from heedful.vocabulary.decision import Decision, Everything, encode_decision, encode_everything
from heedful.vocabulary.event import Event
from heedful.vocabulary.ids import EventId, ItemId
from heedful.vocabulary.kinds import BUILT_IN, CART, CLICK, DECISION, IMPRESSION, PURCHASE, VIEW
from heedful.vocabulary.settings import DecisionSettings, Settings
from heedful.vocabulary.time import DAY, MINUTE, FixedClock, Instant, iso
from tests.views.test_outcomes import (
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
    told: dict[int, int] = {}
    tallies = fold.outcomes.tallies()
    empty = {one.name for one in answers if not one.items}
    if not empty:  # of an answer without items the figures count the answer itself
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


# The chain: a world of known truth, answers given to chance a little, clicks where people look.

PLACES = 8
SHOWN = 4_000


class Stage(NamedTuple):
    """What the shop's log says of its answers, and for each row what the world says is true of it."""

    found: Exposures
    truth: list[NDArray[np.float64]]


def biased(features: tuple[str, ...]) -> Linear:
    """A ranker in force that likes what is popular, and knows nothing else."""
    weights = np.array([1.0 if name == "popularity_30d" else 0.0 for name in features])
    return Linear(features, weights, np.full(len(features), 64.0))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with some days of a playground, a ranker in force, and answers with what people did then."""
    where = tmp_path_factory.mktemp("shop")
    world = World(seed=5, items=120, shoppers=150)
    clock = FixedClock(Instant(world.opened + 10 * DAY))
    kept = msgspec.structs.replace(
        read_settings(where), holdout=0.0, decisions=DecisionSettings(full_share=1.0)
    )
    with Heedful(str(where), clock=clock, settings=kept) as engine:
        told = [dict(call.body) if hasattr(call, "body") else call for call in world.events(world.opened, 3)]
        engine.batch(told) if hasattr(engine, "batch") else None
    return where
