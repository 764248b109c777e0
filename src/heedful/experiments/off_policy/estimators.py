"""What another policy would have earned, from what this one logged.

w is the weight of a row (target over logging propensity), r its reward, q the reward a model expects of the action
taken, and dm what it expects of the target. Each function gives one term per row, whose mean is the estimate;
for the two that divide by the mean weight it is the value plus the row's influence on it (the delta method), so
that the spread of the terms is the error of every estimate.

Sources: IPS: Horvitz and Thompson 1952; clipped: Ionides 2008; SNIPS: Swaminathan and Joachims, NIPS 2015;
DR: Dudik, Langford, Li, ICML 2011; Switch-DR: Wang, Agarwal, Dudik, ICML 2017; DRos: Su, Dimakopoulou,
Krishnamurthy, Dudik, ICML 2020; sub-Gaussian: Metelli, Russo, Restelli, NeurIPS 2021.
"""

from __future__ import annotations

import numpy as np

from heedful.experiments.off_policy.logs import Floats, Logged


def ips(log: Logged) -> Floats:
    """w r: unbiased where the logging policy could do all that the target does."""
    return log.weights * log.reward


def clipped_ips(log: Logged, most: float) -> Floats:
    """min(w, most) r: less spread, and too low for rewards that are not negative."""
    return np.minimum(log.weights, most) * log.reward


def snips(log: Logged) -> Floats:
    """sum(w r) / sum(w): stays within the rewards."""
    return _self_normalised(log.weights, log.reward, np.zeros(len(log.reward)))


def dm(log: Logged) -> Floats:
    """dm alone: as good as the model, whatever was logged."""
    return log.modelled[0]


def dr(log: Logged) -> Floats:
    """dm + w (r - q): unbiased if the weights are right or the model is."""
    return _corrected(log, log.weights)


def clipped_dr(log: Logged, most: float) -> Floats:
    """dm + min(w, most) (r - q)."""
    return _corrected(log, np.minimum(log.weights, most))


def sndr(log: Logged) -> Floats:
    """mean(dm) + sum(w (r - q)) / sum(w)."""
    expected, taken = log.modelled
    return _self_normalised(log.weights, log.reward - taken, expected)


def switch_dr(log: Logged, most: float) -> Floats:
    """dm + w (r - q) where w is at most `most`, and the model alone elsewhere."""
    return _corrected(log, np.where(log.weights <= most, log.weights, 0.0))


def dros(log: Logged, shrinkage: float) -> Floats:
    """DR with optimistic shrinkage: the weight is s w / (w w + s). At infinity it is DR, at 0 the model alone."""
    w = log.weights
    return _corrected(log, w if np.isinf(shrinkage) else shrinkage * w / (w * w + shrinkage))


def sub_gaussian_ips(log: Logged, mixing: float) -> Floats:
    """w / (1 - m + m w) r: at 0 it is IPS, at 1 the mean reward."""
    return _softened(log.weights, mixing) * log.reward


def sub_gaussian_dr(log: Logged, mixing: float) -> Floats:
    """dm + w / (1 - m + m w) (r - q)."""
    return _corrected(log, _softened(log.weights, mixing))


def _softened(w: Floats, mixing: float) -> Floats:
    bottom = 1.0 - mixing + mixing * w
    return np.divide(w, bottom, out=np.zeros_like(w), where=bottom > 0)


def _corrected(log: Logged, w: Floats) -> Floats:
    expected, taken = log.modelled
    return expected + w * (log.reward - taken)


def _self_normalised(w: Floats, y: Floats, base: Floats) -> Floats:
    """mean(base) + sum(w y) / sum(w), with every row's influence on it; nan where all weights are 0."""
    mean = w.mean()
    if mean == 0:
        return np.full(len(w), np.nan)
    ratio = (w * y).mean() / mean
    terms: Floats = base + ratio + w * (y - ratio) / mean
    return terms
