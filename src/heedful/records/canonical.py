"""JSON in the one way that is hashed and signed."""

from __future__ import annotations

from typing import Any

import msgspec


def canonical(value: Any) -> bytes:
    """`value` as JSON in the one way that is hashed: UTF-8, no spaces, keys in order of their code points.

    RFC 8785 for what we write, which is without floating point. Raises TypeError on a float or what is no JSON.
    """
    plain = msgspec.to_builtins(value, str_keys=True)
    _refuse_floats(plain)
    return msgspec.json.encode(plain, order="sorted")


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("a float has no one way to be written: use a whole number of a smaller unit")
    if isinstance(value, dict):
        for one in value.values():
            _refuse_floats(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            _refuse_floats(one)
