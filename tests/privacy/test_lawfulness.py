"""The decision agrees with a table that was reasoned out from the law, and with a slow oracle, in every case."""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterator, Sequence
from itertools import combinations, groupby, product
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.privacy.lawfulness import Policy, allowed, counts_from, judged
from heedful.privacy.purposes import Purposes, place_of
from heedful.vocabulary.consent import (
    ALL,
    NEVER,
    STATES,
    TCF_LIFE,
    Age,
    ConsentChange,
    Gpp,
    Notice,
    Purpose,
    Rule,
    Signals,
    Standing,
    Tcf,
    Unreadable,
    standing_of,
)
from heedful.vocabulary.time import DAY, Instant

TABLE = Path(__file__).parent / "oracle.csv"
DENIALS = ("expired", "refused", "terminated", "invalidated", "withdrawn")
OWN = {
    "health": Purpose(rules={"*": Rule("opt_out", "notice")}, special_category=True),
    "reworded": Purpose(
        rules={"eea": Rule("opt_in"), "us": Rule("opt_out", "notice"), "*": Rule("opt_in")},
        notice=Notice(version=3, valid_from=2),
    ),
    "guesses": Purpose(rules={"*": Rule("opt_out", "legitimate_interests")}, tcf=(5, 8)),
}
PURPOSES = Purposes(OWN)
POLICIES = {
    "": Policy(PURPOSES),
    "strict": Policy(PURPOSES, strict_gpc=True),
    "children": Policy(PURPOSES, directed_to_children=True),
}


def tcf(consents: Sequence[int] = (), interests: Sequence[int] = (), updated: int = 0) -> Tcf:
    return Tcf(Instant(updated), Instant(updated), 5, frozenset(consents), frozenset(interests))


TCF: dict[str, Tcf | Unreadable | None] = {
    "": None, "none": tcf(), "5": tcf([5]), "56": tcf([5, 6]), "li56": tcf(interests=[5, 6]), "510": tcf([5, 10]),
    "8": tcf([8]), "5li8": tcf([5], [8]), "li58": tcf(interests=[5, 8]),
    "li8": tcf(interests=[8]), "li9": tcf(interests=[9]), "810": tcf([8, 10]), "34": tcf([3, 4]),
    "bad": Unreadable(), "old": tcf([5, 6], updated=-TCF_LIFE), "future": tcf([5, 6], updated=2 * DAY),
}  # fmt: skip
GPP: dict[str, Gpp | Unreadable | None] = {
    "": None, "in": Gpp(), "out": Gpp(opted_out=True), "gpc": Gpp(opted_out=True, gpc=True), "bad": Unreadable(),
}  # fmt: skip
CARRIED = ("", "yes", "no", "empty", "bad")


class Case(NamedTuple):
    purpose: str
    jurisdiction: str
    age: Age
    choice: str
    gpc: str
    tcf: str
    gpp: str
    carried: str
    setting: str
    happened: int | None
    at: int


def choices(text: str, purpose: str) -> list[ConsentChange]:
    """`given@10/90`: given, received and made at 10, until 90. `!` by a guardian, `+` explicit, `#2` notice 2,
    `=5` made at 5, `all:` about everything."""
    made = []
    for word in text.split():
        match = re.fullmatch(r"(all:)?([a-z]+)([!+]*)(?:#(\d+))?@(\d+)(?:=(\d+))?(?:/(\d+))?", word)
        assert match, word
        everything, state, marks, notice, received, when, until = match.groups()
        assert state in STATES
        made.append(
            ConsentChange(
                ALL if everything else purpose, state, Instant(int(received)),
                Instant(int(when or received)), Instant(int(until or 0)), int(notice or 0), "+" in marks,
                "!" in marks,
            )
        )  # fmt: skip
    return made


def signals(case: Case) -> Signals:
    carried: Any = {"": None, "empty": {}, "bad": Unreadable()}.get(
        case.carried, {case.purpose: case.carried == "yes"}
    )
    return Signals(gpc=case.gpc == "yes", tcf=TCF[case.tcf], gpp=GPP[case.gpp], carried=carried)


def decided(case: Case) -> tuple[bool, str]:
    verdict = allowed(
        POLICIES[case.setting], case.purpose, case.jurisdiction, case.age, choices(case.choice, case.purpose),
        signals(case), Instant(case.at), happened=None if case.happened is None else Instant(case.happened),
    )  # fmt: skip
    return verdict.allowed, verdict.why


def rows() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def case_of(row: dict[str, str]) -> Case:
    happened = int(row["happened"]) if row["happened"] else None
    age: Any = row["age"]
    return Case(
        row["purpose"], row["jurisdiction"], age, row["choice"], row["gpc"], row["tcf"], row["gpp"],
        row["carried"], row["setting"], happened, int(row["at"]),
    )  # fmt: skip


@pytest.mark.parametrize("row", rows(), ids=lambda row: "-".join(filter(None, [*row.values()][:9])))
def test_the_table_written_from_the_law_holds(row: dict[str, str]) -> None:
    assert None not in row and None not in row.values(), "a row has too few or too many columns"
    assert row["because"]
    assert decided(case_of(row)) == (row["expected"] == "yes", row["why"]), row["because"]


def test_the_table_names_every_purpose_mechanism_and_reason() -> None:
    table = rows()
    assert {row["purpose"] for row in table} == {*PURPOSES, "nothing"}
    assert {
        PURPOSES.rule(row["purpose"], row["jurisdiction"]).mechanism
        for row in table
        if row["purpose"] in PURPOSES
    } == {"opt_in", "opt_out", "notice_only"}
    assert {row["age"] for row in table} == set(get_args(Age))
    source = (Path(__file__).parents[2] / "src/heedful/privacy/lawfulness.py").read_text(encoding="utf-8")
    reasons = set(re.findall(r'"([a-z_]+)"', source)) & {row["why"] for row in table}
    assert {row["why"] for row in table} == reasons | {*DENIALS}


# A slow oracle, written from the rulings and not from the code


class Told(NamedTuple):
    state: str
    floor: int
    since: int
    group: list[ConsentChange]


def told(changes: Sequence[ConsentChange], purpose: str, at: int) -> Told:
    """Arrivals one by one, each with all that came in it; what denies and what lapses are marks on one line."""
    known = [
        c for c in changes if c.purpose in (purpose, ALL) and c.received <= at and c.state != "requested"
    ]
    arrivals = [
        list(group) for _, group in groupby(sorted(known, key=lambda c: c.received), lambda c: c.received)
    ]
    floor, state, since, last = int(NEVER), "", int(NEVER), list[ConsentChange]()
    run: list[int] = []
    for place, arrival in enumerate(arrivals):
        until = arrivals[place + 1][0].received if place + 1 < len(arrivals) else at
        denials = [c.state for c in arrival if c.state in DENIALS]
        if denials:
            floor, run = max(floor, arrival[0].received), []
            state = max(denials, key=DENIALS.index)
            continue
        run += [c.at for c in arrival]
        state, last = "given", arrival
        ends = [c.expires for c in arrival if c.expires]
        if ends and min(ends) <= until:
            floor, run, state = max(floor, min(ends)), [], "expired"
    if run:
        since = max(floor, min(run))
    return Told(state, floor, since if run else floor, last if run else [])


CONSENT_ONLY = {1, 3, 4, 5, 6}


def judge(case: Case) -> tuple[bool, set[str]]:
    """All reasons that speak against, or all that speak for."""
    policy, at = POLICIES[case.setting], case.at
    happened = at if case.happened is None else case.happened
    if case.purpose not in policy.purposes:
        return False, {"unknown_purpose"}
    purpose = policy.purposes[case.purpose]
    story = told(choices(case.choice, case.purpose), case.purpose, at)
    place = place_of(case.jurisdiction)
    age = "child" if case.age == "unknown" and policy.directed_to_children else case.age
    needs_yes = (
        policy.purposes.rule(case.purpose, case.jurisdiction).mechanism == "opt_in"
        or purpose.special_category
        or age == "child"
        or (age == "teen" and purpose.discloses)
    )
    spoken = TCF[case.tcf] if purpose.tcf and place[:3].rstrip("-") in ("", "eea", "uk", "ch") else None
    gpp = GPP[case.gpp]
    no: set[str] = set()
    if age in ("child", "teen") and purpose.profiling:
        no.add("minor")
    if story.state in DENIALS:
        no.add(story.state)
    if (case.gpc == "yes" or case.gpp == "gpc") and (
        purpose.discloses or (policy.strict_gpc and purpose.profiling)
    ):
        no.add("gpc")
    if purpose.discloses and isinstance(gpp, Unreadable):
        no.add("gpp_unreadable")
    if purpose.discloses and isinstance(gpp, Gpp) and gpp.opted_out:
        no.add("gpp")
    if isinstance(spoken, Unreadable):
        no.add("tcf_unreadable")
    if isinstance(spoken, Tcf):
        if case.tcf in ("old", "future"):
            no.add("tcf_expired")
        enough = set(spoken.consents) | (set() if needs_yes else set(spoken.interests) - CONSENT_ONLY)
        if not set(purpose.tcf) <= enough:
            no.add("tcf_refused")
    if case.carried in ("no", "empty"):
        no.add("carried_refused")
    if case.carried == "bad":
        no.add("carried_unreadable")
    if no:
        return False, no
    if happened < story.floor:
        return False, {"before_floor"}
    if story.floor > NEVER and story.group and happened < story.since:
        return False, {"before_grant"}
    grants = story.group
    flaws = set()
    if not grants:
        flaws.add("unknown")
    else:
        if min(c.notice or 1 for c in grants) < purpose.notice.valid_from:
            flaws.add("notice_outdated")
        if purpose.special_category and not all(c.explicit for c in grants):
            flaws.add("not_explicit")
        if age == "child" and not all(c.guardian for c in grants):
            flaws.add("guardian")
        if happened < story.since:
            flaws.add("before_grant")
    if not flaws:
        return True, {"given"}
    if not needs_yes:
        return True, {"not_opted_out", "notice"}
    by_signal = {"tcf"} if isinstance(spoken, Tcf) else set()
    by_signal |= {"carried"} if case.carried == "yes" else set()
    if by_signal and flaws <= {"unknown", "before_grant"} and not purpose.special_category and age != "child":
        return True, by_signal
    return False, flaws


def agrees(case: Case) -> None:
    expected, reasons = judge(case)
    found, why = decided(case)
    assert found is expected, (case, why, reasons)
    assert why in reasons, (case, why, reasons)


FACTORS: dict[str, Sequence[Any]] = {
    "purpose": [*PURPOSES, "nothing"],
    "jurisdiction": ["DE", "FR", "GB", "gb-sct", "CH", "us-ca", "US_TX", "us", "JP", "br", "", "?!", "eea"],
    "age": get_args(Age),
    "choice": [row["choice"] for row in rows()],
    "gpc": ["yes", "no"],
    "tcf": [*TCF],
    "gpp": [*GPP],
    "carried": CARRIED,
    "setting": [*POLICIES],
    "happened": [None, 5, 10, 15, 30, 40, 50, 55, 60, 70, 100],
    "at": [100, 55, 45, 20],
}
FACTORS["choice"] = list(dict.fromkeys(FACTORS["choice"]))


def random_choice(dice: random.Random) -> str:
    words = []
    for _ in range(dice.choice((0, 1, 1, 2, 3, 4, 6))):
        word = dice.choice(("", "", "", "all:")) + dice.choice((*STATES, "given", "given", "refused"))
        word += dice.choice(("", "", "!", "+", "!+")) + dice.choice(("", "", "#1", "#2", "#3"))
        word += f"@{dice.randrange(0, 110, 10)}" + dice.choice(("", f"={dice.randrange(0, 120, 5)}"))
        words.append(word + dice.choice(("", "", f"/{dice.randrange(5, 130, 5)}")))
    return " ".join(words)


def test_the_oracle_agrees_in_ten_thousand_random_cases() -> None:
    dice = random.Random(4)
    seen = set()
    for _ in range(10_000):
        drawn = {name: dice.choice(values) for name, values in FACTORS.items()}
        drawn["choice"] = random_choice(dice)
        case = Case(**drawn)
        agrees(case)
        seen.add(decided(case))
    assert len({why for _, why in seen}) >= 22, "the cases do not reach the reasons"


def pairs() -> Iterator[dict[str, Any]]:
    for one, other in combinations(FACTORS, 2):
        for first, second in product(FACTORS[one], FACTORS[other]):
            yield {one: first, other: second}


def test_the_oracle_agrees_on_all_pairs_of_values() -> None:
    dice = random.Random(7)
    count = 0
    for fixed in pairs():
        for likely in (False, True):  # once around a plain adult with a yes, once anywhere
            plain = {
                "purpose": "personalization", "jurisdiction": "DE", "age": "adult", "choice": "given@10",
                "gpc": "no", "tcf": "", "gpp": "", "carried": "", "setting": "", "happened": None, "at": 100,
            }  # fmt: skip
            anywhere = {name: dice.choice(values) for name, values in FACTORS.items()}
            agrees(Case(**{**(plain if likely else anywhere), **fixed}))
            count += 1
    assert count > 5_000


# Laws


changes = st.lists(
    st.builds(
        ConsentChange,
        purpose=st.sampled_from(["p", "p", "q", ALL]),
        state=st.sampled_from(STATES),
        received=st.integers(0, 12).map(Instant),
        at=st.integers(-3, 15).map(Instant),
        expires=st.one_of(st.just(Instant(0)), st.integers(1, 15).map(Instant)),
        notice=st.integers(0, 3),
        explicit=st.booleans(),
        guardian=st.booleans(),
    ),
    max_size=8,
)


@settings(max_examples=500, deadline=None)
@given(made=changes, at=st.integers(0, 15).map(Instant), order=st.randoms(use_true_random=False))
def test_what_choices_come_to_is_a_function_of_their_set(
    made: list[ConsentChange], at: Instant, order: random.Random
) -> None:
    standing = standing_of(made, "p", at)
    story = told(made, "p", at)
    assert (standing.granted, standing.floor, standing.since) == (bool(story.group), story.floor, story.since)
    if story.state in DENIALS:
        assert standing.state == story.state
    if story.group:
        ends = [c.expires for c in story.group if c.expires]
        assert standing.expires == min(ends, default=0)
        assert standing.notice == min(c.notice for c in story.group)
        assert standing.explicit is all(c.explicit for c in story.group)
        assert standing.guardian is all(c.guardian for c in story.group)
    order.shuffle(made)
    assert standing_of([*made, *made[:2]], "p", at) == standing


@settings(max_examples=300, deadline=None)
@given(made=changes, at=st.integers(0, 15).map(Instant), happened=st.integers(-5, 15).map(Instant))
def test_a_withdrawal_never_allows_what_was_not_allowed_before(
    made: list[ConsentChange], at: Instant, happened: Instant
) -> None:
    purposes = Purposes({"p": Purpose(rules={"*": Rule("opt_in")})})
    known = [one for one in made if one.received <= at]
    after = [*known, ConsentChange("p", "withdrawn", at, at)]
    now = allowed(Policy(purposes), "p", "DE", "adult", after, Signals(), at, happened=happened)
    assert not now.allowed
    regranted = [*after, ConsentChange("p", "given", Instant(at + 5), Instant(at + 5))]
    later = allowed(
        Policy(purposes), "p", "DE", "adult", regranted, Signals(), Instant(at + 9), happened=happened
    )
    assert later.allowed is (happened >= at + 5)


def test_a_tc_string_counts_to_the_end_of_its_months() -> None:
    def verdict(updated: int) -> str:
        spoken = Signals(tcf=tcf([5, 6], updated=updated))
        return allowed(Policy(PURPOSES), "personalization", "DE", "adult", [], spoken, Instant(TCF_LIFE)).why

    assert [verdict(updated) for updated in (0, 1)] == ["tcf_expired", "tcf"]
    assert [verdict(TCF_LIFE + DAY + late) for late in (0, 1)] == ["tcf", "tcf_expired"]


def test_from_when_on_things_count_is_told_by_the_verdict() -> None:
    policy, at = Policy(PURPOSES), Instant(100)
    granted = Standing("given", Instant(50), Instant(60))
    assert counts_from(judged(policy, "learning", "DE", "adult", granted, Signals(), at)) == 60
    assert counts_from(judged(policy, "learning", "us", "adult", Standing(), Signals(), at)) == NEVER
    refused = Standing("refused", Instant(50), Instant(50))
    assert counts_from(judged(policy, "learning", "us", "adult", refused, Signals(), at)) > Instant(1 << 61)
