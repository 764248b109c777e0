"""Our kernel says what LightGBM says, and what a forest is survives being kept."""

from __future__ import annotations

from functools import cache
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heedful.models.booster import Tree
from heedful.models.exits import BLOCK
from heedful.models.forest import Forest
from heedful.vocabulary.errors import Corrupt, Invalid

AWKWARD = np.array(
    [0.0, -0.0, 1e-36, -1e-36, 1e-35, -1e-35, 1e-44, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan, 1.0, 0.1],
    dtype=np.float32,
)
"""Values where a comparison, a rounding or a missing value could go another way."""


def table_of(seed: int, rows: int, features: int, missing: float) -> NDArray[np.float32]:
    """A random table with coarse columns (ties with thresholds), smooth ones, and missing values."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(rows, features)).astype(np.float32)
    table[:, ::3] = np.round(table[:, ::3] * 2) / np.float32(10)
    table[rng.random((rows, features)) < missing] = np.nan
    return table


@cache
def booster_of(seed: int, leaves: int, trees: int, missing: float, spread: float = 1.0) -> Any:
    """A LightGBM model over 7 columns, 4 of which carry something."""
    table = table_of(seed, 600, 7, missing)
    table *= np.float32(spread)
    known = np.nan_to_num(table / np.float32(spread))
    target = known[:, 0] * known[:, 1] + np.sin(3 * known[:, 2]) + np.isnan(table[:, 3])
    parameters = {
        "objective": "regression", "num_leaves": leaves, "min_data_in_leaf": 2, "learning_rate": 0.3,
        "num_threads": 1, "verbose": -1, "deterministic": True, "force_row_wise": True,
    }  # fmt: skip
    return lightgbm.train(parameters, lightgbm.Dataset(table, target), trees)


def by_hand(model: Any, row: NDArray[np.float32]) -> float:
    """The slow twin: what the model's own description says, one row and one comparison at a time."""
    total = 0.0
    for tree in model.dump_model()["tree_info"]:
        node = tree["tree_structure"]
        while "leaf_value" not in node:
            value = float(row[node["split_feature"]])
            if np.isnan(value) and node["missing_type"] == "NaN":
                left = node["default_left"]
            else:
                left = (0.0 if np.isnan(value) else value) <= node["threshold"]
            node = node["left_child" if left else "right_child"]
        total += node["leaf_value"]
    return total


def scored(forest: Forest, table: NDArray[np.float32]) -> NDArray[np.float64]:
    out = np.full(len(table), np.nan)
    forest.score(table, out)
    return out


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 5),
    leaves=st.sampled_from([2, 5, 31, 32, 33, 64]),
    missing=st.sampled_from([0.0, 0.2]),
    rows=st.sampled_from([0, 1, 31, 32, 33, BLOCK - 1, BLOCK, BLOCK + 1, 300]),
    spread=st.sampled_from([1.0, 1e-35, 1e30]),
    asked=st.integers(0, 1 << 30),
)
def test_a_forest_scores_as_lightgbm_does(
    seed: int, leaves: int, missing: float, rows: int, spread: float, asked: int
) -> None:
    model = booster_of(seed, leaves, 12, missing, spread)
    forest = Forest.parse(model.model_to_string())
    rng = np.random.default_rng(asked)
    table = table_of(asked, rows, 7, 0.2) * np.float32(spread)
    odd = rng.random(table.shape) < 0.2
    table[odd] = rng.choice(AWKWARD, size=int(odd.sum()))
    expected = model.predict(table, raw_score=True, num_threads=1) if rows else np.zeros(0)
    np.testing.assert_allclose(scored(forest, table), expected, rtol=0, atol=1e-9)


def test_a_forest_scores_as_its_description_read_by_hand() -> None:
    model = booster_of(1, 31, 12, 0.2)
    table = table_of(99, 50, 7, 0.3)
    expected = [by_hand(model, row) for row in table]
    np.testing.assert_allclose(scored(Forest.parse(model.model_to_string()), table), expected, atol=1e-9)


def test_a_value_on_a_threshold_goes_where_the_exact_threshold_sends_it() -> None:
    """0.1 is no float32: the nearest one lies above it, so a float32 of 0.1 goes right."""
    tree = Tree(
        feature=np.array([0], dtype=np.int32),
        threshold=np.array([0.1]),
        nan_right=np.array([False]),
        left=np.array([~0], dtype=np.int32),
        right=np.array([~1], dtype=np.int32),
        gain=np.array([1.0]),
        leaf=np.array([-1.0, 1.0]),
        rows=np.array([5, 5]),
    )
    below, near = np.nextafter(np.float32(0.1), np.float32(0)), np.float32(0.1)
    assert float(near) > 0.1 > float(below)
    table = np.array([[below], [near], [np.nan]], dtype=np.float32)
    assert scored(Forest(["x"], [tree]), table).tolist() == [-1.0, 1.0, -1.0]


def test_a_tree_that_found_no_split_adds_its_one_leaf() -> None:
    table = np.zeros((50, 2), dtype=np.float32)
    model = lightgbm.train(
        {"objective": "regression", "num_threads": 1, "verbose": -1},
        lightgbm.Dataset(table, np.full(50, 3.0)),
        3,
    )
    forest = Forest.parse(model.model_to_string())
    np.testing.assert_allclose(scored(forest, table), model.predict(table, raw_score=True))
    assert forest.shares(table[0]).tolist() == [0.0, 0.0]


def test_shares_and_base_sum_to_the_score_and_name_the_columns_that_were_asked() -> None:
    forest = Forest.parse(booster_of(2, 31, 12, 0.2).model_to_string())
    table = table_of(5, 40, 7, 0.2)
    for row, score in zip(table, scored(forest, table), strict=True):
        assert forest.base + forest.shares(row).sum() == pytest.approx(score, abs=1e-9)
    importance = forest.importance()
    assert sum(importance.values()) == pytest.approx(1.0)
    assert max(importance, key=lambda name: importance[name]) == "Column_2"


def test_a_column_that_decides_nothing_has_no_share() -> None:
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.normal(size=400), np.zeros(400), rng.normal(size=400)]).astype(np.float32)
    model = lightgbm.train(
        {"objective": "regression", "num_threads": 1, "verbose": -1},
        lightgbm.Dataset(table, 3.0 * table[:, 0]),
        5,
    )
    forest = Forest.parse(model.model_to_string())
    first, constant, noise = np.abs([forest.shares(row) for row in table]).sum(axis=0)
    assert constant == 0.0
    assert first > 100 * noise


@pytest.mark.parametrize("leaves", [31, 64])
def test_a_forest_that_was_kept_scores_the_same_to_the_bit(leaves: int) -> None:
    forest = Forest.parse(booster_of(3, leaves, 12, 0.2).model_to_string(), features=list("abcdefg"))
    again = Forest.of(forest.features, forest.arrays())
    table = table_of(6, 200, 7, 0.2)
    assert scored(again, table).tobytes() == scored(forest, table).tobytes()
    assert again.base == forest.base
    assert len(again) == 12


@pytest.mark.parametrize(
    "parameters",
    [
        {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"zero_as_missing": True},
        {"linear_tree": True},
        {"objective": "multiclass", "num_class": 3},
        {"num_leaves": 65, "min_data_in_leaf": 1},
        {"columns": [0]},
    ],
    ids=["averaged", "zero is missing", "linear leaves", "classes", "65 leaves", "categories"],
)
def test_a_model_that_is_not_scored_is_refused(parameters: dict[str, Any]) -> None:
    table = np.nan_to_num(table_of(0, 600, 3, 0.0))
    table[:, 0] = np.arange(600) % 3
    target = (
        (np.arange(600) % 3).astype(float) if "num_class" in parameters else table[:, 1] + table[:, 0] ** 2
    )
    settings_ = {"objective": "regression", "num_threads": 1, "verbose": -1, **parameters}
    columns: Any = settings_.pop("columns", "auto")
    model = lightgbm.train(settings_, lightgbm.Dataset(table, target, categorical_feature=columns), 3)
    with pytest.raises(Invalid, match="scored"):
        Forest.parse(model.model_to_string())


def test_arrays_that_are_no_forest_are_corrupt_and_never_reach_the_kernel() -> None:
    forest = Forest.parse(booster_of(3, 31, 12, 0.2).model_to_string())
    damages: list[tuple[str, int, object]] = [
        ("feature", 0, 7), ("feature", 3, -1), ("left", 0, 0), ("left", 1, 500), ("right", 0, ~40),
        ("leaf", 2, np.nan), ("threshold", 0, np.nan), ("leaves", 0, 65), ("leaves", 0, 0), ("leaves", 1, 30),
        ("rows", 0, -1),
    ]  # fmt: skip
    for name, place, value in damages:
        arrays = {key: array.copy() for key, array in forest.arrays().items()}
        arrays[name][place] = value
        with pytest.raises(Corrupt):
            Forest.of(forest.features, arrays)
    for name in forest.arrays():
        with pytest.raises(Corrupt, match=name):
            Forest.of(forest.features, {key: array for key, array in forest.arrays().items() if key != name})


def test_a_table_of_another_shape_or_type_is_refused() -> None:
    forest = Forest.parse(booster_of(3, 31, 12, 0.2).model_to_string())
    out = np.zeros(4)
    for table in (np.zeros((4, 6), np.float32), np.zeros((4, 7)), np.zeros((7, 4), np.float32).T):
        with pytest.raises(ValueError, match="scoring takes float32"):
            forest.score(table, out)  # type: ignore[arg-type]  # that is the point
