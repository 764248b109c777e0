"""GrowthBook's definitions as ours, so that its published cases can be asked of us."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heedful.experiments.assignment import Assigner, Group, Subject
from heedful.experiments.flags import Flags
from heedful.vocabulary.experiment import Arm, Epoch, Experiment, Filter, Prerequisite, Slice, Status
from heedful.vocabulary.flag import Flag, FlagRule, Rollout

DATA = Path(os.environ.get("HEEDFUL_DATA", Path(__file__).parents[2] / "../shared/data"))
CASES = DATA / "growthbook" / "cases.json"
HERE = pytest.mark.skipif(
    not CASES.is_file(), reason="growthbook/cases.json is not there: set HEEDFUL_DATA to the data folder"
)


def cases(section: str) -> list[Any]:
    """The cases of one section, none where the file is missing."""
    found: list[Any] = json.loads(CASES.read_text(encoding="utf-8"))[section] if CASES.is_file() else []
    return found


def experiment_of(key: str, rule: Mapping[str, Any]) -> Experiment:
    """What GrowthBook calls an experiment, with the defaults of its SDKs: hash version 1, all of everybody."""
    variations, meta = rule["variations"], rule.get("meta") or []
    keys = [(meta[i].get("key") if i < len(meta) else None) or str(i) for i in range(len(variations))]
    namespace, ranges = rule.get("namespace"), rule.get("ranges")
    is_running = rule.get("active", True)
    force = rule.get("force")
    return Experiment(
        key=key,
        arms=tuple(Arm(name, value=value) for name, value in zip(keys, variations, strict=True)),
        hash_attribute=rule.get("hashAttribute", "id"),
        fallback_attribute=rule.get("fallbackAttribute") if not rule.get("disableStickyBucketing") else None,
        seed=rule.get("seed"),
        hash_version=rule.get("hashVersion", 1),
        weights=tuple(rule.get("weights") or ()) if not ranges else (),
        coverage=rule.get("coverage", 1.0) if not ranges else 1.0,
        ranges=tuple((start, end) for start, end in ranges or ()),
        namespace=Slice(*namespace) if namespace else None,
        filters=filters_of(rule),
        condition=rule.get("condition"),
        prerequisites=prerequisites_of(rule.get("parentConditions", ())),
        sticky=not rule.get("disableStickyBucketing", False),
        bucket_version=rule.get("bucketVersion", 0),
        min_bucket_version=rule.get("minBucketVersion", 0),
        force=None if force is None else keys[force] if 0 <= force < len(keys) else str(force),
        status=Status.RUNNING if is_running else Status.DRAFT,
        epochs=(Epoch(0, (), 1.0),) if is_running else (),
    )


def filters_of(rule: Mapping[str, Any]) -> tuple[Filter, ...]:
    return tuple(
        Filter(
            each["seed"],
            tuple((start, end) for start, end in each["ranges"]),
            each.get("attribute", "id"),
            each.get("hashVersion", 2),
        )
        for each in rule.get("filters", ())
    )


def prerequisites_of(parents: Any, *, gates: bool = False) -> tuple[Prerequisite, ...]:
    """Our values stand in {"v": ...}, see `flag_of`."""
    return tuple(
        Prerequisite(
            each["id"], {("value.v" if name == "value" else name): c for name, c in each["condition"].items()}
        )
        for each in parents
        if bool(each.get("gate")) is gates
    )


def flag_of(key: str, feature: Mapping[str, Any]) -> tuple[Flag, list[Experiment]]:
    """A feature as a flag of objects {"v": value}, because features mix types and ours do not."""
    variations: dict[str, Any] = {}
    experiments, rules = [], []

    def variant(value: Any) -> str:
        name = f"v{len(variations)}"
        variations[name] = {"v": value}
        return name

    default = variant(feature["defaultValue"]) if feature.get("defaultValue") is not None else None
    gates = [each for rule in feature.get("rules", ()) for each in rule.get("parentConditions", ())]
    for rule in feature.get("rules", ()):
        parents = rule.get("parentConditions", ())
        if parents and "force" not in rule and "variations" not in rule:
            continue  # only gates: those are the flag's
        shared = {"id": rule.get("id", ""), "filters": filters_of(rule), "condition": rule.get("condition")}
        if "variations" in rule:
            test = experiment_of(rule.get("key", key), rule)
            experiments.append(test)
            meta = rule.get("meta") or [{}] * len(test.arms)
            rules.append(
                FlagRule(
                    id=rule.get("id", ""),
                    filters=filters_of(rule),
                    experiment=test.key,
                    arms={
                        arm.key: variant(arm.value)
                        for arm, said in zip(test.arms, meta, strict=True)
                        if not said.get("passthrough")
                    },
                )
            )
        else:
            rules.append(
                FlagRule(
                    **shared,
                    prerequisites=prerequisites_of(parents),
                    serve=variant(rule["force"]) if "force" in rule else None,
                    rollout=_rollout(rule),
                )
            )
    flag = Flag(
        key=key, type="object", variations=variations, default=default, rules=tuple(rules),
        prerequisites=prerequisites_of(gates, gates=True),
    )  # fmt: skip
    return msgspec.convert(
        msgspec.to_builtins(flag), Flag
    ), experiments  # as from the wire: ranges are checked


def _rollout(rule: Mapping[str, Any]) -> Rollout | None:
    if "range" not in rule and "coverage" not in rule:
        return None
    return Rollout(
        range=tuple(rule["range"]) if "range" in rule else None,
        coverage=rule.get("coverage"),
        seed=rule.get("seed"),
        hash_version=rule.get("hashVersion", 1),
        hash_attribute=rule.get("hashAttribute", "id"),
    )


def flags_of(features: Mapping[str, Any]) -> tuple[Flags, dict[str, Assigner]]:
    read = [flag_of(key, feature) for key, feature in features.items()]
    assigners = {test.key: Assigner(test) for _, tests in read for test in tests}
    return Flags([flag for flag, _ in read], assigners), assigners


def subject_of(context: Mapping[str, Any], assigners: Mapping[str, Assigner], sticky: Any = None) -> Subject:
    forced = {}
    for key, place in context.get("forcedVariations", {}).items():
        if key in assigners:
            forced[key] = assigners[key].experiment.arms[place].key
    return Subject(
        context.get("attributes", {}),
        sticky=sticky,
        forced=forced,
        groups={name: Group(members) for name, members in context.get("savedGroups", {}).items()},
    )
