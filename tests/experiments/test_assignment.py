"""Who gets which arm: kept through a log-in, apart from other experiments, and never by surprise."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from heedful.experiments.assignment import (
    Assigner,
    Group,
    Met,
    Query,
    Subject,
    TooCostly,
    Why,
    check_layers,
    check_prerequisites,
    crossovers,
    in_layer,
    standing,
    with_kept,
)
from heedful.experiments.assignment.choice import Assignment, holdout_experiment
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.experiment import (
    Arm,
    Epoch,
    Experiment,
    Holdout,
    Layer,
    Outcome,
    Prerequisite,
    Slice,
    Status,
    Switchback,
    Target,
    moved,
    reweighted,
    staged,
)
from heedful.vocabulary.flag import Flag, FlagRule
from heedful.vocabulary.time import MINUTE, Instant


def running(key: str = "ranker", **fields: Any) -> Experiment:
    fields.setdefault("arms", (Arm("popular"), Arm("learned")))
    return moved(Experiment(key=key, **fields), Status.RUNNING, 1)


def arms_of(experiment: Experiment, people: int = 2_000, **given: Any) -> list[Assignment]:
    assigner = Assigner(experiment, **given)
    return [assigner.assign(Subject({"id": f"u{n}"})) for n in range(people)]


def test_shares_are_those_of_the_weights_and_of_the_coverage() -> None:
    got = arms_of(running(weights=(0.2, 0.8), coverage=0.5, hash_version=3), 20_000)
    counts = Counter(each.arm if each.inside else None for each in got)
    assert counts["popular"] == pytest.approx(2_000, abs=200)
    assert counts["learned"] == pytest.approx(8_000, abs=300)
    assert {each.why for each in got} == {Why.HASHED, Why.NOT_COVERED}
    learned = [each.propensity for each in got if each.inside and each.arm == "learned"]
    assert learned == [pytest.approx(0.8)] * len(learned)


def test_a_log_in_keeps_the_arm_of_the_anonymous_visit() -> None:
    assigner = Assigner(running(fallback_attribute="anonymousId"))
    changed = 0
    for n in range(200):
        before = assigner.assign(Subject({"anonymousId": f"a{n}"}, sticky={}))
        assert before.inside
        documents = with_kept({}, before.kept[0])
        after = assigner.assign(Subject({"anonymousId": f"a{n}", "id": f"u{n}"}, sticky=documents))
        assert (after.arm, after.why) == (before.arm, Why.STICKY)
        documents = with_kept(documents, after.kept[0])
        elsewhere = assigner.assign(Subject({"anonymousId": "new device", "id": f"u{n}"}, sticky=documents))
        assert elsewhere.arm == before.arm
        assert not elsewhere.kept
        changed += assigner.assign(Subject({"id": f"u{n}"}, sticky={})).arm != before.arm
    assert changed > 50  # without what is kept, half would have changed


def test_where_nothing_is_kept_nobody_is_assigned_by_an_id_that_will_change() -> None:
    assigner = Assigner(running(fallback_attribute="anonymousId"))
    assert assigner.assign(Subject({"anonymousId": "a"})).why is Why.NO_UNIT
    assert assigner.assign(Subject({"anonymousId": "a"}, sticky={})).why is Why.HASHED


def test_who_met_two_arms_is_found_whatever_order_it_is_told_in() -> None:
    seen = [
        Met(Instant(20), 1, "b"),
        Met(Instant(10), 7, "a"),
        Met(Instant(10), 9, "b"),
        Met(Instant(30), 2, "a"),
    ]
    random.Random(1).shuffle(seen)
    found = standing(seen)
    assert found is not None
    assert (found.arm, found.since, found.crossed) == ("a", 10, True)
    assert standing([]) is None
    counted, sums = crossovers({"u": seen, "v": seen[:1], "w": [], "x": [Met(Instant(1), 1, "a")] * 3})
    assert counted.keys() == {"v", "x"}
    assert (sums.people, sums.crossed) == (3, 1)
    assert sums.share == pytest.approx(1 / 3)


def test_a_holdout_keeps_people_out_of_everything_new_and_watches_as_many_beside() -> None:
    holdout = Holdout(name="2026", share=0.1, measured=0.1)
    got = arms_of(running(), 5_000, holdouts=[holdout])
    held = {n for n, each in enumerate(got) if each.why is Why.HELD_OUT}
    assert len(held) == pytest.approx(500, abs=110)
    other = arms_of(running("other"), 5_000, holdouts=[holdout])
    assert held == {n for n, each in enumerate(other) if each.why is Why.HELD_OUT}
    groups = Counter(each.arm for each in arms_of(holdout_experiment(holdout), 5_000))
    assert groups["measured"] == pytest.approx(500, abs=110)


def test_a_holdout_of_a_placement_leaves_other_placements_alone() -> None:
    holdout = Holdout(name="home only", share=0.5, placement="home")
    at_home = running(on=Target("placement", "home"))
    at_basket = running(on=Target("placement", "basket"))
    assert any(each.why is Why.HELD_OUT for each in arms_of(at_home, holdouts=[holdout]))
    assert all(each.inside for each in arms_of(at_basket, holdouts=[holdout]))


def test_a_held_out_person_stays_held_out_after_a_log_in() -> None:
    assigner = Assigner(running(fallback_attribute="anonymousId"), [Holdout(name="h", share=0.5)])
    for n in range(50):
        before = assigner.assign(Subject({"anonymousId": f"a{n}"}, sticky={}))
        documents: Any = {}
        for kept in before.kept:
            documents = with_kept(documents, kept)
        after = assigner.assign(Subject({"anonymousId": f"a{n}", "id": f"u{n}"}, sticky=documents))
        assert (after.why is Why.HELD_OUT) == (before.why is Why.HELD_OUT)


def test_two_experiments_of_a_layer_never_meet_and_a_layer_does_not_sort_arms() -> None:
    one = running("one", layer=Slice("ranking", 0.0, 0.4))
    two = running("two", layer=Slice("ranking", 0.4, 1.0))
    first, second = arms_of(one, 10_000), arms_of(two, 10_000)
    assert not any(a.inside and b.inside for a, b in zip(first, second, strict=True))
    assert sum(a.inside or b.inside for a, b in zip(first, second, strict=True)) == 10_000
    arms = Counter(each.arm for each in first if each.inside)
    assert arms["popular"] / sum(arms.values()) == pytest.approx(0.5, abs=0.04)


def test_a_new_salt_shuffles_the_people_of_a_layer() -> None:
    part = Slice("ranking", 0.0, 0.5)
    before = [in_layer(f"u{n}", part) for n in range(4_000)]
    after = [in_layer(f"u{n}", part, "again") for n in range(4_000)]
    both = sum(a and b for a, b in zip(before, after, strict=True))
    assert both == pytest.approx(1_000, abs=130)
    salted = Assigner(running(layer=part), layer=Layer("ranking", "again"))
    assert [salted.assign(Subject({"id": f"u{n}"})).why is not Why.OTHER_SLICE for n in range(4_000)] == after


def test_overlapping_slices_and_one_thing_in_two_layers_are_refused() -> None:
    check_layers([running("a", layer=Slice("l", 0, 0.5)), running("b", layer=Slice("l", 0.5, 1))])
    check_layers([running("a", layer=Slice("l", 0, 0.5)), running("b", namespace=Slice("l", 0, 0.5))])
    with pytest.raises(Invalid, match=r"'a' goes up to 0\.6 and 'b' begins at 0.5"):
        check_layers([running("a", layer=Slice("l", 0, 0.6)), running("b", layer=Slice("l", 0.5, 1))])
    home = Target("placement", "home")
    with pytest.raises(Invalid, match="one thing belongs to one layer"):
        check_layers(
            [running("a", on=home, layer=Slice("l", 0, 0.5)), running("b", on=home, layer=Slice("m", 0, 0.5))]
        )
    stopped = moved(running("b", layer=Slice("l", 0.1, 1)), Status.STOPPED, 5, Outcome.INCONCLUSIVE)
    check_layers([running("a", layer=Slice("l", 0, 0.5)), stopped])


def test_a_switchback_gives_a_cluster_one_arm_for_a_stretch_and_says_when_it_washes() -> None:
    assigner = Assigner(
        running(
            unit="switchback", switchback=Switchback(60, cluster="city", washout_minutes=10), hash_version=3
        )
    )

    def at(minute: int, city: str = "Berlin", person: str = "u1") -> Assignment:
        return assigner.assign(Subject({"id": person, "city": city}, at=Instant(minute * MINUTE)))

    assert {at(minute, person=f"u{minute}").arm for minute in range(60)} == {at(0).arm}
    assert [at(minute).washing for minute in (0, 9, 10, 59, 60)] == [True, True, False, False, True]
    stretches = [at(60 * hour).arm for hour in range(200)]
    assert stretches.count("learned") == pytest.approx(100, abs=35)
    assert stretches != [at(60 * hour, city="Wien").arm for hour in range(200)]
    assert assigner.assign(Subject({"id": "u1"})).why is Why.NO_UNIT


def test_a_stretch_before_1970_is_one_too() -> None:
    assigner = Assigner(running(unit="switchback", switchback=Switchback(60)))
    one = assigner.assign(Subject({}, at=Instant(-MINUTE)))
    assert one.unit is not None
    assert one.unit.text == "|-1"


def test_a_session_is_a_unit_of_its_own() -> None:
    assigner = Assigner(running(unit="session", hash_attribute="sessionId"))
    got = {assigner.assign(Subject({"id": "u1", "sessionId": f"s{n}"})).arm for n in range(40)}
    assert got == {"popular", "learned"}


def test_targeting_takes_segments_attributes_and_both_languages() -> None:
    assigner = Assigner(
        running(
            when={"all": [{"field": "segment", "op": "eq", "value": "returning"},
                          {"field": "attributes.age", "op": "ge", "value": 18}]},
            condition={"country": {"$in": ["DE", "AT"]}},
        )
    )  # fmt: skip

    def why(segments: tuple[str, ...], **attributes: Any) -> Why:
        return assigner.assign(Subject({"id": "u", **attributes}, segments=segments)).why

    assert why(("returning", "vip"), age=20, country="DE") is Why.HASHED
    assert why(("new",), age=20, country="DE") is Why.NOT_MEANT
    assert why(("returning",), age=17, country="DE") is Why.NOT_MEANT
    assert why(("returning",), age="20", country="DE") is Why.NOT_MEANT
    assert why(("returning",), age=20, country="FR") is Why.NOT_MEANT


def test_conditions_that_cannot_be_read_are_refused_with_their_place() -> None:
    with pytest.raises(Invalid) as error:
        Assigner(running(condition={"$and": [{"ua": {"$regex": "(?=x)"}}]}))
    assert (error.value.code, error.value.path) == ("experiment_invalid", "condition.$and[0].ua.$regex")
    with pytest.raises(Invalid) as error:
        Assigner(running(when={"field": "country", "op": "eq", "value": "DE"}))
    assert (error.value.code, error.value.path) == ("experiment_invalid", "when.field")


@pytest.mark.parametrize(
    "tree",
    [
        {"a": {"$in": list(range(1_001))}},
        {"a": "x" * 1_001},
        {"$and": [{"a": 1}] * 101},
        {"$not": {"$not": {"$not": {"$not": {"$not": {"$not": {"$not": {"$not": {"a": 1}}}}}}}}},
        {"a": [[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]},
        {"a": [list(range(600)), list(range(600))]},
        "a",
        {"$or": {"a": 1}},
        {"$savedGroup": "vip"},
    ],
)
def test_a_condition_over_the_limits_is_refused_even_where_one_forgives(tree: Any) -> None:
    with pytest.raises(Invalid):
        Query(tree, forgiving=True)


def test_an_evaluation_that_would_take_long_means_nobody_even_behind_a_not() -> None:
    costly = {"tags": {"$not": {"$all": [f"t{n}" for n in range(80)]}}}
    attributes = {"tags": [f"t{n}" for n in reversed(range(2_000))]}
    with pytest.raises(TooCostly):
        Query(costly).matches(attributes)
    got = Assigner(running(condition=costly)).assign(Subject({"id": "u", **attributes}))
    assert (got.inside, got.why) == (False, Why.TOO_COSTLY)


def test_a_saved_group_of_a_hundred_thousand_is_looked_up_not_searched() -> None:
    group = Group([f"u{n}" for n in range(100_000)])
    query = Query({"id": {"$inGroup": "vip"}})
    assert query.matches({"id": "u99999"}, {"vip": group})
    assert not query.matches({"id": "u100000"}, {"vip": group})


def test_prerequisites_ask_flags_and_fail_without_them() -> None:
    assigner = Assigner(running(prerequisites=(Prerequisite("new-site", {"value": True}),)))
    subject = Subject({"id": "u"})
    assert assigner.assign(subject, lambda flag: flag == "new-site").inside
    assert assigner.assign(subject, lambda _: False).why is Why.PREREQUISITE
    assert assigner.assign(subject).why is Why.PREREQUISITE


def test_flags_that_wait_for_themselves_are_refused_by_name() -> None:
    def flag(key: str, *needs: str, experiment: str | None = None) -> Flag:
        rules = (FlagRule(experiment=experiment, arms={"popular": "on"}),) if experiment else ()
        needed = tuple(Prerequisite(need, {"value": True}) for need in needs)
        return Flag(key=key, prerequisites=needed, rules=rules)

    check_prerequisites([flag("a", "b", "c"), flag("b", "c"), flag("c", "unknown")])
    with pytest.raises(Invalid, match="b -> c -> b"):
        check_prerequisites([flag("a", "b"), flag("b", "c"), flag("c", "b")])
    with pytest.raises(Invalid, match="a -> a"):
        check_prerequisites([flag("a", "a")])
    test = running("t", prerequisites=(Prerequisite("a", {"value": True}),))
    with pytest.raises(Invalid, match="a -> a"):
        check_prerequisites([flag("a", experiment="t")], [test])
    check_prerequisites([flag(str(n), str(n + 1)) for n in range(20)])
    for backwards in (False, True):
        chain = [flag(str(n), str(n + 1)) for n in range(3_000)]
        with pytest.raises(Invalid, match="more than 20"):
            check_prerequisites(chain[::-1] if backwards else chain)


def test_a_draft_assigns_nobody_and_what_was_rolled_out_reaches_everybody() -> None:
    draft = Experiment(key="t", arms=(Arm("popular"), Arm("learned")))
    assert Assigner(draft).assign(Subject({"id": "u"})).why is Why.NOT_RUNNING
    stopped = moved(running(), Status.STOPPED, 9, Outcome.SHIP, "learned")
    assert Assigner(stopped).assign(Subject({"id": "u"})).arm == "popular"
    out = Assigner(moved(stopped, Status.ROLLED_OUT, 10)).assign(Subject({}))
    assert (out.arm, out.inside, out.why) == ("learned", False, Why.ROLLED_OUT)


def test_a_forced_arm_is_given_and_not_counted_as_chance() -> None:
    got = Assigner(running()).assign(Subject({}, forced={"ranker": "learned"}))
    assert (got.arm, got.why, got.propensity) == ("learned", Why.FORCED, 0.0)
    assert not Assigner(running()).assign(Subject({}, forced={"ranker": "unknown"})).inside


def test_a_later_stage_takes_nobody_back_and_opens_an_epoch() -> None:
    test = running(stages=(0.01, 0.05, 0.25, 0.5, 1.0), hash_version=3)
    treated: set[int] = set()
    for stage, share in enumerate(test.stages):
        test = staged(test, stage, 10 + stage)
        now = {n for n, each in enumerate(arms_of(test, 3_000)) if each.arm == "learned"}
        assert treated <= now
        assert len(now) == pytest.approx(3_000 * share, abs=90)
        treated = now
    assert [epoch.weights[1] for epoch in test.epochs] == [0.5, 0.01, 0.05, 0.25, 0.5, 1.0]
    assert arms_of(test, 1)[0].epoch == 5


def test_new_weights_open_an_epoch_only_while_it_runs() -> None:
    draft = Experiment(key="t", arms=(Arm("a"), Arm("b")))
    assert reweighted(draft, (0.1, 0.9), 1.0, 5).epochs == ()
    live = reweighted(moved(draft, Status.RUNNING, 5), (0.1, 0.9), 0.5, 6)
    assert live.epochs == (Epoch(5, (0.5, 0.5), 1.0), Epoch(6, (0.1, 0.9), 0.5))
    with pytest.raises(Invalid, match="epochs"):
        reweighted(live, (0.2, 0.8), 0.5, 6)
    stopped = moved(live, Status.STOPPED, 9, Outcome.ROLL_BACK)
    with pytest.raises(Invalid, match="gives nobody an arm"):
        reweighted(stopped, (0.5, 0.5), 1.0, 10)


def test_units_with_an_arm_of_an_old_version_are_left_out() -> None:
    documents = {"id||u": {"ranker__0": "learned"}}
    assert Assigner(running()).assign(Subject({"id": "u"}, sticky=documents)).why is Why.STICKY
    later = running(bucket_version=2, min_bucket_version=1)
    assert Assigner(later).assign(Subject({"id": "u"}, sticky=documents)).why is Why.OLD_VERSION
