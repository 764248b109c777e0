"""Do everything once on a small throwaway shop, so that nobody waits for it later.

The numeric kernels are made for this machine when they are first called, which takes a minute or two on a fresh
installation and seconds once they are on disk. A server rehearses before it listens.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import numpy as np

from heedful.models.booster import Tree
from heedful.models.forest import Forest
from heedful.models.linear import Linear
from heedful.pipeline.ranker import Learned
from heedful.services.engine import Engine
from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.metric import MetricQuestion
from heedful.vocabulary.recommendation import RecommendAnswer, RecommendRequest, Situation
from heedful.vocabulary.time import DAY, Instant
from heedful.vocabulary.variants import Algorithm, DecideAnswer, DecideRequest

Told = Callable[[str, int, int], None]

_WHAT = "preparing kernels (a minute or two the first time)"
_ITEMS = ("tent", "stove", "map", "rope", "axe", "lamp")
_PLACE = "rehearsal"


def rehearse(engine: Engine, told: Told | None = None) -> None:
    """Walk `engine`, an empty one without `post`, through every path of learning, answering and forgetting.

    told: of each step: what, how many are done, how many there are. Raises what the engine raises.
    """
    steps: tuple[Callable[[], object], ...] = (
        lambda: _describe(engine),
        lambda: _send(engine, _visits()),
        lambda: _send(engine, _late()),
        lambda: _send(engine, _orders()),
        lambda: _ask(engine),
        lambda: _place(engine),
        lambda: _rank(engine),
        lambda: _choose(engine),
        lambda: _react(engine),
        lambda: _refuse(engine),
        engine.verify,
        lambda: _take_back(engine),
        lambda: engine.fold.advance(Instant(2 * DAY)),
        lambda: _restore(engine),
        lambda: _ask(engine),
    )
    for number, step in enumerate(steps):
        if told is not None:
            told(_WHAT, number, len(steps))
        step()
    if told is not None:
        told(_WHAT, len(steps), len(steps))


def _describe(engine: Engine) -> None:
    items = [
        Item(
            ItemId(item), title=f"{item} for two", categories=("camping", item), vector=(1.0, float(number)),
            published=datetime(1970, 1, 1 + number % 2, tzinfo=UTC), properties={"group": item, "weight": number},
        )
        for number, item in enumerate(_ITEMS)
    ]  # fmt: skip
    outcomes: list[CollectAnswer | HeedfulError] = []
    engine.put_items(items, outcomes.append)
    engine.delete_item(ItemId("lamp"), outcomes.append)


def _event(who: str, name: str, item: str, hour: int, **more: object) -> dict[str, object]:
    return {
        "type": "track",
        "anonymousId": who,
        "event": name,
        "timestamp": f"1970-01-{2 + hour // 24:02d}T{hour % 24:02d}:00:00Z",
        "properties": {"product_id": item, **more},
    }


def _visits() -> list[dict[str, object]]:
    return [
        _event(f"guest-{who}", "Product Viewed", item, 10 + who)
        for who in range(12)
        for item in _ITEMS[who % 2 :]
    ]


def _late() -> list[dict[str, object]]:
    """Events before those already there, and doubtful JSON that takes the exact reading."""
    late = [_event(f"guest-{who}", "Product Viewed", "map", 9) for who in range(12)]
    return [*late, _event("guest-0", "Product Viewed", "tent", 30, weight=1e2)]


def _orders() -> list[dict[str, object]]:
    products = [{"product_id": "tent", "quantity": 300, "price": 10}, {"product_id": "map", "price": 2}]
    bought = [
        _event(f"guest-{who}", "Order Completed", "", 12, order_id=f"order-{who}", products=products)
        for who in range(3)
    ]
    back = _event("guest-1", "Order Refunded", "", 14, order_id="order-1", products=products[1:])
    return [*bought, bought[0], back, _event("guest-2", "Order Cancelled", "", 15, order_id="order-2")]


def _send(engine: Engine, calls: list[dict[str, object]]) -> None:
    outcomes: list[CollectAnswer | HeedfulError] = []
    for call in calls:
        engine.collect("track", msgspec.json.encode(call), "rehearsal", outcomes.append)
    engine.collect("import", msgspec.json.encode({"batch": calls}), "rehearsal", outcomes.append)


def _ask(engine: Engine) -> None:
    answers: list[RecommendAnswer | HeedfulError] = []
    for request in (
        RecommendRequest(),
        RecommendRequest(anonymous_id="guest-1", exclude=("map",), explain=True),
        RecommendRequest(anonymous_id="guest-0", context=Situation(item_id="tent")),
        RecommendRequest(filter={"field": "category", "op": "eq", "value": "camping"}),
        RecommendRequest(as_of=datetime(1970, 1, 2, 11, tzinfo=UTC)),
    ):
        engine.recommend(request, answers.append)


def _place(engine: Engine) -> None:
    """Everything that a placement may ask for."""
    body = {
        "diversity": 0.3, "calibration": 0.3, "exploration": {"slots": 2, "share": 0.5},
        "sources": dict.fromkeys(engine.placements.sources, 1.0),
        "rules": [
            {"rule": "frequency_cap", "name": "cap", "most": 9, "hours": 1},
            {"rule": "do_not_repeat", "name": "rest", "hours": 1},
            {"rule": "boost", "name": "lift", "factor": 2, "where": {"field": "age_days", "op": "lt", "value": 9}},
            {"rule": "exclude", "name": "out", "where": {"field": "category", "op": "eq", "value": "rope"}},
            {"rule": "pin", "name": "first", "item": "axe", "place": 1},
        ],
    }  # fmt: skip
    engine.placements.put(_PLACE, body, author="rehearsal")
    answers: list[RecommendAnswer | HeedfulError] = []
    for who in ("guest-1", "guest-0", "nobody"):
        engine.recommend(RecommendRequest(anonymous_id=who, placement=_PLACE, limit=3), answers.append)


def _rank(engine: Engine) -> None:
    """Answers of each kind of fitted ranker, from models made by hand."""
    ranker = engine.recommending.pipeline("default").ranker
    if not isinstance(ranker, Learned):
        return
    names = ranker.features.names
    ends = np.array([~0], dtype=np.int32), np.array([~1], dtype=np.int32)
    stump = Tree(
        np.zeros(1, dtype=np.int32), np.full(1, 0.5), np.zeros(1, dtype=np.bool_), *ends, np.ones(1),
        np.array([0.0, 1.0]), np.ones(2, dtype=np.int64),
    )  # fmt: skip
    for model in (Forest(names, [stump]), Linear(names, np.ones(len(names)), np.ones(len(names)))):
        ranker.adopt("rehearsal", model)
        _ask(engine)
    ranker.drop()


def _choose(engine: Engine) -> None:
    """Choices among variants, before and after something came of one."""
    answers: list[DecideAnswer | HeedfulError] = []
    for algorithm in (*Algorithm, *Algorithm):
        engine.decide(
            DecideRequest(
                anonymous_id="guest-1", placement="rehearsed", variants=("a", "b"), algorithm=algorithm,
                context={"device": "phone", "hour": 9.0},
            ),
            answers.append,
        )  # fmt: skip
        answer = answers[-1]
        if isinstance(answer, DecideAnswer):
            _send(engine, [_event("guest-1", "Product Clicked", "tent", 21, decision_id=answer.decision_id)])


def _react(engine: Engine) -> None:
    """Reactions to an answer, with and without its id, and what they come to."""
    answers: list[RecommendAnswer | HeedfulError] = []
    engine.recommend(RecommendRequest(anonymous_id="guest-1"), answers.append)
    for answer in answers:
        if isinstance(answer, RecommendAnswer):
            _send(engine, [_event("guest-1", "Product Clicked", "tent", 20, decision_id=answer.decision_id)])
    for metric in engine.metrics():
        engine.metric(metric.name, MetricQuestion())


def _refuse(engine: Engine) -> None:
    """Choices about consent that take what somebody did out of the views, and give it again."""
    outcomes: list[CollectAnswer | HeedfulError] = []
    for allowed in (True, False, True):
        call = {"anonymousId": "guest-3", "choices": {"*": allowed}}
        engine.collect("consent", msgspec.json.encode(call), "rehearsal", outcomes.append)
        _ask(engine)


def _take_back(engine: Engine) -> None:
    records = engine.stored()
    engine.fold.retract(records[len(records) // 2 :])


def _restore(engine: Engine) -> None:
    state = {name: array.copy() for name, array in engine.fold.state().items()}
    engine.empty_fold().restore(engine.fold.cursor, engine.fold.floor, state)
