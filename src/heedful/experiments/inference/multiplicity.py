"""Many comparisons at once: corrected p-values, and the levels at which the intervals say the same.

Holm (1979) bounds the chance of any false claim; Benjamini and Hochberg (1995) the expected share of false
claims among the claims. `levels` gives each comparison the alpha of its interval, so that an interval leaves
the null out just where the corrected p is at most alpha: after Holm, the step at which the comparison was
decided; after Benjamini and Hochberg, alpha R / m for the R claims (the false-coverage intervals of Benjamini
and Yekutieli, JASA 2005) and the next step for the others. Holm's step intervals go with its decisions; as a
set they are not simultaneous: for that use Bonferroni.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class Rule(StrEnum):
    """How p-values are corrected for their number."""

    NONE = "none"
    BONFERRONI = "bonferroni"
    HOLM = "holm"
    BENJAMINI_HOCHBERG = "benjamini_hochberg"


def corrected(ps: Sequence[float], rule: Rule) -> list[float]:
    """The p-values, each at least as large as before, in the order given."""
    m = len(ps)
    if rule is Rule.NONE or not m:
        return list(ps)
    if rule is Rule.BONFERRONI:
        return [min(1.0, m * p) for p in ps]
    found = [0.0] * m
    if rule is Rule.HOLM:
        largest = 0.0
        for rank, place in enumerate(_ascending(ps)):
            largest = max(largest, min(1.0, (m - rank) * ps[place]))
            found[place] = largest
        return found
    least = 1.0
    for rank, place in reversed(list(enumerate(_ascending(ps)))):
        least = min(least, ps[place] * m / (rank + 1))
        found[place] = least
    return found


def levels(ps: Sequence[float], alpha: float, rule: Rule) -> list[float]:
    """The alpha of each comparison's interval, in the order given."""
    m = len(ps)
    if rule is Rule.NONE or not m:
        return [alpha] * m
    if rule is Rule.BONFERRONI:
        return [alpha / m] * m
    claimed = sum(p <= alpha for p in corrected(ps, rule))
    found = [0.0] * m
    for rank, place in enumerate(_ascending(ps)):
        if rule is Rule.HOLM:
            found[place] = alpha / (m - min(rank, claimed))
        else:
            found[place] = alpha * (claimed if rank < claimed else claimed + 1) / m
    return found


def _ascending(ps: Sequence[float]) -> list[int]:
    return sorted(range(len(ps)), key=ps.__getitem__)
