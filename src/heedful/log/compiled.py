"""The decorator for numeric kernels: compiled by numba on first use, and kept on disk for the next start.

Kernels take and return arrays and numbers, allocate little, and never grow an array: where one needs more
room it returns how far it came, and Python grows the array and calls again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile `function` in no-Python mode. Indices are not checked: the slow twin's tests do that."""
    return cast(F, numba.njit(cache=True, boundscheck=False, error_model="numpy")(function))
