"""Names that nobody uses any more leave the dictionaries: of items and kinds that only a forgotten person had."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.views.dictionary import MISSING, RELEASED
from heedful.views.fold import Fold
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.kinds import BUILT_IN

_AT_ONCE = 1 << 20


def release(
    fold: Fold, subjects: Collection[SubjectId], items: Collection[int], kinds: Collection[int]
) -> int:
    """Forget the names of `subjects` who have no rows left, and of those `items` and `kinds` that no view uses any
    more; returns how many names went.

    Looks through the history once where there is a name that sessions and catalogue do not know: some 8 ns a row.
    """
    named = {*fold.meanings.by_name, *fold.variants.outcomes}  # by the settings, whoever uses them
    own = [
        code for code in kinds
        if len(BUILT_IN) <= code < len(fold.kinds.names) and fold.kinds.names[code] not in named
    ]  # fmt: skip
    known = [
        code for code in items
        if fold.items.ids[code] != RELEASED
        and not fold.sessions.sessions_with(code)
        and not fold.catalogue.holds(code)
    ]  # fmt: skip
    unused_items, unused_kinds = _flags(known, len(fold.items)), _flags(own, len(fold.kinds.names))
    if known or own:
        _cross_out(fold, unused_items, unused_kinds)
    gone = np.flatnonzero(unused_items).tolist()
    for code in gone:
        fold.items.release(code)
    fold.catalogue.release(gone)
    kinds_gone = np.flatnonzero(unused_kinds).tolist()
    for code in kinds_gone:
        fold.kinds.release(code)
    people = [code for code in map(fold.subjects.find, subjects) if code != MISSING]
    empty = [code for code in people if not fold.history.count(code)]
    for code in empty:
        fold.subjects.release(code)
    return len(gone) + len(kinds_gone) + len(empty)


def _cross_out(fold: Fold, items: NDArray[np.bool_], kinds: NDArray[np.bool_]) -> None:
    """Set to False whatever is used. The last flag stands for no item at all."""
    rows = fold.history.columns()
    for start in range(0, len(rows.item), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        # What lies free between the blocks is no row: it has no fingerprint, and any number for an item.
        named = np.take(items, rows.item[part], mode="wrap") | kinds[rows.kind[part]]
        hits = np.flatnonzero(named & (rows.fingerprint[part] != 0))
        items[rows.item[part][hits]] = False
        kinds[rows.kind[part][hits]] = False
    items[fold.orders.items()] = False
    items[fold.outcomes.answers().items] = False


def _flags(codes: Collection[int], size: int) -> NDArray[Any]:
    flags = np.zeros(size + 1, dtype=np.bool_)
    flags[np.array([*codes], dtype=np.int64)] = True
    return flags
