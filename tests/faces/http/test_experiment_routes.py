"""An experiment from its draft to what came of it, over HTTP and through the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heedful.compose import open_engine
from heedful.faces.http.app import build
from heedful.records.audit import audit_of
from heedful.records.keys import Keys
from heedful.services.engine import Engine
from heedful.vocabulary.settings import MetricsSettings, Settings
from heedful.vocabulary.time import DAY, HOUR, FixedClock, Instant
from tests.faces.http.asgi import Answer, Caller
from tests.faces.http.conftest import KeyPair

ONE = "/v1/experiments/variety"
DRAFT: dict[str, Any] = {
    "on": {"kind": "placement", "name": "home"},
    "arms": [{"key": "as_it_is"}, {"key": "popular", "value": {"policy": "popular"}}],
    "metrics": ["converted", "revenue"],
    "guardrails": [{"metric": "clicked"}],
    "statistics": {"kind": "fixed"},
}
MANY = 700


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(Instant(20_000 * DAY))


@pytest.fixture
def shop(keys: Keys, clock: FixedClock) -> Iterator[Engine]:
    settings = Settings(holdout=0.0, metrics=MetricsSettings(smallest_group=20))
    engine = open_engine(clock=clock, settings=settings)
    engine.keys = keys
    yield engine
    engine.close()


@pytest.fixture
def say(shop: Engine, pair: KeyPair, runs: Any) -> Any:
    caller = Caller(build(shop), runs)

    def ask(method: str, path: str, body: object = b"", **more: Any) -> Answer:
        return caller(method, path, body, key=pair.secret, **more)

    for item in ("tent", "pot", "map"):
        event = {"event": "Product Viewed", "userId": "first", "properties": {"product_id": item}}
        assert ask("POST", "/v1/track", event).status == 200
    return ask


def started(say: Any, **more: Any) -> None:
    assert say("PUT", ONE, {**DRAFT, **more}).status == 200
    answer = say("POST", f"{ONE}/start", {"note": "go"})
    assert answer.status == 200, answer.body


def arm(say: Any, **who: str) -> str | None:
    answer = say("POST", "/v1/recommend", {"placement": "home", **who})
    assert answer.status == 200, answer.body
    found: str | None = answer.json().get("arms", {}).get("variety")
    return found


def buys(say: Any, user: str, amount: float) -> None:
    event = {
        "event": "Order Completed", "userId": user, "messageId": f"order-{user}",
        "properties": {"order_id": f"o-{user}", "currency": "EUR",
                       "products": [{"product_id": "tent", "price": amount, "quantity": 1}]},
    }  # fmt: skip
    assert say("POST", "/v1/track", event).json()["events"][0]["status"] == "accepted"


def test_a_draft_is_checked_started_changed_and_decided(say: Any, clock: FixedClock) -> None:
    written = say("PUT", ONE, DRAFT)
    assert (written.status, written.headers["etag"]) == (200, '"1"')
    assert written.json()["experiment"]["fallbackAttribute"] == "anonymousId"
    checks = {check["name"]: check["ok"] for check in say("GET", f"{ONE}/checks").json()["checks"]}
    assert checks == {"target": True, "metrics": True, "conditions": True, "layers": True, "alone": True}
    assert say("GET", f"{ONE}/results").json()["code"] == "experiment_not_started"
    assert arm(say, userId="u-1") is None
    assert say("POST", f"{ONE}/start").json()["experiment"]["status"] == "running"
    assert say("PUT", ONE, DRAFT).json()["code"] == "version_conflict"
    clock.at = Instant(clock.at + HOUR)
    weighed = say("POST", f"{ONE}/weights", {"weights": [0.8, 0.2]}).json()["experiment"]
    assert [epoch["weights"] for epoch in weighed["epochs"]] == [[0.5, 0.5], [0.8, 0.2]]
    assert say("POST", f"{ONE}/roll-out").json()["code"] == "experiment_status"
    stopped = say("POST", f"{ONE}/stop", {"outcome": "ship", "shipped": "popular", "note": "it won"})
    assert stopped.json()["experiment"]["status"] == "stopped"
    assert arm(say, userId="u-2") is None
    assert say("POST", f"{ONE}/roll-out").json()["experiment"]["status"] == "rolled_out"
    versions = say("GET", f"{ONE}/versions").json()["versions"]
    assert [one["version"] for one in versions] == [5, 4, 3, 2, 1]
    assert versions[1]["note"] == "it won"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"on": None}, "on:"),
        ({"on": {"kind": "variants", "name": "home"}}, "is for items"),
        ({"metrics": ["fame"], "guardrails": []}, "fame"),
        ({"metrics": [], "guardrails": []}, "metric"),
        ({"arms": [{"key": "a"}, {"key": "b", "value": {"diversity": 7}}]}, "diversity"),
        ({"arms": [{"key": "a"}, {"key": "b", "value": {"policy": "magic"}}]}, "policy"),
        ({"arms": [{"key": "a"}, {"key": "b", "value": {"sources": {"oracle": 1}}}]}, "oracle"),
    ],
)
def test_what_cannot_be_shown_or_measured_does_not_start(say: Any, change: Any, words: str) -> None:
    assert say("PUT", ONE, {**DRAFT, **change}).status == 200
    refused = say("POST", f"{ONE}/start")
    assert (refused.status, refused.json()["code"]) == (400, "experiment_not_ready")
    assert words in refused.json()["detail"]
    assert say("GET", ONE).json()["experiment"]["status"] == "draft"


def test_arms_differ_in_what_is_shown_and_stay(say: Any) -> None:
    started(say)
    arms = {f"u-{n}": arm(say, userId=f"u-{n}") for n in range(60)}
    assert set(arms.values()) == {"as_it_is", "popular"}
    assert {user: arm(say, userId=user) for user in arms} == arms
    user = next(user for user, one in arms.items() if one == "popular")
    told = say("POST", "/v1/recommend", {"placement": "home", "userId": user, "explain": True}).json()
    assert told["trace"]["experiments"] == [
        {"experiment": "variety", "arm": "popular", "counts": True, "why": "sticky"}
    ]
    assert {stage["name"] for stage in told["trace"]["stages"] if stage["stage"] == "source"} >= {
        "trending_1d"
    }
    assert "vstan" not in {stage["name"] for stage in told["trace"]["stages"]}
    kept = say("GET", f"/v1/decisions/{told['decisionId']}")
    assert kept.status == 200


def test_a_login_changes_no_arm(say: Any) -> None:
    started(say)
    before = {n: arm(say, anonymousId=f"a-{n}") for n in range(40)}
    after = {n: arm(say, anonymousId=f"a-{n}", userId=f"late-{n}") for n in range(40)}
    assert before == after
    assert {n: arm(say, userId=f"late-{n}") for n in range(40)} == before


def test_results_tell_the_difference_that_is_there(say: Any, shop: Engine, clock: FixedClock) -> None:
    started(say)
    arms = {name: arm(say, userId=name) for name in (f"person-{n * 7919}" for n in range(MANY))}
    clock.at = Instant(clock.at + HOUR)
    bought = {"as_it_is": 0, "popular": 0}
    for number, (user, one) in enumerate(arms.items()):
        if one is not None and number % 10 < (2 if one == "as_it_is" else 6):
            buys(say, user, 10.0 + number % 7)
            bought[one] += 1
    told = say("GET", f"{ONE}/results", query=b"scale=absolute").json()
    counts = {one: list(arms.values()).count(one) for one in ("as_it_is", "popular")}
    assert {one["arm"]: one["units"] for one in told["arms"]} == counts

    assert told["ratio"]["alarm"] is False
    levels = {(one["metric"], one["arm"]): one["value"] for one in told["levels"]}
    for one, count in counts.items():
        assert levels["converted", one] == pytest.approx(bought[one] / count)
    row = next(row for row in told["rows"] if row["metric"] == "converted")
    effect = bought["popular"] / counts["popular"] - bought["as_it_is"] / counts["as_it_is"]
    assert row["answer"]["value"] == pytest.approx(effect)
    assert row["answer"]["low"] < effect < row["answer"]["high"]
    assert row["improved"] is True
    asked = {
        name: say("GET", f"{ONE}/results", query=b"scale=absolute&" + name.encode()).json()
        for name in ("method=bayesian", "method=sequential", "stratified=true", "segment=new")
    }
    rows_of = {
        name: next(row for row in one["rows"] if row["metric"] == "converted")["answer"]
        for name, one in asked.items()
    }
    assert rows_of["method=bayesian"]["chanceToWin"] > 0.99
    assert 0 < rows_of["method=bayesian"]["value"] < effect
    wider = rows_of["method=sequential"]
    assert wider["low"] < row["answer"]["low"] < row["answer"]["high"] < wider["high"]
    # Nobody was known a day before, so there is one stratum and the effect is the plain one.
    assert asked["stratified=true"]["stratified"] is True
    assert rows_of["stratified=true"]["value"] == pytest.approx(effect)
    assert "poststratified" in rows_of["stratified=true"]["notes"]
    assert rows_of["segment=new"]["value"] == pytest.approx(effect)
    both = say("GET", f"{ONE}/results", query=b"stratified=true&segment=new")
    assert (both.status, both.json()["path"]) == (400, "stratified")
    series = say("GET", f"{ONE}/series", query=b"metric=converted&scale=absolute").json()["days"]
    assert series[-1]["answer"]["value"] == pytest.approx(effect)
    assert shop.verify().agrees


def test_few_units_give_a_refusal_and_no_count(say: Any) -> None:
    started(say)
    for n in range(10):
        arm(say, userId=f"u-{n}")
    told = say("GET", f"{ONE}/results").json()
    assert {one["units"] for one in told["arms"]} == {None}
    assert {row["answer"]["result"] for row in told["rows"]} == {"refusal"}
    assert say("GET", f"{ONE}/novelty", query=b"metric=converted").json()["answer"]["result"] == "refusal"


def test_operators_add_what_is_measured(say: Any) -> None:
    body = {"kinds": ["share"], "aggregate": "any", "hours": 24, "what": "units that shared something"}
    assert say("PUT", "/v1/experiment-metrics/shared", body).status == 200
    goals = say("GET", "/v1/experiment-metrics").json()["metrics"]
    assert goals["shared"]["measure"]["hours"] == 24
    assert {"converted", "revenue", "clicked"} <= set(goals)
    wrong = say("PUT", "/v1/experiment-metrics/odd", {"kinds": []})
    assert (wrong.status, wrong.json()["code"]) == (400, "metric_invalid")
    started(say, metrics=["shared"], guardrails=[])


def test_who_takes_part_in_no_experiment_has_no_arm(say: Any) -> None:
    started(say)
    refused = {"consent": {"categoryPreferences": {"experiments": False, "personalization": True}}}
    assert all(arm(say, userId=f"n-{n}", context=refused) is None for n in range(5))  # type: ignore[arg-type]
    assert arm(say) is None


def test_the_audit_names_who_asked(say: Any, shop: Engine, tmp_path: Path) -> None:
    shop.experiments._audit = audit = audit_of(tmp_path)
    started(say)
    say("PUT", "/v1/experiment-metrics/shared", {"kinds": ["share"]})
    entries = audit.entries(limit=10)
    audit.close()
    assert [one.action for one in entries] == ["experiment.put", "experiment.start", "metric.put"]
    assert {one.actor.partition(":")[0] for one in entries} == {"key"}
