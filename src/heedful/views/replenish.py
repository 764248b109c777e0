"""Which of the things a person had are due to be had again.

After the Poisson-Gamma model of Bhagat, Muralidharan, Lobzhanidze and Vishwanath, "Buy It Again: Modeling
Repeat Purchase Recommendations", KDD 2018, with a prior from the item. Of one person and one item let n be the
days on which they had it, span the days from the first of them to the last, age the days since the first, and
now - last the days since the last. Of the item, shrunk to all items, let

    gap  = (days between + 10 * usual gap) / (gaps + 10)            usual gap: of all items, 30 days when unknown
    rate = (people who had it again + 20 * usual rate) / (people who had it + 20)

Then the score is the posterior mean of how often a day this person takes it, where a prior of shape 2 * rate
and scale 2 * gap has seen n - 1 repeats in `age` days, and the item is due once a quarter of the gap that is
expected of this person has passed:

    score = (n - 1 + 2 * rate) / (age + 2 * gap)
    due     now - last >= early * (span + 2 * gap) / (n - 1 + 2)

On the last 30% of Online Retail and of Complete Journey this order finds more of what is bought again than
popularity, frequency and recency do (`python -m benchmarks.again`).

Only replenishable items can be due: what the catalogue says in `properties.replenishable` decides; where it says
nothing, the person has had it on two days or more, or at least 20 people had it and a tenth of them again. What
was given back last is not due.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.arena import Column
from heedful.views.catalogue import Catalogue
from heedful.views.compiled import compiled
from heedful.views.dictionary import Items
from heedful.views.pasts import MOST_TOUCHED, RETURNED, Pasts, Touches
from heedful.views.repeats import AGAIN, BUYERS, DAYS, GAPS, Repeats
from heedful.vocabulary.time import DAY, Instant

PROPERTY = "replenishable"
"""The item's property with which its owner says true or false."""

USUAL_GAP = 30.0
"""Days between two purchases where nobody has bought anything twice yet."""
_GAPS, _BUYERS, _OWN = 10.0, 20.0, 2.0
"""How many gaps, buyers and repeats the three priors are worth."""

_YES, _NO, _UNSAID = 1, -1, 0


class Rule(NamedTuple):
    """When an item is one to buy again, and when it is due.

    enough: people who must have had it. least: share of them who must have had it again. own: on how many days the
    person themself must have had it, instead. early: which part of the expected gap must have passed.
    """

    enough: int = 20
    least: float = 0.1
    own: int = 2
    early: float = 0.25


class Due(NamedTuple):
    """What is due, most likely first, ties by the item's key, shape (n,) each.

    items: int32, dense. scores: float64, purchases a day.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.float64]


_NOTHING = Due(np.empty(0, dtype=np.int32), np.empty(0))


class Replenishment:
    """Reads what is due. Not for two threads at once."""

    def __init__(
        self, pasts: Pasts, repeats: Repeats, catalogue: Catalogue, items: Items, rule: Rule | None = None
    ) -> None:
        self._pasts, self._repeats, self._catalogue, self._items = pasts, repeats, catalogue, items
        self._rule = rule or Rule()
        self._said: dict[int, int] = {}
        self._said_at = catalogue.changes
        self._scores = np.zeros(MOST_TOUCHED)

    def read(self, subject: int, at: Instant) -> Due:
        """What is due for dense `subject` at the moment `at`, among the MOST_TOUCHED items they touched last."""
        touches = self._pasts.read(subject, limit=MOST_TOUCHED, at=at)
        had = np.flatnonzero(touches.had)
        if not len(had):
            return _NOTHING
        own = Touches._make(column[had] for column in touches)
        scores = self._scores[: len(had)]
        said = np.array([self._word(code) for code in own.item.tolist()], dtype=np.int8)
        _score(own, said, self._repeats.table, self._repeats.totals, self._rule, at, scores)
        due = np.flatnonzero(scores > 0.0)
        items, points = own.item[due], scores[due]
        order = np.lexsort((self._items.keys[items], -points))
        return Due(items[order], points[order])

    def _word(self, code: int) -> int:
        """What the item's owner says."""
        if self._said_at != self._catalogue.changes:
            self._said, self._said_at = {}, self._catalogue.changes
        word = self._said.get(code)
        if word is None:
            item = self._catalogue.get(code)
            value = None if item is None else item.properties.get(PROPERTY)
            word = self._said[code] = _YES if value is True else _NO if value is False else _UNSAID
        return word


@compiled
def _score(
    own: Touches, said: Column, table: Column, totals: Column, rule: Rule, at: int, scores: Column
) -> None:
    """The score of each line, 0 for what is not due."""
    usual_gap = totals[DAYS] / totals[GAPS] if totals[GAPS] > 0 else USUAL_GAP
    usual_rate = totals[AGAIN] / totals[BUYERS] if totals[BUYERS] > 0 else 0.0
    for line in range(len(own.item)):
        scores[line] = 0.0
        item, n = own.item[line], own.had[line]
        buyers, again, gaps, days = 0, 0, 0, 0
        if item < len(table):
            buyers, again = table[item, BUYERS], table[item, AGAIN]
            gaps, days = table[item, GAPS], table[item, DAYS]
        learned = n >= rule.own or (buyers >= rule.enough and again >= rule.least * buyers)
        if said[line] == _NO or (said[line] == _UNSAID and not learned) or own.deeds[line] & RETURNED:
            continue
        gap = (days + _GAPS * usual_gap) / (gaps + _GAPS)
        rate = (again + _BUYERS * usual_rate) / (buyers + _BUYERS)
        span = (own.had_last[line] - own.had_first[line]) / DAY
        expected = (span + _OWN * gap) / (n - 1 + _OWN)
        if (at - own.had_last[line]) / DAY >= rule.early * expected:
            age = (at - own.had_first[line]) / DAY
            scores[line] = max(1e-12, (n - 1 + _OWN * rate) / (age + _OWN * gap))
