"""Which of two rankers people prefer, from the outcomes of interleaved lists, however often one looks.

The test is of the sign: among those who preferred one at all, is it one as often as the other? Its evidence is a
betting martingale, the ratio of a Beta(1/2, 1/2) mixture over all shares to the fair coin, so that by
Ville's inequality it exceeds 1/alpha with a chance of at most alpha at any time, under no preference (Robbins
1970; Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences",
Ann. Stat. 2021).
A person who comes back is one person: `by_unit` makes one outcome of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec

_HALF = 0.5
"""Of the mixture Beta(1/2, 1/2), Jeffreys's prior."""


class Verdict(StrEnum):
    """What may be said."""

    A = "a"
    B = "b"
    NONE = "none_yet"


class Wins(NamedTuple):
    """How many preferred A, how many B, how many neither."""

    a: int
    b: int
    ties: int


class Preference(msgspec.Struct, frozen=True, kw_only=True):
    """delta: (wins of A + half the ties) / all - 1/2, from -1/2 to 1/2; above 0 for A. share: of A among those who
    preferred one. low, high: what that share is, at 1 - alpha at all times. evidence: the mixture's ratio;
    p: its inverse, at most 1, valid whenever one looks. wins: what it is made of.
    """

    verdict: Verdict
    delta: float
    share: float
    low: float
    high: float
    evidence: float
    p: float
    wins: Wins


def outcome(credit_a: float, credit_b: float) -> int:
    """1 where A got more credit of a list, -1 where B did, 0 where neither."""
    return (credit_a > credit_b) - (credit_a < credit_b)


def by_unit(outcomes: Iterable[tuple[Hashable, int]]) -> Wins:
    """The wins when each unit counts once: by the sign of the sum of its outcomes."""
    sums: dict[Hashable, int] = {}
    for unit, won in outcomes:
        sums[unit] = sums.get(unit, 0) + won
    signs = [outcome(total, 0) for total in sums.values()]
    return Wins(signs.count(1), signs.count(-1), signs.count(0))


def preference(wins: Wins, alpha: float = 0.05) -> Preference:
    """What `wins` say so far; look as often as you like. alpha: above 0, below 1."""
    a, b, ties = wins
    n = a + b
    log_evidence = _log_evidence(a, b, 0.5)
    limit = -math.log(alpha)
    verdict = Verdict.NONE if log_evidence < limit else Verdict.A if a > b else Verdict.B
    share = a / n if n else 0.5
    return Preference(
        verdict=verdict,
        delta=(a + ties / 2) / (n + ties) - 0.5 if n + ties else 0.0,
        share=share,
        low=_end(a, b, limit, share, 0.0),
        high=_end(a, b, limit, share, 1.0),
        evidence=math.exp(min(log_evidence, 700.0)),
        p=min(1.0, math.exp(-max(log_evidence, 0.0))),
        wins=wins,
    )


def _log_evidence(a: int, b: int, share: float) -> float:
    """ln of B(a + 1/2, b + 1/2) / B(1/2, 1/2) over share^a (1 - share)^b; infinite where those cannot be."""
    if (a and share <= 0) or (b and share >= 1):
        return math.inf
    mixed = math.lgamma(a + _HALF) + math.lgamma(b + _HALF) - math.lgamma(a + b + 1) - math.log(math.pi)
    return mixed - (a * math.log(share) if a else 0.0) - (b * math.log1p(-share) if b else 0.0)


def _end(a: int, b: int, limit: float, inside: float, outside: float) -> float:
    """The share between `inside` and `outside` at which the evidence against it reaches `limit`, by halving."""
    if _log_evidence(a, b, outside) <= limit:
        return outside
    for _ in range(60):
        middle = (inside + outside) / 2
        if _log_evidence(a, b, middle) <= limit:
            inside = middle
        else:
            outside = middle
    return inside
