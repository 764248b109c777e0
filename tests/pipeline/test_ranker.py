"""A fitted model ranks where it fits the features, and what it gave a score is told in groups that add up."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from heedful.compose.pipelines import Pipelines
from heedful.models.booster import Tree
from heedful.models.forest import Forest
from heedful.models.linear import Linear
from heedful.pipeline.context import Context
from heedful.pipeline.pipeline import Pipeline
from heedful.pipeline.ranker import Learned, Model
from heedful.vocabulary.placement import Placement
from tests.services.shop import Shop


@pytest.fixture(scope="module")
def shop() -> Shop:
    shop = Shop()
    for number in range(12):
        shop.views(f"p{number}", f"i{number}", f"i{number * 5 % 12}", f"i{number * 7 % 11}")
        shop.wait(60)
    return shop


def pipeline_of(shop: Shop) -> tuple[Pipeline, Learned]:
    pipeline = Pipelines(shop.engine.fold).of(Placement(name="default"))
    assert isinstance(pipeline.ranker, Learned)
    return pipeline, pipeline.ranker


def question(shop: Shop) -> Context:
    asking = shop.engine.recommending._asking
    subject = shop.engine.collecting._pseudonyms.user("p3")
    return asking.context(subject, limit=10, now=shop.clock.now())


def forest(names: tuple[str, ...], seed: int) -> Forest:
    """Thirty trees of four leaves at random."""
    random = np.random.default_rng(seed)

    def tree() -> Tree:
        rows = random.integers(1, 50, 4)
        return Tree(
            feature=random.integers(0, len(names), 3).astype(np.int32), threshold=random.normal(1.0, 1.0, 3),
            nan_right=np.zeros(3, dtype=np.bool_), left=np.array([1, ~0, ~2], dtype=np.int32),
            right=np.array([2, ~1, ~3], dtype=np.int32), gain=np.ones(3), leaf=random.normal(size=4),
            rows=rows.astype(np.int64),
        )  # fmt: skip

    return Forest(names, [tree() for _ in range(30)])


def linear(names: tuple[str, ...], seed: int) -> Linear:
    random = np.random.default_rng(seed)
    return Linear(names, random.normal(size=len(names)), np.full(len(names), 5.0))


@pytest.mark.parametrize("make", [forest, linear])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shares_and_the_base_add_up_to_the_score(shop: Shop, make: type[Forest], seed: int) -> None:
    pipeline, ranker = pipeline_of(shop)
    model: Model = make(ranker.features.names, seed)  # type: ignore[arg-type]  # either of the functions above
    ranker.adopt("m1", model)
    context = question(shop)
    pipeline.run(context, seed=0)
    totals = pipeline.candidates.totals.copy()
    assert len(totals) > 5
    assert totals.std() > 0
    table: NDArray[np.float32] = ranker.tell(context, pipeline.candidates)
    for row, score in zip(table, totals.tolist(), strict=True):
        shares = ranker.shares(row)
        assert sum(shares.values()) == pytest.approx(score, abs=1e-9)
        assert shares["base"] == model.base
        assert {"vstan", "sessions", "popularity", "item", "person", "category", "question"} <= shares.keys()


def test_a_model_for_other_features_is_not_used(shop: Shop) -> None:
    _, ranker = pipeline_of(shop)
    ranker.adopt("m1", linear(ranker.features.names, 1))
    assert ranker.name == "m1"
    ranker.adopt("m2", linear(ranker.features.names[1:], 1))
    assert (ranker.name, ranker.model, ranker.shares(np.zeros(1, dtype=np.float32))) == ("blend", None, {})


def test_without_its_model_the_ranker_is_the_blend_again(shop: Shop) -> None:
    pipeline, ranker = pipeline_of(shop)
    context = question(shop)
    before = pipeline.run(context, seed=0).items.copy()
    ranker.adopt("m1", linear(ranker.features.names, 4))
    during = pipeline.run(context, seed=0).items.copy()
    ranker.drop()
    after = pipeline.run(context, seed=0).items.copy()
    assert during.tolist() != before.tolist() == after.tolist()


def test_a_reason_is_the_loudest_source_also_where_a_model_ranks(shop: Shop) -> None:
    pipeline, ranker = pipeline_of(shop)
    context = question(shop)
    plain = pipeline.run(context, seed=0)
    carried = dict(zip(plain.items.tolist(), plain.source.tolist(), strict=True))
    ranker.adopt("m1", linear(ranker.features.names, 4))
    learned = pipeline.run(context, seed=0)
    shared = set(carried) & set(learned.items.tolist())
    assert shared
    for item, source in zip(learned.items.tolist(), learned.source.tolist(), strict=True):
        if item in shared:
            assert source == carried[item]
