"""Who chose what, as a bounded sample of the history that does not depend on how anything is numbered.

People come in the order of a hash of their key and the seed, items in the order of how many of the sampled people
touched them, ties by key. So the same rows give the same sample, on every machine that knows the same secret.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.dictionary import Items, Subjects
from heedful.views.pasts import MOST_TOUCHED, Pasts
from heedful.vocabulary.time import Instant

_SPLIT_1, _SPLIT_2, _STEP = (
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
    np.uint64(0x9E3779B97F4A7C15),
)


class Sample(NamedTuple):
    """Touched items of n people.

    keys: uint64 (items,), `Items.keys`; most touched first, ties by key.
    starts: int64 (n + 1,), where each person's items begin. items: int32, places in `keys`, newest first.
    """

    keys: NDArray[np.uint64]
    starts: NDArray[np.int64]
    items: NDArray[np.int32]


def sample(
    pasts: Pasts,
    subjects: Subjects,
    items: Items,
    *,
    seed: int,
    at: Instant | None = None,
    since: Instant | None = None,
    people: int = 50_000,
    per_person: int = 200,
    support: int = 2,
) -> Sample:
    """The distinct items that at most `people` people touched last, at most `per_person` of each.

    pasts: a reader of what may be learned from (`consent.LEARNING`).
    at: rows after it do not count. since: items that a person touched last before it do not count. support:
    items that fewer of the sampled people touched are left out, and then people who are left with less than two.
    """
    least = np.iinfo(np.int64).min if since is None else since
    order = _shuffled(subjects.keys[: len(subjects)], seed)
    touched: list[NDArray[np.int32]] = []
    for subject in order.tolist():
        found = pasts.read(subject, limit=min(per_person, MOST_TOUCHED), at=at)
        mine = found.item[(found.times > 0) & (found.last >= least)]
        if len(mine) > 1:
            touched.append(mine.copy())
        if len(touched) == people:
            break
    whole = np.concatenate(touched) if touched else np.empty(0, dtype=np.int32)
    counts = np.bincount(whole, minlength=len(items))
    known = np.flatnonzero(counts >= max(1, support))
    known = known[np.lexsort((items.keys[known], -counts[known]))]
    place = np.full(len(items), -1, dtype=np.int32)
    place[known] = np.arange(len(known), dtype=np.int32)
    kept = [mine[mine >= 0] for mine in (place[codes] for codes in touched)]
    kept = [mine for mine in kept if len(mine) > 1]
    starts = np.cumsum([0, *(len(mine) for mine in kept)], dtype=np.int64)
    return Sample(items.keys[known], starts, np.concatenate(kept) if kept else np.empty(0, dtype=np.int32))


def _shuffled(keys: NDArray[np.uint64], seed: int) -> NDArray[np.int64]:
    """Places of `keys` in the order of a hash (SplitMix64's finaliser) of each and `seed`, ties by key."""
    mixed = (keys ^ np.uint64(seed & (2**64 - 1))) + _STEP
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _SPLIT_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SPLIT_2
    return np.lexsort((keys, mixed ^ (mixed >> np.uint64(31)))).astype(np.int64)
