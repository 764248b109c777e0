"""The reference numbers that other people's programs gave: `oracle_vectors.json`, beside the data."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from heedful.experiments.inference.sums import Sums

FOLDER = Path(os.environ.get("HEEDFUL_REFERENCES", Path(__file__).parents[3] / "../shared/references"))
SCALE = 1 << 60
"""Fixed point in which the vectors' floats are whole numbers."""


@cache
def vectors() -> Any:
    return json.loads((FOLDER / "oracle_vectors.json").read_text(encoding="utf-8"))


needs_vectors = pytest.mark.skipif(
    not (FOLDER / "oracle_vectors.json").is_file(),
    reason="oracle_vectors.json is not there: set HEEDFUL_REFERENCES to the references folder",
)


def arms(*, ratio: bool = False) -> tuple[Sums, Sums]:
    """Control and treatment of the A/B vectors."""
    found = vectors()["abtest_aggregates"]["arms"]
    one, other = (_ratio(found[arm]) if ratio else _mean(found[arm]) for arm in "01")
    return one, other


def _mean(arm: dict[str, float]) -> Sums:
    whole = {name: exactly(arm[name], 1) for name in "yx"}
    squares = {name: exactly(arm[given], 2) for name, given in (("yy", "yy"), ("xx", "xx"), ("yx", "xy"))}
    return Sums(n=int(arm["n"]), **whole, **squares)


def _ratio(arm: dict[str, float]) -> Sums:
    n, y, yy, d, dd, yd = (int(arm[name]) for name in ("n", "m", "mm", "d", "dd", "md"))
    return Sums(n=n, y=y, yy=yy, d=d, dd=dd, yd=yd)


def exactly(value: float, power: int) -> int:
    scaled = Fraction(value) * SCALE**power
    assert scaled.denominator == 1
    return int(scaled)
