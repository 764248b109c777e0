"""Next-item quality on the click sessions published with Serenade, beside its published figure.

Protocol: trained on train, evaluated on test; after every click but a session's last the next 20 items are
asked for, from the distinct items of the last 4 clicks, m = 1502, k = 288; the current item is no candidate;
the target is the immediate next item. Published: MRR@20 0.3401 over 931 predictions.
Run as `python -m benchmarks.quality`.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import zstandard
from numpy.typing import NDArray

from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.dictionary import Items, Kinds, Subjects
from heedful.views.history import History
from heedful.views.neighbours import Neighbours
from heedful.views.reading import Desk
from heedful.views.rows import Rows
from heedful.views.rules import Rules
from heedful.views.sessions import LONGEST_IDLE, Sessions
from heedful.views.vstan import Vstan
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.kinds import VIEW
from heedful.vocabulary.time import SECOND, Instant

PUBLISHED_MRR = 0.3401
Table = list[tuple[str, float, str, str]]


class Clicks(NamedTuple):
    """Columns of one file, in order of time: session and item as text, seconds."""

    session: list[str]
    item: list[str]
    seconds: list[float]


class Quality(NamedTuple):
    """Mean reciprocal rank and hit rate at 20, and over how many predictions."""

    mrr: float
    hit_rate: float
    predictions: int


def data_folder() -> Path:
    """Where `serenade_example` lies: under `HEEDFUL_DATA`, or `../shared/data` beside the repository."""
    named = os.environ.get("HEEDFUL_DATA")
    root = Path(__file__).resolve().parent.parent
    places = [Path(named)] if named else [root.parent / "shared/data", root.parent.parent / "shared/data"]
    return next((place for place in places if place.is_dir()), places[0]) / "serenade_example"


def clicks(name: str) -> Clicks:
    """Read `name` (train, valid or test). Raises FileNotFoundError if it is not there."""
    raw = (data_folder() / f"{name}.tsv.zst").read_bytes()
    text = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(raw)).read().decode()
    lines = [line.split("\t") for line in text.splitlines()[1:]]
    lines.sort(key=lambda line: float(line[2]))
    return Clicks([s for s, _, _ in lines], [i for _, i, _ in lines], [float(t) for _, _, t in lines])


class Shop:
    """The views over a training set in which every session is a person of its own."""

    def __init__(self, train: Clicks) -> None:
        pseudonyms, kinds = Pseudonyms(bytes(32)), Kinds()
        self.items, subjects = Items(pseudonyms), Subjects()
        history = History(subjects, self.items, kinds)
        joins = np.array([kind == VIEW for kind in kinds.names])
        self.sessions = Sessions(history, self.items, subjects, kinds, joins, idle=LONGEST_IDLE)
        n = len(train.item)
        rows = Rows(
            subject=subjects.codes([SubjectId(pseudonyms.user(session)) for session in train.session]),
            item=np.array([self.items.code(item) for item in train.item], dtype=np.int32),
            kind=np.full(n, kinds.code(VIEW), dtype=np.uint16),
            at=(np.array(train.seconds) * SECOND).astype(np.int64),
            fingerprint=np.arange(n, dtype=np.uint64),
            line=np.zeros(n, dtype=np.uint16),
            quantity=np.ones(n, dtype=np.int32),
        )
        history.apply(rows)
        self.sessions.apply(rows)
        self.desk = Desk(self.sessions, self.items)


def prefixes(test: Clicks, longest: int) -> list[tuple[list[str], str]]:
    """Every (distinct items of the last `longest` clicks, newest first; next item) of the test sessions."""
    sessions: dict[str, list[str]] = {}
    for session, item in zip(test.session, test.item, strict=True):
        sessions.setdefault(session, []).append(item)
    asked = []
    for items in sessions.values():
        for place in range(1, len(items)):
            recent = items[max(0, place - longest) : place]
            asked.append((list(dict.fromkeys(reversed(recent))), items[place]))
    return asked


def judged(answers: list[tuple[NDArray[np.int32], int]]) -> Quality:
    """MRR@20 and HR@20 of (answered items, target) pairs."""
    ranks = [np.flatnonzero(items[:20] == target) for items, target in answers]
    hits = [1 / (rank[0] + 1) for rank in ranks if len(rank)]
    return Quality(float(sum(hits)) / len(ranks), len(hits) / len(ranks), len(ranks))


def neighbours_quality(test: str = "test", *, m: int = 1_502, k: int = 288, longest: int = 4) -> Quality:
    """Quality of session neighbours under the published protocol."""
    shop = Shop(clicks("train"))
    reader = Neighbours(shop.desk)
    answers = []
    for current, target in prefixes(clicks(test), longest):
        codes = np.array([shop.items.find(item) for item in current], dtype=np.int32)
        answers.append((reader.read(codes, 20, m=m, k=k).items, shop.items.find(target)))
    return judged(answers)


def timed_quality(test: str = "test", *, m: int = 200, k: int = 100, longest: int = 4) -> Quality:
    """Quality of neighbours by time and order, as served, under the same protocol; asked at the last click."""
    shop, asked = Shop(clicks("train")), clicks(test)
    reader = Vstan(shop.desk)
    moments: dict[str, list[float]] = {}
    for session, seconds in zip(asked.session, asked.seconds, strict=True):
        moments.setdefault(session, []).append(seconds)
    last = [seconds for session in moments.values() for seconds in session[:-1]]
    answers = []
    for (current, target), seconds in zip(prefixes(asked, longest), last, strict=True):
        codes = np.array([shop.items.find(item) for item in current], dtype=np.int32)
        found = reader.read(codes, 20, Instant(int(seconds * SECOND)), m=m, k=k)
        answers.append((found.items, shop.items.find(target)))
    return judged(answers)


def rules_quality(test: str = "test", *, m: int = 1_502, longest: int = 1) -> Quality:
    """Quality of sequential rules under the same protocol."""
    shop = Shop(clicks("train"))
    reader = Rules(shop.desk)
    answers = []
    for current, target in prefixes(clicks(test), longest):
        codes = np.array([shop.items.find(item) for item in current], dtype=np.int32)
        answers.append((reader.read(codes, 20, m=m).items, shop.items.find(target)))
    return judged(answers)


def run() -> Table:
    """Rows of (name, value, unit, goal)."""
    neighbours, timed, rules = neighbours_quality(), timed_quality(), rules_quality()
    return [
        ("session neighbours MRR@20", neighbours.mrr, "", f"{PUBLISHED_MRR} ± 0.003, as published"),
        ("session neighbours HR@20", neighbours.hit_rate, "", "0.665, a plain re-implementation"),
        ("session neighbours predictions", neighbours.predictions, "", "931"),
        ("neighbours by time and order MRR@20", timed.mrr, "", ""),
        ("neighbours by time and order HR@20", timed.hit_rate, "", ""),
        ("sequential rules MRR@20", rules.mrr, "", ""),
        ("sequential rules HR@20", rules.hit_rate, "", ""),
    ]


if __name__ == "__main__":
    for name, value, unit, goal in run():
        print(f"{name:36} {value:10.4f} {unit:4} {goal}")
