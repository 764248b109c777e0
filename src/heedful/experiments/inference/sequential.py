"""Intervals that hold at every moment at once, so that anyone may look whenever they like and stop.

A confidence sequence from a normal mixture: with n units, squared standard error V and rho fixed at the
start, the effect stays within ± sqrt(V (n + nu) / n · ln((n + nu) / (nu alpha^2))), nu = 1 / rho^2, for all n
with probability 1 - alpha as n grows. Sources: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (arXiv
2103.06476, equations 9, 155 and 161); the same width as Howard, Ramdas, McAuliffe, Sekhon (arXiv 1810.08240)
and the mixture test of Johari, Pekelis, Walsh. It is narrowest near `tuned_for` units, which costs nothing in
validity but has to be chosen before looking.
"""

from __future__ import annotations

import math


def rho_squared(alpha: float, tuned_for: float) -> float:
    """rho^2: (-2 ln alpha + ln(-2 ln alpha + 1)) / `tuned_for`, which makes the interval narrow near that
    many units.
    """
    log = -2 * math.log(alpha)
    return (log + math.log(log + 1)) / tuned_for


def half_width(variance: float, n: float, alpha: float, rho2: float) -> float:
    """Two-sided, at level 1 - alpha. variance: squared standard error at n units."""
    nu = 1 / rho2
    return math.sqrt(variance * (n + nu) / n * (math.log((n + nu) / nu) - 2 * math.log(alpha)))


def p_anytime(difference: float, variance: float, n: float, rho2: float) -> float:
    """The least alpha at which the interval leaves the null out: 1 / E, a test martingale's value.

    difference: estimate less null. E = exp(rho^2 S² / (2 (n rho^2 + 1))) / sqrt(n rho^2 + 1), with S² =
    difference² n / V.
    """
    mass = n * rho2 + 1
    log = rho2 * difference * difference * n / variance / (2 * mass) - 0.5 * math.log(mass)
    return math.exp(-log) if log > 0 else 1.0


def half_width_one_sided(variance: float, n: float, alpha: float, rho2: float) -> float:
    """How far below the estimate the bound lies, at level 1 - alpha; alpha < 1/2. Tune rho with 2 alpha."""
    if not alpha < 0.5:
        raise ValueError("a one-sided interval needs alpha below one half")
    mass = n * rho2 + 1
    return math.sqrt(variance * 2 * mass / (n * rho2) * math.log1p(math.sqrt(mass) / (2 * alpha)))


def p_anytime_one_sided(difference: float, variance: float, n: float, rho2: float) -> float:
    """The least alpha below one half at which the bound excludes the null; 1 where there is none."""
    mass = n * rho2 + 1
    if difference <= 0:
        return 1.0
    log = difference * difference * n * rho2 / (variance * 2 * mass)
    if log > 700:  # the 1 subtracted below is no longer seen
        return math.exp(0.5 * math.log(mass) - math.log(2) - log)
    p = math.sqrt(mass) / (2 * math.expm1(log)) if log > 0 else 1.0
    return p if p < 0.5 else 1.0
