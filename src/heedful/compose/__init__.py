"""Settings to objects. The only module that knows concrete classes."""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from heedful.compose.assembly import Post, Stores, engine_of
from heedful.compose.beside import (
    allowed_log,
    fit_beside,
    log_beside,
    rotating,
    snapshot_beside,
    taste_beside,
)
from heedful.compose.consenting import ledger_of
from heedful.compose.forgetting import erasures_of
from heedful.compose.pipelines import pipeline_of
from heedful.compose.state import Progress, catch_up_from_snapshot, read_settings, records_of
from heedful.compose.vaults import memory_vault, refuse_without_keys, tell_of_keys, vault_of
from heedful.faces.client import Client
from heedful.log.claims import Claims
from heedful.log.cursor import Cursor
from heedful.log.memory import MemoryLog
from heedful.log.sealed import StoringLog
from heedful.log.sqlite import SqliteLog
from heedful.models.shelf import Shelf
from heedful.objects.folder import Folder
from heedful.pipeline.pipeline import Pipeline
from heedful.records.audit import TERMINAL, audit_of
from heedful.records.keys import KeyKind, Keys
from heedful.records.memory import MemoryRecords
from heedful.records.signing import signer
from heedful.services.administer import Administer
from heedful.services.engine import Engine
from heedful.services.forget.taking import ERASING, catch_up_with, mark
from heedful.services.rehearse import rehearse
from heedful.services.remember import Snapshots
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vault.secret import installation_secret
from heedful.vault.vault import Vault
from heedful.views.fold import Fold
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import DAY, Clock, FixedClock, Instant, SystemClock

if TYPE_CHECKING:
    from heedful.faces.cli.opener import Replaying

__all__ = [
    "Heedful", "Progress", "engine_over", "fit_beside", "keys_of", "log_beside", "main", "open_engine",
    "read_settings", "rehearse_kernels", "replaying", "rotating", "snapshot_beside", "taste_beside",
]  # fmt: skip

MEMORY = ":memory:"


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
        stores = Stores(MemoryLog(), memory_vault(clock), Claims(), MemoryRecords(), None, None)
        return engine_of(stores, pseudonyms, settings or Settings(holdout=0.0), clock, post)
    return _open_folder(Path(where), settings, clock, post, progress)


def _open_folder(
    folder: Path, settings: Settings | None, clock: Clock, post: Post | None, progress: Progress | None
) -> Engine:
    """An engine over what a data folder keeps, which is made where there is none."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = settings or read_settings(folder)
    # A new key beside an old log would make a stranger of everybody in it.
    fresh = not (folder / "log.sqlite3").exists()
    secret = installation_secret(folder / "pseudonym.key", create=fresh)
    pseudonyms = Pseudonyms(secret)
    claims = Claims()
    log = SqliteLog(folder / "log.sqlite3", pseudonyms, claims)
    with ExitStack() as undo:
        undo.callback(log.close)
        refuse_without_keys(folder, log)
        vault = vault_of(folder, settings.vault, clock, create=True)
        undo.callback(vault.close)
        records = records_of(folder)
        undo.callback(records.close)
        ledger = ledger_of(folder)
        undo.callback(ledger.close)
        shelf = Shelf(Folder(folder / "models"), clock)
        snapshots = Snapshots(Folder(folder / "snapshots"), vault.files)
        chain = erasures_of(folder)
        undo.callback(chain.close)
        stores = Stores(
            log, vault, claims, records, snapshots, shelf, audit_of(folder, clock), ledger,
            signer(secret, "consent receipts"), folder, chain, signer(secret, "erasure receipts"),
        )  # fmt: skip
        engine = engine_of(stores, pseudonyms, settings, clock, post)
        engine.snapshot_at = catch_up_from_snapshot(
            engine.fold, engine.log, snapshots, progress, erased=mark(engine.log, ERASING)
        )
        catch_up_with(engine.fold, engine.log, engine.forgetting.erasures.all)
        engine.refresh()
        if engine.models is not None:
            engine.models.look()
        log.recover(engine.fold.cursor, purged_after=Cursor((engine.snapshot_at,)))
        engine.retire()
        engine.forgetting.begin()
        undo.pop_all()
    engine.proof.mend()
    if post is not None:
        vault.tend_beside(tell_of_keys)
    return engine


def engine_over(log: StoringLog, vault: Vault, secret: bytes, *, clock: Clock | None = None) -> Engine:
    """An engine over a log that others may write too; `services.verify.catch_up` folds what they wrote, read from
    `engine.log`.

    secret: 32 bytes. vault, secret: the same in every process that writes or folds the log.
    """
    stores = Stores(log, vault, Claims(), MemoryRecords(), None, None)
    return engine_of(stores, Pseudonyms(secret), Settings(), clock or SystemClock(), None)


def rehearse_kernels(told: Progress | None = None) -> None:
    """Compile and load every numeric kernel, on a shop in memory that is thrown away."""
    rehearse(open_engine(MEMORY, clock=FixedClock(Instant(4 * DAY))), told)


def keys_of(where: Path) -> tuple[Keys, list[tuple[str, str]]]:
    """The API keys of a data folder, with at least one write key and one secret key.

    HEEDFUL_WRITE_KEY and HEEDFUL_SECRET_KEY set them at first start; otherwise they are made, and returned as
    (kind, key), to be shown once. Raises SettingsError for a weak one.
    """
    where.mkdir(parents=True, exist_ok=True, mode=0o700)
    administer = Administer(where)
    made: list[tuple[str, str]] = []
    try:
        for kind in KeyKind:
            given = os.environ.get(f"HEEDFUL_{kind.value.upper()}_KEY")
            if any(key.kind is kind and not key.revoked for key in administer.keys.list()):
                continue
            if given:
                administer.adopt_key(TERMINAL, kind, given)
            else:
                made.append((kind.value, administer.create_key(TERMINAL, kind)[0]))
    finally:
        administer.close()
    return administer.keys, made


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
    return Replaying(systems, allowed_log, read_settings, rehearse_kernels)


def main() -> None:
    """The `heedful` command."""
    from heedful.faces.cli.app import run  # in-process users do not pay for the command line
    from heedful.faces.cli.opener import Opener

    opener = Opener(
        open_engine, keys_of, snapshot_beside, fit_beside, taste_beside, rotating, replaying, read_settings
    )
    sys.exit(run(opener))
