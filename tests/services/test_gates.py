"""Consent at every gate, through the engine: what is not allowed is not learned, not read and not drawn for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from heedful.compose import Heedful
from heedful.vocabulary.consent import PrivacySettings
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import DAY, HOUR, FixedClock, Instant

NOW = Instant(400 * DAY)
ELSEWHERE = PrivacySettings(consent="elsewhere")
GERMANY = PrivacySettings(jurisdiction="DE")


class Moving(FixedClock):
    """A clock that a test moves on."""

    at = NOW

    def __init__(self) -> None:
        super().__init__(NOW)

    def now(self) -> Instant:
        return self.at


def shop(privacy: PrivacySettings, where: Path | str = ":memory:", holdout: float = 0.0) -> Heedful:
    made = Heedful(where, clock=Moving(), settings=Settings(holdout=holdout, privacy=privacy))
    for person in range(4):
        for item in ("tent", "stove", "map"):
            view(made, f"other{person}", item)
            made.consent({"*": True}, user_id=f"other{person}")
            view(made, f"other{person}", item)
    return made


def view(made: Heedful, person: str, item: str, **call: Any) -> None:
    made.track("Product Viewed", properties={"product_id": item}, user_id=person, **call)


def sessions_with(made: Heedful, item: str) -> int:
    fold = made.engine.fold
    return fold.sessions.sessions_with(fold.items.find(item))


def test_where_consent_is_kept_elsewhere_nobody_has_to_choose() -> None:
    with shop(ELSEWHERE) as made:
        view(made, "ada", "tent")
        answer = made.recommend("ada")
        assert answer.personalized
        assert answer.withheld == ""
        assert sessions_with(made, "tent") == 5


def test_where_it_is_kept_here_unknown_is_no_and_a_choice_counts_at_once() -> None:
    with shop(GERMANY) as made:
        view(made, "ada", "tent")
        assert sessions_with(made, "tent") == 4
        answer = made.recommend("ada")
        assert not answer.personalized
        assert answer.withheld == "personalization"
        made.consent({"personalization": True}, user_id="ada")
        made.engine._clock.at = Instant(NOW + HOUR)  # type: ignore[attr-defined]
        view(made, "ada", "tent")
        answer = made.recommend("ada")
        assert answer.personalized
        assert sessions_with(made, "tent") == 4, "learning was not allowed"
        made.consent({"learning": True}, user_id="ada")
        view(made, "ada", "tent")
        assert sessions_with(made, "tent") == 5


def test_a_withdrawal_takes_back_what_was_learned_before_it_returns() -> None:
    with shop(ELSEWHERE) as made:
        view(made, "ada", "tent")
        before = made.engine.fold.digests()
        view(made, "bo", "tent")
        assert sessions_with(made, "tent") == 6
        made.consent({"learning": False}, user_id="bo")
        assert sessions_with(made, "tent") == 5
        for name in ("sessions", "trends", "repeats"):
            assert made.engine.fold.digests()[name] == before[name]
        assert made.verify().agrees


def test_of_who_does_not_allow_it_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with shop(ELSEWHERE) as made:
        view(made, "ada", "tent")
        made.consent({"personalization": "withdrawn"}, user_id="ada")
        stranger = made.recommend("nobody knows me", item_id="stove")
        fold = made.engine.fold
        mine = fold.subjects.find(made.engine.recommending._pseudonyms.user("ada"))
        history = fold.history
        for name in ("count", "rows", "recent", "fingerprints"):
            real = getattr(history, name)

            def spy(subject: int, *more: Any, _real: Any = real) -> Any:
                assert subject != mine, "a person was read who does not allow it"
                return _real(subject, *more)

            monkeypatch.setattr(history, name, spy)
        # Kernels read the columns themselves: whatever stands there under the person must not matter.
        offset, held = int(history.arrays.offset[mine]), int(history.arrays.held[mine])
        history.arrays.item[offset : offset + held] = -7
        history.arrays.kind[offset : offset + held] = 60_000
        answer = made.recommend("ada", item_id="stove", explain=True)
        assert not answer.personalized
        assert answer.withheld == "personalization"
        assert answer.trace is not None
        assert answer.trace["consent"]["personalization"] == {"allowed": False, "why": "withdrawn"}
        assert answer.trace["subjectKnown"] is False
        assert [(one.item_id, one.score) for one in answer.items] == [
            (one.item_id, one.score) for one in stranger.items
        ]


@pytest.mark.parametrize(
    "said",
    [{"categoryPreferences": {}}, {"categoryPreferences": {"personalization": False}}, 7, "no", {"tcf": 9}],
)
def test_a_question_may_carry_a_no_of_its_own(said: Any) -> None:
    with shop(GERMANY) as made:
        made.consent({"*": True}, user_id="ada")
        view(made, "ada", "tent")
        assert made.recommend("ada").withheld == ""
        assert made.recommend("ada", consent=said).withheld == "personalization"
        assert made.decide(
            "ada", variants=["a", "b"], context={"consent": {"categoryPreferences": {}}}
        ).withheld


def test_nobody_is_held_out_or_drawn_for_without_experiments() -> None:
    with shop(ELSEWHERE, holdout=0.5) as made:
        people = [f"p{number}" for number in range(40)]
        assert any(_held(made, person) for person in people)
        for person in people:
            made.consent({"experiments": False}, user_id=person)
        assert not any(_held(made, person) for person in people)
        chosen = [made.decide(person, variants=["a", "b"]) for person in people]
        assert {answer.propensity for answer in chosen} == {1.0}
        assert len({answer.variant for answer in chosen}) == 1
        assert {made.decide(f"q{n}", variants=["a", "b"]).variant for n in range(40)} == {"a", "b"}


def _held(made: Heedful, person: str) -> bool:
    trace = made.recommend(person, explain=True).trace
    assert trace is not None
    return bool(trace["holdout"])


def test_a_decision_for_who_does_not_allow_analytics_is_kept_and_not_counted() -> None:
    with shop(ELSEWHERE) as made:
        made.consent({"analytics": False}, user_id="ada")
        before = made.engine.fold.outcomes.held()
        answer = made.recommend("ada")
        assert made.decision(answer.decision_id).user_id == "ada"
        assert made.engine.fold.outcomes.held() == before
        made.recommend("bo")
        made.decision(made.recommend("bo").decision_id)
        assert made.engine.fold.outcomes.held()[0] == before[0] + 2


def test_a_grant_runs_out_by_the_clock() -> None:
    with shop(GERMANY) as made:
        made.consent({"*": True}, user_id="ada", expires_in_days=1)
        view(made, "ada", "tent")
        assert sessions_with(made, "tent") == 5
        made.engine._clock.at = Instant(NOW + 2 * DAY)  # type: ignore[attr-defined]
        answer = made.recommend("ada")
        assert answer.withheld == "personalization"
        assert sessions_with(made, "tent") == 4
        assert made.verify().agrees


def test_a_choice_on_a_device_holds_for_who_logs_in_there() -> None:
    with shop(ELSEWHERE) as made:
        made.consent({"personalization": False}, user_id="ada", anonymous_id="phone")
        assert made.recommend("ada").withheld
        assert made.recommend(anonymous_id="phone").withheld
        assert made.recommend("bo", anonymous_id="phone").withheld
        assert not made.recommend("bo").withheld


def test_segments_and_unomis_choices_are_understood() -> None:
    with shop(GERMANY) as made:
        granted = {"consent": {"categoryPreferences": {"Personalization": True, "learning": True}}}
        made.track("Segment Consent Preference Updated", user_id="ada", context=granted)
        assert made.recommend("ada").withheld == ""
        unomi = {"typeIdentifier": "personalization", "status": "DENIED"}
        made.track("modifyConsent", user_id="ada", properties={"consent": unomi})
        assert made.recommend("ada").withheld == "personalization"
        made.engine._clock.at = Instant(NOW + HOUR)  # type: ignore[attr-defined]
        made.send("consent", {"userId": "ada", "consent": {**unomi, "status": "GRANTED"}})
        assert made.recommend("ada").withheld == ""


def test_what_an_event_carries_speaks_for_that_event_alone() -> None:
    with shop(GERMANY) as made:
        yes = {"consent": {"categoryPreferences": {"learning": True}}}
        view(made, "ada", "tent", context=yes)
        assert sessions_with(made, "tent") == 5
        view(made, "ada", "stove")
        assert sessions_with(made, "stove") == 4
        view(made, "bo", "tent", context={"consent": "what is this"})
        assert sessions_with(made, "tent") == 5
        made.consent({"learning": False}, user_id="ada")
        assert sessions_with(made, "tent") == 4
        assert made.verify().agrees


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ({"choices": {}}, "consent_invalid"),
        ({"choices": {"astrology": True}}, "purpose_unknown"),
        ({"choices": {"learning": "perhaps"}}, "consent_invalid"),
        ({}, "consent_invalid"),
        ({"consent": {"typeIdentifier": "astrology", "status": "GRANTED"}}, "purpose_unknown"),
    ],
)
def test_a_choice_that_cannot_be_kept_is_told_to_who_sent_it(call: dict[str, Any], code: str) -> None:
    with shop(ELSEWHERE) as made, pytest.raises(Invalid) as caught:
        made.send("consent", {"userId": "ada", **call})
    assert caught.value.code == code


def test_global_privacy_control_is_written_down_once_and_follows_the_person() -> None:
    with shop(ELSEWHERE) as made:
        engine = made.engine
        place = engine.place()
        body = msgspec.json.encode({"userId": "ada", "anonymousId": "phone", "event": "Opened"})
        for _ in range(3):
            engine.collect("track", body, "web", lambda _: None, gpc=True)
        assert engine.place() == place + 3 + 2
        for user, anonymous in (("ada", ""), ("", "phone"), ("ada", "tablet")):
            assert engine.gates.allows("sharing", user, anonymous).why == "refused"
            assert engine.gates.allows("personalization", user, anonymous).allowed
        view(made, "bo", "tent", context={"consent": {"gpc": True}})
        assert not engine.gates.allows("sharing", "bo").allowed
        assert engine.gates.allows("sharing", "cy").allowed
        assert not engine.gates.allows("astrology", "cy").allowed


def test_the_strict_setting_stops_personalization_by_the_signal_too() -> None:
    with shop(PrivacySettings(consent="elsewhere", strict_gpc=True)) as made:
        assert made.recommend("ada").withheld == ""
        assert made.recommend("ada", consent={"gpc": True}).withheld == "personalization"
        view(made, "ada", "tent", context={"consent": {"gpc": True}})
        assert made.recommend("ada").withheld == "personalization"
        assert sessions_with(made, "tent") == 4


def test_who_is_known_to_be_a_minor_is_not_profiled_whatever_they_chose() -> None:
    with shop(ELSEWHERE) as made:
        made.consent({"*": True}, user_id="ada")
        view(made, "ada", "tent")
        assert sessions_with(made, "tent") == 5
        made.identify(user_id="ada", traits={"age": 15})
        assert made.recommend("ada").withheld == "personalization"
        assert sessions_with(made, "tent") == 4
        assert made.engine.gates.allows("personalization", "ada").why == "minor"
        assert made.recommend("bo", anonymous_id="x").withheld == ""
        made.engine._clock.at = Instant(NOW + 5 * DAY * 366)  # type: ignore[attr-defined]
        made.identify(user_id="ada", traits={"age": 20})
        assert made.recommend("ada").withheld == ""
        assert made.verify().agrees


def test_where_somebody_is_decides_which_rules_hold() -> None:
    with shop(GERMANY) as made:
        view(made, "ada", "tent")
        assert sessions_with(made, "tent") == 4
        made.identify(user_id="ada", traits={"jurisdiction": "us-co"})
        assert sessions_with(made, "tent") == 5
        assert made.recommend("ada").withheld == ""
        assert made.consent_of("ada").purposes["personalization"].mechanism == "opt_out"
        assert made.consent_of("bo").purposes["personalization"].mechanism == "opt_in"
