"""Settings to objects. The only module that knows concrete classes."""

from __future__ import annotations

import os
import secrets
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from heedful.compose.forgetting import Kept, erasures_beside, forgetting_over
from heedful.compose.pipelines import RANKER, Pipelines, pipeline_of
from heedful.faces.client import Client
from heedful.log.claims import Claims
from heedful.log.codec import decode
from heedful.log.commit import GroupCommit, Writer
from heedful.log.cursor import Cursor
from heedful.log.log import Bodies, Log, LogReader
from heedful.log.memory import MemoryLog
from heedful.log.reader import SqliteReader
from heedful.log.sqlite import SqliteLog
from heedful.log.until import Until
from heedful.models.shelf import Shelf
from heedful.objects.folder import Folder
from heedful.pipeline.pipeline import Pipeline
from heedful.pipeline.reasons import Reasons
from heedful.records.keys import KeyKind, Keys
from heedful.records.ledger import sqlite_ledger
from heedful.records.memory import MemoryRecords
from heedful.records.records import Records
from heedful.services import remember
from heedful.services.collect import Collect
from heedful.services.decide import Decide
from heedful.services.describe import Describe
from heedful.services.engine import Engine
from heedful.services.evaluate.streams import from_log
from heedful.services.fit.exposures import Exposures, gather
from heedful.services.fit.gather import GatherSettings
from heedful.services.fit.models import Models
from heedful.services.fit.refit import Verdict, refit, worth_of
from heedful.services.forget.erasures import Chain
from heedful.services.forget.taking import ERASING, catch_up_with, mark
from heedful.services.holdout import Holdout
from heedful.services.keep import KeepDecisions
from heedful.services.measure import Measure
from heedful.services.placements import Placements
from heedful.services.recall import Recall
from heedful.services.recommend import Recommend
from heedful.services.rehearse import rehearse
from heedful.services.verify import catch_up
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vault.secret import installation_secret
from heedful.views.fold import Fold
from heedful.views.trends import HORIZONS
from heedful.vocabulary.errors import Invalid, NotFound, SettingsError
from heedful.vocabulary.event import Stored
from heedful.vocabulary.placement import Placement, placement_of
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import DAY, MINUTE, Clock, FixedClock, Instant, SystemClock

if TYPE_CHECKING:
    from heedful.faces.cli.opener import Replaying

MEMORY = ":memory:"

Post = Callable[[Callable[[], None]], object]
Progress = Callable[[str, int, int], None]
"""Told of long work at the start: what, how much is done, how much there is."""


class Heedful(Client):
    """Heedful in your own process: `Heedful(":memory:")`, or a folder that keeps everything."""

    def __init__(
        self, where: str | Path = MEMORY, *, clock: Clock | None = None, settings: Settings | None = None
    ) -> None:
        """settings: in place of `settings.toml`. In memory nobody is held out unless they say so."""
        super().__init__(open_engine(where, clock=clock, settings=settings))


def open_engine(
    where: str | Path = MEMORY,
    *,
    clock: Clock | None = None,
    post: Post | None = None,
    progress: Progress | None = None,
    settings: Settings | None = None,
) -> Engine:
    """An engine over a data folder, caught up with its log, or over memory.

    post: how finished commits come back to the owner's thread; without it every call waits for its own.
    settings: in place of the folder's `settings.toml`, or of what holds in memory.
    progress: told of long work; with it the kernels are made ready first, so that no call waits for them.
    Raises SettingsError, Corrupt, LogUnavailable, RecordsUnavailable.
    """
    clock = clock or SystemClock()
    if progress is not None:
        rehearse_kernels(progress)
    if str(where) == MEMORY:
        pseudonyms = Pseudonyms(secrets.token_bytes(32))
        # Nothing that is thrown away is worth a holdout.
        stores = Stores(MemoryLog(), Claims(), MemoryRecords(), None, None)
        return _engine(stores, pseudonyms, settings or Settings(holdout=0.0), clock, post)
    folder = Path(where)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = settings or read_settings(folder)
    # A new key beside an old log would make a stranger of everybody in it.
    fresh = not (folder / "log.sqlite3").exists()
    secret = installation_secret(folder / "pseudonym.key", create=fresh)
    pseudonyms = Pseudonyms(secret)
    claims = Claims()
    log = SqliteLog(folder / "log.sqlite3", pseudonyms, claims)
    try:
        records = _records(folder)
    except BaseException:
        log.close()
        raise
    try:
        shelf = Shelf(Folder(folder / "models"), clock)
        chain = sqlite_ledger(folder / "erasures.sqlite3")
        stores = Stores(log, claims, records, Folder(folder / "snapshots"), shelf, chain)
        engine = _engine(stores, pseudonyms, settings, clock, post, secret)
        engine.snapshot_at = catch_up_from_snapshot(engine.fold, log, engine.snapshots, progress)
        catch_up_with(engine.fold, log, engine.forgetting.erasures.all)
        engine.refresh()
        if engine.models is not None:
            engine.models.look()
        log.recover(engine.fold.cursor, purged_after=Cursor((engine.snapshot_at,)))
        engine.retire()
        engine.forgetting.begin()
    except BaseException:
        log.close()
        records.close()
        raise
    return engine


def engine_over(log: FullLog, secret: bytes, *, clock: Clock | None = None) -> Engine:
    """An engine over a log that others may write too; `services.verify.catch_up` folds what they wrote.

    secret: 32 bytes, the same in every process that writes or folds the log.
    """
    stores = Stores(log, Claims(), MemoryRecords(), None, None)
    return _engine(stores, Pseudonyms(secret), Settings(), clock or SystemClock(), None)


def read_settings(folder: Path) -> Settings:
    """`settings.toml` in the data folder, or the defaults. Raises SettingsError, naming what is wrong."""
    file = folder / "settings.toml"
    if not file.exists():
        return Settings()
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Settings)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from error


def catch_up_from_snapshot(
    fold: Fold, log: LogReader, snapshots: Folder | None, progress: Progress | None
) -> int:
    """Bring an empty fold to the end of its log: newest good snapshot, then the tail.

    Returns how many records the snapshot held.
    """
    if snapshots is not None:
        least = mark(log, ERASING) if isinstance(log, SqliteReader) else 0
        remember.load(fold, snapshots, end=log.end(), erased=least)
    total, begun = sum(log.end().offsets), sum(fold.cursor.offsets)

    def told(count: int) -> None:
        if progress is not None:
            progress("folding the log", begun + count, total)

    catch_up(fold, log, progress=told)
    for horizon in HORIZONS:
        fold.trends.top(horizon, 1)  # so that the first question does not wait for every item's score
    return begun


def snapshot_beside(where: Path, *, progress: Progress | None = None) -> str | None:
    """Bring the newest snapshot of a data folder up to date without being its writer.

    Returns its name, or None when nothing came since the last. Raises NotFound, SettingsError, Corrupt, OSError.
    """
    folder = Folder(where / "snapshots")
    pseudonyms = Pseudonyms(installation_secret(where / "pseudonym.key", create=False))
    with SqliteLog.reader(where / "log.sqlite3") as log:
        fold = _empty_fold(log, Claims(), pseudonyms, read_settings(where))
        forgotten = erasures_beside(where)  # before the end of the log is looked for
        held = remember.newest(folder)
        begun = catch_up_from_snapshot(fold, log, folder, progress)
        catch_up_with(fold, log, forgotten)
        if sum(fold.cursor.offsets) <= begun and fold.erased <= held:
            return None
        name = remember.take(fold, folder)
        if fold.erased < mark(log, ERASING):  # somebody was forgotten meanwhile: this must not stay
            folder.delete(name)
            return None
        return name


def fit_beside(
    where: Path,
    *,
    kind: str = "lambdamart",
    placement: str = "",
    seed: int = 7,
    force: bool = False,
    progress: Progress | None = None,
) -> Verdict:
    """Fit a ranker to the log of a data folder, beside a running server too, and promote it if it is not worse.

    placement: fit for this placement's own objective and sources; "" for all that have no ranker of their own.
    Raises NotFound, Invalid, SettingsError, Corrupt, OSError.
    """
    shelf = Shelf(Folder(where / "models"))
    era, settings = shelf.era(), read_settings(where)
    defined = _defined(where, placement) if placement else Placement(name="default")
    with SqliteLog.reader(where / "log.sqlite3") as log:
        then = Until(log, log.end())  # the log may be growing meanwhile
        told = None if progress is None else lambda done, total: progress("reading the log", done, total)
        stream = from_log(then, str(where), progress=told)
        objective = worth_of(settings, defined.objective if placement else None)
        how = GatherSettings(seed=seed)

        def fold_of() -> Fold:
            pseudonyms = Pseudonyms(installation_secret(where / "pseudonym.key", create=False))
            fold = _empty_fold(log, Claims(), pseudonyms, settings)
            catch_up_from_snapshot(fold, then, Folder(where / "snapshots"), progress)
            catch_up_with(fold, log, erasures_beside(where))
            return fold

        def shown(features: tuple[str, ...]) -> Exposures:
            only = placement or None
            return gather(then, fold_of, features, objective, placement=only, least=how.exposures)

        return refit(
            stream, then.end().encode(), shelf, lambda fold: Pipelines(fold).of(defined), settings,
            objective=objective, kind=kind, place=f"{RANKER}:{placement}" if placement else RANKER,
            how=how, exposures=shown, era=era, force=force, told=progress,
        )  # fmt: skip


def _defined(where: Path, placement: str) -> Placement:
    """The version of `placement` that is in force. Raises NotFound, Invalid where it shows no items."""
    records = _records(where)
    try:
        found = records.current("placement", placement)
    finally:
        records.close()
    if found is None:
        raise NotFound(f"no placement {placement!r} is defined")
    defined = placement_of(placement, msgspec.json.decode(found.body))
    if defined.kind != "items":
        raise Invalid(
            "placement_kind", f"{placement!r} shows variants, which no ranker orders", path="placement"
        )
    return defined


def rehearse_kernels(told: Progress | None = None) -> None:
    """Compile and load every numeric kernel, on a shop in memory that is thrown away."""
    rehearse(open_engine(MEMORY, clock=FixedClock(Instant(4 * DAY))), told)


class FullLog(Log, Bodies, Writer, Protocol):
    """What a log must offer to be an engine's own."""


def _empty_fold(bodies: Bodies, claims: Claims, pseudonyms: Pseudonyms, settings: Settings) -> Fold:
    return Fold(
        pseudonyms=pseudonyms,
        claims=claims,
        bodies=bodies,
        decode=decode,
        meanings=settings.kinds,
        idle=int(settings.idle_minutes * MINUTE),
        catalogue_required=settings.catalogue.required,
    )


def _records(folder: Path) -> Records:
    from heedful.records.database import sqlite_records  # who works in memory does not pay for the import

    return sqlite_records(folder / "records.sqlite3")


class Stores(NamedTuple):
    """What an engine keeps things in. snapshots, shelf: None where nothing is kept. erasures: the ledger of what
    was forgotten; in memory where there is none."""

    log: FullLog
    claims: Claims
    records: Records
    snapshots: Folder | None
    shelf: Shelf | None
    erasures: Chain | None = None


def _engine(
    stores: Stores, pseudonyms: Pseudonyms, settings: Settings, clock: Clock, post: Post | None,
    secret: bytes = b"",
) -> Engine:  # fmt: skip
    log, shelf = stores.log, stores.shelf
    fold = _empty_fold(log, stores.claims, pseudonyms, settings)
    pipelines = Pipelines(fold, shelf)

    def folded(stored: Sequence[Stored]) -> None:
        engine.folded(stored)

    def position() -> str:
        return fold.cursor.encode()  # the cursor is another one after every batch

    commits = GroupCommit(log, stored=folded, post=post)
    kept = Kept(fold, stores.log, commits, stores.snapshots, shelf)
    forgetting = forgetting_over(kept, stores.erasures, pseudonyms, settings, clock, secret)
    placements = Placements(stores.records, clock, sources=pipelines.names)
    engine = Engine(
        log=log,
        fold=fold,
        commits=commits,
        collect=Collect(
            commits,
            pseudonyms,
            clock,
            position,
            meanings_of_names=settings.names,
            kept_out=forgetting.keeps_out,
        ),
        describe=Describe(fold=fold, commits=commits, clock=clock),
        recommend=Recommend(
            fold=fold,
            pipelines=pipelines.of,
            popular=pipelines.popular(),
            placements=placements,
            holdout=Holdout(pseudonyms, settings.holdout),
            keep=KeepDecisions(commits, fold.items, full_share=settings.decisions.full_share),
            pseudonyms=pseudonyms,
            clock=clock,
        ),
        measure=Measure(fold=fold, clock=clock, smallest=settings.metrics.smallest_group),
        recall=Recall(fold=fold, reasons=Reasons(pipelines.names, fold.catalogue, fold.items)),
        placements=placements,
        decide=Decide(
            fold=fold, commits=commits, pseudonyms=pseudonyms, clock=clock, definitions=placements.variants
        ),
        refresh=pipelines.refresh,
        stopped=lambda: log.stopped if isinstance(log, SqliteLog) else None,
        snapshots=stores.snapshots,
        models=None if shelf is None else Models(shelf, pipelines.look, every=settings.models.fit_every),
        snapshot_every=settings.snapshot_every,
        retention_days=settings.retention_days,
        clock=clock,
        empty_fold=lambda: _empty_fold(log, Claims(), pseudonyms, settings),
    )
    engine.forgetting = forgetting
    return engine


def keys_of(where: Path) -> tuple[Keys, list[tuple[str, str]]]:
    """The API keys of a data folder, with at least one write key and one secret key.

    HEEDFUL_WRITE_KEY and HEEDFUL_SECRET_KEY set them at first start; otherwise they are made, and returned as
    (kind, key), to be shown once. Raises SettingsError for a weak one.
    """
    where.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = Keys(where / "keys.json")
    made: list[tuple[str, str]] = []
    for kind in KeyKind:
        given = os.environ.get(f"HEEDFUL_{kind.value.upper()}_KEY")
        if any(key.kind is kind and not key.revoked for key in keys.list()):
            continue
        if given:
            keys.adopt(kind, given)
        else:
            made.append((kind.value, keys.create(kind)))
    return keys, made


def replaying() -> Replaying:
    """What `heedful replay` compares: our pipelines, and the baselines that they must beat."""
    from heedful.faces.cli.opener import Replaying
    from heedful.models.baselines.item_knn import ItemKnn
    from heedful.models.baselines.popularity import DecayedPopular, Popular, RecentPopular
    from heedful.models.baselines.session_knn import VsKnn, Vstan
    from heedful.models.baselines.succession import Markov, SequentialRules
    from heedful.services.evaluate.evaluate import Systems

    def sessions_only(fold: Fold) -> Pipeline:
        whole = pipeline_of(fold)
        return replace(whole, sources=whole.sources[:1], fallback=())

    systems = Systems(
        pipelines={"default": pipeline_of, "sessions": sessions_only},
        baselines={
            "popular": lambda _: Popular(),
            "recent-popular": lambda _: RecentPopular(),
            "decayed-popular": lambda _: DecayedPopular(),
            "markov": lambda idle: Markov(idle=idle),
            "sequential-rules": lambda idle: SequentialRules(idle=idle),
            "item-knn": lambda idle: ItemKnn(idle=idle),
            "vs-knn": lambda idle: VsKnn(idle=idle),
            "vstan": lambda idle: Vstan(idle=idle),
        },
    )
    return Replaying(
        systems, lambda folder: SqliteLog.reader(folder / "log.sqlite3"), read_settings, rehearse_kernels
    )


def main() -> None:
    """The `heedful` command."""
    from heedful.faces.cli.app import run  # in-process users do not pay for the command line
    from heedful.faces.cli.opener import Opener

    sys.exit(run(Opener(open_engine, keys_of, snapshot_beside, fit_beside, replaying)))
