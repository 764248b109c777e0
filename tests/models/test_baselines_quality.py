"""On published clicks the baselines are as good as others found them: a weak baseline proves nothing."""

from __future__ import annotations

import pytest

from benchmarks.baselines import clicked, quality, value
from benchmarks.quality import PUBLISHED_MRR, data_folder
from heedful.models.metrics.intervals import bootstrap_difference, difference, ratio

pytestmark = pytest.mark.skipif(
    not data_folder().is_dir(), reason="serenade_example is not there: set HEEDFUL_DATA to the data folder"
)


def mrr(name: str) -> float:
    return value(ratio(quality(name).mrr)).value


def hit_rate(name: str) -> float:
    return value(ratio(quality(name).hit_rate)).value


def test_the_questions_are_those_of_the_published_protocol() -> None:
    assert len(clicked().questions) == 931
    assert value(ratio(quality("popular").mrr)).events == 931


def test_popularity_knows_next_to_nothing() -> None:
    assert hit_rate("popular") == pytest.approx(0.011, abs=0.001)


def test_vs_knn_is_as_good_as_published() -> None:
    assert mrr("vs-knn") == pytest.approx(PUBLISHED_MRR, abs=0.01)
    assert hit_rate("vs-knn") == pytest.approx(0.665, abs=0.01)


def test_vstan_is_better_than_vs_knn_beyond_chance() -> None:
    vstan, vs_knn = quality("vstan").mrr, quality("vs-knn").mrr
    assert value(difference(vstan, vs_knn)).low > 0
    assert value(bootstrap_difference(vstan, vs_knn, seed=1)).low > 0
    assert hit_rate("vstan") > 0.66


def test_rules_are_better_than_a_chain_and_both_than_popularity() -> None:
    assert hit_rate("sequential-rules") > hit_rate("markov") + 0.05
    assert mrr("sequential-rules") > mrr("markov") > mrr("popular") + 0.2
    assert hit_rate("item-knn") > 0.5
