"""Do everything once on a small throwaway shop, so that nobody waits for it later.

The numeric kernels are compiled for this machine when they are first called, which takes a minute on a fresh
installation and a second once they are on disk. A server rehearses before it listens.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from heedful.services.engine import Engine
from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.metric import MetricQuestion
from heedful.vocabulary.recommendation import RecommendAnswer, RecommendRequest, Situation
from heedful.vocabulary.time import DAY, Instant

Told = Callable[[str, int, int], None]

_WHAT = "preparing kernels (up to a minute the first time)"
_ITEMS = ("tent", "stove", "map", "lamp")


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
        lambda: _react(engine),
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
    items = [Item(ItemId(item), title=item, categories=("camping",)) for item in _ITEMS]
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
    ):
        engine.recommend(request, answers.append)


def _react(engine: Engine) -> None:
    """Reactions to an answer, with and without its id, and what they come to."""
    answers: list[RecommendAnswer | HeedfulError] = []
    engine.recommend(RecommendRequest(anonymous_id="guest-1"), answers.append)
    for answer in answers:
        if isinstance(answer, RecommendAnswer):
            _send(engine, [_event("guest-1", "Product Clicked", "tent", 20, decision_id=answer.decision_id)])
    engine.metric("ctr", MetricQuestion())


def _take_back(engine: Engine) -> None:
    records = engine.stored()
    engine.fold.retract(records[len(records) // 2 :])


def _restore(engine: Engine) -> None:
    state = {name: array.copy() for name, array in engine.fold.state().items()}
    engine.empty_fold().restore(engine.fold.cursor, engine.fold.floor, state)
