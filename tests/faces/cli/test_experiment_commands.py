"""`heedful experiments`: from a draft in a file to results, tables and what would be found."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from heedful.compose import Heedful
from heedful.vocabulary.settings import Settings
from tests.faces.cli.command import Said, heedful

DRAFT = {
    "on": {"kind": "placement", "name": "home"},
    "hypothesis": "What is popular is enough",
    "arms": [{"key": "as_it_is"}, {"key": "popular", "value": {"policy": "popular"}}],
    "metrics": ["clicked", "clicks"],
    "guardrails": [{"metric": "converted", "margin": 0.05}],
    "statistics": {"kind": "fixed"},
}
MANY = 640


def said(data: Path, *arguments: object) -> Said:
    found = heedful("experiments", *arguments, "--data", data)
    assert found.code == 0, found.err
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which an experiment runs, whose second arm is clicked far more."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "draft.json").write_text(json.dumps(DRAFT))
    (folder / "settings.toml").write_text("holdout = 0.0\n")
    made = said(folder, "put", "variety", folder / "draft.json", "--note", "first")
    assert "variety is draft (version 1): as_it_is 0.5, popular 0.5" in made.out
    assert said(folder, "start", "variety", "--json").json["experiment"]["status"] == "running"
    with Heedful(folder, settings=Settings(holdout=0.0)) as h:
        for item in ("tent", "pot"):
            h.track("Product Viewed", user_id="first", properties={"product_id": item})
        calls = []
        seen = {"as_it_is": 0, "popular": 0}
        for n in range(MANY):
            arm = dict(h.recommend(f"person-{n}", placement="home").arms)["variety"]
            if seen[arm] % 10 < (3 if arm == "as_it_is" else 7):
                calls.append({"type": "track", "event": "Product Clicked", "userId": f"person-{n}",
                              "properties": {"product_id": "tent"}})  # fmt: skip
            seen[arm] += 1
        h.batch(calls)
    return folder


def test_a_draft_is_listed_shown_and_its_change_log_told(data: Path) -> None:
    listed = said(data, "list")
    assert "placement" in listed.out and "running" in listed.out
    shown = said(data, "show", "variety").out
    assert "What is popular is enough" in shown
    assert "converted not down by more than 5.0%" in shown
    assert "first" in shown
    versions = said(data, "show", "variety", "--json").json["versions"]
    assert [one["version"] for one in versions] == [2, 1]
    assert versions[0]["author"] == "terminal"


def test_results_tell_effects_with_intervals_and_refusals_as_sentences(data: Path) -> None:
    text = said(data, "results", "variety").out
    assert "Judged by fixed" in text
    assert "improved" in text
    assert "%" in text
    told = said(data, "results", "variety", "--scale", "absolute", "--json").json
    row = next(row for row in told["rows"] if row["metric"] == "clicked")
    assert row["answer"]["value"] == pytest.approx(0.4, abs=0.02)
    assert said(data, "results", "variety", "--method", "bayesian", "--json").json["method"] == "bayesian"
    refused = next(row for row in told["rows"] if row["metric"] == "converted")
    assert refused["answer"]["result"] == "refusal"
    assert refused["answer"]["why"].split()[0] in text
    assert said(data, "series", "variety", "clicked").out.count("popular") == 1


def test_results_are_exported_as_a_row_per_effect_and_as_a_row_per_unit_without_ids(data: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(said(data, "export", "variety").out)))
    assert {(row["metric"], row["arm"]) for row in rows} == {
        ("clicked", "popular"), ("clicks", "popular"), ("converted", "popular"),
    }  # fmt: skip
    assert float(rows[0]["low"]) < float(rows[0]["effect"]) < float(rows[0]["high"])
    assert rows[-1]["refusal"] and not rows[-1]["effect"]
    file = data / "units.json"
    assert "rows in" in said(data, "export", "variety", "--units", "--format", "json", "--to", file).out
    units = json.loads(file.read_text())
    told = said(data, "results", "variety", "--json").json
    for arm in told["arms"]:
        assert sum(row["arm"] == arm["arm"] for row in units) == arm["units"]
    level = next(
        one["value"] for one in told["levels"] if (one["metric"], one["arm"]) == ("clicks", "popular")
    )
    mine = [row["clicks.value"] for row in units if row["arm"] == "popular"]
    assert sum(mine) / len(mine) == pytest.approx(level)
    assert "person" not in file.read_text()


def test_simulate_plays_experiments_on_the_log(data: Path) -> None:
    text = said(data, "simulate", "--metric", "clicked", "--runs", 40, "--looks", 4).out
    assert "share that claimed an effect" in text
    assert "sequential" in text
    told = said(data, "simulate", "--metric", "clicks", "--runs", 20, "--horizon", 3, "--json").json
    assert [one["days"] for one in told["reach"]] == [3.0, 3.0]
    unknown = heedful("experiments", "simulate", "--metric", "fame", "--data", data)
    assert unknown.code == 1 and "fame" in unknown.err


def test_weights_stages_and_the_decision(data: Path) -> None:
    staged = {**DRAFT, "stages": [0.1, 1.0]}
    (data / "staged.json").write_text(json.dumps(staged))
    said(data, "put", "slowly", data / "staged.json")
    said(data, "start", "slowly")
    assert "popular 1" in said(data, "stage", "slowly", 1).out
    assert "as_it_is 0.25" in said(data, "weigh", "slowly", 0.25, 0.75, "--coverage", 0.5).out
    wrong = heedful("experiments", "stop", "slowly", "perhaps", "--data", data)
    assert wrong.code == 2 and "ship" in wrong.err
    said(data, "stop", "slowly", "ship", "--arm", "popular", "--note", "it won")
    assert "rolled_out, ship popular" in said(data, "roll-out", "slowly").out
    assert "archived" in said(data, "archive", "slowly").out
    missing = heedful("experiments", "results", "nothing", "--data", data)
    assert missing.code == 1 and "nothing" in missing.err
