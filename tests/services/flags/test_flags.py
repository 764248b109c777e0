"""Flags as a service: what is in force, who is drawn for, and what is written down of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heedful.compose import open_engine
from heedful.experiments.flags import ErrorCode, Evaluation, is_current
from heedful.log.cursor import Cursor
from heedful.records.records import Draft
from heedful.services.engine import Engine
from heedful.services.flags import asked_of
from heedful.vocabulary.access import Subject
from heedful.vocabulary.errors import Conflict, Invalid, NotFound
from heedful.vocabulary.event import Event
from heedful.vocabulary.experiment import Outcome
from heedful.vocabulary.kinds import EXPOSURE
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import DAY, FixedClock, Instant

BUTTON: dict[str, Any] = {
    "type": "string",
    "variations": {"grey": "#888", "blue": "#00f"},
    "default": "grey",
    "rules": [{"id": "test", "experiment": "colours", "arms": {"control": "grey", "blue": "blue"}}],
}
COLOURS: dict[str, Any] = {
    "on": {"kind": "flag", "name": "button"},
    "arms": [{"key": "control"}, {"key": "blue"}],
    "metrics": ["converted"],
}


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = open_engine(clock=FixedClock(Instant(20_000 * DAY)))
    yield made
    made.close()


def drafted(engine: Engine) -> None:
    engine.experiments.put("colours", COLOURS, author="me")
    engine.flags.put("button", BUTTON, author="me")


def started(engine: Engine) -> None:
    drafted(engine)
    failures: list[object] = []
    engine.experiments.start("colours", failures.append, author="me")
    assert len(failures) == 1
    assert not isinstance(failures[0], Exception)


def button(engine: Engine, **context: Any) -> Evaluation:
    return engine.evaluating.one("button", asked_of(context))


def exposures(engine: Engine) -> list[Event]:
    from heedful.log.codec import decode

    found = [decode(stored.record.body) for stored in engine.log.read(Cursor(), limit=10_000)]
    return [event for event in found if event.kind == EXPOSURE]


def test_a_flag_has_versions_and_a_change_is_made_for_the_one_that_was_read(engine: Engine) -> None:
    plain = {"default": "on"}
    assert engine.flags.put("plain", plain, author="me", expected=0).version == 1
    with pytest.raises(Conflict):
        engine.flags.put("plain", plain, author="me", expected=0)
    assert engine.flags.put("plain", {"enabled": False}, author="me", note="off", expected=1).version == 2
    assert engine.evaluating.one("plain", asked_of({})).reason == "DISABLED"
    assert engine.flags.rollback("plain", 1, author="me").version == 3
    assert engine.evaluating.one("plain", asked_of({})).value is True
    assert [one.key for one in engine.flags.list()] == ["plain"]
    assert engine.flags.delete("plain", author="me").deleted
    assert [one.version for one in engine.flags.versions("plain")] == [4, 3, 2, 1]
    assert engine.evaluating.one("plain", asked_of({})).error is ErrorCode.FLAG_NOT_FOUND
    with pytest.raises(NotFound):
        engine.flags.get("plain")
    with pytest.raises(NotFound):
        engine.flags.delete("plain", author="me")
    with pytest.raises(Invalid):
        engine.flags.rollback("plain", 4, author="me")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"default": "maybe"}, ""),
        ({"rules": [{"experiment": "nothing", "arms": {"a": "on"}}]}, "rules[0].experiment"),
        ({"rules": [{"experiment": "home", "arms": {"a": "on"}}]}, "rules[0].experiment"),
        ({"rules": [{"experiment": "colours", "arms": {"red": "on"}}]}, "rules[0].arms"),
        ({"prerequisites": [{"flag": "mine", "condition": {"value": True}}]}, "prerequisites"),
    ],
)
def test_what_cannot_hold_is_refused_with_its_place(engine: Engine, body: Any, path: str) -> None:
    drafted(engine)
    other = {**COLOURS, "on": {"kind": "placement", "name": "home"}}
    engine.experiments.put("home", other, author="me")
    with pytest.raises(Invalid) as refused:
        engine.flags.put("mine", body, author="me")
    assert refused.value.path == path


def test_an_experiment_draws_only_while_it_runs_and_what_was_rolled_out_is_for_all(engine: Engine) -> None:
    drafted(engine)
    assert button(engine, targetingKey="u1").reason == "DEFAULT"
    started_at = engine.evaluating.configuration
    failures: list[object] = []
    engine.experiments.start("colours", failures.append, author="me")
    assert engine.evaluating.configuration != started_at
    arms = {button(engine, targetingKey=f"u{n}").variant for n in range(40)}
    assert arms == {"grey", "blue"}
    engine.experiments.stop("colours", Outcome.SHIP, "blue", failures.append, author="me")
    assert button(engine, targetingKey="u1").reason == "DEFAULT"
    engine.experiments.roll_out("colours", author="me")
    refused = {"gpc": False, "choices": {"experiments": False}}
    assert button(engine, targetingKey="u1").variant == "blue"
    assert button(engine, targetingKey="u2", consent=refused).variant == "blue"


def test_an_experiment_starts_once_its_flag_has_a_rule_for_it(engine: Engine) -> None:
    engine.experiments.put("colours", COLOURS, author="me")

    def target() -> str:
        (check,) = (one for one in engine.experiments.checks("colours") if one.name == "target")
        assert check.ok is not bool(check.why)
        return check.why

    assert "no flag 'button'" in target()
    engine.flags.put("button", {"default": "on"}, author="me")
    assert "no rule" in target()
    with pytest.raises(Invalid):
        engine.experiments.start("colours", lambda _: None, author="me")
    engine.flags.put("button", BUTTON, author="me")
    assert target() == ""


def test_a_draft_may_change_its_arms_under_a_flag_that_names_them(engine: Engine) -> None:
    drafted(engine)
    renamed = {**COLOURS, "arms": [{"key": "control"}, {"key": "green"}]}
    engine.experiments.put("colours", renamed, author="me")
    assert button(engine, targetingKey="u1").value == "#888"
    engine.experiments.start("colours", lambda _: None, author="me")
    found = {
        (one.reason.value, one.value) for one in (button(engine, targetingKey=f"u{n}") for n in range(40))
    }
    assert found == {("SPLIT", "#888"), ("DEFAULT", "#888")}


def test_one_evaluation_is_an_exposure_once_and_bulk_is_none(engine: Engine) -> None:
    started(engine)
    engine.evaluating.all(asked_of({"targetingKey": "u1"}))
    assert exposures(engine) == []
    for _ in range(3):
        first = button(engine, targetingKey="u1")
    (only,) = exposures(engine)
    assert msgspec.json.decode(only.properties) == [["colours", first.metadata["arm"]]]
    assert (only.user, only.name, only.decision[0]) == ("u1", "button", "x")
    standing = engine.fold.trials.standing("colours")
    assert standing is not None
    assert sum(sums.units for sums in standing.totals.values()) == 1


def test_an_exposure_is_written_once_over_restarts(tmp_path: Path) -> None:
    settings = Settings(holdout=0.0)
    for turn in range(2):
        engine = open_engine(tmp_path, settings=settings)
        if turn == 0:
            started(engine)
        button(engine, targetingKey="u1")
        engine.evaluating._expose._given.clear()
        button(engine, targetingKey="u1")
        assert len(exposures(engine)) == 1
        assert engine.verify().agrees
        engine.close()


def test_an_arm_stays_with_a_person_over_a_login_and_other_weights(engine: Engine) -> None:
    started(engine)
    before = {n: button(engine, targetingKey=f"a{n}", anonymousId=f"a{n}").variant for n in range(40)}
    assert set(before.values()) == {"grey", "blue"}
    engine.experiments.weigh("colours", (0.0, 1.0), 1.0, lambda _: None, author="me")
    after = {n: button(engine, targetingKey=f"u{n}", anonymousId=f"a{n}").variant for n in range(40)}
    assert after == before
    assert button(engine, targetingKey="new").variant == "blue"


def test_a_page_without_a_proof_is_answered_by_what_it_sends_alone(engine: Engine) -> None:
    started(engine)
    before = {n: button(engine, targetingKey=f"u{n}").variant for n in range(40)}
    engine.experiments.weigh("colours", (0.0, 1.0), 1.0, lambda _: None, author="me")
    clock = engine.evaluating._clock
    assert isinstance(clock, FixedClock)
    clock.at = Instant(clock.at + 1)
    plain = [asked_of({"targetingKey": f"u{n}"}, stored=False) for n in range(40)]
    assert {engine.evaluating.one("button", one).variant for one in plain} == {"blue"}
    assert "grey" in before.values()
    proven = asked_of({"targetingKey": "somebody"}, proven=Subject(user_id="u1"))
    assert engine.evaluating.one("button", proven).variant == before[1]


@pytest.mark.parametrize("said", [{"gpc": False}, None])
def test_who_allows_no_experiments_gets_what_everybody_outside_gets(engine: Engine, said: Any) -> None:
    started(engine)
    anonymous = {f"u{n}": button(engine, targetingKey=f"u{n}").variant for n in range(30)}
    written = len(exposures(engine))
    blue = [user for user, variant in anonymous.items() if variant == "blue"]
    for user in blue:
        body = {"userId": user, "choices": {"experiments": False}}
        engine.collect("consent", msgspec.json.encode(body), "client", lambda _: None)
        context = {"targetingKey": user} if said is None else {"targetingKey": user, "consent": said}
        found = button(engine, **context)
        assert (found.reason.value, found.variant) == ("DEFAULT", "grey")
        unproven = asked_of(context, stored=False)
        assert engine.evaluating.one("button", unproven).variant == "grey"
    assert len(exposures(engine)) == written


def test_who_is_held_out_is_not_drawn_for() -> None:
    engine = open_engine(settings=Settings(holdout=0.5))
    started(engine)
    reasons = {button(engine, targetingKey=f"u{n}").reason.value for n in range(40)}
    assert reasons == {"DEFAULT", "SPLIT"}
    held = [n for n in range(40) if button(engine, targetingKey=f"u{n}").reason == "DEFAULT"]
    assert 5 < len(held) < 35
    assert len(exposures(engine)) == 40 - len(held)
    engine.close()


def test_a_lot_needs_somebody_and_nothing_else_does(engine: Engine) -> None:
    started(engine)
    engine.flags.put("share", {"rules": [{"serve": "on", "rollout": {"coverage": 1.0}}]}, author="me")
    engine.flags.put("plain", {"default": "on"}, author="me")
    first = {
        "rules": [{"condition": {"beta": True}, "serve": "on"}, {"serve": "on", "rollout": {"coverage": 1}}]
    }
    engine.flags.put("first", first, author="me")
    for context in ({}, {"targetingKey": ""}, {"id": "u1"}):
        missing = {one.key: one.error for one in engine.evaluating.all(asked_of(context)).evaluations}
        assert missing == {
            "button": ErrorCode.TARGETING_KEY_MISSING, "share": ErrorCode.TARGETING_KEY_MISSING,
            "first": ErrorCode.TARGETING_KEY_MISSING, "plain": None,
        }  # fmt: skip
    assert engine.evaluating.one("first", asked_of({"beta": True})).variant == "on"
    assert exposures(engine) == []


@pytest.mark.parametrize(
    "context",
    [
        [], "u1", 1, {"targetingKey": 7}, {"userId": ["u"]}, {"targetingKey": "u" * 201},
        {"anonymousId": "a\x00"}, {"many": [0] * 2_001},
    ],
)  # fmt: skip
def test_a_context_that_is_none_is_refused(context: Any) -> None:
    with pytest.raises(Invalid) as refused:
        asked_of(context)
    assert refused.value.code == "context_invalid"


def test_the_tag_changes_with_everything_that_an_answer_hangs_on(engine: Engine) -> None:
    drafted(engine)
    tags = []

    def tagged(also: Any = None, **context: Any) -> str:
        return engine.evaluating.all(asked_of(context), also=also).tag

    tags = [tagged(targetingKey="u1"), tagged(targetingKey="u2"), tagged(targetingKey="u1", country="DE")]
    tags += [tagged(targetingKey="u1", country="AT"), tagged("stream", targetingKey="u1")]
    tags += [tagged(targetingKey="u1", consent={"gpc": True})]
    assert tagged(targetingKey="u1", country="DE") == tagged(country="DE", targetingKey="u1") == tags[2]
    engine.experiments.start("colours", lambda _: None, author="me")
    tags.append(tagged(targetingKey="u1"))
    engine.experiments.weigh("colours", (0.1, 0.9), 1.0, lambda _: None, author="me")
    tags.append(tagged(targetingKey="u1"))
    engine.flags.put("button", {**BUTTON, "description": "the one on the left"}, author="me")
    tags.append(tagged(targetingKey="u1"))
    assert len(set(tags)) == len(tags) == 9
    assert is_current(tags[-1], tagged(targetingKey="u1"))


def test_a_flag_that_a_later_program_wrote_spoils_no_other(engine: Engine) -> None:
    engine.flags.put("plain", {"default": "on"}, author="me")
    records: Any = engine.flags._definitions._records
    records.put(Draft("flag", "later", b'{"key":"later","colours":7}', "them", Instant(0)))
    engine.flags.look()
    assert engine.evaluating.one("plain", asked_of({})).value is True
    assert engine.evaluating.one("later", asked_of({})).error is ErrorCode.GENERAL
    assert [one.key for one in engine.evaluating.all(asked_of({})).evaluations] == ["plain", "later"]
