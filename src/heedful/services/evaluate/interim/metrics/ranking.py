"""Whether the right items stood high in the list: hit rate, MRR, NDCG, recall, precision and MAP at k.

Every function answers one number per question, never a mean, because questions of one person are not
independent: `intervals` turns them into an estimate with an interval over people.

Two shapes of protocol. Where each question has one target (the next item), its rank in the list is enough:
`judge_ranks`. Where it has several (the next basket, all remaining items), `judge` takes the lists and the
targets. With one target each both say the same.

Definitions are those of Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002
(NDCG, with a discount of log2(1 + rank)) and of trec_eval (the others). One choice differs between tools: the
average precision at k is divided by min(k, number of targets), so that the best possible list scores 1, as
NDCG's ideal list is cut at k too; trec_eval divides by the number of targets. Ties are broken where the
list is made.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.services.evaluate.interim.metrics.ragged import NOTHING, Lists, Ragged, Values, added_up


class Ranking(NamedTuple):
    """One number per question, each float64 (n,) in 0..1, more is better.

    hit_rate: 1 if any target is among the first k.
    mrr: 1 / rank of the first target among the first k, 0 if there is none.
    ndcg: sum of gain / log2(1 + rank) over the targets found, over that of the best possible list.
    recall: targets found / targets. precision: targets found / k, also where the list is shorter.
    map: sum over the targets found of the precision at their rank, over min(k, targets).
    """

    hit_rate: Values
    mrr: Values
    ndcg: Values
    recall: Values
    precision: Values
    map: Values


def discounts(k: int) -> Values:
    """1 / log2(1 + rank) for ranks 1 to k, float64 (k,)."""
    return 1 / np.log2(np.arange(2, k + 2))


def exponential_gain(grades: NDArray[np.float64]) -> Values:
    """2^grade - 1: what an item of that grade of relevance is worth to NDCG (Burges et al., 2005)."""
    return np.exp2(grades) - 1


def ranks_in(lists: Lists, targets: NDArray[np.int32]) -> NDArray[np.int64]:
    """Where each target (n,) stands in its list (n, k): int64 (n,), from 1; 0 if it does not, or is -1."""
    found = (lists == targets[:, None]) & (lists != NOTHING)
    return np.where(found.any(axis=1), found.argmax(axis=1) + 1, 0).astype(np.int64)


def judge_ranks(ranks: NDArray[np.int64], k: int) -> Ranking:
    """Every metric at k where each question has one target. ranks: int64 (n,), from 1; 0 is missed."""
    _positive(k)
    within = (ranks > 0) & (ranks <= k)
    rank = np.where(within, ranks, 1)
    hit = within.astype(np.float64)
    reciprocal = hit / rank
    return Ranking(hit, reciprocal, hit / np.log2(1 + rank), hit.copy(), hit / k, reciprocal.copy())


def judge(lists: Lists, targets: Ragged, k: int, gains: Values | None = None) -> Ranking:
    """Every metric at k where a question may have several targets.

    lists: int32 (n, at least k), -1 where a list is shorter. targets: n rows of at least one item; one that
    stands twice in a row counts once, and -1 is an item that no list can name.
    gains: float64, beside targets.values, above 0: what each is worth to NDCG (of one that stands twice, the
    most); 1 if not given. Raises ValueError for a question without
    a target, a list that names an item twice, or a gain that is not above 0.
    """
    _positive(k)
    n = len(lists)
    if len(targets.offsets) != n + 1 or lists.shape[1] < k:
        raise ValueError("judge needs a list of at least k places and a row of targets for each question")
    if n and targets.lengths.min() == 0:
        raise ValueError("a question without a target cannot be judged: leave it out, and count it")
    if gains is not None and (len(gains) != len(targets.values) or not (gains > 0).all()):
        raise ValueError("judge needs a gain above 0 for every target")
    top = lists[:, :k]
    _no_item_twice(top)
    wanted = _wanted(targets, gains)
    gain = _gains_in(top, wanted)
    found = gain > 0
    many = np.bincount(wanted.question, minlength=n)
    so_far = found.cumsum(axis=1)
    ranks = np.where(found.any(axis=1), found.argmax(axis=1) + 1, 0).astype(np.int64)
    one = judge_ranks(ranks, k)
    precisions = (found * so_far / np.arange(1, k + 1)).sum(axis=1)
    return Ranking(
        hit_rate=one.hit_rate,
        mrr=one.mrr,
        ndcg=gain @ discounts(k) / _ideal(wanted, n, k),
        recall=so_far[:, -1] / many,
        precision=so_far[:, -1] / k,
        map=precisions / np.minimum(many, k),
    )


def _positive(k: int) -> None:
    if k < 1:
        raise ValueError(f"k is {k}, and must be at least 1")


def _no_item_twice(lists: Lists) -> None:
    inorder = np.sort(lists, axis=1)
    if ((inorder[:, 1:] == inorder[:, :-1]) & (inorder[:, 1:] != NOTHING)).any():
        raise ValueError("a list names an item twice: it would be counted twice")


class _Wanted(NamedTuple):
    """The distinct targets in order of (question, item): keys of both, and what each is worth."""

    keys: NDArray[np.int64]
    gains: Values

    @property
    def question(self) -> NDArray[np.int64]:
        return self.keys >> 32


def _keys(questions: NDArray[np.int64], items: NDArray[np.int32]) -> NDArray[np.int64]:
    return questions << 32 | items.astype(np.int64) & 0xFFFFFFFF


def _wanted(targets: Ragged, gains: Values | None) -> _Wanted:
    keys, place = np.unique(_keys(targets.rows, targets.values), return_inverse=True)
    most = np.zeros(len(keys))
    np.maximum.at(most, place, 1.0 if gains is None else gains)
    return _Wanted(keys, most)


def _gains_in(lists: Lists, wanted: _Wanted) -> Values:
    """What the item at each place of each list is worth, 0 where it is no target: float64 (n, k)."""
    if not len(wanted.keys):
        return np.zeros(lists.shape)
    items = lists.reshape(-1)
    asked = _keys(np.repeat(np.arange(len(lists)), lists.shape[1]), items)
    at = np.minimum(np.searchsorted(wanted.keys, asked), len(wanted.keys) - 1)
    is_target = (wanted.keys[at] == asked) & (items != NOTHING)
    return np.where(is_target, wanted.gains[at], 0.0).reshape(lists.shape)


def _ideal(wanted: _Wanted, n: int, k: int) -> Values:
    """The discounted gain of the best possible list of k, float64 (n,)."""
    question = wanted.question
    order = np.lexsort((-wanted.gains, question))
    rank = np.arange(len(question)) - np.searchsorted(question, question)
    shares = np.where(rank < k, wanted.gains[order] / np.log2(rank + 2), 0.0)
    return added_up(question, shares, n)
