"""The guide's example runs as it stands and prints what it says."""

from __future__ import annotations

import doctest
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "playground.md"


def test_the_example_of_the_guide_runs_and_prints_what_the_guide_says() -> None:
    results = doctest.testfile(str(GUIDE), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.attempted > 15
    assert results.failed == 0
