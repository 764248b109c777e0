"""Settings to objects. The only module that knows concrete classes."""

from __future__ import annotations

import os
import secrets
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from heedful.faces.client import Client
from heedful.log.claims import Claims
from heedful.log.codec import decode
from heedful.log.commit import GroupCommit, Writer
from heedful.log.log import Bodies, Log, LogReader
from heedful.log.memory import MemoryLog
from heedful.log.sqlite import SqliteLog
from heedful.objects.folder import Folder
from heedful.pipeline.candidates import Candidates
from heedful.pipeline.filters import NotExcluded, NotHidden, NotOwned, NotThisPage, Servable
from heedful.pipeline.pipeline import Pipeline
from heedful.pipeline.policy import Greedy
from heedful.pipeline.ranker import Blend
from heedful.pipeline.sources import (
    BoughtTogether,
    Newest,
    NextItems,
    SessionNeighbours,
    Source,
    Trending,
    TrendingInCategory,
)
from heedful.records.keys import KeyKind, Keys
from heedful.services import remember
from heedful.services.collect import Collect
from heedful.services.decide import Decide
from heedful.services.describe import Describe
from heedful.services.engine import Engine
from heedful.services.recommend import Recommend
from heedful.services.rehearse import rehearse
from heedful.services.verify import catch_up
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vault.secret import installation_secret
from heedful.views.cooccurrence import Cooccurrence
from heedful.views.fold import Fold
from heedful.views.neighbours import Neighbours
from heedful.views.reading import Desk
from heedful.views.rules import Rules
from heedful.views.trends import HORIZONS
from heedful.vocabulary.errors import SettingsError
from heedful.vocabulary.event import Stored
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import DAY, MINUTE, Clock, FixedClock, Instant, SystemClock

MEMORY = ":memory:"

WEIGHTS = {
    "sessions": 1.0,
    "next": 0.3,
    "together": 0.3,
    "category_7d": 0.1,
    "trending_1d": 0.04,
    "trending_7d": 0.04,
    "trending_30d": 0.02,
    "newest": 0.01,
}
"""What each source's normalised score is worth until a fitted ranker is in force."""

Post = Callable[[Callable[[], None]], object]
Progress = Callable[[str, int, int], None]
"""Told of long work at the start: what, how much is done, how much there is."""


class Heedful(Client):
    """Heedful in your own process: `Heedful(":memory:")`, or a folder that keeps everything."""

    def __init__(self, where: str | Path = MEMORY, *, clock: Clock | None = None) -> None:
        super().__init__(open_engine(where, clock=clock))


def open_engine(
    where: str | Path = MEMORY,
    *,
    clock: Clock | None = None,
    post: Post | None = None,
    progress: Progress | None = None,
) -> Engine:
    """An engine over a data folder, caught up with its log, or over memory.

    post: how finished commits come back to the owner's thread; without it every call waits for its own.
    progress: told of long work; with it the kernels are made ready first, so that no call waits for them.
    Raises SettingsError, Corrupt, LogUnavailable.
    """
    clock = clock or SystemClock()
    if progress is not None:
        rehearse_kernels(progress)
    if str(where) == MEMORY:
        pseudonyms = Pseudonyms(secrets.token_bytes(32))
        memory = MemoryLog()
        return _engine(memory, Claims(), pseudonyms, Settings(), None, clock, post)
    folder = Path(where)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = read_settings(folder)
    # A new key beside an old log would make a stranger of everybody in it.
    fresh = not (folder / "log.sqlite3").exists()
    pseudonyms = Pseudonyms(installation_secret(folder / "pseudonym.key", create=fresh))
    claims = Claims()
    log = SqliteLog(folder / "log.sqlite3", pseudonyms, claims)
    try:
        engine = _engine(log, claims, pseudonyms, settings, Folder(folder / "snapshots"), clock, post)
        engine.snapshot_at = catch_up_from_snapshot(engine.fold, log, engine.snapshots, progress)
        log.recover(engine.fold.cursor)
    except BaseException:
        log.close()
        raise
    engine.retire()
    return engine


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
        remember.load(fold, snapshots, end=log.end())
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
        begun = catch_up_from_snapshot(fold, log, folder, progress)
        return remember.take(fold, folder) if sum(fold.cursor.offsets) > begun else None


def pipeline_of(fold: Fold) -> Pipeline:
    """The default pipeline over a fold's views."""
    desk = Desk(fold.sessions, fold.items)
    sources: tuple[Source, ...] = (
        SessionNeighbours(Neighbours(desk)),
        NextItems(Rules(desk)),
        BoughtTogether(Cooccurrence(desk)),
        TrendingInCategory(fold.trends, fold.catalogue, "7d"),
        Trending(fold.trends, "1d"),
        Trending(fold.trends, "7d"),
    )
    fallback: tuple[Source, ...] = (Trending(fold.trends, "30d"), Newest(fold.catalogue))
    return Pipeline(
        items=fold.items,
        candidates=Candidates(len(sources) + len(fallback), lambda: len(fold.items)),
        sources=sources,
        fallback=fallback,
        filters=(Servable(fold.catalogue), NotThisPage(), NotExcluded(), NotOwned(), NotHidden()),
        ranker=Blend([source.name for source in (*sources, *fallback)], WEIGHTS),
        policy=Greedy(),
    )


def rehearse_kernels(told: Progress | None = None) -> None:
    """Compile and load every numeric kernel, on a shop in memory that is thrown away."""
    rehearse(open_engine(MEMORY, clock=FixedClock(Instant(4 * DAY))), told)


class _FullLog(Log, Bodies, Writer, Protocol):
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


def _engine(
    log: _FullLog,
    claims: Claims,
    pseudonyms: Pseudonyms,
    settings: Settings,
    snapshots: Folder | None,
    clock: Clock,
    post: Post | None,
) -> Engine:
    fold = _empty_fold(log, claims, pseudonyms, settings)

    def folded(stored: Sequence[Stored]) -> None:
        engine.folded(stored)

    def position() -> str:
        return fold.cursor.encode()  # the cursor is another one after every batch

    commits = GroupCommit(log, stored=folded, post=post)
    engine = Engine(
        log=log,
        fold=fold,
        commits=commits,
        collect=Collect(commits, pseudonyms, clock, position, meanings_of_names=settings.names),
        describe=Describe(fold=fold, commits=commits, clock=clock),
        recommend=Recommend(
            fold=fold, pipeline=pipeline_of(fold), commits=commits, pseudonyms=pseudonyms, clock=clock
        ),
        decide=Decide(fold=fold, commits=commits, pseudonyms=pseudonyms, clock=clock),
        stopped=lambda: log.stopped if isinstance(log, SqliteLog) else None,
        snapshots=snapshots,
        snapshot_every=settings.snapshot_every,
        retention_days=settings.retention_days,
        clock=clock,
        empty_fold=lambda: _empty_fold(log, Claims(), pseudonyms, settings),
    )
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


def main() -> None:
    """The `heedful` command."""
    from heedful.faces.cli.app import run  # in-process users do not pay for the command line
    from heedful.faces.cli.opener import Opener

    sys.exit(run(Opener(engine=open_engine, keys=keys_of, snapshot=snapshot_beside)))
