"""Who comes to the shop, when, and what for; and what a person does in the shop on one visit.

A visit has a goal, a department, and wanders: from an item to others like it, from a department to one that
goes with it, from a thing in the cart to its companions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import NamedTuple

import numpy as np

from heedful.playground.catalogue import DEPARTMENT_NUMBER, Floats, Ints
from heedful.playground.truth import Truth, day_of
from heedful.playground.wares import DEPARTMENTS
from heedful.vocabulary.time import DAY, HOUR, MILLISECOND, SECOND, Instant

_TAG = 3
LIKENESS_WEIGHT = 1.5
BROWSE_WEIGHT = 0.9
LIST_LENGTH = 6
LONGEST_VISIT = 25
REFUNDED = 0.04
"""Share of orders of which something comes back, two to nine days later."""


class Deed(Enum):
    """What a person does on a visit."""

    IDENTIFY = "identify"
    ARRIVE = "arrive"
    SEARCH = "search"
    LIST = "list"
    CLICK = "click"
    VIEW = "view"
    ADD = "add"
    REMOVE = "remove"
    WISH = "wish"
    HIDE = "hide"
    CHECKOUT = "checkout"
    BUY = "buy"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Visit:
    """One arrival: shopper number `who`, at `at`, looking for department number `goal`.

    guest: an anonymous id, when somebody comes who is like `who` but whom the shop has never seen.
    """

    who: int
    at: Instant
    goal: int
    guest: str = ""


class Step(NamedTuple):
    """One deed at one time.

    visit: number of the visit, from 0, which names its cart and its order. items: item numbers concerned.
    place: place in the list, from 1, for clicks. word: what was searched for. guest: as in `Visit`.
    """

    at: int
    deed: Deed
    who: int
    visit: int
    items: tuple[int, ...] = ()
    place: int = 0
    word: str = ""
    guest: str = ""


def arrivals(truth: Truth, seed: int, start: Instant) -> Iterator[tuple[int, list[Visit]]]:
    """Each UTC day from that of `start` on, without end, with its visits in order of time.

    Their number per person is Poisson around their mean, a little higher at weekends; their hours are normal
    around the person's own (standard deviation 1.6 h).
    """
    crowd = truth.crowd
    day = day_of(start)
    while True:
        rng = np.random.default_rng([seed, _TAG, start, day])
        weekend = 1.25 if (day + 3) % 7 >= 5 else 0.9  # 1970-01-01 was a Thursday
        who = np.repeat(np.arange(len(crowd)), rng.poisson(weekend * crowd.visits_per_day))
        hour = (crowd.peak_hour[who] + rng.normal(0.0, 1.6, len(who))) % 24.0
        at = day * DAY + (hour * HOUR).astype(np.int64) // MILLISECOND * MILLISECOND
        luck = rng.random(len(who))
        visits = []
        for index in np.lexsort((who, at)):
            if at[index] >= start:
                goal = goal_of(truth, int(who[index]), day, float(luck[index]))
                visits.append(Visit(int(who[index]), Instant(int(at[index])), goal))
        yield day, visits
        day += 1


def goal_of(truth: Truth, who: int, day: int, luck: float) -> int:
    """The department number that `luck`, uniform in [0, 1), gives a visit of `who`: see
    `Truth.goal_chances`."""
    cumulative = truth.goal_chances(who, day).cumsum()
    return min(int(cumulative.searchsorted(luck * cumulative[-1], side="right")), len(DEPARTMENTS) - 1)


class Shelves:
    """What can be seen on one day, by department."""

    def __init__(self, truth: Truth, at: Instant) -> None:
        open_now = truth.for_sale(at)
        department = truth.catalogue.department
        self.members: list[Ints] = [
            np.flatnonzero(open_now & (department == number)) for number in range(len(DEPARTMENTS))
        ]
        self.vectors: list[Floats] = [truth.catalogue.vectors[members] for members in self.members]
        self.open = open_now


class Walk:
    """One visit, step by step. `steps` grows in order of time."""

    def __init__(
        self, truth: Truth, shelves: Shelves, visit: Visit, number: int, owned: set[int], dice: Random
    ) -> None:
        self.truth = truth
        self.shelves = shelves
        self.visit = visit
        self.number = number
        self.owned = owned
        self.dice = dice
        self.at: int = visit.at
        self.goal = visit.goal
        self.utility = truth.utility(visit.who, day_of(visit.at), visit.goal)
        self.steps: list[Step] = []
        self.cart: list[int] = []
        self._appeal: dict[int, Floats] = {}

    def run(self) -> list[int]:
        """Walks the whole visit; returns the items paid for."""
        dice = self.dice
        self._do(Deed.ARRIVE, 0.0)
        if dice.random() < 0.22:
            lines = DEPARTMENTS[self.goal].lines
            self._do(Deed.SEARCH, 6.0, word=lines[dice.randrange(len(lines))].name.lower())
        listed = self._look_over() if dice.random() < 0.25 else ()
        item = -1
        companion = -1
        views = min(1 + int(dice.expovariate(1 / 3.6)), LONGEST_VISIT)
        for _ in range(views):
            if companion >= 0:
                item, companion = companion, -1
            elif listed and dice.random() < 0.6:
                place = min(int(dice.expovariate(0.5)), len(listed) - 1)
                item = listed[place]
                self._do(Deed.CLICK, 7.0, (item,), place=place + 1)
            else:
                item = self._pick(item)
            if item < 0:
                break
            self._do(Deed.VIEW, 22.0, (item,))
            companion = self._react(item)
            self._wander()
        return self._settle()

    def _do(
        self, deed: Deed, pause: float, items: tuple[int, ...] = (), place: int = 0, word: str = ""
    ) -> None:
        """Appends a step after about `pause` seconds."""
        if pause:
            self.at += int(pause * SECOND * (0.25 + self.dice.expovariate(4 / 3)))
        visit = self.visit
        self.steps.append(Step(self.at, deed, visit.who, self.number, items, place, word, visit.guest))

    def _look_over(self) -> tuple[int, ...]:
        """A list of the goal's department as the shop shows it."""
        picks = dict.fromkeys(self._pick(-1) for _ in range(LIST_LENGTH))
        picks.pop(-1, None)
        listed = tuple(picks)
        if listed:
            self._do(Deed.LIST, 5.0, listed)
        return listed

    def _pick(self, last: int) -> int:
        """An item of the present department, by renown, utility and likeness to the last one; -1 if there is
        none.

        Chance ∝ exp(renown + 0.9 U + 1.5 v·v_last). What the person already has is passed over.
        """
        members = self.shelves.members[self.goal]
        if not len(members):
            return -1
        appeal = self._appeal.get(self.goal)
        if appeal is None:
            appeal = self.truth.catalogue.renown[members] + BROWSE_WEIGHT * self.utility[members]
            self._appeal[self.goal] = appeal
        if last >= 0:
            appeal = appeal + LIKENESS_WEIGHT * (
                self.shelves.vectors[self.goal] @ self.truth.catalogue.vectors[last]
            )
        cumulative = np.exp(appeal).cumsum()
        top = float(cumulative[-1])
        for _ in range(4):
            place = int(cumulative.searchsorted(self.dice.random() * top, side="right"))
            item = int(members[min(place, len(members) - 1)])
            if item != last and item not in self.owned:
                return item
        return -1

    def _react(self, item: int) -> int:
        """Cart, wish list, or hide; returns a companion to look at next, or -1."""
        dice = self.dice
        luck = dice.random()
        utility = float(self.utility[item])
        cart = float(self.truth.cart_chance(self.utility[item : item + 1])[0])
        if luck < cart:
            if item not in self.cart:
                self.cart.append(item)
                self._do(Deed.ADD, 9.0, (item,))
        elif luck < cart + 0.03:
            self._do(Deed.WISH, 6.0, (item,))
        elif utility < 1.5 and luck > 0.985:
            self._do(Deed.HIDE, 4.0, (item,))
            return -1
        if dice.random() < (0.5 if luck < cart else 0.12):
            friends = self.truth.catalogue.companions[item]
            friend = int(friends[dice.randrange(len(friends))])
            if self.shelves.open[friend] and friend not in self.owned:
                self.goal = int(self.truth.catalogue.department[friend])
                return friend
        return -1

    def _wander(self) -> None:
        """Now and then the goal moves to a department that goes with it."""
        if self.dice.random() < 0.08:
            friends = DEPARTMENTS[self.goal].goes_with
            self.goal = DEPARTMENT_NUMBER[friends[self.dice.randrange(len(friends))]]

    def _settle(self) -> list[int]:
        """Empties the cart: some is put back, some left behind, some paid for."""
        kept = []
        for item in self.cart:
            if self.dice.random() < 0.05:
                self._do(Deed.REMOVE, 8.0, (item,))
            else:
                kept.append(item)
        if not kept:
            return []
        chances = self.truth.purchase_chance(self.visit.who, self.utility[kept], np.array(kept))
        bought = [item for item, odds in zip(kept, chances, strict=True) if self.dice.random() < odds]
        if bought or self.dice.random() < 0.3:
            self._do(Deed.CHECKOUT, 20.0, tuple(kept))
        if bought:
            self._do(Deed.BUY, 45.0, tuple(bought))
        return bought


class Diary:
    """What has happened so far to the people of one run: who has signed in before, and who owns what."""

    def __init__(self, truth: Truth, dice: Random) -> None:
        self.truth = truth
        self.dice = dice
        self.count = 0
        self._known: set[int] = set()
        self._owned: defaultdict[int, set[int]] = defaultdict(set)

    def steps(self, visit: Visit, shelves: Shelves) -> list[Step]:
        """All steps that follow from one visit, in order of time; a refund may come days later."""
        number = self.count
        self.count += 1
        owned: set[int] = set() if visit.guest else self._owned[visit.who]
        walk = Walk(self.truth, shelves, visit, number, owned, self.dice)
        bought = walk.run()
        owned.update(bought)
        steps = walk.steps
        if (
            self.truth.crowd.shoppers[visit.who].signed_in
            and not visit.guest
            and visit.who not in self._known
        ):
            self._known.add(visit.who)
            steps.insert(0, Step(visit.at, Deed.IDENTIFY, visit.who, number))
        if bought and self.dice.random() < REFUNDED:
            back = tuple(bought) if self.dice.random() < 0.5 else (bought[0],)
            later = walk.at + int(self.dice.uniform(2.0, 9.0) * DAY)
            steps.append(Step(later, Deed.REFUND, visit.who, number, back, guest=visit.guest))
        return steps
