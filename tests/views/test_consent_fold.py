"""What the views hold is what people allowed, whatever came first: events, choices or consent that was carried."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.log.claims import Claims
from heedful.log.codec import decode, encode
from heedful.privacy.judge import Rules
from heedful.privacy.lawfulness import allowed
from heedful.privacy.signals import signals_of
from heedful.views.fold import Fold
from heedful.views.lawful import OPEN, Judge
from heedful.vocabulary.consent import ANALYTICS, BUILT_IN, LEARNING, Age, ConsentChange, PrivacySettings
from heedful.vocabulary.decision import Decision, encode_decision
from heedful.vocabulary.event import Event, Line, Record, Stored, position
from heedful.vocabulary.ids import NOBODY, EventId, ItemId, SubjectId
from heedful.vocabulary.kinds import CANCEL, CLICK, DECISION, IDENTIFY, PURCHASE, REFUND, TRIAL, VIEW
from heedful.vocabulary.time import DAY, MINUTE, Instant
from tests.views.test_fold import ITEMS, NAMES, PEOPLE, Kept, stored, trials

HERE = PrivacySettings(jurisdiction="DE")
ELSEWHERE = PrivacySettings(consent="elsewhere")
AMERICA = PrivacySettings(jurisdiction="US-CA", strict_gpc=True)
BEGINNING = DAY
TRAITS: tuple[dict[str, Any], ...] = (
    {"age": 14}, {"age": 40}, {"ageBracket": "teen"}, {"jurisdiction": "US"}, {"jurisdiction": "GB", "age": "15"},
    {"jurisdiction": 7}, {"plan": "gold"}, {"age": -3},
)  # fmt: skip


@cache
def rules(said: str) -> Rules:
    return Rules({"here": HERE, "elsewhere": ELSEWHERE, "america": AMERICA}[said])


def empty(bodies: Kept, judge: Judge) -> Fold:
    return Fold(
        pseudonyms=NAMES, claims=Claims(), bodies=bodies, decode=decode, idle=30 * MINUTE, judge=judge
    )


def folded(batches: Sequence[Sequence[Stored]], judge: Judge) -> Fold:
    fold = empty(Kept({one.position: one for batch in batches for one in batch}), judge)
    for batch in batches:
        fold.apply(batch)
    return fold


@st.composite
def context(draw: st.DrawFn) -> bytes:
    """What an event brings: mostly nothing."""
    said: Any = draw(
        st.sampled_from((
            None, None, None, {}, {"consent": {}}, {"consent": {"gpc": True}}, {"consent": 7},
            {"consent": {"categoryPreferences": {"Analytics": True, "learning": False}}},
            {"consent": {"categoryPreferences": {"learning": True, "personalization": True}}},
            {"consent": {"tcf": "no string"}}, {"consent": {"categoryPreferences": "x"}},
        ))
    )  # fmt: skip
    return b"" if said is None else msgspec.json.encode(said)


@st.composite
def records(draw: st.DrawFn, *, orders: bool = True) -> list[Record]:
    """Few people, items, ids and times; a third of it is about consent."""
    made = []
    for number in range(draw(st.integers(0, 14))):
        at = Instant(BEGINNING + draw(st.integers(0, 9)) * 10 * MINUTE)
        received = Instant(at + draw(st.integers(0, 3)) * 10 * MINUTE)
        identity = EventId(f"s:{draw(st.integers(0, 11)) if orders else number}")
        sort = draw(st.integers(0, 7))
        if sort == 7:
            said = Event(kind=TRIAL, properties=msgspec.json.encode(draw(trials())))
            made.append(Record(identity, NOBODY, at, at, Instant(0), received, encode(said)))
            continue
        if sort <= 1:
            event = draw(choices())
        elif sort == 6:
            event = Event(kind=IDENTIFY, traits=msgspec.json.encode(draw(st.sampled_from(TRAITS))))
        elif sort == 2:
            shown = draw(st.lists(st.sampled_from(ITEMS), max_size=2, unique=True))
            name = draw(st.sampled_from(("d1", "d2"))) if orders else f"d{number}"
            arms = draw(st.sampled_from(((), (("e", "a"),), (("e", "b"),))))
            kept = Decision("home", [ItemId(one) for one in shown], 1, [1.0] * len(shown), arms=arms)
            identity = EventId(f"heedful:{name}")
            event = Event(kind=DECISION, decision=name, properties=encode_decision(kept))
        else:
            kinds = (VIEW, VIEW, CLICK, PURCHASE, REFUND, CANCEL) if orders else (VIEW, VIEW, CLICK)
            kind = draw(st.sampled_from(kinds))
            order = draw(st.sampled_from(("o1", "o2"))) if kind in (PURCHASE, REFUND, CANCEL) else ""
            lines = tuple(Line(one, 1, 5, one) for one in draw(st.sets(st.sampled_from(ITEMS), min_size=1)))
            if kind == CANCEL:
                lines = ()
            named = draw(st.sampled_from(("", "", "d1", "d2")))
            event = Event(kind=kind, lines=lines, order=order, decision=named, currency="EUR")
        event = msgspec.structs.replace(event, context=draw(context()))
        subject = NAMES.user(draw(st.sampled_from(PEOPLE[:2])))
        made.append(Record(identity, subject, at, at, Instant(0), received, encode(event)))
    return made


@st.composite
def choices(draw: st.DrawFn) -> Event:
    said = draw(
        st.dictionaries(
            st.sampled_from(("*", "learning", "analytics", "personalization", "sharing")),
            st.sampled_from((True, True, False, "withdrawn")),
            min_size=1,
            max_size=3,
        )
    )
    body = {"choices": said, "expiresInDays": draw(st.sampled_from((0, 0, 1)))}
    return Event(kind="consent", properties=msgspec.json.encode(body))


MODES = st.sampled_from(("here", "elsewhere", "america"))


@settings(max_examples=150, deadline=None)
@given(records(), MODES, st.randoms(use_true_random=False))
def test_choices_and_events_in_any_order_and_batching_leave_one_state(
    history: list[Record], mode: str, random: object
) -> None:
    shuffled = list(history)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = folded([stored(sorted(history, key=lambda record: record.received))], rules(mode))
    other = folded([[record] for record in stored(shuffled)], rules(mode))
    assert one.digests() == other.digests()


@settings(max_examples=100, deadline=None)
@given(records(), MODES, st.sets(st.integers(0, 13)))
def test_taking_back_events_and_choices_is_as_if_they_had_not_been(
    history: list[Record], mode: str, places: set[int]
) -> None:
    everything = stored(history)
    gone = [everything[place] for place in sorted(places) if place < len(everything)]
    fold = folded([everything], rules(mode))
    fold.retract(gone)
    without = folded([[one for one in everything if one not in gone]], rules(mode))
    assert fold.digests() == without.digests()


@settings(max_examples=80, deadline=None)
@given(records(), MODES, st.integers(0, 14), st.integers(0, 3), st.integers(0, 3))
def test_grants_run_out_by_the_clock_and_not_by_when_it_was_looked_at(
    history: list[Record], mode: str, cut: int, first: int, second: int
) -> None:
    everything = stored(history)
    fold = empty(Kept({one.position: one for one in everything}), rules(mode))
    fold.apply(everything[:cut])
    fold.lapse(Instant(first * DAY + 30 * MINUTE))
    fold.apply(everything[cut:])
    fold.lapse(Instant(second * DAY + 30 * MINUTE))
    twin = folded([everything], rules(mode))
    twin.lapse(Instant(max(first, second) * DAY + 30 * MINUTE))
    assert fold.digests() == twin.digests()


@settings(max_examples=60, deadline=None)
@given(records(), MODES, st.integers(0, 14))
def test_a_restored_fold_judges_on_where_it_stood(history: list[Record], mode: str, cut: int) -> None:
    everything = stored(history)
    bodies = Kept({one.position: one for one in everything})
    first = empty(bodies, rules(mode))
    first.apply(everything[:cut])
    first.lapse(Instant(BEGINNING + 40 * MINUTE))
    second = empty(bodies, rules(mode))
    second.restore(first.cursor, first.floor, {name: array.copy() for name, array in first.state().items()})
    second.apply(everything[cut:])
    second.lapse(Instant(3 * DAY))
    twin = folded([everything], rules(mode))
    twin.lapse(Instant(3 * DAY))
    assert second.digests() == twin.digests()


@settings(max_examples=150, deadline=None)
@given(records(orders=False), MODES)
def test_each_view_holds_what_a_fold_of_only_the_allowed_events_would(
    history: list[Record], mode: str
) -> None:
    unique = stored(list({record.id: record for record in history}.values()))
    judge = rules(mode)
    fold = folded([unique], judge)
    said: dict[SubjectId, list[ConsentChange]] = {}
    traits: dict[SubjectId, dict[str, Any]] = {}
    for one in sorted(unique, key=lambda one: (one.record.received, NAMES.fingerprint(one.record.id))):
        told = decode(one.record.body).traits
        known = {name: value for name, value in msgspec.json.decode(told or b"{}").items() if value != -3}
        if "age" in known or "ageBracket" in known:
            traits.setdefault(one.record.subject, {}).pop("age", None)
            traits[one.record.subject].pop("ageBracket", None)
        traits.setdefault(one.record.subject, {}).update(known)
        changes = judge.changes(decode(one.record.body), one.record.at, one.record.received)
        said.setdefault(one.record.subject, []).extend(changes)
    for bit, names in ((LEARNING, ("sessions", "trends", "repeats")), (ANALYTICS, ("outcomes",))):
        kept = [
            one
            for one in unique
            if _allowed(one.record, judge, said[one.record.subject], traits[one.record.subject], bit)
        ]
        plain = folded([[Stored(position(0, n), one.record) for n, one in enumerate(kept, 1)]], OPEN)
        for name in names:
            assert fold.digests()[name] == plain.digests()[name], name


def _allowed(
    record: Record, judge: Rules, said: list[ConsentChange], traits: dict[str, Any], bit: int
) -> bool:
    purpose = BUILT_IN[bit.bit_length() - 1]
    signals = signals_of(decode(record.body).context, judge.purposes)
    now = max((one.received for one in said), default=record.received)
    place = traits.get("jurisdiction", judge.jurisdiction)
    place = "" if place == 7 else place
    young = int(traits.get("age", 99)) < (13 if place.startswith(("US", "GB")) else 16)
    minor = young or traits.get("ageBracket") == "teen" or int(traits.get("age", 99)) < 18
    age: Age = "child" if young else "teen" if minor else "unknown" if "age" not in traits else "adult"
    return allowed(judge.policy, purpose, place, age, said, signals, now, happened=record.at).allowed
