"""The figures of a report are those of its definitions, with intervals over people and paired differences."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from heedful.compose import replaying
from heedful.compose.pipelines import pipeline_of
from heedful.services.evaluate.evaluate import Plan, Systems, evaluate
from heedful.services.evaluate.protocols import Protocol
from heedful.services.evaluate.report import Report
from heedful.services.evaluate.streams import Builder, Described, Stream
from heedful.services.evaluate.systems import Repeats, Update
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.event import Line
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.kinds import REFUND, VIEW
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import MINUTE
from tests.services.evaluate.histories import orders, views


class Always:
    """Answers the same items whatever happens."""

    def __init__(self, *items: int) -> None:
        self._items = np.array(items, dtype=np.int32)

    def learn(self, subject: int, item: int, at: int) -> None:
        del subject, item, at

    def answer(self, session: NDArray[np.int32], at: int, k: int, subject: int = -1) -> NDArray[np.int32]:
        del session, at, subject
        return self._items[:k]


def reported(stream: Stream, over: Systems | None = None, **plan: Any) -> Report:
    over = over or Systems({}, {"first": lambda idle: Always(0, 1), "second": lambda idle: Always(1, 0)})
    asked = {"systems": over.names, "k": 2, "repeats": (Repeats.ALLOWED,), **plan}
    return evaluate(stream, Plan(**asked), over, Settings())


def crowd(size: int) -> Stream:
    """Everybody looks at a; then the even ones look at a again, the odd ones at b."""
    first = [(f"p{n}", "a", n) for n in range(size)]
    return views(*first, *[(f"p{n}", "ab"[n % 2], size + n) for n in range(size)])


def test_ranks_become_figures() -> None:
    (table,) = reported(crowd(40)).tables
    first, second = table.rows
    assert (table.questions, table.people, table.several) == (40, 40, False)
    assert first.figures["hit_rate"].value == 1.0
    assert first.figures["mrr"].value == second.figures["mrr"].value == pytest.approx(0.75)
    assert first.figures["coverage"].value == 1.0


def test_a_difference_is_paired_over_people() -> None:
    (table,) = reported(crowd(40)).tables
    first, second = table.rows
    assert first.difference == {}
    gained = second.difference["mrr"]
    assert gained.value == pytest.approx(0.0)
    # Half of the people gain a half and half lose it: a standard error of 0.5 / sqrt(39).
    assert gained.high == pytest.approx(1.96 * 0.5 / 39**0.5, rel=1e-3)
    assert second.difference["hit_rate"] == msgspec.structs.replace(gained, value=0.0, low=0.0, high=0.0)


def test_with_few_people_there_is_a_figure_and_the_reason_why_it_has_no_interval() -> None:
    (table,) = reported(crowd(8)).tables
    found = table.rows[0].figures["mrr"]
    assert (found.value, found.low, found.high) == (0.75, None, None)
    assert "at least 30" in found.why


def test_the_two_rules_of_repeats_stand_in_two_tables() -> None:
    allowed, removed = reported(crowd(40), repeats=tuple(Repeats)).tables
    assert (allowed.repeats, allowed.questions, allowed.left_out) == ("allowed", 40, 0)
    assert (removed.repeats, removed.questions, removed.left_out) == ("removed", 20, 20)
    assert [row.figures["mrr"].value for row in removed.rows] == [1.0, 1.0]


def test_a_rule_that_leaves_no_question_has_an_empty_table() -> None:
    (table,) = reported(views(("x", "a", 0), ("x", "a", 1)), repeats=(Repeats.REMOVED,)).tables
    assert (table.questions, table.left_out, table.rows) == (0, 1, [])


def test_only_a_prequential_replay_has_a_course_over_time() -> None:
    (table,) = reported(crowd(40)).tables
    course = table.courses[0]
    assert (course.system, course.questions, course.hit_rate, course.mrr) == ("first", 40, [1.0], [0.75])
    (table,) = reported(crowd(40), protocol=Protocol.LAST_ITEM).tables
    assert table.courses == []


def test_a_course_slides_over_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heedful.services.evaluate.report.WINDOW", 2)
    stream = views(*[("x", item, minute) for minute, item in enumerate("aabbba")])
    (table,) = reported(stream, k=1).tables
    assert table.courses[0].hit_rate == [0.5, 0.0, 0.0, 0.5]
    assert table.courses[0].at == [minute * MINUTE for minute in (2, 3, 4, 5)]


def test_diversity_and_calibration_need_categories() -> None:
    (table,) = reported(crowd(40)).tables
    assert not {"diversity", "calibration"} & table.rows[0].figures.keys()
    builder = Builder("described")
    for n in range(40):
        builder.add(f"p{n}", VIEW, n * MINUTE, (Line("a"),))
        builder.add(f"p{n}", VIEW, (100 + n) * MINUTE, (Line("b"),))
    for name in "ab":
        builder.described.append(Described(0, name, Item(ItemId(name), categories=(name.upper(),))))
    (table,) = reported(builder.stream()).tables
    assert table.rows[0].figures["diversity"].value == 1.0
    assert (table.rows[0].figures["calibration"].value or 0) > 0


def test_the_first_system_is_the_reference_unless_another_is_named() -> None:
    assert reported(crowd(8)).reference == "first"
    (table,) = reported(crowd(8), reference="second").tables
    assert [bool(row.difference) for row in table.rows] == [True, False]


def test_every_update_has_a_row_and_all_compare_with_the_first() -> None:
    (table,) = reported(crowd(40), updates=(Update.INSTANT, Update.DAILY)).tables
    rows = [(row.system, row.update, bool(row.difference)) for row in table.rows]
    first, second = ("first", "instant", False), ("second", "instant", True)
    assert rows == [first, second, ("first", "daily", True), ("second", "daily", True)]


def test_a_basket_has_several_targets() -> None:
    stream = orders(("x", "o1", "ab", 0), ("x", "o2", "cab", 1))
    (table,) = reported(stream, protocol=Protocol.NEXT_BASKET).tables
    assert table.several
    assert table.rows[0].figures["recall"].value == pytest.approx(2 / 3)
    assert table.rows[0].figures["map"].value == 1.0


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        ({"systems": ("first", "third")}, "system_unknown"),
        ({"reference": "third"}, "system_unknown"),
        ({"systems": ("first",), "reference": "second"}, "reference_missing"),
        ({"protocol": Protocol.STRONG, "updates": (Update.DAILY,)}, "update_pointless"),
        ({"kinds": ("purchase",)}, "nothing_to_ask"),
        ({"limit": 1}, "nothing_to_ask"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(plan: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        reported(crowd(8), **plan)
    assert refused.value.code == code


def test_what_teaches_nothing_is_not_asked_for() -> None:
    builder = Builder("returns")
    for n, (kind, item) in enumerate(((VIEW, "a"), (VIEW, "b"), (REFUND, "a"))):
        order = "o" if kind == REFUND else ""
        builder.add("x", kind, n * MINUTE, (Line(item, 1, 0, item),), order=order)
    (table,) = reported(builder.stream()).tables
    assert table.questions == 1


def test_every_built_in_system_walks_the_same_stream() -> None:
    systems = replaying().systems
    stream = views(*[(f"p{n % 9}", "abcdefg"[n * n % 7], 3 * n) for n in range(200)])
    (table,) = reported(stream, systems, k=5).tables
    assert [row.system for row in table.rows] == list(systems.names)
    assert {"default", "popular", "markov", "item-knn", "vs-knn", "vstan"} <= set(systems.names)
    assert all(0 <= (row.figures["mrr"].value or 0) <= 1 for row in table.rows)
    assert msgspec.json.decode(msgspec.json.encode(table))["questions"] == 191


def test_a_pipeline_learns_what_a_crowd_does_next() -> None:
    stream = views(*[(f"p{n // 2}", "ab"[n % 2], n) for n in range(100)])
    systems = Systems({"default": pipeline_of}, {})
    (table,) = reported(stream, systems, k=1, warm_up=0.1).tables
    assert table.rows[0].figures["hit_rate"].value == 1.0


def test_a_pipeline_and_a_baseline_may_not_have_one_name() -> None:
    with pytest.raises(Invalid, match="vstan: the name of a pipeline and of a baseline") as refused:
        Systems({"vstan": pipeline_of}, {"vstan": lambda idle: Always(0, 1)})
    assert refused.value.code == "system_ambiguous"
