"""What is true in the playground: how likely each person is to react to each item, and what a list is worth.

Every number here is a plain function of the seed, the person, the item and the day, so an engine's answers
can be compared with the best possible ones. Truth changes at midnight UTC and stands still in between.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heedful.playground.catalogue import DEPARTMENT_NUMBER, Catalogue, Flags, Floats, Ints
from heedful.playground.shoppers import Crowd
from heedful.playground.wares import DEPARTMENTS
from heedful.vocabulary.time import DAY, Instant

TASTE_WEIGHT = 4.0
QUALITY_WEIGHT = 0.5
TREND_CYCLE = 60
TREND_LENGTH = 8
TREND_HEIGHT = 1.5
GOAL_PULL = 1.5
SIDE_PULL = 0.7
"""What being in the department a person came for adds, in logits, and being in one that goes with it."""

CLICK_OFFSET = -3.6
CART_OFFSET = -4.0
CART_SLOPE = 0.6
PURCHASE_OFFSET = -1.3
PURCHASE_SLOPE = 0.3

CLICK_VALUE = 1.0
CART_VALUE = 3.0
PURCHASE_VALUE = 10.0

POSITION_POWER = 0.7


def examination(places: int) -> Floats:
    """The position curve: the chance that a person looks at place k = 0, 1, 2, …, which is (1 + k)^-0.7."""
    curve: Floats = np.power(1.0 + np.arange(places, dtype=np.float64), -POSITION_POWER)
    return curve


@dataclass(frozen=True, slots=True)
class Odds:
    """How one person reacts to each item on one day; entry per item, every chance in [0, 1].

    utility: logits, before any offset. click: given that they look at it. cart: given the click. purchase:
    given the cart. value: expected reward of showing it where they look.
    """

    utility: Floats
    click: Floats
    cart: Floats
    purchase: Floats
    value: Floats


def day_of(at: Instant) -> int:
    """Whole days since 1970, UTC."""
    return at // DAY


class Truth:
    """The laws of one world. Holds no state but caches."""

    def __init__(self, catalogue: Catalogue, crowd: Crowd) -> None:
        self.catalogue = catalogue
        self.crowd = crowd
        self._pulls = _pulls()[:, catalogue.department]
        self._mood_day: int | None = None
        self._mood = np.zeros(len(catalogue))

    def season(self, day: int) -> Floats:
        """(departments,) logits: swing · cos(2π (day of year - peak) / 365.25)."""
        swing = np.array([entry.swing for entry in DEPARTMENTS])
        peak = np.array([entry.peak for entry in DEPARTMENTS])
        wave: Floats = swing * np.cos(2 * np.pi * (day % 365.25 - peak) / 365.25)
        return wave

    def trend(self, day: int) -> Floats:
        """(items,) logits: an item in fashion rises and falls within 8 days of its 60-day cycle, to 1.5 at
        most."""
        phase = self.catalogue.trend_phase
        since = (day - phase) % TREND_CYCLE
        riding = (phase >= 0) & (since < TREND_LENGTH)
        wave: Floats = np.where(riding, TREND_HEIGHT * np.sin(np.pi * (since + 0.5) / TREND_LENGTH), 0.0)
        return wave

    def mood(self, day: int) -> Floats:
        """(items,) logits: what everybody agrees on that day: quality, season and fashion."""
        if day != self._mood_day:
            season = self.season(day)[self.catalogue.department]
            self._mood = QUALITY_WEIGHT * self.catalogue.quality + season + self.trend(day)
            self._mood_day = day
        return self._mood

    def utility(self, who: int, day: int, goal: int | None = None) -> Floats:
        """(items,) logits: 4 x·v + mood - thrift · dearness + pull of the goal department."""
        taste = self.crowd.tastes(day, np.array([who]))[0]
        utility: Floats = TASTE_WEIGHT * (self.catalogue.vectors @ taste)
        utility += self.mood(day)
        utility -= self.crowd.thrift[who] * self.catalogue.dearness
        if goal is not None:
            utility += self._pulls[goal]
        return utility

    def for_sale(self, at: Instant) -> Flags:
        """(items,): whether each is available and published at `at`."""
        answer: Flags = self.catalogue.available & (self.catalogue.published <= at)
        return answer

    def odds(self, who: int, at: Instant, goal: int | None = None) -> Odds:
        """How shopper number `who` reacts at `at`. What is not for sale is never clicked."""
        utility = self.utility(who, day_of(at), goal)
        click = logistic(utility + CLICK_OFFSET) * self.for_sale(at)
        cart = self.cart_chance(utility)
        purchase = self.purchase_chance(who, utility)
        value = click * (CLICK_VALUE + cart * (CART_VALUE + purchase * PURCHASE_VALUE))
        return Odds(utility, click, cart, purchase, value)

    def cart_chance(self, utility: Floats) -> Floats:
        """Chance that a person who opened an item puts it into the cart: logistic(0.6 U - 4)."""
        return logistic(CART_SLOPE * utility + CART_OFFSET)

    def purchase_chance(self, who: int, utility: Floats, items: Ints | slice = slice(None)) -> Floats:
        """Chance that a thing in the cart is paid for: logistic(0.3 U - thrift · dearness - 1.3)."""
        cost = self.crowd.thrift[who] * self.catalogue.dearness[items]
        return logistic(PURCHASE_SLOPE * utility - cost + PURCHASE_OFFSET)

    def goal_chances(self, who: int, day: int) -> Floats:
        """(departments,) what a visit of `who` is for: softmax of 5 x_department + season + log share."""
        taste = self.crowd.tastes(day, np.array([who]))[0, : len(DEPARTMENTS)]
        score = 5.0 * taste + self.season(day) + _LOG_SHARE
        chances = np.exp(score - score.max())
        answer: Floats = chances / chances.sum()
        return answer


def logistic(x: Floats) -> Floats:
    """1 / (1 + e^-x)."""
    answer: Floats = 1.0 / (1.0 + np.exp(-x))
    return answer


def best_order(value: Floats, limit: int) -> Ints:
    """The `limit` items of highest value, best first, ties by number.

    It is the best list there is: examination falls with the place and values add up, so by the rearrangement
    inequality no other order or choice is worth more.
    """
    order: Ints = np.argsort(-value, kind="stable")[:limit]
    return order


def _pulls() -> Floats:
    """(departments, departments): what a goal (row) adds to items of a department (column)."""
    pulls = np.zeros((len(DEPARTMENTS), len(DEPARTMENTS)))
    for goal, department in enumerate(DEPARTMENTS):
        pulls[goal, goal] = GOAL_PULL
        for friend in department.goes_with:
            pulls[goal, DEPARTMENT_NUMBER[friend]] = SIDE_PULL
    return pulls


_LOG_SHARE = np.log([department.share for department in DEPARTMENTS])
