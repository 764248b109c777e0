"""The feature table over random shops, against the same columns written down the slow way."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.compose.pipelines import pipeline_of
from heedful.pipeline.features import NEVER, UNPOPULAR, Features
from heedful.pipeline.pipeline import Pipeline
from heedful.services.asking import Asking
from heedful.services.recommend import Recommend
from heedful.vocabulary.recommendation import RecommendRequest, Situation
from heedful.vocabulary.time import HOUR, MINUTE, SECOND, instant
from tests.pipeline.test_pipeline import DEEDS, ITEMS, PEOPLE, open_shop
from tests.services.shop import Shop

IDLE = 30 * MINUTE
SHELF = st.lists(
    st.fixed_dictionaries(
        {"id": st.sampled_from((*ITEMS, "never seen"))},
        optional={
            "categories": st.sampled_from((["sleep"], ["cook", "sleep"])),
            "price": st.sampled_from(({"minor": 0}, {"minor": 1_999})),
            "published": st.just("2026-11-20T08:00:00Z"),
        },
    ),
    max_size=5,
)


def asked(shop: Shop, who: str | None, page: str | None) -> tuple[Any, Pipeline]:
    """The context of a question and the pipeline that has just answered it."""
    fold = shop.engine.fold
    service: Recommend = shop.engine.recommending
    request = RecommendRequest(user_id=who, context=Situation(page))
    asker = service._asker(request)
    context = Asking(fold).context(asker.subject, limit=request.limit, now=shop.clock.now(), page=page or "")
    pipeline = pipeline_of(fold)
    pipeline.run(context, seed=1)
    return context, pipeline


def expected(shop: Shop, context: Any, item: int) -> dict[str, float]:
    """Our own columns of one candidate, from the views' public readings."""
    fold, now = shop.engine.fold, context.now
    past = fold.history.rows(context.subject) if context.subject >= 0 else None
    rows = [] if past is None else [
        (int(at), int(what)) for at, what, kind in zip(past.at, past.item, past.kind, strict=True)
        if what >= 0 and fold.meanings.joins[kind]
    ]  # fmt: skip
    rows.reverse()
    here = 0
    while here < len(rows) and ([now, *[at for at, _ in rows]][here] - rows[here][0]) <= IDLE:
        here += 1
    mine = [place for place, (_, what) in enumerate(rows) if what == item]
    described = {
        code: fold.catalogue.get(code) for code in [item, *context.trail.tolist(), *[w for _, w in rows]]
    }
    costs = {
        code: math.log2(1 + one.price.minor)
        for code, one in described.items()
        if one is not None and one.price
    }
    first = {code: one.categories[0] for code, one in described.items() if one is not None and one.categories}
    usual = [costs[what] for _, what in rows if what in costs]
    one = described[item]
    hours = sorted({int(at) // HOUR for at in _touches(shop, item)})
    age = math.log2(1 + now // HOUR - hours[0]) if hours else -1.0
    if one is not None and one.published is not None:
        age = math.log2(1 + (now - instant(one.published)) / HOUR)
    trail = context.trail.tolist()
    alike = [first.get(code) == first[item] for code in trail] if item in first else []
    return {
        "age": age,
        "price": costs.get(item, -1.0),
        "price_gap": costs[item] - sum(usual) / len(usual) if item in costs and usual else 0.0,
        "same_category": float(bool(alike) and alike[0]),
        "category_share": sum(alike) / len(trail) if trail else 0.0,
        "touched": len(mine),
        "touched_here": sum(place < here for place in mine),
        "touched_ago": math.log2(1 + (now - rows[mine[0]][0]) / MINUTE) if mine else NEVER,
        "trail": len(trail),
        "position": here,
        "gap": math.log2(1 + (now - rows[0][0]) / SECOND) if rows else NEVER,
        "hour": now // HOUR % 24,
    }


def _touches(shop: Shop, item: int) -> list[int]:
    fold = shop.engine.fold
    pasts = [fold.history.rows(subject) for subject in range(len(fold.subjects))]
    return [
        int(at) for past in pasts for at, what, kind in zip(past.at, past.item, past.kind, strict=True)
        if what == item and fold.meanings.weights[kind]
    ]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(DEEDS, SHELF, st.sampled_from((*PEOPLE, "dee", None)), st.sampled_from((None, *ITEMS)))
def test_every_column_says_what_the_slow_way_says(
    deeds: list[tuple[str, str, str, int]], shelf: list[dict[str, Any]], who: str | None, page: str | None
) -> None:
    shop = open_shop(deeds, shelf)
    context, pipeline = asked(shop, who, page)
    features = Features(shop.engine.fold, pipeline.names)
    candidates = pipeline.candidates
    table = features.fill(context, candidates)
    assert table.shape == (len(candidates), len(features.names)) and np.isfinite(table).all()
    trends = shop.engine.fold.trends
    for item, row, scores in zip(candidates.items.tolist(), table.tolist(), candidates.scores, strict=True):
        told = dict(zip(features.names, row, strict=True))
        for name, value in expected(shop, context, item).items():
            assert math.isclose(told[name], value, rel_tol=1e-5, abs_tol=1e-5), name
        assert told["proposals"] == sum(told[f"{source}_place"] > 0 for source in pipeline.names)
        assert [told[f"{source}_score"] for source in pipeline.names] == scores.astype(np.float32).tolist()
        for horizon in ("6h", "1d", "7d", "30d"):
            score = trends.scores(horizon, np.array([item], dtype=np.int32), context.now)[0]
            wanted = max(UNPOPULAR, math.log2(score)) if score > 0 else UNPOPULAR
            # The table fades by the hour, the scores by the bucket: less than one bucket of a day apart.
            assert abs(told[f"popularity_{horizon}"] - wanted) <= 24 * HOUR / HOUR / (24 * 7) + 1e-5
        assert math.isclose(told["rise"], told["popularity_1d"] - told["popularity_7d"], abs_tol=1e-5)


@settings(max_examples=60, deadline=None)
@given(DEEDS, st.sampled_from((*PEOPLE, None)))
def test_a_place_is_the_inverse_of_the_rank_in_the_sources_own_list(
    deeds: list[tuple[str, str, str, int]], who: str | None
) -> None:
    shop = open_shop(deeds, [])
    context, pipeline = asked(shop, who, None)
    table = Features(shop.engine.fold, pipeline.names).fill(context, pipeline.candidates)
    for source in range(len(pipeline.names)):
        places = table[:, 2 * source + 1]
        ranks = sorted(round(1 / place) for place in places[places > 0])
        assert ranks == list(range(1, len(ranks) + 1))
