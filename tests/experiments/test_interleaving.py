"""Two rankers meet in one list: fairly, replayably, and a verdict only when there is one."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.experiments.interleaving import (
    Team,
    Verdict,
    by_unit,
    credited,
    enumeration,
    outcome,
    preference,
    team_draft,
)
from heedful.experiments.interleaving.preference import Wins

SEEDS = range(4_000)
rankings = st.permutations(list("abcdef")).flatmap(
    lambda items: st.integers(0, 6).map(lambda size: tuple(items[:size]))
)


def test_the_published_enumerations_are_what_can_be_drawn() -> None:
    short = {team_draft("12", "23", 2, seed).items for seed in SEEDS}
    assert short == {("1", "2"), ("2", "1")}
    longer = {team_draft("12", "34", 3, seed).items for seed in SEEDS}
    assert longer == {("1", "3", "2"), ("1", "3", "4"), ("3", "1", "2"), ("3", "1", "4")}
    assert {items for items, _ in enumeration("12", "34", 3)} == longer


@given(rankings, rankings, st.integers(0, 6), st.integers(0, 2**64 - 1))
def test_a_draft_is_one_of_its_enumeration_and_the_same_every_time(
    a: tuple[str, ...], b: tuple[str, ...], length: int, seed: int
) -> None:
    draft = team_draft(a, b, length, seed)
    assert draft == team_draft(a, b, length, seed)
    every = enumeration(a, b, length)
    assert sum(every.values()) == pytest.approx(1.0)
    assert 0 < draft.propensity <= every[draft.items, draft.teams] + 1e-12
    assert len(draft.items) == min(length, len(set(a) | set(b)))
    assert len(set(draft.items)) == len(draft.items)
    sizes = Counter(draft.teams)
    if len(a) == len(b) == 6:
        assert abs(sizes[Team.A] - sizes[Team.B]) <= 1


def test_each_list_comes_as_often_as_its_probability_says() -> None:
    every = enumeration("abcd", "bdca", 4)
    drawn = Counter(team_draft("abcd", "bdca", 4, seed)[:2] for seed in SEEDS)
    assert drawn.keys() == every.keys()
    for key, chance in every.items():
        assert abs(drawn[key] / len(SEEDS) - chance) < 5 * (chance * (1 - chance) / len(SEEDS)) ** 0.5


def test_nobody_gets_credit_for_what_both_begin_with() -> None:
    draft = team_draft("abcd", "abdc", 4, 3, ignore_prefix=True)
    assert draft.teams[:2] == (Team.NONE, Team.NONE)
    assert set(draft.teams[2:]) == {Team.A, Team.B}
    assert credited(draft.items, draft.teams, ["a", "b"]) == (0, 0)
    same = team_draft("abc", "abc", 3, 3, ignore_prefix=True)
    assert set(same.teams) == {Team.NONE}


def test_a_click_counts_once_for_the_ranker_that_chose_it() -> None:
    items, teams = ("x", "y", "z"), (Team.A, Team.B, Team.A)
    assert credited(items, teams, ["x", "x", "z", "somewhere else"]) == (2, 0)
    assert outcome(2, 0) == 1
    assert outcome(1, 1) == 0
    assert outcome(0, 3) == -1


def test_a_person_who_comes_back_counts_once() -> None:
    assert by_unit([("u", 1), ("u", 1), ("u", -1), ("v", -1), ("w", 1), ("w", -1)]) == Wins(1, 1, 1)


def test_the_same_ranker_twice_is_no_preference_however_often_one_looks() -> None:
    """2,000 runs of 200 lists with random clicks, looked at after every list: at most 5% find something."""
    found = 0
    ranking = tuple("abcdef")
    teams = [team_draft(ranking, ranking, 4, seed) for seed in range(512)]
    evident = [
        [preference(Wins(a, n - a, 0)).verdict is not Verdict.NONE for a in range(n + 1)] for n in range(201)
    ]
    for run in range(2_000):
        chance = random.Random(run)
        a = n = 0
        for _ in range(200):
            draft = teams[chance.randrange(512)]
            clicked = [item for item in draft.items if chance.random() < 0.3]
            won = outcome(*credited(draft.items, draft.teams, clicked))
            if won:
                n += 1
                a += won > 0
                if evident[n][a]:
                    found += 1
                    break
    assert found <= 0.05 * 2_000, found


def test_the_better_ranker_is_found() -> None:
    """Clicks go by an item's appeal; B ranks by it, A the other way round."""
    appeal = dict(zip("abcdef", (0.05, 0.1, 0.2, 0.3, 0.4, 0.5), strict=True))
    chance = random.Random(4)
    outcomes = []
    for seed in range(300):
        draft = team_draft("abcdef", "fedcba", 4, seed)
        clicked = [item for item in draft.items if chance.random() < appeal[item]]
        outcomes.append((seed, outcome(*credited(draft.items, draft.teams, clicked))))
    found = preference(by_unit(outcomes))
    assert found.verdict is Verdict.B
    assert found.delta < 0
    assert found.high < 0.5
    assert found.p < 0.05


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 100))
def test_a_preference_is_symmetric_and_its_interval_decides_as_its_evidence_does(
    a: int, b: int, ties: int
) -> None:
    one, other = preference(Wins(a, b, ties)), preference(Wins(b, a, ties))
    assert one.evidence == pytest.approx(other.evidence)
    assert one.delta == pytest.approx(-other.delta)
    assert one.low == pytest.approx(1 - other.high, abs=1e-9)
    assert one.low <= one.share <= one.high
    outside = one.low > 0.5 + 1e-9 or one.high < 0.5 - 1e-9
    assert outside == (one.verdict is not Verdict.NONE) or abs(one.p - 0.05) < 1e-6
    assert (one.p <= 0.05) == (one.verdict is not Verdict.NONE) or abs(one.p - 0.05) < 1e-6


def test_nothing_seen_is_no_preference() -> None:
    found = preference(Wins(0, 0, 0))
    assert (found.verdict, found.delta, found.low, found.high) == (Verdict.NONE, 0.0, 0.0, 1.0)
    assert found.p == pytest.approx(1.0)
    assert preference(Wins(0, 0, 50)).verdict is Verdict.NONE
    assert preference(Wins(100_000, 0, 0)).p < 1e-300
