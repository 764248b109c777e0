"""What each figure means, in one place: the console, the tables of replay and the documents read it here."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Better(StrEnum):
    """Which way is better; NEITHER for a figure that describes and does not judge."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"


class Interval(StrEnum):
    """How the interval is made: `ratio` and `difference`, or `jackknife`, of `intervals`."""

    DELTA = "delta method over people"
    JACKKNIFE = "jackknife over groups of people"


class Definition(NamedTuple):
    """name: as in tables and JSON. unit: empty for a share. formula: in words, per list where it can be."""

    name: str
    formula: str
    unit: str
    better: Better
    interval: Interval = Interval.DELTA


_HIGHER, _LOWER, _NEITHER = Better.HIGHER, Better.LOWER, Better.NEITHER

DEFINITIONS: dict[str, Definition] = {
    one.name: one
    for one in (
        Definition("hit_rate", "1 if a target is among the first k", "", _HIGHER),
        Definition("mrr", "1 / rank of the first target among the first k, or 0", "", _HIGHER),
        Definition("ndcg", "sum of gain / log2(1 + rank), over that of the best possible list", "", _HIGHER),
        Definition("recall", "targets found / targets", "", _HIGHER),
        Definition("precision", "targets found / k", "", _HIGHER),
        Definition(
            "map", "sum of the precision at each target found, over min(k, number of targets)", "", _HIGHER
        ),
        Definition(
            "coverage",
            "distinct items in all lists / items in the catalogue",
            "",
            _HIGHER,
            Interval.JACKKNIFE,
        ),
        Definition(
            "gini",
            "inequality of the items' exposure, the sum of 1 / log2(1 + rank) over all lists",
            "",
            _LOWER,
            Interval.JACKKNIFE,
        ),
        Definition("novelty", "mean of -log2(people who touched the item / people)", "bits", _NEITHER),
        Definition("diversity", "mean distance between two items of the list", "", _NEITHER),
        Definition(
            "calibration", "KL divergence of the list's mix of categories from the history's", "nats", _LOWER
        ),
        Definition("popularity", "mean number of people who touched the item", "people", _NEITHER),
        Definition(
            "top_1_percent", "share of the list among the most popular 1% of the catalogue", "", _NEITHER
        ),
        Definition("top_10_percent", "share of the list among the most popular 10%", "", _NEITHER),
    )
}
