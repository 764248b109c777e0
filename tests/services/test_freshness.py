"""After the acknowledgement every next answer, anybody's, reflects what happened: a model in words beside it.

The model keeps what is live and says, for any question, exactly which items must be in the answer, and which
of them were seen in the same session as the item on the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.vocabulary.recommendation import RecommendAnswer
from heedful.vocabulary.time import DAY, MINUTE, Instant
from tests.services.shop import OPENED, Shop, ids_of

PEOPLE = ("ada", "bo", "cy")
ITEMS = ("tent", "stove", "map", "boots", "lamp")
IDLE = 30 * MINUTE

Step = tuple[str, str, str, int]
"""What, who, item (or order), minutes ago or until the next."""


@dataclass
class Model:
    """The slow twin: everything that was acknowledged, as plain facts."""

    touched: list[tuple[str, int, str]] = field(default_factory=list)
    """person, when, item: views, and purchases while their order stands."""
    orders: dict[str, tuple[str, int, list[str]]] = field(default_factory=dict)
    returned: list[tuple[str, str, str]] = field(default_factory=list)
    """order, person, item."""
    cancelled: set[str] = field(default_factory=set)
    hidden: set[tuple[str, str]] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    described: set[str] = field(default_factory=set)

    def live(self) -> Iterator[tuple[str, int, str]]:
        yield from self.touched
        for order, (who, at, items) in self.orders.items():
            if order not in self.cancelled:
                yield from ((who, at, item) for item in items)

    def owned(self, who: str) -> set[str]:
        net: dict[str, int] = {}
        for order, (buyer, _, items) in self.orders.items():
            if order in self.cancelled:
                continue
            for item in items:
                net[item] = net.get(item, 0) + (buyer == who)
        for order, person, item in self.returned:
            if order not in self.cancelled:
                net[item] = net.get(item, 0) - (person == who)
        return {item for item, count in net.items() if count > 0}

    def together(self, item: str) -> set[str]:
        """Everything that was in a session with `item`, `item` too."""
        found: set[str] = set()
        for who in PEOPLE:
            session: set[str] = set()
            newest = None
            for at, one in sorted((at, one) for person, at, one in self.live() if person == who):
                if newest is not None and at - newest > IDLE:
                    found |= session if item in session else set()
                    session = set()
                session.add(one)
                newest = at
            found |= session if item in session else set()
        return found

    def shown(self, who: str) -> set[str]:
        """What `who` may be shown, but for the item they are looking at."""
        known = {item for _, _, item in self.live()} | self.described
        return known - self.gone - self.owned(who) - {item for one, item in self.hidden if one == who}

    def latest(self, who: str) -> set[str]:
        """The items of the person's latest moment: several when they were bought at once."""
        mine = [(at, item) for person, at, item in self.live() if person == who]
        return {item for at, item in mine if at == max(mine)[0]}


def step(shop: Shop, model: Model, what: str, who: str, item: str, minutes: int) -> None:
    """Do one thing for real and write it into the model once it is acknowledged."""
    at = shop.clock.at - minutes * MINUTE
    match what:
        case "view":
            shop.does("Product Viewed", who, item, ago=minutes)
            model.touched.append((who, at, item))
        case "buy":
            order = f"o{len(model.orders)}"
            shop.does("Order Completed", who, item, ago=minutes, order_id=order)
            model.orders[order] = (who, at, [item])
        case "return" | "cancel" if model.orders:
            order = sorted(model.orders)[minutes % len(model.orders)]
            buyer, _, items = model.orders[order]
            if what == "cancel":
                shop.does("Order Cancelled", buyer, order_id=order)
                model.cancelled.add(order)
            else:
                shop.does("Order Refunded", buyer, items[0], order_id=order)
                model.returned.append((order, buyer, items[0]))
        case "hide":
            shop.does("hide", who, item)
            model.hidden.add((who, item))
        case "describe":
            shop.put_item(item, title=item.title())
            model.described.add(item)
            model.gone.discard(item)
        case "sold out":
            shop.put_item(item, available=False)
            model.described.add(item)
            model.gone.add(item)
        case "delete" if item in model.described:
            shop.delete_item(item)
            model.described.discard(item)
            model.gone.add(item)
        case "wait":
            shop.wait(minutes)


STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.sampled_from(
            ("view", "view", "view", "buy", "return", "cancel", "hide", "describe", "sold out", "delete", "wait")
        ),
        st.sampled_from(PEOPLE),
        st.sampled_from(ITEMS),
        st.sampled_from((0, 0, 1, 20, 29, 31, 45)),
    ),
    max_size=16,
)  # fmt: skip


def check(shop: Shop, model: Model, who: str, page: str) -> None:
    """The next two answers of `who`: without a page, and on `page`."""
    mine = {item for person, _, item in model.live() if person == who}
    may = model.shown(who)
    answer = shop.recommend(who, limit=100, explain=True)
    assert answer.trace is not None
    trail = answer.trace["trail"]
    assert set(trail) == mine
    assert set(trail[:1]) <= model.latest(who)
    assert set(ids_of(answer)) == may - set(trail[:1])
    assert_the_truth_about_persons(shop, answer, mine, who, {})
    answer = shop.recommend(who, limit=100, explain=True, item_id=page)
    assert answer.trace is not None
    trail = answer.trace["trail"]
    by_sessions = {one["itemId"] for one in answer.trace["candidates"] if "sessions" in one["sources"]}
    here = trail[:1] == [page]  # else nobody ever named it
    assert set(ids_of(answer)) == may - set(trail[:1])
    if here:
        assert model.together(page) & may - {page} <= by_sessions
        everything = set().union(*(model.together(item) for item in trail[:3]))
        assert by_sessions == everything & may - {page}
        assert_the_truth_about_persons(shop, answer, mine, who, {"item_id": page})


def assert_the_truth_about_persons(
    shop: Shop, answer: RecommendAnswer, mine: set[str], who: str, question: dict[str, Any]
) -> None:
    """An answer that says it is not personal is that of a stranger, but for what had to be taken out."""
    reasons = {item for shown in answer.items for item in shown.reason.because}
    if not answer.personalized:
        shown = {item.item_id: item.score for item in answer.items}
        stranger = {
            item.item_id: item.score for item in shop.recommend("stranger", limit=100, **question).items
        }
        assert shown == {item: score for item, score in stranger.items() if item in shown}
        assert not reasons - {question.get("item_id")}
    else:
        assert mine


@settings(max_examples=120, deadline=None)
@given(STEPS, st.sampled_from(PEOPLE), st.sampled_from(ITEMS))
def test_every_next_answer_reflects_what_was_acknowledged(steps: list[Step], who: str, page: str) -> None:
    shop, model = Shop(), Model()
    for what, person, item, minutes in steps:
        step(shop, model, what, person, item, minutes)
        check(shop, model, person, item)
        check(shop, model, who, page)
    assert shop.verify().agrees


def test_a_description_from_the_future_does_not_outlast_a_later_word() -> None:
    shop = Shop()
    shop.views("ada", "tent")
    told: list[object] = []
    item = shop.engine.describing
    shop.put_item("tent", title="Tent")
    described = shop.item("tent")
    assert described is not None
    item.put_as_of([(described, Instant(OPENED + 400 * DAY), "import:future")], told.append)
    shop.put_item("tent", available=False)
    assert "tent" not in shop.ids("bo")
    shop.put_item("tent", available=True)
    assert "tent" in shop.ids("bo")
    shop.delete_item("tent")
    assert "tent" not in shop.ids("bo")
    assert shop.item("tent") is None
