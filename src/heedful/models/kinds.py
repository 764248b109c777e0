"""From the arrays of a kept model to a ranker that scores, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from heedful.models.forest import Forest
from heedful.models.linear import Linear
from heedful.models.shelf import Shelf, Version
from heedful.vocabulary.errors import Corrupt, HeedfulError

RANKERS: Mapping[str, type[Forest] | type[Linear]] = {"lambdamart": Forest, "linear": Linear}
"""What reads the arrays of each kind of ranker."""


class Fitted(Protocol):
    """A fitted ranker: a pure function of a row's columns."""

    features: tuple[str, ...]
    base: float

    def score(self, table: NDArray[np.float32], out: NDArray[np.float64]) -> None:
        """Write the score of each row of `table`, float32 (n, f), into `out`, float64 (n,); NaN is missing."""

    def shares(self, row: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each column gave to a row's score, float64 (f,); with `base` it sums to it."""

    def importance(self) -> dict[str, float]:
        """How much each column carries over all, in [0, 1]."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The ranker as plain arrays."""


def ranker_of(shelf: Shelf, version: Version) -> Fitted:
    """The ranker that `version` is. Raises Corrupt, also for a kind that this program does not know; NotFound."""
    reader = RANKERS.get(version.facts.kind)
    if reader is None:
        raise Corrupt(f"model {version.id} is of kind {version.facts.kind}, which this program does not know")
    return reader.of(version.facts.features, shelf.arrays(version.id))


class InForce(NamedTuple):
    """What answers now: a version and its ranker, or neither. trouble: the damage that took it, or ""."""

    version: Version | None
    ranker: Fitted | None
    trouble: str


def ranker_in_force(shelf: Shelf, place: str = "ranker") -> InForce:
    """The ranker that answers now. A damaged file is told, never raised: serving goes on without."""
    try:
        version = shelf.in_force(place)
        return InForce(version, ranker_of(shelf, version) if version is not None else None, "")
    except (HeedfulError, OSError) as error:
        return InForce(None, None, str(error))
