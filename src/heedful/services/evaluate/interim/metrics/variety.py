"""What the lists are like beyond being right: how much of the catalogue they show, how equally, how varied.

Functions over lists answer one number per list, float64 (n,), NaN where the metric is not defined for a
list; `intervals.per_user` leaves those out. Functions over a whole catalogue answer one number, and get their
interval from `intervals.jackknife`. Lists are int32 (n, k), best first, -1 where a list is shorter.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from heedful.services.evaluate.interim.metrics.ragged import NOTHING, Lists, Ragged, Values, added_up
from heedful.services.evaluate.interim.metrics.ranking import discounts
from heedful.views.compiled import compiled

SMOOTHING = 0.01
"""Steck's alpha: how much of the wanted mix is blended into the shown one, so that no logarithm is of 0."""

_AT_ONCE = 4_096


def shown(lists: Lists, size: int) -> NDArray[np.int64]:
    """How often each of the `size` items of the catalogue stands in a list, int64 (size,)."""
    return np.bincount(lists[lists != NOTHING], minlength=size)


def coverage(lists: Lists, size: int) -> float:
    """Distinct items in any list over `size`, the items of the catalogue: 0..1.

    It grows with the number of lists: compare systems over equally many, or use `rarefied_coverage`.
    """
    return float(np.count_nonzero(shown(lists, size))) / size


def rarefied_coverage(times: NDArray[np.int64], draws: int) -> float:
    """The coverage to be expected if only `draws` of all places had been filled: 0..1.

    times: int64 (size,), from `shown`. draws: at most their sum. Expected distinct items in a draw without
    replacement: sum of 1 - C(N - n(i), draws) / C(N, draws). Source: Hurlbert, "The nonconcept of species
    diversity", Ecology 1971, equation 14. No random number is involved.
    """
    total = int(times.sum())
    if not 0 <= draws <= total:
        raise ValueError(f"{draws} draws of {total} places")
    kinds, many = np.unique(times, return_counts=True)
    expected = 0.0
    for n, items in zip(kinds.tolist(), many.tolist(), strict=True):
        if n + draws > total:
            missed = 0.0
        else:
            missed = math.exp(
                math.lgamma(total - n + 1)
                - math.lgamma(total - n - draws + 1)
                - math.lgamma(total + 1)
                + math.lgamma(total - draws + 1)
            )
        expected += items * (1 - missed)
    return expected / len(times)


def exposure(lists: Lists, size: int) -> Values:
    """The attention each item of the catalogue gets: sum of 1 / log2(1 + rank) over lists, float64 (size,)."""
    weights = np.broadcast_to(discounts(lists.shape[1]), lists.shape)
    named = lists != NOTHING
    return added_up(lists[named], weights[named], size)


def gini(amounts: Values) -> float:
    """How unequally amounts are shared out: 0 if equally, (n - 1) / n if one has all, NaN if nobody has any.

    sum of (2 i - n - 1) x(i) / (n sum of x), with x in rising order and i from 1.
    """
    n, total = len(amounts), float(amounts.sum())
    if not total > 0:
        return math.nan
    return float(((2 * np.arange(1, n + 1) - n - 1) * np.sort(amounts)).sum()) / (n * total)


def novelty(lists: Lists, users: NDArray[np.int64], of: int) -> Values:
    """Mean of -log2(users of the item / all users) over each list, in bits: MIUF.

    users: int64 (size,), how many people touched each item. of: how many people there are. An item that nobody
    touched counts as if one had. Source: Castells, Hurley and Vargas, "Novelty and diversity in recommender
    systems", 2015.
    """
    return _mean(lists, -np.log2(np.maximum(users, 1) / of))


def mean_popularity(lists: Lists, popularity: Values) -> Values:
    """Mean popularity of each list's items: ARP. popularity: float64 (size,), of any unit.

    Source: Yin et al., "Challenging the long tail recommendation", VLDB 2012.
    """
    return _mean(lists, popularity)


def head(popularity: Values, share: float) -> NDArray[np.bool_]:
    """The most popular `share` (0..1) of the items, at least one; ties to the lower code. bool (size,)."""
    many = max(1, math.ceil(share * len(popularity)))
    mask = np.zeros(len(popularity), dtype=np.bool_)
    mask[np.argsort(-popularity, kind="stable")[:many]] = True
    return mask


def share_of(lists: Lists, group: NDArray[np.bool_]) -> Values:
    """The share of each list's items that belong to a group (bool (size,)), 0..1: say, `head(popularity, .01)`."""
    return _mean(lists, group.astype(np.float64))


def category_distance(lists: Lists, categories: Ragged) -> Values:
    """Mean distance between two items of a list, 0..1: 1 - |both| / |either| of their sets of categories.

    categories: a row per item, without repeats. Pairs with an item of which no category is known do not
    count; a list without a pair that counts is NaN.
    """
    rows = np.repeat(np.arange(len(categories.offsets) - 1), categories.lengths)
    inorder = categories.values[np.lexsort((categories.values, rows))]
    return _set_distance(np.ascontiguousarray(lists), inorder, categories.offsets)


@compiled
def _set_distance(
    lists: NDArray[np.int32], values: NDArray[np.int32], offsets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The mean Jaccard distance of the pairs of each list. values: in rising order within each item."""
    means = np.empty(len(lists), dtype=np.float64)
    for row in range(len(lists)):
        total, pairs = 0.0, 0
        for i in range(lists.shape[1]):
            for j in range(i):
                one, other = lists[row, i], lists[row, j]
                if one < 0 or other < 0:
                    continue
                a, a_end = offsets[one], offsets[one + 1]
                b, b_end = offsets[other], offsets[other + 1]
                if a == a_end or b == b_end:
                    continue
                either, both = (a_end - a) + (b_end - b), 0
                while a < a_end and b < b_end:
                    if values[a] == values[b]:
                        both += 1
                        a += 1
                        b += 1
                    elif values[a] < values[b]:
                        a += 1
                    else:
                        b += 1
                total += 1 - both / (either - both)
                pairs += 1
        means[row] = total / pairs if pairs else np.nan
    return means


def vector_distance(lists: Lists, vectors: NDArray[np.float32]) -> Values:
    """Mean of 1 - cosine between two items of a list, 0..2. vectors: float32 (size, d), one per item.

    An item whose vector is 0 does not count; a list with fewer than two that count is NaN. Without a pair by
    pair sum: of m unit vectors v, the sum of cosines over pairs i != j is |sum of v|^2 - m.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    known = lengths[:, 0] > -1
    units = np.divide(vectors, lengths, out=np.zeros(vectors.shape), where=lengths > 0)
    means = np.empty(len(lists))
    for start in range(0, len(lists), _AT_ONCE):
        part = lists[start : start + _AT_ONCE]
        named = (part != NOTHING) & known[part]
        sums = np.where(named[:, :, None], units[part], 0.0).sum(axis=1)
        many = named.sum(axis=1).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            cosine = ((sums**2).sum(axis=1) - many) / (many * (many - 1))
        means[start : start + _AT_ONCE] = np.where(many > 1, 1 - cosine, np.nan)
    return means


def mix_of_lists(lists: Lists, categories: Ragged, kinds: int) -> Values:
    """Each list's mix of categories, float64 (n, kinds): rows sum to 1, or to 0 where no category is known.

    A place counts 1 / log2(1 + rank), and an item's weight is shared equally among its categories.
    """
    n, k = lists.shape
    named = lists != NOTHING
    weights = np.broadcast_to(discounts(k), lists.shape)[named]
    return _mix(
        np.broadcast_to(np.arange(n)[:, None], lists.shape)[named],
        lists[named],
        weights,
        n,
        categories,
        kinds,
    )


def mix_of_histories(histories: Ragged, categories: Ragged, kinds: int) -> Values:
    """Each history's mix of categories, as `mix_of_lists`; every item of a history counts 1."""
    n = len(histories.offsets) - 1
    return _mix(histories.rows, histories.values, np.ones(len(histories.values)), n, categories, kinds)


def calibration(wanted: Values, given: Values, smoothing: float = SMOOTHING) -> Values:
    """How far each list's mix is from the person's own, in nats, 0 if equal: KL(p || (1 - a) q + a p).

    wanted (p): the mix of the history; given (q): the mix of the list; float64 (n, kinds). NaN where either has
    no category. Source: Steck, "Calibrated recommendations", RecSys 2018, equation 6.
    """
    blended = (1 - smoothing) * given + smoothing * wanted
    parts = np.divide(wanted, blended, out=np.ones(wanted.shape), where=wanted > 0)
    distance: Values = (wanted * np.log(parts)).sum(axis=1)
    distance[(wanted.sum(axis=1) <= 0) | (given.sum(axis=1) <= 0)] = np.nan
    return distance


def gini_of(lists: Lists, size: int) -> Callable[[NDArray[np.bool_]], float]:
    """The exposure Gini of some of the lists, for `intervals.jackknife`."""
    return lambda mask: gini(exposure(lists[mask], size))


def coverage_of(lists: Lists, size: int) -> Callable[[NDArray[np.bool_]], float]:
    """The coverage of some of the lists, for `intervals.jackknife`."""
    return lambda mask: coverage(lists[mask], size)


def _mean(lists: Lists, values: Values) -> Values:
    """The mean of values (size,) over each list's items, NaN for an empty list."""
    named = lists != NOTHING
    many = named.sum(axis=1)
    total: Values = np.where(named, values[lists], 0.0).sum(axis=1)
    means: Values = np.divide(total, many, out=np.full(len(lists), np.nan), where=many > 0)
    return means


def _mix(
    rows: NDArray[np.int64],
    items: NDArray[np.int32],
    weights: Values,
    n: int,
    categories: Ragged,
    kinds: int,
) -> Values:
    """Spread weight over the categories of items, by row."""
    lengths = categories.lengths[items]
    starts = np.repeat(categories.offsets[items], lengths)
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    kind = categories.values[starts + within]
    share = np.repeat(np.divide(weights, lengths, out=np.zeros(len(weights)), where=lengths > 0), lengths)
    cells = np.repeat(rows, lengths) * kinds + kind
    mix = added_up(cells, share, n * kinds).reshape(n, kinds)
    total = mix.sum(axis=1, keepdims=True)
    shares: Values = np.divide(mix, total, out=np.zeros(mix.shape), where=total > 0)
    return shares
