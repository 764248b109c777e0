"""What variants earned: a pure function of the set of decisions and outcomes, whatever came first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.log.claims import Claims
from heedful.log.codec import decode, encode
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.views.variant_facts import FEATURES, ONE, own_id
from heedful.views.variants import WINDOWS, Variants
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.event import Event, Line, Record, Stored, position
from heedful.vocabulary.ids import NOBODY, EventId
from heedful.vocabulary.kinds import CANCEL, CLICK, DECISION, PURCHASE
from heedful.vocabulary.time import DAY, HOUR, Instant
from heedful.vocabulary.variants import VariantDecision

NAMES = Pseudonyms(b"k" * 32)
DECISIONS = ("v1", "v2", "v3", "v4", "v5")


@dataclass
class Kept:
    """Bodies for a fold that is fed by hand."""

    records: dict[int, Stored]

    def fetch(self, positions: Sequence[int]) -> list[Stored]:
        return [self.records[place] for place in positions]

    def purge(self, positions: Sequence[int]) -> int:
        return sum(self.records.pop(place, None) is not None for place in positions)


def empty_fold(bodies: Kept) -> Fold:
    return Fold(pseudonyms=NAMES, claims=Claims(), bodies=bodies, decode=decode)


def folded(records: Iterable[Record], *, settled: bool = False) -> Fold:
    """A fold of `records`, one by one; with `settled` the view is read after each."""
    stored = [Stored(position(0, place), record) for place, record in enumerate(records, start=1)]
    fold = empty_fold(Kept({each.position: each for each in stored}))
    for each in stored:
        fold.apply([each])
        if settled:
            fold.variants.settle()
    return fold


def chosen(
    decision: str, at: int, who: str | None = "ada", *, placement: str = "hero", variant: str = "a",
    features: Sequence[int] = (), cell: int = 0,
) -> Record:  # fmt: skip
    vector = [ONE, *features, *[0] * (FEATURES - 1 - len(features))]
    kept = VariantDecision(
        placement, variant, ["a", "b"], [1 << 31, 1 << 31], 7, cell, vector, "thompson", "", False, False
    )
    event = Event(
        kind=DECISION, user=who or "", name=placement, decision=decision, properties=msgspec.json.encode(kept)
    )
    return record(own_id(decision), at, who, event)


def did(
    kind: str, at: int, who: str = "ada", *, name: str, decision: str = "", order: str = "", amount: int = 0
) -> Record:
    lines = (Line("tent", 1, amount, "tent"),) if kind in (PURCHASE, CLICK) else ()
    return record(
        EventId(f"s:{name}"), at, who, Event(kind=kind, lines=lines, decision=decision, order=order)
    )


def record(identity: EventId, at: int, who: str | None, event: Event) -> Record:
    subject = NOBODY if who is None else NAMES.user(who)
    return Record(identity, subject, Instant(at), Instant(at), Instant(0), Instant(at), encode(event))


def earned(fold: Fold, decision: str) -> dict[str, int]:
    return fold.variants.earned(NAMES.fingerprint(own_id(decision)))


# What counts for which decision


def test_an_event_that_names_a_decision_counts_for_it_even_from_somebody_else() -> None:
    fold = folded([chosen("v1", 0), chosen("v2", HOUR), did(CLICK, 2 * HOUR, "bo", name="c", decision="v1")])
    assert earned(fold, "v1") == {"click": 1}
    assert earned(fold, "v2") == {}


def test_an_event_without_an_id_counts_for_the_last_decision_of_each_placement() -> None:
    fold = folded([
        chosen("v1", 0), chosen("v2", HOUR), chosen("v3", 0, placement="headline"), did(CLICK, 2 * HOUR, name="c"),
    ])  # fmt: skip
    assert [earned(fold, name) for name in ("v1", "v2", "v3")] == [{}, {"click": 1}, {"click": 1}]


def test_a_named_event_is_no_last_touch_of_another_decision() -> None:
    fold = folded([chosen("v1", 0), did(CLICK, HOUR, name="c", decision="v9")])
    assert earned(fold, "v1") == {}


def test_a_purchase_counts_for_seven_days_and_a_click_for_one() -> None:
    late = [did(CLICK, DAY + 1, name="c"), did(PURCHASE, 7 * DAY, name="p", order="o")]
    assert earned(folded([chosen("v1", 0), *late]), "v1") == {"purchase": 1}
    assert earned(folded([chosen("v1", -1), *late]), "v1") == {}


def test_a_late_decision_takes_over_what_came_after_it_and_gives_it_back() -> None:
    late = chosen("v2", HOUR)
    history = [chosen("v1", 0), did(CLICK, 2 * HOUR, name="c"), late]
    fold = folded(history, settled=True)
    assert [earned(fold, name) for name in ("v1", "v2")] == [{}, {"click": 1}]
    fold.retract([Stored(position(0, 3), late)])
    assert earned(fold, "v1") == {"click": 1}


def test_an_outcome_may_come_before_its_decision() -> None:
    for outcome in (did(CLICK, 2 * HOUR, name="c"), did(CLICK, 2 * HOUR, name="c", decision="v1")):
        assert earned(folded([outcome, chosen("v1", 0)], settled=True), "v1") == {"click": 1}


def test_a_decision_for_nobody_earns_only_what_names_it() -> None:
    fold = folded([chosen("v1", 0, None), did(CLICK, 1, name="a", decision="v1"), did(CLICK, 2, name="b")])
    assert earned(fold, "v1") == {"click": 1}


def test_revenue_is_what_the_purchases_that_name_the_decision_came_to() -> None:
    bought = did(PURCHASE, HOUR, name="p", decision="v1", order="o", amount=1_999)
    assert earned(folded([chosen("v1", 0), bought]), "v1") == {"purchase": 1, "revenue": 1_999}


def test_a_cancelled_order_and_one_sent_twice_earn_what_orders_say() -> None:
    bought = [did(PURCHASE, HOUR, name=n, decision="v1", order="o", amount=500) for n in ("p1", "p2")]
    assert earned(folded([chosen("v1", 0), *bought]), "v1") == {"purchase": 1, "revenue": 500}
    cancel = did(CANCEL, 2 * HOUR, name="x", order="o")
    assert earned(folded([chosen("v1", 0), *bought, cancel]), "v1") == {}


def test_a_decision_that_we_did_not_write_teaches_nothing() -> None:
    forged = msgspec.structs.replace(chosen("v1", 0), id=EventId("client:v1"))
    garbled = msgspec.structs.replace(chosen("v2", 0), body=encode(Event(kind=DECISION, decision="v2")))
    assert len(folded([forged, garbled]).variants) == 0


# The law


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    """Few people, placements, times and ids, so that everything collides."""
    times = st.sampled_from([0, 0, HOUR, HOUR, 2 * HOUR, 3 * HOUR, DAY, 2 * DAY, 8 * DAY, 9 * DAY])
    people = st.sampled_from(("ada", "ada", "ada", "bo"))
    made = []
    for decision in draw(st.lists(st.sampled_from(DECISIONS), unique=True)):
        made.append(
            chosen(
                decision, draw(times), draw(st.sampled_from((None, *["ada"] * 5, "bo"))),
                placement=draw(st.sampled_from("PPPQ")),
                variant=draw(st.sampled_from("ab")), cell=draw(st.integers(0, 1)),
                features=draw(st.lists(st.integers(-127, 127), max_size=2)),
            )
        )  # fmt: skip
    for number in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from((CLICK, CLICK, CLICK, PURCHASE, PURCHASE, CANCEL, "other")))
        made.append(
            did(
                kind, draw(times), draw(people), name=str(draw(st.integers(0, number))),
                decision=draw(st.sampled_from((*[""] * 8, *DECISIONS))) if kind != CANCEL else "",
                order=draw(st.sampled_from(("", "o1", "o2"))) if kind != CANCEL else "o1",
                amount=draw(st.integers(0, 3)),
            )
        )  # fmt: skip
    return made


def slow(fold: Fold, records: Sequence[Record]) -> dict[str, dict[str, int]]:
    """What each decision earned, by looking at everything: one record per id counts, as the fold says."""
    winners: dict[str, Record] = {}
    for each in sorted(records, key=lambda one: one.rank(), reverse=True):
        winners[each.id] = each
    events = [(each, decode(each.body)) for each in winners.values()]
    made = [(each, event) for each, event in events if event.kind == DECISION]
    made.sort(key=lambda pair: (pair[0].at, NAMES.fingerprint(pair[0].id)))
    found: dict[str, dict[str, int]] = {event.decision: {} for _, event in made}
    for each, event in events:
        window = WINDOWS.get(event.kind)
        past = fold.history.rows(int(fold.subjects.codes([each.subject])[0])) if each.subject else None
        if window is None or past is None:
            continue
        live = event.kind != PURCHASE or bool(
            ((past.fingerprint == NAMES.fingerprint(each.id)) & (past.item >= 0)).any()
        )
        if not live:
            continue
        if event.decision:
            credited = [pair for pair in made if pair[1].decision == event.decision]
        else:
            before = [pair for pair in made if pair[0].subject == each.subject and pair[0].at <= each.at]
            credited = list({pair[1].name: pair for pair in before}.values())
        for decided, decision in credited:
            if each.at - decided.at <= window:
                result = found[decision.decision]
                result[event.kind] = 1
                value = sum(line.amount for line in event.lines) if event.kind == PURCHASE else 0
                if event.decision and value:
                    result["revenue"] = result.get("revenue", 0) + value
    return found


def sums(fold: Fold) -> dict[tuple[str, int, int], list[int]]:
    """Every sum by the names of what it is of."""
    fold.variants.settle()
    names = {code: "/".join(name) for name, code in fold.variants._codes.items()}
    return {
        (names[code], cell, day): values.tolist() for code, cell, day, values in fold.variants._sums.entries()
    }


@settings(max_examples=150, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_what_decisions_earned_is_what_looking_at_everything_says(
    history: list[Record], random: object
) -> None:
    random.shuffle(history)  # type: ignore[attr-defined]
    fold = folded(history, settled=True)
    assert {name: earned(fold, name) for name in slow(fold, history)} == slow(fold, history)


@settings(max_examples=150, deadline=None)
@given(histories(), st.data())
def test_what_was_taken_back_was_never_there(history: list[Record], data: st.DataObject) -> None:
    stored = [Stored(position(0, place), one) for place, one in enumerate(history, start=1)]
    fold = empty_fold(Kept({each.position: each for each in stored}))
    gone = set(data.draw(st.lists(st.sampled_from(range(len(stored))), unique=True))) if stored else set()
    for number, each in enumerate(stored):
        fold.apply([each])
        if data.draw(st.booleans()):
            fold.variants.settle()
        if number in gone and data.draw(st.booleans()):
            fold.retract([each])
            gone.discard(number)
            history[number] = None  # type: ignore[call-overload]
    for number in gone:
        fold.retract([stored[number]])
        history[number] = None  # type: ignore[call-overload]
    never = folded([each for each in history if each is not None])
    assert fold.digests()["variants"] == never.digests()["variants"]
    assert sums(fold) == sums(never)


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(0, 3))
def test_a_floor_drops_what_is_before_it_whenever_it_comes(history: list[Record], days: int) -> None:
    late, early = folded(history), empty_fold(Kept({}))
    late.variants.settle()
    late.advance(Instant(days * DAY))
    stored = [Stored(position(0, place), one) for place, one in enumerate(reversed(history), start=1)]
    early._bodies = Kept({each.position: each for each in stored})
    early.advance(Instant(days * DAY))
    early.apply(stored)
    assert early.digests()["variants"] == late.digests()["variants"]
    assert sums(early) == sums(late)


@settings(max_examples=60, deadline=None)
@given(histories(), histories())
def test_a_restored_state_goes_on_as_if_it_had_never_stopped(
    before: list[Record], after: list[Record]
) -> None:
    stored = [Stored(position(0, place), one) for place, one in enumerate([*before, *after], start=1)]
    bodies = Kept({each.position: each for each in stored})
    fold, again = empty_fold(bodies), empty_fold(bodies)
    fold.apply(stored[: len(before)])
    again.restore(fold.cursor, fold.floor, {name: array.copy() for name, array in fold.state().items()})
    assert again.digests() == fold.digests()
    for each in (fold, again):
        each.apply(stored[len(before) :])
    assert again.digests() == fold.digests()
    assert sums(again) == sums(fold)


def test_a_state_that_does_not_fit_is_refused() -> None:
    fold = folded([chosen("v1", 0), did(CLICK, 1, name="c", decision="v1")])
    state = dict(fold.variants.state())
    for name, broken in (
        ("code", np.array([9], dtype=np.int32)),
        ("features", np.zeros(FEATURES, dtype=np.int8)),
        ("key", np.zeros(2, dtype=np.uint64)),
        ("r_outcome", np.array([99], dtype=np.uint16)),
        ("ends", np.array([5, 2], dtype=np.int64)),
    ):
        fresh = empty_fold(Kept({}))
        fresh.subjects.codes([NAMES.user("ada")])
        with pytest.raises(Corrupt):
            fresh.variants.restore({**state, name: broken})


# Reading


def test_moments_and_regressions_are_those_of_the_decisions_themselves() -> None:
    records = [
        chosen("v1", 0, features=[16, -8]), chosen("v2", HOUR, "bo", features=[0, 32], cell=1),
        chosen("v3", 2 * HOUR, "cy", features=[16, 0]), did(CLICK, 3, name="x", decision="v1"),
        did(PURCHASE, 3 * HOUR, "cy", name="y", decision="v3", amount=300),
    ]  # fmt: skip
    variants = folded(records).variants
    weights = variants.weights({"click": 1.0, "purchase": 2.0, "revenue": 0.01})
    (all_of_it,) = variants.regressions("hero", ["a"], weights, now=0, half_life=0)
    vectors = np.zeros((3, FEATURES))
    vectors[:, :3] = np.array([[1, 1, -0.5], [1, 0, 2], [1, 1, 0]])
    rewards = np.array([1.0, 0.0, 2.0 + 3.0])
    assert np.allclose(all_of_it.gram, vectors.T @ vectors)
    assert np.allclose(all_of_it.cross, vectors.T @ rewards)
    assert all_of_it.moments == pytest.approx((3.0, rewards.sum(), (rewards**2).sum()))
    (cell,) = variants.moments("hero", ["a"], 0, weights, now=0, half_life=0)
    assert cell == pytest.approx((2.0, 6.0, 26.0))
    (none,) = variants.moments("hero", ["never"], 0, weights, now=0, half_life=0)
    assert none == (0.0, 0.0, 0.0)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.floats(0.5, 4), st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_the_past_fades_by_the_day(days: list[int], half_life: float, today: int) -> None:
    fold = folded([chosen(f"v{number}", day * DAY) for number, day in enumerate(days)])
    weights = fold.variants.weights({"click": 1.0})
    for ask in (today, 0, today):  # asked again, and of another day, the answer stays
        (read,) = fold.variants.moments("hero", ["a"], 0, weights, now=ask * DAY, half_life=half_life)
        assert read.n == pytest.approx(sum(2 ** -(max(0, ask - day) / half_life) for day in days))


def test_a_reward_must_be_of_outcomes_that_are_kept() -> None:
    with pytest.raises(KeyError):
        folded([]).variants.weights({"applause": 1.0})


def test_outcomes_are_few_so_that_sums_stay_small() -> None:
    fold = folded([])
    with pytest.raises(ValueError, match="15"):
        Variants(fold.history, fold.subjects, fold.kinds, {str(number): DAY for number in range(16)})
