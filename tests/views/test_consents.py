"""The view of choices against a slow twin: a list of changes, asked by the rules of `standing_of`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.consents import MOST_PURPOSES, ConsentFact, Consents
from heedful.views.dictionary import Subjects
from heedful.vocabulary.consent import ALL, NEVER, STATES, ConsentChange, Standing, standing_of
from heedful.vocabulary.errors import Corrupt, SettingsError
from heedful.vocabulary.time import Instant

PURPOSES = ("learning", "sharing", "surveys")
PEOPLE = ("ada", "bo", "cy")
NAMES = Pseudonyms(bytes(32))


def people(*order: str) -> Subjects:
    subjects = Subjects()
    subjects.codes([NAMES.user(name) for name in order or PEOPLE])
    return subjects


def change(
    state: Any, received: int, *, purpose: str = "learning", at: int | None = None, **terms: Any
) -> ConsentChange:
    when = received if at is None else at
    return ConsentChange(purpose, state, Instant(received), Instant(when), **terms)


CHANGES = st.builds(
    ConsentChange,
    purpose=st.sampled_from([*PURPOSES, ALL, "unheard of"]),
    state=st.sampled_from(STATES),
    received=st.integers(-2, 9).map(Instant),
    at=st.integers(-3, 12).map(Instant),
    expires=st.one_of(st.just(Instant(0)), st.integers(1, 12).map(Instant)),
    notice=st.integers(0, 2),
    explicit=st.booleans(),
    guardian=st.booleans(),
)


@st.composite
def histories(draw: st.DrawFn) -> list[ConsentFact]:
    prints = draw(st.lists(st.integers(0, 2**64 - 1), max_size=12, unique=True))
    return [
        ConsentFact(draw(st.integers(0, 2)), one, tuple(draw(st.lists(CHANGES, max_size=4))))
        for one in prints
    ]


def steps_of(history: list[ConsentFact], order: Any) -> list[tuple[ConsentFact, bool]]:
    """Every fact applied once in some order; some are taken back later, and some of those come again."""
    steps = [(fact, True) for fact in history]
    order.shuffle(steps)
    for fact in history:
        start = steps.index((fact, True))
        for forward in (False, True)[: order.choice([0, 0, 1, 2])]:
            start = order.randint(start + 1, len(steps))
            steps.insert(start, (fact, forward))
    return steps


def asks(view: Consents, live: list[ConsentFact]) -> None:
    """Everything that can be asked, of the view and of the twin."""
    for who in ([0], [1], [2], [0, 2], [2, 1, 0]):
        known = [one for fact in live if fact.subject in who for one in fact.changes]
        for purpose in PURPOSES:
            for at in (-1, 3, 12):
                assert view.standing(who, purpose, Instant(at)) == standing_of(known, purpose, Instant(at))


@settings(max_examples=120, deadline=None)
@given(history=histories(), order=st.randoms(use_true_random=False))
def test_what_holds_is_what_the_set_of_changes_says(history: list[ConsentFact], order: Any) -> None:
    view = Consents(people(), PURPOSES)
    live: list[ConsentFact] = []
    for fact, forward in steps_of(history, order):
        (view.apply if forward else view.retract)([fact])
        if forward:
            live.append(fact)
        else:
            live.remove(fact)
    asks(view, live)

    # Other dense numbers, another order, one batch: the same digest.
    other = people(*reversed(PEOPLE))
    fresh = Consents(other, PURPOSES)
    fresh.apply(fact._replace(subject=2 - fact.subject) for fact in reversed(live))
    assert fresh.digest() == view.digest()

    again = Consents(people(), PURPOSES)
    again.restore({name: array.copy() for name, array in view.state().items()})
    assert again.digest() == view.digest()
    asks(again, live)
    for one in (view, again):
        one.advance(Instant(1 << 60))
        asks(one, live)
        one.retract(live)
        assert (len(one), one.digest()) == (0, bytes(16))
        asks(one, [])


@settings(max_examples=100, deadline=None)
@given(one=CHANGES, other=CHANGES)
def test_different_changes_have_different_digests(one: ConsentChange, other: ConsentChange) -> None:
    def digest(made: ConsentChange) -> bytes:
        view = Consents(people(), PURPOSES)
        view.apply([ConsentFact(0, 7, (made,))])
        return view.digest()

    kept = [made for made in (one, other) if made.purpose != "unheard of" and made.state != "requested"]
    same = one == other or not kept
    assert (digest(one) == digest(other)) is same


def test_a_late_withdrawal_is_a_floor_for_what_happened_before_it() -> None:
    view = Consents(people(), PURPOSES)
    view.apply([ConsentFact(0, 1, (change("given", 10),)), ConsentFact(0, 2, (change("given", 50),))])
    assert view.standing([0], "learning", Instant(99)).since == 10
    late = ConsentFact(0, 3, (change("withdrawn", 30, purpose=ALL),))
    view.apply([late])  # its record was read last, and arrived between the two
    standing = view.standing([0], "learning", Instant(99))
    assert (standing.state, standing.floor, standing.since) == ("given", 30, 50)
    view.retract([late])
    assert view.standing([0], "learning", Instant(99)).since == 10


def test_the_stricter_wins_among_those_that_arrived_together() -> None:
    for order in (("given", "withdrawn"), ("withdrawn", "given")):
        view = Consents(people(), PURPOSES)
        for event, state in enumerate(order):
            view.apply([ConsentFact(0, event, (change(state, 10),))])
        assert view.standing([0], "learning", Instant(10)).state == "withdrawn"


def test_the_strictest_terms_hold_of_grants_that_arrived_together() -> None:
    strong = change("given", 10, notice=3, explicit=True, guardian=True, expires=Instant(90))
    weak = change("given", 10, notice=1, expires=Instant(80))
    for order in ((strong, weak), (weak, strong)):
        view = Consents(people(), PURPOSES)
        view.apply(ConsentFact(0, event, (one,)) for event, one in enumerate(order))
        expected = Standing("given", NEVER, Instant(10), Instant(80), 1, False, False)
        assert view.standing([0], "learning", Instant(20)) == expected
        assert standing_of(order, "learning", Instant(20)) == expected


def test_a_device_and_the_profile_linked_to_it_are_one_person() -> None:
    view = Consents(people(), PURPOSES)
    view.apply([ConsentFact(0, 1, (change("given", 10, purpose="sharing"),))])
    view.apply([ConsentFact(1, 2, (change("refused", 20, purpose="sharing"),))])
    assert view.standing([0], "sharing", Instant(30)).state == "given"
    assert view.standing([0, 1], "sharing", Instant(30)).state == "refused"
    assert view.standing([0, 1], "sharing", Instant(15)).state == "given"


def test_nobody_knows_what_a_stranger_chose() -> None:
    view = Consents(people(), PURPOSES)
    assert view.standing([], "learning", Instant(1)) == Standing()
    assert view.standing([-1, 5, 1 << 20], "learning", Instant(1)) == Standing()


def test_a_person_with_many_changes_is_told_in_one_walk() -> None:
    view = Consents(people(), PURPOSES)
    states = ("given", "withdrawn")
    facts = [ConsentFact(0, n, (change(states[n % 2], n),)) for n in range(3_000)]
    view.apply(reversed(facts))
    assert view.standing([0], "learning", Instant(2_500)).since == 2_500
    assert len(view.changes(0)) == 3_000
    assert [one.received for one in view.changes(0)] == [*range(3_000)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subject", np.array([3], dtype=np.int32)),
        ("subject", np.array([-1], dtype=np.int32)),
        ("state", np.array([0], dtype=np.uint8)),
        ("state", np.array([8], dtype=np.uint8)),
        ("purposes", np.array([16], dtype=np.uint64)),
        ("at", np.array([], dtype=np.int64)),
        ("at", np.array([1], dtype=np.int32)),
        ("names", np.frombuffer(b"*\nlearning", dtype=np.uint8)),
    ],
)
def test_a_state_that_means_nothing_is_refused(name: str, value: Any) -> None:
    view = Consents(people(), PURPOSES)
    view.apply([ConsentFact(0, 1, (change("given", 10),))])
    state = {**view.state(), name: value}
    with pytest.raises(Corrupt):
        Consents(people(), PURPOSES).restore(state)
    del state[name]
    with pytest.raises(Corrupt):
        Consents(people(), PURPOSES).restore(state)


def test_there_cannot_be_more_purposes_than_bits() -> None:
    Consents(people(), [f"p{n}" for n in range(MOST_PURPOSES)])
    with pytest.raises(SettingsError):
        Consents(people(), [f"p{n}" for n in range(MOST_PURPOSES + 1)])
