"""What people buy again, in the order of `views.replenish` and of plainer ones, on real baskets.

Online Retail (a gift shop's orders with a customer) and Complete Journey (a random sample of grocery lines), from
`HEEDFUL_DATA`. The last 30% of the lines are walked in order of time, day by day: before a person's day is counted
in, everything they had until then is put in order, and what they buy again that day is looked for. Only days on
which something is bought again count, of people who have had five things or more. All orders rank the same things;
the last rows leave out what is not due, as `NotOwned` does. Run as `python -m benchmarks.again`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

import numpy as np
import zstandard
from numpy.typing import NDArray

from benchmarks.quality import data_folder
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.catalogue import Catalogue
from heedful.views.dictionary import Items, Kinds, Subjects
from heedful.views.history import History
from heedful.views.meanings import Meanings
from heedful.views.pasts import MOST_TOUCHED, Pasts, Touches
from heedful.views.repeats import Repeats
from heedful.views.replenish import Replenishment, Rule
from heedful.views.rows import Rows
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.kinds import PURCHASE
from heedful.vocabulary.time import DAY, SECOND, Instant

Table = list[tuple[str, float, str, str]]
Order = Callable[["Shop", int, Touches, Instant], NDArray[np.float64]]


class Line(NamedTuple):
    """Who bought what, when (microseconds)."""

    at: int
    who: str
    item: str


def lines(name: str) -> Iterator[dict[str, str]]:
    """The rows of a CSV file under the data folder. Raises FileNotFoundError."""
    raw = (data_folder().parent / f"{name}.csv.zst").read_bytes()
    return csv.DictReader(io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(raw), encoding="utf-8"))


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def online_retail() -> list[Line]:
    """Orders with a customer, without cancellations."""
    return sorted(
        Line(moment(row["InvoiceDate"]), row["CustomerID"], row["StockCode"])
        for row in lines("online_retail/online_retail")
        if row["CustomerID"] and not row["InvoiceNo"].startswith("C") and int(row["Quantity"]) > 0
    )


def complete_journey() -> list[Line]:
    """The sampled grocery lines."""
    return sorted(
        Line(moment(row["transaction_timestamp"]), row["household_id"], row["product_id"])
        for row in lines("complete_journey/transactions_sample")
    )


class Shop:
    """The views over purchases that come in day after day. anything: with a rule that holds nothing back."""

    def __init__(self) -> None:
        self._pseudonyms, self.kinds = Pseudonyms(bytes(32)), Kinds()
        self.items, self.subjects = Items(self._pseudonyms), Subjects()
        history, meanings = History(self.subjects, self.items, self.kinds), Meanings(self.kinds)
        self.history, self.repeats = history, Repeats(history, self.items, meanings.seen)
        self.pasts = Pasts(history, meanings)
        catalogue = Catalogue(self.items)
        self.due = Replenishment(self.pasts, self.repeats, catalogue, self.items)
        self.anything = Replenishment(
            self.pasts, self.repeats, catalogue, self.items, Rule(own=0, early=-1.0)
        )
        self.popular: NDArray[np.int64] = np.zeros(200_000, dtype=np.int64)
        self._count = 0

    def learn(self, told: list[Line]) -> None:
        n = len(told)
        rows = Rows(
            subject=self.subjects.codes([SubjectId(self._pseudonyms.user(line.who)) for line in told]),
            item=np.array([self.items.code(line.item) for line in told], dtype=np.int32),
            kind=np.full(n, self.kinds.code(PURCHASE), dtype=np.uint16),
            at=np.array([line.at for line in told], dtype=np.int64),
            fingerprint=np.arange(self._count, self._count + n, dtype=np.uint64),
            line=np.zeros(n, dtype=np.uint16),
            quantity=np.ones(n, dtype=np.int32),
        )
        self._count += n
        self.history.apply(rows)
        self.repeats.apply(rows)
        np.add.at(self.popular, rows.item, 1)

    def subject(self, who: str) -> int:
        return int(self.subjects.codes([SubjectId(self._pseudonyms.user(who))])[0])


def scored(reader: Replenishment, subject: int, past: Touches, at: Instant) -> NDArray[np.float64]:
    """What `reader` says of each line of the past, 0 for what it leaves out."""
    items = past.item.copy()
    found = reader.read(subject, at)
    points = dict(zip(found.items.tolist(), found.scores.tolist(), strict=True))
    return np.array([points.get(item, 0.0) for item in items.tolist()])


ORDERS: dict[str, Order] = {
    "popular": lambda shop, _subject, past, _at: shop.popular[past.item].astype(np.float64),
    "newest": lambda _shop, _subject, past, _at: past.had_last.astype(np.float64),
    "most often": lambda _shop, _subject, past, _at: past.had + past.had_last * 1e-18,
    "again": lambda shop, subject, past, at: scored(shop.anything, subject, past, at),
    "again, due only": lambda shop, subject, past, at: scored(shop.due, subject, past, at),
}


def measured(told: list[Line]) -> tuple[dict[str, tuple[float, float, float]], int]:
    """HR@10, recall@10 and MRR by order, and over how many days of people."""
    shop, split = Shop(), int(len(told) * 0.7)
    shop.learn(told[:split])
    sums: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ORDERS}
    for _, on_day in groupby(told[split:], key=lambda line: line.at // DAY):
        today = sorted(on_day, key=lambda line: line.who)
        for who, basket in groupby(today, key=lambda line: line.who):
            asked = list(basket)
            bought = {shop.items.find(line.item) for line in asked}
            subject, at = shop.subject(who), Instant(min(line.at for line in asked))
            past = Touches._make(
                column.copy() for column in shop.pasts.read(subject, limit=MOST_TOUCHED, at=at)
            )
            wanted = np.array([item in bought for item in past.item.tolist()])
            if len(past.item) < 5 or not wanted.any():
                continue
            for name, order in ORDERS.items():
                points = order(shop, subject, past, at)
                ranks = np.empty(len(points), dtype=np.int64)
                ranks[np.lexsort((shop.items.keys[past.item], -points))] = np.arange(len(points))
                found = ranks[wanted & (points > 0)]
                best = 1 / (1 + found.min()) if len(found) else 0.0
                near = int((found < 10).sum())
                sums[name].append((float(near > 0), near / int(wanted.sum()), best))
        shop.learn(sorted(today))
    days = len(next(iter(sums.values())))
    return {name: tuple(np.mean(rows, axis=0).tolist()) for name, rows in sums.items()}, days


def run() -> Table:
    """Rows of (name, value, unit, goal)."""
    table: Table = []
    for shop, told in (("online retail", online_retail()), ("complete journey", complete_journey())):
        found, days = measured(told)
        table.append((f"{shop}: days on which something is bought again", days, "", ""))
        for name, (hit, recall, mrr) in found.items():
            table.append((f"{shop}: {name}, HR@10", hit, "", ""))
            table.append((f"{shop}: {name}, recall@10", recall, "", ""))
            table.append((f"{shop}: {name}, MRR", mrr, "", ""))
    return table


if __name__ == "__main__":
    for name, value, unit, goal in run():
        print(f"{name:60} {value:10.4f} {unit:4} {goal}")
