"""Chance in a list: a few places show something from below the cut, with a probability that is known exactly.

What stands below the cut is dealt out to the exploring places, best first, one each in turn, so that no two
places can draw the same item and each place's draw depends on no other. So the probability written down for an
item in its place is the same whether the rest of the list is given or not, and the probability of a whole list is
the product of its places'. Weights against selection bias need no more than that. To tell what a place does
to clicks, neighbours may change places besides (`exchanged`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from heedful.models.variants.draw import UNITS, draw, mixed_seed, parts_of, probability
from heedful.pipeline.candidates import KEPT, Candidates
from heedful.pipeline.policy import Choice

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]

_COIN = 1_000
"""Streams of the seed from here on are for exchanging neighbours; those of places are below."""


class Exploration(Protocol):
    """Lets chance into a list that is otherwise settled."""

    def explore(
        self,
        candidates: Candidates,
        rows: Rows,
        keys: NDArray[np.uint64],
        *,
        size: int,
        seed: int,
        budget: int,
    ) -> Choice:
        """The list after chance has spoken in at most `budget` places.

        rows: int64 (s,), s <= size, what would be shown, best place first. keys: by dense item, break ties.
        Every other place keeps its row with propensity 1. All chance comes from `seed`.
        """


class Appeal(Protocol):
    """How much chance each row of a pool gets."""

    def weigh(self, candidates: Candidates, rows: Rows) -> Floats:
        """float64 (p,), finite, at least 0, for int64 rows (p,); a row of weight 0 is not eligible."""


class Even:
    """The same for all."""

    def weigh(self, candidates: Candidates, rows: Rows) -> Floats:
        del candidates
        return np.ones(len(rows))


class UnderExposed:
    """Items that were seen less than `enough`, the less the more: so that what is new gets a measured share.

    exposure: how much each of dense items, int32 (p,), was seen so far, float64 (p,), as a trend's score.
    rest: the weight of what was seen enough, beside 1 for what was never seen; 0 leaves it out.
    """

    def __init__(
        self, exposure: Callable[[NDArray[np.int32]], Floats], enough: float, *, rest: float = 0.0
    ) -> None:
        self._exposure = exposure
        self._enough = enough
        self._rest = rest

    def weigh(self, candidates: Candidates, rows: Rows) -> Floats:
        unseen = 1.0 - self._exposure(candidates.items[rows]) / self._enough
        weights: Floats = np.maximum(unseen, self._rest)
        return weights


class Slots:
    """Places spread over the list, each of which shows something else with probability `epsilon`.

    epsilon: in [0, 1]. appeal: shares `epsilon` among the place's pool. first: the first place that may explore,
    from 0; 1 leaves the top alone. pool: most rows from below the cut that are looked at. rejoin: whether the row
    that stands in the place is in its pool too, and so is shown with 1 - epsilon + epsilon times its share.
    """

    def __init__(
        self, epsilon: float, appeal: Appeal, *, first: int = 1, pool: int = 100, rejoin: bool = False
    ) -> None:
        if not 0.0 <= epsilon <= 1.0 or first < 0 or pool < 0:
            raise ValueError("epsilon is 0 to 1, first and pool are at least 0")
        self._epsilon = epsilon
        self._appeal = appeal
        self._first = first
        self._pool = pool
        self._rejoin = rejoin

    def explore(
        self,
        candidates: Candidates,
        rows: Rows,
        keys: NDArray[np.uint64],
        *,
        size: int,
        seed: int,
        budget: int,
    ) -> Choice:
        chosen, propensities = rows[:size].copy(), np.ones(min(size, len(rows)))
        places = spread(self._first, len(chosen), budget)
        below = self._below(candidates, chosen, keys)
        for turn, place in enumerate(places):
            options, parts = self._distribution(candidates, int(chosen[place]), below[turn :: len(places)])
            taken = draw(mixed_seed(seed, place), parts)
            chosen[place], propensities[place] = options[taken], probability(parts[taken])
        return Choice(chosen, propensities)

    def distributions(
        self, candidates: Candidates, rows: Rows, keys: NDArray[np.uint64], *, size: int, budget: int
    ) -> dict[int, dict[int, float]]:
        """For every exploring place the probability of each row that may stand there. Places are independent."""
        places = spread(self._first, min(size, len(rows)), budget)
        below = self._below(candidates, rows[:size], keys)
        found = {}
        for turn, place in enumerate(places):
            options, parts = self._distribution(candidates, int(rows[place]), below[turn :: len(places)])
            found[place] = {int(row): probability(part) for row, part in zip(options, parts, strict=True)}
        return found

    def _below(self, candidates: Candidates, shown: Rows, keys: NDArray[np.uint64]) -> Rows:
        """The best eligible rows that are not shown, best first, ties by key."""
        free = candidates.reasons == KEPT
        free[shown] = False
        rows = np.flatnonzero(free)
        if len(rows):
            rows = rows[self._appeal.weigh(candidates, rows) > 0]
        order = np.lexsort((keys[candidates.items[rows]], -candidates.totals[rows]))
        return rows[order[: self._pool]]

    def _distribution(
        self, candidates: Candidates, standing: int, pool: Rows
    ) -> tuple[Sequence[int], list[int]]:
        """The rows that may stand in a place, that which stands there first, and the parts of each."""
        rows = np.concatenate((np.array([standing]), pool))
        weights = self._appeal.weigh(candidates, rows)
        if not self._rejoin:
            weights[0] = 0.0
        total = weights.sum()
        if not total > 0:
            return [standing], parts_of(np.ones(1))
        chances = self._epsilon * weights / total
        chances[0] += 1.0 - self._epsilon
        return rows.tolist(), parts_of(chances)


class Exchange(NamedTuple):
    """A list in which neighbours may have changed places. Columns over its s places.

    choice: the list, with the probability of each row in its place. shown: float64 (s,), the probability that the
    row is shown at all. other: int64 (s,), the one other place where it might have stood, or -1.
    chance: float64 (s,), in (0, 1], how likely it was to stand where it does rather than there.
    """

    choice: Choice
    shown: Floats
    other: Rows
    chance: Floats


def exchanged(choice: Choice, share: float, seed: int) -> Exchange:
    """`choice` with neighbouring rows exchanged, each pair with probability `share` (0 to 0.5).

    A fair coin decides whether the pairs are the places (0, 1), (2, 3), ... or (1, 2), (3, 4), ...: so every place
    is joined to the next, and given the coin each row has one other place, as estimating what a place does
    to clicks needs (`models.positions.from_swaps`). The propensity in a place is over the coin too: 1 - share for
    a row that stayed, share / 2 for one that moved; at either end, where only one coin makes a pair, it is
    1 - share / 2.
    """
    size = len(choice.rows)
    parts = [UNITS - round(share * UNITS), round(share * UNITS)]
    stay, move = probability(parts[0]), probability(parts[1])
    order, other = list(range(size)), [-1] * size
    chance, there = [1.0] * size, [1.0 - move] * size
    if size:
        there[0] = there[-1] = 1.0 - move / 2 if size > 1 else 1.0
    for left in range(mixed_seed(seed, _COIN) >> 63, size - 1, 2):
        right = left + 1
        other[left], other[right] = right, left
        moves = draw(mixed_seed(seed, _COIN + right), parts)
        chance[left] = chance[right] = move if moves else stay
        if moves:
            order[left], order[right] = right, left
            there[left] = there[right] = move / 2
    shown = choice.propensities[order]
    return Exchange(
        Choice(choice.rows[order], shown * there), shown, np.array(other, dtype=np.int64), np.array(chance)
    )


def spread(first: int, end: int, count: int) -> list[int]:
    """At most `count` places from `first` to before `end`, evenly apart, the last one among them."""
    room = end - first
    if room <= 0 or count <= 0:
        return []
    count = min(count, room)
    return [end - 1 - room * turn // count for turn in reversed(range(count))]
