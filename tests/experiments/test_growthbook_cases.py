"""What GrowthBook publishes about hashing, targeting, features, experiments and sticky buckets holds here too."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from heedful.experiments.assignment import Assigner, Group, Query, Why, bucket, with_kept
from heedful.experiments.assignment.ranges import bucket_ranges, choose, equal_weights, in_namespace
from heedful.experiments.flags import Reason
from heedful.vocabulary.errors import Invalid

from .growthbook import HERE, cases, experiment_of, flags_of, subject_of

pytestmark = HERE

REFUSED_CONDITIONS = {
    "$in - not array", "$nin - not array", "$ini - not array", "$nini - not array", "unknown operator - pass",
    "$regex invalid - pass", "$regex invalid - fail",
}  # fmt: skip
REFUSED_RUNS = {"single variation", "negative forced variation", "high forced variation"}
REFUSED_FEATURES = {
    "force rules - coverage with bad hash version": (msgspec.ValidationError, "hashVersion"),
    "ignores empty rules": (ValueError, "serve or experiment"),
    "Prerequisite cycle detected, break": (Invalid, "flag1 -> flag2 -> flag1"),
}
WITHOUT_CONCEPT = {
    "globally disabled": "an SDK's own switch",
    "querystring force": "an SDK reads the page's address",
    "querystring force with inactive": "an SDK reads the page's address",
    "Skips experiments in QA mode": "an SDK's own switch",
}


@pytest.mark.parametrize(("seed", "value", "version", "expected"), cases("hash"))
def test_hash(seed: str, value: str, version: int, expected: float | None) -> None:
    assert bucket(seed, value, version) == expected


@pytest.mark.parametrize(("name", "asked", "expected"), cases("getBucketRange"))
def test_bucket_ranges(name: str, asked: Any, expected: Any) -> None:
    assert [[round(start, 6), round(end, 6)] for start, end in bucket_ranges(*asked)] == expected


@pytest.mark.parametrize(("name", "n", "ranges", "expected"), cases("chooseVariation"))
def test_choice(name: str, n: float, ranges: Any, expected: int) -> None:
    assert choose(n, ranges) == expected


@pytest.mark.parametrize(("arms", "expected"), cases("getEqualWeights"))
def test_equal_weights(arms: int, expected: list[float]) -> None:
    assert [round(weight, 8) for weight in equal_weights(arms)] == expected


@pytest.mark.parametrize(("name", "unit", "namespace", "expected"), cases("inNamespace"))
def test_namespace(name: str, unit: str, namespace: Any, expected: bool) -> None:
    assert in_namespace(unit, *namespace) is expected


@pytest.mark.parametrize("case", cases("evalCondition"), ids=lambda case: case[0])
def test_condition(case: Any) -> None:
    name, condition, attributes, expected, *rest = case
    groups = {key: Group(members) for key, members in (rest[0] if rest else {}).items()}
    assert Query(condition, forgiving=True).matches(attributes, groups) is expected
    if name in REFUSED_CONDITIONS:
        with pytest.raises(Invalid):
            Query(condition)
    else:
        assert Query(condition).matches(attributes, groups) is expected


def test_every_section_and_every_case_left_out_is_one_that_exists() -> None:
    assert {case[0] for case in cases("evalCondition")} >= REFUSED_CONDITIONS
    assert {case[0] for case in cases("run")} >= REFUSED_RUNS | WITHOUT_CONCEPT.keys()
    assert {case[0] for case in cases("feature")} >= REFUSED_FEATURES.keys()
    sizes = {
        name: len(cases(name))
        for name in ("hash", "getBucketRange", "chooseVariation", "getEqualWeights", "inNamespace")
    }
    assert sizes == {
        "hash": 15, "getBucketRange": 13, "chooseVariation": 13, "getEqualWeights": 6, "inNamespace": 16,
    }  # fmt: skip


@pytest.mark.parametrize("case", cases("run"), ids=lambda case: case[0])
def test_run(case: Any) -> None:
    name, context, definition, value, inside, hashed = case
    if name in WITHOUT_CONCEPT:
        pytest.skip(WITHOUT_CONCEPT[name])
    if name in REFUSED_RUNS:
        with pytest.raises(ValueError, match="arm"):
            experiment_of(definition["key"], definition)
        return
    assigner = Assigner(experiment_of(definition["key"], definition))
    flags, _ = flags_of(context.get("features", {}))
    subject = subject_of(context, {assigner.experiment.key: assigner})
    got = assigner.assign(subject, lambda key: flags.evaluate(key, subject).value)
    assert assigner.experiment.arms[got.index].value == value
    assert got.inside is inside
    assert (got.why in (Why.HASHED, Why.STICKY)) is hashed


@pytest.mark.parametrize("case", cases("feature"), ids=lambda case: case[0])
def test_feature(case: Any) -> None:
    name, context, key, expected = case
    if name.startswith("CB rule"):
        pytest.skip("contextual bandits are placements of variants here")
    if name in REFUSED_FEATURES:
        kind, words = REFUSED_FEATURES[name]
        with pytest.raises(kind, match=words):
            flags_of(context["features"])
        return
    flags, assigners = flags_of(context.get("features", {}))
    got = flags.evaluate(key, subject_of(context, assigners))
    assert (got.value["v"] if got.variant is not None else None) == expected["value"]
    assert got.metadata.get("rule", "") == expected["ruleId"]
    assert (
        got.reason
        in {
            "unknownFeature": (Reason.ERROR,),
            "defaultValue": (Reason.STATIC, Reason.DEFAULT),
            "force": (Reason.TARGETING_MATCH, Reason.SPLIT),
            "experiment": (Reason.SPLIT,),
            "prerequisite": (Reason.DISABLED,),
        }[expected["source"]]
    )
    if expected["source"] == "experiment":
        assert_same(got.assignments[-1], expected["experimentResult"])


def assert_same(got: Any, expected: Any) -> None:
    """An assignment is what GrowthBook calls an experiment's result."""
    assert got.inside is expected["inExperiment"]
    assert (got.why in (Why.HASHED, Why.STICKY)) is expected["hashUsed"]
    assert (got.index, got.arm) == (expected["variationId"], expected["key"])
    assert (got.why is Why.STICKY) is expected["stickyBucketUsed"]
    assert got.bucket == expected.get("bucket")
    if expected["hashUsed"]:
        assert (got.unit.attribute, got.unit.value) == (expected["hashAttribute"], expected["hashValue"])


@pytest.mark.parametrize("case", cases("stickyBucket"), ids=lambda case: case[0])
def test_sticky_bucket(case: Any) -> None:
    _, context, documents, key, expected, after = case
    attributes = context["attributes"]
    loaded = {
        f"{each['attributeName']}||{each['attributeValue']}": each["assignments"]
        for each in documents
        if attributes.get(each["attributeName"]) == each["attributeValue"]
    }
    flags, assigners = flags_of(context["features"])
    got = flags.evaluate(key, subject_of(context, assigners, loaded))
    if expected is None:
        assert not got.assignments[-1].inside
    else:
        assert_same(got.assignments[-1], expected)
        assert got.value == {"v": expected["value"]}
    written = loaded
    for kept in got.kept:
        written = with_kept(written, kept)
    assert written == {name: each["assignments"] for name, each in after.items()}
