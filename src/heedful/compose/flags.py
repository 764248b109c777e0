"""Builds what serves flags, over an engine's parts."""

from __future__ import annotations

from heedful.log.commit import GroupCommit
from heedful.records.audit import Audit
from heedful.records.records import Records
from heedful.services.experiments import Assign, Experiments
from heedful.services.experiments.arms import Applied
from heedful.services.flags import EvaluateFlags, Expose, Flags
from heedful.services.gates import Gates
from heedful.services.holdout import Holdout
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.vocabulary.time import Clock


def flags_over(
    *,
    applied: Applied,
    records: Records,
    audit: Audit | None,
    experiments: Experiments,
    assign: Assign,
    gates: Gates,
    holdout: Holdout,
    commits: GroupCommit,
    fold: Fold,
    pseudonyms: Pseudonyms,
    clock: Clock,
) -> tuple[Flags, EvaluateFlags]:
    """The definitions, and what evaluates them. applied: sees whether experiments can start, also on flags."""
    flags = Flags(records, clock, experiments, audit=audit)
    applied.arms_of_flag = flags.arms_of
    evaluating = EvaluateFlags(
        flags=flags,
        fold=fold,
        assign=assign,
        gates=gates,
        holdout=holdout,
        expose=Expose(commits, assign),
        pseudonyms=pseudonyms,
        clock=clock,
    )
    return flags, evaluating
