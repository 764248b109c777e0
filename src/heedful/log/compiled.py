"""The decorator for numeric kernels: compiled by numba on first use, and kept on disk for the next start.

Kernels take and return arrays and numbers, allocate little, and never grow an array: where one needs more
room it returns how far it came, and Python grows the array and calls again.

Compiled code is kept in a folder that is named after the source of all kernels together. Numba by itself
looks only at the file a kernel stands in, and would go on using one whose callee in another file has changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from shutil import rmtree
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

_KEPT = 12
"""How many versions' kernels stay on disk."""


def compiled(function: F) -> F:
    """Compile `function` in no-Python mode. Indices are not checked: the slow twin's tests do that."""
    return cast(F, numba.njit(cache=True, boundscheck=False, error_model="numpy")(function))


def _settle_cache() -> None:
    """Point numba at the folder of these sources, unless the operator chose one (NUMBA_CACHE_DIR)."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        return
    digest = blake2b(numba.__version__.encode(), digest_size=10)
    for file in sorted(Path(__file__).parent.parent.rglob("*.py")):
        source = file.read_bytes()
        if b"compiled" in source:
            digest.update(source)
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "heedful"
    folder = root / f"kernels-{digest.hexdigest()}"
    with suppress(OSError):  # without a place to write, numba looks for one itself
        if not folder.exists():
            folder.mkdir(parents=True)
            for old in sorted(root.glob("kernels-*"), key=lambda one: one.stat().st_mtime)[:-_KEPT]:
                rmtree(old, ignore_errors=True)
        cast(Any, numba.config).CACHE_DIR = str(folder)


_settle_cache()
