"""A real, dirty file: the first 40,000 lines of Online Retail (UCI), brought in and asked about."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks.quality import data_folder
from heedful import Heedful
from heedful.faces.cli.files import opened
from heedful.vocabulary.settings import Settings
from tests.faces.cli.command import heedful

LINES = 40_000
MAPPING = (
    "--map", "order=InvoiceNo", "--map", "item=StockCode", "--map", "title=Description",
    "--map", "quantity=Quantity", "--map", "time=InvoiceDate", "--map", "price=UnitPrice",
    "--map", "user=CustomerID", "--event", "Order Completed", "--zone", "Europe/London", "--currency", "GBP",
    "--skip", "StockCode=POST,D,M,DOT,BANK CHARGES,C2",
)  # fmt: skip

WORD = re.compile(r"[A-Z]{4,}")
TOO_COMMON = 0.02
"""A word in more of the titles than this names a colour or a style, not a family."""


SOURCE = data_folder().parent / "online_retail" / "online_retail.csv.zst"

pytestmark = pytest.mark.skipif(
    not SOURCE.is_file(), reason="online_retail is not there: set HEEDFUL_DATA to the data folder"
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The head and the first lines, with their real line ends."""
    part = tmp_path_factory.mktemp("retail") / "online_retail.csv"
    with opened(SOURCE) as whole:
        part.write_bytes(b"".join(islice(whole, LINES + 1)))
    return part


@pytest.fixture(scope="module")
def data(file: Path) -> Path:
    return file.parent / "data"


@pytest.fixture(scope="module")
def first(file: Path, data: Path) -> dict[str, Any]:
    """What became of the lines the first time."""
    said = heedful("import", file, "--data", data, "--json", *MAPPING)
    assert said.code == 0, said.err
    counts: dict[str, Any] = said.json[str(file)]
    return counts


def test_every_line_is_accounted_for(first: dict[str, Any], file: Path, data: Path) -> None:
    assert first["lines"] == LINES
    assert first["accepted"] + first["duplicate"] + first["refused"] + first["skipped"] == LINES
    assert first["duplicate"] == 0
    assert sum(first["reasons"].values()) == first["refused"]
    assert first["accepted"] > LINES // 2
    refused = (data / f"refused-{file.name}.jsonl").read_text().splitlines()
    assert len(refused) == first["refused"]
    nobody = sum(json.loads(line)["code"] == "subject_missing" for line in refused)
    assert nobody == first["reasons"]["subject_missing"] > 0


def test_a_second_import_adds_nothing(first: dict[str, Any], file: Path, data: Path) -> None:
    before = heedful("verify", "--data", data, "--json").json
    again = heedful("import", file, "--data", data, "--json", *MAPPING).json[str(file)]
    assert again == {**first, "accepted": 0, "duplicate": first["accepted"]}
    after = heedful("verify", "--data", data, "--json")
    assert after.code == 0
    assert after.json == before


def families(titles: dict[str, str]) -> dict[str, set[str]]:
    """The words of each title that are rare enough to name a family."""
    words = {item: set(WORD.findall(title)) for item, title in titles.items()}
    counts = Counter(word for found in words.values() for word in found)
    return {
        item: {word for word in found if counts[word] < TOO_COMMON * len(titles)}
        for item, found in words.items()
    }


def test_what_goes_with_an_item_is_of_its_family_more_often_than_chance(
    first: dict[str, Any], data: Path
) -> None:
    assert first["accepted"]
    with Heedful(data) as client:
        fold = client.engine.fold
        titles: dict[str, str] = {}
        for item in fold.items.ids:
            described = client.item(item)
            if described is not None:
                titles[item] = described.title
        family = families(titles)
        popular = [shown.item_id for shown in client.recommend(limit=100, as_of="2010-12-24T00:00:00Z").items]
        hits = shown = 0
        for item in popular:
            for found in client.recommend(item_id=item, limit=5, as_of="2010-12-24T00:00:00Z").items:
                shown += 1
                hits += bool(family[item] & family.get(found.item_id, set()))
        random, names = Random(5), sorted(family)
        pairs = [(random.choice(popular), random.choice(names)) for _ in range(20_000)]
        chance = sum(bool(family[one] & family[other]) for one, other in pairs) / len(pairs)
    assert shown == 500
    assert hits / shown > 5 * chance


def test_a_customer_is_shown_what_they_bought_only_when_it_is_due_again(
    first: dict[str, Any], data: Path
) -> None:
    assert first["accepted"]
    with Heedful(data, settings=Settings(holdout=0.0)) as client:
        fold = client.engine.fold
        subject = fold.subjects.find(client.engine.collecting._pseudonyms.user("17850"))
        bought = {fold.items.ids[item] for item in fold.history.rows(subject).item.tolist() if item >= 0}
        assert {"85123A", "71053", "84406B"} <= bought
        for moment, back in (("2010-12-02T16:00:00Z", False), ("2010-12-24T00:00:00Z", True)):
            answer = client.recommend("17850", limit=50, explain=True, as_of=moment)
            assert answer.personalized
            assert answer.trace is not None
            due = {one["itemId"] for one in answer.trace["candidates"] if "again" in one["sources"]}
            shown = {item.item_id for item in answer.items}
            assert bought & shown <= due
            assert bool(bought & shown) is bool(due) is back
            assert set(answer.trace["removed"]["owned"]) <= bought - due
