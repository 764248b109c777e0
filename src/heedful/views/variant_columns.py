"""The state of the variants view as plain arrays, for snapshots and digests."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.mixing import LANES, mixed
from heedful.views.variant_facts import CELLS, FEATURES, HIGHEST, MOST_VALUE, ONE, Reaction, Shown
from heedful.views.view import Arrays
from heedful.vocabulary.errors import Corrupt


class Columns(NamedTuple):
    """Decisions with what they earned. names: (placement, variant) by code. features: int8 (n, FEATURES)."""

    names: list[tuple[str, str]]
    key: NDArray[np.uint64]
    at: NDArray[np.int64]
    subject: NDArray[np.int32]
    code: NDArray[np.int32]
    cell: NDArray[np.int32]
    features: NDArray[np.int8]
    kinds: NDArray[np.uint16]
    value: NDArray[np.int64]


_DECISIONS = {
    "key": "u8", "at": "i8", "subject": "i4", "code": "i4", "cell": "i4", "kinds": "u2", "value": "i8",
}  # fmt: skip
_REACTIONS = {
    "r_fingerprint": "u8", "r_decision": "u8", "r_subject": "i4", "r_at": "i8", "r_outcome": "u2",
    "r_value": "i8", "r_listed": "u1",
}  # fmt: skip


def written_columns(
    columns: Columns, reactions: Sequence[Reaction], outcomes: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Columns of decisions by name, of reactions with `r_` before it, `text` and `ends` of the names.

    r_outcome: the place of a reaction's kind in `outcomes`.
    """
    texts = [part.encode() for name in columns.names for part in name]
    coded = [each._replace(kind=outcomes.index(each.kind)) for each in reactions]  # type: ignore[arg-type]
    parts = list(zip(*coded, strict=True)) if coded else [()] * len(_REACTIONS)
    return {
        **{name: getattr(columns, name) for name in _DECISIONS},
        "features": columns.features.reshape(-1),
        "text": np.frombuffer(b"".join(texts), dtype=np.uint8),
        "ends": np.cumsum([len(text) for text in texts], dtype=np.int64),
        **{
            name: np.array(part, dtype=dtype)
            for (name, dtype), part in zip(_REACTIONS.items(), parts, strict=True)
        },
    }


def read_columns(
    state: Arrays, outcomes: Sequence[str], subjects: int
) -> tuple[list[Shown], list[tuple[int, int]], list[Reaction], int]:
    """Decisions, what each earned (kinds, value), reactions and the floor. Raises Corrupt."""
    decisions = [_column(state, name, dtype) for name, dtype in _DECISIONS.items()]
    reactions = [_column(state, name, dtype) for name, dtype in _REACTIONS.items()]
    features, floor = _column(state, "features", "i1"), _column(state, "floor", "i8")
    names = _names(_column(state, "text", "u1"), _column(state, "ends", "i8"))
    count = len(decisions[0])
    if len({len(one) for one in decisions}) != 1 or len(features) != count * FEATURES or len(floor) != 1:
        raise Corrupt("variants: the columns of decisions do not fit each other")
    if len({len(one) for one in reactions}) != 1:
        raise Corrupt("variants: the columns of reactions do not fit each other")
    _within(decisions[2], -1, subjects - 1, "subject")
    _within(decisions[3], 0, len(names) - 1, "code")
    _within(decisions[4], 0, CELLS, "cell")
    _within(decisions[5], 0, (1 << len(outcomes)) - 1, "kinds")
    _within(decisions[6], 0, MOST_VALUE, "value")
    _within(reactions[2], -1, subjects - 1, "r_subject")
    _within(reactions[4], 0, len(outcomes) - 1, "r_outcome")
    vectors = features.reshape(-1, FEATURES)
    if (vectors[:, 0] != ONE).any():
        raise Corrupt("variants: a feature vector does not begin as all do")
    _within(features, -HIGHEST, HIGHEST, "features")
    key, at, subject, code, cell, kinds, value = (one.tolist() for one in decisions)
    shown = [
        Shown(key[i], subject[i], at[i], names[code[i]][0], names[code[i]][1], cell[i], tuple(vector))
        for i, vector in enumerate(vectors.tolist())
    ]
    said = [
        Reaction(fingerprint, decision, who, when, outcomes[outcome], amount, bool(listed))
        for fingerprint, decision, who, when, outcome, amount, listed in zip(
            *(one.tolist() for one in reactions), strict=True
        )
    ]
    return shown, list(zip(kinds, value, strict=True)), said, int(floor[0])


def absorbed(*columns: NDArray[Any]) -> NDArray[np.uint64]:
    """The two digest sums over rows, uint64 (2,). columns: integers, (n,) or (n, words)."""
    count = len(columns[0])
    words = np.concatenate(
        [column.astype(np.int64).reshape(count, -1).view(np.uint64) if column.dtype != np.uint64
         else column.reshape(count, -1) for column in columns], axis=1,
    )  # fmt: skip
    lanes = np.repeat(LANES[:, None], count, axis=1)
    for word in words.T:
        lanes = mixed(lanes ^ word)
    sums: NDArray[np.uint64] = lanes.sum(axis=1, dtype=np.uint64)
    return sums


def hashed(name: bytes, numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The two digest sums of one long row, uint64 (2,)."""
    whole = blake2b(name + numbers.astype("<i8").tobytes(), digest_size=16, person=b"variants").digest()
    return np.frombuffer(whole, dtype="<u8").astype(np.uint64)


def _names(text: NDArray[np.uint8], ends: NDArray[np.int64]) -> list[tuple[str, str]]:
    whole = text.tobytes()
    bounds = [0, *ends.tolist()]
    if len(ends) % 2 or bounds != sorted(bounds) or bounds[-1] != len(whole):
        raise Corrupt("variants: the names do not fit their ends")
    try:
        parts = [whole[low:high].decode() for low, high in pairwise(bounds)]
    except UnicodeDecodeError as error:
        raise Corrupt("variants: a name is not text") from error
    return list(zip(parts[::2], parts[1::2], strict=True))


def _within(values: NDArray[Any], low: int, high: int, name: str) -> None:
    if len(values) and not low <= int(values.min()) <= int(values.max()) <= high:
        raise Corrupt(f"variants: {name} is out of range")


def _column(state: Arrays, name: str, dtype: str) -> NDArray[Any]:
    if name not in state or state[name].ndim != 1 or state[name].dtype != np.dtype(dtype):
        raise Corrupt(f"variants: the array {name} is missing or misshapen")
    return state[name]
