"""How long it takes to find what is described alike in a large catalogue, and what a change of it costs.

`python -m benchmarks content`. Words: the 92,331 products of `complete_journey`, where the file is there. Vectors:
100,000 made-up ones of 384 numbers around 500 centres, and how many of the true nearest 20 are found. What is
remembered from one question to the next is left aside: every reading is of another item. Medians on one thread.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from time import perf_counter

import numpy as np
import zstandard

from benchmarks.arrangement import microseconds
from benchmarks.quality import data_folder
from benchmarks.table import Row
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.catalogue import Catalogue, ItemChange
from heedful.views.content import Content
from heedful.views.dictionary import Items
from heedful.views.vectors import rounded
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.time import Instant

_VECTORS, _LENGTH, _CENTRES = 100_000, 384, 500
_PRODUCTS = data_folder().parent / "complete_journey" / "products.csv.zst"


def products() -> Iterator[Item]:
    """The products of `complete_journey`."""
    with _PRODUCTS.open("rb") as packed:
        text = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(packed), encoding="utf-8")
        for line in csv.DictReader(text):
            places = (line["department"], line["product_category"])
            yield Item(
                ItemId(line["product_id"]),
                title=line["product_type"],
                categories=tuple(place for place in places if place),
                properties={"brand": line["brand"], "size": line["package_size"]},
            )


def words() -> list[Row]:
    """Readings by words."""
    items = Items(Pseudonyms(bytes(32)))
    catalogue = Catalogue(items)
    for number, item in enumerate(products()):
        catalogue.apply([ItemChange(items.code(item.id), Instant(number), number, item)])
    content, count = Content(catalogue, items), len(items)
    content.like(0, 60)  # compiles
    content = Content(catalogue, items)
    began = perf_counter()
    content.refresh()
    spent = perf_counter() - began
    random = np.random.default_rng(1)
    asked = iter(random.permutation(count).tolist())
    said = iter(range(count, 10 * count))

    def change() -> None:
        at = next(said)
        item = Item(ItemId("x"), title=f"a new thing {at}", categories=("GROCERY",))
        catalogue.apply([ItemChange(at % count, Instant(at), at, item)])
        content.refresh()

    young = random.permutation(count)[:1_000].astype(np.int32)
    return [
        Row("products", float(count), "", ""),
        Row("built from nothing", spent, "s", ""),
        Row("60 most like one, by words", microseconds(lambda: content.like(next(asked), 60)), "µs", "≤ 100"),
        Row("how like one 1,000 are", microseconds(lambda: content.likeness(7_000, young)), "µs", ""),
        Row("one item described anew", microseconds(change, 200), "µs", ""),
    ]


def vectors() -> list[Row]:
    """Readings by vectors, and how many of the true neighbours they find."""
    random = np.random.default_rng(2)
    centres = random.standard_normal((_CENTRES, _LENGTH))
    numbers = centres[random.integers(0, _CENTRES, _VECTORS)]
    numbers += 0.5 * random.standard_normal(numbers.shape)
    items = Items(Pseudonyms(bytes(32)))
    for number in range(_VECTORS):
        items.code(f"item-{number}")
    item = Item(ItemId("x"), vector=tuple(numbers[0].tolist()))
    content = Content(_described(items, item), items)
    content.refresh()
    began = perf_counter()
    for start in range(1, _VECTORS, 5_000):
        stop = min(start + 5_000, _VECTORS)
        content.vectors.put({code: numbers[code] for code in range(start, stop)})
    spent = perf_counter() - began
    asked = iter(random.permutation(_VECTORS).tolist())
    found = right = 0
    whole = np.array([rounded(row) for row in numbers], dtype=np.float32)
    whole /= np.linalg.norm(whole, axis=1)[:, None]
    for code in random.permutation(_VECTORS)[:50].tolist():
        likeness = whole @ whole[code]
        likeness[code] = -1
        truth = set(np.argpartition(-likeness, 20)[:20].tolist())
        right += len(truth & set(content.like(code, 20).items.tolist()))
        found += 20
    return [
        Row("vectors of 384", float(_VECTORS), "", ""),
        Row("laid from nothing", spent, "s", ""),
        Row(
            "60 most like one, by vectors", microseconds(lambda: content.like(next(asked), 60), 300), "µs", ""
        ),
        Row("of the true nearest 20 found", 100.0 * right / found, "%", ""),
    ]


def _described(items: Items, item: Item) -> Catalogue:
    catalogue = Catalogue(items)
    catalogue.apply([ItemChange(0, Instant(0), 0, item)])
    return catalogue


def run() -> list[Row]:
    """Everything for which there is data."""
    return [*(words() if _PRODUCTS.exists() else ()), *vectors()]
