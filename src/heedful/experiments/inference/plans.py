"""How an experiment is going to be judged, fixed at its start, and where it stands when it is asked."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from heedful.experiments.inference.answers import Method, Scale


class Side(StrEnum):
    """What counts against the null: either way, only more, only less (guardrails)."""

    BOTH = "both"
    GREATER = "greater"
    LESS = "less"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How an effect is judged.

    alpha: the error allowed. tuned_for: units at which a sequential interval is narrowest. null: the effect
    that is tested against, on the scale. fewest: units an arm needs before anything is said. hybrid_share:
    part of alpha that a hybrid plan spends while it runs; the rest is for its end. looks, spending:
    information fractions and the power φ of a group-sequential plan. prior_mean, prior_sd: on the relative
    scale, whatever the scale asked for; None is a flat prior. Raises ValueError for settings that make no
    sense.
    """

    method: Method = Method.SEQUENTIAL
    scale: Scale = Scale.ABSOLUTE
    side: Side = Side.BOTH
    alpha: float = 0.05
    tuned_for: float = 5_000
    null: float = 0.0
    fewest: int = 150
    hybrid_share: float = 0.2
    looks: tuple[float, ...] = ()
    spending: float = 2.0
    prior_mean: float = 0.0
    prior_sd: float | None = 0.3

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 0.5:
            raise ValueError("alpha lies between 0 and one half")
        if not self.tuned_for > 0 or not 0 < self.hybrid_share < 1 or self.fewest < 2:
            raise ValueError("tuned_for is positive, hybrid_share between 0 and 1, fewest at least 2")
        if self.scale is not Scale.ABSOLUTE and not self.null > -1:
            raise ValueError("a relative effect is greater than -1")
        if self.method is Method.GROUP_SEQUENTIAL and not self.looks:
            raise ValueError("a group-sequential plan names its looks")
        if self.prior_sd is not None and not self.prior_sd > 0:
            raise ValueError("the prior's spread is positive")


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """finished: the planned end is reached (hybrid). look: which planned look this is, from 0
    (group-sequential).
    """

    finished: bool = False
    look: int | None = None


RUNNING = Stage()
