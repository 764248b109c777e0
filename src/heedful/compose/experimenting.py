"""Experiments put together: their life, their results, and who looks after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heedful.log.commit import GroupCommit
from heedful.services.experiments import Experiments, Guard, Ratios, Results
from heedful.services.experiments.arms import Applied
from heedful.views.fold import Fold
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import Clock

if TYPE_CHECKING:
    from heedful.compose.assembly import Stores


def experimenting(
    stores: Stores, commits: GroupCommit, fold: Fold, applied: Applied, settings: Settings, clock: Clock
) -> tuple[Experiments, Results, Guard]:
    """The services of experiments over one fold."""
    experiments = Experiments(
        stores.records,
        commits,
        clock,
        applies=applied,
        audit=stores.audit,
        currency=settings.metrics.currency,
    )
    ratios = Ratios(stores.records, clock)
    results = Results(experiments, fold, clock, ratios=ratios, smallest=settings.metrics.smallest_group)
    return experiments, results, Guard(experiments, results, ratios)
