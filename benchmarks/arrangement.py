"""How long it takes to put 20 of 100 candidates into an order with variety, the Python call included.

`python -m benchmarks arrangement`. Medians over many calls on one thread; candidates of 1 to 4 categories
out of 24, and once with vectors of 384 numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter_ns

import numpy as np

from benchmarks.table import Row
from heedful.pipeline.arrangement import (
    Arrangement,
    Balanced,
    Calibrated,
    DeterminantalGreedy,
    MaximalMarginal,
    Straight,
)
from heedful.pipeline.candidates import Candidates
from heedful.pipeline.context import Context
from heedful.pipeline.duplicates import NotTwice
from heedful.pipeline.kinship import Kinship
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.catalogue import Catalogue, ItemChange
from heedful.views.content import Content
from heedful.views.dictionary import Items
from heedful.views.traits import Traits
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.time import Instant

_SHELF = 2_000
_NONE = np.empty(0, dtype=np.int32)


def shelf(*, vectors: int) -> tuple[Items, Kinship]:
    """A catalogue of made-up items, with vectors of so many numbers or without."""
    items = Items(Pseudonyms(bytes(32)))
    catalogue = Catalogue(items)
    random = np.random.default_rng(3)
    for number in range(_SHELF):
        names = random.choice(24, int(random.integers(1, 5)), replace=False)
        item = Item(
            ItemId(f"item-{number}"),
            title=f"A thing of number {number}",
            categories=tuple(f"kind-{name}" for name in names),
            vector=tuple(random.standard_normal(vectors).tolist()),
        )
        catalogue.apply([ItemChange(items.code(item.id), Instant(number), number, item)])
    return items, Kinship(Traits(catalogue, items), Content(catalogue, items))


def candidates_of(rows: int) -> Candidates:
    """So many candidates with scores."""
    candidates = Candidates(1, lambda: _SHELF)
    candidates.clear()
    random = np.random.default_rng(4)
    items = random.choice(_SHELF, rows, replace=False).astype(np.int32)
    candidates.add(0, items, np.ones(rows), np.array([-1], dtype=np.int32))
    candidates.totals[:] = random.random(rows)
    return candidates


def microseconds(call: Callable[[], object], times: int = 2_000) -> float:
    """The median of `times` calls."""
    call()
    spent = []
    for _ in range(times):
        began = perf_counter_ns()
        call()
        spent.append(perf_counter_ns() - began)
    return median(spent) / 1e3


def run() -> list[Row]:
    """Every arrangement."""
    rows: list[Row] = []
    context = Context(
        subject=0, trail=np.arange(6, dtype=np.int32), personal=6, owned=_NONE, hidden=_NONE, excluded=_NONE,
        as_of=None, limit=20,
    )  # fmt: skip
    for length, by in ((0, "by category"), (384, "by vectors of 384")):
        items, kinship = shelf(vectors=length)
        candidates = candidates_of(100)
        arrangements: list[tuple[str, Arrangement]] = [
            ("the best first", Straight()),
            ("maximal marginal relevance", MaximalMarginal(kinship, 0.3)),
            ("determinantal, greedy", DeterminantalGreedy(kinship, 0.3)),
            ("calibrated", Calibrated(kinship, 0.3)),
            ("diverse and calibrated", Balanced(kinship, diversity=0.3, calibration=0.3)),
        ]
        for name, arrangement in arrangements:

            def call(arrangement: Arrangement = arrangement) -> object:
                return arrangement.arrange(candidates, context, items.keys, size=20)  # noqa: B023

            rows.append(Row(f"20 of 100 {by}: {name}", microseconds(call), "µs", "≤ 20"))
        twice = NotTwice(kinship, items)

        def collapse(twice: NotTwice = twice) -> object:
            return twice.remove(context, candidates, 1)  # noqa: B023

        rows.append(Row(f"twins among 100 {by}", microseconds(collapse), "µs", "≤ 20"))
    return rows
