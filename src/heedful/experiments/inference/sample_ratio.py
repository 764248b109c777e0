"""Did each arm get the share of units it was meant to get? If not, nothing else about the experiment is
believed.

Chi-squared for one look; for any number of looks the Dirichlet-multinomial e-value of Lindon and Malek
(NeurIPS 2022, arXiv 2011.03567): the likelihood ratio of "shares drawn around the planned ones" to "exactly
the planned shares", whose inverse is a p-value that holds at every moment. It depends on the counts alone.
Below p = 0.001 is an alarm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from heedful.experiments.inference.answers import Code, Refusal
from heedful.experiments.inference.special import chi2_tail, normal_tail

ALARM = 0.001
FEWEST_EXPECTED = 8
CONCENTRATION = 10_000.0
_EXACT = 1_000


class SampleRatio(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="result", tag="sample_ratio"
):
    """p: chi-squared. p_sequential: the least p so far of the sequential test. alarm: either is below `ALARM`.

    counts: units by arm. expected: by the planned shares.
    """

    p: float
    p_sequential: float
    alarm: bool
    counts: tuple[int, ...]
    expected: tuple[float, ...]


def sample_ratio(
    counts: Sequence[int], weights: Sequence[float], *, p_before: float = 1.0, alarm: float = ALARM
) -> SampleRatio | Refusal:
    """Both tests. p_before: `p_sequential` of the look before, so that an alarm, once raised, stays.

    Refused while an arm expects fewer than `FEWEST_EXPECTED` units. Raises ValueError for weights that are
    negative or all 0, or counts of another length.
    """
    shares = _shares(counts, weights)
    total = sum(counts)
    expected = tuple(share * total for share in shares)
    least = min(each for each in expected if each > 0) if total else 0.0
    if least < FEWEST_EXPECTED:
        why = (
            f"An arm should have about {least:.0f} units; its share can be judged from {FEWEST_EXPECTED} on."
        )
        return Refusal(Code.TOO_FEW_UNITS, why, tuple(counts))
    p, sequential = chi_squared_p(counts, weights), min(p_before, sequential_p(counts, weights))
    return SampleRatio(
        p=p,
        p_sequential=sequential,
        alarm=min(p, sequential) < alarm,
        counts=tuple(counts),
        expected=expected,
    )


def chi_squared_p(counts: Sequence[int], weights: Sequence[float]) -> float:
    """Pearson's test. An arm without weight counts neither in the sum nor in the degrees of freedom; 0 if it
    has units.
    """
    shares = _shares(counts, weights)
    if any(count and not share for count, share in zip(counts, shares, strict=True)):
        return 0.0
    total, df = sum(counts), sum(share > 0 for share in shares) - 1
    if not total or not df:
        return 1.0
    pairs = zip(counts, shares, strict=True)
    statistic = math.fsum((count - share * total) ** 2 / (share * total) for count, share in pairs if share)
    return chi2_tail(statistic, df)


def sequential_p(
    counts: Sequence[int], weights: Sequence[float], concentration: float = CONCENTRATION
) -> float:
    """1 / Bayes factor, at most 1; keep the least over the looks. concentration: of the Dirichlet prior."""
    shares = _shares(counts, weights)
    if any(count and not share for count, share in zip(counts, shares, strict=True)):
        return 0.0
    log = math.lgamma(concentration) - math.lgamma(concentration + sum(counts))
    for count, share in zip(counts, shares, strict=True):
        if share:
            alpha = concentration * share
            log += math.lgamma(alpha + count) - math.lgamma(alpha) - count * math.log(share)
    return min(1.0, math.exp(-max(log, 0.0)))


def binomial_p(first: int, second: int, share: float = 0.5) -> float:
    """Two arms: the chance of counts no likelier than these, exactly below 1,000 units, for small
    experiments; beyond that by the normal approximation with Yates' correction. share: the first arm's,
    between 0 and 1.
    """
    n = first + second
    if not 0 < share < 1:
        raise ValueError("the share lies between 0 and 1")
    if n >= _EXACT:
        off = max(0.0, abs(first - n * share) - 0.5)
        return min(1.0, 2 * normal_tail(off / math.sqrt(n * share * (1 - share))))
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        + k * math.log(share) + (n - k) * math.log1p(-share)
        for k in range(n + 1)
    ]  # fmt: skip
    return min(1.0, math.fsum(math.exp(log) for log in logs if log <= logs[first] + 1e-7))


def _shares(counts: Sequence[int], weights: Sequence[float]) -> list[float]:
    total = math.fsum(weights)
    if len(counts) != len(weights) or not total > 0 or min(weights) < 0:
        raise ValueError("there is one weight of at least 0 for every arm, and not all are 0")
    return [weight / total for weight in weights]
