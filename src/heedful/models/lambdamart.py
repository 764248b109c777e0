"""Fits trees that order candidates, with LightGBM, so that the same examples give the same bytes.

LambdaMART: boosted regression trees on the gradient of pairwise logistic loss, each pair weighed by how much
swapping it would change NDCG (Burges, "From RankNet to LambdaRank to LambdaMART: an overview", MSR-TR-2010-82).
LightGBM is needed here and nowhere else; it comes with `heedful[fit]`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from heedful.models.examples import Examples
from heedful.models.forest import MOST_LEAVES, Forest
from heedful.vocabulary.errors import Invalid, SettingsError

_FEWEST_VALIDATED = 20
"""Fewer groups than this say nothing about when to stop."""

_MOST_GRADES = 256


class FitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How trees are fitted.

    trees: at most as many. leaves: of a tree, 2 to 64. rate: what each tree counts for, in (0, 1].
    fewest: rows in a leaf; 0 takes a two-thousandth of all rows, but 20 to 500.
    columns: the share of columns each tree sees, in (0, 1]. ridge: added to what each leaf divides by.
    depth: how many places of the list matter: lambdas and validation look no further.
    validation: the newest share of the groups, by which fitting stops; 0 grows all trees
        on everything, and leaves it to the judgement afterwards whether they are too many.
    patience: how many trees without a gain there before it stops.
    most: the largest weight that correcting for position may give. seed: of the columns' choice.
    """

    trees: int = 100
    leaves: int = 31
    rate: float = 0.1
    fewest: int = 0
    columns: float = 0.8
    ridge: float = 1.0
    depth: int = 20
    validation: float = 0.0
    patience: int = 40
    most: float = 10.0
    seed: int = 7


class Fit(NamedTuple):
    """forest: what was fitted. groups: how many were learned from. held: how many said when to stop.
    unsaid: how many were left out because no row in them did better than another. ndcg: at `depth` over those
    held, or None without."""

    forest: Forest
    groups: int
    held: int
    unsaid: int
    ndcg: float | None


def fit(examples: Examples, settings: FitSettings | None = None) -> Fit:
    """Trees that put rows of higher gain first. A pure function of its arguments (and LightGBM's version).

    Gains stand for themselves: a row's grade is the rank of its gain, and NDCG counts the gain.
    Raises Invalid where there is nothing to learn from, SettingsError where LightGBM is missing or settings
    are out of range.
    """
    lightgbm = _lightgbm()
    settings = settings or FitSettings()
    _check(settings)
    told = examples.unbiased(settings.most).telling()
    unsaid = int(np.count_nonzero(~examples.tells()))
    if not len(told):
        raise Invalid("examples_missing", "there is no group in which one row did better than another")
    older, newer = told.split(settings.validation)
    if min(len(older), len(newer)) < _FEWEST_VALIDATED:
        older, newer = told, told.take(np.zeros(0, dtype=np.int64))
    grades = np.unique(np.concatenate([[0.0], told.gains]))
    if len(grades) > _MOST_GRADES:
        raise Invalid("examples_invalid", f"gains take {len(grades)} values, at most {_MOST_GRADES}")
    parameters = _parameters(settings, older, grades)
    learned = _dataset(lightgbm, older, grades, parameters)
    seen: dict[str, Any] = {}
    if len(newer):
        held = _dataset(lightgbm, newer, grades, parameters, reference=learned)
        booster = lightgbm.train(
            parameters,
            learned,
            settings.trees,
            valid_sets=[held],
            valid_names=["held"],
            callbacks=[
                lightgbm.early_stopping(settings.patience, verbose=False),
                lightgbm.record_evaluation(seen),
            ],
        )
    else:
        booster = lightgbm.train(parameters, learned, settings.trees)
    used = booster.best_iteration if len(newer) else 0
    forest = Forest.parse(booster.model_to_string(num_iteration=used or None), examples.features)
    ndcg = seen["held"][f"ndcg@{settings.depth}"][used - 1] if used > 0 else None
    return Fit(forest, len(older), len(newer), unsaid, ndcg)


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise SettingsError(f"fitting trees needs LightGBM: pip install 'heedful[fit]' ({error})") from error
    return lightgbm


def _check(settings: FitSettings) -> None:
    within = {
        "trees": 1 <= settings.trees <= 10_000,
        "leaves": 2 <= settings.leaves <= MOST_LEAVES,
        "rate": 0 < settings.rate <= 1,
        "fewest": settings.fewest >= 0,
        "columns": 0 < settings.columns <= 1,
        "ridge": settings.ridge >= 0,
        "depth": 1 <= settings.depth <= 1_000,
        "validation": 0 <= settings.validation <= 0.5,
        "patience": settings.patience >= 1,
        "most": settings.most >= 1,
        "seed": 0 <= settings.seed < 1 << 31,
    }
    for name, is_within in within.items():
        if not is_within:
            raise SettingsError(f"{name} is {getattr(settings, name)}, which is out of range")


def _parameters(settings: FitSettings, older: Examples, grades: NDArray[np.float64]) -> dict[str, Any]:
    fewest = settings.fewest or min(max(len(older.gains) // 2_000, 20), 500)
    return {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [settings.depth],
        "label_gain": grades.tolist(),
        "lambdarank_truncation_level": settings.depth,
        "num_leaves": settings.leaves,
        "learning_rate": settings.rate,
        "min_data_in_leaf": min(fewest, max(len(older.gains) // 10, 1)),
        "feature_fraction": settings.columns,
        "lambda_l2": settings.ridge,
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }


def _dataset(
    lightgbm: Any,
    examples: Examples,
    grades: NDArray[np.float64],
    parameters: dict[str, Any],
    reference: Any = None,
) -> Any:
    weights = None
    if examples.weights is not None:
        weights = np.repeat(examples.weights / examples.weights.mean(), examples.sizes)
    return lightgbm.Dataset(
        examples.table,
        label=np.searchsorted(grades, examples.gains),
        group=examples.sizes,
        weight=weights,
        reference=reference,
        params=parameters,
    )
