"""How answers come back, and how the inside says that it is well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

import msgspec

from heedful.vocabulary.errors import HeedfulError

T = TypeVar("T")

Done: TypeAlias = Callable[[T | HeedfulError], None]
"""Takes the answer or the failure. Called exactly once, in the owner's thread, perhaps at once."""


class EngineStatus(msgspec.Struct, frozen=True):
    """How the inside is.

    ready: whether answers are to be had. reason: why not, or "".
    position: everything up to here is folded.
    log_stopped: why the log takes no more writes until a restart, or None.
    counters: figures for `/metrics`, by name without the prefix; a name in `_total` only ever grows.
    """

    ready: bool
    reason: str
    position: str
    log_stopped: str | None
    counters: Mapping[str, float]
