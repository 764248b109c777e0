"""What was chosen: the rows in their places, and with what probability each stands there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.pipeline.candidates import MOST


class Choice(NamedTuple):
    """rows: int64 (s,), chosen rows, best place first. propensities: float64 (s,), each in (0, 1]."""

    rows: NDArray[np.int64]
    propensities: NDArray[np.float64]


CERTAIN = np.ones(MOST)
CERTAIN.flags.writeable = False
"""Propensities of 1."""
