"""What another policy would have earned with whole lists, from rewards and propensities of their places.

rewards: float64 (n, K), of each place. logged, target: float64 (n, K), the probability of what stood there, given
what stood above it, by the policy that logged and by the one that is asked about. Each function gives one
term per list, whose mean is the estimate.

Sources: standard, independent and reward-interaction IPS: Li and others, KDD 2018; McInerney and others, KDD 2020;
Cascade-DR: Kiyohara and others, WSDM 2022; PI: Swaminathan and others, NIPS 2017.
"""

from __future__ import annotations

import numpy as np

from heedful.experiments.off_policy.logs import Floats


def standard_ips(rewards: Floats, logged: Floats, target: Floats) -> Floats:
    """The weight of the whole list: unbiased, and of no use for long ones."""
    terms: Floats = (target / logged).prod(axis=1) * rewards.sum(axis=1)
    return terms


def independent_ips(rewards: Floats, logged: Floats, target: Floats) -> Floats:
    """IIPS: each place has its own weight. Right if a place's reward depends on what stands in it alone.

    logged, target: marginal, whatever stands above.
    """
    terms: Floats = (target / logged * rewards).sum(axis=1)
    return terms


def reward_interaction_ips(rewards: Floats, logged: Floats, target: Floats) -> Floats:
    """RIPS: the weight of the list down to the place. Right if a reward depends on what stands above it."""
    terms: Floats = (np.cumprod(target / logged, axis=1) * rewards).sum(axis=1)
    return terms


def cascade_dr(rewards: Floats, logged: Floats, target: Floats, taken: Floats, expected: Floats) -> Floats:
    """RIPS with a model: at each place, (weight down to it) (r - taken) + (weight above it) expected.

    taken: float64 (n, K), the reward from the place on that a model expects given what stood there. expected:
    float64 (n, K), the same over what the target would put there. Unbiased whatever the model says, if RIPS is.
    """
    down = np.cumprod(target / logged, axis=1)
    above = np.hstack([np.ones((len(down), 1)), down[:, :-1]])
    terms: Floats = (down * (rewards - taken) + above * expected).sum(axis=1)
    return terms


def pseudo_inverse(reward: Floats, logged: Floats, target: Floats) -> Floats:
    """PI for a logging policy that draws each place by itself: r (1 - K + sum of the places' weights).

    reward: float64 (n,), of the whole list; right if it is a sum over places, seen or not.
    """
    weights = target / logged
    terms: Floats = reward * (1 - weights.shape[1] + weights.sum(axis=1))
    return terms
