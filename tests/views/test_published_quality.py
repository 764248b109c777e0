"""On Serenade's own example the live index answers as well as Serenade's published figure says."""

from __future__ import annotations

import pytest

from benchmarks.quality import PUBLISHED_MRR, data_folder, neighbours_quality, timed_quality

HERE = pytest.mark.skipif(
    not data_folder().is_dir(), reason="serenade_example is not there: set HEEDFUL_DATA to the data folder"
)


@HERE
def test_session_neighbours_reach_the_published_quality() -> None:
    quality = neighbours_quality()
    assert quality.predictions == 931
    assert abs(quality.mrr - PUBLISHED_MRR) <= 0.003
    assert quality.hit_rate > 0.65


@HERE
def test_neighbours_by_time_and_order_do_better_on_the_validation_clicks() -> None:
    plain, timed = neighbours_quality("valid"), timed_quality("valid")
    assert timed.predictions == plain.predictions
    assert timed.mrr > plain.mrr + 0.02
    assert timed.hit_rate > plain.hit_rate - 0.005
