"""Many arrays handed to a kernel as one: a table of addresses and lengths, opened again inside the kernel.

Taking apart an array that Python passes costs a kernel about a tenth of a microsecond, and the session index
has dozens. A handle costs that once. Arrays opened from one are not counted as references either.

A handle is only good while whoever made it keeps the arrays: it stands beside them, and is made anew
together with them (`Sessions._bind`, `History._bind`, `Desk.open`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba.core import types
from numba.extending import intrinsic
from numba.np.numpy_support import carray
from numpy.typing import NDArray

from heedful.views.arena import Column
from heedful.views.compiled import compiled

Handle = NDArray[np.int64]
"""Addresses and lengths in turn, shape (2 * arrays,)."""


def handle(arrays: Sequence[Column]) -> Handle:
    """The handle of one-dimensional contiguous `arrays`, which the caller keeps as long as the handle."""
    for array in arrays:
        if array.ndim != 1 or not array.flags.c_contiguous or not array.flags.writeable:
            raise ValueError("a handle takes one-dimensional, contiguous, writeable arrays")
    return np.array([part for array in arrays for part in (array.ctypes.data, len(array))], dtype=np.int64)


def _pointer_code(_typing: Any, address: Any) -> Any:
    """An integer as an untyped pointer."""

    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.inttoptr(values[0], context.get_value_type(types.voidptr))

    return types.voidptr(address), generate


_pointer: Any = intrinsic(_pointer_code)


@compiled
def int32_at(table: Handle, place: int) -> Column:
    """The `place`-th array of the handle, of int32."""
    return carray(_pointer(table[2 * place]), (table[2 * place + 1],), dtype=np.int32)


@compiled
def int64_at(table: Handle, place: int) -> Column:
    """The `place`-th array of the handle, of int64."""
    return carray(_pointer(table[2 * place]), (table[2 * place + 1],), dtype=np.int64)


@compiled
def uint64_at(table: Handle, place: int) -> Column:
    """The `place`-th array of the handle, of uint64."""
    return carray(_pointer(table[2 * place]), (table[2 * place + 1],), dtype=np.uint64)


@compiled
def uint32_at(table: Handle, place: int) -> Column:
    """The `place`-th array of the handle, of uint32."""
    return carray(_pointer(table[2 * place]), (table[2 * place + 1],), dtype=np.uint32)


@compiled
def int16_at(table: Handle, place: int) -> Column:
    """The `place`-th array of the handle, of int16."""
    return carray(_pointer(table[2 * place]), (table[2 * place + 1],), dtype=np.int16)


@compiled
def uint16_at(table: Handle, place: int) -> Column:
    """The `place`-th array of the handle, of uint16."""
    return carray(_pointer(table[2 * place]), (table[2 * place + 1],), dtype=np.uint16)


@compiled
def uint8_at(table: Handle, place: int) -> Column:
    """The `place`-th array of the handle, of uint8."""
    return carray(_pointer(table[2 * place]), (table[2 * place + 1],), dtype=np.uint8)
