"""A list made of two rankings by turns, as two captains choose teams.

In every round a coin says which ranker chooses first; each takes its best item that is not in the list yet.
A click counts for the ranker that chose the item. All coins come from the decision's seed, and the
probability of the coins that were thrown is written down. (Radlinski, Kurup, Joachims, "How Does Clickthrough
Data Reflect Retrieval Quality?", CIKM 2008.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

_STEP = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


class Team(IntEnum):
    """Whose item it is; NONE gets no credit."""

    NONE = 0
    A = 1
    B = 2


class Draft(NamedTuple):
    """items: the list, best place first. teams: whose each is. propensity: of these coins; 2**-rounds."""

    items: tuple[str, ...]
    teams: tuple[Team, ...]
    propensity: float


def team_draft(
    a: Sequence[str], b: Sequence[str], length: int, seed: int, *, ignore_prefix: bool = False
) -> Draft:
    """The list of at most `length` items that `seed` draws from the rankings `a` and `b`, each without repeats.

    Where one ranking is used up the other goes on alone. ignore_prefix: nobody gets credit for the items that both
    rankings begin with in the same order: they would stand there whoever chose, and only add noise.
    """
    items: list[str] = []
    teams: list[Team] = []
    rounds, taken = 0, set[str]()
    while len(items) < length:
        a_first = _coin(seed, rounds)
        rounds += 1
        before = len(items)
        for team in (Team.A, Team.B) if a_first else (Team.B, Team.A):
            item = next((one for one in (a if team is Team.A else b) if one not in taken), None)
            if item is not None and len(items) < length:
                taken.add(item)
                items.append(item)
                teams.append(team)
        if len(items) == before:
            rounds -= 1
            break
    if ignore_prefix:
        shared = min(_shared_prefix(a, b), len(teams))
        teams[:shared] = [Team.NONE] * shared
    return Draft(tuple(items), tuple(teams), 0.5**rounds)


def enumeration(
    a: Sequence[str], b: Sequence[str], length: int
) -> Mapping[tuple[tuple[str, ...], tuple[Team, ...]], float]:
    """Every list that `team_draft` can make, with its teams and its probability. For short lists: it tries
    all coins."""
    found: dict[tuple[tuple[str, ...], tuple[Team, ...]], float] = {}

    def go_on(items: tuple[str, ...], teams: tuple[Team, ...], chance: float) -> None:
        ended = True
        if len(items) < length:
            for order in ((Team.A, Team.B), (Team.B, Team.A)):
                made, whose = items, teams
                for team in order:
                    left = [one for one in (a if team is Team.A else b) if one not in made]
                    if left and len(made) < length:
                        made, whose = (*made, left[0]), (*whose, team)
                if made != items:
                    ended = False
                    go_on(made, whose, chance / 2)
        if ended:
            found[items, teams] = found.get((items, teams), 0.0) + chance

    go_on((), (), 1.0)
    return found


def credited(draft_items: Sequence[str], teams: Sequence[Team], clicked: Iterable[str]) -> tuple[int, int]:
    """How many of `clicked` (each once) A chose, and how many B."""
    chose = dict(zip(draft_items, teams, strict=True))
    whose = [chose.get(item, Team.NONE) for item in set(clicked)]
    return whose.count(Team.A), whose.count(Team.B)


def _shared_prefix(a: Sequence[str], b: Sequence[str]) -> int:
    for place, (one, other) in enumerate(zip(a, b, strict=False)):
        if one != other:
            return place
    return min(len(a), len(b))


def _coin(seed: int, stream: int) -> bool:
    """A fair coin: the top bit of SplitMix64 at `stream` steps from `seed` (Steele, Lea, Flood, OOPSLA 2014)."""
    state = (seed + (stream + 1) * _STEP) & _MASK
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK
    return bool((state ^ state >> 31) >> 63)
