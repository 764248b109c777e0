"""Trees that order: better than what they are given, the same every time, and not fooled by places."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from heedful.models.examples import Examples
from heedful.models.forest import Forest
from heedful.models.lambdamart import FitSettings, fit
from heedful.vocabulary.errors import Invalid, SettingsError

NAMES = ("match", "popular", "noise")
SMALL = FitSettings(trees=25, leaves=8, columns=1.0, validation=0.15)


def questions(count: int, *, seed: int = 0, rows: int = 12) -> Examples:
    """In each group the row of the largest match and popularity together did best; noise says nothing."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(count * rows, 3)).astype(np.float32)
    worth = (table[:, 0] + np.abs(table[:, 1])).reshape(count, rows)
    gains = np.zeros((count, rows))
    gains[np.arange(count), worth.argmax(axis=1)] = 1.0
    return Examples(NAMES, table, gains.ravel(), np.full(count, rows), np.arange(count) * 1_000)


def first_is_best(forest: Forest, examples: Examples) -> float:
    """The share of groups whose best row is put first."""
    out = np.zeros(len(examples.gains))
    forest.score(examples.table, out)
    rows = int(examples.sizes[0])
    return float(
        np.mean(
            examples.gains.reshape(-1, rows)[np.arange(len(examples)), out.reshape(-1, rows).argmax(axis=1)]
        )
    )


def test_it_learns_an_order_that_holds_for_questions_it_has_not_seen() -> None:
    found = fit(questions(600), SMALL)
    assert (found.groups, found.held, found.unsaid) == (510, 90, 0)
    assert found.ndcg is not None and found.ndcg > 0.8
    assert first_is_best(found.forest, questions(200, seed=9)) > 0.7
    importance = found.forest.importance()
    assert importance["noise"] < 0.1 < importance["popular"]


def test_the_same_examples_and_seed_give_the_same_bytes_in_another_process() -> None:
    program = (
        "from tests.models.test_lambdamart import *\n"
        "print({k: a.tobytes() for k, a in fit(questions(200), FitSettings(trees=8)).forest.arrays().items()})"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": str(n)},
        ).stdout
        for n in (1, 2)
    ]
    assert said[0] == said[1]
    assert len(said[0]) > 1_000
    here = {
        name: array.tobytes()
        for name, array in fit(questions(200), FitSettings(trees=8)).forest.arrays().items()
    }
    assert said[0].strip() == str(here)
    other = fit(questions(200), FitSettings(trees=8, seed=8)).forest.arrays()
    assert {name: array.tobytes() for name, array in other.items()} != here


def test_fitting_stops_where_newer_questions_are_no_better_answered() -> None:
    examples = questions(400)
    noise = msgspec.structs.replace(SMALL, trees=200, patience=3)
    rng = np.random.default_rng(5)
    gains = rng.permuted(examples.gains.reshape(400, 12), axis=1).ravel()
    shuffled = Examples(NAMES, examples.table, gains, examples.sizes, examples.times)
    assert len(fit(shuffled, noise).forest) < 50
    assert len(fit(examples, msgspec.structs.replace(SMALL, validation=0.0)).forest) == SMALL.trees


def test_validation_is_the_newest_part_whatever_the_order_it_came_in() -> None:
    examples = questions(40)
    mixed = examples.take(np.random.default_rng(0).permutation(40))
    older, newer = mixed.split(0.25)
    assert older.times.max() < newer.times.min()
    assert (len(older), len(newer)) == (30, 10)
    np.testing.assert_array_equal(np.sort(newer.table.ravel()), np.sort(examples.table[30 * 12 :].ravel()))
    same = Examples(NAMES, examples.table, examples.gains, examples.sizes, np.zeros(40, dtype=np.int64))
    assert [len(part) for part in same.split(0.25)] == [40, 0]


def test_a_larger_gain_is_worth_more() -> None:
    """The column `match` marks clicks (gain 1), `popular` marks purchases (gain 5): both are in every group."""
    rng = np.random.default_rng(2)
    table = np.zeros((300, 6, 3), dtype=np.float32)
    table[:, :, 2] = rng.normal(size=(300, 6))
    table[:, 0, 0] = table[:, 1, 1] = 1.0
    gains = np.tile([1.0, 5.0, 0, 0, 0, 0], 300)
    examples = Examples(NAMES, table.reshape(-1, 3), gains, np.full(300, 6), np.arange(300))
    out = np.zeros(3)
    fit(examples, SMALL).forest.score(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=np.float32), out)
    assert out[0] > out[1] > out[2]


def clicks(count: int, examination: NDArray[np.float64], seed: int) -> Examples:
    """Lists ordered by a column that means little; what is relevant is clicked only where somebody looked."""
    rng = np.random.default_rng(seed)
    rows = len(examination)
    habit = -np.sort(-rng.normal(size=(count, rows)), axis=1)
    match = rng.normal(size=(count, rows))
    relevant = rng.random((count, rows)) < 1 / (1 + np.exp(-2 * match))
    clicked = relevant & (rng.random((count, rows)) < examination)
    table = np.stack([match, habit, rng.normal(size=(count, rows))], axis=2).astype(np.float32)
    return Examples(
        NAMES, table.reshape(-1, 3), clicked.ravel().astype(float), np.full(count, rows), np.arange(count),
        examined=np.tile(examination, count),
    )  # fmt: skip


def test_weighing_by_examination_undoes_the_pull_of_the_old_order() -> None:
    examples = clicks(1_500, 1.0 / np.arange(1, 9), seed=4)
    naive = Examples(NAMES, examples.table, examples.gains, examples.sizes, examples.times)
    settings = msgspec.structs.replace(SMALL, trees=40)
    pull = {
        name: fit(one, settings).forest.importance()["popular"]
        for name, one in (("naive", naive), ("weighed", examples))
    }
    assert pull["weighed"] < pull["naive"] / 2


def test_every_gain_becomes_a_question_of_its_own_that_counts_as_seldom_as_it_was_seen() -> None:
    examples = Examples(
        NAMES, np.arange(12, dtype=np.float32).reshape(4, 3), np.array([1.0, 0.0, 5.0, 0.0]),
        np.array([3, 1]), np.array([7, 8]), weights=np.array([2.0, 1.0]),
        examined=np.array([0.5, 1.0, 0.01, 1.0]),
    )  # fmt: skip
    found = examples.unbiased(10.0)
    assert found.sizes.tolist() == [2, 3]
    assert found.gains.tolist() == [1.0, 0.0, 0.0, 0.0, 5.0]
    assert found.table[:, 0].tolist() == [0.0, 3.0, 0.0, 3.0, 6.0]
    assert found.weights is not None
    assert found.weights.tolist() == [4.0, 20.0]
    assert found.times.tolist() == [7, 7]


def test_groups_that_teach_no_order_are_counted_and_left_out() -> None:
    examples = questions(100)
    gains = examples.gains.copy()
    gains[:120], gains[120:132] = 0.0, 1.0
    found = fit(Examples(NAMES, examples.table, gains, examples.sizes, examples.times), SMALL)
    assert found.unsaid == 11
    assert found.groups + found.held + found.unsaid == 100
    with pytest.raises(Invalid, match="no group"):
        fit(Examples(NAMES, examples.table, np.zeros(1_200), examples.sizes, examples.times), SMALL)


def test_columns_that_say_nothing_give_a_forest_that_scores_all_alike() -> None:
    examples = questions(200)
    same = Examples(NAMES, np.ones_like(examples.table), examples.gains, examples.sizes, examples.times)
    forest = fit(same, SMALL).forest
    out = np.zeros(12)
    forest.score(examples.table[:12], out)
    assert len(set(out.tolist())) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"leaves": 65}, {"rate": 0.0}, {"trees": 0}, {"columns": 1.5}, {"validation": 0.9}, {"seed": -1}],
)
def test_settings_out_of_range_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        fit(questions(30), msgspec.structs.replace(FitSettings(), **wrong))


def test_examples_that_do_not_fit_together_are_refused_by_name() -> None:
    good = questions(3)
    with pytest.raises(Invalid, match="sizes"):
        Examples(NAMES, good.table, good.gains, np.array([12, 12, 11]), good.times)
    with pytest.raises(Invalid, match="gains"):
        Examples(NAMES, good.table, -good.gains, good.sizes, good.times)
    with pytest.raises(Invalid, match="examined"):
        Examples(NAMES, good.table, good.gains, good.sizes, good.times, examined=np.zeros(36))
    with pytest.raises(Invalid, match="table"):
        Examples(NAMES, good.table[:, :2], good.gains, good.sizes, good.times)


def test_examples_are_joined_once_they_are_corrected() -> None:
    one, other = questions(3), questions(2, seed=5)
    shown = replace(other, examined=np.full(len(other.gains), 0.25), weights=np.full(2, 0.5))
    both = one.joined(shown.unbiased())
    assert (len(both), len(both.gains)) == (5, 60)
    assert both.weights is not None
    assert both.weights.tolist() == [1.0, 1.0, 1.0, 2.0, 2.0]
    np.testing.assert_array_equal(both.take(np.arange(3)).table, one.table)
    with pytest.raises(Invalid, match="corrected"):
        one.joined(shown)
