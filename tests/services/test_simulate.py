"""Experiments that are played on one's own log: what is false is claimed as rarely as it should be."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from heedful.compose import Heedful
from heedful.experiments.inference.answers import Method, Refusal
from heedful.services.experiments.simulate import Design, Simulation, simulate, units_of_log
from heedful.vocabulary.time import DAY, HOUR, FixedClock, Instant, iso

PEOPLE = 900
START = 20_000 * DAY


@pytest.fixture(scope="module")
def shop() -> Iterator[Heedful]:
    """People who come over twenty days; a third of them buy at their first visit, and say that they shared it."""
    dice, calls = Random(5), []
    for n in range(PEOPLE):
        at = START + int(20 * DAY * n / PEOPLE)
        calls.append(_call(n, at, "Product Viewed", product_id="tent"))
        for more in range(dice.randrange(4)):
            calls.append(_call(n, at + (more + 1) * HOUR, "Product Viewed", product_id="pot"))
        if dice.random() < 1 / 3:
            calls.append(_call(n, at + 5 * HOUR, "Product Clicked", product_id="map"))
    with Heedful(clock=FixedClock(Instant(START + 30 * DAY))) as h:
        for start in range(0, len(calls), 400):
            h.batch(calls[start : start + 400])
        yield h


def _call(who: int, at: int, event: str, **properties: str) -> dict[str, object]:
    return {"type": "track", "event": event, "userId": f"p-{who}", "timestamp": iso(Instant(at)),
            "properties": properties}  # fmt: skip


def test_units_are_the_people_of_the_last_days_with_their_figures(shop: Heedful) -> None:
    goal = shop.engine.experiments.goals()["clicks"]
    since, at, figures = units_of_log(shop.engine.fold, goal, 1000, lambda *_: None)
    assert since == START
    assert len(at) == PEOPLE
    assert list(at) == sorted(at)
    rows = sum(len(shop.engine.fold.history.rows(n).at) for n in range(len(shop.engine.fold.subjects)))
    assert int(figures[:, 0].sum()) == rows
    late, _, part = units_of_log(shop.engine.fold, goal, 5, lambda *_: None)
    assert late > START + 14 * DAY
    assert 0.2 * PEOPLE < len(part) < 0.3 * PEOPLE


def test_nothing_is_taken_for_something_as_rarely_as_it_should_be(shop: Heedful) -> None:
    goal = shop.engine.experiments.goals()["clicks"]
    design = Design(days=28, runs=200, looks=8, horizons=(7, 28))
    found = simulate(shop.engine.fold, goal, design)
    assert isinstance(found, Simulation)
    assert found.units == PEOPLE
    claims = {one.method: one for one in found.claims}
    assert claims[Method.SEQUENTIAL].at_any <= 0.05
    assert claims[Method.FIXED].at_end <= 0.11
    assert claims[Method.FIXED].at_any > claims[Method.SEQUENTIAL].at_any
    fixed = [one for one in found.reach if one.method is Method.FIXED]
    assert fixed[0].effect is not None and fixed[1].effect is not None
    assert fixed[0].effect > fixed[1].effect > 0
    assert fixed[0].power < fixed[1].power
    assert simulate(shop.engine.fold, goal, design) == found
    assert shop.verify().agrees


def test_too_few_people_are_refused(shop: Heedful) -> None:
    goal = shop.engine.experiments.goals()["clicks"]
    found = simulate(shop.engine.fold, goal, Design(days=1))
    assert isinstance(found, Refusal)
    assert "300 are needed" in found.why


def test_figures_out_of_range_are_refused() -> None:
    for wrong in ({"days": 0}, {"looks": 0}, {"horizons": (0.0,)}, {"effect": 0.0}):
        with pytest.raises(ValueError, match="0"):
            Design(**wrong)
