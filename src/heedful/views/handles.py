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
from llvmlite import ir  # type: ignore[import-untyped]  # it ships no types
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.numpy_support import carray
from numpy.typing import NDArray

from heedful.views.compiled import compiled

Handle = NDArray[np.int64]
"""Addresses and lengths in turn, shape (2 * arrays,)."""


def handle(arrays: Sequence[NDArray[Any]]) -> Handle:
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


def _spot(context: Any, builder: Any, kind: Any, array: Any, place: Any) -> Any:
    """The address of array[place]."""
    view = context.make_array(kind)(context, builder, array)
    return builder.gep(view.data, [place])


def _prefetch_code(_typing: Any, array: Any, _place: Any) -> Any:
    """Ask for the cache line of array[place]: a hint to the processor that changes nothing."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word, byte = ir.IntType(32), ir.IntType(8).as_pointer()
        spot = builder.bitcast(_spot(context, builder, signature.args[0], values[0], values[1]), byte)
        shape = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        insert: Any = cgutils.get_or_insert_function
        hint = insert(builder.module, shape, "llvm.prefetch.p0")
        builder.call(hint, [spot, word(0), word(3), word(1)])  # to read, keep near, data
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _slide_code(_typing: Any, array: Any, _start: Any, _count: Any, _to: Any) -> Any:
    """Copy array[start:start+count] to array[to:]; the two may overlap (memmove)."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = signature.args[0]
        source = _spot(context, builder, kind, values[0], values[1])
        target = _spot(context, builder, kind, values[0], values[3])
        size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
        move: Any = cgutils.raw_memmove
        move(builder, target, source, values[2], size)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, types.intp), generate


slide: Any = intrinsic(_slide_code)
prefetch: Any = intrinsic(_prefetch_code)


@compiled
def int32_at(table: Handle, place: int) -> NDArray[Any]:
    """The `place`-th array of the handle, of int32."""
    return carray(_pointer(table[2 * place]), (table[2 * place + 1],), dtype=np.int32)


@compiled
def int64_at(table: Handle, place: int) -> NDArray[Any]:
    """The `place`-th array of the handle, of int64."""
    return carray(_pointer(table[2 * place]), (table[2 * place + 1],), dtype=np.int64)


@compiled
def uint64_at(table: Handle, place: int) -> NDArray[Any]:
    """The `place`-th array of the handle, of uint64."""
    return carray(_pointer(table[2 * place]), (table[2 * place + 1],), dtype=np.uint64)


@compiled
def uint32_at(table: Handle, place: int) -> NDArray[Any]:
    """The `place`-th array of the handle, of uint32."""
    return carray(_pointer(table[2 * place]), (table[2 * place + 1],), dtype=np.uint32)


@compiled
def int16_at(table: Handle, place: int) -> NDArray[Any]:
    """The `place`-th array of the handle, of int16."""
    return carray(_pointer(table[2 * place]), (table[2 * place + 1],), dtype=np.int16)


@compiled
def uint16_at(table: Handle, place: int) -> NDArray[Any]:
    """The `place`-th array of the handle, of uint16."""
    return carray(_pointer(table[2 * place]), (table[2 * place + 1],), dtype=np.uint16)


@compiled
def float64_at(table: Handle, place: int) -> NDArray[Any]:
    """The `place`-th array of the handle, of float64."""
    return carray(_pointer(table[2 * place]), (table[2 * place + 1],), dtype=np.float64)


@compiled
def float32_at(table: Handle, place: int) -> NDArray[Any]:
    """The `place`-th array of the handle, of float32."""
    return carray(_pointer(table[2 * place]), (table[2 * place + 1],), dtype=np.float32)


@compiled
def uint8_at(table: Handle, place: int) -> NDArray[Any]:
    """The `place`-th array of the handle, of uint8."""
    return carray(_pointer(table[2 * place]), (table[2 * place + 1],), dtype=np.uint8)
