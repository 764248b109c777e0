"""`heedful disclose`, `heedful requests` and `heedful privacy`."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from heedful.compose import open_engine
from heedful.vocabulary.rights import Someone
from tests.faces.cli.command import heedful

GOLDEN = Path(__file__).with_name("golden")


@pytest.fixture
def data(history: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    assert heedful("import", history, "--data", folder).code == 0
    return folder


def test_a_file_for_one_person_is_written_for_its_owner_only(data: Path, tmp_path: Path) -> None:
    to = tmp_path / "p3.zip"
    said = heedful("disclose", "--data", data, "--user", "p3", "--to", to, "--json")
    assert said.code == 0, said.err
    assert (said.json["events"], said.json["file"]) == (4, str(to))
    assert to.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(to) as archive:
        events = [json.loads(line) for line in archive.read("events.jsonl").splitlines()]
    assert {event["userId"] for event in events} == {"p3"}
    assert "4 events" in heedful("disclose", "--data", data, "--user", "p3", "--to", tmp_path / "2.zip").out


def test_a_file_that_is_there_is_not_written_over_and_nobody_is_no_person(data: Path, tmp_path: Path) -> None:
    to = tmp_path / "p3.zip"
    to.write_text("mine")
    assert heedful("disclose", "--data", data, "--user", "p3", "--to", to).code == 1
    assert to.read_text() == "mine"
    assert heedful("disclose", "--data", data, "--to", tmp_path / "x.zip").code == 2
    assert (
        heedful("disclose", "--data", tmp_path / "nothing", "--user", "a", "--to", tmp_path / "x.zip").code
        == 1
    )
    assert not (tmp_path / "x.zip").exists()


def test_a_request_is_listed_shown_and_moved(data: Path) -> None:
    engine = open_engine(data)
    rights = engine.rights
    made = rights.requests.create("object", rights.disclose.subjects(Someone("p1")), author="form")
    engine.close()
    (listed,) = heedful("requests", "list", "--data", data, "--json").json
    assert (listed["id"], listed["status"]) == (made.id, "identity_pending")
    assert made.id[:8] in heedful("requests", "list", "--data", data).out
    assert heedful("requests", "move", made.id, "run", "--data", data).code == 2
    assert heedful("requests", "move", made.id, "verified", "--evidence", "seen", "--data", data).code == 0
    assert heedful("requests", "move", made.id, "extended", "--reason", "many", "--data", data).code == 0
    assert heedful("requests", "move", made.id, "confirmed", "--data", data).code == 0
    assert heedful("requests", "move", made.id, "nowhere", "--data", data).code == 2
    done = heedful("requests", "move", made.id, "run", "--data", data, "--json")
    assert done.json["status"] == "done"
    assert heedful("requests", "list", "--data", data, "--json").json == []
    assert len(heedful("requests", "list", "--all", "--data", data, "--json").json) == 1
    steps = heedful("requests", "show", made.id, "--data", data, "--json").json
    assert [step["note"] for step in steps] == [
        "received",
        "proof",
        "extended",
        "confirmed",
        "running",
        "done",
    ]
    assert "object under gdpr" in heedful("requests", "show", made.id, "--data", data).out
    assert heedful("requests", "show", "none", "--data", data).code == 1


@pytest.mark.parametrize("name", ["record", "dpia"])
def test_the_documents_are_those_that_were_agreed(data: Path, name: str) -> None:
    (data / "settings.toml").write_text('[rights]\ncontact = "Shop Ltd, privacy@shop.example"\n')
    said = heedful("privacy", name, "--data", data)
    golden = GOLDEN / f"{name}.md"
    assert said.out == golden.read_text()
    assert heedful("privacy", name, "--data", data, "--json").json["controller"].startswith("Shop Ltd")
