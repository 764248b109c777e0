"""How commands get an engine, without knowing how one is made."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import typer

from heedful.log.log import LogReader
from heedful.models.shelf import Version
from heedful.records.keys import Keys
from heedful.services.administer import Administer
from heedful.services.engine import Engine
from heedful.services.evaluate.evaluate import Systems
from heedful.services.fit.refit import Verdict
from heedful.services.rotate import RotateKeys
from heedful.vocabulary.errors import NotFound
from heedful.vocabulary.settings import Settings


@dataclass(frozen=True, slots=True)
class Replaying:
    """What a replay works with.

    systems: pipelines and baselines by name. log: reads a folder's log, beside a running server too.
    settings: a folder's settings. prepare: makes the numeric kernels ready, and tells of it.
    """

    systems: Systems
    log: Callable[[Path], AbstractContextManager[LogReader]]
    settings: Callable[[Path], Settings]
    prepare: Callable[[Callable[[str, int, int], None]], None]


@dataclass(frozen=True, slots=True)
class Opener:
    """engine: opens an engine over a folder (`compose.open_engine`).
    keys: the API keys of a folder, and those made just now as (kind, key), to be shown once.
    snapshot: brings a folder's newest snapshot up to date beside a running server.
    fit: fits a ranker to a folder's log, beside a running server too (`compose.fit_beside`).
    taste: fits long-term taste to a folder's log in the same way (`compose.taste_beside`).
    rotating: opens the keys of a folder, beside a running server too.
    replaying: what `heedful replay` compares, and how it reads a log.
    settings: a folder's settings; the defaults when left out.
    """

    engine: Callable[..., Engine]
    keys: Callable[[Path], tuple[Keys, list[tuple[str, str]]]]
    snapshot: Callable[..., str | None]
    fit: Callable[..., Verdict]
    taste: Callable[..., Version]
    rotating: Callable[[Path], AbstractContextManager[RotateKeys]]
    replaying: Callable[[], Replaying] | None = None
    settings: Callable[[Path], Settings] | None = None


def administering(data: Path) -> AbstractContextManager[Administer]:
    """The accounts of a folder, for one command: the audit's file is let go of at the end."""
    return closing(Administer(data))


def opener_of(context: typer.Context) -> Opener:
    """The opener that the command line was built with."""
    return cast(Opener, context.find_root().obj)


def there(data: Path) -> Path:
    """`data`, for commands that only look: a folder that is mistyped must not be made. Raises NotFound."""
    if not data.is_dir():
        raise NotFound(f"there is no folder {data}")
    return data


Data = Annotated[Path, typer.Option("--data", help="The data folder.", envvar="HEEDFUL_DATA_DIR")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
