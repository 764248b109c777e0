"""From a placement, its statistics and a moment to the probability of each variant."""

from __future__ import annotations

from typing import NamedTuple

from heedful.models.variants.draw import parts_of
from heedful.models.variants.features import Moment
from heedful.models.variants.fixed import in_shares
from heedful.models.variants.posterior import Beliefs, of_chances, of_lines, of_means
from heedful.models.variants.squarecb import inverse_gaps
from heedful.models.variants.thompson import chances_of_being_best
from heedful.views.variants import Variants
from heedful.vocabulary.time import Instant
from heedful.vocabulary.variants import REVENUE, Algorithm, VariantPlacement


class Odds(NamedTuple):
    """parts: of `draw.UNITS`, in the order of the variants. beliefs: None where nothing was asked of the past.

    informed: whether what was told of the moment could move the parts.
    """

    parts: list[int]
    beliefs: Beliefs | None
    informed: bool


class Chooser:
    """Reads the variants view; holds nothing of its own."""

    def __init__(self, variants: Variants) -> None:
        self._variants = variants

    def odds(self, name: str, placement: VariantPlacement, moment: Moment, now: Instant) -> Odds:
        """The probabilities for placement `name`. Raises KeyError for an outcome that is not kept."""
        if placement.algorithm is Algorithm.FIXED:
            shares = in_shares([variant.share for variant in placement.variants])
            return Odds(parts_of(shares), None, informed=False)
        beliefs = self.beliefs(name, placement, moment, now)
        if placement.algorithm is Algorithm.SQUARECB:
            chances = inverse_gaps(beliefs)
        else:
            chances = chances_of_being_best(beliefs)
        informed = beliefs.decisions > 0 and (moment.told or moment.cell > 0)
        return Odds(parts_of(chances, placement.minimum_propensity), beliefs, informed)

    def beliefs(self, name: str, placement: VariantPlacement, moment: Moment, now: Instant) -> Beliefs:
        """What is believed of each variant's reward at that moment."""
        view, ids = self._variants, [variant.id for variant in placement.variants]
        weights = view.weights(placement.reward)
        fade = placement.half_life_days
        largest = _largest(placement.reward)
        if moment.told:
            regressions = view.regressions(name, ids, weights, now=now, half_life=fade)
            return of_lines(regressions, moment.features, largest)
        moments = view.moments(name, ids, moment.cell, weights, now=now, half_life=fade)
        worth = _single(placement.reward)
        return of_means(moments, largest) if worth is None else of_chances(moments, worth)


def _single(reward: dict[str, float]) -> float | None:
    """What the only outcome of a reward is worth, if it is one that happens or not."""
    asked = [(name, worth) for name, worth in reward.items() if worth]
    if len(asked) == 1 and asked[0][0] != REVENUE and asked[0][1] > 0:
        return asked[0][1]
    return None


def _largest(reward: dict[str, float]) -> float:
    """About how much rewards vary while nothing is known: the worth of all outcomes, of revenue one major unit."""
    return max(sum(abs(worth) * (100.0 if name == REVENUE else 1.0) for name, worth in reward.items()), 1e-12)
