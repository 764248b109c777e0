"""A staged roll-out that harms is rolled back by the server itself, and says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heedful.compose import Heedful
from heedful.experiments.inference.answers import Estimate
from heedful.records.audit import digest
from heedful.services.experiments import Guard, Ratios
from heedful.vocabulary.experiment import Status
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import DAY, HOUR, FixedClock, Instant

PLANNED: dict[str, Any] = {
    "on": {"kind": "placement", "name": "home"},
    "arms": [{"key": "as_it_is"}, {"key": "popular", "value": {"policy": "popular"}}],
    "metrics": ["revenue"],
    "guardrails": [{"metric": "clicked", "margin": 0.05}],
}
MANY = 700


class Ticks:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(Instant(20_000 * DAY))


@pytest.fixture
def shop(tmp_path: Path, clock: FixedClock) -> Iterator[Heedful]:
    with Heedful(tmp_path, clock=clock, settings=Settings(holdout=0.0)) as h:
        for item in ("tent", "pot", "map"):
            h.track("Product Viewed", user_id="first", properties={"product_id": item})
        yield h


def visited(h: Heedful, clock: FixedClock, clicks: dict[str, int], many: int = MANY) -> dict[str, int]:
    """Everybody comes once; of ten in an arm so many click. Returns how many each arm had."""
    arms = {f"person-{n}": dict(h.recommend(f"person-{n}", placement="home").arms) for n in range(many)}
    clock.at = Instant(clock.at + HOUR)
    seen = dict.fromkeys(clicks, 0)
    calls = []
    for user, found in arms.items():
        arm = found["variety"]
        if seen[arm] % 10 < clicks[arm]:
            calls.append({"type": "track", "event": "Product Clicked", "userId": user,
                          "properties": {"product_id": "tent"}})  # fmt: skip
        seen[arm] += 1
    h.batch(calls)
    return seen


def test_a_staged_roll_out_that_harms_is_rolled_back_by_the_server(shop: Heedful, clock: FixedClock) -> None:
    engine, ticks = shop.engine, Ticks()
    ratios = Ratios(engine.placements._records, clock)
    guard = engine.guarding = Guard(engine.experiments, engine.results, ratios, ticks=ticks)
    shop.put_experiment("variety", **PLANNED, stages=[0.5, 1.0])
    shop.start_experiment("variety")
    visited(shop, clock, {"as_it_is": 8, "popular": 4})
    ticks.now = 59.0
    engine.retire()
    assert shop.experiment("variety").experiment.status is Status.RUNNING  # type: ignore[union-attr]
    ticks.now = 60.0
    engine.retire()
    version = shop.experiment("variety")
    assert version.experiment is not None
    assert (version.experiment.status, version.experiment.outcome) == (Status.STOPPED, "roll_back")
    assert version.author == "server"
    assert "clicked in popular: -" in version.note and "units" in version.note
    assert guard.rolled_back == 1
    assert engine.status().counters["experiments_rolled_back_total"] == 1.0
    assert engine.audit is not None
    last = engine.audit.entries(limit=100)[-1]
    assert (last.actor, last.action, last.object) == ("server", "experiment.stop", "experiment:variety")
    stored = engine.placements._records.current("experiment", "variety")
    assert stored is not None and last.after == digest((stored.version, stored.body))
    assert not shop.recommend("person-1", placement="home").arms
    ticks.now = 200.0
    engine.retire()
    assert guard.harmed == ()
    assert shop.verify().agrees


def test_without_stages_harm_is_told_and_the_experiment_goes_on(shop: Heedful, clock: FixedClock) -> None:
    shop.put_experiment("variety", **PLANNED)
    shop.start_experiment("variety")
    visited(shop, clock, {"as_it_is": 8, "popular": 4})
    shop.engine.guarding.look()
    assert shop.experiment_results("variety").harmed == ("clicked",)
    assert shop.experiment_results("variety", scale="absolute").harmed == ("clicked",)
    assert shop.engine.status().counters["experiments_harmed"] == 1.0
    assert shop.experiment("variety").experiment.status is Status.RUNNING  # type: ignore[union-attr]


def test_a_staged_roll_out_that_harms_nobody_goes_on(shop: Heedful, clock: FixedClock) -> None:
    shop.put_experiment("variety", **PLANNED, stages=[0.5, 1.0])
    shop.start_experiment("variety")
    visited(shop, clock, {"as_it_is": 6, "popular": 6})
    shop.engine.guarding.look()
    assert shop.experiment("variety").experiment.status is Status.RUNNING  # type: ignore[union-attr]
    assert shop.engine.guarding.harmed == ()


def test_the_least_p_of_the_ratio_is_kept_and_an_alarm_stays(tmp_path: Path, clock: FixedClock) -> None:
    with Heedful(tmp_path, clock=clock, settings=Settings(holdout=0.0)) as h:
        h.put_experiment("variety", **PLANNED)
        h.start_experiment("variety")
        visited(h, clock, {"as_it_is": 5, "popular": 5}, 400)
        records = h.engine.placements._records
        ratios = Ratios(records, clock)
        assert ratios.before("variety") == 1.0
        for p in (0.9, 0.6, 0.45, 0.4, 0.3, 0.01, 0.0005, 0.0001):
            ratios.seen("variety", p)
            ratios.keep("variety")
        ratios.seen("variety", 0.8)
        assert ratios.before("variety") == 0.0001
        kept = [msgspec.json.decode(one.body) for one in records.versions("sample_ratio", "variety")]
        assert kept == [0.0005, 0.01, 0.45]
    with Heedful(tmp_path, clock=clock, settings=Settings(holdout=0.0)) as h:
        told = h.experiment_results("variety")
        assert told.ratio.alarm  # type: ignore[union-attr]
        assert told.ratio.p > 0.001  # type: ignore[union-attr]
        assert {row.answer.code for row in told.rows} == {"sample_ratio_mismatch"}  # type: ignore[union-attr]
        h.engine.guarding.look()
        assert h.engine.status().counters["experiments_mismatched"] == 1.0


def test_every_verb_is_told_to_the_audit(shop: Heedful) -> None:
    shop.put_experiment("variety", **PLANNED, stages=[0.1, 1.0])
    shop.start_experiment("variety")
    shop.weigh_experiment("variety", [0.8, 0.2])
    shop.stage_experiment("variety", 1)
    shop.stop_experiment("variety", "ship", "popular")
    shop.roll_out_experiment("variety")
    shop.archive_experiment("variety")
    shop.engine.experiments.put_goal("shared", {"kinds": ["share"]}, author="shop", actor="person:1")
    assert shop.engine.audit is not None
    told = [(entry.actor, entry.action) for entry in shop.engine.audit.entries(limit=100)]
    verbs = ("put", "start", "weigh", "stage", "stop", "roll_out", "archive")
    assert told == [*(("terminal", f"experiment.{verb}") for verb in verbs), ("person:1", "metric.put")]


def test_strata_take_away_what_chance_dealt_unevenly(shop: Heedful, clock: FixedClock) -> None:
    """Who was known before clicks three times as often; the effect within both segments is the same."""
    known = [f"person-{n}" for n in range(0, MANY, 2)]
    shop.batch([{"type": "track", "event": "Product Viewed", "userId": user, "properties": {"product_id": "pot"}}
                for user in known])  # fmt: skip
    clock.at = Instant(clock.at + 3 * DAY)
    shop.put_experiment("variety", **PLANNED | {"metrics": ["clicked"], "guardrails": []})
    shop.start_experiment("variety")
    arms = {
        f"person-{n}": dict(shop.recommend(f"person-{n}", placement="home").arms)["variety"]
        for n in range(MANY)
    }
    clicks: dict[tuple[str, bool], list[int]] = {}
    calls = []
    clock.at = Instant(clock.at + HOUR)
    for user, arm in arms.items():
        seen = clicks.setdefault((arm, user in known), [0, 0])
        if seen[0] % 10 < (6 if user in known else 2) + (2 if arm == "popular" else 0):
            seen[1] += 1
            calls.append({"type": "track", "event": "Product Clicked", "userId": user,
                          "properties": {"product_id": "tent"}})  # fmt: skip
        seen[0] += 1
    shop.batch(calls)
    expected = 0.0
    for segment in (True, False):
        (all_c, some_c), (all_t, some_t) = clicks["as_it_is", segment], clicks["popular", segment]
        expected += (all_c + all_t) / MANY * (some_t / all_t - some_c / all_c)
    asked = {"scale": "absolute", "method": "fixed"}
    (row,) = shop.experiment_results("variety", **asked, stratified=True).rows
    (plain,) = shop.experiment_results("variety", **asked).rows
    assert isinstance(row.answer, Estimate) and isinstance(plain.answer, Estimate)
    assert "poststratified" in row.answer.notes
    assert abs(row.answer.value - expected) < 0.02
    told = shop.experiment_results("variety", scale="absolute", method="bayesian").rows[0]
    assert told.improved and isinstance(told.answer, Estimate) and told.answer.chance_to_win is not None
    assert told.answer.chance_to_win > 0.99
