"""No table holds figures that do not compare."""

from __future__ import annotations

import numpy as np
import pytest

from heedful.models.metrics.intervals import Estimate, Refusal
from heedful.models.metrics.protocol import Mixed, Repeats, Result, Rules, Table, Walk, without

RULES = Rules("clicks", Walk.NEXT_ITEM, Repeats.REPEAT, 20)
HIT_RATE = {"hit_rate": Estimate(0.6, 0.5, 0.7, 100, 900)}
SESSION = np.array([4, 2, 4, 7], dtype=np.int32)


@pytest.mark.parametrize(
    "other",
    [
        RULES._replace(repeats=Repeats.NO_REPEAT),
        RULES._replace(repeats=Repeats.NO_CURRENT),
        RULES._replace(walk=Walk.PREQUENTIAL),
        RULES._replace(k=10),
        RULES._replace(data="orders"),
    ],
)
def test_a_table_refuses_figures_of_other_rules(other: Rules) -> None:
    table = Table(RULES, [Result(RULES, "popular", HIT_RATE)])
    with pytest.raises(Mixed, match="clicks, next item, repeat, at 20"):
        table.add(Result(other, "vs-knn", HIT_RATE))
    assert [result.system for result in table.results] == ["popular"]


def test_a_table_has_one_row_for_a_system_and_no_figure_without_a_definition() -> None:
    table = Table(RULES, [Result(RULES, "popular", {"mrr": Refusal("not enough data", 1, 1)})])
    with pytest.raises(ValueError, match="already"):
        table.add(Result(RULES, "popular", HIT_RATE))
    with pytest.raises(ValueError, match="no definition of hitrate"):
        table.add(Result(RULES, "vs-knn", {"hitrate": HIT_RATE["hit_rate"]}))


def test_what_is_barred_and_what_is_asked_follow_from_the_rule() -> None:
    assert Repeats.REPEAT.barred(SESSION).tolist() == []
    assert Repeats.NO_CURRENT.barred(SESSION).tolist() == [7]
    assert Repeats.NO_REPEAT.barred(SESSION).tolist() == [4, 2, 4, 7]
    asked = {rule: [rule.asks(SESSION, target) for target in (7, 2, 9)] for rule in Repeats}
    assert asked == {
        Repeats.REPEAT: [True, True, True],
        Repeats.NO_CURRENT: [True, True, True],
        Repeats.NO_REPEAT: [False, False, True],
    }


def test_what_is_barred_leaves_the_list_and_the_next_ones_move_up() -> None:
    answer = np.array([7, 1, 4, 3, 2], dtype=np.int32)
    assert without(answer, Repeats.NO_REPEAT.barred(SESSION), 2).tolist() == [1, 3]
    assert without(answer, Repeats.REPEAT.barred(SESSION), 2).tolist() == [7, 1]
