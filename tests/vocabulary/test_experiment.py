"""A definition that cannot be is refused with the place where it stands and what would do."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.experiment import NEXT, Experiment, Outcome, Status, experiment_of, moved
from heedful.vocabulary.flag import Flag, flag_of

ARMS = [{"key": "popular"}, {"key": "learned"}]


def test_a_definition_survives_the_wire() -> None:
    body: dict[str, Any] = {
        "on": {"kind": "placement", "name": "home"},
        "arms": [{"key": "a", "value": {"policy": "popular"}}, {"key": "b", "name": "Learned"}],
        "weights": [0.9, 0.1],
        "coverage": 0.5,
        "hashAttribute": "id",
        "fallbackAttribute": "anonymousId",
        "layer": {"name": "ranking", "start": 0.0, "end": 0.5},
        "filters": [{"seed": "s", "ranges": [[0, 0.5]], "hashVersion": 2}],
        "when": {"field": "segment", "op": "eq", "value": "new"},
        "prerequisites": [{"flag": "f", "condition": {"value": True}}],
        "metrics": ["revenue"],
        "guardrails": [{"metric": "latency", "worse": "up", "margin": 0.05}],
        "statistics": {"kind": "group_sequential", "looks": [0.25, 0.5, 0.75, 1.0]},
        "minBucketVersion": 0,
    }
    read = experiment_of("t", body)
    assert msgspec.json.decode(msgspec.json.encode(read), type=Experiment) == read
    assert experiment_of("t", {"key": "t", "arms": ARMS}).statistics.kind == "sequential"


@pytest.mark.parametrize(
    ("change", "says", "path"),
    [
        ({"arms": ARMS[:1]}, "at least 2", ""),
        ({"arms": [*ARMS, {"key": "popular"}]}, "'popular' stands there twice", ""),
        ({"weights": [0.5]}, "1 for 2 arms", ""),
        ({"weights": [0.5, 0.3]}, "together they are 0.8", ""),
        ({"weights": [1.5, -0.5]}, "at least 0", ""),
        ({"coverage": 1.2}, "<= 1.0", "coverage"),
        ({"coverage": 0.0001}, "use hashVersion 3", ""),
        ({"hashVersion": 4}, "4", "hashVersion"),
        ({"ranges": [[0, 0.6], [0.5, 1]]}, "share what lies from 0.5 to 0.6", ""),
        ({"ranges": [[0, 0.5], [0.9, 0.6]]}, "must go up", ""),
        ({"ranges": [[0, 0.5]]}, "one for each arm", ""),
        ({"unit": "switchback"}, "needed for unit 'switchback'", ""),
        ({"unit": "switchback", "switchback": {"minutes": 10, "washoutMinutes": 10}}, "fewer", "switchback"),
        ({"unit": "session"}, "name what holds the session's id", ""),
        ({"fallbackAttribute": "anonymousId", "sticky": False}, "needs sticky", ""),
        ({"layer": {"name": "l", "start": 0.5, "end": 0.5}}, "below end", "layer"),
        (
            {"layer": {"name": "l", "start": 0, "end": 1}, "namespace": {"name": "n", "start": 0, "end": 1}},
            "not both", "",
        ),
        ({"statistics": {"kind": "group_sequential"}}, "looks", "statistics"),
        ({"statistics": {"looks": [0.5, 1]}}, "looks", "statistics"),
        ({"statistics": {"kind": "group_sequential", "looks": [0.5, 0.4, 1]}}, "rise", "statistics"),
        ({"statistics": {"kind": "group_sequential", "looks": [0.5, 0.9]}}, "last look is at 1", "statistics"),
        ({"statistics": {"alpha": 0.5}}, "< 0.5", "statistics.alpha"),
        ({"force": "none"}, "no arm 'none'", ""),
        ({"status": "running"}, "epochs", ""),
        ({"status": "stopped", "epochs": [{"started": 1, "weights": [], "coverage": 1}]}, "outcome", ""),
        ({"outcome": "ship", "shipped": "popular"}, "has none yet", ""),
        ({"stages": [0.5, 0.1]}, "rise", ""),
        ({"minBucketVersion": 1}, "minBucketVersion", ""),
        ({"metrics": ["ctr", "ctr"]}, "'ctr' stands there twice", ""),
        ({"wieghts": [0.5, 0.5]}, "wieghts", ""),
        ({"key": "other"}, "'other', not 't'", "key"),
        ({"arms": [{"key": "a", "value": "x" * 20_000}, {"key": "b"}]}, "16384 bytes", "arms[0]"),
    ],
)  # fmt: skip
def test_an_experiment_that_cannot_be_is_refused(change: dict[str, Any], says: str, path: str) -> None:
    with pytest.raises(Invalid) as error:
        experiment_of("t", {"arms": ARMS, **change})
    assert says in str(error.value)
    assert (error.value.code, error.value.path) == ("experiment_invalid", path)


def test_a_life_goes_one_way() -> None:
    draft = experiment_of("t", {"arms": ARMS})
    live = moved(draft, Status.RUNNING, 10)
    assert live.epochs[0].weights == (0.5, 0.5)
    with pytest.raises(Invalid, match="outcome"):
        moved(live, Status.STOPPED, 20)
    with pytest.raises(Invalid, match="shipped"):
        moved(live, Status.STOPPED, 20, Outcome.SHIP)
    stopped = moved(live, Status.STOPPED, 20, Outcome.SHIP, "learned")
    gone = moved(moved(stopped, Status.ROLLED_OUT, 30), Status.ARCHIVED, 40)
    for experiment in (draft, live, stopped, gone):
        for status in set(Status) - set(NEXT[experiment.status]):
            with pytest.raises(Invalid) as error:
                moved(experiment, status, 50)
            assert error.value.code == "experiment_status"
    undecided = moved(live, Status.STOPPED, 20, Outcome.INCONCLUSIVE)
    with pytest.raises(Invalid, match="only what was shipped"):
        moved(undecided, Status.ROLLED_OUT, 30)


@pytest.mark.parametrize(
    ("body", "says", "path"),
    [
        ({"type": "string"}, "variations.on: must be a text", ""),
        ({"type": "number", "variations": {"a": True}, "default": "a"}, "finite number", ""),
        ({"type": "object", "variations": {"a": [1]}, "default": "a"}, "an object", ""),
        ({"default": "none"}, "no variation 'none'", ""),
        ({"rules": [{"id": "r"}]}, "serve or experiment", "rules[0]"),
        ({"rules": [{"id": "r", "serve": "blue"}]}, "no variation 'blue'", ""),
        ({"rules": [{"serve": "on", "rollout": {}}]}, "needs coverage", "rules[0].rollout"),
        ({"rules": [{"serve": "on", "rollout": {"coverage": 2}}]}, "<= 1.0", "rules[0].rollout.coverage"),
        ({"rules": [{"experiment": "e"}]}, "needs arms", "rules[0]"),
        ({"rules": [{"id": "r", "serve": "on"}, {"id": "r", "serve": "off"}]}, "stands there twice", ""),
        ({"enabeld": True}, "enabeld", ""),
        ([], "must be an object", ""),
    ],
)
def test_a_flag_that_cannot_be_is_refused(body: Any, says: str, path: str) -> None:
    with pytest.raises(Invalid) as error:
        flag_of("f", body)
    assert says in str(error.value)
    assert (error.value.code, error.value.path) == ("flag_invalid", path)


def test_a_flag_without_a_word_is_a_boolean_that_is_off() -> None:
    flag = flag_of("f", {})
    assert (flag.type, flag.default, flag.variations) == ("boolean", "off", {"on": True, "off": False})
    assert msgspec.json.decode(msgspec.json.encode(flag), type=Flag) == flag
