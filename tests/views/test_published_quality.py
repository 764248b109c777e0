"""On Serenade's own example the live index answers as well as Serenade's published figure says."""

from __future__ import annotations

import pytest

from benchmarks.quality import PUBLISHED_MRR, data_folder, neighbours_quality


@pytest.mark.skipif(
    not data_folder().is_dir(), reason="serenade_example is not there: set HEEDFUL_DATA to the data folder"
)
def test_session_neighbours_reach_the_published_quality() -> None:
    quality = neighbours_quality()
    assert quality.predictions == 931
    assert abs(quality.mrr - PUBLISHED_MRR) <= 0.003
    assert quality.hit_rate > 0.65
