"""Every baseline answers what its slow twin answers, learns in order of time, names only what it has seen."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as configured
from hypothesis import strategies as st
from numpy.typing import NDArray

from heedful.models.baselines.baseline import Baseline
from heedful.models.baselines.built_in import BUILT_IN
from heedful.models.baselines.item_knn import ItemKnn
from heedful.models.baselines.popularity import DecayedPopular, Popular, RecentPopular
from heedful.models.baselines.selection import best
from heedful.models.baselines.session_knn import DAY, SessionKnn, VsKnn, Vstan, newest
from heedful.models.baselines.succession import Markov, SequentialRules

IDLE = 10
Event = tuple[int, int, int]
"""Subject, item, time."""


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Events of a few people in order of time, with pauses, repeats and moments that are equal."""
    at, events = 0, []
    for _ in range(draw(st.integers(0, 25))):
        at += draw(st.sampled_from([0, 1, 1, 3, IDLE, IDLE + 1]))
        events.append((draw(st.integers(0, 3)), draw(st.integers(0, 6)), at))
    return events


SESSIONS = st.lists(st.integers(0, 8), max_size=6)


def codes(items: list[int]) -> NDArray[np.int32]:
    return np.array(items, dtype=np.int32)


def taught(baseline: Baseline, events: list[Event]) -> Baseline:
    for event in events:
        baseline.learn(*event)
    return baseline


def cut(events: list[Event], idle: float = IDLE) -> list[tuple[int, list[Event]]]:
    """Every session with its subject, in order of its first event."""
    sessions: list[tuple[int, list[Event]]] = []
    for event in events:
        own = [session for subject, session in sessions if subject == event[0]]
        if own and event[2] - own[-1][-1][2] <= idle:
            own[-1].append(event)
        else:
            sessions.append((event[0], [event]))
    return sessions


def ranked(scores: dict[int, float], k: int) -> list[int]:
    return sorted(scores, key=lambda item: (-scores[item], item))[:k]


def now(events: list[Event]) -> int:
    return events[-1][2] + 2 if events else 0


@given(histories(), st.integers(1, 8))
def test_popular_counts_events(events: list[Event], k: int) -> None:
    expected = ranked(dict(Counter(item for _, item, _ in events)), k)
    assert taught(Popular(), events).answer(codes([]), now(events), k).tolist() == expected


@given(histories(), st.integers(1, 8), st.integers(1, 40))
def test_recent_popular_counts_events_within_its_window(events: list[Event], k: int, window: int) -> None:
    at = now(events)
    expected = ranked(dict(Counter(item for _, item, when in events if when > at - window)), k)
    assert taught(RecentPopular(window), events).answer(codes([]), at, k).tolist() == expected


@given(histories(), st.sampled_from([1, 7, 1_000]))
def test_decayed_popular_halves_what_an_event_counts(events: list[Event], half_life: int) -> None:
    scores: dict[int, float] = {}
    for _, item, when in events:
        scores[item] = scores.get(item, 0) + 2 ** ((when - now(events)) / half_life)
    answer = taught(DecayedPopular(half_life), events).answer(codes([]), now(events), 7).tolist()
    assert sorted(answer) == sorted(scores)
    ordered = [scores[item] for item in answer]
    assert all(one >= other * (1 - 1e-9) for one, other in pairwise(ordered))


def test_a_decayed_sum_of_many_years_does_not_overflow() -> None:
    baseline = DecayedPopular(3_600 * 1_000_000)
    for year in range(60):
        for item in (1, 2):
            baseline.learn(0, item, year * 365 * DAY + item)
    assert baseline.answer(codes([]), 60 * 365 * DAY, 2).tolist() == [2, 1]


@given(histories(), SESSIONS, st.integers(1, 8), st.integers(1, 4))
def test_sequential_rules_equal_their_slow_twin(
    events: list[Event], session: list[int], k: int, steps: int
) -> None:
    scores: dict[int, float] = {}
    for _, own in cut(events):
        for place, (_, item, _) in enumerate(own):
            for distance in range(1, min(steps, place) + 1):
                if session and own[place - distance][1] == session[-1]:
                    scores[item] = scores.get(item, 0) + 60 // distance
    baseline = taught(SequentialRules(steps, IDLE), events)
    assert baseline.answer(codes(session), now(events), k).tolist() == ranked(scores, k)


@given(histories(), SESSIONS)
def test_markov_counts_what_came_next(events: list[Event], session: list[int]) -> None:
    came = Counter(
        own[place][1]
        for _, own in cut(events)
        for place in range(1, len(own))
        if session and own[place - 1][1] == session[-1]
    )
    baseline = taught(Markov(IDLE), events)
    assert baseline.answer(codes(session), now(events), 5).tolist() == ranked(dict(came), 5)


@given(histories(), SESSIONS, st.booleans())
def test_item_knn_sums_cosines(events: list[Event], session: list[int], whole_life: bool) -> None:
    sets = [{item for _, item, _ in own} for _, own in cut(events, math.inf if whole_life else IDLE)]
    held = Counter(item for one in sets for item in one)
    newest = list(dict.fromkeys(reversed(session)))[:2]
    scores: dict[int, float] = {}
    for mine in newest:
        for other in range(7):
            both = sum(mine in one and other in one for one in sets)
            if both and other != mine:
                scores[other] = scores.get(other, 0) + both / math.sqrt(held[mine] * held[other])
    baseline = taught(ItemKnn(newest=2, idle=None if whole_life else IDLE), events)
    answer = baseline.answer(codes(session), now(events), 7).tolist()
    assert [scores[item] for item in answer] == pytest.approx(sorted(scores.values(), reverse=True))
    assert len(set(answer)) == len(scores)


def slow_session_knn(
    events: list[Event], session: list[int], at: int, m: int, k: int, longest: int, asker: int,
    match: Callable[[int, int], float], fade: Callable[[int, int], float], rarity: float,
    *, cosine: bool, fading: float, reach: float,
) -> dict[int, float]:  # fmt: skip
    """The slow twin of `SessionKnn.scores`."""
    recent = session[-longest:]
    last = {item: place for place, item in enumerate(recent, start=1)}
    weight = {item: match(place, len(recent)) for item, place in last.items()}
    cuts = cut(events)
    near = []
    for number, (subject, own) in enumerate(cuts):
        items = [item for _, item, _ in own]
        both = sorted(set(items) & set(last), key=lambda item: last[item])
        newest_own = max((n for n, (other, _) in enumerate(cuts) if other == subject), default=-1)
        running = subject == asker and number == newest_own and at - own[-1][2] <= IDLE
        if both and not running:
            similarity = sum(weight[item] for item in both)
            if cosine:
                similarity /= math.sqrt(sum(w * w for w in weight.values()) * len(set(items)))
            similarity *= math.exp(-(at - own[-1][2]) / fading)
            near.append((own[-1][2], number, round(similarity, 12), items, last[both[-1]]))
    near = sorted(near, key=lambda one: one[:2])[-m:]
    near = sorted(near, key=lambda one: (one[2], one[:2]))[-k:]
    scores: dict[int, float] = {}
    for _, _, similarity, items, place in near:
        where = {item: position for position, item in enumerate(items)}
        anchor = max(where[item] for item in where if item in last)
        for item, position in where.items():
            value = similarity * math.exp(-abs(position - anchor) / reach) * fade(place, len(recent))
            scores[item] = scores.get(item, 0) + value
    frequency = Counter(item for _, item, _ in events)
    return {
        item: score * (1 + rarity * math.log(len(cuts) / frequency[item])) for item, score in scores.items()
    }


def assert_scores(
    model: SessionKnn, session: list[int], at: int, asker: int, expected: dict[int, float]
) -> None:
    for _ in range(2):  # the second time shows that the first left nothing behind
        items, scores = model.scores(codes(session), at, asker)
        assert dict(zip(items.tolist(), scores.tolist(), strict=True)) == pytest.approx(expected, abs=1e-9)


WHOM = st.integers(-1, 3)
FEW = st.integers(1, 4)


@configured(deadline=None)
@given(histories(), SESSIONS, FEW, FEW, WHOM, st.sampled_from([0.0, 1.0]))
def test_vs_knn_equals_its_slow_twin(
    events: list[Event], session: list[int], m: int, k: int, asker: int, rarity: float
) -> None:
    model = VsKnn(m, k, longest=5, rarity=rarity, idle=IDLE)
    taught(model, events)
    expected = slow_session_knn(
        events, session, now(events), m, k, 5, asker,
        lambda place, _length: place,
        lambda place, length: 1 / (length - place + 1),
        rarity, cosine=False, fading=math.inf, reach=math.inf,
    )  # fmt: skip
    assert_scores(model, session, now(events), asker, expected)


@configured(deadline=None)
@given(histories(), SESSIONS, FEW, FEW, WHOM)
def test_vstan_equals_its_slow_twin(
    events: list[Event], session: list[int], m: int, k: int, asker: int
) -> None:
    model = Vstan(
        m, k, recency=2, fading=31.7 / DAY, reach=1.5, match_recency=3, rarity=0.5, longest=5, idle=IDLE
    )
    taught(model, events)
    expected = slow_session_knn(
        events, session, now(events), m, k, 5, asker,
        lambda place, length: math.exp((place - length) / 2),
        lambda place, length: math.exp((place - length) / 3),
        0.5, cosine=True, fading=31.7, reach=1.5,
    )  # fmt: skip
    assert_scores(model, session, now(events), asker, expected)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_baseline_keeps_the_promises_of_the_interface(name: str) -> None:
    random = np.random.default_rng(4)
    events = [
        (int(s), int(i), n * 60_000_000)
        for n, (s, i) in enumerate(
            zip(random.integers(40, size=3_000), random.integers(1_500, size=3_000), strict=True)
        )
    ]
    one, other = BUILT_IN[name](), BUILT_IN[name]()
    assert one.answer(codes([3, 99_999]), 0, 5).tolist() == []
    for subject, item, at in events:
        one.learn(subject, item, at)
        other.learn(subject, item, at)
    seen = {item for _, item, _ in events}
    for session in ([], [5], [7, 9, 7], [99_999], [2**31 - 1, 11, -1]):
        answer = one.answer(codes(session), events[-1][2], 20, 3)
        assert answer.dtype == np.int32
        assert len(answer) <= 20
        assert len(set(answer.tolist())) == len(answer)
        assert set(answer.tolist()) <= seen
        assert answer.tolist() == other.answer(codes(session), events[-1][2], 20, 3).tolist()
        assert answer[:4].tolist() == one.answer(codes(session), events[-1][2], 4, 3).tolist()
    with pytest.raises(ValueError, match="order of time"):
        one.learn(0, 0, events[-1][2] - 1)


def test_ones_own_running_session_is_not_found_to_be_like_itself() -> None:
    for model in (VsKnn(), Vstan()):
        for item in (1, 2, 3):
            model.learn(8, item, item)
        assert model.answer(codes([1, 2, 3]), 4, 5, 8).tolist() == []
        assert sorted(model.answer(codes([1, 2, 3]), 4, 5, 9).tolist()) == [1, 2, 3]
        assert sorted(model.answer(codes([1]), DAY, 5, 8).tolist()) == [1, 2, 3], "it has ended by then"


def test_the_best_are_chosen_with_ties_to_the_lower_code() -> None:
    items, scores = codes([9, 4, 7, 1, 3]), np.array([1.0, 2, 1, 1, 0])
    assert best(items, scores, 3).tolist() == [4, 1, 7]
    assert best(items, scores, 9).tolist() == [4, 1, 7, 9, 3]


def test_the_newest_sessions_are_kept_and_ties_go_to_the_one_that_began_later() -> None:
    last = np.array([7, 3, 7, 9, 7, 1], dtype=np.int64)
    assert sorted(newest(codes([4, 0, 3, 2, 5]), last, 3).tolist()) == [2, 3, 4]
    assert newest(codes([4, 0]), last, 2).tolist() == [4, 0]
