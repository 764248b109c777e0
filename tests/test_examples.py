"""The examples run as they stand, and what each of them shows is there to be seen."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
LONGEST = 60


@cache
def printed(name: str) -> str:
    """What the example says, run as a stranger would, with warnings as errors."""
    (path,) = (ROOT / "examples").glob(f"{name}_*.py")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONIOENCODING": "utf-8",
        "COLUMNS": "120",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        check=False, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_are_eight_and_they_are_numbered() -> None:
    assert [path.name[:3] for path in EXAMPLES] == [f"{number:02}_" for number in range(1, 9)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.stem))
def test_an_example_can_be_read_in_a_minute(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_one_click_changes_the_next_answer() -> None:
    before, _, after = printed("01").partition("Ada looks at a teapot")
    assert "cup" not in before
    assert "cup" in after
    assert "strainer" in after


def test_what_is_sold_out_or_deleted_is_gone_from_the_next_answer() -> None:
    line = {row[:43].strip(): row[43:] for row in printed("02").splitlines()}
    assert {"Bulb", "Floor lamp", "Oak chair"} == titles(line["On the desk lamp's page:"])
    assert titles(line["Only what costs less than 50 euros:"]) == {"Bulb"}
    assert titles(line["Only light:"]) == {"Bulb", "Floor lamp"}
    assert "Bulb" not in titles(line["Without the bulb, which is in the basket:"])
    assert "Floor lamp" not in titles(line["The floor lamp is sold out:"])
    assert titles(line["The chair is deleted:"]) == {"Bulb"}


def titles(text: str) -> set[str]:
    return set(re.findall(r"(\w[\w ]*) \(", text))


def test_an_import_accounts_for_every_line_and_a_second_adds_nothing() -> None:
    first, second = re.findall(
        r"accepted\W+(\d+)\W+duplicate\W+(\d+)\W+skipped.*?(\d+)\W+refused\W+(\d+)", printed("03")
    )
    assert first == ("6", "0", "1", "2")
    assert second == ("0", "6", "1", "2")
    assert '"code":"subject_missing"' in printed("03")
    assert "DIFFERS" not in printed("03")
    assert printed("03").count("agrees") == 10


def test_a_cancelled_order_leaves_no_trace() -> None:
    said = dict(re.findall(r"^(\w[\w ]+?)  +(sessions \w+  trends \w+)", printed("04"), re.MULTILINE))
    assert said["Ann cancels"] == said["before"] != said["Ann orders"]
    assert said["the same message"] == said["the same order"] == said["Ann orders"]


def test_http_learns_from_a_click_and_stops_when_told() -> None:
    assert re.search(r"^track +accepted at v1\.", printed("05"), re.MULTILINE)
    assert printed("05").count("“kettle”") == 2
    assert "403 key_not_allowed" in printed("05")
    assert "stopped with exit code 0" in printed("05")


def test_answers_are_worth_far_more_than_popularity_and_never_more_than_the_best() -> None:
    worth = {
        name: int(share)
        for name, share in re.findall(r"^(\w[\w ]+?) +[\d.]+ a visit +(\d+)%", printed("06"), re.M)
    }
    assert worth["the best list"] == 100
    assert 1.5 * worth["popularity"] < worth["Heedful"] < 100


def test_a_ranker_is_fitted_judged_and_answers() -> None:
    said = printed("07")
    assert "is in force" in said
    assert "fitted" in said and "blend" in said
    model = re.search(r"ranked by ([0-9a-f]{16})", said)
    assert model is not None
    assert "What spoke for it" in said


def test_a_placement_holds_from_the_next_answer_on_and_content_is_chosen_by_what_it_earns() -> None:
    said = dict(line.split(":", 1) for line in printed("08").splitlines() if ":" in line)
    assert "samovar" in said["Without a definition"]
    assert "samovar" not in said["With version 1"]
    assert said["With version 1"].split()[0] == "strainer"
    assert said["Taken away again"] == said["Without a definition"].lstrip().rjust(
        len(said["Taken away again"])
    )
    shown = re.search(r"probability ([0-9.]+)", printed("08"))
    assert shown is not None and float(shown.group(1)) > 0.9
