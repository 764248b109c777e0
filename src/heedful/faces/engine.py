"""What a face needs from the inside, so that HTTP, a terminal and a test speak to the same small thing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from heedful.records.audit import Audit
from heedful.records.keys import Keys
from heedful.services.experiments import Experiments, Results
from heedful.services.flags import EvaluateFlags, Flags
from heedful.services.placements import Placements, Preview
from heedful.services.rights.rights import Rights
from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.consent_answer import ConsentAnswer
from heedful.vocabulary.erasure import ErasureStatus, ForgetRequest
from heedful.vocabulary.ids import DecisionId, ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.metric import MetricAnswer, MetricDefinition, MetricQuestion, Waits
from heedful.vocabulary.outcome import Done, EngineStatus
from heedful.vocabulary.recall import RecalledDecision
from heedful.vocabulary.recommendation import RecommendAnswer, RecommendRequest
from heedful.vocabulary.variants import DecideAnswer, DecideRequest


class Engine(Protocol):
    """Everything a face may ask for. Every method is called in the event loop's thread and never blocks."""

    keys: Keys
    audit: Audit | None
    """What changes, and looks at people, are told to; None where nothing is kept."""

    @property
    def placements(self) -> Placements:
        """The definitions of placements. Their verbs raise what they fail with at once."""

    @property
    def rights(self) -> Rights:
        """A person's rights: disclosure, requests, what the person themself may do, OpenDSR."""

    @property
    def experiments(self) -> Experiments:
        """The definitions of experiments and their life."""

    @property
    def results(self) -> Results:
        """What came of experiments."""

    @property
    def flags(self) -> Flags:
        """The definitions of flags. Their verbs raise what they fail with at once."""

    @property
    def evaluating(self) -> EvaluateFlags:
        """What flags are for somebody."""

    def preview(self, request: RecommendRequest, draft: object) -> Preview:
        """What a draft of a placement would answer, beside what is in force. Raises Invalid."""

    def collect(
        self, method: str, body: bytes, source: str, done: Done[CollectAnswer], *, gpc: bool = False
    ) -> None:
        """Take one call. `method` is a word of `faces.http.collecting.METHODS`; `body` is JSON. gpc: whether the
        request had `Sec-GPC: 1`.

        Raises Invalid, TooLarge or Overloaded at once; LogUnavailable comes through `done`.
        """

    def consent(self, user: str, anonymous: str) -> ConsentAnswer:
        """What somebody chose, what it comes to, and receipts. Raises RecordsUnavailable."""

    def recommend(self, request: RecommendRequest, done: Done[RecommendAnswer]) -> None:
        """Answer one question. Raises Invalid at once."""

    def decision(self, decision: DecisionId, done: Done[RecalledDecision]) -> None:
        """Tell an answer again. NotFound comes through `done`."""

    def metrics(self) -> list[MetricDefinition]:
        """Every success metric."""

    def metric(self, name: str, asked: MetricQuestion, waits: Waits | None = None) -> MetricAnswer:
        """One figure. waits: how long the face's own requests took. Raises NotFound, Invalid."""

    def decide(self, request: DecideRequest, done: Done[DecideAnswer]) -> None:
        """Choose a variant. Raises Invalid at once."""

    def forget(self, request: ForgetRequest, done: Done[ErasureStatus], *, actor: str = "terminal") -> None:
        """Forget somebody. `done` is told when the receipt is there, or after a moment how far it has come.

        Raises Invalid, RecordsUnavailable at once.
        """

    def erasure(self, erasure: str) -> ErasureStatus:
        """How far a forgetting has come. Raises NotFound."""

    def erasures(self) -> list[ErasureStatus]:
        """The newest forgettings, without receipts."""

    def put_items(self, items: Sequence[Item], done: Done[CollectAnswer]) -> None:
        """Write items; durable and folded when `done` is called, with one fate per item, in order."""

    def delete_item(self, item: ItemId, done: Done[CollectAnswer]) -> None:
        """Delete an item. NotFound, raised or through `done`, if it is not known."""

    def item(self, item: ItemId) -> Item | None:
        """What the catalogue says of an item."""

    def status(self) -> EngineStatus:
        """How the inside is, now. Cheap."""


__all__ = ["Done", "Engine", "EngineStatus"]
