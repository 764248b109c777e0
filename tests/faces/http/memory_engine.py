"""An engine of dictionaries: what the HTTP face is tried against until the real one stands behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from heedful.compose import open_engine
from heedful.faces.engine import Done, EngineStatus
from heedful.records.audit import Audit
from heedful.records.keys import Keys
from heedful.records.memory import MemoryRecords
from heedful.services.placements import Placements, Preview
from heedful.vocabulary.collection import CollectAnswer, EventFate
from heedful.vocabulary.consent_answer import ConsentAnswer
from heedful.vocabulary.erasure import ErasureReceipt, ErasureStatus, ForgetRequest
from heedful.vocabulary.errors import HeedfulError, Invalid, LogUnavailable, NotFound, TooLarge
from heedful.vocabulary.ids import DecisionId, ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.metric import MetricAnswer, MetricDefinition, MetricQuestion, Waits
from heedful.vocabulary.recall import RecalledDecision
from heedful.vocabulary.receipt import Status
from heedful.vocabulary.recommendation import Reason, RecommendAnswer, RecommendedItem, RecommendRequest
from heedful.vocabulary.time import FixedClock, Instant
from heedful.vocabulary.variants import DecideAnswer, DecideRequest

T = TypeVar("T")


class MemoryEngine:
    """Answers in the next turn of the loop, as the real one does after a commit."""

    audit: Audit | None = None

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.items: dict[ItemId, Item] = {}
        self.calls: list[tuple[str, bytes, str]] = []
        self.seen: set[tuple[str, str]] = set()
        self.stopped: LogUnavailable | None = None
        self.is_ready = True
        self.trouble: Exception | None = None
        self.placements = Placements(MemoryRecords(), FixedClock(Instant(0)), sources=("sessions", "next"))
        whole = open_engine()
        self.rights, self.experiments, self.results = whole.rights, whole.experiments, whole.results
        self.flags, self.evaluating = whole.flags, whole.evaluating
        self.holding: list[Callable[[], None]] | None = None

    def collect(
        self, method: str, body: bytes, source: str, done: Done[CollectAnswer], *, gpc: bool = False
    ) -> None:
        self._stumble()
        self.gpc = gpc
        try:
            document = msgspec.json.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise Invalid("json_invalid", "The body is not JSON.") from None
        if not isinstance(document, dict):
            raise Invalid("json_invalid", "The body is not an object.")
        calls = document.get("batch") if method in ("batch", "import") else [document]
        if not isinstance(calls, list):
            raise Invalid("request_invalid", "There is no batch.", path="batch")
        if len(calls) > 2_500:
            raise TooLarge("There are more than 2500 events.")
        self.calls.append((method, body, source))
        fates = tuple(self._fate(call, source) for call in calls)
        self._finish(done, self.stopped or CollectAnswer(True, self._position(), fates))

    def consent(self, user: str, anonymous: str) -> ConsentAnswer:
        self._stumble()
        return ConsentAnswer([], {}, [])

    def _fate(self, call: object, source: str) -> EventFate:
        if not isinstance(call, dict) or not isinstance(call.get("messageId", ""), str):
            return EventFate("", Status.REFUSED, "event_invalid", "", "Not an event.")
        name = call.get("messageId", "")
        if not (call.get("userId") or call.get("anonymousId")):
            return EventFate(name, Status.REFUSED, "subject_missing", "userId", "Nobody did it.")
        if name and (source, name) in self.seen:
            return EventFate(name, Status.DUPLICATE)
        self.seen.add((source, name))
        return EventFate(name, Status.ACCEPTED)

    def recommend(self, request: RecommendRequest, done: Done[RecommendAnswer]) -> None:
        self._stumble()
        if not 1 <= request.limit <= 100:
            raise Invalid("request_invalid", "limit is 1 to 100.", path="limit")
        slate = [
            RecommendedItem(item, 1.0, Reason("trending", "Popular now"), 1.0)
            for item in list(self.items)[: request.limit]
            if item not in request.exclude
        ]
        answer = RecommendAnswer(DecisionId("d-1"), slate, False, self._position(), False)
        self._finish(done, answer)

    def decision(self, decision: DecisionId, done: Done[RecalledDecision]) -> None:
        self._stumble()
        self._finish(done, NotFound("There is no such decision."))

    def forget(self, request: ForgetRequest, done: Done[ErasureStatus], *, actor: str = "terminal") -> None:
        self._stumble()
        if not (request.user_id or request.anonymous_id or request.aliases or request.source):
            raise Invalid("subject_missing", "Say whom.", path="userId")
        receipt = ErasureReceipt(subject_request_id="er_1", number=1, received_time="", completed_time="")
        self._finish(done, ErasureStatus("er_1", 1, "done", "receipt", "", receipt=receipt))

    def erasure(self, erasure: str) -> ErasureStatus:
        raise NotFound("There is no such forgetting.")

    def erasures(self) -> list[ErasureStatus]:
        return []

    def metrics(self) -> list[MetricDefinition]:
        return []

    def metric(self, name: str, asked: MetricQuestion, waits: Waits | None = None) -> MetricAnswer:
        raise NotFound("There is no such metric.")

    def preview(self, request: RecommendRequest, draft: object) -> Preview:
        self._stumble()
        self.placements.checked(request.placement, draft)
        answer = RecommendAnswer(DecisionId("preview"), [], False, self._position(), False, trace={})
        return Preview(answer, answer, 0)

    def decide(self, request: DecideRequest, done: Done[DecideAnswer]) -> None:
        self._stumble()
        if not request.variants:
            raise Invalid("variants_missing", "Name variants.", path="variants")
        first = request.variants[0]
        answer = DecideAnswer(DecisionId("v-1"), first, 1.0, {first: 1.0}, False, self._position(), False)
        self._finish(done, answer)

    def put_items(self, items: Sequence[Item], done: Done[CollectAnswer]) -> None:
        self._stumble()
        if self.stopped is None:
            self.items.update((item.id, item) for item in items)
        fates = tuple(EventFate(item.id, Status.ACCEPTED) for item in items)
        self._finish(done, self.stopped or CollectAnswer(True, self._position(), fates))

    def delete_item(self, item: ItemId, done: Done[CollectAnswer]) -> None:
        self._stumble()
        if item not in self.items:
            raise NotFound("The catalogue has no such item.")
        if self.stopped is None:
            del self.items[item]
        fates = (EventFate(item, Status.ACCEPTED),)
        self._finish(done, self.stopped or CollectAnswer(True, self._position(), fates))

    def item(self, item: ItemId) -> Item | None:
        self._stumble()
        return self.items.get(item)

    def status(self) -> EngineStatus:
        return EngineStatus(
            ready=self.is_ready,
            reason="" if self.is_ready else "replaying the log",
            position=self._position(),
            log_stopped=None if self.stopped is None else str(self.stopped),
            counters={"log_commits_total": float(len(self.calls)), "items": float(len(self.items))},
        )

    def _position(self) -> str:
        return f"v1.{len(self.calls)}"

    def _stumble(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    def _finish(self, done: Callable[[T | HeedfulError], None], value: T | HeedfulError) -> None:
        if self.holding is not None:
            self.holding.append(lambda: done(value))
        else:
            asyncio.get_running_loop().call_soon(done, value)
