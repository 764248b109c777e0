"""A flag says what it is and why, in OpenFeature's words, and its tag changes whenever its answer could."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.experiments.assignment import Assigner, Group, Subject, attributes_of, bucket
from heedful.experiments.flags import (
    ErrorCode,
    Flags,
    Reason,
    configuration_digest,
    entity_tag,
    is_current,
    stretches,
)
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.experiment import Experiment, Outcome, Status, experiment_of, moved
from heedful.vocabulary.flag import Flag, flag_of
from heedful.vocabulary.time import MINUTE, Instant

EXPERIMENT = moved(
    experiment_of("colours", {"arms": [{"key": "control"}, {"key": "blue"}], "fallbackAttribute": "anonymousId"}),
    Status.RUNNING, 1,
)  # fmt: skip
BUTTON = flag_of(
    "button",
    {
        "type": "string",
        "variations": {"grey": "#888", "blue": "#00f", "gold": "#fd0"},
        "default": "grey",
        "rules": [
            {"id": "vips", "when": {"field": "segment", "op": "eq", "value": "vip"}, "serve": "gold"},
            {"id": "tenth", "condition": {"country": "DE"}, "serve": "gold", "rollout": {"coverage": 0.1}},
            {"id": "test", "experiment": "colours", "arms": {"control": "grey", "blue": "blue"}},
        ],
    },
)


def flags(*more: Flag, experiment: Experiment = EXPERIMENT) -> Flags:
    return Flags([BUTTON, *more], {experiment.key: Assigner(experiment)})


def test_each_reason_is_the_one_that_openfeature_means() -> None:
    every = flags(
        flag_of("plain", {"default": "on"}),
        flag_of("off", {"enabled": False, "default": "on"}),
        flag_of("left", {"default": None}),
        flag_of("ruled", {"rules": [{"condition": {"a": 1}, "serve": "on"}]}),
        flag_of("share", {"rules": [{"serve": "on", "rollout": {"coverage": 1.0}}]}),
    )
    subject = Subject({"id": "u1"}, segments=("vip",))

    def said(key: str, who: Subject = subject) -> tuple[str, Any, str | None, str]:
        got = every.evaluate(key, who)
        return got.reason.value, got.value, got.variant, got.wire_reason

    assert said("plain") == ("STATIC", True, "on", "STATIC")
    assert said("off") == ("DISABLED", None, None, "DISABLED")
    assert said("left") == ("STATIC", None, None, "STATIC")
    assert said("ruled") == ("DEFAULT", False, "off", "UNKNOWN")
    assert said("ruled", Subject({"a": 1})) == ("TARGETING_MATCH", True, "on", "TARGETING_MATCH")
    assert said("share") == ("SPLIT", True, "on", "SPLIT")
    assert said("button") == ("TARGETING_MATCH", "#fd0", "gold", "TARGETING_MATCH")
    assert said("button", Subject({"id": "u1"}))[0] == "SPLIT"
    missing = every.evaluate("nothing", subject)
    assert (missing.reason, missing.error) == (Reason.ERROR, ErrorCode.FLAG_NOT_FOUND)
    assert [each.key for each in every.evaluate_all(subject)] == sorted(
        ["button", "plain", "off", "left", "ruled", "share"]
    )


def test_an_experiment_behind_a_flag_says_its_arm_and_is_an_exposure() -> None:
    values = set()
    for n in range(50):
        got = flags().evaluate("button", Subject({"id": f"u{n}"}))
        assert got.metadata == {
            "rule": "test", "experiment": "colours", "arm": got.assignments[-1].arm, "inExperiment": True,
            "epoch": 0,
        }  # fmt: skip
        assert [each.inside for each in got.assignments] == [True]
        values.add(got.value)
    assert values == {"#888", "#00f"}


def test_metadata_are_values_that_ofrep_allows() -> None:
    got = flags().evaluate("button", Subject({"id": "u"}))
    assert all(isinstance(value, (bool, str, int, float)) for value in got.metadata.values())


def test_a_share_takes_in_the_bucket_at_its_end_as_growthbook_does() -> None:
    flag = flag_of("f", {"rules": [{"serve": "on", "rollout": {"coverage": 0.5, "seed": "s"}}]})
    at = next(f"u{n}" for n in range(100_000) if bucket("s", f"u{n}") == 0.5)
    above = next(f"u{n}" for n in range(100_000) if bucket("s", f"u{n}") == 0.5001)
    assert flags(flag).evaluate("f", Subject({"id": at})).value is True
    assert flags(flag).evaluate("f", Subject({"id": above})).value is False


def test_a_log_in_keeps_what_a_flag_was() -> None:
    before = flags().evaluate("button", Subject({"anonymousId": "a"}, sticky={}))
    documents = {kept.document: {kept.entry: kept.arm} for kept in before.kept}
    assert documents
    after = flags().evaluate("button", Subject({"anonymousId": "a", "id": "u"}, sticky=documents))
    assert after.value == before.value


def test_what_was_shipped_is_served_to_everybody_and_exposes_nobody() -> None:
    out = moved(moved(EXPERIMENT, Status.STOPPED, 5, Outcome.SHIP, "blue"), Status.ROLLED_OUT, 6)
    got = flags(experiment=out).evaluate("button", Subject({}))
    assert got.variant == "blue"
    assert not any(each.inside for each in got.assignments)


def test_a_failed_prerequisite_leaves_the_flag_to_the_code() -> None:
    parent = flag_of("parent", {"rules": [{"condition": {"beta": True}, "serve": "on"}]})
    child = flag_of(
        "child", {"default": "on", "prerequisites": [{"flag": "parent", "condition": {"value": True}}]}
    )
    every = flags(parent, child)
    assert every.evaluate("child", Subject({"beta": True})).value is True
    got = every.evaluate("child", Subject({}))
    assert (got.reason, got.variant, got.metadata) == (Reason.DISABLED, None, {"prerequisite": "parent"})


def test_an_experiment_asked_by_a_prerequisite_is_an_exposure_too() -> None:
    child = flag_of(
        "child",
        {
            "default": "on",
            "prerequisites": [{"flag": "button", "condition": {"value": {"$in": ["#888", "#00f"]}}}],
        },
    )
    got = flags(child).evaluate("child", Subject({"id": "u"}))
    assert got.variant == "on"
    assert [each.experiment for each in got.assignments] == ["colours"]


def test_a_context_that_costs_too_much_is_an_error_and_not_a_value() -> None:
    costly = flag_of(
        "costly",
        {
            "default": "on",
            "rules": [{"condition": {"t": {"$all": [str(n) for n in range(60)]}}, "serve": "off"}],
        },
    )
    got = flags(costly).evaluate("costly", Subject({"t": [str(n) for n in reversed(range(2_000))]}))
    assert (got.reason, got.error, got.variant) == (Reason.ERROR, ErrorCode.INVALID_CONTEXT, None)


def test_a_context_names_its_unit_and_has_an_end() -> None:
    assert attributes_of({"targetingKey": "u1", "plan": "pro"}) == {
        "id": "u1",
        "targetingKey": "u1",
        "plan": "pro",
    }
    assert attributes_of({"targetingKey": "u1", "id": "other"})["id"] == "other"
    assert attributes_of({}) == {}
    deep: Any = {}
    for _ in range(17):
        deep = {"a": [deep]}
    broken: list[Any] = [[], None, "u1", {"a": list(range(2_001))}, {"a": [[[1] * 30] * 30] * 30}, deep]
    for context in broken:
        with pytest.raises(Invalid) as error:
            attributes_of(context)
        assert error.value.code == "context_invalid"


def needing(key: str, *needed: str) -> Flag:
    """A flag that is on if every one of `needed` is."""
    parents = [{"flag": other, "condition": {"value": True}} for other in needed]
    return flag_of(key, {"default": "on", "prerequisites": parents})


def test_a_chain_of_prerequisites_has_an_end() -> None:
    chain = [needing(str(n), str(n + 1)) for n in range(30)]
    assert flags(*chain[12:]).evaluate("12", Subject({})).variant is None  # the last one is missing
    assert flags(*chain[12:], needing("30")).evaluate("12", Subject({})).value is True
    with pytest.raises(Invalid, match="more than 20"):
        flags(*chain)


def test_a_flag_that_many_wait_for_is_evaluated_once() -> None:
    """Eighteen levels of two flags that both need both below: 2^18 ways to the bottom."""
    levels = [[needing(f"{n}{side}", f"{n + 1}a", f"{n + 1}b") for side in "ab"] for n in range(18)]
    bottom = [
        flag_of(f"18{side}", {"rules": [{"experiment": "colours", "arms": {"control": "on", "blue": "on"}}]})
        for side in "ab"
    ]
    got = flags(*(flag for level in levels for flag in level), *bottom).evaluate("0a", Subject({"id": "u"}))
    assert got.value is True
    assert [each.experiment for each in got.assignments] == ["colours"]


def test_rules_about_what_does_not_exist_are_refused() -> None:
    with pytest.raises(Invalid, match="no experiment 'unknown'") as error:
        flags(flag_of("f", {"rules": [{"experiment": "unknown", "arms": {"a": "on"}}]}))
    assert error.value.path == "rules[0].experiment"
    with pytest.raises(Invalid, match="has no arm 'red'"):
        flags(flag_of("f", {"rules": [{"experiment": "colours", "arms": {"red": "on"}}]}))
    with pytest.raises(Invalid, match=r"rules\[0\]\.condition"):
        flags(flag_of("f", {"rules": [{"condition": {"a": {"$where": "1"}}, "serve": "on"}]}))


# The tag


SUBJECT = Subject({"id": "u1", "country": "DE"}, segments=("vip",), sticky={})


def tag(context: Any, subject: Subject = SUBJECT, configuration: bytes = b"1") -> str:
    return entity_tag(configuration, context, subject)


def test_the_tag_changes_with_everything_that_an_answer_reads() -> None:
    context = {"targetingKey": "u1", "country": "DE"}
    every = [
        tag(context),
        tag(context, configuration=b"2"),
        tag({**context, "country": "AT"}),  # the same targeting key: the trap
        tag({**context, "plan": None}),
        tag({**context, "age": 1}),
        tag({**context, "age": "1"}),
        tag({**context, "age": True}),
        tag(context, SUBJECT._replace(segments=())),
        tag(context, SUBJECT._replace(sticky={"id||u1": {"colours__0": "blue"}})),
        tag(context, SUBJECT._replace(sticky=None)),
        tag(context, SUBJECT._replace(forced={"colours": "blue"})),
        entity_tag(b"1", context, SUBJECT, (3,)),
    ]
    assert len(set(every)) == len(every)
    assert tag({"country": "DE", "targetingKey": "u1"}) == every[0]


def test_the_configuration_is_a_set_and_every_word_of_it_counts() -> None:
    other = flag_of("other", {})
    assert configuration_digest([BUTTON, other]) == configuration_digest([other, BUTTON])
    digests = {
        configuration_digest([BUTTON]),
        configuration_digest([BUTTON, other]),
        configuration_digest([BUTTON], [EXPERIMENT]),
        configuration_digest([BUTTON], groups={"vip": ["u1"]}),
        configuration_digest([flag_of("button", {})]),
    }
    assert len(digests) == 5


def test_a_switchback_changes_the_tag_with_its_stretch_and_nothing_else_of_time_does() -> None:
    switchback = experiment_of(
        "s", {"arms": [{"key": "a"}, {"key": "b"}], "unit": "switchback", "switchback": {"minutes": 30}}
    )
    assert stretches([EXPERIMENT, switchback], 29 * MINUTE) == stretches([switchback], 0)
    assert stretches([switchback], 30 * MINUTE) != stretches([switchback], 29 * MINUTE)
    assert stretches([EXPERIMENT], 10**15) == ()


@given(st.lists(st.sampled_from(['"x"', 'W/"y"', '"z"']), min_size=1), st.sampled_from(['"x"', '"y"', '"q"']))
def test_if_none_match_is_a_list_compared_weakly(sent: list[str], current: str) -> None:
    assert is_current(", ".join(sent), current) == (current in {one.removeprefix("W/") for one in sent})


def test_without_the_header_nothing_is_current() -> None:
    assert not is_current(None, '"x"')
    assert is_current("*", '"x"')


def test_equal_tags_mean_equal_answers() -> None:
    """The law, over many contexts: no two subjects with one tag get different answers."""
    every, seen = flags(), dict[str, Any]()
    for n in range(400):
        attributes = {"id": f"u{n % 20}", "country": ("DE", "AT")[n % 2]}
        subject = Subject(
            attributes, at=Instant(n), segments=("vip",) if n % 3 == 0 else (), groups={"g": Group([1])}
        )
        answer = [(each.key, each.value, each.reason) for each in every.evaluate_all(subject)]
        assert seen.setdefault(entity_tag(b"", attributes, subject), answer) == answer
    assert 20 < len(seen) <= 80
