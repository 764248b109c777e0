"""Settings to objects. The only module that knows concrete classes."""

from __future__ import annotations

import os
import secrets
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec

from heedful.faces.cli.app import run
from heedful.faces.client import Client
from heedful.log.claims import Claims
from heedful.log.codec import decode
from heedful.log.commit import GroupCommit
from heedful.log.cursor import Cursor
from heedful.log.log import Bodies, Log
from heedful.log.memory import MemoryLog
from heedful.log.sqlite import SqliteLog
from heedful.objects.folder import Folder
from heedful.pipeline.candidates import Gatherer
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
from heedful.records.keys import Keys
from heedful.services import remember
from heedful.services.collect import Collect
from heedful.services.describe import Describe
from heedful.services.engine import Engine
from heedful.services.recommend import Recommend
from heedful.services.verify import catch_up
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vault.secret import secret
from heedful.views.cooccurrence import Cooccurrence
from heedful.views.fold import Fold
from heedful.views.neighbours import Neighbours
from heedful.views.rules import Rules
from heedful.vocabulary.errors import SettingsError
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import DAY, MINUTE, Clock, Instant, SystemClock

MEMORY = ":memory:"

WEIGHTS = {
    "sessions": 1.0,
    "next": 0.4,
    "together": 0.3,
    "category_7d": 0.1,
    "trending_1d": 0.04,
    "trending_7d": 0.04,
    "trending_30d": 0.02,
    "newest": 0.01,
}
"""What each source's normalised score is worth until a fitted ranker is in force."""

Post = Callable[[Callable[[], None]], None]
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
    Raises SettingsError, Corrupt, LogUnavailable.
    """
    clock = clock or SystemClock()
    if str(where) == MEMORY:
        pseudonyms = Pseudonyms(secrets.token_bytes(32))
        memory = MemoryLog(pseudonyms)
        return _engine(memory, memory, Claims(), pseudonyms, Settings(), Keys(None), None, clock, post)
    folder = Path(where)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = read_settings(folder)
    pseudonyms = Pseudonyms(secret(folder / "pseudonym.key"))
    claims = Claims()
    log = SqliteLog(folder / "log.sqlite3", pseudonyms, claims)
    try:
        engine = _engine(
            log, log, claims, pseudonyms, settings, Keys(folder / "keys.json"), Folder(folder / "snapshots"), clock, post
        )
        start(engine, log, progress)
    except BaseException:
        log.close()
        raise
    if settings.retention_days:
        today = clock.now() // DAY * DAY
        engine.fold.advance(Instant(today - settings.retention_days * DAY))
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


def start(engine: Engine, log: Log, progress: Progress | None) -> None:
    """Bring an empty engine to the end of its log: newest good snapshot, then the tail."""
    end = log.end()
    if engine.snapshots is not None:
        remember.load(engine.fold, engine.snapshots, end=end)
    total = sum(end.offsets)
    begun = sum(engine.fold.cursor.offsets)

    def told(count: int) -> None:
        if progress is not None:
            progress("folding the log", begun + count, total)

    catch_up(engine.fold, log, progress=told)
    engine.snapshot_at = begun


def pipeline_of(fold: Fold) -> Pipeline:
    """The default pipeline over a fold's views."""
    sources: tuple[Source, ...] = (
        SessionNeighbours(Neighbours(fold.sessions)),
        NextItems(Rules(fold.sessions)),
        BoughtTogether(Cooccurrence(fold.sessions)),
        TrendingInCategory(fold.trends, fold.catalogue, "7d"),
        Trending(fold.trends, "1d"),
        Trending(fold.trends, "7d"),
    )
    fallback: tuple[Source, ...] = (Trending(fold.trends, "30d"), Newest(fold.catalogue))
    return Pipeline(
        items=fold.items,
        gatherer=Gatherer(),
        sources=sources,
        fallback=fallback,
        filters=(Servable(fold.catalogue), NotThisPage(), NotExcluded(), NotOwned(), NotHidden()),
        ranker=Blend([source.name for source in (*sources, *fallback)], WEIGHTS),
        policy=Greedy(),
    )


def _engine(
    log: Log,
    bodies: Bodies,
    claims: Claims,
    pseudonyms: Pseudonyms,
    settings: Settings,
    keys: Keys,
    snapshots: Folder | None,
    clock: Clock,
    post: Post | None,
) -> Engine:
    def empty_fold(held: Claims) -> Fold:
        return Fold(
            pseudonyms=pseudonyms,
            claims=held,
            bodies=bodies,
            decode=decode,
            meanings=settings.kinds,
            idle=int(settings.idle_minutes * MINUTE),
            catalogue_required=settings.catalogue.required,
        )

    fold = empty_fold(claims)
    commits = GroupCommit(log, stored=lambda stored: engine.folded(stored), post=post)
    engine = Engine(
        log=log,
        fold=fold,
        commits=commits,
        collect=Collect(
            commits, pseudonyms, clock, lambda: fold.cursor.encode(), meanings_of_names=settings.names
        ),
        describe=Describe(fold=fold, submitter=commits, clock=clock),
        recommend=Recommend(
            fold=fold, pipeline=pipeline_of(fold), submitter=commits, pseudonyms=pseudonyms, clock=clock
        ),
        keys=keys,
        snapshots=snapshots,
        fresh_fold=lambda: empty_fold(Claims()),
    )
    return engine


def adopt_keys(keys: Keys) -> list[tuple[str, str]]:
    """Make sure there is a write key and a secret key; returns those made now, as (kind, key), to be shown once.

    HEEDFUL_WRITE_KEY and HEEDFUL_SECRET_KEY set them at first start. Raises SettingsError for a weak one.
    """
    made = []
    for kind in ("write", "secret"):
        if any(key.kind == kind and not key.revoked for key in keys.list()):
            continue
        given = os.environ.get(f"HEEDFUL_{kind.upper()}_KEY")
        if given:
            keys.adopt(kind, given)
        else:
            made.append((kind, keys.create(kind, "made at first start")))
    return made


def main() -> None:
    """The `heedful` command."""
    sys.exit(run(open_engine, adopt_keys))


__all__ = ["Cursor", "Heedful", "main", "open_engine"]
