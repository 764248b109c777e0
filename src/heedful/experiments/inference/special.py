"""The distributions that tests need, without SciPy: normal, Student's t, chi-squared, and what they rest on.

The standard library has the normal distribution, `erfc` and `lgamma`; it has no incomplete beta or gamma
function. These are continued fractions and series, with leading factors written so that nothing large is
subtracted from something large (Loader, "Fast and accurate computation of binomial probabilities", 2000).
Against SciPy the relative error is at most 1e-12 over the ranges in
`tests/experiments/inference/test_special.py`. Every function takes plain floats and raises ValueError outside
its domain.
"""

from __future__ import annotations

import math
from statistics import NormalDist

_TINY = 1e-300
_PRECISION = 1e-16
_STEPS = 100_000
_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_NORMAL = NormalDist()


def normal_cdf(z: float) -> float:
    """P(Z <= z)."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def normal_tail(z: float) -> float:
    """P(Z > z), precise also where it is tiny."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def normal_pdf(z: float) -> float:
    """The density of the normal distribution."""
    return math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def normal_quantile(share: float) -> float:
    """The z below which `share` of the distribution lies; 0 < share < 1. Wichura's AS 241."""
    if not 0 < share < 1:
        raise ValueError(f"a share of {share} has no quantile")
    return _NORMAL.inv_cdf(share)


def normal_excess(z: float) -> float:
    """E[max(Z - z, 0)] = pdf(z) - z P(Z > z), precise also far out, where the two nearly cancel."""
    if z < 4:
        return normal_pdf(z) - z * normal_tail(z)
    # Repeated integrals of erfc: E[(Z-z)+] / pdf(z) is 1 / (z^2 + 3 - 6 / (z^2 + 7 - 20 / (z^2 + 11 - ...)))
    fraction = 0.0
    for k in range(60, 0, -1):
        fraction = 2 * k * (2 * k + 1) / (z * z + 4 * k + 3 - fraction)
    return normal_pdf(z) / (z * z + 3 - fraction)


def t_tail(t: float, df: float) -> float:
    """P(T > t) for Student's t with `df` > 0 degrees of freedom, not necessarily whole."""
    if not df > 0:
        raise ValueError(f"there is no t distribution with {df} degrees of freedom")
    if df == math.inf:
        return normal_tail(t)
    square = t * t
    inner, outer = df / (df + square), square / (df + square)
    if square == math.inf:
        inner, outer = 0.0, 1.0
    both = beta_share(df / 2, 0.5, inner, outer)
    return 0.5 * both if t >= 0 else 1 - 0.5 * both


def t_quantile(tail: float, df: float) -> float:
    """The t with P(T > t) = tail, 0 < tail < 1. Newton's steps on the logarithm of the tail, kept in a
    bracket.
    """
    if not 0 < tail < 1:
        raise ValueError(f"a tail of {tail} has no quantile")
    if df == math.inf:
        return -normal_quantile(tail)
    if tail > 0.5:
        return -t_quantile(1 - tail, df)
    if tail == 0.5:
        return 0.0
    low, high = 0.0, math.inf
    t = _first_guess(tail, df)
    for _ in range(200):
        found = t_tail(t, df)
        low, high = (t, high) if found > tail else (low, t)
        step = found * math.log(found / tail) / _t_pdf(t, df) if found > 0 else math.inf
        following = t + step
        if not low <= following <= high:
            following = 2 * low if high == math.inf else 0.5 * (low + high)
        if abs(following - t) <= 2e-16 * abs(t):
            return following
        if abs(following - t) <= 1e-9 * abs(t):  # Newton's next error is the square of this one
            return following
        t = following
    return t


def chi2_tail(x: float, df: float) -> float:
    """P(X > x) for chi-squared with `df` > 0."""
    return gamma_share(df / 2, x / 2)[1]


def chi2_quantile(tail: float, df: float) -> float:
    """The x with P(X > x) = tail. Bisection on the logarithm of x from Wilson and Hilferty's guess."""
    if not 0 < tail < 1:
        raise ValueError(f"a tail of {tail} has no quantile")
    guess = 1 - 2 / (9 * df) + -normal_quantile(tail) * math.sqrt(2 / (9 * df))
    x = df * max(guess, 1e-3) ** 3
    low, high = x, x
    while chi2_tail(low, df) < tail and low > _TINY:
        low /= 2
    while chi2_tail(high, df) > tail:
        high *= 2
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if chi2_tail(middle, df) > tail else (low, middle)
    return 0.5 * (low + high)


def gamma_share(a: float, x: float) -> tuple[float, float]:
    """The regularised incomplete gamma functions P(a, x) and Q(a, x) = 1 - P; a > 0, x >= 0.

    Series (DLMF 8.11.4) below the mean, continued fraction (DLMF 8.9.2) above it.
    """
    if not a > 0 or not x >= 0:
        raise ValueError(f"no incomplete gamma function at {a}, {x}")
    if x == 0:
        return 0.0, 1.0
    if x == math.inf:
        return 1.0, 0.0
    factor = math.sqrt(a / (2 * math.pi)) * math.exp(a * _log_less(x / a, (x - a) / a) - _stirling(a))
    if x < a + 1:
        term = total = 1.0
        for k in range(1, _STEPS):
            term *= x / (a + k)
            total += term
            if term < total * _PRECISION:
                break
        low = min(1.0, factor * total / a)
        return low, 1 - low
    b = x + 1 - a
    c, d = 1 / _TINY, 1 / b
    value = d
    for k in range(1, _STEPS):
        numerator = -k * (k - a)
        b += 2
        d = 1 / _away(numerator * d + b)
        c = _away(b + numerator / c)
        value *= c * d
        if abs(c * d - 1) < _PRECISION * 4:
            break
    high = min(1.0, factor * value)
    return 1 - high, high


def beta_share(a: float, b: float, x: float, y: float) -> float:
    """The regularised incomplete beta function I_x(a, b). y = 1 - x is asked for, so that neither is rounded.

    Continued fraction of Didonato and Morris (ACM TOMS 708, 1992, formula 9), on the side of the mean where
    it is quick.
    """
    if not (a > 0 and b > 0 and 0 <= x <= 1 and 0 <= y <= 1):
        raise ValueError(f"no incomplete beta function at {a}, {b}, {x}")
    if x == 0 or y == 0:
        return 0.0 if x == 0 else 1.0
    if x * b > a * y:
        return 1 - beta_share(b, a, y, x)
    away = x * b - a * y
    deviance = a * _log_less(x * (1 + b / a), away / a) + b * _log_less(y * (1 + a / b), -away / b)
    stirling = _stirling(a + b) - _stirling(a) - _stirling(b)
    factor = math.sqrt(a / (a + b) * b / (2 * math.pi)) * math.exp(deviance + stirling)
    value = _away(a * (a * y - b * x + 1) / (a + 1))
    c, d = value, 0.0
    for m in range(1, _STEPS):
        odd = a + 2 * m - 1
        numerator = (a + m - 1) / odd * ((a + b + m - 1) / odd) * m * (b - m) * x * x
        middle = m + m * (b - m) * x / odd + (a + m) * (a * y - b * x + 1 + m * (2 - x)) / (odd + 2)
        d = 1 / _away(middle + numerator * d)
        c = _away(middle + numerator / c)
        value *= c * d
        if abs(c * d - 1) < _PRECISION * 4:
            break
    return min(1.0, factor / value)


def _t_pdf(t: float, df: float) -> float:
    log = _stirling((df + 1) / 2) - _stirling(df / 2) - 0.5 + 0.5 * df * math.log1p(1 / df)
    return math.exp(log - (df + 1) / 2 * math.log1p(t * t / df)) / math.sqrt(2 * math.pi)


def _first_guess(tail: float, df: float) -> float:
    """Cornish and Fisher's two terms, or the Pareto tail where degrees of freedom are few."""
    z = -normal_quantile(tail)
    if df > 5 and z * z < df:
        return z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df * df)
    at_one = t_tail(1.0, df)
    return max(1.0, math.exp(min(300.0, math.log(at_one / tail) / df))) if tail < at_one else 0.5


def _stirling(a: float) -> float:
    """ln Γ(a) less Stirling's formula (a - 1/2) ln a - a + ln(2π) / 2."""
    if a < 12:
        return math.lgamma(a) - ((a - 0.5) * math.log(a) - a + _HALF_LOG_TWO_PI)
    s = 1 / (a * a)
    tail = s * (1 / 1680 - s * (1 / 1188 - s * (691 / 360360 - s * (1 / 156 - s * 3617 / 122400))))
    return (1 / 12 - s * (1 / 360 - s * (1 / 1260 - tail))) / a


def _log_less(ratio: float, u: float) -> float:
    """ln(ratio) - u for u = ratio - 1, which the caller knows better than by subtracting."""
    if not -0.4 < u < 0.6:
        return math.log(ratio) - u if ratio > 0 else -math.inf
    r = u / (2 + u)
    square = r * r
    power, total = square, 0.0
    for k in range(3, 200, 2):
        total += power / k
        if power < total * 1e-17:
            break
        power *= square
    return r * (2 * total - u)


def _away(value: float) -> float:
    """Lentz's guard against a zero denominator."""
    return value if abs(value) > _TINY else _TINY
