"""What works on a data folder without being its writer: beside a running server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from heedful.compose.forgetting import erasures_beside
from heedful.compose.pipelines import RANKER, Pipelines
from heedful.compose.state import Progress, catch_up_from_snapshot, empty_fold, read_settings, records_of
from heedful.compose.vaults import files_of, refuse_without_keys, vault_of
from heedful.log.claims import Claims
from heedful.log.log import LogReader
from heedful.log.sealed import OpenedLog
from heedful.log.sqlite import SqliteLog
from heedful.log.until import Until
from heedful.models.shelf import Shelf, Version
from heedful.objects.folder import Folder
from heedful.pipeline.pipeline import Pipeline
from heedful.services import remember
from heedful.services.allowed import Allowed
from heedful.services.evaluate.streams import from_log
from heedful.services.fit.exposures import Exposures, gather
from heedful.services.fit.gather import GatherSettings
from heedful.services.fit.refit import Verdict, refit, worth_of
from heedful.services.fit.taste import fit_taste, refitted
from heedful.services.forget.taking import ERASING, catch_up_with, mark
from heedful.services.remember import Snapshots
from heedful.services.rotate import RotateKeys
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vault.secret import installation_secret
from heedful.vault.vault import Vault
from heedful.views.fold import Fold
from heedful.vocabulary.consent import ANALYTICS, LEARNING
from heedful.vocabulary.errors import Invalid, NotFound
from heedful.vocabulary.placement import Placement, placement_of
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import SystemClock

if TYPE_CHECKING:
    pass


def snapshot_beside(where: Path, *, progress: Progress | None = None) -> str | None:
    """Bring the newest snapshot of a data folder up to date without being its writer.

    One is made too where somebody was forgotten since, or a new epoch has begun. Returns its name, or None when
    nothing came since the last. Raises NotFound, SettingsError, Corrupt, OSError.
    """
    settings = read_settings(where)
    pseudonyms = Pseudonyms(installation_secret(where / "pseudonym.key", create=False))
    with log_beside(where, settings) as (log, vault):
        snapshots = Snapshots(Folder(where / "snapshots"), vault.files)
        epoch = (
            vault.files.epoch()
        )  # whoever is forgotten while this reads must not outlive it in a new epoch
        fold = empty_fold(log, Claims(), pseudonyms, settings)
        forgotten = erasures_beside(where)  # before the end of the log is looked for
        held = remember.newest(snapshots, epoch=epoch)
        begun = catch_up_from_snapshot(fold, log, snapshots, progress, erased=mark(log, ERASING))
        catch_up_with(fold, log, forgotten)
        if sum(fold.cursor.offsets) <= begun and fold.erased <= held:
            return None
        name = remember.take(fold, snapshots, epoch=epoch)
        if fold.erased < mark(log, ERASING):  # somebody was forgotten meanwhile: this must not stay
            snapshots.folder.delete(name)
            return None
        return name


@contextmanager
def log_beside(where: Path, settings: Settings) -> Iterator[tuple[OpenedLog, Vault]]:
    """The log of a data folder for reading, beside a running server too, and the vault that opens it.

    Raises NotFound, SettingsError, Corrupt, KeyUnavailable.
    """
    with (
        SqliteLog.reader(where / "log.sqlite3") as log,
        closing(_vault_beside(where, settings, log)) as vault,
    ):
        yield OpenedLog(log, vault.bodies), vault


def _vault_beside(where: Path, settings: Settings, log: LogReader) -> Vault:
    refuse_without_keys(where, log)
    return vault_of(
        where, settings.vault, SystemClock(), create=True
    )  # a log from before there was sealing has none


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
    with log_beside(where, settings) as (log, vault):
        then = Until(log, log.end())  # the log may be growing meanwhile
        told = None if progress is None else lambda done, total: progress("reading the log", done, total)
        fold = _folded_beside(where, log, then, vault, settings, progress)
        allowed = Allowed(then, fold.usable(LEARNING))
        stream = from_log(allowed, str(where), progress=told)
        objective = worth_of(settings, defined.objective if placement else None)
        how = GatherSettings(seed=seed)

        def shown(features: tuple[str, ...]) -> Exposures:
            only = placement or None
            return gather(allowed, lambda: fold, features, objective, placement=only, least=how.exposures)

        def replayed(fold: Fold) -> Pipeline:
            return Pipelines(fold, taste=refitted(fold)).of(defined)

        return refit(
            stream, then.end().encode(), shelf, replayed, settings,
            objective=objective, kind=kind, place=f"{RANKER}:{placement}" if placement else RANKER,
            how=how, exposures=shown, era=era, force=force, told=progress,
        )  # fmt: skip


def taste_beside(where: Path, *, seed: int = 7, progress: Progress | None = None) -> Version:
    """Fit long-term taste to the log of a data folder, beside a running server too, and put it in force.

    Raises NotFound, Invalid where there is too little to learn from, SettingsError, Corrupt, OSError.
    """
    shelf = Shelf(Folder(where / "models"))
    era, settings = shelf.era(), read_settings(where)
    with log_beside(where, settings) as (log, vault):
        fold = _folded_beside(where, log, Until(log, log.end()), vault, settings, progress)
        return fit_taste(fold, fold.cursor.encode(), shelf, seed=seed, era=era)


def _folded_beside(
    where: Path,
    log: OpenedLog,
    then: LogReader,
    vault: Vault,
    settings: Settings,
    progress: Progress | None,
) -> Fold:
    """A fold of a data folder's log by whoever is not its writer, without who was forgotten, and with grants that
    ran out by now taken back. then: the log as far as it is to be folded."""
    pseudonyms = Pseudonyms(installation_secret(where / "pseudonym.key", create=False))
    fold = empty_fold(log, Claims(), pseudonyms, settings)
    forgotten = erasures_beside(where)
    snapshots = Snapshots(Folder(where / "snapshots"), vault.files)
    catch_up_from_snapshot(fold, then, snapshots, progress, erased=mark(log, ERASING))
    catch_up_with(fold, log, forgotten)
    fold.lapse(SystemClock().now())
    return fold


@contextmanager
def allowed_log(where: Path) -> Iterator[LogReader]:
    """A data folder's log, without what may not be learned from and counted."""
    settings = read_settings(where)
    with log_beside(where, settings) as (log, vault):
        fold = _folded_beside(where, log, log, vault, settings, None)
        yield Allowed(log, fold.usable(LEARNING | ANALYTICS))


def _defined(where: Path, placement: str) -> Placement:
    """The version of `placement` that is in force. Raises NotFound, Invalid where it shows no items."""
    records = records_of(where)
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


@contextmanager
def rotating(where: Path) -> Iterator[RotateKeys]:
    """The keys of a data folder. Raises SettingsError, Corrupt."""
    settings, clock = read_settings(where).vault, SystemClock()
    with closing(vault_of(where, settings, clock, start=False)) as vault:
        yield RotateKeys(vault, files_of(settings, where), clock)
