"""The playground's front: one seed, one world, with its goods, its people, their days, and what is true of
them.

world = World(seed=7)
for call in world.events(start, days=30): ...           # history, as the shop's website would have sent it
world.best_list("shopper-0001", at, limit=10)           # what the perfect engine would have answered
world.respond("shopper-0001", shown, at, dice)          # what the person does with an answer
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from random import Random

from heedful.playground.calls import Call, Calls, run_name
from heedful.playground.catalogue import DEPARTMENT_NUMBER, build
from heedful.playground.pictures import picture
from heedful.playground.shoppers import Shopper, gather
from heedful.playground.truth import (
    CART_VALUE,
    CLICK_VALUE,
    PURCHASE_VALUE,
    Odds,
    Truth,
    best_order,
    examination,
)
from heedful.playground.visits import Diary, Shelves, Step, arrivals
from heedful.playground.wares import DEPARTMENTS
from heedful.vocabulary.item import Item
from heedful.vocabulary.time import DAY, MILLISECOND, Instant

OPENED = Instant(1_793_491_200_000_000)
"""2026-11-01T00:00Z: when the shop's books begin, unless said otherwise."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a person did with a list: the items clicked, of those the ones carted, of those the ones
    bought."""

    clicked: tuple[str, ...]
    carted: tuple[str, ...]
    bought: tuple[str, ...]

    @property
    def reward(self) -> float:
        """The value realized, on the scale of `World.list_value`: 1 per click, 3 per cart, 10 per
        purchase."""
        return (
            CLICK_VALUE * len(self.clicked)
            + CART_VALUE * len(self.carted)
            + PURCHASE_VALUE * len(self.bought)
        )


class World:
    """A shop and its shoppers, wholly determined by the arguments.

    seed: an integer from 0. items: 12 to 100,000. shoppers: 1 to 1,000,000. opened: when the shop's books
    begin; a few items are published in the month after. Raises ValueError for an argument out of range.
    """

    def __init__(
        self, seed: int = 7, items: int = 1200, shoppers: int = 400, opened: Instant = OPENED
    ) -> None:
        self.seed = seed
        self.opened = opened
        self.catalogue = build(seed, items, opened)
        self.crowd = gather(seed, shoppers)
        self.truth = Truth(self.catalogue, self.crowd)

    def items(self) -> list[Item]:
        """The catalogue as the shop would import it."""
        return list(self.catalogue.items)

    def shoppers(self) -> list[Shopper]:
        """Everybody, those who never sign in included."""
        return list(self.crowd.shoppers)

    def picture(self, item_id: str) -> str:
        """The item's picture, an SVG document. Raises KeyError for an item that does not exist."""
        return picture(self.catalogue.items[self.catalogue.number[item_id]])

    def companions(self, item_id: str) -> list[str]:
        """The items that go with this one, best first: what the shop's own buyer would put beside it."""
        row = self.catalogue.companions[self.catalogue.number[item_id]]
        return [self.catalogue.items[number].id for number in row]

    def events(self, start: Instant, days: float = inf) -> Iterator[Call]:
        """Calls of the Segment protocol from `start` on, for `days`, strictly in order of time.

        The calls of fewer days are the beginning of the calls of more. Message and order ids depend on the
        world and on `start`: one run repeated has the same ids, another run has others. Nested values may be
        shared between calls; change none of them. Raises ValueError when `start` lies before 1970.
        """
        calls = Calls(self.catalogue, self.crowd, self.run_name("events", start))
        end = start + days * DAY
        last = -(-start // MILLISECOND) * MILLISECOND - MILLISECOND
        for step in self._steps(start):
            last = max(step.at // MILLISECOND * MILLISECOND, last + MILLISECOND)
            if last >= end:
                return
            yield calls.call(step, last)

    def visits(self, start: Instant, days: float = inf) -> Iterator[tuple[Instant, str, str]]:
        """The arrivals behind `events`: (when, shopper id, goal category), for closed loops of one's own."""
        end = start + days * DAY
        for _, visits in arrivals(self.truth, self.seed, start):
            for visit in visits:
                if visit.at >= end:
                    return
                yield visit.at, self.crowd.shoppers[visit.who].id, DEPARTMENTS[visit.goal].name

    def click_probability(self, shopper_id: str, item_id: str, at: Instant, goal: str | None = None) -> float:
        """The chance that the shopper clicks the item, given that they look at it.

        goal: the category they came for, when they came for one. Raises KeyError for an unknown shopper, item
        or category.
        """
        return float(self._odds(shopper_id, at, goal).click[self.catalogue.number[item_id]])

    def best_list(
        self,
        shopper_id: str,
        at: Instant,
        limit: int = 10,
        *,
        goal: str | None = None,
        exclude: Collection[str] = (),
    ) -> list[tuple[str, float]]:
        """The best list there is, with each item's true value (its expected reward where it is looked at).

        exclude: items that must not appear, for example those already bought.
        """
        value = self._odds(shopper_id, at, goal).value.copy()
        value[[self.catalogue.number[item] for item in exclude]] = -1.0
        order = best_order(value, limit)
        return [
            (self.catalogue.items[number].id, float(value[number])) for number in order if value[number] > 0
        ]

    def list_value(
        self, shopper_id: str, shown: Sequence[str], at: Instant, goal: str | None = None
    ) -> float:
        """The expected reward of showing this list: Σ_k examination(k) · value(item k)."""
        value = self._odds(shopper_id, at, goal).value
        numbers = [self.catalogue.number[item] for item in shown]
        return float(examination(len(shown)) @ value[numbers])

    def respond(
        self, shopper_id: str, shown: Sequence[str], at: Instant, dice: Random, goal: str | None = None
    ) -> Response:
        """What the shopper does with the list, drawn with `dice`.

        They look at place k with the chance `examination(k)`, independently; click what they look at, cart
        what they clicked, buy what they carted, each with its own chance. The mean reward is `list_value`.
        """
        odds = self._odds(shopper_id, at, goal)
        looks = examination(len(shown))
        clicked, carted, bought = [], [], []
        for place, item in enumerate(shown):
            number = self.catalogue.number[item]
            if dice.random() >= looks[place] * odds.click[number]:
                continue
            clicked.append(item)
            if dice.random() >= odds.cart[number]:
                continue
            carted.append(item)
            if dice.random() < odds.purchase[number]:
                bought.append(item)
        return Response(tuple(clicked), tuple(carted), tuple(bought))

    def run_name(self, purpose: str, start: Instant) -> str:
        """A short name for one run of this world, which begins its message and order ids."""
        return run_name(self.seed, len(self.catalogue), len(self.crowd), self.opened, start, purpose)

    def _odds(self, shopper_id: str, at: Instant, goal: str | None) -> Odds:
        number = self.crowd.number[shopper_id]
        return self.truth.odds(number, at, None if goal is None else DEPARTMENT_NUMBER[goal])

    def _steps(self, start: Instant) -> Iterator[Step]:
        """Every step of everybody, without end, in order of time; equal times in order of arrival."""
        dice = Random(self.run_name("events", start))  # noqa: S311 - a simulation, replayed from its seed
        diary = Diary(self.truth, dice)
        pending: list[Step] = []
        for day, visits in arrivals(self.truth, self.seed, start):
            shelves = Shelves(self.truth, Instant(day * DAY))
            for visit in visits:
                pending += diary.steps(visit, shelves)
            pending.sort(key=lambda step: step.at)
            ready = bisect_left(pending, (day + 1) * DAY, key=lambda step: step.at)
            yield from pending[:ready]
            del pending[:ready]
