"""How commands get an engine, without knowing how one is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from heedful.records.keys import Keys
from heedful.services.engine import Engine


@dataclass(frozen=True, slots=True)
class Opener:
    """engine: opens an engine over a folder (`compose.open_engine`). keys: makes sure that it has API keys,
    and returns those made now."""

    engine: Callable[..., Engine]
    keys: Callable[[Keys], list[tuple[str, str]]]


def opener_of(context: typer.Context) -> Opener:
    """The opener that the command line was built with."""
    return cast(Opener, context.find_root().obj)


Data = Annotated[Path, typer.Option("--data", help="The data folder.", envvar="HEEDFUL_DATA_DIR")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Anything = Any
