"""Stores to an engine: the only place where the services of one process are put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from heedful.compose.consenting import consenting
from heedful.compose.experimenting import experimenting
from heedful.compose.flags import flags_over
from heedful.compose.forgetting import Kept, forgetting_over
from heedful.compose.pipelines import Pipelines
from heedful.compose.rights import rights_over
from heedful.compose.state import empty_fold
from heedful.log.claims import Claims
from heedful.log.commit import GroupCommit
from heedful.log.memory import MemoryLog
from heedful.log.sealed import SealedLog, StoringLog
from heedful.log.sqlite import SqliteLog
from heedful.models.shelf import Shelf
from heedful.pipeline.reasons import Reasons
from heedful.privacy.purposes import Purposes
from heedful.records.audit import Audit
from heedful.records.records import Records
from heedful.records.signing import Signer
from heedful.services.collect import Collect
from heedful.services.decide import Decide
from heedful.services.describe import Describe
from heedful.services.engine import Engine
from heedful.services.experiments import Assign
from heedful.services.experiments.arms import Applied
from heedful.services.fit.models import Models
from heedful.services.forget.erasures import Chain
from heedful.services.gates import Gates
from heedful.services.holdout import Holdout
from heedful.services.keep import KeepDecisions
from heedful.services.measure import Measure
from heedful.services.placements import Placements
from heedful.services.recall import Recall
from heedful.services.recommend import Recommend
from heedful.services.remember import Snapshots
from heedful.services.retain import Retain
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vault.vault import Vault
from heedful.views.fold import Fold
from heedful.vocabulary.event import Stored
from heedful.vocabulary.settings import RetentionSettings, Settings
from heedful.vocabulary.time import Clock

if TYPE_CHECKING:
    from heedful.records.ledger import Ledger

Post = Callable[[Callable[[], None]], object]


class Stores(NamedTuple):
    """What an engine keeps things in. log: as it stores what is sealed.

    snapshots, shelf, audit: None where nothing is kept.
    """

    log: StoringLog
    vault: Vault
    claims: Claims
    records: Records
    snapshots: Snapshots | None
    shelf: Shelf | None
    audit: Audit | None = None
    ledger: Ledger | None = None
    signer: Signer | None = None
    folder: Path | None = None
    erasures: Chain | None = None
    erasure_signer: Signer | None = None


def engine_of(
    stores: Stores, pseudonyms: Pseudonyms, settings: Settings, clock: Clock, post: Post | None
) -> Engine:
    """The engine over `stores`, with an empty fold."""
    inner, shelf = stores.log, stores.shelf
    log = SealedLog(inner, stores.vault.bodies)
    fold = empty_fold(log, stores.claims, pseudonyms, settings)
    pipelines = Pipelines(fold, shelf)

    def folded(stored: Sequence[Stored]) -> None:
        engine.folded(stored)

    commits = GroupCommit(log, stored=folded, post=post, seal=log.seal)
    gates, proof, signalled = consenting(
        fold, pseudonyms, clock, settings.privacy, stores.ledger, stores.signer
    )
    kept = Kept(fold, log, commits, stores.snapshots, shelf, stores.vault, stores.audit, proof.flush)
    forgetting = forgetting_over(
        kept, stores.erasures, pseudonyms, settings, clock, stores.erasure_signer,
        able=hasattr(inner, "places") and hasattr(inner, "purge"),
    )  # fmt: skip
    recall = Recall(fold=fold, reasons=Reasons(pipelines.names, fold.catalogue, fold.items))
    placements = Placements(stores.records, clock, sources=pipelines.names, audit=stores.audit)
    applied = Applied(placements)
    experiments, results, guard = experimenting(stores, commits, fold, applied, settings, clock)
    assign = Assign(experiments, fold, pseudonyms)
    asking = _answering(fold, pipelines, placements, commits, gates, assign, pseudonyms, clock, settings)
    engine = Engine(
        log=log, fold=fold, gates=gates, proof=proof, commits=commits, clock=clock,
        collect=Collect(
            commits, pseudonyms, clock, partial(_position, fold), meanings_of_names=settings.names,
            signalled=signalled, kept_out=forgetting.keeps_out,
        ),
        describe=Describe(fold=fold, commits=commits, clock=clock),
        recommend=asking[0], decide=asking[1], recall=recall, placements=placements,
        measure=Measure(fold=fold, clock=clock, smallest=settings.metrics.smallest_group),
        experiments=experiments,
        results=results,
        refresh=partial(_refresh, pipelines, fold), vault=stores.vault, snapshots=stores.snapshots,
        stopped=lambda: inner.stopped if isinstance(inner, SqliteLog) else None,
        models=_models(shelf, pipelines, settings),
        snapshot_every=settings.snapshot_every, retention_days=settings.retention_days,
        empty_fold=lambda: empty_fold(log, Claims(), pseudonyms, settings),
    )  # fmt: skip
    engine.audit = stores.audit
    engine.forgetting = forgetting
    engine.guarding = guard
    engine.flags, engine.evaluating = flags_over(
        applied=applied, records=stores.records, audit=stores.audit, experiments=experiments, assign=assign,
        gates=gates, holdout=Holdout(pseudonyms, settings.holdout), commits=commits, fold=fold,
        pseudonyms=pseudonyms, clock=clock,
    )  # fmt: skip
    engine.rights = rights_over(
        log=log, places=getattr(inner, "places_of", None), fold=fold, commits=commits, records=stores.records,
        recall=recall, shelf=shelf, pseudonyms=pseudonyms, purposes=Purposes(settings.privacy.purposes),
        forgetting=forgetting, settings=settings.rights, folder=stores.folder, clock=clock,
    )  # fmt: skip
    if isinstance(inner, SqliteLog | MemoryLog) and settings.retention != RetentionSettings():
        engine.retaining = Retain(fold=fold, log=log, settings=settings.retention, clock=clock)
    return engine


def _position(fold: Fold) -> str:
    return fold.cursor.encode()  # the cursor is another one after every batch


def _refresh(pipelines: Pipelines, fold: Fold) -> None:
    pipelines.refresh()
    fold.trials.refresh()


def _models(shelf: Shelf | None, pipelines: Pipelines, settings: Settings) -> Models | None:
    if shelf is None:
        return None
    return Models(shelf, pipelines.look, every=settings.models.fit_every, tasting=pipelines.tasting)


def _answering(
    fold: Fold,
    pipelines: Pipelines,
    placements: Placements,
    commits: GroupCommit,
    gates: Gates,
    assign: Assign,
    pseudonyms: Pseudonyms,
    clock: Clock,
    settings: Settings,
) -> tuple[Recommend, Decide]:
    """The two services that answer questions."""
    recommend = Recommend(
        fold=fold,
        pipelines=pipelines.of,
        popular=pipelines.popular(),
        placements=placements,
        holdout=Holdout(pseudonyms, settings.holdout),
        keep=KeepDecisions(commits, fold.items, full_share=settings.decisions.full_share),
        gates=gates,
        assign=assign,
        pseudonyms=pseudonyms,
        clock=clock,
    )
    decide = Decide(
        fold=fold,
        commits=commits,
        gates=gates,
        assign=assign,
        pseudonyms=pseudonyms,
        clock=clock,
        definitions=placements.variants,
    )
    return recommend, decide
