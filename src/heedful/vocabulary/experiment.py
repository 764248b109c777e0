"""An experiment: who gets which arm of what, what is measured, and where in its life it stands.

A definition is data that people write, so what is out of range is refused with the place where it stands and
what would do. Conditions (`when`, `condition`) are kept as the plain trees that were sent;
`experiments.assignment` reads them. Whatever changes who gets what while an experiment runs opens an epoch,
so that no analysis mixes shares.
"""

from __future__ import annotations

import math
import re
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.placement import Condition

MOST_ARMS = 20
MOST_METRICS = 50
MOST_RANGES = 50
MOST_EPOCHS = 1_000
_MOST_VALUE = 16 * 1024
_KEY = re.compile(r"[^\x00-\x1f\x7f/]{1,200}")
_STEP = {1: 1e-3, 2: 1e-4}
"""The smallest share that a version of the hash can tell from nothing."""

Share: TypeAlias = Annotated[float, Meta(ge=0.0, le=1.0)]
Attribute: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
Bounds: TypeAlias = tuple[float, float]


class Status(StrEnum):
    """Where in its life an experiment stands. Only a running one draws; once rolled out, all get its arm."""

    DRAFT = "draft"
    RUNNING = "running"
    STOPPED = "stopped"
    ROLLED_OUT = "rolled_out"
    ARCHIVED = "archived"


class Outcome(StrEnum):
    """What was decided when an experiment stopped."""

    SHIP = "ship"
    ROLL_BACK = "roll_back"
    INCONCLUSIVE = "inconclusive"


NEXT: dict[Status, tuple[Status, ...]] = {
    Status.DRAFT: (Status.RUNNING, Status.ARCHIVED),
    Status.RUNNING: (Status.STOPPED,),
    Status.STOPPED: (Status.ROLLED_OUT, Status.ARCHIVED),
    Status.ROLLED_OUT: (Status.ARCHIVED,),
    Status.ARCHIVED: (),
}
"""Where an experiment may go from where it stands. What was stopped does not run again: start a new one."""


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is tried out, by name."""

    kind: Literal["placement", "policy", "variants", "flag", "survey"]
    name: Name


class Arm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of what is compared; the first is the control. value: what it means there; any JSON to 16 KiB."""

    key: Annotated[str, Meta(min_length=1, max_length=100)]
    name: Annotated[str, Meta(max_length=200)] = ""
    value: Any = None

    def __post_init__(self) -> None:
        if len(msgspec.json.encode(self.value)) > _MOST_VALUE:
            raise ValueError(f"the value of arm {self.key!r} has more than {_MOST_VALUE} bytes")


class Slice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From `start` on, below `end`, of the layer or namespace `name`: what others in it do not take."""

    name: Name
    start: Share
    end: Share

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError(f"{self.name!r}: start {self.start} must lie below end {self.end}")


class Layer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Experiments that share people without meeting: each takes a slice. salt: shuffles its people anew."""

    name: Name
    salt: Annotated[str, Meta(max_length=200)] = ""


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Only units whose bucket under `seed` lies in one of `ranges`."""

    seed: Annotated[str, Meta(max_length=200)]
    ranges: Annotated[tuple[Bounds, ...], Meta(max_length=MOST_RANGES)]
    attribute: Attribute = "id"
    hash_version: Literal[1, 2, 3] = 2

    def __post_init__(self) -> None:
        check_ranges("filters", self.ranges)


class Prerequisite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another flag must come out so: `condition` is met by {"value": what it evaluates to}."""

    flag: Name
    condition: Condition


class Holdout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """People who get nothing new, and as many who are watched beside them and get everything.

    share: of people held out; measured: of people compared with them; both 0 to 0.5. placement: only
    experiments on it; None: all. attribute, fallback_attribute: what names a person.
    """

    name: Name
    share: Annotated[float, Meta(gt=0.0, le=0.5)] = 0.05
    measured: Annotated[float, Meta(ge=0.0, le=0.5)] = 0.05
    placement: Name | None = None
    salt: Annotated[str, Meta(max_length=200)] = ""
    attribute: Attribute = "id"
    fallback_attribute: Attribute | None = "anonymousId"


class Switchback(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Everybody of a cluster gets the same arm for a stretch of time.

    cluster: the attribute that names it; None: all are one cluster. minutes: how long a stretch is.
    washout_minutes: how much of its beginning is left out of the analysis.
    """

    minutes: Annotated[int, Meta(ge=1, le=60 * 24 * 28)]
    cluster: Attribute | None = None
    washout_minutes: Annotated[int, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        if self.washout_minutes >= self.minutes:
            raise ValueError("switchback: washoutMinutes must be fewer than minutes")


class Guardrail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A metric that must not get worse by more than `margin` (relative, 0.05 is 5%). worse: which way that is."""

    metric: Name
    worse: Literal["up", "down"] = "down"
    margin: Share = 0.0


class Statistics(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How results are read.

    alpha: false alarms that are accepted. units: how many the experiment is planned for; it tunes sequential
    intervals and ends hybrid ones. looks: for `group_sequential`, the shares of `units` at which one looks,
    rising to 1.
    """

    kind: Literal["sequential", "fixed", "hybrid", "group_sequential", "bayesian"] = "sequential"
    alpha: Annotated[float, Meta(gt=0.0, lt=0.5)] = 0.05
    units: Annotated[int, Meta(ge=10)] = 5_000
    looks: Annotated[tuple[float, ...], Meta(max_length=100)] = ()

    def __post_init__(self) -> None:
        if (self.kind == "group_sequential") != bool(self.looks):
            raise ValueError("statistics: looks are for kind 'group_sequential', which needs them")
        if self.looks and (list(self.looks) != sorted(set(self.looks)) or self.looks[0] <= 0):
            raise ValueError("statistics.looks: shares above 0 that rise, as [0.25, 0.5, 0.75, 1]")
        if self.looks and self.looks[-1] != 1.0:
            raise ValueError("statistics.looks: the last look is at 1")


class Epoch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What held from `started` (microseconds UTC) on."""

    started: int
    weights: tuple[float, ...]
    coverage: Share


class Experiment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """One experiment.

    key: its name. on: what is tried out. unit: what gets an arm. hash_attribute names it,
    `fallback_attribute` where there is none yet (before a login), and then sticky assignments are needed for
    it to keep its arm.
    seed: None is the key. hash_version: 3 for shares below 0.01%.
    weights: of the arms; empty: the same. coverage: the share of units that take part. ranges: instead of both.
    namespace: a slice by GrowthBook's rule; layer: by ours. filters: more of them. when, condition: whom it
    is for.
    sticky: whether an arm once given is kept, by `bucket_version`; units with an older one than
    `min_bucket_version` are left out. force: everybody who would take part gets this arm, to look at it.
    metrics: what decides, the first most; guardrails: what must not suffer. stages: shares that the second of
    two arms is given one after the other, as [0.01, 0.05, 0.25, 0.5, 1].
    outcome, shipped: what was decided, and the arm that all get once rolled out.
    """

    key: str
    on: Target | None = None
    hypothesis: Annotated[str, Meta(max_length=2_000)] = ""
    unit: Literal["person", "session", "switchback"] = "person"
    switchback: Switchback | None = None
    hash_attribute: Attribute = "id"
    fallback_attribute: Attribute | None = None
    seed: Annotated[str, Meta(max_length=200)] | None = None
    hash_version: Literal[1, 2, 3] = 2
    arms: Annotated[tuple[Arm, ...], Meta(max_length=MOST_ARMS)]
    weights: tuple[float, ...] = ()
    coverage: Share = 1.0
    ranges: tuple[Bounds, ...] = ()
    namespace: Slice | None = None
    layer: Slice | None = None
    filters: Annotated[tuple[Filter, ...], Meta(max_length=20)] = ()
    when: Condition | None = None
    condition: Condition | None = None
    prerequisites: Annotated[tuple[Prerequisite, ...], Meta(max_length=20)] = ()
    sticky: bool = True
    bucket_version: Annotated[int, Meta(ge=0, le=100_000)] = 0
    min_bucket_version: Annotated[int, Meta(ge=0, le=100_000)] = 0
    force: str | None = None
    metrics: Annotated[tuple[Name, ...], Meta(max_length=MOST_METRICS)] = ()
    guardrails: Annotated[tuple[Guardrail, ...], Meta(max_length=MOST_METRICS)] = ()
    statistics: Statistics = Statistics()
    stages: Annotated[tuple[float, ...], Meta(max_length=20)] = ()
    status: Status = Status.DRAFT
    epochs: Annotated[tuple[Epoch, ...], Meta(max_length=MOST_EPOCHS)] = ()
    outcome: Outcome | None = None
    shipped: str | None = None

    def __post_init__(self) -> None:
        check_key("an experiment", self.key)
        self._check_arms()
        self._check_unit()
        self._check_life()
        check_once("metrics", list(self.metrics))
        check_once("guardrails", [one.metric for one in self.guardrails])
        if self.min_bucket_version > self.bucket_version:
            raise ValueError("minBucketVersion must not lie above bucketVersion")
        if self.namespace is not None and self.layer is not None:
            raise ValueError("give a layer or a namespace, not both: each keeps experiments apart by itself")
        if self.stages and (list(self.stages) != sorted(set(self.stages)) or not _inside(self.stages)):
            raise ValueError("stages: shares above 0 to 1 that rise, as [0.01, 0.05, 0.25, 0.5, 1]")
        if self.stages and len(self.arms) != 2:
            raise ValueError("stages: a staged roll-out has 2 arms, what there is and what comes")

    def _check_arms(self) -> None:
        keys = [arm.key for arm in self.arms]
        if len(keys) < 2:
            raise ValueError("arms: an experiment needs at least 2; the first is the control")
        check_once("arms", keys)
        for what, key in (("force", self.force), ("shipped", self.shipped)):
            if key is not None and key not in keys:
                raise ValueError(f"{what}: there is no arm {key!r}, only {', '.join(keys)}")
        if self.ranges:
            check_ranges("ranges", self.ranges)
            if len(self.ranges) != len(keys) or self.weights:
                raise ValueError("ranges: one for each arm, and then no weights")
            for (_, end), (start, _) in zip(sorted(self.ranges), sorted(self.ranges)[1:], strict=False):
                if start < end:
                    raise ValueError(f"ranges: two arms share what lies from {start} to {end}")
        check_weights(self.weights, len(keys))
        step = _STEP.get(self.hash_version, 0.0)
        for weight in self.weights or (1 / len(keys),) * len(keys):
            if not self.ranges and 0.0 < weight * self.coverage < step:
                raise ValueError(
                    f"coverage times weight is {weight * self.coverage:g}, and hashVersion {self.hash_version} "
                    f"has steps of {step:g}: use hashVersion 3"
                )

    def _check_unit(self) -> None:
        if (self.unit == "switchback") != (self.switchback is not None):
            raise ValueError("switchback: needed for unit 'switchback', and only there")
        if self.unit == "session" and self.hash_attribute == "id":
            raise ValueError(
                "hashAttribute: for unit 'session' name what holds the session's id, as 'sessionId'"
            )
        if self.fallback_attribute is not None and self.unit != "person":
            raise ValueError("fallbackAttribute is for unit 'person': only people log in")
        if self.fallback_attribute is not None and not self.sticky:
            raise ValueError("fallbackAttribute needs sticky: else an arm changes with the login")

    def _check_life(self) -> None:
        has_run = self.status in (Status.RUNNING, Status.STOPPED, Status.ROLLED_OUT)
        if has_run and not self.epochs:
            raise ValueError(f"epochs: a {self.status.value} experiment has at least one")
        if self.status is Status.DRAFT and self.epochs:
            raise ValueError("epochs: a draft has none")
        started = [epoch.started for epoch in self.epochs]
        if started != sorted(set(started)):
            raise ValueError("epochs: each begins after the one before")
        if self.status in (Status.STOPPED, Status.ROLLED_OUT) and self.outcome is None:
            raise ValueError("outcome: say what was decided: ship, roll_back or inconclusive")
        if self.outcome is not None and self.status in (Status.DRAFT, Status.RUNNING):
            raise ValueError(f"outcome: a {self.status.value} experiment has none yet")
        if (self.outcome is Outcome.SHIP) != (self.shipped is not None):
            raise ValueError("shipped: the arm to ship, for outcome 'ship' and only there")
        if self.status is Status.ROLLED_OUT and self.outcome is not Outcome.SHIP:
            raise ValueError("only what was shipped is rolled out")


def experiment_of(key: str, body: object) -> Experiment:
    """The experiment that `body` (plain JSON) describes under `key`, which it need not repeat.

    Raises Invalid (`experiment_invalid`; `path` says where).
    """
    experiment: Experiment = converted(key, body, Experiment, "experiment")
    return experiment


def moved(
    experiment: Experiment,
    status: Status,
    at: int,
    outcome: Outcome | None = None,
    shipped: str | None = None,
) -> Experiment:
    """The experiment one step further in its life, at `at` (microseconds UTC).

    outcome, shipped: for stopping. Raises Invalid (`experiment_status`) for a step that does not exist.
    """
    if status not in NEXT[experiment.status]:
        ways = ", ".join(one.value for one in NEXT[experiment.status]) or "nothing"
        raise Invalid(
            "experiment_status", f"a {experiment.status.value} experiment can become {ways}, not {status}"
        )
    change: dict[str, Any] = {"status": status}
    if status is Status.RUNNING:
        change["epochs"] = (_epoch(experiment, at),)
    if status is Status.STOPPED:
        change |= {"outcome": outcome, "shipped": shipped}
    return _replaced(experiment, change)


def reweighted(experiment: Experiment, weights: tuple[float, ...], coverage: float, at: int) -> Experiment:
    """The experiment with other shares from `at` on; while it runs that opens an epoch. Raises Invalid."""
    changed = _replaced(experiment, {"weights": weights, "coverage": coverage})
    if experiment.status is Status.DRAFT:
        return changed
    if experiment.status is not Status.RUNNING:
        raise Invalid("experiment_status", f"a {experiment.status.value} experiment gives nobody an arm")
    return _replaced(changed, {"epochs": (*experiment.epochs, _epoch(changed, at))})


def staged(experiment: Experiment, stage: int, at: int) -> Experiment:
    """The experiment at its stage `stage`, 0 for the first: whoever had the new arm keeps it at a later stage."""
    if not 0 <= stage < len(experiment.stages):
        raise Invalid("experiment_invalid", f"stages: there are {len(experiment.stages)}", path="stages")
    share = experiment.stages[stage]
    return reweighted(experiment, (1.0 - share, share), experiment.coverage, at)


def _epoch(experiment: Experiment, at: int) -> Epoch:
    weights = experiment.weights or (1 / len(experiment.arms),) * len(experiment.arms)
    return Epoch(at, weights, experiment.coverage)


def _replaced(experiment: Experiment, change: dict[str, Any]) -> Experiment:
    try:
        return msgspec.structs.replace(experiment, **change)
    except ValueError as error:
        raise Invalid("experiment_invalid", str(error)) from None


def converted(key: str, body: object, shape: Any, word: str) -> Any:
    """`body` (plain JSON) as a `shape` with `key`. Raises Invalid (`<word>_invalid`; `path` says where)."""
    code = f"{word}_invalid"
    if not isinstance(body, dict):
        raise Invalid(code, f"{word}: must be an object")
    if body.get("key", key) != key:
        raise Invalid(code, f"key: the body says {body['key']!r}, not {key!r}", path="key")
    try:
        return msgspec.convert({**body, "key": key}, shape)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `")
        path = path.rstrip("`").lstrip("$").lstrip(".")
        raise Invalid(code, f"{path}: {text}" if path else text, path=path) from None


def check_key(what: str, key: str) -> None:
    """Raises ValueError for what cannot be a key."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"the key of {what} has 1 to 200 characters, without / and control characters")


def check_weights(weights: tuple[float, ...], arms: int) -> None:
    """Raises ValueError unless there are none, or one for each arm that together make 1."""
    if not weights:
        return
    if len(weights) != arms:
        raise ValueError(f"weights: {len(weights)} for {arms} arms")
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights):
        raise ValueError("weights: each is at least 0")
    if not 0.99 <= sum(weights) <= 1.01:
        raise ValueError(f"weights: together they are {sum(weights):g}, and must be 1 (0.99 to 1.01)")


def check_ranges(what: str, ranges: tuple[Bounds, ...]) -> None:
    """Raises ValueError unless each goes up within 0 to 1."""
    for start, end in ranges:
        if not 0.0 <= start <= end <= 1.0:
            raise ValueError(f"{what}: [{start:g}, {end:g}] must go up within 0 to 1")


def check_once(what: str, names: list[str]) -> None:
    """Raises ValueError where a name stands twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what}: {twice[0]!r} stands there twice; give each its own")


def _inside(shares: tuple[float, ...]) -> bool:
    return all(0.0 < share <= 1.0 for share in shares)
