"""Heedful inside your own process: the same verbs as the HTTP API, no server, no network.

Every call returns when its events are durable and every answer reflects them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from heedful.experiments.flags import Evaluation
from heedful.experiments.inference.answers import Method, Scale
from heedful.services.engine import Engine
from heedful.services.experiments import ExperimentVersion, Result
from heedful.services.experiments.life import Check
from heedful.services.experiments.results import Day
from heedful.services.flags import Asked, FlagVersion, asked_of
from heedful.services.placements import PlacementVersion, Preview
from heedful.services.verify import Verification
from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.consent_answer import ConsentAnswer
from heedful.vocabulary.errors import HeedfulError, Invalid
from heedful.vocabulary.experiment import Outcome
from heedful.vocabulary.ids import DecisionId, ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.metric import MetricAnswer, MetricDefinition, MetricQuestion
from heedful.vocabulary.recall import RecalledDecision
from heedful.vocabulary.recommendation import RecommendAnswer, RecommendRequest
from heedful.vocabulary.variants import DecideAnswer, DecideRequest

T = TypeVar("T")

SOURCE = "client"


class Client:
    """One engine, called from one thread."""

    def __init__(self, engine: Engine, *, author: str = SOURCE) -> None:
        """author: what changes of definitions are signed with."""
        self.engine = engine
        self.author = author

    def track(self, event: str, *, properties: Mapping[str, Any] | None = None, **call: Any) -> CollectAnswer:
        """Something happened: `event` in Segment's words, with `user_id` or `anonymous_id`."""
        return self._call("track", event=event, properties=properties or {}, **call)

    def identify(self, *, traits: Mapping[str, Any] | None = None, **call: Any) -> CollectAnswer:
        """Say who somebody is."""
        return self._call("identify", traits=traits or {}, **call)

    def page(
        self, name: str = "", *, properties: Mapping[str, Any] | None = None, **call: Any
    ) -> CollectAnswer:
        """A page was seen."""
        return self._call("page", name=name, properties=properties or {}, **call)

    def batch(self, calls: Iterable[Mapping[str, Any]]) -> CollectAnswer:
        """Many Segment calls at once, each with its `type`, in wire form (`userId`, `messageId`, …)."""
        return self.send("batch", {"batch": list(calls)})

    def send(self, method: str, body: Mapping[str, Any]) -> CollectAnswer:
        """A Segment call in wire form. Raises Invalid, TooLarge or LogUnavailable; nothing was stored then."""
        try:
            encoded = msgspec.json.encode(body)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise Invalid("json_invalid", f"the call cannot be written as JSON: {error}") from error
        outcome: list[CollectAnswer | HeedfulError] = []
        self.engine.collect(method, encoded, SOURCE, outcome.append)
        return _only(outcome)

    def consent(self, choices: Mapping[str, Any], **call: Any) -> CollectAnswer:
        """Somebody chose: purposes, or `*` for all, to true, false or a state, with `user_id` or `anonymous_id`.

        In force when this returns. Raises Invalid.
        """
        return self._call("consent", choices=dict(choices), **call)

    def consent_of(self, user_id: str | None = None, *, anonymous_id: str | None = None) -> ConsentAnswer:
        """What somebody chose, what it comes to for every purpose, and receipts. Raises Invalid for nobody."""
        if not user_id and not anonymous_id:
            raise Invalid("subject_missing", "say whose consent: user_id or anonymous_id", path="userId")
        return self.engine.consent(user_id or "", anonymous_id or "")

    def put_items(self, items: Sequence[Item | Mapping[str, Any]]) -> CollectAnswer:
        """Describe items, each an `Item` or its wire form."""
        try:
            described = [item if isinstance(item, Item) else msgspec.convert(item, Item) for item in items]
        except msgspec.ValidationError as error:
            raise Invalid("item_invalid", str(error)) from error
        outcome: list[CollectAnswer | HeedfulError] = []
        self.engine.put_items(described, outcome.append)
        return _only(outcome)

    def put_item(self, item_id: str, **fields: Any) -> CollectAnswer:
        """Describe one item: title, categories, price, available, published, image, url, properties."""
        return self.put_items([{"id": item_id, **fields}])

    def item(self, item_id: str) -> Item | None:
        """The item as it stands, or None."""
        return self.engine.item(ItemId(item_id))

    def delete_item(self, item_id: str) -> CollectAnswer:
        """Delete an item. Raises NotFound."""
        outcome: list[CollectAnswer | HeedfulError] = []
        self.engine.delete_item(ItemId(item_id), outcome.append)
        return _only(outcome)

    def recommend(self, user_id: str | None = None, **question: Any) -> RecommendAnswer:
        """Items for somebody: `user_id` or `anonymous_id`, and the fields of `RecommendRequest` in snake case.

        `item_id` stands for the item on the page, `properties` for what rules may go by, `consent` for what was
        chosen for this question alone. Raises Invalid.
        """
        outcome: list[RecommendAnswer | HeedfulError] = []
        self.engine.recommend(_question(user_id, question), outcome.append)
        return _only(outcome)

    def decision(self, decision_id: str) -> RecalledDecision:
        """An answer that was given, as the log keeps it. Raises NotFound."""
        outcome: list[RecalledDecision | HeedfulError] = []
        self.engine.decision(DecisionId(decision_id), outcome.append)
        return _only(outcome)

    def metrics(self) -> list[MetricDefinition]:
        """Every success metric with its formula, unit, window and interval."""
        return self.engine.metrics()

    def metric(self, name: str, **asked: Any) -> MetricAnswer:
        """One figure: placement, policy, from_, to, segment, currency, day. Raises NotFound, Invalid."""
        wire = {"from" if word == "from_" else word: value for word, value in asked.items()}
        try:
            return self.engine.metric(name, msgspec.convert(wire, MetricQuestion))
        except msgspec.ValidationError as error:
            raise Invalid("request_invalid", str(error)) from error

    def put_placement(self, name: str, *, note: str = "", **fields: Any) -> PlacementVersion:
        """Define a placement: the fields of `Placement` in snake case, rules and variants in wire form.

        In force for the next answer. Raises Invalid, which names the path.
        """
        body = {_camel(field): value for field, value in fields.items()}
        return self.engine.placements.put(name, body, author=self.author, note=note)

    def placement(self, name: str) -> PlacementVersion:
        """The version in force. Raises NotFound."""
        return self.engine.placements.get(name)

    def placements(self) -> Sequence[PlacementVersion]:
        """Every placement that is defined, by name."""
        return self.engine.placements.list().placements

    def delete_placement(self, name: str, *, note: str = "") -> PlacementVersion:
        """Take a definition away: what is built in holds again. Raises NotFound."""
        return self.engine.placements.delete(name, author=self.author, note=note)

    def placement_versions(self, name: str) -> Sequence[PlacementVersion]:
        """The newest 100 versions, newest first. Raises NotFound."""
        return self.engine.placements.versions(name).versions

    def rollback_placement(self, name: str, version: int, *, note: str = "") -> PlacementVersion:
        """Bring a version back. Raises NotFound, Invalid."""
        return self.engine.placements.rollback(name, version, author=self.author, note=note)

    def preview_placement(
        self, name: str, draft: Mapping[str, Any], user_id: str | None = None, **question: Any
    ) -> Preview:
        """What `draft` (fields in wire form) would answer to a question, beside what is in force."""
        return self.engine.preview(_question(user_id, {**question, "placement": name}), dict(draft))

    def put_experiment(self, key: str, *, note: str = "", **fields: Any) -> ExperimentVersion:
        """Draft an experiment: the fields of `Experiment` in snake case, arms and guardrails in wire form.

        Raises Invalid, and Conflict for one that has started.
        """
        body = {_camel(field): value for field, value in fields.items()}
        return self.engine.experiments.put(key, body, author=self.author, note=note)

    def experiments(self) -> Sequence[ExperimentVersion]:
        """Every experiment, by key."""
        return self.engine.experiments.list()

    def experiment(self, key: str) -> ExperimentVersion:
        """The version in force. Raises NotFound."""
        return self.engine.experiments.get(key)

    def experiment_versions(self, key: str) -> Sequence[ExperimentVersion]:
        """Its change log: the newest 100 versions, newest first. Raises NotFound."""
        return self.engine.experiments.versions(key)

    def experiment_checks(self, key: str) -> Sequence[Check]:
        """What should hold before it starts. Raises NotFound."""
        return self.engine.experiments.checks(key)

    def start_experiment(self, key: str, *, note: str = "") -> ExperimentVersion:
        """Let it run. Raises NotFound, Invalid if a check that must hold does not."""
        return self._step("start", key, note=note)

    def weigh_experiment(
        self, key: str, weights: Sequence[float], *, coverage: float = 1.0, note: str = ""
    ) -> ExperimentVersion:
        """Give the arms other shares from now on. Raises NotFound, Invalid."""
        return self._step("weigh", key, tuple(weights), coverage, note=note)

    def stage_experiment(self, key: str, stage: int, *, note: str = "") -> ExperimentVersion:
        """Go to a stage of a staged roll-out, 0 for the first. Raises NotFound, Invalid."""
        return self._step("stage", key, stage, note=note)

    def stop_experiment(
        self, key: str, outcome: str, shipped: str | None = None, *, note: str = ""
    ) -> ExperimentVersion:
        """Decide: `ship` with the arm, `roll_back` or `inconclusive`. Raises NotFound, Invalid."""
        try:
            decided = Outcome(outcome)
        except ValueError:
            raise Invalid(
                "request_invalid", f"outcome is one of {', '.join(Outcome)}", path="outcome"
            ) from None
        return self._step("stop", key, decided, shipped, note=note)

    def roll_out_experiment(self, key: str, *, note: str = "") -> ExperimentVersion:
        """Give everybody the arm that was shipped. Raises NotFound, Invalid."""
        return self.engine.experiments.roll_out(key, author=self.author, note=note)

    def archive_experiment(self, key: str, *, note: str = "") -> ExperimentVersion:
        """Put it away. Raises NotFound, Invalid."""
        return self.engine.experiments.archive(key, author=self.author, note=note)

    def experiment_results(self, key: str, **asked: Any) -> Result:
        """What came of it: scale, method, segment, stratified, as in the API. Raises NotFound, Invalid."""
        for name, words in (("scale", Scale), ("method", Method)):
            if name in asked:
                try:
                    asked[name] = words(asked[name])
                except ValueError:
                    known = ", ".join(words)
                    raise Invalid("request_invalid", f"{name} is one of {known}", path=name) from None
        return self.engine.results.result(key, **asked)

    def experiment_series(self, key: str, metric: str, *, scale: str = "relative") -> Sequence[Day]:
        """The effect on one metric day by day. Raises NotFound, Invalid."""
        return self.engine.results.series(key, metric, scale=Scale(scale))

    def decide(self, user_id: str | None = None, **question: Any) -> DecideAnswer:
        """A variant for somebody: `user_id` or `anonymous_id`, and the fields of `DecideRequest` in snake case.

        Raises Invalid.
        """
        wire = {_camel(name): value for name, value in question.items()}
        try:
            request = msgspec.convert({"userId": user_id, **wire}, DecideRequest)
            msgspec.json.encode(request)
        except (msgspec.ValidationError, UnicodeEncodeError) as error:
            raise Invalid("request_invalid", str(error)) from error
        outcome: list[DecideAnswer | HeedfulError] = []
        self.engine.decide(request, outcome.append)
        return _only(outcome)

    def put_flag(self, key: str, *, note: str = "", **fields: Any) -> FlagVersion:
        """Define a flag: the fields of `Flag`, rules in wire form. In force when this returns.

        Raises Invalid, which names the path.
        """
        return self.engine.flags.put(key, fields, author=SOURCE, note=note)

    def switch_flag(self, key: str, *, on: bool, note: str = "") -> FlagVersion:
        """Define a flag as it is, but switched on or off; off leaves it to the code. Raises NotFound, Invalid."""
        found = self.engine.flags.get(key)
        if found.flag is None:
            raise Invalid("flag_invalid", f"{key!r} was written by a later version of this program")
        body = {**msgspec.to_builtins(found.flag), "enabled": on}
        return self.engine.flags.put(key, body, author=SOURCE, note=note, expected=found.version)

    def flag(self, key: str) -> FlagVersion:
        """The version in force. Raises NotFound."""
        return self.engine.flags.get(key)

    def flags(self) -> Sequence[FlagVersion]:
        """Every flag that is defined, by key."""
        return self.engine.flags.list()

    def flag_versions(self, key: str) -> Sequence[FlagVersion]:
        """The newest 100 versions, newest first. Raises NotFound."""
        return self.engine.flags.versions(key)

    def delete_flag(self, key: str, *, note: str = "") -> FlagVersion:
        """Take a flag away. Raises NotFound."""
        return self.engine.flags.delete(key, author=SOURCE, note=note)

    def rollback_flag(self, key: str, version: int, *, note: str = "") -> FlagVersion:
        """Bring a version back. Raises NotFound, Invalid."""
        return self.engine.flags.rollback(key, version, author=SOURCE, note=note)

    def evaluate_flag(
        self,
        key: str,
        user_id: str | None = None,
        *,
        anonymous_id: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Evaluation:
        """What a flag is for somebody. It counts as used: arms of experiments are exposures.

        Never fails for what the flag is: then `error` says why. Raises Invalid for a context that is none.
        """
        return self.engine.evaluating.one(key, _asked(user_id, anonymous_id, context))

    def flag_value(
        self,
        key: str,
        default: Any,
        user_id: str | None = None,
        *,
        anonymous_id: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The value of a flag for somebody, or `default` where it leaves it to the code or went wrong."""
        found = self.evaluate_flag(key, user_id, anonymous_id=anonymous_id, context=context)
        return default if found.variant is None else found.value

    def evaluate_flags(
        self,
        user_id: str | None = None,
        *,
        anonymous_id: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> dict[str, Evaluation]:
        """Every flag for somebody, by key. None counts as used. Raises Invalid for a context that is none."""
        whole = self.engine.evaluating.all(_asked(user_id, anonymous_id, context))
        return {one.key: one for one in whole.evaluations}

    def verify(self) -> Verification:
        """Fold the log from zero and compare digests with the live state, view by view."""
        return self.engine.verify()

    def close(self) -> None:
        """Keep a snapshot and let go of the files."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _step(self, verb: str, key: str, *said: Any, note: str) -> ExperimentVersion:
        """A verb of an experiment whose word goes into the log first."""
        outcome: list[ExperimentVersion | HeedfulError] = []
        getattr(self.engine.experiments, verb)(key, *said, outcome.append, author=self.author, note=note)
        return _only(outcome)

    def _call(self, method: str, **fields: Any) -> CollectAnswer:
        return self.send(method, {_camel(name): value for name, value in fields.items()})


def _asked(user_id: str | None, anonymous_id: str | None, context: Mapping[str, Any] | None) -> Asked:
    named = {"targetingKey": user_id or anonymous_id, "userId": user_id, "anonymousId": anonymous_id}
    return asked_of({**(context or {}), **{name: one for name, one in named.items() if one is not None}})


def _question(user_id: str | None, question: Mapping[str, Any]) -> RecommendRequest:
    """The question in our words. Raises Invalid."""
    wire = {
        _camel(name): value
        for name, value in question.items()
        if name not in ("item_id", "properties", "consent")
    }
    context = {
        _camel(name): question[name] for name in ("item_id", "properties", "consent") if name in question
    }
    try:
        request = msgspec.convert({"userId": user_id, **wire, "context": context}, RecommendRequest)
        msgspec.json.encode(request)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise Invalid("request_invalid", str(error)) from error
    return request


def _only(outcomes: list[T | HeedfulError]) -> T:
    """The one outcome of a call that has finished. Raises it if it is a failure."""
    (outcome,) = outcomes
    if isinstance(outcome, HeedfulError):
        raise outcome
    return outcome


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
