"""What was logged, and what another policy would have done there: the input of every estimator."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heedful.vocabulary.errors import Invalid

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]


class Logged(NamedTuple):
    """n decisions among K actions. Use the propensity that was logged with the row, never one worked out again.

    action: int64 (n,), 0 to K - 1. reward: float64 (n,). propensity: float64 (n,), above 0 to 1, of the
    action by the logging policy. target: float64 (n,), of the same action by the policy that is asked about.
    units: int64 (n,), whose decision it was; None: all independent. targets: float64 (n, K), the whole
    distribution that is asked about.
    propensities: float64 (n, K), the whole of the logging one. predicted: float64 (n, K), the reward that a model
    expects that was fitted without the row (`reward_models`).
    """

    action: Integers
    reward: Floats
    propensity: Floats
    target: Floats
    units: Integers | None = None
    targets: Floats | None = None
    propensities: Floats | None = None
    predicted: Floats | None = None

    @property
    def weights(self) -> Floats:
        """float64 (n,): how much likelier each action is under the target."""
        return self.target / self.propensity

    @property
    def modelled(self) -> tuple[Floats, Floats]:
        """float64 (n,) twice: what the model expects of the target, and of the action taken.

        Raises Invalid (`log_invalid`) without `targets` and `predicted`.
        """
        if self.targets is None or self.predicted is None:
            raise Invalid("log_invalid", "this estimator needs targets and predicted, (n, K) each")
        rows = np.arange(len(self.action))
        return (self.targets * self.predicted).sum(axis=1), self.predicted[rows, self.action]


def checked(log: Logged) -> Logged:
    """`log`, looked at. Raises Invalid (`log_invalid`) for shapes that differ and values out of range."""
    n = len(log.action)
    if n < 2:
        raise Invalid("log_invalid", "an estimate needs at least 2 decisions")
    for name, column in zip(log._fields, log, strict=True):
        if column is None:
            continue
        if len(column) != n or column.ndim != (2 if name in ("targets", "propensities", "predicted") else 1):
            raise Invalid("log_invalid", f"{name}: its shape does not fit {n} decisions", path=name)
        if not np.isfinite(column).all():
            raise Invalid("log_invalid", f"{name}: must be finite", path=name)
    if (log.propensity <= 0).any() or (log.propensity > 1).any():
        raise Invalid(
            "log_invalid", "propensity: above 0 to 1; what was done had a chance", path="propensity"
        )
    for name in ("target", "targets", "propensities"):
        column = getattr(log, name)
        if column is not None and ((column < 0).any() or (column > 1 + 1e-9).any()):
            raise Invalid("log_invalid", f"{name}: probabilities are 0 to 1", path=name)
    return log
