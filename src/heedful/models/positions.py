"""How likely a place in a list is to be looked at, from what was shown and clicked.

People click what they see first, so clicks say as much about places as about items. The chance that a place is
looked at (its examination) turns clicks into what would have been clicked had everything been seen:
`Examples.unbiased`. A click is taken to be examination times relevance (Craswell, Zoeter, Taylor and Ramsey, "An
experimental comparison of click position-bias models", WSDM 2008: the examination hypothesis).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEAST = 0.1
"""No place is taken to be looked at less often: the other side of a largest weight of 10."""


class Impressions(NamedTuple):
    """n shown items. position: int64 (n,), from 0. clicked: bool (n,).

    chance: float64 (n,), in (0, 1]: how likely the item was to stand at `position`, given the decision.
    other: int64 (n,), the one other place where the same decision could have put it, or -1.
    """

    position: NDArray[np.int64]
    clicked: NDArray[np.bool_]
    chance: NDArray[np.float64]
    other: NDArray[np.int64]


class Examination(NamedTuple):
    """by_position: float64 (p,), in [LEAST, 1], 1 for the first place. assumption: what it rests on."""

    by_position: NDArray[np.float64]
    assumption: str

    def of(self, position: NDArray[np.int64]) -> NDArray[np.float64]:
        """The examination of each of these places; places beyond the last known are taken for the last."""
        return self.by_position[np.minimum(position, len(self.by_position) - 1)]


def from_swaps(shown: Impressions, places: int, *, prior: float = 5.0) -> Examination:
    """Examination from lists in which chance decided between two places, for the first `places`.

    An item that could stand at i or at j is the same item at both, so each click at i counts 1 / chance, and
    the sums over the same pair (i, j) are to each other as the examinations of i and j (Agarwal, Zaitsev, Wang,
    Li, Najork and Joachims, "Estimating position bias without intrusive interventions", WSDM 2019: what they
    call interventional sets, over all pairs). The logarithms of all pairs' ratios are fitted by least squares,
    each pair counting as much as the smaller of its two numbers of clicks, with `prior` clicks in favour of a
    ratio of 1. Places that no pair joins to the first are taken for the nearest place before them that is joined.
    """
    clicks, counted = np.zeros((places, places)), np.zeros((places, places))
    usable = shown.clicked & (shown.other >= 0) & (shown.position < places) & (shown.other < places)
    pair = shown.position[usable], shown.other[usable]
    np.add.at(clicks, pair, 1.0 / shown.chance[usable])
    np.add.at(counted, pair, 1.0)
    rows, ratios, counts = [], [], []
    for i in range(places):
        for j in range(i + 1, places):
            least = min(counted[i, j], counted[j, i])
            if least > 0:
                rows.append((i, j))
                ratio = np.log(clicks[j, i] / clicks[i, j])
                ratios.append(ratio * least / (least + prior))
                counts.append(least)
    known = _joined(rows, places)
    found = np.zeros(places)
    if rows:
        design = np.zeros((len(rows), places))
        for row, (i, j) in enumerate(rows):
            design[row, i], design[row, j] = -1.0, 1.0
        strength = np.sqrt(np.array(counts))
        free = np.flatnonzero(known)[1:]  # the first place is 0, the logarithm of 1
        found[free] = np.linalg.lstsq(
            design[:, free] * strength[:, None], np.array(ratios) * strength, rcond=None
        )[0]
    for place in range(1, places):
        if not known[place]:
            found[place] = found[place - 1]
    return Examination(
        _settled(np.exp(found)), "places that chance decided between; a click is examination times relevance"
    )


def from_rates(shown: Impressions, places: int, *, prior: float = 20.0) -> Examination:
    """Examination as the click rate of each place over that of the first, where nothing was left to chance.

    It assumes that items are equally relevant at every place. A ranker that puts better ones first breaks
    that, and what is found is then too low for later places: clicks there are counted for too much, at most
    1 / LEAST. Each rate is drawn to the overall rate by `prior` impressions, and no place is above one before it.
    """
    inside = shown.position < places
    seen = np.bincount(shown.position[inside], minlength=places).astype(np.float64)
    clicked = np.bincount(shown.position[inside & shown.clicked], minlength=places)
    overall = clicked.sum() / max(seen.sum(), 1.0)
    rates = (clicked + prior * overall) / (seen + prior)
    falling = _falling(rates, seen + prior)
    ratio = falling / falling[0] if falling[0] > 0 else np.ones(places)
    return Examination(_settled(ratio), "items are equally relevant at every place")


def _joined(pairs: list[tuple[int, int]], places: int) -> NDArray[np.bool_]:
    """Which places a chain of pairs joins to the first."""
    known = np.zeros(places, dtype=np.bool_)
    known[0] = True
    for _ in range(places):
        for i, j in pairs:
            known[i] = known[j] = known[i] or known[j]
    return known


def _falling(rates: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest rates, in weighted squares, that never rise: pool adjacent violators (Ayer, Brunk, Ewing, Reid
    and Silverman, "An empirical distribution function for sampling with incomplete information", 1955)."""
    pools: list[tuple[float, float, int]] = []
    for rate, weight in zip(rates.tolist(), weights.tolist(), strict=True):
        pools.append((rate, weight, 1))
        while len(pools) > 1 and pools[-2][0] < pools[-1][0]:
            (r1, w1, n1), (r2, w2, n2) = pools[-2:]
            pools[-2:] = [((r1 * w1 + r2 * w2) / (w1 + w2), w1 + w2, n1 + n2)]
    return np.concatenate([np.full(count, rate) for rate, _, count in pools])


def _settled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(values, LEAST, 1.0)
